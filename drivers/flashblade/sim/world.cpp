#include "drivers/flashblade/sim/world.h"

#include <algorithm>

#include "provisioner/base/log.h"
#include "provisioner/base/names.h"

namespace homeport::fbsim {

World::World(Settings settings_in, const Clock& clock_in, IdSource& ids_in)
    : settings(std::move(settings_in)), clock(clock_in), ids(ids_in) {
  array.id = new_id();
  array.name = settings.array_name;
}

Millis World::now() const {
  if (due_now_) return *due_now_;
  return clock.now().time_since_epoch().count() + clock_offset;
}

void World::at(Millis due, std::function<void()> what) {
  timers_.emplace(due, std::move(what));
}

void World::advance() {
  const Millis until = now();
  while (!timers_.empty() && timers_.begin()->first <= until) {
    auto first = timers_.extract(timers_.begin());
    due_now_ = first.key();
    tallies.clear();
    first.mapped()();
  }
  due_now_.reset();
}

std::string World::new_id() {
  const std::string high = hex16(ids.random64());
  const std::string low = hex16(ids.random64());
  return high.substr(0, 8) + '-' + high.substr(8, 4) + '-' + high.substr(12) + '-' + low.substr(0, 4) + '-' +
         low.substr(4);
}

Table<Document>& World::table(std::string_view type) {
  const auto found = documents.find(type);
  if (found != documents.end()) return found->second;
  // Recorded policies stand in the order of their ids.
  const bool policies = type.ends_with("policies");
  return documents.emplace(std::string(type), Table<Document>(policies ? Order::by_id : Order::by_name)).first->second;
}

const Resource* World::resource(std::string_view type, std::string_view id) const {
  if (id.empty()) return nullptr;
  if (type == "arrays" && id == array.id) return &array;
  if (type == "file-systems") return file_systems.by_id(id);
  if (type == "file-system-snapshots") return snapshots.by_id(id);
  const auto place = documents.find(type);
  return place == documents.end() ? nullptr : place->second.by_id(id);
}

void World::measure(FileSystem& fs) {
  if (data == nullptr) return;
  data->measure(fs);
  tallies.clear();
}

Json World::reference_to(std::string_view type, std::string_view id) const {
  const auto* found = resource(type, id);
  return found == nullptr ? null_reference() : reference(found->name, found->id, type);
}

Refusal World::missing(std::string_view what, std::string_view name) const {
  // Of a change, an empty list is no answer.
  const unsigned status = settings.missing_status == 404 ? 404 : 400;
  return Refusal{std::string(what) + " does not exist.", std::string(name), status};
}

Refusal World::exists(std::string_view what, std::string_view name) const {
  return Refusal{std::string(what) + " already exists.", std::string(name), settings.exists_status};
}

void World::data_step(const Or<void>& done, std::string_view what, const std::string& name) {
  if (done) return;
  ++failed_data_steps;
  log::error("data_step_failed", {{"step", std::string(what)}, {"name", name}, {"why", done.error().message}});
}

void World::schedule(FileSystem& fs) {
  const std::string id = fs.id;
  if (fs.destroyed && fs.eradicate_at != 0) {
    at(fs.eradicate_at, [this, id, due = fs.eradicate_at] {
      auto* found = file_systems.by_id(id);
      if (found != nullptr && found->destroyed && found->eradicate_at == due) eradicate(*found);
    });
  }
  if (fs.promoted_at != 0) {
    at(fs.promoted_at, [this, id, due = fs.promoted_at] {
      auto* found = file_systems.by_id(id);
      if (found == nullptr || found->promoted_at != due) return;
      found->promotion = "promoted";
      found->promoted_at = 0;
    });
  }
}

void World::schedule(Snapshot& snapshot) {
  if (!snapshot.destroyed || snapshot.eradicate_at == 0) return;
  at(snapshot.eradicate_at, [this, id = snapshot.id, due = snapshot.eradicate_at] {
    auto* found = snapshots.by_id(id);
    if (found != nullptr && found->destroyed && found->eradicate_at == due) eradicate(*found);
  });
}

void World::destroy(FileSystem& fs) {
  fs.destroyed = true;
  fs.eradicate_at = now() + settings.eradication_delay_ms;
  for (auto* snapshot : fs.snapshots) {
    if (snapshot->destroyed) continue;
    snapshot->destroyed = true;
    snapshot->destroyed_with_owner = true;
    snapshot->eradicate_at = fs.eradicate_at;
  }
  schedule(fs);
  if (data != nullptr) data_step(data->hide(fs), "hide", fs.name);
}

void World::recover(FileSystem& fs) {
  fs.destroyed = false;
  fs.eradicate_at = 0;
  for (auto* snapshot : fs.snapshots) {
    if (snapshot->destroyed_with_owner) recover(*snapshot);
  }
  if (data != nullptr) data_step(data->show(fs), "show", fs.name);
}

void World::eradicate(FileSystem& fs) {
  for (const auto& tell : on_eradicate) tell(fs);
  while (!fs.snapshots.empty()) eradicate(*fs.snapshots.back());
  if (data != nullptr) data_step(data->remove(fs), "remove", fs.name);
  file_systems.erase(fs);
}

void World::destroy(Snapshot& snapshot) {
  snapshot.destroyed = true;
  snapshot.destroyed_with_owner = false;
  snapshot.eradicate_at = now() + settings.eradication_delay_ms;
  schedule(snapshot);
}

void World::recover(Snapshot& snapshot) {
  snapshot.destroyed = false;
  snapshot.destroyed_with_owner = false;
  snapshot.eradicate_at = 0;
}

void World::eradicate(Snapshot& snapshot) {
  if (data != nullptr) data_step(data->remove_snapshot(snapshot), "remove_snapshot", snapshot.name);
  std::erase(snapshot.owner->snapshots, &snapshot);
  snapshots.erase(snapshot);
}

}  // namespace homeport::fbsim
