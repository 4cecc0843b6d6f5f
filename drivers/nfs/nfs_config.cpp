#include "drivers/nfs/nfs_config.h"

#include <algorithm>

#include "provisioner/base/doc_reader.h"
#include "provisioner/base/nfs_versions.h"

namespace homeport::drivers::nfs {
namespace {

constexpr std::uint64_t kMaxPort = 65535;
constexpr std::uint64_t kMaxId = 0xFFFFFFFEU;  // the last one means "no change" to chown(2)

std::optional<std::uint16_t> read_port(DocReader& in, std::string_view key) {
  const auto value = in.optional_number(key, 1, kMaxPort);
  if (!value) return std::nullopt;
  return static_cast<std::uint16_t>(*value);
}

bool is_host(std::string_view text) {
  if (text.empty() || text.size() > 253) return false;
  return std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' ||
           c == ':' || c == '_' || c == '%';
  });
}

void check_host(DocReader& in, std::string_view member, const std::string& host) {
  if (is_host(host)) return;
  in.problem(member, "'" + printable(host, 60) + "' is not a host name or address",
             "write a name or an address alone, IPv6 without brackets; ports have members of their own");
}

// One or more path components, without '/' at either end.
std::optional<std::vector<std::string>> split_relative(std::string_view text) {
  const auto whole = AbsolutePath::parse("/" + std::string(text));
  if (!whole || text.empty()) return std::nullopt;
  std::vector<std::string> parts;
  std::size_t from = 0;
  while (from <= text.size()) {
    const auto slash = std::min(text.find('/', from), text.size());
    parts.emplace_back(text.substr(from, slash - from));
    if (parts.back().size() > 255) return std::nullopt;
    from = slash + 1;
  }
  return parts;
}

ServiceConfig read_service(DocReader& section) {
  ServiceConfig service;
  if (!section.has("service")) {
    section.missing("service");
    return service;
  }
  DocReader in = section.object("service");
  service.server = in.text("server");
  if (!service.server.empty()) check_host(in, "server", service.server);
  service.nfs_port = read_port(in, "nfs_port");
  service.mount_port = read_port(in, "mount_port");
  service.admin_directory = in.text("admin_directory", service.admin_directory);
  if (const auto parts = split_relative(service.admin_directory); !parts || parts->size() != 1) {
    in.problem("admin_directory", "'" + printable(service.admin_directory, 60) + "' is not one directory name",
               "write a name without '/', for example .homeport");
  }
  if (const auto timeout = in.optional_duration("timeout")) {
    if (*timeout < std::chrono::milliseconds(100) || *timeout > std::chrono::minutes(10)) {
      in.problem("timeout", "must be between 100ms and 10m");
    }
    service.timeout = *timeout;
  }
  service.connections = static_cast<std::uint32_t>(in.number("connections", service.connections, 1, 64));
  in.finish();
  return service;
}

std::optional<LocalClient> read_local(DocReader& client) {
  if (!client.has("local")) return std::nullopt;
  for (const char* member : {"server", "version", "port", "mount_port", "path_prefix"}) {
    if (!client.has(member)) continue;
    client.problem(member,
                   "has no meaning with local: notebooks on the server's own host mount nothing over the network",
                   "leave it out");
  }
  DocReader in = client.object("local");
  LocalClient local{.host = in.text("host")};
  if (!local.host.empty()) check_host(in, "host", local.host);
  for (auto& item : in.objects("paths")) {
    const auto from = item.required("export", &AbsolutePath::parse);
    const auto to = item.required("path", &AbsolutePath::parse);
    item.finish();
    if (!from || !to) continue;
    if (to->str() == "/") item.problem("path", "is the host's root", "name the directory that is exported");
    const auto same = [&](const auto& other) { return other.export_path == *from; };
    if (std::ranges::any_of(local.paths, same)) item.problem("export", "'" + from->str() + "' stands there twice");
    local.paths.push_back({.export_path = *from, .path = *to});
  }
  in.finish();
  return local;
}

ClientConfig read_client(DocReader& section, const ServiceConfig& service) {
  ClientConfig client;
  DocReader in = section.object("client");
  client.local = read_local(in);
  client.server = in.text("server", service.server);
  if (in.has("server")) check_host(in, "server", client.server);
  client.version = in.choice("version", {kNfsVersions.begin(), kNfsVersions.end()}, client.version);
  // Clients that use our own address use our own ports, unless told otherwise.
  const bool same = client.server == service.server;
  client.port = read_port(in, "port");
  if (!client.port && same) client.port = service.nfs_port;
  client.mount_port = read_port(in, "mount_port");
  if (!client.mount_port && same) client.mount_port = service.mount_port;
  client.path_prefix = in.text("path_prefix", "");
  if (client.path_prefix == "/") client.path_prefix.clear();
  if (!client.path_prefix.empty() && !AbsolutePath::parse(client.path_prefix)) {
    in.problem("path_prefix", "'" + printable(client.path_prefix, 60) + "' is not an absolute path",
               "write what clients put before the export's path, for example /pseudo");
  }
  in.finish();
  return client;
}

void read_pool(DocReader& in, const ServiceConfig& service, std::vector<PoolConfig>& pools) {
  const auto name = in.required("name", &Slug::parse);
  const auto path = in.required("export", &AbsolutePath::parse);
  const std::string directory = in.text("directory", "homes");
  const auto parts = split_relative(directory);
  if (!parts) {
    in.problem("directory", "'" + printable(directory, 60) + "' is not a path below the export",
               "write one or more names joined by '/', for example homes");
  } else if (parts->front() == service.admin_directory) {
    in.problem("directory", "lies in the administrative directory " + service.admin_directory, "choose another name");
  }
  in.finish();
  if (!name || !path || !parts) return;
  for (const auto& other : pools) {
    if (other.name == name->str()) in.problem("name", "pool '" + name->str() + "' is named twice");
    if (other.export_path == *path) {
      in.problem("export", "pools '" + other.name + "' and '" + name->str() + "' are on the same export",
                 "keep one pool per export: its trash and its markers belong to one pool");
    }
  }
  pools.push_back({.name = name->str(), .export_path = *path, .directory = *parts});
}

SquashConfig read_squash(DocReader& section) {
  SquashConfig squash;
  squash.all = section.choice("squash", {"none", "all"}, "none") == "all";
  if (const auto uid = section.optional_number("squash_uid", 0, kMaxId))
    squash.uid = Uid{static_cast<std::uint32_t>(*uid)};
  if (const auto gid = section.optional_number("squash_gid", 0, kMaxId))
    squash.gid = Gid{static_cast<std::uint32_t>(*gid)};
  if (!squash.all && squash.uid) {
    section.problem("squash_uid", "has no meaning with squash: none", "write squash: all, or leave it out");
  }
  if (!squash.all && squash.gid) {
    section.problem("squash_gid", "has no meaning with squash: none", "write squash: all, or leave it out");
  }
  return squash;
}

}  // namespace

std::string LocalClient::path_of(const std::string& path) const {
  const Path* best = nullptr;
  const auto whole = AbsolutePath::parse(path);
  for (const auto& known : paths) {
    if (!whole || !known.export_path.contains(*whole)) continue;
    if (best == nullptr || best->export_path.str().size() < known.export_path.str().size()) best = &known;
  }
  if (best == nullptr) return path;
  const auto& above = best->export_path.str();
  return best->path.str() + (above == "/" ? (path == "/" ? "" : path) : path.substr(above.size()));
}

NfsConfig read_nfs_config(DocReader& section) {
  NfsConfig config;
  config.service = read_service(section);
  config.client = read_client(section, config.service);
  for (auto& pool : section.objects("pools")) read_pool(pool, config.service, config.pools);
  config.squash = read_squash(section);
  return config;
}

}  // namespace homeport::drivers::nfs
