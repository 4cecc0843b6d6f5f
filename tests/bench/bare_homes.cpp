// The floor of making homes on an NFS server: the calls alone, with libnfs and nothing else.
//
//   bare_homes --nfs-port P --mount-port M --export /homes --directory bare [--server 127.0.0.1] [--homes 1000]
//              [--connections 8] [--calls full|minimal] [--marker-bytes 240] [--first-uid 20000]
//
// Each connection is one libnfs context on a thread of its own; the threads take homes from one counter. `full` makes
// the calls that Homeport's nfs driver makes for a new home, in its order, with the same waits between them: what it
// sends at once is sent at once here. `minimal` is mkdir, then chown and chmod in one SETATTR: what a home costs when
// nothing is looked at, marked or read back.
//
//   LOOKUP home, LOOKUP home in the trash, LOOKUP marker, LOOKUP homes, LOOKUP administrative directory   (at once)
//   MKDIR 0700 | SETATTR owner, mode | GETATTR | CREATE marker, guarded | WRITE marker, FILE_SYNC
//   LOOKUP home, LOOKUP marker (at once) | READ marker
//
// How the list was established: read off drivers/nfs (create_on in spaces.cpp and what it calls), then compared with
// what passes on the wire. homes.py does that comparison anew in each run, through a proxy that writes down the
// procedure of every call of both programs, and refuses to measure when they differ.
//
// Prints one line of JSON {homes, seconds, calls, connections}. The clock runs from the first call for a home to the
// last answer; mounting, connecting and making the directories above the homes is not in it. Exit code 1 when a call
// failed or a marker read back was not what had been written.
#include <CLI/CLI.hpp>
#include <atomic>
#include <cstdio>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "provisioner/base/clock.h"
#include "provisioner/base/id_source.h"
#include "provisioner/base/names.h"
#include "tests/bench/bare_connection.h"

namespace {

using homeport::Clock;
using homeport::MonoTime;
using homeport::bench::Connection;
using homeport::bench::Handle;
using homeport::bench::handle_from;
using homeport::bench::kNfsProgram;
using homeport::bench::kNfsVersion;
using homeport::bench::mount_export;
using homeport::bench::to_wire;

constexpr std::uint32_t kHomeMode = 0700;
constexpr std::uint32_t kMarkerMode = 0600;
constexpr std::uint32_t kReadSize = 65536;

struct Options {
  std::string server = "127.0.0.1";
  std::uint16_t nfs_port = 0;
  std::uint16_t mount_port = 0;
  std::string exported = "/homes";
  std::string directory = "bare";
  std::size_t homes = 1000;
  std::size_t connections = 8;
  std::string calls = "full";
  std::size_t marker_bytes = 240;
  std::uint32_t first_uid = 20000;
};

diropargs3 to_wire(const Handle& directory, const std::string& name) {
  return {.dir = to_wire(directory), .name = const_cast<char*>(name.c_str())};
}
sattr3 mode_only(std::uint32_t mode) {
  sattr3 wire{};
  wire.mode.set_it = 1;
  wire.mode.set_mode3_u.mode = mode;
  return wire;
}

struct Found {
  Handle handle;
  std::uint64_t id = 0;
};

// Absent is an answer too: `into` stays empty then.
void send_lookup(Connection& connection, const Handle& directory, const std::string& name, std::optional<Found>& into) {
  connection.send<LOOKUP3args>(
      "LOOKUP", &rpc_nfs3_lookup_async, {.what = to_wire(directory, name)}, [&into](const void* answer) {
        const auto& result = *static_cast<const LOOKUP3res*>(answer);
        if (result.status == NFS3ERR_NOENT) return true;
        if (result.status != NFS3_OK) return false;
        const auto& ok = result.LOOKUP3res_u.resok;
        into = Found{.handle = handle_from(ok.object), .id = ok.obj_attributes.post_op_attr_u.attributes.fileid};
        return true;
      });
}

Handle make_directory(Connection& connection, const Handle& parent, const std::string& name, std::uint32_t mode) {
  Handle made;
  connection.send<MKDIR3args>("MKDIR", &rpc_nfs3_mkdir_async,
                              {.where = to_wire(parent, name), .attributes = mode_only(mode)},
                              [&made](const void* answer) {
                                const auto& result = *static_cast<const MKDIR3res*>(answer);
                                if (result.status != NFS3_OK || result.MKDIR3res_u.resok.obj.handle_follows == 0)
                                  return false;
                                made = handle_from(result.MKDIR3res_u.resok.obj.post_op_fh3_u.handle);
                                return true;
                              });
  connection.finish();
  return made;
}

void set_owner_and_mode(Connection& connection, const Handle& handle, std::uint32_t uid, std::uint32_t mode) {
  SETATTR3args wanted{};
  wanted.object = to_wire(handle);
  wanted.new_attributes = mode_only(mode);
  wanted.new_attributes.uid.set_it = 1;
  wanted.new_attributes.uid.set_uid3_u.uid = uid;
  wanted.new_attributes.gid.set_it = 1;
  wanted.new_attributes.gid.set_gid3_u.gid = uid;
  connection.send<SETATTR3args>("SETATTR", &rpc_nfs3_setattr_async, wanted, [](const void* answer) {
    return static_cast<const SETATTR3res*>(answer)->status == NFS3_OK;
  });
  connection.finish();
}

void check_owner(Connection& connection, const Handle& handle, std::uint32_t uid) {
  connection.send<GETATTR3args>(
      "GETATTR", &rpc_nfs3_getattr_async, {.object = to_wire(handle)}, [uid](const void* answer) {
        const auto& result = *static_cast<const GETATTR3res*>(answer);
        return result.status == NFS3_OK && result.GETATTR3res_u.resok.obj_attributes.uid == uid;
      });
  connection.finish();
}

void write_marker(Connection& connection, const Handle& markers, const std::string& name, const std::string& text) {
  Handle file;
  CREATE3args wanted{};
  wanted.where = to_wire(markers, name);
  wanted.how.mode = GUARDED;
  wanted.how.createhow3_u.obj_attributes = mode_only(kMarkerMode);
  connection.send<CREATE3args>("CREATE", &rpc_nfs3_create_async, wanted, [&file](const void* answer) {
    const auto& result = *static_cast<const CREATE3res*>(answer);
    if (result.status != NFS3_OK || result.CREATE3res_u.resok.obj.handle_follows == 0) return false;
    file = handle_from(result.CREATE3res_u.resok.obj.post_op_fh3_u.handle);
    return true;
  });
  connection.finish();
  WRITE3args data{};
  data.file = to_wire(file);
  data.count = static_cast<count3>(text.size());
  data.stable = FILE_SYNC;
  data.data.data_len = static_cast<u_int>(text.size());
  data.data.data_val = const_cast<char*>(text.data());
  connection.send<WRITE3args>("WRITE", &rpc_nfs3_write_async, data, [&text](const void* answer) {
    const auto& result = *static_cast<const WRITE3res*>(answer);
    return result.status == NFS3_OK && result.WRITE3res_u.resok.count == text.size() &&
           result.WRITE3res_u.resok.committed == FILE_SYNC;
  });
  connection.finish();
}

void check_marker(Connection& connection, const Handle& file, const std::string& text) {
  connection.send<READ3args>("READ", &rpc_nfs3_read_async, {.file = to_wire(file), .offset = 0, .count = kReadSize},
                             [&text](const void* answer) {
                               const auto& result = *static_cast<const READ3res*>(answer);
                               if (result.status != NFS3_OK) return false;
                               const auto& data = result.READ3res_u.resok.data;
                               return std::string_view(data.data_val, data.data_len) == text;
                             });
  connection.finish();
}

// The directories above the homes, named as Homeport names its own.
struct Directories {
  Handle root;
  Handle homes;
  std::string homes_name;
  std::string admin_name;
  Handle markers;
  Handle trash;
};

Handle directory_at(Connection& connection, const Handle& parent, const std::string& name, std::uint32_t mode) {
  std::optional<Found> found;
  send_lookup(connection, parent, name, found);
  connection.finish();
  return found ? found->handle : make_directory(connection, parent, name, mode);
}

Directories prepare(const Options& options) {
  Directories dirs;
  dirs.root = mount_export(options.server, options.mount_port, options.exported);
  dirs.homes_name = options.directory;
  dirs.admin_name = "." + options.directory;
  Connection connection(options.server, options.nfs_port, kNfsProgram, kNfsVersion);
  dirs.homes = directory_at(connection, dirs.root, dirs.homes_name, 0755);
  const Handle admin = directory_at(connection, dirs.root, dirs.admin_name, kHomeMode);
  dirs.markers = directory_at(connection, admin, "markers", kHomeMode);
  dirs.trash = directory_at(connection, admin, "trash", kHomeMode);
  return dirs;
}

struct Home {
  std::string key;
  std::uint32_t uid;
};

void make_minimal(Connection& connection, const Directories& dirs, const Home& home) {
  const Handle made = make_directory(connection, dirs.homes, "hp-" + home.key, kHomeMode);
  set_owner_and_mode(connection, made, home.uid, kHomeMode);
}

void make_full(Connection& connection, const Directories& dirs, const Home& home, std::size_t marker_bytes) {
  const std::string name = "hp-" + home.key;
  const std::string marker_name = home.key + ".json";
  std::string text = home.key;
  text.resize(std::max(marker_bytes, home.key.size()), '.');

  std::optional<Found> live;
  std::optional<Found> trashed;
  std::optional<Found> marker;
  std::optional<Found> homes;
  std::optional<Found> admin;
  send_lookup(connection, dirs.homes, name, live);
  send_lookup(connection, dirs.trash, name, trashed);
  send_lookup(connection, dirs.markers, marker_name, marker);
  send_lookup(connection, dirs.root, dirs.homes_name, homes);
  send_lookup(connection, dirs.root, dirs.admin_name, admin);
  connection.finish();
  if (live || trashed || marker || !homes || !admin) throw std::runtime_error(name + " is not new");

  const Handle made = make_directory(connection, dirs.homes, name, kHomeMode);
  set_owner_and_mode(connection, made, home.uid, kHomeMode);
  check_owner(connection, made, home.uid);
  write_marker(connection, dirs.markers, marker_name, text);

  send_lookup(connection, dirs.homes, name, live);
  send_lookup(connection, dirs.markers, marker_name, marker);
  connection.finish();
  if (!live || live->handle != made || !marker) throw std::runtime_error(name + " is not there");
  check_marker(connection, marker->handle, text);
}

nlohmann::json run(const Options& options, const Clock& clock) {
  const Directories dirs = prepare(options);
  const auto ids = homeport::make_system_ids();
  std::vector<Home> homes;
  for (std::size_t i = 0; i < options.homes; ++i) {
    homes.push_back(
        {.key = "h-" + homeport::hex16(ids->random64()), .uid = options.first_uid + static_cast<std::uint32_t>(i)});
  }
  // One after the other: libnfs chooses source ports with an unguarded counter.
  std::vector<std::unique_ptr<Connection>> connections;
  std::uint64_t before = 0;
  for (std::size_t i = 0; i < options.connections; ++i) {
    connections.push_back(std::make_unique<Connection>(options.server, options.nfs_port, kNfsProgram, kNfsVersion));
    before += connections.back()->calls();
  }
  std::atomic<std::size_t> next{0};
  std::vector<std::string> troubles(connections.size());
  const bool full = options.calls == "full";
  const MonoTime began = clock.mono();
  {
    std::vector<std::jthread> threads;
    for (std::size_t n = 0; n < connections.size(); ++n) {
      threads.emplace_back([&, n] {
        try {
          for (std::size_t i = next++; i < homes.size(); i = next++) {
            if (full) make_full(*connections[n], dirs, homes[i], options.marker_bytes);
            if (!full) make_minimal(*connections[n], dirs, homes[i]);
          }
        } catch (const std::exception& e) {
          troubles[n] = e.what();
        }
      });
    }
  }
  const double seconds = std::chrono::duration<double>(clock.mono() - began).count();
  std::uint64_t calls = 0;
  for (std::size_t n = 0; n < connections.size(); ++n) {
    if (!troubles[n].empty()) throw std::runtime_error(troubles[n]);
    calls += connections[n]->calls();
  }
  return {
      {"homes", homes.size()}, {"seconds", seconds}, {"calls", calls - before}, {"connections", connections.size()}};
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("the NFS calls of new homes, and nothing else");
  app.add_option("--server", options.server, "address");
  app.add_option("--nfs-port", options.nfs_port)->required();
  app.add_option("--mount-port", options.mount_port)->required();
  app.add_option("--export", options.exported, "what is mounted");
  app.add_option("--directory", options.directory, "below the export; made when it is not there");
  app.add_option("--homes", options.homes);
  app.add_option("--connections", options.connections)->check(CLI::Range(1, 64));
  app.add_option("--calls", options.calls)->check(CLI::IsMember({"full", "minimal"}));
  app.add_option("--marker-bytes", options.marker_bytes)->check(CLI::Range(1, 65536));
  app.add_option("--first-uid", options.first_uid);
  CLI11_PARSE(app, argc, argv);
  try {
    const auto clock = homeport::make_system_clock();
    std::printf("%s\n", run(options, *clock).dump().c_str());
    return 0;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "bare_homes: %s\n", e.what());
    return 1;
  }
}
