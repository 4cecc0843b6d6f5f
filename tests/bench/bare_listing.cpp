// The floor of looking at a base of homes: READDIRPLUS alone, with libnfs and nothing else.
//
//   bare_listing --nfs-port P --mount-port M --export /homes --directory base [--server 127.0.0.1] [--depth 1]
//
// Lists the directory, and with depth 2 every directory in it, up to 32 at a time on one connection. A page after the
// first needs the cookie of the one before it, so within one directory nothing can overlap; the sizes asked for are
// those of Homeport's nfs driver. Names, owners, modes and handles are taken out of every answer.
//
// Prints one line of JSON {entries, calls, seconds}. The clock runs from the first call to the last answer; connecting
// and mounting is not in it. Exit code 1 when a call failed.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "provisioner/base/clock.h"
#include "tests/bench/bare_connection.h"

namespace {

using namespace homeport::bench;

constexpr std::uint32_t kDirectoryBytes = 16U * 1024U;
constexpr std::uint32_t kAnswerBytes = 64U * 1024U;
constexpr std::size_t kAtOnce = 32;

struct Options {
  std::string server = "127.0.0.1";
  std::uint16_t nfs_port = 0;
  std::uint16_t mount_port = 0;
  std::string exported = "/homes";
  std::string directory = "base";
  std::size_t depth = 1;
};

struct Entry {
  std::string name;
  Handle handle;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::uint32_t mode = 0;
  bool directory = false;
};

struct Waiting {
  Handle handle;
  std::size_t depth = 0;  // 0: the base
  cookie3 cookie = 0;
  std::array<char, NFS3_COOKIEVERFSIZE> verifier{};
};

Handle look_up(Connection& connection, const Handle& parent, const std::string& name) {
  Handle found;
  const LOOKUP3args wanted{.what = {.dir = to_wire(parent), .name = const_cast<char*>(name.c_str())}};
  connection.send<LOOKUP3args>("LOOKUP", &rpc_nfs3_lookup_async, wanted, [&](const void* answer) {
    const auto& result = *static_cast<const LOOKUP3res*>(answer);
    if (result.status != NFS3_OK) return false;
    found = handle_from(result.LOOKUP3res_u.resok.object);
    return true;
  });
  connection.finish();
  return found;
}

// The nodes of a decoded list are not aligned (libnfs 4.0.0): they are copied before they are read.
template <class T>
T aligned(const T* packed) {
  T out;
  std::memcpy(static_cast<void*>(&out), packed, sizeof out);
  return out;
}

// Takes the entries of one answer; the cookie to go on from, or nothing at the end.
bool take_page(const READDIRPLUS3res& result, Waiting& at, std::vector<Entry>& entries, bool& end) {
  if (result.status != NFS3_OK) return false;
  const auto& ok = result.READDIRPLUS3res_u.resok;
  end = ok.reply.eof != 0;
  std::memcpy(at.verifier.data(), ok.cookieverf, at.verifier.size());
  for (const entryplus3* packed = ok.reply.entries; packed != nullptr;) {
    const entryplus3 entry = aligned(packed);
    packed = entry.nextentry;
    at.cookie = entry.cookie;
    const std::string name = entry.name;
    if (name == "." || name == "..") continue;
    const auto& attributes = entry.name_attributes.post_op_attr_u.attributes;
    entries.push_back({.name = name,
                       .handle = handle_from(entry.name_handle.post_op_fh3_u.handle),
                       .uid = attributes.uid,
                       .gid = attributes.gid,
                       .mode = attributes.mode,
                       .directory = attributes.type == NF3DIR});
  }
  return true;
}

std::size_t list(Connection& connection, const Handle& base, std::size_t depth) {
  std::size_t total = 0;
  std::vector<Waiting> waiting{{.handle = base}};
  while (!waiting.empty()) {
    const auto n = std::min(kAtOnce, waiting.size());
    std::vector<Waiting> batch(std::make_move_iterator(waiting.end() - static_cast<std::ptrdiff_t>(n)),
                               std::make_move_iterator(waiting.end()));
    waiting.resize(waiting.size() - n);
    std::vector<std::vector<Entry>> pages(n);
    std::vector<char> ends(n);
    for (std::size_t i = 0; i < n; ++i) {
      READDIRPLUS3args wanted{.dir = to_wire(batch[i].handle),
                              .cookie = batch[i].cookie,
                              .cookieverf = {},
                              .dircount = kDirectoryBytes,
                              .maxcount = kAnswerBytes};
      std::memcpy(wanted.cookieverf, batch[i].verifier.data(), batch[i].verifier.size());
      connection.send<READDIRPLUS3args>("READDIRPLUS", &rpc_nfs3_readdirplus_async, wanted, [&, i](const void* answer) {
        bool end = false;
        const bool good = take_page(*static_cast<const READDIRPLUS3res*>(answer), batch[i], pages[i], end);
        ends[i] = end ? 1 : 0;
        return good;
      });
    }
    connection.finish();
    for (std::size_t i = 0; i < n; ++i) {
      const bool last = batch[i].depth + 1 == depth;
      for (auto& entry : pages[i]) {
        if (last) ++total;
        if (!last && entry.directory)
          waiting.push_back({.handle = std::move(entry.handle), .depth = batch[i].depth + 1});
      }
      if (ends[i] == 0) waiting.push_back(std::move(batch[i]));
    }
  }
  return total;
}

int run(const Options& options) {
  const auto root = mount_export(options.server, options.mount_port, options.exported);
  Connection connection(options.server, options.nfs_port, kNfsProgram, kNfsVersion);
  const auto base = look_up(connection, root, options.directory);
  const auto clock = homeport::make_system_clock();
  const auto before = connection.calls();
  const auto began = clock->mono();
  const auto entries = list(connection, base, options.depth);
  const std::chrono::duration<double> took = clock->mono() - began;
  std::printf("%s\n",
              nlohmann::json{{"entries", entries}, {"calls", connection.calls() - before}, {"seconds", took.count()}}
                  .dump()
                  .c_str());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app{"READDIRPLUS alone"};
  app.add_option("--server", options.server);
  app.add_option("--nfs-port", options.nfs_port)->required();
  app.add_option("--mount-port", options.mount_port)->required();
  app.add_option("--export", options.exported);
  app.add_option("--directory", options.directory);
  app.add_option("--depth", options.depth)->check(CLI::Range(1, 2));
  CLI11_PARSE(app, argc, argv);
  try {
    return run(options);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "bare_listing: %s\n", e.what());
    return 1;
  }
}
