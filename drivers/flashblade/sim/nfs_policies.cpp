// /nfs-export-policies and /nfs-export-policies/rules.
#include <algorithm>
#include <array>
#include <charconv>

#include "drivers/flashblade/sim/exports.h"
#include "drivers/flashblade/sim/family.h"
#include "provisioner/base/digest.h"

namespace homeport::fbsim {
namespace {

constexpr std::string_view kType = "nfs-export-policies";
constexpr std::string_view kWhat = "NFS export policy";
constexpr std::string_view kRuleWhat = "NFS export policy rule";

const Fields kRuleFields = {{"client", Kind::text},          {"permission", Kind::text},
                            {"access", Kind::text},          {"anonuid", Kind::any},
                            {"anongid", Kind::any},          {"security", Kind::texts},
                            {"atime", Kind::boolean},        {"secure", Kind::boolean},
                            {"fileid_32bit", Kind::boolean}, {"required_transport_security", Kind::text, 18}};

// Rules are evaluated in three groups: addresses and subnets; names; everybody.
int group_of(const Json& rule) {
  const auto client = text_of(rule, "client");
  if (client == "*") return 2;
  const bool address =
      client.find(':') != std::string::npos ||
      (client.find_first_not_of("0123456789./") == std::string::npos && client.find('.') != std::string::npos);
  return address ? 0 : 1;
}

Or<void> take_anonymous(Json& rule, const char* name, bool as_text) {
  auto& value = rule[name];
  if (value.is_null()) return {};
  if (as_text != value.is_string()) return Refusal{std::string("Invalid value for body parameter: ") + name};
  if (!as_text) {
    if (value.is_number_unsigned() && value.get<std::uint64_t>() <= 0xFFFFFFFFU) return {};
    return Refusal{std::string("Invalid value for body parameter: ") + name};
  }
  const auto text = value.get<std::string>();
  if (text.empty()) {
    value = nullptr;
    return {};
  }
  std::uint32_t number = 0;
  const auto [end, bad] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (bad != std::errc() || end != text.data() + text.size()) {
    return Refusal{std::string("Invalid value for body parameter: ") + name};
  }
  value = number;
  return {};
}

Or<void> check_choice(const Json& rule, const char* name, std::initializer_list<std::string_view> allowed) {
  if (std::ranges::find(allowed, text_of(rule, name)) != allowed.end()) return {};
  return Refusal{std::string("Invalid value for body parameter: ") + name};
}

// `texts`: PATCH takes anonuid and anongid as text, POST as numbers.
Or<void> apply_rule(Json& rule, const Json& body, bool texts) {
  for (const auto& [name, value] : body.items()) {
    if (value.is_null()) continue;
    rule[name] = value;
    if (name == "anonuid" || name == "anongid") HOMEPORT_CHECK(take_anonymous(rule, name.c_str(), texts));
  }
  const auto client = text_of(rule, "client");
  if (client.empty() || client.find_first_of(" (),") != std::string::npos) return Refusal{"Invalid client.", client};
  HOMEPORT_CHECK(check_choice(rule, "permission", {"rw", "ro"}));
  HOMEPORT_CHECK(check_choice(rule, "access", {"root-squash", "all-squash", "no-squash"}));
  HOMEPORT_CHECK(check_choice(rule, "required_transport_security", {"none", "tls", "mutual-tls"}));
  if (rule["security"].empty()) return Refusal{"Invalid value for body parameter: security"};
  for (const auto& flavour : rule["security"]) {
    const Json holder = {{"security", flavour}};
    HOMEPORT_CHECK(check_choice(holder, "security", {"sys", "krb5", "krb5i", "krb5p"}));
  }
  return {};
}

Json default_rule(World& world) {
  return {{"id", world.new_id()},
          {"access", "root-squash"},
          {"anongid", nullptr},
          {"anonuid", nullptr},
          {"atime", true},
          {"client", "*"},
          {"fileid_32bit", false},
          {"permission", "ro"},
          {"secure", false},
          {"security", Json::array({"sys"})},
          {"required_transport_security", "none"}};
}

void insert_at_end_of_group(Json& rules, Json rule) {
  const int group = group_of(rule);
  const auto place =
      std::find_if(rules.begin(), rules.end(), [&](const Json& other) { return group_of(other) > group; });
  rules.insert(place, std::move(rule));
}

// Changes with every edit.
void stamp(World& world, Document& policy) {
  const auto hash = sha256_hex(policy.fields["rules"].dump() + std::to_string(++world.last_sequence));
  policy.fields["version"] = hash.substr(0, 8) + '-' + hash.substr(8, 4) + '-' + hash.substr(12, 4) + '-' +
                             hash.substr(16, 4) + '-' + hash.substr(20, 12);
}

Json render_rule(World& world, const Document& policy, std::size_t index, int minor) {
  const auto& rule = policy.fields["rules"].at(index - 1);
  Json out = {{"name", policy.name + '.' + std::to_string(index)},
              {"id", rule["id"]},
              {"policy", reference(policy.name, policy.id, kType)},
              {"index", index},
              {"policy_version", policy.fields["version"]}};
  out.update(rule);
  if (minor < 18) out.erase("required_transport_security");
  if (minor >= 17) out["context"] = world.array_reference();
  return out;
}

Or<void> check_versions(Call& call, const std::vector<const Document*>& policies) {
  if (!call.has("versions")) return {};
  const auto versions = call.list("versions");
  for (std::size_t i = 0; i < policies.size(); ++i) {
    if (i >= versions.size() || policies[i]->fields["version"] != versions[i]) {
      return Refusal{"The policy has been modified.", policies[i]->name, 412};
    }
  }
  return {};
}

Or<void> replace_rules(Call& call, Document& next) {
  const auto* given = find_path(call.body, "rules");
  if (given == nullptr || given->is_null()) return {};
  next.fields["rules"] = Json::array();
  for (const auto& body : *given) {
    HOMEPORT_CHECK(check_body(body, kRuleFields, call.minor));
    auto rule = default_rule(call.world);
    HOMEPORT_CHECK(apply_rule(rule, body, false));
    insert_at_end_of_group(next.fields["rules"], std::move(rule));
  }
  return {};
}

Family policies() {
  Family family{.type = std::string(kType), .what = std::string(kWhat), .get = 3, .post = 3, .patch = 3, .remove = 3};
  family.post_fields = {{"enabled", Kind::boolean, 3}, {"rules", Kind::objects, 3}};
  family.patch_fields = {{"enabled", Kind::boolean, 3}, {"rules", Kind::objects, 3}, {"name", Kind::text, 4}};
  family.renames = true;
  family.params = {{"versions", 3}};
  family.defaults = [](World& world) {
    return Json{{"enabled", true},    {"is_local", true},       {"location", world.array_reference()},
                {"version", nullptr}, {"rules", Json::array()}, {"policy_type", "nfs-export"}};
  };
  family.on_create = [](Call& call, Document& next) -> Or<void> {
    HOMEPORT_CHECK(replace_rules(call, next));
    stamp(call.world, next);
    return {};
  };
  family.on_change = [](Call& call, Document& next, const Document& before) -> Or<void> {
    HOMEPORT_CHECK(check_versions(call, {&before}));
    HOMEPORT_CHECK(replace_rules(call, next));
    stamp(call.world, next);
    return {};
  };
  family.on_remove = [](Call& call, Document& document) -> Or<void> {
    HOMEPORT_CHECK(check_versions(call, {&document}));
    if (uses_policy(call.world, document.id)) return Refusal{"Policy is in use by file systems.", document.name};
    return {};
  };
  family.finish = [](World& world, const Document& document, int minor, Json& item) {
    if (minor >= 19) item["realms"] = Json::array();
    if (minor >= 23) item["workload"] = null_reference();
    item["rules"] = Json::array();
    for (std::size_t i = 1; i <= document.fields["rules"].size(); ++i) {
      item["rules"].push_back(render_rule(world, document, i, minor));
    }
  };
  return family;
}

struct RulePlace {
  Document* policy;
  std::size_t index;  // from 0
};

// By `names` (POLICY.INDEX) or `ids` of rules.
Or<std::vector<RulePlace>> find_rules(Call& call, std::string_view names, std::string_view ids) {
  if (call.has(names) && call.has(ids)) {
    return Refusal{"Cannot specify " + std::string(names) + " along with " + std::string(ids) + "."};
  }
  std::vector<RulePlace> out;
  for (const auto& key : call.list(call.has(names) ? names : ids)) {
    bool found = false;
    for (const auto& [order, policy] : call.world.table(kType).order()) {
      const auto& rules = policy->fields["rules"];
      for (std::size_t i = 0; i < rules.size() && !found; ++i) {
        found = call.has(names) ? policy->name + '.' + std::to_string(i + 1) == key : rules[i]["id"] == key;
        if (found) out.push_back({policy, i});
      }
    }
    if (!found) return call.world.missing(kRuleWhat, key);
  }
  return out;
}

Answer get_rules(Call& call) {
  World& world = call.world;
  HOMEPORT_TRY(const auto chosen, select(call, world.table(kType), kWhat, "policy_names", "policy_ids"));
  HOMEPORT_TRY(const auto places, find_rules(call, "names", "ids"));
  const bool by_rule = call.has("names") || call.has("ids");
  Table<Document> table(Order::by_id);
  const auto add = [&](Document& policy, std::size_t index) {
    Document rule;
    auto place = std::to_string(index);
    rule.id = policy.id + '/' + std::string(6 - std::min<std::size_t>(place.size(), 6), '0') + place;
    rule.name = policy.name + '.' + place;
    rule.fields = render_rule(world, policy, index, call.minor);
    if (table.by_id(rule.id) == nullptr) table.insert(std::move(rule));
  };
  for (const auto& place : places) add(*place.policy, place.index + 1);
  for (const auto& [key, policy] : world.table(kType).order()) {
    const bool wanted = chosen.selected ? std::ranges::find(chosen.objects, policy) != chosen.objects.end() : !by_rule;
    for (std::size_t i = 1; wanted && i <= policy->fields["rules"].size(); ++i) add(*policy, i);
  }
  return list_documents(call, table, {}, {}, [](const Document& rule) { return rule.fields; });
}

// Where a rule that moves has to go: before another of its group.
Or<std::optional<std::string>> anchor_of(Call& call, const Document& policy, const Json& rule) {
  HOMEPORT_TRY(const auto before, find_rules(call, "before_rule_name", "before_rule_id"));
  if (before.empty()) return std::optional<std::string>();
  const auto& anchor = before.front().policy->fields["rules"].at(before.front().index);
  if (before.front().policy != &policy || group_of(anchor) != group_of(rule)) {
    return Refusal{"A rule can only be moved inside its group.", policy.name};
  }
  return std::optional(text_of(anchor, "id"));
}

void place_rule(Document& policy, Json rule, const std::optional<std::string>& before) {
  auto& rules = policy.fields["rules"];
  const auto anchor =
      before ? std::find_if(rules.begin(), rules.end(), [&](const Json& other) { return other["id"] == *before; })
             : rules.end();
  if (anchor == rules.end()) {
    insert_at_end_of_group(rules, std::move(rule));
  } else {
    rules.insert(anchor, std::move(rule));
  }
}

Json rendered(Call& call, Document& policy, const std::string& id) {
  const auto& rules = policy.fields["rules"];
  std::size_t index = 1;
  while (rules[index - 1]["id"] != id) ++index;
  return render_rule(call.world, policy, index, call.minor);
}

Answer post_rule(Call& call) {
  HOMEPORT_TRY(const auto found, select(call, call.world.table(kType), kWhat, "policy_names", "policy_ids"));
  if (found.objects.size() != 1) return Refusal{"Policy names or ids query parameter is missing"};
  auto& policy = *found.objects.front();
  HOMEPORT_CHECK(check_versions(call, {&policy}));
  auto rule = default_rule(call.world);
  HOMEPORT_CHECK(apply_rule(rule, call.body, false));
  HOMEPORT_TRY(const auto before, anchor_of(call, policy, rule));
  const auto id = text_of(rule, "id");
  place_rule(policy, std::move(rule), before);
  stamp(call.world, policy);
  return std::optional(items_of(Json::array({rendered(call, policy, id)})));
}

// A move by index stays inside the group.
void move_to_index(Document& policy, const std::string& id, std::int64_t index) {
  auto& rules = policy.fields["rules"];
  const auto from = std::find_if(rules.begin(), rules.end(), [&](const Json& rule) { return rule["id"] == id; });
  Json rule = std::move(*from);
  const int group = group_of(rule);
  rules.erase(from);
  auto at = rules.begin() + std::clamp<std::int64_t>(index - 1, 0, static_cast<std::int64_t>(rules.size()));
  while (at != rules.begin() && group_of(*(at - 1)) > group) --at;
  while (at != rules.end() && group_of(*at) < group) ++at;
  rules.insert(at, std::move(rule));
}

Answer patch_rule(Call& call) {
  HOMEPORT_TRY(const auto places, find_rules(call, "names", "ids"));
  if (places.size() != 1) return Refusal{"Names or ids query parameter is missing"};
  auto& policy = *places.front().policy;
  HOMEPORT_CHECK(check_versions(call, {&policy}));
  auto& rules = policy.fields["rules"];
  Json rule = rules.at(places.front().index);
  const auto id = text_of(rule, "id");
  const int group = group_of(rule);
  Json body = call.body;
  body.erase("index");
  HOMEPORT_CHECK(apply_rule(rule, body, true));
  HOMEPORT_TRY(const auto before, anchor_of(call, policy, rule));
  const auto* index = find_path(call.body, "index");
  if (before && index != nullptr) return Refusal{"Cannot specify index along with before_rule_name or before_rule_id."};
  if (before == id) return Refusal{"A rule cannot be moved before itself.", policy.name};
  rules.erase(places.front().index);
  if (before || group_of(rule) != group) {
    place_rule(policy, std::move(rule), before);
  } else {
    rules.insert(rules.begin() + static_cast<std::ptrdiff_t>(places.front().index), std::move(rule));
  }
  if (index != nullptr && !index->is_null()) move_to_index(policy, id, index->get<std::int64_t>());
  stamp(call.world, policy);
  return std::optional(items_of(Json::array({rendered(call, policy, id)})));
}

Answer delete_rules(Call& call) {
  HOMEPORT_TRY(auto places, find_rules(call, "names", "ids"));
  if (places.empty()) return Refusal{"Names or ids query parameter is missing"};
  std::vector<const Document*> owners;
  for (const auto& place : places) {
    if (std::ranges::find(owners, place.policy) == owners.end()) owners.push_back(place.policy);
  }
  HOMEPORT_CHECK(check_versions(call, owners));
  // From the end, so that the other places stay what they are.
  std::ranges::sort(places, [](const RulePlace& a, const RulePlace& b) { return a.index > b.index; });
  for (std::size_t i = 0; i < places.size(); ++i) {
    const bool again = i > 0 && places[i].policy == places[i - 1].policy && places[i].index == places[i - 1].index;
    if (again) continue;
    places[i].policy->fields["rules"].erase(places[i].index);
    stamp(call.world, *places[i].policy);
  }
  return std::optional<Json>();
}

}  // namespace

void add_nfs_policies(Operations& operations) {
  add_family(operations, policies());
  Fields patch_fields = kRuleFields;
  patch_fields.push_back({"index", Kind::number});
  const Params moves = {{"policy_names"}, {"policy_ids"}, {"before_rule_name"}, {"before_rule_id"}, {"versions"}};
  Params by_rule = moves;
  by_rule.insert(by_rule.end(), {{"names"}, {"ids"}});
  const std::string path = std::string(kType) + "/rules";
  operations.add(path, "GET", {3, {{"policy_names"}, {"policy_ids"}}, {}, get_rules});
  operations.add(path, "POST", {3, moves, kRuleFields, post_rule});
  operations.add(path, "PATCH", {3, by_rule, patch_fields, patch_rule});
  operations.add(path, "DELETE", {3, by_rule, {}, delete_rules});
}

}  // namespace homeport::fbsim
