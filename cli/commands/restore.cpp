#include "cli/commands/restore.h"

#include <nlohmann/json.hpp>

#include "cli/usage.h"
#include "cli/views.h"
#include "cli/views_files.h"
#include "provisioner/trees/tree_path.h"

namespace homeport::cli {
namespace {

struct BrowseOptions {
  std::string snapshot{};
  std::string path{};
};
struct VersionsOptions {
  std::string space{};
  std::string path{};
  bool digest = false;
  bool all = false;
};
struct RestoreOptions {
  std::string snapshot{};
  std::string path{};
  bool in_place = false;
  std::string to{};
  bool whole = false;
  std::string as_new{};
  bool force = false;
  bool no_safety = false;
  bool array = false;
  std::string confirmed{};  // with --array
  Mutation mutation{};
};

// space_key(), or with "home" the key of the caller's own.
Result<std::string> space_or_own(Cli& cli, const std::string& text, const char* otherwise) {
  if (text != "home" && !text.empty()) return space_key(cli, text);
  HOMEPORT_TRY(const auto me, who_am_i(cli, otherwise));
  for (const auto& home : items_at(me, "homes")) {
    const auto* server = member(home, "server");
    if (server == nullptr || *server == "") return text_at(home, "key");
  }
  return Error{.code = Errc::not_found,
               .message = "you have no home yet",
               .hint = "the next start of a notebook server makes one"};
}

// SPACE@SNAPSHOT for the service. "home" (or nothing) before the '@': the caller's own, in a notebook.
Result<std::string> snapshot_or_own(Cli& cli, const std::string& text) {
  const auto at = text.rfind('@');
  if (at == std::string::npos || at + 1 == text.size()) {
    return usage_error(
        "'" + safe_text(text) + "' names no snapshot",
        "write SPACE@SNAPSHOT, for example home@before-update or home/alice@before-update; homeport snapshot "
        "list shows what there is");
  }
  const auto space = text.substr(0, at);
  if (space != "home" && !space.empty()) return text;
  HOMEPORT_TRY(const auto own, space_or_own(cli, space, "home/NAME@SNAPSHOT"));
  return own + text.substr(at);
}

// Paths are checked here as the service will check them.
Result<std::string> path_word(const std::string& text) {
  HOMEPORT_TRY(const auto path, trees::TreePath::parse(text));
  return path.text();
}

Result<ExitCode> browse(Cli& cli, const BrowseOptions& o) {
  HOMEPORT_TRY(const auto path, path_word(o.path));
  HOMEPORT_TRY(const auto wanted, snapshot_or_own(cli, o.snapshot));
  HOMEPORT_TRY(const auto target,
               in_realm(cli, Target("/v1/snapshots").part(wanted).literal("files").query_if("path", path)));
  HOMEPORT_TRY(Api * api, cli.api());
  HOMEPORT_TRY(const auto found, api->list(target));
  cli.show(found, directory_view);
  return ExitCode::ok;
}

Result<ExitCode> versions(Cli& cli, const VersionsOptions& o) {
  HOMEPORT_TRY(const auto path, path_word(o.path));
  HOMEPORT_TRY(const auto space, space_or_own(cli, o.space, "homeport snapshot versions home/NAME PATH"));
  HOMEPORT_TRY(auto target, in_realm(cli, Target("/v1/versions").query("space", space).query("path", path)));
  if (o.digest) target.query("digest", "true");
  return get_and_show(cli, target, o.all ? all_versions_view : versions_view);
}

// What belongs to one way of restoring and is given with another is refused, not ignored.
Result<void> check_array(const RestoreOptions& o) {
  if (!o.path.empty() || o.in_place || !o.to.empty() || !o.as_new.empty() || o.no_safety) {
    return usage_error("--array lets the storage system overwrite the whole space, and takes no path and no other way",
                       "leave --array out to bring back files, from any snapshot and with a snapshot taken before");
  }
  return {};
}

Result<void> check(const RestoreOptions& o) {
  if (o.array) return check_array(o);
  if (!o.confirmed.empty()) return usage_error("--yes-overwrite goes with --array", "leave it out");
  if (o.mutation.dry_run) {
    return usage_error("--dry-run goes with --array",
                       "`homeport snapshot versions SPACE PATH` shows what would come back");
  }
  if (o.whole && !o.path.empty())
    return usage_error("--whole restores everything, and a path is given too", "leave one of the two out");
  if (!o.whole && o.path.empty())
    return usage_error("no path is given", "name a file or a folder, or restore the whole space with --whole");
  if (!o.to.empty() && (o.in_place || o.whole))
    return usage_error("--to names another folder; --in-place and --whole put things back where they were",
                       "leave one of them out");
  if (!o.as_new.empty()) {
    if (o.whole && !o.in_place && !o.force) return {};
    return usage_error("--as-new makes a new dataset of the whole, and overwrites nothing",
                       "give --whole with it, and no more");
  }
  if (o.whole && !o.in_place) {
    return usage_error(
        "--whole makes the space what it was: what was written since is removed, so say --in-place too",
        "a snapshot is taken first where the storage can; --as-new NAME makes a new dataset of it instead");
  }
  if (o.force && !o.whole) return usage_error("--force goes with --whole or --array", "leave it out");
  if (o.no_safety && !o.in_place) return usage_error("--no-safety-snapshot goes with --in-place", "leave it out");
  return {};
}

// The storage's own copy, as `dataset clone --read-write` asks for it.
Result<ExitCode> clone(Cli& cli, const std::string& from, const RestoreOptions& o) {
  HOMEPORT_TRY(const auto name, slug(o.as_new));
  HOMEPORT_TRY(auto target, in_realm(cli, Target("/v1/datasets").part(name).literal("clone")));
  Call call{.method = "POST", .target = std::move(target), .body = Json{{"from", from}, {"read_only", false}}.dump()};
  HOMEPORT_TRY(const auto outcome, mutate(cli, std::move(call), o.mutation));
  return show_outcome(cli, outcome, space_view);
}

Result<ExitCode> restore(Cli& cli, const RestoreOptions& o) {
  HOMEPORT_CHECK(check(o));
  HOMEPORT_TRY(const auto path, path_word(o.path));
  HOMEPORT_TRY(const auto to, path_word(o.to));
  HOMEPORT_TRY(const auto wanted, snapshot_or_own(cli, o.snapshot));
  if (o.array)
    return overwrite_by_storage(cli, wanted, {.confirmed = o.confirmed, .force = o.force, .mutation = o.mutation});
  if (!o.as_new.empty()) return clone(cli, wanted, o);
  Json body = Json::object();
  if (!path.empty()) body["path"] = path;
  if (!to.empty()) body["to"] = to;
  body["way"] = o.whole ? "whole" : o.in_place ? "in-place" : !to.empty() ? "to" : "beside";
  if (o.force) body["force"] = true;
  if (o.no_safety) body["safety_snapshot"] = false;
  HOMEPORT_TRY(auto target, in_realm(cli, Target("/v1/snapshots").part(wanted).literal("restore")));
  Call call{.method = "POST", .target = std::move(target), .body = body.dump()};
  HOMEPORT_TRY(const auto outcome, mutate(cli, std::move(call), o.mutation));
  if (outcome.kind != Outcome::Kind::done) return show_outcome(cli, outcome, restored_view);
  cli.show(outcome.body, restored_view);
  return ExitCode::ok;
}

}  // namespace

Result<ExitCode> overwrite_by_storage(Cli& cli, const std::string& snapshot, const OverwriteOptions& o) {
  if (o.confirmed.empty() && !o.mutation.dry_run) {
    return Error{.code = Errc::invalid_argument,
                 .message = "what was written since the snapshot would be gone, and no safety snapshot is possible",
                 .hint = "look with --dry-run, then repeat the name: --yes-overwrite NAME"};
  }
  HOMEPORT_TRY(auto target, in_realm(cli, Target("/v1/snapshots").part(snapshot).literal("overwrite")));
  if (o.force) target.query("force", "true");
  Call call{.method = "POST", .target = std::move(target), .body = Json{{"confirm", o.confirmed}}.dump()};
  HOMEPORT_TRY(const auto outcome, mutate(cli, std::move(call), o.mutation));
  return show_outcome(cli, outcome, space_view);
}

void add_snapshot_file_commands(const Noun& noun) {
  const auto browsing = add_verb<BrowseOptions>(
      noun,
      {.name = "browse",
       .description =
           "List what a folder of a snapshot holds. In a notebook, `home` is your own. Names that are no "
           "plain text are spelled \\xNN, and a backslash \\\\; such a name can be given back as it is shown, "
           "in quotes.",
       .example = "homeport snapshot browse home@before-update\n"
                  "homeport snapshot browse home/alice@before-update work",
       .takes_realm = true},
      browse);
  add(browsing.app, "snapshot", browsing.options.snapshot, "SPACE@SNAPSHOT", "by its name or its label")->required();
  add(browsing.app, "path", browsing.options.path, "PATH", "a folder of it; the top without");
  const auto comparing = add_verb<VersionsOptions>(
      noun,
      {.name = "versions",
       .description = "Show which snapshots have a file or folder, and how it differs: one line for each version, with "
                      "the newest snapshot that has it.",
       .example = "homeport snapshot versions home work/analysis.ipynb\n"
                  "homeport snapshot versions home/alice data.csv --digest",
       .takes_realm = true},
      versions);
  add(comparing.app, "space", comparing.options.space, "SPACE", "home/NAME, dataset/NAME or a key; home: your own")
      ->required();
  add(comparing.app, "path", comparing.options.path, "PATH", "relative to the top of the space")->required();
  comparing.app->add_flag("--digest", comparing.options.digest, "compare files by SHA-256: they are read for it");
  comparing.app->add_flag("--all", comparing.options.all, "a line for each snapshot");
}

void add_restore_command(const Noun& root) {
  const auto verb = add_verb<RestoreOptions>(
      root,
      {.name = "restore",
       .description =
           "Bring a file or a folder back from a snapshot, with owner, mode and times. It comes beside the original, "
           "as "
           "\"name (restored 2026-11-19 0300).ipynb\" with the moment of the snapshot in UTC; --to puts it into "
           "another "
           "folder, --in-place over what is there. With --whole --in-place the whole space becomes what it was. Before "
           "anything is overwritten a snapshot is taken, where the storage can. Given again after it was interrupted, "
           "it "
           "goes on. In a notebook, `home` is your own. With --array the storage system itself makes the whole space "
           "what it was, at once however large it is: from the newest snapshot only, what was written since is gone "
           "for "
           "good and no safety snapshot is possible; not for spaces of a pool.",
       .example = "homeport restore home@before-update work/analysis.ipynb\n"
                  "homeport restore home@before-update work --to rescued\n"
                  "homeport restore home/alice@before-update --whole --in-place\n"
                  "homeport restore home/alice@before-update --array --dry-run\n"
                  "homeport restore home/alice@before-update --array --yes-overwrite alice",
       .takes_realm = true},
      restore);
  auto& o = verb.options;
  add(verb.app, "snapshot", o.snapshot, "SPACE@SNAPSHOT", "by its name or its label")->required();
  add(verb.app, "path", o.path, "PATH", "relative to the top of the space");
  verb.app->add_flag("--in-place", o.in_place,
                     "over what is there: a file replaces the file; into a folder, where what came since stays");
  add(verb.app, "--to", o.to, "DIR", "into this folder of the space, under its own name if that is free");
  verb.app->add_flag("--whole", o.whole, "the whole space: also what came since is removed (with --in-place)");
  add(verb.app, "--as-new", o.as_new, "NAME", "with --whole: a new dataset of this name, by the storage's own copy");
  verb.app->add_flag("--array", o.array, "the whole space, by the storage system's own overwrite (for operators)");
  add(verb.app, "--yes-overwrite", o.confirmed, "NAME", "with --array: the name of the owner or the dataset once more");
  verb.app->add_flag("--force", o.force, "with --whole or --array: although a session mounts it");
  verb.app->add_flag("--no-safety-snapshot", o.no_safety,
                     "with --in-place: overwrite without a snapshot before (for operators)");
  verb.app->add_flag("--dry-run", o.mutation.dry_run,
                     "with --array: show what would be done, down to the calls to the backend; change nothing");
  add_wait(verb.app, o.mutation);
}

}  // namespace homeport::cli
