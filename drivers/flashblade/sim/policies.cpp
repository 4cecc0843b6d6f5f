// /policies: snapshot policies and what they do as time passes.
#include "drivers/flashblade/sim/policies.h"

#include <algorithm>

#include "drivers/flashblade/sim/alerts.h"
#include "drivers/flashblade/sim/family.h"
#include "drivers/flashblade/sim/replication.h"
#include "drivers/flashblade/sim/snapshots.h"

namespace homeport::fbsim {
namespace {

constexpr std::int64_t kDay = 86'400'000;
constexpr std::int64_t kShortest = 300'000;  // five minutes
constexpr std::int64_t kLongest = 400 * kDay;

const Fields kRuleFields = {
    {"every", Kind::number}, {"at", Kind::number}, {"keep_for", Kind::number}, {"time_zone", Kind::text}};

Or<Json> checked_rule(const World& world, const Json& body, int minor) {
  HOMEPORT_CHECK(check_body(body, kRuleFields, minor));
  const auto every = body.value("every", std::int64_t{0});
  const auto keep = body.value("keep_for", std::int64_t{0});
  if (every < kShortest || every > kLongest) return Refusal{"Invalid value for body parameter: every"};
  if (keep < every || keep > kLongest) return Refusal{"Invalid value for body parameter: keep_for"};
  const auto* at = find_path(body, "at");
  const bool timed = at != nullptr && !at->is_null();
  if (timed && (every % kDay != 0 || at->get<std::int64_t>() < 0 || at->get<std::int64_t>() >= kDay)) {
    return Refusal{"Invalid value for body parameter: at"};
  }
  return Json{{"every", every},
              {"at", timed ? *at : Json(nullptr)},
              {"keep_for", keep},
              {"time_zone",
               timed ? Json(text_of(body, "time_zone", text_of(world.array.fields, "time_zone"))) : Json(nullptr)}};
}

bool same_rule(const Json& a, const Json& b) {
  return a["every"] == b["every"] && a["at"] == b["at"] && a["keep_for"] == b["keep_for"];
}

Or<void> add_rules(Call& call, Json& rules, const char* member) {
  const auto* given = find_path(call.body, member);
  if (given == nullptr || given->is_null()) return {};
  for (const auto& body : *given) {
    HOMEPORT_TRY(auto rule, checked_rule(call.world, body, call.minor));
    rules.push_back(std::move(rule));
  }
  return {};
}

bool has_snapshots(const World& world, std::string_view policy) {
  return std::ranges::any_of(world.snapshots.order(), [&](const auto& entry) {
    return entry.second->policy == policy && !entry.second->destroyed;
  });
}

void destroy_snapshots(World& world, std::string_view policy) {
  for (const auto& [key, snapshot] : world.snapshots.order()) {
    if (snapshot->policy == policy && !snapshot->destroyed) world.destroy(*snapshot);
  }
}

Or<void> remove_rules(Call& call, Document& next) {
  const auto* given = find_path(call.body, "remove_rules");
  if (given == nullptr || given->is_null() || given->empty()) return {};
  auto& rules = next.fields["rules"];
  for (const auto& body : *given) {
    HOMEPORT_TRY(const auto rule, checked_rule(call.world, body, call.minor));
    const auto found =
        std::find_if(rules.begin(), rules.end(), [&](const Json& other) { return same_rule(other, rule); });
    if (found == rules.end()) return Refusal{"Policy rule does not exist.", next.name};
    rules.erase(found);
  }
  HOMEPORT_TRY(const bool destroys, call.flag("destroy_snapshots"));
  const auto* added = find_path(call.body, "add_rules");
  const bool replaced = added != nullptr && added->is_array() && !added->empty();
  if (replaced || !has_snapshots(call.world, next.id)) return {};
  if (!destroys) return Refusal{"The change destroys snapshots. Specify destroy_snapshots.", next.name};
  destroy_snapshots(call.world, next.id);
  return {};
}

Or<void> change_rules(Call& call, Document& next) {
  if (text_of(next.fields, "retention_lock") == "locked") return Refusal{"Policy is locked.", next.name, 403};
  HOMEPORT_CHECK(remove_rules(call, next));
  next.fields.erase("add_rules");
  next.fields.erase("remove_rules");
  if (call.body.contains("rules")) {
    next.fields["rules"] = Json::array();
    HOMEPORT_CHECK(add_rules(call, next.fields["rules"], "rules"));
  }
  return add_rules(call, next.fields["rules"], "add_rules");
}

bool is_member(const FileSystem& fs, std::string_view policy) {
  return std::ranges::find(fs.policies, policy) != fs.policies.end();
}

// One rule is due: a snapshot of every member and of every file system that replicates by this policy.
void run_rule(World& world, Document& policy, const Json& rule) {
  if (!policy.fields.value("enabled", true)) return;
  const auto keep = rule["keep_for"].get<std::int64_t>();
  const auto suffix = generated_suffix(world);
  for (const auto& [key, fs] : world.file_systems.order()) {
    const auto connections = connections_by_policy(world, *fs, policy.id);
    if (fs->destroyed || (!is_member(*fs, policy.id) && connections.empty())) continue;
    auto taken = take_snapshot(world, *fs, suffix, policy.id);
    if (!taken) {
      raise_alert(world, 1104, "warning", "file-systems", fs->name, taken.error().message);
      continue;
    }
    auto& snapshot = *taken.value();
    world.at(world.now() + keep, [&world, id = snapshot.id] {
      if (auto* old = world.snapshots.by_id(id); old != nullptr && !old->destroyed) world.destroy(*old);
    });
    if (!connections.empty()) {
      const auto sent = send_snapshot(world, snapshot, connections);
      if (!sent) raise_alert(world, 1114, "warning", "file-system-replica-links", fs->name, sent.error().message);
    }
  }
}

// Of days: the next time of day in UTC; other time zones count as UTC here.
Millis next_due(const World& world, const Json& rule) {
  const auto every = rule["every"].get<std::int64_t>();
  if (rule["at"].is_null()) return world.now() + every;
  const Millis today = world.now() / kDay * kDay + rule["at"].get<std::int64_t>();
  return today > world.now() ? today : today + every;
}

void schedule_rule(World& world, const Document& policy, const Json& rule) {
  world.at(next_due(world, rule), [&world, id = policy.id, generation = policy.fields.value("#generation", 0), rule] {
    auto* found = world.table("policies").by_id(id);
    if (found == nullptr || found->fields.value("#generation", 0) != generation) return;
    run_rule(world, *found, rule);
    schedule_rule(world, *found, rule);
  });
}

Family policies() {
  Family family{.type = "policies", .what = "Policy"};
  family.post_fields = {{"enabled", Kind::boolean}, {"rules", Kind::objects}};
  family.patch_fields = {{"enabled", Kind::boolean},
                         {"rules", Kind::objects},
                         {"add_rules", Kind::objects},
                         {"remove_rules", Kind::objects}};
  family.newer = {{"policy_type", 2}, {"retention_lock", 5}, {"realms", 19}, {"workload", 23}};
  family.params = {{"destroy_snapshots"}};
  family.defaults = [](World& world) {
    return Json{{"enabled", true},
                {"is_local", true},
                {"location", world.array_reference()},
                {"policy_type", "snapshot"},
                {"retention_lock", "unlocked"},
                {"realms", Json::array()},
                {"workload", null_reference()},
                {"rules", Json::array()}};
  };
  family.on_create = [](Call& call, Document& next) -> Or<void> {
    next.fields["rules"] = Json::array();
    HOMEPORT_CHECK(add_rules(call, next.fields["rules"], "rules"));
    next.fields["#generation"] = 0;
    call.world.at(call.world.now(), [&world = call.world, id = next.id] {
      if (auto* policy = world.table("policies").by_id(id); policy != nullptr) schedule_policy(world, *policy);
    });
    return {};
  };
  family.on_change = [](Call& call, Document& next, const Document&) -> Or<void> {
    HOMEPORT_CHECK(change_rules(call, next));
    call.world.at(call.world.now(), [&world = call.world, id = next.id] {
      if (auto* policy = world.table("policies").by_id(id); policy != nullptr) schedule_policy(world, *policy);
    });
    return {};
  };
  family.on_remove = [](Call& call, Document& policy) -> Or<void> {
    const bool used = std::ranges::any_of(call.world.file_systems.order(),
                                          [&](const auto& entry) { return is_member(*entry.second, policy.id); });
    if (used) return Refusal{"Policy has members.", policy.name};
    return {};
  };
  family.finish = [](World&, const Document&, int, Json& item) { item.erase("#generation"); };
  return family;
}

}  // namespace

void schedule_policy(World& world, Document& policy) {
  policy.fields["#generation"] = policy.fields.value("#generation", 0) + 1;
  for (const auto& rule : policy.fields["rules"]) schedule_rule(world, policy, rule);
}

void add_policies(Operations& operations) {
  add_family(operations, policies());
}

}  // namespace homeport::fbsim
