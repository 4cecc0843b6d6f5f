#include "provisioner/core/catalog.h"

#include <algorithm>
#include <mutex>
#include <set>

#include "provisioner/base/log.h"
#include "provisioner/core/catalog_parts.h"

namespace homeport::core {

using store::Table;

namespace {

policies::RuleFacts facts_of(const RuleSpec& rule) {
  policies::RuleFacts facts;
  facts.name = rule.name.str();
  facts.users = rule.users;
  facts.groups = rule.groups;
  facts.hubs = rule.hubs;
  facts.everyone = rule.everyone || (rule.users.empty() && rule.groups.empty());  // only hubs: everybody there
  if (rule.klass) facts.klass = rule.klass->str();
  for (const auto& dataset : rule.datasets) facts.datasets.push_back(dataset.str());
  return facts;
}

}  // namespace

struct Catalog::Image {
  TextMap<PersonEntry> people;         // by key
  TextMap<ShortList> users_by_uid;     // REALM/UID -> keys
  TextMap<std::string> users_by_name;  // REALM/NAME -> key
  TextMap<ShortList> skeletons;        // REALM/SKELETON -> REALM/NAME
  std::map<std::string, SpacePtr, std::less<>> spaces;
  TextMap<SpacePtr> labels;                    // of live spaces
  std::map<std::string, UserPtr> merged_away;  // another one's second name; by key
  std::map<std::string, UserPtr> to_mark;      // the markers of their homes are due; likewise
  std::map<std::string, SpacePtr> to_measure;  // ready, and their use is to be counted; by key
  OwnFileSystems file_systems;
  // BACKEND:/PATH/ of live spaces. The slash at the end keeps what is below a path next to it in order.
  std::map<std::string, std::string, std::less<>> places;
  TextMap<std::string> open_operations;  // space -> operation
  TextMap<std::string> space_of_operation;
  std::map<std::string, ClassPtr, std::less<>> classes;
  struct PlacedRule {
    bool of_configuration = false;
    std::uint64_t position = 0;
    policies::RuleFacts facts;
  };
  std::map<std::string, PlacedRule, std::less<>> rules;
  std::shared_ptr<const std::vector<policies::RuleFacts>> ordered_rules =
      std::make_shared<std::vector<policies::RuleFacts>>();
  std::map<std::string, store::GrantRecord, std::less<>> grants;
  std::map<std::string, store::BackendRecord, std::less<>> backends;
  std::map<std::string, TokenPtr, std::less<>> tokens;
  TextMap<TokenPtr> tokens_by_hash;
  std::map<std::string, std::string, std::less<>> damaged;  // table/key -> what

  [[nodiscard]] UserPtr user(std::string_view key) const {
    const auto at = people.find(key);
    return at == people.end() ? nullptr : at->second.record;
  }

  void set_user(const std::string& key, const std::optional<store::UserRecord>& record) {
    auto& entry = people[key];
    ++entry.generation;
    if (entry.record && entry.record->uid) forget(users_by_uid, uid_key(*entry.record), key);
    entry.record = record ? std::make_shared<const store::UserRecord>(*record) : nullptr;
    if (record && record->uid) users_by_uid[uid_key(*record)].insert(key);
    merged_away.erase(key);
    to_mark.erase(key);
    if (record && record->merged_into) merged_away[key] = entry.record;
    if (record && record->markers_due) to_mark[key] = entry.record;
  }

  void set_alias(const std::string& key, const std::optional<store::AliasRecord>& record) {
    if (const auto old = users_by_name.find(key); old != users_by_name.end()) {
      auto& entry = people[old->second];
      entry.names.erase(key);
      entry.former_names.erase(key);
      ++entry.generation;
      users_by_name.erase(old);
    }
    const auto slash = key.find('/');
    const std::string skeleton = key.substr(0, slash + 1) + name_skeleton(std::string_view(key).substr(slash + 1));
    if (!record) return forget(skeletons, skeleton, key);
    skeletons[skeleton].insert(key);
    users_by_name[key] = record->user;
    auto& entry = people[record->user];
    (record->former_since ? entry.former_names : entry.names).insert(key);
    ++entry.generation;
  }

  static std::string uid_key(const store::UserRecord& user) { return user.realm + "/" + std::to_string(*user.uid); }

  static void forget(TextMap<ShortList>& lists, const std::string& key, const std::string& text) {
    const auto at = lists.find(key);
    if (at == lists.end()) return;
    at->second.erase(text);
    if (at->second.empty()) lists.erase(at);
  }

  void set_space(const std::string& key, const std::optional<store::SpaceRecord>& record) {
    if (const auto old = spaces.find(key); old != spaces.end()) {
      const auto label = labels.find(old->second->label());
      if (label != labels.end() && label->second->key == key) labels.erase(label);
      const auto place = places.find(place_of(*old->second));
      if (place != places.end() && place->second == key) places.erase(place);
      if (!old->second->owner.empty()) people[old->second->owner].change(key, false);
      to_measure.erase(key);
      file_systems.remove(old->second);
      spaces.erase(old);
    }
    if (!record) return;
    if (!record->owner.empty()) people[record->owner].change(key, true);
    auto space = std::make_shared<const store::SpaceRecord>(*record);
    if (auto label = space->label(); !label.empty()) {
      labels[std::move(label)] = space;
      if (!space->path.empty()) places[place_of(*space)] = key;
    }
    if (space->measure && space->measure->why.empty() && space->state == store::SpaceState::ready)
      to_measure[key] = space;
    file_systems.add(space);
    spaces.emplace(key, std::move(space));
  }

  static std::string place_of(const store::SpaceRecord& space) { return space.backend + ":" + space.path + "/"; }

  void set_operation(const std::string& key, const std::optional<store::OperationRecord>& record) {
    if (const auto old = space_of_operation.find(key); old != space_of_operation.end()) {
      open_operations.erase(old->second);
      space_of_operation.erase(old);
    }
    if (!record || !store::is_open(record->state)) return;
    open_operations[record->space] = key;
    space_of_operation[key] = record->space;
  }

  void order_rules() {
    std::vector<const PlacedRule*> order;
    for (const auto& [name, rule] : rules) order.push_back(&rule);
    std::stable_sort(order.begin(), order.end(), [](const PlacedRule* a, const PlacedRule* b) {
      return std::pair(a->of_configuration, a->position) < std::pair(b->of_configuration, b->position);
    });
    auto facts = std::make_shared<std::vector<policies::RuleFacts>>();
    for (const auto* rule : order) facts->push_back(rule->facts);
    ordered_rules = std::move(facts);
  }

  void set_token(const std::string& key, const std::optional<store::TokenRecord>& record) {
    if (const auto old = tokens.find(key); old != tokens.end()) {
      tokens_by_hash.erase(old->second->hash);
      tokens.erase(old);
    }
    if (!record) return;
    auto token = std::make_shared<const store::TokenRecord>(*record);
    tokens_by_hash[record->hash] = token;
    tokens[key] = std::move(token);
  }
};

namespace {

// The record in `row`; nullopt when the row is gone or damaged (then `damage` says so).
template <class R>
std::optional<R> read_row(const std::optional<store::Row>& row, std::optional<Error>& damage) {
  if (!row) return std::nullopt;
  auto record = store::from_row<R>(*row);
  if (record) return std::move(record).value();
  damage = record.error();
  return std::nullopt;
}

}  // namespace

void Catalog::note_damage(Table table, const std::string& key, const Error& error) {
  log::error("row cannot be read",
             {{"table", std::string(store::table_def(table).name)}, {"key", key}, {"why", error.to_string()}});
}

void Catalog::apply_row(Image& image, Table table, const std::string& key, const std::optional<store::Row>& row) {
  std::optional<Error> damage;
  bool shared = false;
  switch (table) {
    case Table::users: image.set_user(key, read_row<store::UserRecord>(row, damage)); break;
    case Table::aliases: image.set_alias(key, read_row<store::AliasRecord>(row, damage)); break;
    case Table::spaces: {
      const auto record = read_row<store::SpaceRecord>(row, damage);
      const auto old = image.spaces.find(key);
      shared = (record && record->kind != SpaceKind::home) ||
               (old != image.spaces.end() && old->second->kind != SpaceKind::home);
      image.set_space(key, record);
      break;
    }
    case Table::operations: {
      // Memory holds the open ones alone, and the index says which these are: an ended one need not be read.
      constexpr std::size_t kOpen = 1;
      const bool open = row && row->index.at(kOpen) == "1";
      image.set_operation(key, open ? read_row<store::OperationRecord>(row, damage) : std::nullopt);
      break;
    }
    case Table::tokens: image.set_token(key, read_row<store::TokenRecord>(row, damage)); break;
    case Table::classes: {
      shared = true;
      image.classes.erase(key);
      if (const auto record = read_row<store::ClassRecord>(row, damage)) {
        const Document document{.root = record->section, .source = "class " + key};
        Problems problems(document);
        DocReader in = DocReader::root(problems);
        auto spec = read_class(in);
        if (spec && problems.none()) {
          spec->section = record->section;
          image.classes[key] = std::make_shared<const ClassSpec>(std::move(*spec));
        } else {
          damage = problems.to_error();
        }
      }
      break;
    }
    case Table::rules: {
      shared = true;
      image.rules.erase(key);
      if (const auto record = read_row<store::RuleRecord>(row, damage)) {
        const Document document{.root = record->section, .source = "rule " + key};
        Problems problems(document);
        DocReader in = DocReader::root(problems);
        const auto spec = read_rule(in);
        if (spec && problems.none()) {
          image.rules[key] = {.of_configuration = record->provenance == store::Provenance::config,
                              .position = record->position,
                              .facts = facts_of(*spec)};
        } else {
          damage = problems.to_error();
        }
      }
      image.order_rules();
      break;
    }
    case Table::grants: {
      shared = true;
      image.grants.erase(key);
      if (auto record = read_row<store::GrantRecord>(row, damage)) image.grants.emplace(key, std::move(*record));
      break;
    }
    case Table::backends: {
      shared = true;
      image.backends.erase(key);
      if (auto record = read_row<store::BackendRecord>(row, damage)) image.backends.emplace(key, std::move(*record));
      break;
    }
    case Table::sessions:
    case Table::answers:
    case Table::counters:
    case Table::snapshots: return;  // nobody reads these from memory
  }
  const std::string place = std::string(store::table_def(table).name) + "/" + key;
  image.damaged.erase(place);
  if (damage) {
    image.damaged[place] = damage->to_string();
    note_damage(table, key, *damage);
  }
  if (shared) shared_generation_.fetch_add(1, std::memory_order_acq_rel);
}

Result<void> Catalog::load() {
  auto image = std::make_shared<Image>();
  HOMEPORT_CHECK(store_.read([&](store::ReadTransaction& tx) -> Result<void> {
    for (const auto table : {Table::backends, Table::classes, Table::rules, Table::grants, Table::users, Table::aliases,
                             Table::spaces, Table::tokens}) {
      HOMEPORT_TRY(const auto rows, tx.list(table, {}));
      for (const auto& row : rows) apply_row(*image, table, row.key, row);
    }
    HOMEPORT_TRY(const auto open, tx.list(Table::operations, {.column = "open", .value = "1"}));
    for (const auto& row : open) apply_row(*image, Table::operations, row.key, row);
    return {};
  }));
  const std::unique_lock lock(mutex_);
  image_ = std::move(image);
  return {};
}

void Catalog::on_changes(std::span<const store::Change> changes) {
  struct Fresh {
    Table table;
    std::string key;
    std::optional<store::Row> row;
  };
  std::vector<Fresh> fresh;
  const auto read = store_.read([&](store::ReadTransaction& tx) -> Result<void> {
    fresh.clear();
    std::set<std::pair<Table, std::string_view>> seen;
    for (const auto& change : changes) {
      if (change.table == Table::sessions || change.table == Table::answers || change.table == Table::counters ||
          change.table == Table::snapshots)
        continue;
      if (!seen.emplace(change.table, change.key).second) continue;
      HOMEPORT_TRY(auto row, tx.get(change.table, change.key));
      fresh.push_back({change.table, change.key, std::move(row)});
    }
    return {};
  });
  if (!read) {
    log::error("change feed could not be read; memory is rebuilt", {{"why", read.error().to_string()}});
    if (const auto loaded = load(); !loaded) log::error("rebuild failed", {{"why", loaded.error().to_string()}});
    return;
  }
  const std::unique_lock lock(mutex_);
  if (!image_) return;  // load() has not been called yet and will read everything
  for (auto& change : fresh) apply_row(*image_, change.table, change.key, change.row);
}

UserPtr Catalog::user(std::string_view user_key) const {
  const std::shared_lock lock(mutex_);
  return image_->user(user_key);
}

UserPtr Catalog::user_by_name(std::string_view realm, std::string_view name) const {
  std::string key;
  key.reserve(realm.size() + name.size() + 1);
  key.append(realm).append("/").append(name);
  const std::shared_lock lock(mutex_);
  const auto at = image_->users_by_name.find(key);
  return at == image_->users_by_name.end() ? nullptr : image_->user(at->second);
}

std::vector<std::string> Catalog::names_of(std::string_view user_key) const {
  const std::shared_lock lock(mutex_);
  std::vector<std::string> out;
  const auto at = image_->people.find(user_key);
  if (at == image_->people.end()) return out;
  for (const auto* names : {&at->second.names, &at->second.former_names}) {
    for (const auto& key : *names) out.push_back(key.substr(key.find('/') + 1));
  }
  return out;
}

std::vector<UserPtr> Catalog::users() const {
  std::vector<UserPtr> out;
  {
    const std::shared_lock lock(mutex_);
    for (const auto& [key, entry] : image_->people) {
      if (entry.record) out.push_back(entry.record);
    }
  }
  std::sort(out.begin(), out.end(), [](const UserPtr& a, const UserPtr& b) { return a->key < b->key; });
  return out;
}

std::string Catalog::similar_name(std::string_view realm, std::string_view name) const {
  const std::string own = std::string(realm) + "/" + std::string(name);
  const std::string skeleton = std::string(realm) + "/" + name_skeleton(name);
  const std::shared_lock lock(mutex_);
  const auto at = image_->skeletons.find(skeleton);
  if (at == image_->skeletons.end()) return {};
  for (const auto& key : at->second) {
    if (key != own) return key.substr(key.find('/') + 1);
  }
  return {};
}

SpacePtr Catalog::space_around(std::string_view backend, const AbsolutePath& path) const {
  const std::string prefix = std::string(backend) + ":";
  const std::string own = prefix + path.str() + "/";
  const std::shared_lock lock(mutex_);
  const auto found = [&](const auto& at) -> SpacePtr {
    const auto space = image_->spaces.find(at->second);
    return space == image_->spaces.end() ? nullptr : space->second;
  };
  const auto below = image_->places.lower_bound(own);
  if (below != image_->places.end() && below->first.starts_with(own)) return found(below);
  for (auto end = own.find('/', prefix.size() + 1); end != std::string::npos; end = own.find('/', end + 1)) {
    const auto above = image_->places.find(std::string_view(own).substr(0, end + 1));
    if (above != image_->places.end()) return found(above);
  }
  return nullptr;
}

std::vector<UserPtr> Catalog::merged_people() const {
  const std::shared_lock lock(mutex_);
  return values_of(image_->merged_away);
}

std::vector<UserPtr> Catalog::people_to_mark() const {
  const std::shared_lock lock(mutex_);
  return values_of(image_->to_mark);
}

std::vector<SpacePtr> Catalog::homes_to_measure() const {
  const std::shared_lock lock(mutex_);
  return values_of(image_->to_measure);
}

std::optional<std::string> Catalog::user_with_uid(std::string_view realm, std::uint32_t uid) const {
  const std::string key = std::string(realm) + "/" + std::to_string(uid);
  const std::shared_lock lock(mutex_);
  const auto at = image_->users_by_uid.find(key);
  return at == image_->users_by_uid.end() || at->second.empty() ? std::nullopt : std::optional(*at->second.begin());
}

SpacePtr Catalog::space(std::string_view key) const {
  const std::shared_lock lock(mutex_);
  const auto at = image_->spaces.find(key);
  return at == image_->spaces.end() ? nullptr : at->second;
}

SpacePtr Catalog::space_by_label(std::string_view label) const {
  const std::shared_lock lock(mutex_);
  const auto at = image_->labels.find(label);
  return at == image_->labels.end() ? nullptr : at->second;
}

std::vector<SpacePtr> Catalog::homes_of(std::string_view user_key) const {
  std::vector<SpacePtr> out;
  const std::shared_lock lock(mutex_);
  const auto person = image_->people.find(user_key);
  if (person == image_->people.end()) return out;
  for (const auto& key : person->second.spaces) {
    const auto& space = image_->spaces.at(key);
    if (space->kind == SpaceKind::home && !space->label().empty()) out.push_back(space);
  }
  std::sort(out.begin(), out.end(), [](const SpacePtr& a, const SpacePtr& b) { return a->name < b->name; });
  return out;
}

std::vector<SpacePtr> Catalog::spaces(bool all) const {
  std::vector<SpacePtr> out;
  const std::shared_lock lock(mutex_);
  out.reserve(image_->spaces.size());
  for (const auto& [key, space] : image_->spaces) {
    if (all || !space->label().empty()) out.push_back(space);
  }
  return out;
}

SpacePtr Catalog::kept_by_backend(std::string_view user_key, std::string_view name, WallTime now) const {
  const std::shared_lock lock(mutex_);
  return image_->file_systems.last_kept(user_key, name, now);
}

std::map<std::string, std::uint64_t> Catalog::own_file_systems(std::string_view backend, WallTime now) const {
  const std::shared_lock lock(mutex_);
  return image_->file_systems.count(backend, now);
}

bool Catalog::pool_in_use(std::string_view backend, std::string_view pool) const {
  const std::shared_lock lock(mutex_);
  return std::any_of(image_->spaces.begin(), image_->spaces.end(), [&](const auto& row) {
    const auto& space = *row.second;
    const bool made = !space.imported && !space.backend_id.empty() && !space.label().empty();
    return made && space.backend == backend && space.pool == pool;
  });
}

std::optional<std::string> Catalog::open_operation(std::string_view space) const {
  const std::shared_lock lock(mutex_);
  const auto at = image_->open_operations.find(space);
  return at == image_->open_operations.end() ? std::nullopt : std::optional(at->second);
}

ClassPtr Catalog::klass(std::string_view name) const {
  const std::shared_lock lock(mutex_);
  const auto at = image_->classes.find(name);
  return at == image_->classes.end() ? nullptr : at->second;
}

std::vector<ClassPtr> Catalog::classes() const {
  const std::shared_lock lock(mutex_);
  std::vector<ClassPtr> out;
  for (const auto& [name, klass] : image_->classes) out.push_back(klass);
  return out;
}

std::shared_ptr<const std::vector<policies::RuleFacts>> Catalog::rules() const {
  const std::shared_lock lock(mutex_);
  return image_->ordered_rules;
}

std::vector<store::GrantRecord> Catalog::grants_of(std::string_view space) const {
  const std::shared_lock lock(mutex_);
  std::vector<store::GrantRecord> out;
  const std::string prefix = std::string(space) + "/";
  for (auto at = image_->grants.lower_bound(prefix); at != image_->grants.end() && at->first.starts_with(prefix);
       ++at) {
    out.push_back(at->second);
  }
  return out;
}

std::vector<std::pair<std::string, std::string>> Catalog::granted_to(std::string_view user_key,
                                                                     std::span<const std::string> groups) const {
  std::map<std::string, std::string> found;  // space -> the widest access
  const std::shared_lock lock(mutex_);
  for (const auto& [key, grant] : image_->grants) {
    const bool mine =
        grant.subject_kind == "everyone" || (grant.subject_kind == "user" && grant.subject == user_key) ||
        (grant.subject_kind == "group" && std::find(groups.begin(), groups.end(), grant.subject) != groups.end());
    if (!mine) continue;
    auto& access = found[grant.space];
    if (access != "rw") access = grant.access;
  }
  return {found.begin(), found.end()};
}

std::optional<store::BackendRecord> Catalog::backend(std::string_view name) const {
  const std::shared_lock lock(mutex_);
  const auto at = image_->backends.find(name);
  return at == image_->backends.end() ? std::nullopt : std::optional(at->second);
}

std::vector<store::BackendRecord> Catalog::backends() const {
  const std::shared_lock lock(mutex_);
  std::vector<store::BackendRecord> out;
  for (const auto& [name, backend] : image_->backends) out.push_back(backend);
  return out;
}

TokenPtr Catalog::token_by_hash(std::string_view hash) const {
  const std::shared_lock lock(mutex_);
  const auto at = image_->tokens_by_hash.find(hash);
  return at == image_->tokens_by_hash.end() ? nullptr : at->second;
}

std::vector<TokenPtr> Catalog::tokens() const {
  const std::shared_lock lock(mutex_);
  std::vector<TokenPtr> out;
  for (const auto& [id, token] : image_->tokens) out.push_back(token);
  return out;
}

std::uint64_t Catalog::user_generation(std::string_view user_key) const {
  const std::shared_lock lock(mutex_);
  const auto at = image_->people.find(user_key);
  return at == image_->people.end() ? 0 : at->second.generation;
}

std::vector<std::string> Catalog::damaged() const {
  const std::shared_lock lock(mutex_);
  std::vector<std::string> out;
  if (!image_) return out;
  for (const auto& [place, what] : image_->damaged) out.emplace_back(place).append(": ").append(what);
  return out;
}

}  // namespace homeport::core
