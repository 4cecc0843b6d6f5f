#include <nlohmann/json.hpp>

#include "cli/commands/registry.h"
#include "cli/commands/restore.h"
#include "cli/views.h"
#include "provisioner/base/names.h"

namespace homeport::cli {
namespace {

constexpr const char* kSpace = "home/NAME, dataset/NAME or a key";
constexpr const char* kSnapshot = "a space, @, and the snapshot's name, label or key: home/alice@before-update";

struct TakeOptions {
  std::string space{};
  std::string label{};
  std::string reason{};
  Mutation mutation{};
};
struct SnapshotOptions {
  std::string snapshot{};
  Mutation mutation{};
};
struct HoldOptions {
  std::string snapshot{};
  std::string owner{};
  std::string reason{};
  std::string expires{};
};
struct ReleaseOptions {
  std::string snapshot{};
  std::string hold{};
};
struct SnapshotOverwriteOptions {
  std::string snapshot{};
  OverwriteOptions overwrite{};
};
struct CloneOptions {
  std::string from{};
  std::string name{};
  std::string note{};
  bool read_write = false;
  Mutation mutation{};
};
struct DatasetOptions {
  std::string name{};
  std::string confirmed{};
  bool force = false;
  Mutation mutation{};
};

// The service finds what is named; here only what can be no name of a snapshot is refused.
Result<Target> snapshot_target(Cli& cli, const std::string& name) {
  const auto at = name.rfind('@');
  if (at == std::string::npos || at == 0 || at + 1 == name.size()) {
    return Error{
        .code = Errc::invalid_argument,
        .message = "'" + printable(name, 80) + "' names no snapshot",
        .hint = "write SPACE@SNAPSHOT, such as home/alice@before-update; homeport snapshot list SPACE lists them"};
  }
  return in_realm(cli, Target("/v1/snapshots").part(name));
}

// A time, or how long from now.
Result<std::string> end_of_hold(const Cli& cli, const std::string& text) {
  if (const auto length = parse_duration(text)) return format_time(cli.now() + *length);
  if (const auto at = parse_time(text)) return format_time(*at);
  return Error{.code = Errc::invalid_argument,
               .message = "--expires " + printable(text, 40) + " is neither a time nor a length of time",
               .hint = "for example --expires 30d or --expires 2026-12-01T00:00:00Z"};
}

Result<ExitCode> take(Cli& cli, const TakeOptions& o) {
  Json body{{"space", o.space}};
  if (!o.label.empty()) body["label"] = o.label;
  if (!o.reason.empty()) body["reason"] = o.reason;
  HOMEPORT_TRY(auto target, in_realm(cli, Target("/v1/snapshots")));
  HOMEPORT_TRY(const auto outcome,
               mutate(cli, {.method = "POST", .target = std::move(target), .body = body.dump()}, o.mutation));
  return show_outcome(cli, outcome, snapshot_view);
}

Result<ExitCode> list(Cli& cli, const NameOption& o) {
  HOMEPORT_TRY(auto target, in_realm(cli, Target("/v1/snapshots").query("space", o.name).query("limit", "1000")));
  HOMEPORT_TRY(Api * api, cli.api());
  HOMEPORT_TRY(auto answer, api->get(target));
  for (const auto& note : items_at(answer, "notes")) cli.note("homeport: " + safe_text(scalar_text(note)));
  if (member(answer, "next") != nullptr) {
    HOMEPORT_TRY(answer, api->list(target));
  }
  cli.show(answer, snapshots_view);
  return ExitCode::ok;
}

Result<ExitCode> show(Cli& cli, const NameOption& o) {
  HOMEPORT_TRY(const auto target, snapshot_target(cli, o.name));
  return get_and_show(cli, target, snapshot_view);
}

Result<ExitCode> hold(Cli& cli, const HoldOptions& o) {
  HOMEPORT_TRY(auto target, snapshot_target(cli, o.snapshot));
  Json body = Json::object();
  if (!o.owner.empty()) body["owner"] = o.owner;
  if (!o.reason.empty()) body["reason"] = o.reason;
  if (!o.expires.empty()) {
    HOMEPORT_TRY(body["expires"], end_of_hold(cli, o.expires));
  }
  HOMEPORT_TRY(Api * api, cli.api());
  HOMEPORT_TRY(
      const auto held,
      api->json({.method = "POST", .target = target.literal("holds"), .body = body.dump(), .repeat = Repeat::keyed}));
  if (flag_at(held, "of_pool")) cli.note("homeport: this is the snapshot of a whole pool, kept for every space in it");
  cli.show(held, snapshot_view);
  return ExitCode::ok;
}

// Whose hold it is need not be said where there is one.
Result<std::string> only_hold(Cli& cli, const Target& target) {
  HOMEPORT_TRY(Api * api, cli.api());
  HOMEPORT_TRY(const auto snapshot, api->get(target));
  const auto& holds = items_at(snapshot, "holds");
  if (holds.size() == 1) return text_at(holds.front(), "id");
  if (holds.empty()) return Error{.code = Errc::not_found, .message = "nobody holds it"};
  std::string owners;
  for (const auto& one : holds) owners += (owners.empty() ? "" : ", ") + text_at(one, "owner");
  return Error{.code = Errc::invalid_argument,
               .message = "it is held by " + std::to_string(holds.size()) + ": " + printable(owners, 200),
               .hint = "say whose hold ends: --owner OWNER"};
}

Result<ExitCode> release(Cli& cli, const ReleaseOptions& o) {
  HOMEPORT_TRY(auto target, snapshot_target(cli, o.snapshot));
  std::string which = o.hold;
  if (which.empty()) {
    HOMEPORT_TRY(which, only_hold(cli, target));
  }
  HOMEPORT_TRY(auto base, snapshot_target(cli, o.snapshot));
  HOMEPORT_TRY(Api * api, cli.api());
  HOMEPORT_TRY(const auto left,
               api->json({.method = "DELETE", .target = base.literal("holds").part(which), .repeat = Repeat::keyed}));
  cli.show(left, snapshot_view);
  return ExitCode::ok;
}

Result<ExitCode> remove(Cli& cli, const SnapshotOptions& o) {
  HOMEPORT_TRY(auto target, snapshot_target(cli, o.snapshot));
  HOMEPORT_TRY(const auto outcome, mutate(cli, {.method = "DELETE", .target = std::move(target)}, o.mutation));
  return show_outcome(cli, outcome, snapshot_view);
}

Result<ExitCode> overwrite(Cli& cli, const SnapshotOverwriteOptions& o) {
  HOMEPORT_CHECK(snapshot_target(cli, o.snapshot));  // says what is wrong with the name
  return overwrite_by_storage(cli, o.snapshot, o.overwrite);
}

// --- Datasets that Homeport makes ------------------------------------------------------------------------------------

Result<Target> dataset_target(const std::string& name, const char* verb) {
  if (!SpaceKey::parse(name)) HOMEPORT_CHECK(slug(name));
  return Target("/v1/datasets").part(name).literal(verb);
}

Result<ExitCode> clone(Cli& cli, const CloneOptions& o) {
  HOMEPORT_TRY(const auto name, slug(o.name));
  Json body{{"from", o.from}, {"read_only", !o.read_write}};
  if (!o.note.empty()) body["note"] = o.note;
  HOMEPORT_TRY(auto target, in_realm(cli, Target("/v1/datasets").part(name).literal("clone")));
  HOMEPORT_TRY(const auto outcome,
               mutate(cli, {.method = "POST", .target = std::move(target), .body = body.dump()}, o.mutation));
  return show_outcome(cli, outcome, space_view);
}

Result<ExitCode> retire(Cli& cli, const DatasetOptions& o) {
  HOMEPORT_TRY(auto target, dataset_target(o.name, "retire"));
  if (o.force) target.query("force", "true");
  HOMEPORT_TRY(const auto outcome, mutate(cli, {.method = "POST", .target = std::move(target)}, o.mutation));
  return show_outcome(cli, outcome, space_view);
}

Result<ExitCode> undelete(Cli& cli, const DatasetOptions& o) {
  HOMEPORT_TRY(auto target, dataset_target(o.name, "undelete"));
  HOMEPORT_TRY(const auto outcome, mutate(cli, {.method = "POST", .target = std::move(target)}, o.mutation));
  return show_outcome(cli, outcome, space_view);
}

Result<ExitCode> purge(Cli& cli, const DatasetOptions& o) {
  const std::string confirmed = o.mutation.dry_run ? o.name : o.confirmed;
  if (confirmed.empty()) {
    return Error{.code = Errc::invalid_argument,
                 .message = "purge destroys data for good",
                 .hint = "repeat the name: --yes-purge " + o.name};
  }
  HOMEPORT_TRY(auto target, dataset_target(o.name, "purge"));
  Call call{.method = "POST", .target = std::move(target), .body = Json{{"confirm", confirmed}}.dump()};
  HOMEPORT_TRY(const auto outcome, mutate(cli, std::move(call), o.mutation));
  return show_outcome(cli, outcome, space_view);
}

Verb<DatasetOptions> add_dataset_verb(const Noun& noun, const VerbText& text,
                                      Result<ExitCode> (*action)(Cli&, const DatasetOptions&)) {
  const auto verb = add_verb<DatasetOptions>(noun, text, action);
  add(verb.app, "dataset", verb.options.name, "DATASET", "name of the dataset")->required();
  add_dry_run(verb.app, verb.options.mutation);
  add_wait(verb.app, verb.options.mutation);
  return verb;
}

void add_holding(const Noun& noun) {
  const auto holding = add_verb<HoldOptions>(
      noun,
      {.name = "hold",
       .description = "Keep a snapshot: nothing of Homeport deletes it, nor the space it is of, until it is released "
                      "or the hold expires. One hold per owner; said again, it is renewed.",
       .example = "homeport snapshot hold home/alice@final --owner legal --expires 90d",
       .takes_realm = true},
      hold);
  add(holding.app, "snapshot", holding.options.snapshot, "SPACE@SNAPSHOT", kSnapshot)->required();
  add(holding.app, "--owner", holding.options.owner, "NAME", "whose hold it is; your token's otherwise");
  add(holding.app, "--reason", holding.options.reason, "TEXT", "shown to whoever wants to delete it");
  add(holding.app, "--expires", holding.options.expires, "TIME", "for example 30d or 2026-12-01T00:00:00Z; never");
  const auto releasing =
      add_verb<ReleaseOptions>(noun,
                               {.name = "release",
                                .description = "End a hold. Where more than one keeps it, say whose with --owner.",
                                .example = "homeport snapshot release home/alice@before-update --owner legal",
                                .takes_realm = true},
                               release);
  add(releasing.app, "snapshot", releasing.options.snapshot, "SPACE@SNAPSHOT", kSnapshot)->required();
  add(releasing.app, "--owner", releasing.options.hold, "NAME", "whose hold, or the hold's id");
}

void add_overwrite_command(const Noun& noun) {
  const auto verb = add_verb<SnapshotOverwriteOptions>(
      noun,
      {.name = "overwrite",
       .description = "The same as `homeport restore SPACE@SNAPSHOT --array`, which says what it means.",
       .example = "homeport snapshot overwrite home/alice@before-update --yes-overwrite alice",
       .takes_realm = true},
      overwrite);
  add(verb.app, "snapshot", verb.options.snapshot, "SPACE@SNAPSHOT", kSnapshot)->required();
  auto& o = verb.options.overwrite;
  add(verb.app, "--yes-overwrite", o.confirmed, "NAME", "the name of the owner or the dataset once more");
  verb.app->add_flag("--force", o.force, "also while a session mounts it");
  add_dry_run(verb.app, o.mutation);
  add_wait(verb.app, o.mutation);
}

}  // namespace

void add_snapshot_commands(const Noun& noun) {
  const auto taking = add_verb<TakeOptions>(
      noun,
      {.name = "take",
       .description = "Keep a space as it is now. With --label it is found again as SPACE@LABEL, which is also how a "
                      "version of a dataset gets its name.",
       .example = "homeport snapshot take home/alice --label before-update --reason 'pandas 3'\n"
                  "homeport snapshot take dataset/imagenet --label 2026-11",
       .takes_realm = true},
      take);
  add(taking.app, "space", taking.options.space, "SPACE", kSpace)->required();
  add(taking.app, "--label", taking.options.label, "LABEL", "a name of your own, unique for the space");
  add(taking.app, "--reason", taking.options.reason, "TEXT", "why, for whoever looks at it later");
  add_dry_run(taking.app, taking.options.mutation);
  add_wait(taking.app, taking.options.mutation);
  const auto listing = add_verb<NameOption>(
      noun,
      {.name = "list",
       .description = "List the snapshots of a space, also those that others took on the storage system itself.",
       .example = "homeport snapshot list home/alice",
       .takes_realm = true},
      list);
  add(listing.app, "space", listing.options.name, "SPACE", kSpace)->required();
  const auto showing = add_verb<NameOption>(noun,
                                            {.name = "show",
                                             .description = "Show one snapshot, why it was taken and who keeps it.",
                                             .example = "homeport snapshot show dataset/imagenet@2026-11",
                                             .takes_realm = true},
                                            show);
  add(showing.app, "snapshot", showing.options.name, "SPACE@SNAPSHOT", kSnapshot)->required();
  add_holding(noun);
  const auto deleting =
      add_verb<SnapshotOptions>(noun,
                                {.name = "delete",
                                 .description = "Delete a snapshot that Homeport took and nobody holds.",
                                 .example = "homeport snapshot delete home/alice@before-update",
                                 .takes_realm = true},
                                remove);
  add(deleting.app, "snapshot", deleting.options.snapshot, "SPACE@SNAPSHOT", kSnapshot)->required();
  add_dry_run(deleting.app, deleting.options.mutation);
  add_wait(deleting.app, deleting.options.mutation);
  add_overwrite_command(noun);
  add_snapshot_file_commands(noun);
}

void add_clone_commands(const Noun& dataset) {
  const auto cloning = add_verb<CloneOptions>(
      dataset,
      {.name = "clone",
       .description = "Make a dataset from a space, or from a snapshot of one, by the storage system's own copy: a "
                      "frozen view for a dashboard, or with --read-write a copy of its own for a course. Owners of "
                      "files stay as they are.",
       .example = "homeport dataset clone dataset/imagenet@2026-11 course-a --read-write\n"
                  "homeport dataset clone home/alice@final thesis-data --dry-run",
       .takes_realm = true},
      clone);
  auto& o = cloning.options;
  add(cloning.app, "source", o.from, "SPACE[@SNAPSHOT]", "what it is made from")->required();
  add(cloning.app, "name", o.name, "NAME", "what the new dataset shall be called")->required();
  cloning.app->add_flag("--read-write", o.read_write, "let people who are granted rw write; read-only otherwise");
  add(cloning.app, "--note", o.note, "TEXT", "for other admins");
  add_dry_run(cloning.app, o.mutation);
  add_wait(cloning.app, o.mutation);
  const auto retiring =
      add_dataset_verb(dataset,
                       {.name = "retire",
                        .description = "Take a dataset that Homeport made out of use; its data stay for 30 days at "
                                       "least. What was imported is released instead.",
                        .example = "homeport dataset retire course-a"},
                       retire);
  retiring.app->add_flag("--force", retiring.options.force, "also while a session mounts it");
  add_dataset_verb(dataset,
                   {.name = "undelete",
                    .description = "Bring a retired dataset back.",
                    .example = "homeport dataset undelete course-a"},
                   undelete);
  const auto purging = add_dataset_verb(dataset,
                                        {.name = "purge",
                                         .description = "Destroy the data of a retired dataset for good.",
                                         .example = "homeport dataset purge course-a --yes-purge course-a"},
                                        purge);
  add(purging.app, "--yes-purge", purging.options.confirmed, "NAME", "the name once more");
}

}  // namespace homeport::cli
