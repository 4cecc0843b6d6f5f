#include <nlohmann/json.hpp>

#include "cli/commands/registry.h"
#include "cli/views.h"
#include "provisioner/base/names.h"

namespace homeport::cli {
namespace {

struct ImportOptions {
  std::string name{};
  std::string backend{};
  std::string path{};
  std::string note{};
  bool read_write = false;
  Mutation mutation{};
};
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

Result<ExitCode> import(Cli& cli, const ImportOptions& o) {
  HOMEPORT_TRY(auto target, dataset_target(o.name));
  HOMEPORT_TRY(const auto backend, slug(o.backend));
  HOMEPORT_TRY(const auto path, AbsolutePath::parse(o.path));
  Json body{{"backend", backend}, {"path", path.str()}, {"read_only", !o.read_write}};
  if (!o.note.empty()) body["note"] = o.note;
  HOMEPORT_TRY(const auto outcome,
               mutate(cli, {.method = "PUT", .target = std::move(target), .body = body.dump()}, o.mutation));
  if (outcome.kind == Outcome::Kind::dry_run) {
    cli.show(outcome.body, import_preview_view);
    return ExitCode::ok;
  }
  return show_outcome(cli, outcome, space_view);
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
  const auto verb = add_verb<ImportOptions>(
      noun,
      {.name = "import",
       .description =
           "Serve an export, or a directory of one, as a dataset. It keeps its path, name and owner and is never "
           "renamed or deleted. --dry-run looks at it first: how much, whose, who could read it.",
       .example = "homeport backend exports filer\n"
                  "homeport dataset import genomes --backend filer --export /genomes --dry-run"},
      import);
  auto& o = verb.options;
  add(verb.app, "dataset", o.name, "NAME", "what the dataset shall be called")->required();
  add(verb.app, "--backend", o.backend, "BACKEND", "the backend that exports it")->required();
  add(verb.app, "--export", o.path, "/PATH", "the exported path, or a directory below it")->required();
  verb.app->add_flag("--read-write", o.read_write, "let people write; read-only otherwise");
  add(verb.app, "--note", o.note, "TEXT", "for other admins");
  add_dry_run(verb.app, o.mutation);
  add_wait(verb.app, o.mutation);
}

}  // namespace

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
