#include "drivers/flashblade/flashblade_config.h"

#include <algorithm>

#include "drivers/flashblade/export_rules.h"
#include "provisioner/base/doc_reader.h"
#include "provisioner/base/nfs_versions.h"

namespace homeport::drivers::flashblade {
namespace {

constexpr std::uint64_t kMaxPort = 65535;

std::optional<std::uint16_t> read_port(DocReader& in, std::string_view key) {
  const auto value = in.optional_number(key, 1, kMaxPort);
  if (!value) return std::nullopt;
  return static_cast<std::uint16_t>(*value);
}

std::chrono::milliseconds read_timeout(DocReader& in, std::chrono::milliseconds fallback) {
  const auto timeout = in.optional_duration("timeout");
  if (!timeout) return fallback;
  if (*timeout < std::chrono::milliseconds(100) || *timeout > std::chrono::minutes(10)) {
    in.problem("timeout", "must be between 100ms and 10m");
  }
  return *timeout;
}

// A name or address alone.
std::string read_host(DocReader& in, std::string_view key) {
  auto host = in.text(key, "");
  const bool plain = std::ranges::all_of(host, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' ||
           c == ':' || c == '_' || c == '%';
  });
  if (!plain || host.size() > 253 || (in.has(key) && host.empty())) {
    in.problem(key, "'" + printable(host, 60) + "' is not a host name or address",
               "write a name or an address alone, IPv6 without brackets; ports have members of their own");
  }
  return host;
}

std::string read_prefix(DocReader& in) {
  auto prefix = in.text("path_prefix", "");
  if (prefix == "/") prefix.clear();
  if (!prefix.empty() && !AbsolutePath::parse(prefix)) {
    in.problem("path_prefix", "'" + printable(prefix, 60) + "' is not an absolute path",
               "an array needs none: file systems are mounted as /NAME");
  }
  return prefix;
}

// What file systems are called on arrays as far as anybody has recorded it.
bool is_file_system_name(std::string_view name) {
  if (name.empty() || name.size() > 63) return false;
  return std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  });
}

ManagementConfig read_management(DocReader& section) {
  ManagementConfig out{.url = {}, .api_token = {}};
  if (!section.has("management")) {
    section.missing("management");
    return out;
  }
  DocReader in = section.object("management");
  const bool plain = in.boolean("plain_http", false);
  if (const auto url = in.required("url", &Url::parse)) {
    out.url = *url;
    if (!url->base_path.empty()) in.problem("url", "has a path", "write the array's address alone: https://array");
    if (!url->tls && !plain) {
      in.problem("url", "is plain HTTP: the API token would cross the network in the clear",
                 "write https://, or plain_http: true beside it for a simulator on this machine");
    }
    if (url->tls && plain) in.problem("plain_http", "has no meaning with https", "leave it out");
  }
  out.ca_file = in.text("ca_file", "");
  if (!out.ca_file.empty() && !AbsolutePath::parse(out.ca_file)) {
    in.problem("ca_file", "'" + printable(out.ca_file, 60) + "' is not an absolute path");
  }
  if (in.has("api_token")) {
    out.api_token = config::read_secret_ref(in, "api_token").value_or(config::SecretRef{});
  } else {
    in.missing("api_token");
  }
  out.timeout = read_timeout(in, out.timeout);
  out.connections = static_cast<std::uint32_t>(in.number("connections", out.connections, 1, 64));
  in.finish();
  return out;
}

DataConfig read_data(DocReader& section) {
  DataConfig out;
  DocReader in = section.object("data");
  out.address = read_host(in, "address");
  out.nfs_port = read_port(in, "nfs_port");
  out.mount_port = read_port(in, "mount_port");
  out.timeout = read_timeout(in, out.timeout);
  out.connections = static_cast<std::uint32_t>(in.number("connections", out.connections, 1, 64));
  out.path_prefix = read_prefix(in);
  in.finish();
  return out;
}

ClientConfig read_client(DocReader& section, const DataConfig& data) {
  ClientConfig out;
  DocReader in = section.object("client");
  out.server = read_host(in, "server");
  if (out.server.empty()) out.server = data.address;
  out.version = in.choice("version", {"3", "4.1"}, out.version);
  const bool same = out.server == data.address;
  out.port = read_port(in, "port");
  if (!out.port && same) out.port = data.nfs_port;
  out.mount_port = read_port(in, "mount_port");
  if (!out.mount_port && same) out.mount_port = data.mount_port;
  out.path_prefix = in.has("path_prefix") ? read_prefix(in) : data.path_prefix;
  in.finish();
  return out;
}

std::vector<std::string> read_clients(DocReader& in, std::string_view key) {
  auto clients = in.texts(key);
  for (const auto& client : clients) {
    if (!is_client(client)) {
      in.problem(key, "'" + printable(client, 60) + "' is no client of an export",
                 "write an address, a network (10.0.0.0/16), a host name or @netgroup");
    } else if (is_everybody(client)) {
      in.problem(key, "'" + client + "' would let everybody on the network in",
                 "name the networks that notebooks run in; Homeport makes no world-open export");
    }
  }
  return clients;
}

ExportConfig read_exports(DocReader& section) {
  ExportConfig out;
  DocReader in = section.object("exports");
  out.homeport = read_clients(in, "homeport");
  out.clients = read_clients(in, "clients");
  out.policy = in.text("policy", "");
  in.finish();
  if (out.homeport.empty()) {
    in.problem("homeport", "names no host",
               "write the addresses of the hosts that Homeport runs on, as the array sees them: they set owners of "
               "new homes over NFSv3");
  }
  for (const auto& host : out.homeport) {
    if (host.find_first_of("*?@") != std::string::npos) {
      in.problem("homeport", "'" + host + "' is not one host or network", "these hosts are root on every home");
    }
  }
  if (out.clients.empty() && out.policy.empty()) {
    in.problem("clients", "nobody could mount a home", "write the networks that notebooks run in, or name a policy");
  }
  if (!out.clients.empty() && !out.policy.empty()) {
    in.problem("policy", "stands beside clients, and an export has one of the two only", "leave one of them out");
  }
  return out;
}

void read_pool(DocReader& in, std::vector<PoolConfig>& pools) {
  const auto name = in.required("name", &Slug::parse);
  PoolConfig pool{.name = name ? name->str() : std::string()};
  pool.layout = *layout_from_name(in.choice("layout", {"filesystem", "directory"}, "filesystem"));
  const bool directories = pool.layout == Layout::directory;
  if (directories) {
    pool.file_system = in.text("file_system");
    pool.directory = in.text("directory", pool.directory);
    if (!pool.file_system.empty() && !is_file_system_name(pool.file_system)) {
      in.problem("file_system", "'" + printable(pool.file_system, 60) + "' is no name of a file system",
                 "letters, digits, '-' and '_', at most 63");
    }
    if (!AbsolutePath::parse("/" + pool.directory) || pool.directory.starts_with(".homeport")) {
      in.problem("directory", "'" + printable(pool.directory, 60) + "' is not a path below the file system",
                 "write one or more names joined by '/', for example homes");
    }
  } else {
    for (const char* member : {"file_system", "directory"}) {
      if (in.has(member)) in.problem(member, "has no meaning with layout filesystem: each space has its own");
      (void)in.raw(member);
    }
  }
  in.finish();
  for (const auto& other : pools) {
    if (other.name == pool.name) in.problem("name", "pool '" + pool.name + "' is named twice");
    if (directories && !pool.file_system.empty() && other.file_system == pool.file_system) {
      in.problem("file_system", "pools '" + other.name + "' and '" + pool.name + "' are on the same file system");
    }
  }
  pools.push_back(std::move(pool));
}

}  // namespace

FlashbladeConfig read_flashblade_config(DocReader& section) {
  FlashbladeConfig config{.management = read_management(section)};
  config.data = read_data(section);
  config.client = read_client(section, config.data);
  config.exports = read_exports(section);
  for (auto& pool : section.objects("pools")) read_pool(pool, config.pools);
  config.administrative = section.text("administrative_file_system", "");
  if (!config.administrative.empty() && !is_file_system_name(config.administrative)) {
    section.problem("administrative_file_system",
                    "'" + printable(config.administrative, 60) + "' is no name of a file system",
                    "letters, digits, '-' and '_', at most 63");
  }
  config.eradicate = section.boolean("eradicate", false);
  return config;
}

}  // namespace homeport::drivers::flashblade
