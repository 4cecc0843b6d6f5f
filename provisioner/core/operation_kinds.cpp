// What each kind of operation does, step by step. Every step is idempotent: after a crash it is simply done again.
#include <algorithm>
#include <array>

#include "drivers/core/optional.h"
#include "provisioner/core/cluster_steps.h"
#include "provisioner/core/home_place.h"
#include "provisioner/core/measures.h"
#include "provisioner/core/operations.h"
#include "provisioner/core/restore_steps.h"
#include "provisioner/core/snapshot_steps.h"
#include "provisioner/core/space_work.h"
#include "provisioner/render/quoting.h"

namespace homeport::core {

using store::SpaceState;

namespace {

constexpr std::uint64_t kNoId = 0;

bool enforces(drivers::QuotaClass quota) {
  return quota == drivers::QuotaClass::hard || quota == drivers::QuotaClass::cooperative;
}

// What cannot be marked (a read-only export, a backend we only observe) is still served; the record says so.
Result<std::string> write_marker(StepContext& c) {
  if (c.backend_mode == BackendMode::observe) return std::string("no marker: the backend is only observed");
  HOMEPORT_TRY(const auto ref, object_ref(c.space));
  auto written = c.driver.update(c.op, ref, {.marker = marker_of(c.space, c.catalog)});
  if (written) return std::string("marker written");
  const auto code = written.error().code;
  if (code == Errc::permission_denied || code == Errc::unsupported) return "no marker: " + written.error().sentence();
  return std::move(written).error();
}

// Did an earlier attempt make it?
Result<bool> stands_under_its_name(StepContext& c) {
  HOMEPORT_TRY(const auto found, c.driver.find(c.op, {.layout = layout_of(c.space),
                                                      .pool = c.space.pool,
                                                      .name = c.operation.plan.value("backend_name", "")}));
  return found.has_value();
}

Result<void> check_place(StepContext& c) {
  const auto klass = c.catalog.klass(c.space.klass);
  if (!klass || !guards_place(*klass) || !c.space.backend_id.empty()) return {};
  const auto& name = c.space.backend_name;
  const auto prefix = std::string_view(name).substr(0, name.size() - std::min(name.size(), c.space.key.size()));
  auto free = check_place_of_homes(c.op, c.backend, c.catalog, *klass, c.space.pool, prefix, c.clock.mono());
  if (free || is_transient(free.error().code)) return free;
  HOMEPORT_TRY(const bool made, stands_under_its_name(c));  // then it is gone on with, whatever came beside it
  if (made) return {};
  return free;
}

Result<std::string> create_step(StepContext& c) {
  HOMEPORT_CHECK(check_place(c).context(space_words(c.space, c.catalog)));
  HOMEPORT_TRY(auto key, SpaceKey::parse(c.space.key));
  const auto layout = layout_of(c.space);
  const bool quota = c.space.quota_bytes && enforces(quota_class_of(c.driver, c.space, c.catalog));
  drivers::CreateSpec spec{.layout = layout,
                           .pool = c.space.pool,
                           .key = key,
                           .name = c.space.backend_name,
                           .owner = {Uid{c.space.uid}, Gid{c.space.gid}},
                           .mode = c.space.mode,
                           .marker = marker_of(c.space, c.catalog)};
  if (quota) spec.quota = Bytes{*c.space.quota_bytes};
  if (!c.space.backend_id.empty()) spec.known_id = c.space.backend_id;
  spec.pool_in_use = c.catalog.pool_in_use(c.space.backend, c.space.pool);
  HOMEPORT_TRY(const auto object, c.driver.create(c.op, spec).context(space_words(c.space, c.catalog)));
  HOMEPORT_CHECK(take_over(c.op, c.driver, object, c.catalog, c.space));
  return "id " + object.ref.id + " at " + object.path;
}

Result<std::string> resize_step(StepContext& c) {
  const auto quota = c.operation.plan.value("quota_bytes", kNoId);
  HOMEPORT_TRY(const auto ref, object_ref(c.space));
  c.space.quota_bytes = quota;
  c.space.quota_wanted.reset();
  const auto quota_class = quota_class_of(c.driver, c.space, c.catalog);
  if (enforces(quota_class)) {
    const drivers::Change change{.quota = std::optional<Bytes>(Bytes{quota}),
                                 .force = c.operation.plan.value("force", false)};
    HOMEPORT_TRY(const auto object, c.driver.update(c.op, ref, change).context(space_words(c.space, c.catalog)));
    HOMEPORT_CHECK(take_over(c.op, c.driver, object, c.catalog, c.space));
    if (object.quota) c.space.quota_bytes = object.quota->count();  // rounded up by the backend
    HOMEPORT_CHECK(write_marker(c));
    return "limit " + Bytes{*c.space.quota_bytes}.to_string() + ", set on the backend";
  }
  HOMEPORT_CHECK(write_marker(c));
  return "limit " + Bytes{quota}.to_string() + ", recorded; this backend does not enforce it (quota class " +
         std::string(drivers::quota_class_name(quota_class)) + ")";
}

Result<std::string> withdraw_step(StepContext& c) {
  if (!capabilities_of(c.driver, layout_of(c.space)).access_rules)
    return std::string("specs are refused; the server has no rules per space");
  HOMEPORT_TRY(const auto ref, object_ref(c.space));
  HOMEPORT_CHECK(c.driver.set_access(c.op, ref, {}).context(space_words(c.space, c.catalog)));
  return std::string("access withdrawn");
}

Result<std::string> retire_step(StepContext& c) {
  HOMEPORT_TRY(const auto ref, object_ref(c.space));
  HOMEPORT_TRY(const auto object, c.driver.retire(c.op, ref).context(space_words(c.space, c.catalog)));
  c.space.path = object.path;
  return "in the trash at " + object.path;
}

Result<std::string> undelete_step(StepContext& c) {
  HOMEPORT_TRY(const auto ref, object_ref(c.space));
  HOMEPORT_TRY(const auto object, c.driver.undelete(c.op, ref).context(space_words(c.space, c.catalog)));
  HOMEPORT_CHECK(take_over(c.op, c.driver, object, c.catalog, c.space));
  c.space.retired_at.reset();
  c.space.purge_after.reset();
  c.space.recoverable_until.reset();
  return "back at " + object.path;
}

// Everything that can refuse a purge is looked at before anything is removed: from the next step on it only goes
// forward, and a space of which something is gone is never offered for undelete.
Result<std::string> verify_purge_step(StepContext& c) {
  HOMEPORT_TRY(const auto ref, object_ref(c.space));
  HOMEPORT_CHECK(c.driver.purge(DryRun(c.op).op(), ref, std::nullopt).context(space_words(c.space, c.catalog)));
  return std::string("id and marker are ours");
}

Result<std::string> purge_step(StepContext& c) {
  HOMEPORT_TRY(const auto ref, object_ref(c.space));
  std::optional<drivers::Cursor> from;
  if (c.operation.plan.contains("cursor")) from = c.operation.plan.value("cursor", "");
  HOMEPORT_TRY(const auto piece, c.driver.purge(c.op, ref, std::move(from)).context(space_words(c.space, c.catalog)));
  c.operation.progress_done += piece.removed;
  c.operation.progress_unit = "entries";
  c.again = piece.next.has_value();
  if (piece.next) c.operation.plan["cursor"] = *piece.next;
  c.also_write = [now = c.clock.now()](store::WriteTransaction& tx, store::SpaceRecord& space) {
    return mark_purged(tx, space.key, now);
  };
  c.space.recoverable_until = piece.recoverable_until;
  if (!piece.recoverable_until) return std::to_string(c.operation.progress_done) + " entries removed";
  return "destroyed; the backend itself keeps it until " + format_time(*piece.recoverable_until);
}

// An imported home keeps at least what it has and what its people use: nobody is locked out by being imported. Where
// neither is known, there is no limit until the use is (settle_limit). Precondition: taken over.
void set_imported_quota(StepContext& c, const drivers::Object& object) {
  auto& space = c.space;
  const auto wanted = space.quota_wanted ? space.quota_wanted : space.quota_bytes;
  if (layout_of(space) == drivers::Layout::filesystem && enforces(quota_class_of(c.driver, space, c.catalog))) {
    // It has a limit of its own there, or none, and keeps that.
    space.quota_wanted.reset();
    space.quota_bytes = object.quota ? std::optional(object.quota->count()) : std::nullopt;
    space.quota_reason = object.quota ? "imported: its limit on the backend"
                                      : "imported: the backend sets no limit; `homeport home resize` can, once "
                                        "`homeport home rights` allows it";
    return;
  }
  space.quota_reason = "class " + space.klass;
  const bool measured = object.usage && object.usage->basis != drivers::UsageBasis::unknown;
  const bool walks = !measured && c.operation.plan.value("measure", true) && can_measure(c.backend);
  if (walks) space.measure = store::MeasureRecord{.since = c.clock.now()};
  if (!wanted) return;
  if (!measured && !object.quota) {
    space.quota_wanted = wanted;
    space.quota_bytes.reset();
    space.quota_reason = "imported: no limit before its use is known, which " +
                         std::string(walks ? "is being counted" : "backend " + space.backend + " does not measure") +
                         "; then " + Bytes{*wanted}.to_string() + ", or 20 % above its use if that is more";
    return;
  }
  space.quota_wanted.reset();
  space.quota_bytes = wanted;
  if (object.quota && object.quota->count() > *wanted) {
    space.quota_bytes = object.quota->count();
    space.quota_reason = "imported: its limit on the backend";
  }
  if (measured) raise_above_use(space, "imported");
}

std::string seen(const StepContext& c, const drivers::Object& found) {
  return "id " + found.ref.id + ", owner " + std::to_string(c.space.uid) + ":" + std::to_string(c.space.gid);
}

// No number is drawn for somebody whose home may stand: it would own none of it, and the person would be bound to it.
Result<void> check_whose(const StepContext& c, const drivers::Object& found, const std::string& path) {
  if (!c.operation.plan.value("assign", false)) return check_owner(found, Uid{c.space.uid}, path);
  const auto names = c.catalog.names_of(c.space.owner);
  const auto who = names.empty() ? c.space.owner : printable(names.front(), 60);
  const auto ids =
      " --uid " + std::to_string(found.owner.uid.value) + " --gid " + std::to_string(found.owner.gid.value);
  Error error{.code = Errc::failed_precondition,
              .message = path + " belongs to uid " + std::to_string(found.owner.uid.value) +
                         ", and nobody names the uid of " + who,
              .hint =
                  "let a source of identity.order before `assigned` name it; or, if this is theirs, `homeport home "
                  "ensure " +
                  render::shell_quote(who) + ids + "`; or give it to them on the server first"};
  if (c.space.uid == 0) return error;
  // It came between the look and the making.
  if (found.owner.uid == Uid{c.space.uid}) return {};
  error.message = path + " belongs to uid " + std::to_string(found.owner.uid.value) + ", and " + who +
                  " was given uid " + std::to_string(c.space.uid);
  error.hint = "if this is theirs, `homeport user set-uid " + render::shell_quote(who) + ids +
               "` and let them log in again; or give it to them on the server first";
  return error;
}

// Takes what stands at the plan's path over into the record. nullopt: there is nothing.
Result<std::optional<drivers::Object>> adopt_home(StepContext& c) {
  HOMEPORT_TRY(const auto path, AbsolutePath::parse(c.operation.plan.value("path", "")));
  HOMEPORT_TRY(const auto key, SpaceKey::parse(c.space.key));
  // A class's `existing` means directories, whatever it makes.
  const auto layout = c.operation.kind == "home.import" ? layout_of(c.space) : drivers::Layout::directory;
  const drivers::Lookup lookup{.layout = layout, .pool = {}, .path = path, .key = key};
  HOMEPORT_TRY(auto found, c.driver.find(c.op, lookup).context("import " + path.str()));
  if (!found) return found;
  HOMEPORT_CHECK(check_whose(c, *found, path.str()).context(space_words(c.space, c.catalog)));
  found->ref.imported = true;
  c.space.imported = true;
  c.space.rights = kImportedRights;
  c.space.layout = std::string(drivers::layout_name(found->ref.layout));
  c.space.pool = found->ref.pool;
  c.space.gid = found->owner.gid.value;
  c.space.mode = found->mode;
  HOMEPORT_CHECK(take_over(c.op, c.driver, *found, c.catalog, c.space));
  set_imported_quota(c, *found);
  return found;
}

Result<std::string> inspect_home_step(StepContext& c) {
  HOMEPORT_TRY(const auto found, adopt_home(c));
  if (found) return seen(c, *found);
  HOMEPORT_TRY(const auto path, AbsolutePath::parse(c.operation.plan.value("path", "")));
  const auto otherwise = c.operation.plan.find("otherwise");
  if (otherwise != c.operation.plan.end()) {
    return no_such_home(path, c.space.backend,
                        {.message = otherwise->value("message", ""), .hint = otherwise->value("hint", "")});
  }
  return Error{.code = Errc::not_found, .message = "there is no directory " + path.str() + " on " + c.space.backend};
}

// "Nothing stands there" is believed only where something stands beside it: a disk that is not mounted, or not exported
// by itself, shows an empty directory or none, and everybody would get an empty home.
Result<void> check_base(StepContext& c) {
  const auto klass = c.catalog.klass(c.space.klass);
  auto* trees = drivers::find<drivers::TreeAccess>(c.driver);
  if (!klass || !klass->existing || trees == nullptr) return {};
  const auto& base = klass->existing->base();
  Error hidden{.code = Errc::unavailable,
               .message = "the homes of class " + c.space.klass + " should stand in " + base.str() + " on " +
                          c.space.backend + ", and nothing is to be seen there",
               .hint =
                   "is its disk mounted on the server, and exported by itself? If no home stands there, leave "
                   "`existing` out of the class"};
  const auto tree = trees->open_path(c.op, base);
  if (!tree) {
    if (tree.error().code != Errc::not_found) return tree.error();
    return hidden;
  }
  const std::vector<drivers::ListRequest> all{{.directory = (*tree)->root().node}};
  const auto pages = (*tree)->list(c.op, all);
  if (!pages.front()) return pages.front().error();
  if (pages.front()->entries.empty() && !pages.front()->next) return hidden;
  return {};
}

// Now that no home of theirs stands, somebody whom no source knows gets the next number.
Result<void> draw_owner(store::WriteTransaction& tx, const AssignOwner& assign, store::SpaceRecord& space) {
  HOMEPORT_TRY(auto user, store::get<store::UserRecord>(tx, space.owner));
  if (!user || !assign) return Error{.code = Errc::internal, .message = "nobody to draw a uid for"};
  if (!user->uid) {
    HOMEPORT_TRY(const auto owner, assign(tx, space.realm));
    user->uid = owner.uid.value;
    user->gid = owner.gid.value;
    user->identity_source = "assigned";
    HOMEPORT_CHECK(store::put(tx, *user));
  }
  space.uid = *user->uid;
  space.gid = user->gid.value_or(*user->uid);
  return {};
}

// The first login of somebody whose home may stand already. What is decided here is written before anything is made.
Result<std::string> find_home_step(StepContext& c) {
  HOMEPORT_TRY(const auto path, AbsolutePath::parse(c.operation.plan.value("path", "")));
  HOMEPORT_CHECK(check_nobodys(c.catalog, c.space.backend, path));
  HOMEPORT_TRY(const auto found, adopt_home(c));
  if (found) return seen(c, *found) + ", taken over";
  HOMEPORT_CHECK(check_base(c));
  c.also_write = [&backend = c.backend.spec(), draws = c.operation.plan.value("assign", false), &assign = c.assign,
                  now = c.clock.now()](store::WriteTransaction& tx, store::SpaceRecord& space) -> Result<void> {
    if (draws) HOMEPORT_CHECK(draw_owner(tx, assign, space));
    return count_new_home(tx, backend, space.quota_bytes, now);
  };
  return "there is no directory " + path.str() + "; a new home is made in pool " + c.space.pool;
}

Result<std::string> settle_home_step(StepContext& c) {
  if (c.space.imported) return write_marker(c);
  HOMEPORT_TRY(const bool made, stands_under_its_name(c));
  if (!made) {
    // The directory may have come since the look: then that is the home, and no other is made.
    HOMEPORT_TRY(const auto found, adopt_home(c));
    if (found) return write_marker(c);
  }
  return create_step(c);
}

Result<std::string> inspect_step(StepContext& c) {
  HOMEPORT_TRY(auto path, AbsolutePath::parse(c.operation.plan.value("path", "")));
  HOMEPORT_TRY(auto key, SpaceKey::parse(c.space.key));
  drivers::Lookup lookup{.layout = layout_of(c.space), .pool = c.space.pool, .path = path, .key = key};
  HOMEPORT_TRY(auto found, c.driver.find(c.op, lookup).context("import " + path.str()));
  if (!found) {
    return Error{.code = Errc::not_found,
                 .message = "there is nothing at " + path.str() + " on backend " + c.space.backend,
                 .hint = "`homeport backend exports " + c.space.backend + "` shows what the server offers"};
  }
  found->ref.imported = true;
  c.space.pool = found->ref.pool;
  c.space.uid = found->owner.uid.value;
  c.space.gid = found->owner.gid.value;
  c.space.mode = found->mode;
  if (found->quota) c.space.quota_bytes = found->quota->count();
  HOMEPORT_CHECK(take_over(c.op, c.driver, *found, c.catalog, c.space));
  return "id " + found->ref.id + ", owner " + std::to_string(c.space.uid) + ":" + std::to_string(c.space.gid);
}

}  // namespace

const OperationKind& operation_kind(std::string_view name) {
  static const std::array<OperationKind, 13> kinds{{
      {.name = "home.ensure",
       .steps = {{"create", create_step}, {"volume", volume_step, true}, {"claim", claim_step, true}},
       .success = SpaceState::ready},
      {.name = "home.find-or-create",
       .steps = {{"find", find_home_step, false, true},
                 {"settle", settle_home_step},
                 {"volume", volume_step, true},
                 {"claim", claim_step, true}},
       .success = SpaceState::ready},
      {.name = "space.resize",
       .steps = {{"quota", resize_step}},
       .success = SpaceState::ready,
       .restored = SpaceState::ready},
      {.name = "space.retire",
       .steps = {{"withdraw", withdraw_step}, {"retire", retire_step}},
       .success = SpaceState::retired,
       .restored = SpaceState::ready},
      {.name = "space.undelete",
       .steps = {{"undelete", undelete_step}, {"volume", volume_step, true}, {"claim", claim_step, true}},
       .success = SpaceState::ready,
       .restored = SpaceState::retired},
      {.name = "space.purge",
       .steps = {{"verify", verify_purge_step}, {"purge", purge_step}},
       .success = SpaceState::purged,
       .restored = SpaceState::retired,
       .cancellable = false},
      {.name = "home.import",
       .steps = {{"inspect", inspect_home_step}, {"marker", write_marker}},
       .success = SpaceState::ready,
       .changes_backend = false},
      {.name = "dataset.import",
       .steps = {{"inspect", inspect_step}, {"marker", write_marker}},
       .success = SpaceState::ready,
       .changes_backend = false},
      {.name = "snapshot.take",
       .steps = {{"take", take_snapshot_step}},
       .success = std::nullopt,
       .restored = SpaceState::ready,
       .refused = forget_untaken},
      {.name = "snapshot.delete",
       .steps = {{"delete", delete_snapshot_step}},
       .success = std::nullopt,
       .restored = SpaceState::ready,
       .refused = keep_undeleted},
      {.name = "space.clone",
       .steps = {{"clone", clone_space_step}, {"volume", volume_step, true}, {"claim", claim_step, true}},
       .success = SpaceState::ready,
       .refused = release_clone_source},
      {.name = "space.overwrite",
       .steps = {{"overwrite", overwrite_space_step}},
       .success = SpaceState::ready,
       .restored = SpaceState::ready},
      // Copying is out of sight, or whole file by whole file: refused, it leaves nothing that somebody must look after.
      {.name = "space.restore",
       .steps = {{"copy", copy_back_step, false, true}, {"place", place_back_step}},
       .success = std::nullopt,
       .restored = SpaceState::ready},
  }};
  for (const auto& kind : kinds) {
    if (kind.name == name) return kind;
  }
  static const OperationKind unknown{.name = "unknown", .steps = {}, .success = SpaceState::failed};
  return unknown;
}

const OperationKind::Step* next_step(const store::OperationRecord& op) {
  for (const auto& wanted : op.steps) {
    if (wanted.done) continue;
    for (const auto& step : operation_kind(op.kind).steps) {
      if (step.name == wanted.name) return &step;
    }
    return nullptr;
  }
  return nullptr;
}

// An import makes nothing but a record; what it points at stood before and stays.
Result<bool> Operations::something_stands(const store::OperationRecord& op, Backend& backend) const {
  if (op.kind == "dataset.import" || op.kind == "home.import") return false;
  const auto time = call_time();
  if (time.count() <= 0) return Error{.code = Errc::unavailable, .message = "the lease has too little life left"};
  const OpContext context{.request_id = op.request_id, .deadline = clock_.mono() + time, .operation_id = op.id};
  const auto layout =
      drivers::layout_from_name(op.plan.value("layout", "directory")).value_or(drivers::Layout::directory);
  HOMEPORT_TRY(const auto found, backend.driver().find(context, {.layout = layout,
                                                                 .pool = op.plan.value("pool", ""),
                                                                 .name = op.plan.value("backend_name", "")}));
  return found.has_value();
}

bool has_touched(const store::OperationRecord& op) {
  const auto& steps = operation_kind(op.kind).steps;
  return std::any_of(op.steps.begin(), op.steps.end(), [&](const auto& done) {
    const auto at = std::find_if(steps.begin(), steps.end(), [&](const auto& step) { return step.name == done.name; });
    return done.done && (at == steps.end() || !at->looks_only);
  });
}

}  // namespace homeport::core
