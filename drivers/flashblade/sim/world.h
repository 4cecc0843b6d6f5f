// The state of the array: all objects, its clock, what happens as time passes.
//
// Threads: one at a time; the server holds one lock around every call.
#pragma once

#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <string>

#include "drivers/flashblade/sim/call.h"
#include "drivers/flashblade/sim/listing.h"
#include "drivers/flashblade/sim/objects.h"
#include "drivers/flashblade/sim/settings.h"
#include "provisioner/base/clock.h"
#include "provisioner/base/id_source.h"

namespace homeport::fbsim {

// The real files behind file systems, where there are any (--data).
class DataPath {
 public:
  virtual ~DataPath() = default;
  virtual Or<void> make(const FileSystem& fs) = 0;
  virtual Or<void> rename(const std::string& from, const std::string& to) = 0;
  virtual Or<void> hide(const FileSystem& fs) = 0;  // destroyed: clients lose it
  virtual Or<void> show(const FileSystem& fs) = 0;
  virtual Or<void> remove(const FileSystem& fs) = 0;
  virtual Or<void> snapshot(const Snapshot& snapshot) = 0;
  virtual Or<void> rename_snapshot(const FileSystem& owner, const std::string& from, const std::string& to) = 0;
  virtual Or<void> remove_snapshot(const Snapshot& snapshot) = 0;
  virtual Or<void> restore(const Snapshot& snapshot) = 0;
  virtual Or<void> copy(const Snapshot& snapshot, const FileSystem& to) = 0;
  // Shows or hides .snapshot.
  virtual Or<void> follow(const FileSystem& fs) = 0;
  // Logical bytes in all, and by owner.
  virtual void measure(FileSystem& fs) = 0;
};

struct World {
  World(Settings settings_in, const Clock& clock_in, IdSource& ids_in);
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  Settings settings;
  const Clock& clock;
  IdSource& ids;
  DataPath* data = nullptr;

  Table<FileSystem> file_systems{};
  Table<Snapshot> snapshots{};
  std::map<std::string, Table<Document>, std::less<>> documents{};
  Document array{};
  std::deque<Json> audits{};
  std::deque<Json> session_log{};
  std::map<std::string, Json, std::less<>> recorded_answers{};  // by path: what --load found and nothing else makes
  // By question, what listings counted; emptied by whatever may change something. See listing.h.
  std::map<std::string, Tally, std::less<>> tallies{};
  std::uint64_t last_sequence = 0;
  std::int64_t clock_offset = 0;  // ms ahead of the real clock

  // The array's time. While something due in the past happens, the time at which it was due.
  [[nodiscard]] Millis now() const;
  // Lets everything happen that is due. Call it before looking at anything.
  void advance();
  void at(Millis due, std::function<void()> what);
  void clear_timers() { timers_.clear(); }

  [[nodiscard]] std::string new_id();
  [[nodiscard]] Table<Document>& table(std::string_view type);
  // Null: gone or empty.
  [[nodiscard]] const Resource* resource(std::string_view type, std::string_view id) const;
  [[nodiscard]] Json reference_to(std::string_view type, std::string_view id) const;  // null members: gone or empty
  [[nodiscard]] Json array_reference() const { return reference(array.name, array.id, "arrays"); }

  [[nodiscard]] Refusal missing(std::string_view what, std::string_view name) const;  // "File system does not exist."
  [[nodiscard]] Refusal exists(std::string_view what, std::string_view name) const;

  // Life of file systems and snapshots, without any checks: the API and the control port both use it.
  void destroy(FileSystem& fs);
  void recover(FileSystem& fs);
  void eradicate(FileSystem& fs);
  void destroy(Snapshot& snapshot);
  void recover(Snapshot& snapshot);
  void eradicate(Snapshot& snapshot);
  void schedule(FileSystem& fs);  // after its eradicate_at or promoted_at was set
  void schedule(Snapshot& snapshot);

  void measure(FileSystem& fs);  // looks at its files, where there are any
  void data_step(const Or<void>& done, std::string_view what, const std::string& name);
  std::uint64_t failed_data_steps = 0;  // real files that could not follow; counted, and logged
  // Called before a file system goes, by other families of objects.
  std::vector<std::function<void(FileSystem&)>> on_eradicate{};
  std::vector<std::function<void(FileSystem&)>> on_change{};  // after a create or a change

 private:
  std::multimap<Millis, std::function<void()>> timers_{};
  std::optional<Millis> due_now_{};
};

// Finds what `names` or `ids` of the query ask for. Errors: both given; one is missing (settings.missing_status; with
// 200, missing ones are left out).
template <class T>
Or<Found<T>> select(const Call& call, const Table<T>& table, std::string_view what, std::string_view names = "names",
                    std::string_view ids = "ids") {
  Found<T> out;
  if (call.has(names) && call.has(ids)) {
    return Refusal{"Cannot specify " + std::string(names) + " along with " + std::string(ids) + "."};
  }
  const bool by_name = call.has(names);
  if (!by_name && !call.has(ids)) return out;
  out.selected = true;
  for (const auto& key : call.list(by_name ? names : ids)) {
    T* object = by_name ? table.by_name(key) : table.by_id(key);
    if (object != nullptr) {
      if (std::find(out.objects.begin(), out.objects.end(), object) == out.objects.end()) out.objects.push_back(object);
    } else if (call.world.settings.missing_status != 200 || call.method != "GET") {
      return call.world.missing(what, key);
    }
  }
  return out;
}

// As select(), for PATCH and DELETE: a selector is required, and it may not be empty.
template <class T>
Or<std::vector<T*>> select_some(const Call& call, const Table<T>& table, std::string_view what) {
  HOMEPORT_TRY(auto found, select(call, table, what));
  if (!found.selected || found.objects.empty()) return Refusal{"Names or ids query parameter is missing"};
  return std::move(found.objects);
}

}  // namespace homeport::fbsim
