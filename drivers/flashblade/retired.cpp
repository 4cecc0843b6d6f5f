#include "drivers/flashblade/retired.h"

#include "drivers/flashblade/export_rules.h"
#include "drivers/flashblade/inventory.h"
#include "drivers/flashblade/spaces.h"

namespace homeport::drivers::flashblade {
namespace {

// Eradication runs in the background on an array.
constexpr const char* kAgain = "eradicating";

// The protocols stay on, for Homeport: the rules keep everybody else out, also those who hold an old mount.
FileSystemChange closing(const Backend& backend) {
  return {.rules = backend.closed_rules()};
}

bool is_closed(const Backend& backend, const FileSystem& fs) {
  return fs.export_policy.empty() && same_rules(fs.rules, backend.closed_rules());
}

Error not_allowed(const ObjectRef& ref, const ArrayFacts& array, const std::string& why) {
  std::string delay = array.eradication_delay ? format_duration(*array.eradication_delay) : "its delay";
  return Error{.code = Errc::failed_precondition,
               .message = "the array does not let anybody eradicate " + ref.name + ": " + why,
               .hint =
                   "write eradicate: false in the backend's section: purge then destroys it, and the array "
                   "eradicates it by itself after " +
                   delay};
}

// Refused before anything is destroyed.
Result<void> check_eradication(const Backend& backend, const ObjectRef& ref, const FileSystem& fs,
                               const ArrayFacts& array) {
  if (!backend.config().eradicate) return {};
  if (array.safe_mode()) return not_allowed(ref, array, "SafeMode is on (" + array.manual_eradication + ")");
  if (fs.eradication_forbidden) return not_allowed(ref, array, "its own eradication_config forbids it");
  return {};
}

// A crash after the last call leaves the marker of something that is no more.
Result<PurgeStep> sweep_marker(const OpContext& op, Backend& backend, const ObjectRef& ref) {
  HOMEPORT_TRY(const auto record, backend.admin().read(op, ref.key));
  if (record.marker && record.marker->key == ref.key && record.marker->id == ref.id) {
    HOMEPORT_CHECK(backend.admin().remove(op, ref.key, record.shelf));
  }
  return PurgeStep{};
}

Result<PurgeStep> eradicate(const OpContext& op, Backend& backend, const ObjectRef& ref, const ArrayFacts& array) {
  auto done = backend.api().eradicate_file_system(op, ref.id);
  if (!done && (done.error().code == Errc::failed_precondition || done.error().code == Errc::permission_denied)) {
    auto error = not_allowed(ref, array, done.error().upstream ? done.error().upstream->detail : "it refuses");
    error.message += "; it is destroyed, and its timer runs";
    error.upstream = done.error().upstream;
    return error;
  }
  if (!done) return std::move(done).error();
  if (!op.dry_run) {
    HOMEPORT_TRY(const auto left, backend.api().file_system_by_id(op, ref.id));
    if (left) return PurgeStep{.next = kAgain};
  }
  HOMEPORT_CHECK(backend.admin().remove(op, ref.key, Shelf::trash));
  return PurgeStep{.removed = 1};
}

}  // namespace

Result<Object> retire_space(const OpContext& op, Backend& backend, const ObjectRef& ref) {
  HOMEPORT_CHECK(backend.pool(ref.layout, ref.pool));
  HOMEPORT_CHECK(must_be_made_here(ref, "withdraws"));
  HOMEPORT_CHECK(backend.ready(op));
  HOMEPORT_TRY(auto standing, verify(op, backend, ref, MarkerRule::must_match));
  if (!standing) return gone(ref);
  if (!standing->fs.destroyed && !is_closed(backend, standing->fs)) {
    HOMEPORT_TRY(auto now, backend.api().change_file_system(op, ref.id, closing(backend)));
    if (now) standing->fs = *std::move(now);
  }
  if (standing->record.shelf != Shelf::trash) {
    HOMEPORT_CHECK(backend.admin().move_to_trash(op, ref.key));
    standing->record.shelf = Shelf::trash;
    standing->record.modified = backend.clock().now();
  }
  return to_object(op, backend, ref.pool, ref.key, *standing);
}

Result<Object> undelete_space(const OpContext& op, Backend& backend, const ObjectRef& ref) {
  HOMEPORT_CHECK(backend.pool(ref.layout, ref.pool));
  HOMEPORT_CHECK(must_be_made_here(ref, "brings back"));
  HOMEPORT_CHECK(backend.ready(op));
  HOMEPORT_CHECK(backend.check_policy(op));
  HOMEPORT_TRY(auto standing, verify(op, backend, ref, MarkerRule::must_match));
  if (!standing) return gone(ref);
  bool fresh = false;
  // Alone: a destroyed file system takes no other change.
  if (standing->fs.destroyed) {
    HOMEPORT_TRY(auto now, backend.api().change_file_system(op, ref.id, {.destroyed = false}));
    if (now) standing->fs = *std::move(now);
    fresh = true;
  }
  const bool was_away = fresh || standing->record.shelf == Shelf::trash;
  if (was_away) {
    HOMEPORT_TRY(const auto change, opening(backend, standing->fs));
    if (change.nfs || change.rules || change.export_policy) {
      HOMEPORT_TRY(auto now, backend.api().change_file_system(op, ref.id, change));
      if (now) standing->fs = *std::move(now);
    }
  }
  if (standing->record.shelf == Shelf::trash) {
    HOMEPORT_CHECK(backend.admin().move_back(op, ref.key));
    standing->record.shelf = Shelf::live;
  }
  if (op.dry_run) standing->fs.destroyed = false;
  const bool unseen = op.dry_run && fresh;
  if (unseen) return object_of(backend, ref.pool, ref.key, *standing, {});
  HOMEPORT_TRY(const auto tree, backend.mount(op, standing->fs, fresh));
  return object_of(backend, ref.pool, ref.key, *standing, tree->root().attributes);
}

Result<PurgeStep> purge_space(const OpContext& op, Backend& backend, const ObjectRef& ref,
                              const std::optional<Cursor>& from) {
  if (from && *from != kAgain) {
    return Error{.code = Errc::invalid_argument, .message = "'" + printable(*from, 60) + "' is not a place in a purge"};
  }
  HOMEPORT_CHECK(backend.pool(ref.layout, ref.pool));
  HOMEPORT_CHECK(must_be_made_here(ref, "removes"));
  HOMEPORT_CHECK(backend.ready(op));
  HOMEPORT_TRY(const auto standing, verify(op, backend, ref, MarkerRule::must_match));
  // Again: the session may have been renewed, and SafeMode switched on since the last one began.
  HOMEPORT_TRY(const auto array, backend.ready(op));
  if (!standing) return sweep_marker(op, backend, ref);
  if (standing->record.shelf != Shelf::trash) {
    return Error{.code = Errc::failed_precondition,
                 .message = "space " + ref.key.str() + " is live; only a retired one can be purged",
                 .hint = "retire it first"};
  }
  HOMEPORT_CHECK(check_eradication(backend, ref, standing->fs, array));
  auto left = standing->fs.time_remaining;
  if (!standing->fs.destroyed) {
    FileSystemChange destroy{.nfs = false, .destroyed = true};
    HOMEPORT_TRY(const auto now, backend.api().change_file_system(op, ref.id, destroy));
    left = now ? now->time_remaining : std::nullopt;
  }
  // Its marker stays with it: it is ours, and can come back, until the array has eradicated it.
  if (!backend.config().eradicate) {
    if (!left) left = array.eradication_delay;
    return PurgeStep{.removed = 1,
                     .recoverable_until = left ? std::optional(backend.clock().now() + *left) : std::nullopt};
  }
  return eradicate(op, backend, ref, array);
}

}  // namespace homeport::drivers::flashblade
