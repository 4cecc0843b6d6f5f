#include "drivers/btrfs/btrfs_config.h"

#include <algorithm>

#include "provisioner/base/doc_reader.h"
#include "provisioner/base/nfs_versions.h"

namespace homeport::drivers::btrfs {
namespace {

using literals::operator""_MiB;

constexpr Bytes kSmallestPool = 256_MiB;  // below it btrfs has no room for its own metadata

bool is_component(const std::string& text) {
  const auto whole = AbsolutePath::parse("/" + text);
  return whole && !text.empty() && text.size() <= 255 && text.find('/') == std::string::npos;
}

std::optional<LoopFile> read_loop(DocReader& pool) {
  if (!pool.has("loop")) return std::nullopt;
  DocReader in = pool.object("loop");
  const auto file = in.required("file", &AbsolutePath::parse);
  const auto size = in.optional_bytes("size");
  if (!size) in.missing("size");
  if (size && *size < kSmallestPool) in.problem("size", "a pool needs " + kSmallestPool.to_string() + " at least");
  const bool preallocate = in.boolean("preallocate", false);
  in.finish();
  if (!file || !size) return std::nullopt;
  return LoopFile{.file = *file, .size = *size, .preallocate = preallocate};
}

void check_place(DocReader& in, const PoolConfig& pool) {
  const int places = (in.has("device") ? 1 : 0) + (in.has("directory") ? 1 : 0) + (in.has("loop") ? 1 : 0);
  if (places != 1) {
    in.problem("name", "a pool has exactly one of device, directory and loop",
               "device: a disk; directory: on a btrfs that is mounted already; loop: a file that Homeport makes");
  }
  if (pool.directory && in.has("mount")) {
    in.problem("mount", "has no meaning with directory", "it is mounted already; leave mount out");
  }
  if (!pool.directory && places == 1 && !in.has("mount")) {
    in.problem("mount", "is missing", "write where the pool is to be mounted, for example /srv/homeport/homes");
  }
  if (!pool.erase.empty() && !pool.device && !pool.loop) {
    in.problem("erase", "has no meaning with directory", "nothing is erased there; leave erase out");
  }
}

std::optional<PoolConfig> read_pool(DocReader& in) {
  const auto name = in.required("name", &Slug::parse);
  PoolConfig pool{.name = name ? name->str() : std::string()};
  pool.layout = in.choice("layout", {"filesystem", "directory"}, "filesystem") == "filesystem" ? Layout::filesystem
                                                                                               : Layout::directory;
  pool.device = in.parsed("device", &AbsolutePath::parse);
  pool.directory = in.parsed("directory", &AbsolutePath::parse);
  pool.loop = read_loop(in);
  pool.mount = in.parsed("mount", &AbsolutePath::parse);
  pool.homes = in.text("homes", pool.homes);
  if (!is_component(pool.homes) || pool.homes == ".homeport") {
    in.problem("homes", "'" + printable(pool.homes, 60) + "' is not the name of a directory in the pool",
               "write one name without '/', for example homes");
  }
  const auto quota = in.choice("quota", {"auto", "simple", "full"}, "auto");
  pool.quota = quota == "simple" ? WantedQuota::simple : quota == "full" ? WantedQuota::full : WantedQuota::automatic;
  pool.erase = in.text("erase", "");
  check_place(in, pool);
  in.finish();
  if (!name || (!pool.mount && !pool.directory)) return std::nullopt;
  return pool;
}

void check_apart(DocReader& in, const PoolConfig& pool, const std::vector<PoolConfig>& others) {
  for (const auto& other : others) {
    if (other.name == pool.name) in.problem("name", "pool '" + pool.name + "' is named twice");
    if (other.top().contains(pool.top()) || pool.top().contains(other.top())) {
      in.problem("name", "pools '" + other.name + "' and '" + pool.name + "' lie in each other",
                 "give each pool a place of its own");
    }
  }
}

ExportsConfig read_exports(DocReader& section, bool used) {
  ExportsConfig exports;
  if (!used && section.has("exports")) {
    section.problem("exports", "has no meaning without exporter", "add an exporter, or leave exports out");
  }
  DocReader in = section.object("exports");
  exports.clients = in.texts("clients");
  for (const auto& client : exports.clients) {
    if (!is_export_client(client)) {
      in.problem("clients", "'" + printable(client, 60) + "' is not a client",
                 "write addresses, networks (10.20.0.0/16), host names or @netgroups");
    }
  }
  if (used && exports.clients.empty()) {
    in.problem("clients", "is missing: nobody could mount anything", "name the network of the notebooks' nodes");
  }
  const auto squash = in.choice("squash", {"root", "none", "all"}, "root");
  exports.squash = squash == "none" ? Squash::none : squash == "all" ? Squash::all : Squash::root;
  exports.version = in.choice("version", {kNfsVersions.begin(), kNfsVersions.end()}, exports.version);
  in.finish();
  return exports;
}

}  // namespace

std::string PoolConfig::where() const {
  if (device) return "device " + device->str();
  if (loop) return "file " + loop->file.str();
  return "directory " + directory->str();
}

BtrfsConfig read_btrfs_config(DocReader& section) {
  BtrfsConfig config;
  if (!section.has("pools")) section.missing("pools");
  for (auto& in : section.objects("pools")) {
    auto pool = read_pool(in);
    if (!pool) continue;
    check_apart(in, *pool, config.pools);
    config.pools.push_back(*std::move(pool));
  }
  if (section.has("exporter") && section.has("client")) {
    section.problem("client", "has no meaning beside exporter",
                    "specs are either binds on this host (client) or NFS mounts (exporter)");
  }
  DocReader client = section.object("client");
  config.host = client.text("host", "");
  client.finish();
  if (section.has("exporter")) {
    DocReader in = section.object("exporter");
    config.exporter = read_exporter_config(in);
    in.finish();
  }
  config.exports = read_exports(section, section.has("exporter"));
  return config;
}

}  // namespace homeport::drivers::btrfs
