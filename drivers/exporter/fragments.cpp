#include "drivers/exporter/fragments.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

namespace homeport::drivers::exporter {
namespace {

using nlohmann::json;

constexpr std::size_t kLongestName = 120;

std::string_view squash_word(Squash squash) {
  switch (squash) {
    case Squash::none: return "No_Root_Squash";
    case Squash::root: return "Root_Squash";
    case Squash::all: return "All_Squash";
  }
  return "Root_Squash";
}

std::string protocols(const ExporterConfig& config) {
  return config.version3 && config.version4 ? "3, 4" : config.version3 ? "3" : "4";
}

json rule_to_json(const AccessRule& rule) {
  return {{"client", rule.client},
          {"rw", rule.permission == Permission::rw},
          {"squash", squash_word(rule.squash)},
          {"uid", rule.anonymous.uid.value},
          {"gid", rule.anonymous.gid.value}};
}

AccessRule rule_from_json(const json& item) {
  const std::string squash = item.value("squash", "Root_Squash");
  return {.client = item.value("client", ""),
          .permission = item.value("rw", false) ? Permission::rw : Permission::ro,
          .squash = squash == "No_Root_Squash" ? Squash::none
                    : squash == "All_Squash"   ? Squash::all
                                               : Squash::root,
          .anonymous = Owner{Uid{item.value("uid", 65534U)}, Gid{item.value("gid", 65534U)}}};
}

bool same_rule(const AccessRule& a, const AccessRule& b) {
  return a.client == b.client && a.permission == b.permission && a.squash == b.squash && a.anonymous == b.anonymous;
}

// In quotes; the types let no quote and no control character through but these.
std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

}  // namespace

Result<void> check(const HostExport& item) {
  const bool plain = !item.name.empty() && item.name.size() <= kLongestName && item.name.front() != '.' &&
                     std::ranges::all_of(item.name, [](char c) {
                       return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                              c == '_' || c == '.' || c == '@';
                     });
  if (!plain) {
    return Error{.code = Errc::invalid_argument,
                 .message = "'" + printable(item.name, 140) + "' cannot be the name of an export"};
  }
  for (const auto* path : {&item.directory, &item.path}) {
    if (path->str().find_first_of("\"\\") == std::string::npos) continue;
    return Error{.code = Errc::invalid_argument,
                 .message = "'" + printable(path->str()) +
                            "' cannot be exported: quotes and backslashes end a path "
                            "in the server's configuration"};
  }
  for (const auto& rule : item.rules) {
    if (is_export_client(rule.client) && rule.security == "sys") continue;
    return Error{.code = Errc::invalid_argument,
                 .message = "rule for '" + printable(rule.client, 60) + "' (" + printable(rule.security, 20) +
                            ") cannot be served",
                 .hint = "clients are addresses, networks, host names or @netgroups, with security sys"};
  }
  return {};
}

bool same(const HostExport& a, const HostExport& b) {
  return a.name == b.name && a.directory == b.directory && a.path == b.path && a.read_only == b.read_only &&
         std::ranges::equal(a.rules, b.rules, same_rule);
}

std::string to_json(const Remembered& state) {
  json items = json::array();
  for (const auto& [name, item] : state.items) {
    json rules = json::array();
    for (const auto& rule : item.what.rules) rules.push_back(rule_to_json(rule));
    items.push_back({{"name", name},
                     {"id", item.id},
                     {"directory", item.what.directory.str()},
                     {"path", item.what.path.str()},
                     {"read_only", item.what.read_only},
                     {"rules", std::move(rules)}});
  }
  return json{{"version", 1}, {"last_id", state.last_id}, {"exports", std::move(items)}}.dump(1) + "\n";
}

Result<Remembered> from_json(const std::string& text, const std::string& path) {
  const auto unreadable = [&](const std::string& why) {
    return Error{.code = Errc::failed_precondition,
                 .message = path + " cannot be read: " + why,
                 .hint = "remove it: the exports are made anew, and clients mount again"};
  };
  const json doc = json::parse(text, nullptr, false);
  if (!doc.is_object() || doc.value("version", 0) != 1 || !doc.contains("exports")) return unreadable("not ours");
  Remembered out{.last_id = doc.value("last_id", std::uint16_t{0})};
  for (const auto& item : doc["exports"]) {
    auto directory = AbsolutePath::parse(item.value("directory", ""));
    auto shown = AbsolutePath::parse(item.value("path", ""));
    const auto id = item.value("id", std::uint16_t{0});
    if (!directory || !shown || id == 0) return unreadable("an export without path or id");
    Item one{.what = {.name = item.value("name", ""),
                      .directory = *std::move(directory),
                      .path = *std::move(shown),
                      .rules = {},
                      .read_only = item.value("read_only", false)},
             .id = id};
    for (const auto& rule : item.value("rules", json::array())) one.what.rules.push_back(rule_from_json(rule));
    HOMEPORT_CHECK(check(one.what));
    out.items.insert_or_assign(one.what.name, std::move(one));
  }
  return out;
}

std::optional<std::uint16_t> free_id(const Remembered& state) {
  std::set<std::uint16_t> used;
  for (const auto& [name, item] : state.items) used.insert(item.id);
  std::uint32_t at = state.last_id;
  for (std::uint32_t tried = 0; tried < kMostIds; ++tried) {
    at = at % kMostIds + 1;
    if (!used.contains(static_cast<std::uint16_t>(at))) return static_cast<std::uint16_t>(at);
  }
  return std::nullopt;
}

std::string fragment(const ExporterConfig& config, const Item& item, const std::string& path) {
  std::ostringstream out;
  out << "# " << item.what.name << "; written by Homeport\nEXPORT {\n  Export_Id = " << item.id
      << ";\n  Path = " << quoted(path) << ";\n  Pseudo = " << quoted(item.what.path.str())
      << ";\n  Access_Type = None;\n  Squash = Root_Squash;\n  SecType = sys;\n  Transports = TCP;\n  Protocols = "
      << protocols(config) << ";\n  FSAL { Name = VFS; }\n";
  for (const auto& rule : item.what.rules) {
    const bool writes = rule.permission == Permission::rw && !item.what.read_only;
    out << "  CLIENT { Clients = " << rule.client << "; Access_Type = " << (writes ? "RW" : "RO")
        << "; Squash = " << squash_word(rule.squash) << "; Anonymous_Uid = " << rule.anonymous.uid.value
        << "; Anonymous_Gid = " << rule.anonymous.gid.value << "; Protocols = " << protocols(config) << "; }\n";
  }
  out << "}\n";
  return out.str();
}

// A short lease and grace: after a restart clients take their state back within seconds, and nobody waits longer.
std::string configuration(const ExporterConfig& config, const ExportEndpoint& endpoint, const std::string& state) {
  std::ostringstream out;
  out << "# written by Homeport at each start of its server; changes here are lost\nNFS_CORE_PARAM {\n  NFS_Port = "
      << endpoint.port << ";\n";
  if (endpoint.mount_port) out << "  MNT_Port = " << *endpoint.mount_port << ";\n";
  if (!config.address.empty()) out << "  Bind_addr = " << config.address << ";\n";
  out << "  Enable_NLM = false;\n  Enable_RQUOTA = false;\n  Enable_UDP = false;\n  Protocols = " << protocols(config)
      << ";\n  mount_path_pseudo = true;\n}\nNFSv4 {\n  Lease_Lifetime = 10;\n  Grace_Period = 10;\n"
      << "  Only_Numeric_Owners = true;\n  RecoveryRoot = " << quoted(state + "/recovery")
      << ";\n}\nNFS_KRB5 { Active_krb5 = false; }\n"
      << "LOG { Default_Log_Level = EVENT; COMPONENTS { TIRPC = CRIT; DBUS = FATAL; } }\n"
      << "EXPORT_DEFAULTS { SecType = sys; Transports = TCP; Protocols = " << protocols(config) << "; }\n%dir "
      << quoted(state + "/exports.d") << "\n";
  return out.str();
}

}  // namespace homeport::drivers::exporter
