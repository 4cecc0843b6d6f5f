// /quotas/users, /quotas/groups, /usage/users, /usage/groups, /quotas/settings.
#include <algorithm>
#include <charconv>

#include "drivers/flashblade/sim/family.h"
#include "drivers/flashblade/sim/file_system.h"
#include "drivers/flashblade/sim/json_writer.h"
#include "drivers/flashblade/sim/operations.h"
#include "drivers/flashblade/sim/world.h"

namespace homeport::fbsim {
namespace {

struct Side {  // users or groups
  bool users;
  [[nodiscard]] std::map<std::uint32_t, Account>& of(FileSystem& fs) const { return users ? fs.users : fs.groups; }
  [[nodiscard]] const char* member() const { return users ? "user" : "group"; }
  [[nodiscard]] const char* ids() const { return users ? "uids" : "gids"; }
  [[nodiscard]] const char* names() const { return users ? "user_names" : "group_names"; }
  [[nodiscard]] const char* what() const { return users ? "User quota" : "Group quota"; }
  [[nodiscard]] const char* conflict() const {
    return users ? "Cannot provide a names parameter along with any of: file system, user IDs, or user names"
                 : "Cannot provide a names parameter along with any of: file system, group IDs, or group names";
  }
};

struct Entry : Resource {
  FileSystem* fs = nullptr;
  std::uint32_t number = 0;
};

// What directory services would call them: there are none here but for root's.
Json name_of(std::uint32_t number) {
  return number == 0 ? Json("root") : Json(nullptr);
}

Json render(const World& world, const Side& side, const Entry& entry, int minor) {
  const auto& account = side.of(*entry.fs).at(entry.number);
  const auto fallback = side.users ? entry.fs->user_quota : entry.fs->group_quota;
  Json out;
  out["name"] = entry.name;
  out["file_system"] = reference(entry.fs->name, entry.fs->id, "file-systems");
  out[side.member()] = {{"name", name_of(entry.number)}, {"id", entry.number}};
  out["quota"] = account.quota == 0 ? Json(nullptr) : Json(account.quota);
  out["file_system_default_quota"] = fallback;
  out["usage"] = account.usage;
  if (minor >= 17) out["context"] = world.array_reference();
  return out;
}

Or<std::uint32_t> parse_number(std::string_view text) {
  std::uint32_t out = 0;
  const auto [end, bad] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (bad != std::errc() || end != text.data() + text.size())
    return Refusal{"Invalid user or group ID.", std::string(text)};
  return out;
}

Or<std::vector<std::uint32_t>> numbers_of(Call& call, const Side& side) {
  if (call.has(side.ids()) && call.has(side.names())) {
    return Refusal{std::string("Cannot specify ") + side.ids() + " along with " + side.names() + "."};
  }
  std::vector<std::uint32_t> out;
  for (const auto& text : call.list(side.ids())) {
    HOMEPORT_TRY(const auto number, parse_number(text));
    out.push_back(number);
  }
  for (const auto& name : call.list(side.names())) {
    if (name != "root") return call.world.missing(side.users ? "User" : "Group", name);
    out.push_back(0);
  }
  return out;
}

void add_entry(Table<Entry>& out, FileSystem& fs, std::uint32_t number) {
  Entry entry;
  entry.name = fs.name + '/' + std::to_string(number);
  // Ten digits, so that the order by name is the order by number.
  entry.id = fs.id + '/' + std::to_string(number);
  entry.fs = &fs;
  entry.number = number;
  if (out.by_id(entry.id) == nullptr) out.insert(std::move(entry));
}

Or<std::vector<FileSystem*>> file_systems_of(Call& call) {
  HOMEPORT_TRY(auto found,
               select(call, call.world.file_systems, "File system", "file_system_names", "file_system_ids"));
  if (found.selected) return std::move(found.objects);
  std::vector<FileSystem*> out;
  for (const auto& [key, fs] : call.world.file_systems.order()) {
    if (!fs->users.empty() || !fs->groups.empty()) out.push_back(fs);
  }
  return out;
}

// "FS/1000"
Or<void> find_named(Call& call, const Side& side, Table<Entry>& out, const std::string& name) {
  const auto slash = name.rfind('/');
  auto* fs = slash == std::string::npos ? nullptr : call.world.file_systems.by_name(name.substr(0, slash));
  std::uint32_t number = 0;
  if (fs != nullptr) {
    HOMEPORT_TRY(number, parse_number(std::string_view(name).substr(slash + 1)));
  }
  if (fs == nullptr || !side.of(*fs).contains(number) || side.of(*fs).at(number).quota == 0) {
    return call.world.missing(side.what(), name);
  }
  add_entry(out, *fs, number);
  return {};
}

// The entries that the query asks for. Those asked for one by one must exist.
Or<Table<Entry>> find_entries(Call& call, const Side& side, bool with_unlimited) {
  Table<Entry> out;
  const bool by_parts =
      call.has("file_system_names") || call.has("file_system_ids") || call.has(side.ids()) || call.has(side.names());
  if (call.has("names")) {
    if (by_parts) return Refusal{side.conflict()};
    for (const auto& name : call.list("names")) HOMEPORT_CHECK(find_named(call, side, out, name));
    return out;
  }
  HOMEPORT_TRY(const auto numbers, numbers_of(call, side));
  HOMEPORT_TRY(const auto chosen, file_systems_of(call));
  for (auto* fs : chosen) {
    call.world.measure(*fs);
    for (const auto& [number, account] : side.of(*fs)) {
      const bool wanted = numbers.empty() || std::ranges::find(numbers, number) != numbers.end();
      if (wanted && (with_unlimited || account.quota != 0)) add_entry(out, *fs, number);
    }
  }
  for (const auto number : numbers) {
    const bool any = std::ranges::any_of(out.order(), [&](const auto& item) { return item.second->number == number; });
    if (!any && call.world.settings.missing_status != 200)
      return call.world.missing(side.what(), std::to_string(number));
  }
  return out;
}

Answer get(Call& call, const Side& side, bool with_unlimited) {
  HOMEPORT_TRY(const auto entries, find_entries(call, side, with_unlimited));
  View<Entry> view;
  view.write = [&](const Entry& entry, std::string& out) {
    JsonWriter(out).value(render(call.world, side, entry, call.minor));
  };
  view.probe = [&](const Entry& entry) -> Probe {
    auto whole = render(call.world, side, entry, call.minor);
    return [whole = std::move(whole)](const std::string& path) { return probe_json(whole, path); };
  };
  return list_objects(call, entries, Found<Entry>{}, view, call.world.settings.max_page);
}

Or<std::uint64_t> quota_of(Call& call) {
  const auto* given = find_path(call.body, "quota");
  if (given == nullptr || given->is_null()) return Refusal{"Quota is required."};
  const auto quota = given->is_string() ? 0 : given->get<std::uint64_t>();
  if (quota == 0) return Refusal{"Quota must be greater than zero."};
  return quota;
}

Answer post(Call& call, const Side& side) {
  HOMEPORT_TRY(const auto quota, quota_of(call));
  HOMEPORT_TRY(const auto numbers, numbers_of(call, side));
  HOMEPORT_TRY(const auto found,
               select(call, call.world.file_systems, "File system", "file_system_names", "file_system_ids"));
  if (found.objects.empty()) return Refusal{"File system is required."};
  if (numbers.empty()) return Refusal{side.users ? "User identifier is required." : "Group identifier is required."};
  for (auto* fs : found.objects) {
    if (fs->destroyed) return call.world.missing("File system", fs->name);
    for (const auto number : numbers) {
      // Also one that the array made by itself for a user who has files here.
      if (side.of(*fs).contains(number)) {
        auto refusal = call.world.exists(side.what(), fs->name + '/' + std::to_string(number));
        refusal.status = 400;
        return refusal;
      }
    }
  }
  Table<Entry> made;
  for (auto* fs : found.objects) {
    for (const auto number : numbers) {
      side.of(*fs)[number].quota = quota;
      add_entry(made, *fs, number);
    }
  }
  Json items = Json::array();
  for (const auto& [key, entry] : made.order()) items.push_back(render(call.world, side, *entry, call.minor));
  return std::optional(items_of(std::move(items)));
}

bool selects(const Call& call, const Side& side) {
  const bool fs = call.has("file_system_names") || call.has("file_system_ids");
  return call.has("names") || (fs && (call.has(side.ids()) || call.has(side.names())));
}

Answer patch(Call& call, const Side& side) {
  HOMEPORT_TRY(const auto quota, quota_of(call));
  if (!selects(call, side)) return Refusal{"File system and user or group identifiers are required."};
  HOMEPORT_TRY(const auto entries, find_entries(call, side, true));
  Json items = Json::array();
  for (const auto& [key, entry] : entries.order()) {
    side.of(*entry->fs)[entry->number].quota = quota;
    items.push_back(render(call.world, side, *entry, call.minor));
  }
  return std::optional(items_of(std::move(items)));
}

Answer remove(Call& call, const Side& side) {
  if (!selects(call, side)) return Refusal{"File system and user or group identifiers are required."};
  HOMEPORT_TRY(const auto entries, find_entries(call, side, false));
  for (const auto& [key, entry] : entries.order()) {
    auto& accounts = side.of(*entry->fs);
    accounts[entry->number].quota = 0;
    if (accounts[entry->number].usage == 0) accounts.erase(entry->number);
  }
  return std::optional<Json>();
}

Document& settings_of(World& world) {
  auto& table = world.table("quota-settings");
  if (table.size() == 0) {
    return insert_document(world, "quota-settings", world.array.name,
                           Json{{"contact", nullptr}, {"direct_notifications_enabled", false}});
  }
  return *table.order().begin()->second;
}

Answer get_settings(Call& call) {
  settings_of(call.world);
  return list_documents(call, call.world.table("quota-settings"), {}, {}, [](const Document& document) {
    Json out = {{"name", document.name}, {"id", document.id}};
    out.update(document.fields);
    return out;
  });
}

Answer patch_settings(Call& call) {
  merge_body(settings_of(call.world).fields, call.body);
  call.query.clear();
  HOMEPORT_TRY(const auto listed, get_settings(call));
  return std::optional(items_of((*listed)["items"]));
}

void add_side(Operations& operations, const Side& side) {
  const std::string path = side.users ? "quotas/users" : "quotas/groups";
  const Params selectors = {{"names"}, {"file_system_names"}, {"file_system_ids"}, {side.ids()}, {side.names()}};
  operations.add(path, "GET", {0, selectors, {}, [side](Call& call) { return get(call, side, false); }});
  operations.add(path, "POST",
                 {0, selectors, {{"quota", Kind::size}}, [side](Call& call) { return post(call, side); }});
  operations.add(path, "PATCH",
                 {0, selectors, {{"quota", Kind::size}}, [side](Call& call) { return patch(call, side); }});
  operations.add(path, "DELETE", {0, selectors, {}, [side](Call& call) { return remove(call, side); }});
  operations.add(side.users ? "usage/users" : "usage/groups", "GET",
                 {0, selectors, {}, [side](Call& call) { return get(call, side, true); }});
}

}  // namespace

void add_quotas(Operations& operations) {
  add_side(operations, Side{true});
  add_side(operations, Side{false});
  operations.add("quotas/settings", "GET", {0, {}, {}, get_settings});
  operations.add("quotas/settings", "PATCH",
                 {0, {}, {{"contact", Kind::text}, {"direct_notifications_enabled", Kind::boolean}}, patch_settings});
}

}  // namespace homeport::fbsim
