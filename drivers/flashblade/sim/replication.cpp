// /file-system-replica-links and the transfers of snapshots.
#include "drivers/flashblade/sim/replication.h"

#include <algorithm>

#include "drivers/flashblade/sim/family.h"
#include "drivers/flashblade/sim/policies.h"
#include "drivers/flashblade/sim/snapshots.h"

namespace homeport::fbsim {
namespace {

constexpr std::string_view kLinks = "file-system-replica-links";
constexpr std::string_view kWhat = "File system replica link";
constexpr std::string_view kTransfers = "transfers";

double progress_of(const World& world, const Json& transfer) {
  const auto from = transfer.value("started", Millis{0});
  const auto to = transfer.value("#ends", Millis{0});
  if (world.now() >= to) return 1.0;
  return static_cast<double>(world.now() - from) / static_cast<double>(std::max<Millis>(to - from, 1));
}

Json render_transfer(const World& world, const Document& document, int minor) {
  const auto& fields = document.fields;
  const double progress = progress_of(world, fields);
  Json out = {{"name", text_of(fields, "local_snapshot.name")}, {"id", document.id}};
  out.update(fields);
  out.erase("#ends");
  out.erase("#bytes");
  out.erase("#link");
  out["status"] = progress >= 1.0 ? "completed" : "in-progress";
  out["progress"] = progress;
  out["data_transferred"] =
      static_cast<std::uint64_t>(progress * static_cast<double>(fields.value("#bytes", std::uint64_t{0})));
  out["completed"] = progress >= 1.0 ? fields["#ends"] : Json(nullptr);
  if (minor < 10) out.erase("local_snapshot");
  if (minor >= 17) out["context"] = world.array_reference();
  return out;
}

bool is_running(World& world, const Document& link) {
  return std::ranges::any_of(world.table(kTransfers).order(), [&](const auto& entry) {
    return text_of(entry.second->fields, "#link") == link.id && progress_of(world, entry.second->fields) < 1.0;
  });
}

Json render_link(World& world, const Document& link, int minor) {
  Json out = {{"id", link.id}};
  out.update(link.fields);
  Json policies = Json::array();
  for (const auto& id : link.fields["policies"])
    policies.push_back(world.reference_to("policies", id.get<std::string>()));
  out["policies"] = std::move(policies);
  refresh_references(world, out);
  out.erase("#latest");
  const auto& point = link.fields["recovery_point"];
  out["lag"] = point.is_null() ? Json(nullptr) : Json(world.now() - point.get<Millis>());
  if (text_of(link.fields, "status") != "unhealthy") out["status"] = is_running(world, link) ? "replicating" : "idle";
  if (minor < 17) out.erase("link_type");
  if (minor >= 17) out["context"] = world.array_reference();
  return out;
}

Or<std::vector<Document*>> find_links(Call& call, bool required) {
  World& world = call.world;
  HOMEPORT_TRY(const auto by_id, select(call, world.table(kLinks), kWhat, "-", "ids"));
  HOMEPORT_TRY(const auto locals,
               select(call, world.file_systems, "File system", "local_file_system_names", "local_file_system_ids"));
  HOMEPORT_TRY(const auto remotes,
               select(call, world.table("array-connections"), "Array connection", "remote_names", "remote_ids"));
  const auto names = call.list("remote_file_system_names");
  std::vector<Document*> out;
  for (const auto& [key, link] : world.table(kLinks).order()) {
    const auto among = [&](const auto& found, std::string_view id) {
      return !found.selected ||
             std::ranges::any_of(found.objects, [&](const auto* object) { return object->id == id; });
    };
    const bool named =
        names.empty() || std::ranges::find(names, text_of(link->fields, "remote_file_system.name")) != names.end();
    if (named && among(by_id, link->id) && among(locals, text_of(link->fields, "local_file_system.id")) &&
        among(remotes, text_of(link->fields, "remote.id"))) {
      out.push_back(link);
    }
  }
  const bool selected = by_id.selected || (locals.selected && remotes.selected);
  if (required && !selected) return Refusal{"Local file system and remote are required."};
  if (required && out.empty()) return world.missing(kWhat, call.text("local_file_system_names"));
  return out;
}

Answer get_links(Call& call) {
  HOMEPORT_TRY(const auto chosen, find_links(call, false));
  return list_documents(call, call.world.table(kLinks), Found<Document>{chosen, true}, {},
                        [&](const Document& link) { return render_link(call.world, link, call.minor); });
}

Answer post_link(Call& call) {
  World& world = call.world;
  HOMEPORT_TRY(const auto locals,
               select(call, world.file_systems, "File system", "local_file_system_names", "local_file_system_ids"));
  HOMEPORT_TRY(const auto remotes,
               select(call, world.table("array-connections"), "Array connection", "remote_names", "remote_ids"));
  if (locals.objects.size() != 1 || remotes.objects.size() != 1)
    return Refusal{"Exactly one local file system and one remote are required."};
  auto& fs = *locals.objects.front();
  const auto& remote = *remotes.objects.front();
  if (fs.destroyed) return world.missing("File system", fs.name);
  const std::string name = fs.id + '/' + remote.id;
  if (world.table(kLinks).by_name(name) != nullptr) return world.exists(kWhat, fs.name);
  Json policies = Json::array();
  for (const auto& given : call.body.value("policies", Json::array())) {
    Json holder = {{"policy", given}};
    HOMEPORT_CHECK(complete_reference(world, holder, "policy", "policies", "Policy"));
    policies.push_back(holder["policy"]["id"]);
  }
  const auto type = text_of(call.body, "link_type", "full-replica");
  if (type != "full-replica" && type != "partial-replica")
    return Refusal{"Invalid value for body parameter: link_type"};
  const auto wanted = call.list("remote_file_system_names");
  auto& link = insert_document(
      world, kLinks, name,
      Json{{"direction", "outbound"},
           {"local_file_system", reference(fs.name, fs.id, "file-systems")},
           {"remote", Json{{"name", remote.name}, {"id", remote.id}}},
           {"remote_file_system", Json{{"name", wanted.empty() ? fs.name : wanted.front()}, {"id", world.new_id()}}},
           {"policies", std::move(policies)},
           {"recovery_point", nullptr},
           {"status", "idle"},
           {"status_details", nullptr},
           {"link_type", type}});
  // The baseline.
  HOMEPORT_TRY(auto* snapshot, take_snapshot(world, fs, generated_suffix(world), {}));
  HOMEPORT_CHECK(send_snapshot(world, *snapshot, {remote.id}));
  return std::optional(items_of(Json::array({render_link(world, link, call.minor)})));
}

Answer patch_link(Call& call) {
  HOMEPORT_TRY(const auto chosen, find_links(call, true));
  HOMEPORT_TRY(const bool now, call.flag("replicate_now"));
  Json items = Json::array();
  for (auto* link : chosen) {
    if (!now || text_of(link->fields, "link_type") != "partial-replica") {
      return Refusal{"replicate_now is required, and only for partial replica links."};
    }
    auto* fs = call.world.file_systems.by_id(text_of(link->fields, "local_file_system.id"));
    if (fs == nullptr || fs->snapshots.empty()) return Refusal{"There is no snapshot to replicate."};
    HOMEPORT_CHECK(send_snapshot(call.world, *fs->snapshots.back(), {text_of(link->fields, "remote.id")}));
    items.push_back(render_link(call.world, *link, call.minor));
  }
  return std::optional(items_of(std::move(items)));
}

void remove_link(World& world, Document& link) {
  std::vector<Document*> gone;
  for (const auto& [key, transfer] : world.table(kTransfers).order()) {
    if (text_of(transfer->fields, "#link") == link.id && progress_of(world, transfer->fields) < 1.0)
      gone.push_back(transfer);
  }
  for (auto* transfer : gone) world.table(kTransfers).erase(*transfer);
  world.table(kLinks).erase(link);
}

Answer delete_links(Call& call) {
  HOMEPORT_TRY(const auto chosen, find_links(call, true));
  HOMEPORT_TRY(const bool cancel, call.flag("cancel_in_progress_transfers"));
  if (!cancel) return Refusal{"cancel_in_progress_transfers=true is required."};
  for (auto* link : chosen) remove_link(call.world, *link);
  return std::optional<Json>();
}

Answer get_transfers(Call& call) {
  const auto names = call.list("names_or_owner_names");
  const auto wanted = [&](const Document& transfer) {
    const auto name = text_of(transfer.fields, "local_snapshot.name");
    return names.empty() || std::ranges::find(names, name) != names.end() ||
           std::ranges::find(names, name.substr(0, name.rfind('.'))) != names.end();
  };
  HOMEPORT_TRY(const auto found, select(call, call.world.table(kTransfers), "Transfer", "-", "ids"));
  return list_documents(call, call.world.table(kTransfers), found, wanted,
                        [&](const Document& transfer) { return render_transfer(call.world, transfer, call.minor); });
}

Answer delete_transfers(Call& call) {
  const auto names = call.list("names");
  const auto ids = call.list("ids");
  if (names.empty() && ids.empty()) return Refusal{"Names or ids query parameter is missing"};
  std::vector<Document*> chosen;
  for (const auto& [key, transfer] : call.world.table(kTransfers).order()) {
    const bool wanted = std::ranges::find(names, text_of(transfer->fields, "local_snapshot.name")) != names.end() ||
                        std::ranges::find(ids, transfer->id) != ids.end();
    if (wanted) chosen.push_back(transfer);
  }
  if (chosen.empty()) return call.world.missing("Transfer", names.empty() ? ids.front() : names.front());
  for (auto* transfer : chosen) call.world.table(kTransfers).erase(*transfer);
  return std::optional<Json>();
}

// The policies of links, from both sides of the relation.
Answer get_link_policies(Call& call) {
  HOMEPORT_TRY(const auto policies, select(call, call.world.table("policies"), "Policy", "policy_names", "policy_ids"));
  return list_members(call, link_members(call, policies));
}

Answer change_link_policies(Call& call) {
  HOMEPORT_TRY(const auto policies, select(call, call.world.table("policies"), "Policy", "policy_names", "policy_ids"));
  if (policies.objects.empty()) return Refusal{"Policy identifier is required."};
  HOMEPORT_TRY(const auto chosen, find_links(call, true));
  for (auto* link : chosen) {
    auto& list = link->fields["policies"];
    for (const auto* policy : policies.objects) {
      const auto at = std::find(list.begin(), list.end(), Json(policy->id));
      if (call.method == "POST" && at == list.end()) list.push_back(policy->id);
      if (call.method == "DELETE" && at == list.end()) return call.world.missing("Policy member", policy->name);
      if (call.method == "DELETE") list.erase(at);
    }
  }
  if (call.method == "DELETE") return std::optional<Json>();
  return std::optional(items_of(Json(link_members(call, policies))));
}

}  // namespace

std::vector<std::string> connections_by_policy(World& world, const FileSystem& fs, std::string_view policy) {
  std::vector<std::string> out;
  for (const auto& [key, link] : world.table(kLinks).order()) {
    const auto& policies = link->fields["policies"];
    if (text_of(link->fields, "local_file_system.id") != fs.id) continue;
    if (std::find(policies.begin(), policies.end(), Json(policy)) != policies.end())
      out.push_back(text_of(link->fields, "remote.id"));
  }
  return out;
}

std::vector<Json> link_members(Call& call, const Found<Document>& policies) {
  std::vector<Json> items;
  for (const auto& [key, link] : call.world.table(kLinks).order()) {
    for (const auto& id : link->fields["policies"]) {
      const auto policy = id.get<std::string>();
      const bool wanted = !policies.selected ||
                          std::ranges::any_of(policies.objects, [&](const Document* one) { return one->id == policy; });
      if (!wanted) continue;
      Json item = {{"policy", call.world.reference_to("policies", policy)},
                   {"member", link->fields["local_file_system"]},
                   {"link",
                    {{"local_file_system", link->fields["local_file_system"]},
                     {"remote", link->fields["remote"]},
                     {"remote_file_system", link->fields["remote_file_system"]}}}};
      refresh_references(call.world, item);
      items.push_back(std::move(item));
    }
  }
  return items;
}

Or<std::vector<std::string>> replication_targets(Call& call) {
  HOMEPORT_TRY(const bool send, call.flag("send"));
  if (!send && call.has("targets")) return Refusal{"Targets can only be specified with send."};
  std::vector<std::string> out;
  for (const auto& name : call.list("targets")) {
    const auto* connection = call.world.table("array-connections").by_name(name);
    if (connection == nullptr) return call.world.missing("Array connection", name);
    out.push_back(connection->id);
  }
  if (send && out.empty()) return Refusal{"Targets are required with send."};
  return out;
}

Or<void> send_snapshot(World& world, Snapshot& snapshot, const std::vector<std::string>& targets) {
  for (const auto& target : targets) {
    const auto* connection = world.table("array-connections").by_id(target);
    if (connection == nullptr || text_of(connection->fields, "status") != "connected") {
      return Refusal{"Array connection is not connected.", connection == nullptr ? target : connection->name};
    }
    auto* link = world.table(kLinks).by_name(snapshot.owner->id + '/' + target);
    const auto* before = link == nullptr ? nullptr : world.snapshots.by_id(text_of(link->fields, "#latest"));
    const auto known = before == nullptr ? 0 : before->captured;
    const auto bytes = snapshot.captured > known ? snapshot.captured - known : 0;
    const auto took =
        static_cast<Millis>(std::max<std::uint64_t>(1000, bytes * 1000 / world.settings.replication_bytes_per_s));
    const Millis ends = world.now() + took;
    insert_document(world, kTransfers, snapshot.name + '>' + connection->name + '>' + world.new_id(),
                    Json{{"direction", "outbound"},
                         {"started", world.now()},
                         {"remote", connection->fields["remote"]},
                         {"remote_snapshot", Json{{"name", world.array.name + ':' + snapshot.name}, {"id", nullptr}}},
                         {"local_snapshot", Json{{"name", snapshot.name}, {"id", snapshot.id}}},
                         {"#bytes", bytes},
                         {"#ends", ends},
                         {"#link", link == nullptr ? std::string() : link->id}});
    if (link == nullptr) continue;
    world.at(ends, [&world, id = link->id, taken = snapshot.id, created = snapshot.created] {
      auto* found = world.table(kLinks).by_id(id);
      if (found == nullptr) return;
      found->fields["#latest"] = taken;
      found->fields["recovery_point"] = created;
    });
  }
  return {};
}

bool is_latest_replica(World& world, const Snapshot& snapshot) {
  return std::ranges::any_of(world.table(kLinks).order(), [&](const auto& entry) {
    return text_of(entry.second->fields, "#latest") == snapshot.id;
  });
}

void add_replica_links(Operations& operations) {
  const Params pair = {{"ids"},        {"local_file_system_names"}, {"local_file_system_ids"}, {"remote_names"},
                       {"remote_ids"}, {"remote_file_system_names"}};
  const auto with = [&](Params more) {
    more.insert(more.end(), pair.begin(), pair.end());
    return more;
  };
  const std::string path(kLinks);
  operations.add(path, "GET", {0, pair, {}, get_links});
  operations.add(path, "POST",
                 {0,
                  with({{"remote_default_exports", 25}}),
                  {{"policies", Kind::references}, {"link_type", Kind::text, 17}},
                  post_link});
  operations.add(path, "PATCH", {17, with({{"replicate_now", 17}}), {}, patch_link});
  operations.add(path, "DELETE", {10, with({{"cancel_in_progress_transfers", 10}}), {}, delete_links});
  const Params policies = with({{"policy_names"}, {"policy_ids"}});
  for (const std::string& both : {path + "/policies", std::string("policies/") + path}) {
    operations.add(both, "GET", {0, policies, {}, get_link_policies});
    operations.add(both, "POST", {0, policies, {}, change_link_policies});
    operations.add(both, "DELETE", {0, policies, {}, change_link_policies});
  }
  operations.add(path + "/transfer", "GET", {0, {{"names_or_owner_names"}, {"remote_names"}}, {}, get_transfers});
  operations.add("file-system-snapshots/transfer", "GET", {0, {{"names_or_owner_names"}}, {}, get_transfers});
  operations.add("file-system-snapshots/transfer", "DELETE",
                 {0, {{"names"}, {"ids"}, {"remote_names"}, {"remote_ids"}}, {}, delete_transfers});
}

void furnish_replication(World& world) {
  world.on_eradicate.push_back([&world](FileSystem& fs) {
    std::vector<Document*> gone;
    for (const auto& [key, link] : world.table(kLinks).order()) {
      if (text_of(link->fields, "local_file_system.id") == fs.id) gone.push_back(link);
    }
    for (auto* link : gone) remove_link(world, *link);
  });
}

}  // namespace homeport::fbsim
