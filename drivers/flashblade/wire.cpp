#include "drivers/flashblade/wire.h"

#include <string_view>

#include "provisioner/base/names.h"

namespace homeport::drivers::flashblade {
namespace {

using nlohmann::json;

// Reads members of one answered object and remembers the first that is not what it must be.
class Item {
 public:
  Item(const json& value, const char* what) : value_(&value), what_(what) {
    if (!value.is_object()) wrong("it is no object");
  }

  std::string text(const char* key) {
    const json* at = member(key);
    if (at == nullptr) return {};
    if (at->is_string()) return at->get<std::string>();
    wrong(std::string(key) + " is no text");
    return {};
  }
  std::string required_text(const char* key) {
    auto out = text(key);
    if (out.empty()) wrong("it has no " + std::string(key));
    return out;
  }
  bool flag(const char* key, bool fallback) {
    const json* at = member(key);
    if (at == nullptr) return fallback;
    if (at->is_boolean()) return at->get<bool>();
    wrong(std::string(key) + " is neither true nor false");
    return fallback;
  }
  std::optional<std::uint64_t> number(const char* key) {
    const json* at = member(key);
    if (at == nullptr) return std::nullopt;
    if (at->is_number_unsigned()) return at->get<std::uint64_t>();
    if (at->is_number_integer()) return 0;  // a count below zero: nothing
    if (at->is_number_float() && at->get<double>() >= 0 && at->get<double>() < 1.8e19) {
      return static_cast<std::uint64_t>(at->get<double>());
    }
    wrong(std::string(key) + " is no number");
    return std::nullopt;
  }
  std::vector<std::string> texts(const char* key) {
    std::vector<std::string> out;
    const json* at = member(key);
    if (at == nullptr) return out;
    if (!at->is_array()) {
      wrong(std::string(key) + " is no list");
      return out;
    }
    for (const auto& one : *at) {
      if (one.is_string()) out.push_back(one.get<std::string>());
    }
    return out;
  }
  // Absent or null: an object without members.
  Item object(const char* key) {
    static const json kNone = json::object();
    const json* at = member(key);
    if (at == nullptr || at->is_object()) return Item(at == nullptr ? kNone : *at, key, this);
    wrong(std::string(key) + " is no object");
    return Item(kNone, key, this);
  }
  [[nodiscard]] const json* member(const char* key) const {
    if (!value_->is_object()) return nullptr;
    const auto at = value_->find(key);
    return at == value_->end() || at->is_null() ? nullptr : &*at;
  }
  [[nodiscard]] const json& value() const { return *value_; }

  void wrong(const std::string& why) {
    if (parent_ != nullptr) return parent_->wrong(std::string(what_) + ": " + why);
    if (problem_.empty()) problem_ = why;
  }
  [[nodiscard]] Result<void> done() const {
    if (problem_.empty()) return {};
    return Error{
        .code = Errc::internal,
        .message = std::string("the array's answer holds a ") + what_ + " that cannot be read: " + printable(problem_),
        .hint = "report this with the array's Purity//FB version"};
  }

 private:
  Item(const json& value, const char* what, Item* parent) : value_(&value), what_(what), parent_(parent) {}

  const json* value_;
  const char* what_;
  Item* parent_ = nullptr;
  std::string problem_{};
};

std::optional<WallTime> time_of(std::optional<std::uint64_t> milliseconds) {
  if (!milliseconds) return std::nullopt;
  return WallTime(std::chrono::milliseconds(static_cast<std::int64_t>(*milliseconds)));
}
std::optional<std::chrono::milliseconds> span_of(std::optional<std::uint64_t> milliseconds) {
  if (!milliseconds) return std::nullopt;
  return std::chrono::milliseconds(static_cast<std::int64_t>(*milliseconds));
}

}  // namespace

const MemberNames& file_system_members() {
  static const MemberNames kNames{"id",
                                  "name",
                                  "created",
                                  "provisioned",
                                  "hard_limit_enabled",
                                  "destroyed",
                                  "time_remaining",
                                  "nfs",
                                  "v3_enabled",
                                  "v4_1_enabled",
                                  "rules",
                                  "export_policy",
                                  "smb",
                                  "http",
                                  "enabled",
                                  "writable",
                                  "promotion_status",
                                  "source",
                                  "eradication_config",
                                  "manual_eradication",
                                  "space",
                                  "virtual"};
  return kNames;
}

Result<FileSystem> file_system_from(const json& item) {
  Item in(item, "file system");
  FileSystem fs{.id = in.required_text("id"), .name = in.required_text("name")};
  fs.created = time_of(in.number("created"));
  // Unlimited is null; a version may say 0.
  if (const auto size = in.number("provisioned"); size && *size > 0) fs.provisioned = size;
  fs.hard_limit = in.flag("hard_limit_enabled", false);
  fs.destroyed = in.flag("destroyed", false);
  fs.time_remaining = span_of(in.number("time_remaining"));
  Item nfs = in.object("nfs");
  fs.nfs_v3 = nfs.flag("v3_enabled", false);
  fs.nfs_v4 = nfs.flag("v4_1_enabled", false);
  fs.rules = nfs.text("rules");
  fs.export_policy = nfs.object("export_policy").text("name");
  fs.smb = in.object("smb").flag("enabled", false);
  fs.http = in.object("http").flag("enabled", false);
  fs.writable = in.flag("writable", true);
  fs.promotion_status = in.text("promotion_status");
  fs.source = in.object("source").text("name");
  fs.eradication_forbidden = in.object("eradication_config").text("manual_eradication") == "disabled";
  fs.used = in.object("space").number("virtual");
  HOMEPORT_CHECK(in.done());
  return fs;
}

Result<FileSystemSnapshot> snapshot_from(const json& item) {
  Item in(item, "snapshot");
  FileSystemSnapshot out{.id = in.required_text("id"), .name = in.required_text("name"), .suffix = in.text("suffix")};
  if (out.suffix.empty()) out.suffix = out.name.substr(out.name.rfind('.') + 1);
  Item owner = in.object("owner");
  out.owner_id = owner.text("id");
  out.owner_name = owner.text("name");
  out.created = time_of(in.number("created"));
  out.destroyed = in.flag("destroyed", false);
  HOMEPORT_CHECK(in.done());
  return out;
}

Result<NetworkInterface> interface_from(const json& item) {
  Item in(item, "network interface");
  NetworkInterface out{.name = in.required_text("name"), .address = in.text("address")};
  out.enabled = in.flag("enabled", true);
  out.services = in.texts("services");
  if (const json* servers = in.member("attached_servers"); servers != nullptr && servers->is_array()) {
    for (const auto& server : *servers) {
      if (server.is_object() && server.contains("name") && server["name"].is_string()) {
        out.attached_servers.push_back(server["name"].get<std::string>());
      }
    }
  }
  HOMEPORT_CHECK(in.done());
  return out;
}

Result<ArrayFacts> array_from(const json& item) {
  Item in(item, "array");
  ArrayFacts out{.id = in.text("id"), .name = in.required_text("name"), .purity = in.text("version")};
  out.as_of = time_of(in.number("_as_of"));
  Item eradication = in.object("eradication_config");
  out.eradication_delay = span_of(eradication.number("eradication_delay"));
  out.manual_eradication = eradication.text("manual_eradication");
  HOMEPORT_CHECK(in.done());
  return out;
}

Result<ArraySpace> space_from(const json& item) {
  Item in(item, "space");
  ArraySpace out{.capacity = in.number("capacity").value_or(0)};
  Item space = in.object("space");
  const auto used = space.number("total_used");
  out.used = used ? *used : space.number("total_physical").value_or(0);
  HOMEPORT_CHECK(in.done());
  return out;
}

Result<ExportPolicy> export_policy_from(const json& item) {
  Item in(item, "export policy");
  ExportPolicy out{.name = in.required_text("name"), .enabled = in.flag("enabled", true)};
  if (const json* rules = in.member("rules"); rules != nullptr && rules->is_array()) {
    for (const auto& one : *rules) {
      Item rule(one, "export rule");
      out.rules.push_back({.client = rule.text("client"),
                           .writable = rule.text("permission") == "rw",
                           .root = rule.text("access") == "no-squash"});
      HOMEPORT_CHECK(rule.done());
    }
  }
  HOMEPORT_CHECK(in.done());
  return out;
}

Result<ReplicaLinkItem> replica_link_from(const json& item) {
  Item in(item, "replica link");
  ReplicaLinkItem link{.id = in.required_text("id")};
  auto local = in.object("local_file_system");
  link.name = local.required_text("name");
  link.local_id = local.text("id");
  link.remote = in.object("remote").text("name");
  link.remote_file_system = in.object("remote_file_system").text("name");
  link.direction = in.text("direction");
  link.status = in.text("status");
  link.detail = in.text("status_details");
  if (const json* policies = in.member("policies"); policies != nullptr && policies->is_array()) {
    for (const auto& one : *policies) {
      if (one.is_object() && one.value("name", json()).is_string()) link.policies.push_back(one["name"]);
    }
  }
  link.lag = span_of(in.number("lag"));
  link.recovery_point = time_of(in.number("recovery_point"));
  HOMEPORT_CHECK(in.done());
  return link;
}

Result<QuotaEntry> quota_from(const json& item, bool of_group) {
  Item in(item, "quota");
  QuotaEntry out{.file_system = in.object("file_system").text("name")};
  Item whose = in.object(of_group ? "group" : "user");
  const auto id = whose.number("id");
  if (!id || *id > 0xFFFFFFFFU) in.wrong("it does not say whose it is");
  out.id = static_cast<std::uint32_t>(id.value_or(0));
  out.quota = in.number("quota").value_or(0);
  out.usage = in.number("usage").value_or(0);
  HOMEPORT_CHECK(in.done());
  return out;
}

}  // namespace homeport::drivers::flashblade
