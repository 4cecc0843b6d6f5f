// Which policies hold which objects, from both sides; and every policy in one list.
#include <algorithm>

#include "drivers/flashblade/sim/family.h"
#include "drivers/flashblade/sim/policies.h"
#include "drivers/flashblade/sim/replication.h"

namespace homeport::fbsim {
namespace {

struct Pair {
  Found<Document> policies{};
  Found<FileSystem> members{};
};

Or<Pair> find_pair(Call& call, std::string_view member_names, std::string_view member_ids, std::string_view type,
                   std::string_view what) {
  Pair out;
  HOMEPORT_TRY(out.policies, select(call, call.world.table(type), what, "policy_names", "policy_ids"));
  HOMEPORT_TRY(out.members, select(call, call.world.file_systems, "File system", member_names, member_ids));
  return out;
}

template <class T>
bool chosen(const Found<T>& found, std::string_view id) {
  return !found.selected || std::ranges::any_of(found.objects, [&](const T* object) { return object->id == id; });
}

Json member_item(const Call& call, Json member, std::string_view type, const std::string& policy) {
  return {{"member", std::move(member)}, {"policy", call.world.reference_to(type, policy)}};
}

void add_file_system_items(Call& call, const Pair& pair, std::vector<Json>& items) {
  const auto add = [&](const FileSystem& fs) {
    for (const auto& policy : fs.policies) {
      if (!chosen(pair.policies, policy)) continue;
      items.push_back(member_item(call, reference(fs.name, fs.id, "file-systems"), "policies", policy));
    }
  };
  if (pair.members.selected) {
    for (const auto* fs : pair.members.objects) add(*fs);
  } else {
    for (const auto& [key, fs] : call.world.file_systems.order()) add(*fs);
  }
}

Answer get_file_systems(Call& call) {
  HOMEPORT_TRY(const auto pair, find_pair(call, "member_names", "member_ids", "policies", "Policy"));
  std::vector<Json> items;
  add_file_system_items(call, pair, items);
  return list_members(call, std::move(items));
}

Or<Pair> find_change(Call& call, std::string_view type = "policies", std::string_view what = "Policy") {
  HOMEPORT_TRY(auto pair, find_pair(call, "member_names", "member_ids", type, what));
  if (pair.members.objects.empty()) return Refusal{"Member identifier is required."};
  if (pair.policies.objects.empty()) return Refusal{"Policy identifier is required."};
  if (pair.members.objects.size() > 1) return Refusal{"Cannot process more than one member at a time"};
  return pair;
}

Answer post_file_systems(Call& call) {
  HOMEPORT_TRY(const auto pair, find_change(call));
  auto& fs = *pair.members.objects.front();
  if (fs.destroyed) return call.world.missing("File system", fs.name);
  for (const auto* policy : pair.policies.objects) {
    if (std::ranges::find(fs.policies, policy->id) != fs.policies.end())
      return call.world.exists("Policy member", fs.name);
  }
  Json items = Json::array();
  for (const auto* policy : pair.policies.objects) {
    fs.policies.push_back(policy->id);
    items.push_back(member_item(call, reference(fs.name, fs.id, "file-systems"), "policies", policy->id));
  }
  return std::optional(items_of(std::move(items)));
}

Answer delete_file_systems(Call& call) {
  HOMEPORT_TRY(const auto pair, find_change(call));
  auto& fs = *pair.members.objects.front();
  for (const auto* policy : pair.policies.objects) {
    if (std::ranges::find(fs.policies, policy->id) == fs.policies.end())
      return call.world.missing("Policy member", fs.name);
    if (text_of(policy->fields, "retention_lock") == "locked") return Refusal{"Policy is locked.", policy->name, 403};
  }
  for (const auto* policy : pair.policies.objects) std::erase(fs.policies, policy->id);
  return std::optional<Json>();
}

void add_snapshot_items(Call& call, const Found<Document>& policies, const Found<Snapshot>& members,
                        std::vector<Json>& items) {
  for (const auto& [key, snapshot] : call.world.snapshots.order()) {
    if (snapshot->policy.empty() || !chosen(policies, snapshot->policy) || !chosen(members, snapshot->id)) continue;
    items.push_back(member_item(call, reference(snapshot->name, snapshot->id, "file-system-snapshots"), "policies",
                                snapshot->policy));
  }
}

Answer get_snapshots(Call& call) {
  HOMEPORT_TRY(const auto policies, select(call, call.world.table("policies"), "Policy", "policy_names", "policy_ids"));
  HOMEPORT_TRY(const auto members, select(call, call.world.snapshots, "Snapshot", "member_names", "member_ids"));
  std::vector<Json> items;
  add_snapshot_items(call, policies, members, items);
  return list_members(call, std::move(items));
}

// A snapshot without its policy is no longer removed by it.
Answer delete_snapshots(Call& call) {
  HOMEPORT_TRY(const auto policies, select(call, call.world.table("policies"), "Policy", "policy_names", "policy_ids"));
  HOMEPORT_TRY(const auto members, select(call, call.world.snapshots, "Snapshot", "member_names", "member_ids"));
  if (members.objects.empty()) return Refusal{"Member identifier is required."};
  for (const auto* snapshot : members.objects) {
    if (snapshot->policy.empty() || !chosen(policies, snapshot->policy))
      return call.world.missing("Policy member", snapshot->name);
  }
  for (auto* snapshot : members.objects) snapshot->policy.clear();
  return std::optional<Json>();
}

Answer get_all_members(Call& call) {
  HOMEPORT_TRY(const auto pair,
               find_pair(call, "local_file_system_names", "local_file_system_ids", "policies", "Policy"));
  std::vector<Json> items;
  add_file_system_items(call, pair, items);
  add_snapshot_items(call, pair.policies, {}, items);
  const auto types = call.list("member_types");
  const auto names = call.list("member_names");
  std::erase_if(items, [&](const Json& item) {
    const bool type = types.empty() || std::ranges::find(types, text_of(item, "member.resource_type")) != types.end();
    const bool name = names.empty() || std::ranges::find(names, text_of(item, "member.name")) != names.end();
    return !type || !name;
  });
  for (auto& item : link_members(call, pair.policies)) items.push_back(std::move(item));
  return list_members(call, std::move(items));
}

// Policies of every kind.
Answer get_all(Call& call) {
  Table<Document> table(Order::by_id);
  for (const auto& [type, documents] : call.world.documents) {
    if (!type.ends_with("policies")) continue;
    for (const auto& [key, document] : documents.order()) {
      Document copy = *document;
      for (const char* own : {"rules", "version", "max_total_bytes_per_sec", "max_total_ops_per_sec"})
        copy.fields.erase(own);
      if (call.minor >= 19) copy.fields["realms"] = Json::array();
      if (call.minor < 19) copy.fields.erase("realms");
      if (call.minor < 5) copy.fields.erase("retention_lock");
      if (call.minor < 23) copy.fields.erase("workload");
      copy.fields.erase("#generation");
      table.insert(std::move(copy));
    }
  }
  HOMEPORT_TRY(const auto found, select(call, table, "Policy"));
  return list_documents(call, table, found, {}, [](const Document& document) {
    Json out = {{"name", document.name}, {"id", document.id}};
    out.update(document.fields);
    return out;
  });
}

Answer get_all_of_file_systems(Call& call) {
  HOMEPORT_TRY(const auto members, select(call, call.world.file_systems, "File system", "member_names", "member_ids"));
  std::vector<Json> items;
  for (const auto& [key, fs] : call.world.file_systems.order()) {
    if (!chosen(members, fs->id)) continue;
    const auto self = reference(fs->name, fs->id, "file-systems");
    for (const auto& policy : fs->policies) items.push_back(member_item(call, self, "policies", policy));
    if (!fs->export_policy.empty()) items.push_back(member_item(call, self, "nfs-export-policies", fs->export_policy));
    if (!fs->qos_policy.empty() && call.minor >= 17)
      items.push_back(member_item(call, self, "qos-policies", fs->qos_policy));
  }
  return list_members(call, std::move(items));
}

Family qos() {
  Family family{.type = "qos-policies", .what = "QoS policy", .get = 17, .post = 17, .patch = 17, .remove = 17};
  family.post_fields = {{"enabled", Kind::boolean, 17},
                        {"max_total_bytes_per_sec", Kind::number, 17},
                        {"max_total_ops_per_sec", Kind::number, 17}};
  family.patch_fields = family.post_fields;
  family.patch_fields.push_back({"name", Kind::text, 17});
  family.renames = true;
  family.newer = {{"realms", 19}};
  family.defaults = [](World& world) {
    return Json{{"enabled", true},
                {"is_local", true},
                {"location", world.array_reference()},
                {"policy_type", "qos"},
                {"max_total_bytes_per_sec", nullptr},
                {"max_total_ops_per_sec", nullptr},
                {"realms", Json::array()}};
  };
  const auto check = [](const Document& next) -> Or<void> {
    const auto within = [&](const char* name, std::int64_t low, std::int64_t high) -> Or<void> {
      const auto& value = next.fields.at(name);
      if (value.is_null() || (value.get<std::int64_t>() >= low && value.get<std::int64_t>() <= high)) return {};
      return Refusal{std::string("Invalid value for body parameter: ") + name, next.name};
    };
    HOMEPORT_CHECK(within("max_total_bytes_per_sec", 1'048'576, 549'755'813'888));
    return within("max_total_ops_per_sec", 100, 100'000'000);
  };
  family.on_create = [check](Call&, Document& next) { return check(next); };
  family.on_change = [check](Call&, Document& next, const Document&) { return check(next); };
  family.on_remove = [](Call& call, Document& policy) -> Or<void> {
    const bool used = std::ranges::any_of(call.world.file_systems.order(),
                                          [&](const auto& entry) { return entry.second->qos_policy == policy.id; });
    if (used) return Refusal{"Policy has members.", policy.name};
    return {};
  };
  return family;
}

Answer get_qos_members(Call& call) {
  HOMEPORT_TRY(const auto pair, find_pair(call, "member_names", "member_ids", "qos-policies", "QoS policy"));
  std::vector<Json> items;
  for (const auto& [key, fs] : call.world.file_systems.order()) {
    if (fs->qos_policy.empty() || !chosen(pair.policies, fs->qos_policy) || !chosen(pair.members, fs->id)) continue;
    items.push_back(member_item(call, reference(fs->name, fs->id, "file-systems"), "qos-policies", fs->qos_policy));
  }
  return list_members(call, std::move(items));
}

Or<Pair> find_qos_change(Call& call) {
  for (const auto& type : call.list("member_types")) {
    if (type != "file-systems") return Refusal{"Invalid value for query parameter: member_types"};
  }
  return find_change(call, "qos-policies", "QoS policy");
}

Answer post_qos_member(Call& call) {
  HOMEPORT_TRY(const auto pair, find_qos_change(call));
  auto& fs = *pair.members.objects.front();
  fs.qos_policy = pair.policies.objects.front()->id;
  return std::optional(items_of(
      Json::array({member_item(call, reference(fs.name, fs.id, "file-systems"), "qos-policies", fs.qos_policy)})));
}

Answer delete_qos_member(Call& call) {
  HOMEPORT_TRY(const auto pair, find_qos_change(call));
  auto& fs = *pair.members.objects.front();
  if (fs.qos_policy != pair.policies.objects.front()->id) return call.world.missing("Policy member", fs.name);
  fs.qos_policy.clear();
  return std::optional<Json>();
}

}  // namespace

Answer list_members(Call& call, std::vector<Json> items) {
  Table<Document> table(Order::by_id);
  for (auto& item : items) {
    Document document;
    document.id =
        text_of(item, "policy.name") + '\n' + text_of(item, "member.name") + '\n' + std::to_string(table.size());
    document.fields = std::move(item);
    table.insert(std::move(document));
  }
  return list_documents(call, table, {}, {}, [](const Document& document) { return document.fields; });
}

void add_policy_members(Operations& operations) {
  const Params both = {{"policy_names"}, {"policy_ids"}, {"member_names"}, {"member_ids"}};
  for (const char* path : {"policies/file-systems", "file-systems/policies"}) {
    operations.add(path, "GET", {0, both, {}, get_file_systems});
    operations.add(path, "POST", {0, both, {}, post_file_systems});
    operations.add(path, "DELETE", {0, both, {}, delete_file_systems});
  }
  for (const char* path : {"policies/file-system-snapshots", "file-system-snapshots/policies"}) {
    operations.add(path, "GET", {0, both, {}, get_snapshots});
    operations.add(path, "DELETE", {0, both, {}, delete_snapshots});
  }
  Params members = both;
  members.insert(members.end(), {{"member_types"},
                                 {"local_file_system_names"},
                                 {"local_file_system_ids"},
                                 {"remote_names"},
                                 {"remote_ids"},
                                 {"remote_file_system_names"}});
  operations.add("policies/members", "GET", {0, members, {}, get_all_members});
  operations.add("policies-all", "GET", {2, {}, {}, get_all});
  operations.add("policies-all/members", "GET", {2, members, {}, get_all_members});
  operations.add("file-systems/policies-all", "GET", {3, both, {}, get_all_of_file_systems});
}

void add_qos_policies(Operations& operations) {
  add_family(operations, qos());
  const Params both = {{"policy_names"}, {"policy_ids"}, {"member_names"}, {"member_ids"}, {"member_types"}};
  operations.add("qos-policies/file-systems", "GET", {17, both, {}, get_qos_members});
  operations.add("qos-policies/members", "GET", {17, both, {}, get_qos_members});
  operations.add("qos-policies/members", "POST", {20, both, {}, post_qos_member});
  operations.add("qos-policies/members", "DELETE", {20, both, {}, delete_qos_member});
}

}  // namespace homeport::fbsim
