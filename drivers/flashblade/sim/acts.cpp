#include "drivers/flashblade/sim/acts.h"

#include <charconv>
#include <functional>
#include <map>

#include "drivers/flashblade/sim/alerts.h"
#include "drivers/flashblade/sim/clients.h"
#include "drivers/flashblade/sim/export_rules.h"
#include "drivers/flashblade/sim/file_system.h"
#include "drivers/flashblade/sim/snapshots.h"

namespace homeport::fbsim {
namespace {

constexpr int kNewest = 28;

Or<std::uint64_t> number_in(const Json& order, const char* name) {
  const auto* value = find_path(order, name);
  if (value == nullptr || !value->is_number_unsigned())
    return Refusal{std::string("'") + name + "' must be a number of bytes"};
  return value->get<std::uint64_t>();
}

Or<void> rename(World& world, FileSystem& fs, const Json& order) {
  const auto to = text_of(order, "to");
  if (to.empty() || world.file_systems.by_name(to) != nullptr) return Refusal{"'to' must be a free name"};
  if (world.data != nullptr) HOMEPORT_CHECK(world.data->rename(fs.name, to));
  world.file_systems.rename(fs, to);
  for (auto* snapshot : fs.snapshots) world.snapshots.rename(*snapshot, to + '.' + snapshot->suffix);
  return {};
}

// Gone, and another one of its name: what a client that trusts names falls for.
Or<void> replace(World& world, FileSystem& fs) {
  FileSystem other;
  other.name = fs.name;
  other.id = world.new_id();
  other.created = world.now() / 1000 * 1000;
  other.rules = kDefaultRules;
  other.v3 = fs.v3;
  other.v41 = fs.v41;
  other.provisioned = fs.provisioned;
  world.eradicate(fs);
  if (world.data != nullptr) HOMEPORT_CHECK(world.data->make(other));
  auto& placed = world.file_systems.insert(std::move(other));
  for (const auto& tell : world.on_change) tell(placed);
  return {};
}

Or<void> take_accounts(const Json& order, const char* name, std::map<std::uint32_t, Account>& into) {
  const auto* given = find_path(order, name);
  if (given == nullptr) return {};
  if (!given->is_object()) return Refusal{std::string("'") + name + "' must be an object of id: bytes"};
  for (const auto& [key, value] : given->items()) {
    std::uint32_t id = 0;
    const auto [end, bad] = std::from_chars(key.data(), key.data() + key.size(), id);
    if (bad != std::errc() || end != key.data() + key.size() || !value.is_number_unsigned()) {
      return Refusal{std::string("'") + name + "' must be an object of id: bytes"};
    }
    into[id].usage = value.get<std::uint64_t>();
  }
  return {};
}

Or<void> set_usage(FileSystem& fs, const Json& order) {
  HOMEPORT_TRY(fs.used, number_in(order, "bytes"));
  HOMEPORT_CHECK(take_accounts(order, "users", fs.users));
  return take_accounts(order, "groups", fs.groups);
}

std::uint64_t limit_of(const std::map<std::uint32_t, Account>& accounts, std::uint32_t id, std::uint64_t fallback) {
  const auto found = accounts.find(id);
  return found == accounts.end() || found->second.quota == 0 ? fallback : found->second.quota;
}

// What a client that writes `bytes` more meets: the hard limit and the quotas.
Or<void> write(FileSystem& fs, const Json& order) {
  HOMEPORT_TRY(const auto bytes, number_in(order, "bytes"));
  const auto uid = order.value("uid", 0U);
  const auto gid = order.value("gid", 0U);
  if (!fs.writable || fs.destroyed) return Refusal{"The file system is not writable.", fs.name};
  if (fs.hard_limit && fs.provisioned != 0 && fs.used + bytes > fs.provisioned)
    return Refusal{"No space left on the file system.", fs.name};
  const auto user_limit = limit_of(fs.users, uid, fs.user_quota);
  const auto group_limit = limit_of(fs.groups, gid, fs.group_quota);
  if (user_limit != 0 && fs.users[uid].usage + bytes > user_limit) return Refusal{"User quota exceeded.", fs.name};
  if (group_limit != 0 && fs.groups[gid].usage + bytes > group_limit) return Refusal{"Group quota exceeded.", fs.name};
  fs.used += bytes;
  fs.users[uid].usage += bytes;
  fs.groups[gid].usage += bytes;
  return {};
}

Or<void> set_rules(World& world, FileSystem& fs, const Json& order) {
  HOMEPORT_TRY(const auto rules, parse_rules(text_of(order, "rules")));
  fs.rules = join_rules(rules);
  fs.export_policy.clear();
  for (const auto& tell : world.on_change) tell(fs);
  return {};
}

using FileSystemAct = std::function<Or<void>(World&, FileSystem&, const Json&)>;

const std::map<std::string, FileSystemAct>& file_system_acts() {
  static const std::map<std::string, FileSystemAct> kActs = {
      {"rename", rename},
      {"resize",
       [](World&, FileSystem& fs, const Json& order) -> Or<void> {
         HOMEPORT_TRY(fs.provisioned, number_in(order, "bytes"));
         return {};
       }},
      {"rules", set_rules},
      {"usage", [](World&, FileSystem& fs, const Json& order) { return set_usage(fs, order); }},
      {"write", [](World&, FileSystem& fs, const Json& order) { return write(fs, order); }},
      {"replace", [](World& world, FileSystem& fs, const Json&) { return replace(world, fs); }},
      {"destroy",
       [](World& world, FileSystem& fs, const Json&) -> Or<void> {
         if (fs.destroyed) return Refusal{"it is destroyed already", fs.name};
         world.destroy(fs);
         return {};
       }},
      {"recover",
       [](World& world, FileSystem& fs, const Json&) -> Or<void> {
         if (!fs.destroyed) return Refusal{"it is not destroyed", fs.name};
         world.recover(fs);
         return {};
       }},
      {"open", [](World& world, FileSystem& fs, const Json& order) { return open_by_client(world, fs, order); }},
      {"close",
       [](World& world, FileSystem& fs, const Json&) -> Or<void> {
         close_by_clients(world, fs);
         return {};
       }},
      {"eradicate",
       [](World& world, FileSystem& fs, const Json&) -> Or<void> {
         world.eradicate(fs);
         return {};
       }},
      {"snapshot",
       [](World& world, FileSystem& fs, const Json& order) -> Or<void> {
         const auto taken = take_snapshot(world, fs, text_of(order, "suffix", generated_suffix(world)), {});
         if (!taken) return taken.error();
         return {};
       }},
  };
  return kActs;
}

Or<void> act_on_snapshot(World& world, Snapshot& snapshot, const std::string& what) {
  if (what == "destroy") {
    world.destroy(snapshot);
  } else if (what == "recover") {
    world.recover(snapshot);
  } else if (what == "eradicate") {
    world.eradicate(snapshot);
  } else {
    return Refusal{"'" + what + "' is not known for snapshots"};
  }
  return {};
}

// Of a connection to another array: "disconnect", "connect".
Or<void> act_on_connection(World& world, Document& connection, const std::string& what) {
  if (what != "disconnect" && what != "connect") return Refusal{"'" + what + "' is not known for array connections"};
  connection.fields["status"] = what == "connect" ? "connected" : "connecting";
  if (what == "disconnect")
    raise_alert(world, 1112, "warning", "array-connections", connection.name, "Array connection is down");
  return {};
}

}  // namespace

Or<Json> act(World& world, const Json& order) {
  const auto what = text_of(order, "do");
  if (const auto name = text_of(order, "snapshot"); !name.empty()) {
    auto* snapshot = world.snapshots.by_name(name);
    if (snapshot == nullptr) return Refusal{"there is no such snapshot", name, 404};
    HOMEPORT_CHECK(act_on_snapshot(world, *snapshot, what));
    auto* left = world.snapshots.by_name(name);
    return left == nullptr ? Json(nullptr) : render_snapshot(world, *left, kNewest);
  }
  if (const auto name = text_of(order, "array_connection"); !name.empty()) {
    auto* connection = world.table("array-connections").by_name(name);
    if (connection == nullptr) return Refusal{"there is no such array connection", name, 404};
    HOMEPORT_CHECK(act_on_connection(world, *connection, what));
    return Json(connection->fields);
  }
  const auto name = text_of(order, "file_system");
  auto* fs = world.file_systems.by_name(name);
  if (fs == nullptr) return Refusal{"there is no such file system", name, 404};
  const auto known = file_system_acts().find(what);
  if (known == file_system_acts().end()) return Refusal{"'" + what + "' is not known for file systems"};
  const auto id = fs->id;
  HOMEPORT_CHECK(known->second(world, *fs, order));
  const auto* left = world.file_systems.by_id(id);
  if (left == nullptr) left = world.file_systems.by_name(name);
  return left == nullptr ? Json(nullptr) : render_file_system(world, *left, kNewest);
}

}  // namespace homeport::fbsim
