#include <nlohmann/json.hpp>

#include "cli/commands/dataset_imports.h"
#include "cli/commands/registry.h"
#include "cli/usage.h"
#include "cli/views.h"
#include "provisioner/base/names.h"

namespace homeport::cli {
namespace {

struct ReleaseOptions {
  std::string name{};
  Mutation mutation{};
};
struct GrantOptions {
  std::string name{};
  std::string group{};
  std::string user{};
  bool everyone = false;
  std::string access = "ro";
};
struct Subject {
  std::string kind;
  std::string name;
};

Result<Target> dataset_target(const std::string& name) {
  if (!SpaceKey::parse(name)) HOMEPORT_CHECK(slug(name));
  return Target("/v1/datasets").part(name);
}

// What belongs to one way of saying where the data is and is given with another is refused, not ignored.
Result<void> check_options(const DatasetImportOptions& o) {
  const int ways = (o.path.empty() ? 0 : 1) + (o.from_array ? 1 : 0) + (o.from_pv.empty() ? 0 : 1);
  if (ways != 1) {
    return usage_error(
        "one of --export, --from-array and --from-pv is needed",
        "--export names a path of the server, --from-array a file system of an array, --from-pv the file of a "
        "PersistentVolume");
  }
  if (!o.match.empty() && !o.from_array) return usage_error("--match goes with --from-array", {});
  if ((!o.volume.empty() || !o.servers.empty()) && o.from_pv.empty())
    return usage_error("--volume and --server go with --from-pv", {});
  if (!o.servers.empty() && o.backend.empty())
    return usage_error("--server says another name of a backend's server: name it with --backend", {});
  if (o.backend.empty() && o.from_pv.empty())
    return usage_error("--backend is needed", "`homeport backend list` shows them");
  if (o.name.empty() && !o.path.empty())
    return usage_error("the dataset needs a name", "homeport dataset import NAME …");
  return {};
}

Result<ExitCode> import(Cli& cli, const DatasetImportOptions& o) {
  HOMEPORT_CHECK(check_options(o));
  if (!o.name.empty()) HOMEPORT_CHECK(dataset_target(o.name));
  if (o.from_array) return import_from_array(cli, o);
  if (!o.from_pv.empty()) return import_from_volumes(cli, o);
  HOMEPORT_TRY(const auto outcome, import_dataset(cli, {.name = o.name, .backend = o.backend, .path = o.path}, o));
  return show_imported(cli, outcome);
}

Result<ExitCode> list(Cli& cli, const NoOptions&) {
  return list_and_show(cli, Target("/v1/datasets"), datasets_view);
}

Result<ExitCode> show(Cli& cli, const NameOption& o) {
  HOMEPORT_TRY(const auto target, dataset_target(o.name));
  return get_and_show(cli, target, space_view);
}

Result<Subject> subject_of(const GrantOptions& o) {
  const int given = (o.group.empty() ? 0 : 1) + (o.user.empty() ? 0 : 1) + (o.everyone ? 1 : 0);
  if (given != 1) {
    return Error{.code = Errc::invalid_argument,
                 .message = given == 0 ? "nobody is named" : "more than one of --group, --user and --everyone is given",
                 .hint = "give one of --group G, --user U and --everyone"};
  }
  if (o.everyone) return Subject{.kind = "everyone", .name = ""};
  if (!o.user.empty()) {
    HOMEPORT_TRY(const auto user, UserName::parse(o.user));
    return Subject{.kind = "user", .name = user.str()};
  }
  HOMEPORT_TRY(const auto group, GroupName::parse(o.group));
  return Subject{.kind = "group", .name = group.str()};
}

Result<ExitCode> grant(Cli& cli, const GrantOptions& o) {
  HOMEPORT_TRY(const auto subject, subject_of(o));
  HOMEPORT_TRY(auto target, dataset_target(o.name));
  HOMEPORT_TRY(target, in_realm(cli, target.literal("grants")));
  const Json body{{"subject_kind", subject.kind},
                  {"subject", subject.name.empty() ? Json(nullptr) : Json(subject.name)},
                  {"access", o.access}};
  HOMEPORT_TRY(Api * api, cli.api());
  HOMEPORT_CHECK(
      api->json({.method = "POST", .target = std::move(target), .body = body.dump(), .repeat = Repeat::keyed}));
  return show(cli, {.name = o.name});
}

Result<ExitCode> withdraw(Cli& cli, const GrantOptions& o) {
  HOMEPORT_TRY(const auto subject, subject_of(o));
  HOMEPORT_TRY(auto target, dataset_target(o.name));
  // A part of a path cannot be empty: the kind stands for the subject of everyone.
  target.literal("grants").part(subject.kind).part(subject.name.empty() ? subject.kind : subject.name);
  HOMEPORT_TRY(target, in_realm(cli, std::move(target)));
  HOMEPORT_TRY(Api * api, cli.api());
  HOMEPORT_CHECK(api->json({.method = "DELETE", .target = std::move(target), .repeat = Repeat::keyed}));
  return show(cli, {.name = o.name});
}

Result<ExitCode> release(Cli& cli, const ReleaseOptions& o) {
  HOMEPORT_TRY(auto target, dataset_target(o.name));
  HOMEPORT_TRY(const auto outcome, mutate(cli, {.method = "POST", .target = target.literal("release")}, o.mutation));
  return show_outcome(cli, outcome, space_view);
}

void add_subject(CLI::App* app, GrantOptions& o) {
  add(app, "dataset", o.name, "DATASET", "name of the dataset")->required();
  add(app, "--group", o.group, "GROUP", "everybody in this group of the hub");
  add(app, "--user", o.user, "USER", "this person");
  app->add_flag("--everyone", o.everyone, "whoever has a home");
}

void add_import(const Noun& noun) {
  const auto verb = add_verb<DatasetImportOptions>(
      noun,
      {.name = "import",
       .description =
           "Serve what stands on a server already as a dataset. It keeps its path, name and owner and is never renamed "
           "or deleted. --dry-run looks at it first: how much, whose, who could read it.\n\n"
           "--export names an export, or a directory of one. --from-array takes whole file systems of an array, "
           "whoever "
           "made them: the one called NAME, the one that fits --match, or without NAME each that fits, called as it "
           "is. "
           "--from-pv reads PersistentVolumes that somebody wrote by hand (nfs, csi-driver-nfs, pure-csi and its "
           "successor; YAML or JSON, several in one file), finds the backend by the server's address or the file "
           "system's name, and points out what is usually wrong in such files.",
       .example = "homeport backend exports filer\n"
                  "homeport dataset import genomes --backend filer --export /genomes --dry-run\n"
                  "homeport dataset import climate --backend fb1 --from-array\n"
                  "homeport dataset import --backend fb1 --from-array --match 'data-*' --dry-run\n"
                  "homeport dataset import climate --from-pv pv.yaml --dry-run"},
      import);
  auto& o = verb.options;
  add(verb.app, "dataset", o.name, "NAME", "what the dataset shall be called");
  add(verb.app, "--backend", o.backend, "BACKEND", "the backend that has it; --from-pv finds it");
  add(verb.app, "--export", o.path, "/PATH", "the exported path, or a directory below it");
  verb.app->add_flag("--from-array", o.from_array,
                     "whole file systems of an array, made by hand or by another program");
  add(verb.app, "--match", o.match, "GLOB", "with --from-array: names of file systems, with * and ?");
  add(verb.app, "--from-pv", o.from_pv, "FILE", "a PersistentVolume, YAML or JSON; - is standard input");
  add(verb.app, "--volume", o.volume, "PV", "with --from-pv: only this volume of the file");
  verb.app
      ->add_option("--server", o.servers,
                   "with --from-pv and --backend: another name of the backend's server; may be repeated")
      ->type_name("HOST")
      ->expected(1)
      ->take_all();
  verb.app->add_flag("--read-write", o.read_write, "let people write; read-only otherwise");
  add(verb.app, "--note", o.note, "TEXT", "for other admins");
  add_dry_run(verb.app, o.mutation);
  add_wait(verb.app, o.mutation);
}

}  // namespace

Result<Outcome> import_dataset(Cli& cli, const DatasetWish& wish, const DatasetImportOptions& o) {
  HOMEPORT_TRY(auto target, dataset_target(wish.name));
  HOMEPORT_TRY(const auto backend, slug(wish.backend));
  HOMEPORT_TRY(const auto path, AbsolutePath::parse(wish.path));
  Json body{{"backend", backend}, {"path", path.str()}, {"read_only", !o.read_write}};
  if (wish.whole) body["layout"] = "filesystem";
  if (!o.note.empty()) body["note"] = o.note;
  return mutate(cli, {.method = "PUT", .target = std::move(target), .body = body.dump()}, o.mutation);
}

Result<ExitCode> show_imported(Cli& cli, const Outcome& outcome) {
  if (outcome.kind != Outcome::Kind::dry_run) return show_outcome(cli, outcome, space_view);
  cli.show(outcome.body, import_preview_view);
  return ExitCode::ok;
}

void add_dataset_commands(const Noun& noun) {
  add_import(noun);
  add_verb<NoOptions>(noun, {.name = "list", .description = "List datasets.", .example = "homeport dataset list"},
                      list);
  const auto showing = add_verb<NameOption>(noun,
                                            {.name = "show",
                                             .description = "Show one dataset and who may see it.",
                                             .example = "homeport dataset show genomes"},
                                            show);
  add(showing.app, "dataset", showing.options.name, "DATASET", "name of the dataset")->required();
  const auto granting =
      add_verb<GrantOptions>(noun,
                             {.name = "grant",
                              .description = "Let a group, a person or everyone see a dataset at their next login.",
                              .example = "homeport dataset grant genomes --group biology",
                              .takes_realm = true},
                             grant);
  add_subject(granting.app, granting.options);
  add_choice(granting.app, "--access", granting.options.access, "ro|rw", "what they may do (ro)");
  const auto withdrawing =
      add_verb<GrantOptions>(noun,
                             {.name = "withdraw",
                              .description = "Take a grant back. What a session mounts already stays until it ends.",
                              .example = "homeport dataset withdraw genomes --group biology",
                              .takes_realm = true},
                             withdraw);
  add_subject(withdrawing.app, withdrawing.options);
  const auto releasing = add_verb<ReleaseOptions>(noun,
                                                  {.name = "release",
                                                   .description = "Forget a dataset. Its data are not touched.",
                                                   .example = "homeport dataset release genomes"},
                                                  release);
  add(releasing.app, "dataset", releasing.options.name, "DATASET", "name of the dataset")->required();
  add_wait(releasing.app, releasing.options.mutation);
  add_clone_commands(noun);
}

}  // namespace homeport::cli
