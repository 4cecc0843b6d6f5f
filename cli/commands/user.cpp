#include <nlohmann/json.hpp>

#include "cli/commands/registry.h"
#include "cli/views.h"

namespace homeport::cli {
namespace {

struct SetUidOptions {
  std::string user{};
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
};

Result<ExitCode> list(Cli& cli, const NoOptions&) {
  HOMEPORT_TRY(auto target, in_realm(cli, Target("/v1/users")));
  return list_and_show(cli, std::move(target), users_view);
}

Result<Target> user_target(Cli& cli, const std::string& text, const char* verb = nullptr) {
  HOMEPORT_TRY(const auto user, user_or_key(text));
  Target target = Target("/v1/users").part(user);
  if (verb != nullptr) target.literal(verb);
  return in_realm(cli, std::move(target));
}

Result<ExitCode> show(Cli& cli, const NameOption& o) {
  HOMEPORT_TRY(const auto target, user_target(cli, o.name));
  return get_and_show(cli, target, user_view);
}

Result<ExitCode> set_uid(Cli& cli, const SetUidOptions& o) {
  HOMEPORT_TRY(auto target, user_target(cli, o.user, "uid"));
  HOMEPORT_TRY(Api * api, cli.api());
  HOMEPORT_TRY(const auto user, api->json({.method = "POST",
                                           .target = std::move(target),
                                           .body = Json{{"uid", o.uid}, {"gid", o.gid}}.dump(),
                                           .repeat = Repeat::keyed}));
  cli.show(user, user_view);
  return ExitCode::ok;
}

struct RenameOptions {
  std::string user{};
  std::string name{};
  bool free_old_name = false;
  bool allow_similar = false;
};

struct MergeOptions {
  std::string user{};
  std::string into{};
  std::string home{};
};

Result<ExitCode> post_user(Cli& cli, const std::string& name, const char* verb, const Json& body) {
  HOMEPORT_TRY(auto target, user_target(cli, name, verb));
  HOMEPORT_TRY(Api * api, cli.api());
  HOMEPORT_TRY(
      const auto user,
      api->json({.method = "POST", .target = std::move(target), .body = body.dump(), .repeat = Repeat::keyed}));
  cli.show(user, user_view);
  return ExitCode::ok;
}

Result<ExitCode> rename(Cli& cli, const RenameOptions& o) {
  Json body{{"name", o.name}};
  if (o.free_old_name) body["free_old_name"] = true;
  if (o.allow_similar) body["allow_similar"] = true;
  return post_user(cli, o.user, "rename", body);
}

Result<ExitCode> keep(Cli& cli, const NameOption& o) {
  HOMEPORT_TRY(auto target, user_target(cli, o.name, "keep"));
  HOMEPORT_TRY(Api * api, cli.api());
  HOMEPORT_TRY(const auto user, api->json({.method = "POST", .target = std::move(target), .repeat = Repeat::keyed}));
  cli.show(user, user_view);
  return ExitCode::ok;
}

Result<ExitCode> merge(Cli& cli, const MergeOptions& o) {
  return post_user(cli, o.user, "merge", Json{{"into", o.into}, {"other_home", o.home}});
}

}  // namespace

void add_user_commands(const Noun& noun) {
  add_verb<NoOptions>(noun,
                      {.name = "list",
                       .description = "List the people Homeport knows.",
                       .example = "homeport user list",
                       .takes_realm = true},
                      list);
  const auto showing = add_verb<NameOption>(noun,
                                            {.name = "show",
                                             .description = "Show one person: names, key, ids.",
                                             .example = "homeport user show alice",
                                             .takes_realm = true},
                                            show);
  add(showing.app, "user", showing.options.name, "USER", "name or key (u-…)")->required();
  const auto setting = add_verb<SetUidOptions>(
      noun,
      {.name = "set-uid",
       .description =
           "Change the ids that were pinned when the person was first seen. Files that exist keep their owner.",
       .example = "homeport user set-uid alice --uid 2001 --gid 2001",
       .takes_realm = true},
      set_uid);
  add(setting.app, "user", setting.options.user, "USER", "name or key (u-…)")->required();
  setting.app->add_option("--uid", setting.options.uid, "the new user id")->type_name("N")->required();
  setting.app->add_option("--gid", setting.options.gid, "the new group id")->type_name("N")->required();

  const auto renaming = add_verb<RenameOptions>(
      noun,
      {.name = "rename",
       .description = "Give a person another name; the home, its ids and grants stay theirs. The old name goes on "
                      "leading to them, until --free gives it up for somebody new.",
       .example = "homeport user rename alice alice.smith",
       .takes_realm = true},
      rename);
  add(renaming.app, "user", renaming.options.user, "USER", "name or key (u-…)")->required();
  add(renaming.app, "name", renaming.options.name, "NAME", "the new name")->required();
  renaming.app->add_flag("--free", renaming.options.free_old_name,
                         "the old name is nobody's from now on: who logs in with it next is a new person");
  renaming.app->add_flag("--allow-similar", renaming.options.allow_similar,
                         "the new name looks like somebody else's, and that is right");
  const auto keeping = add_verb<NameOption>(
      noun,
      {.name = "keep",
       .description =
           "Say that an account which was deleted in the hub and made again is the same person's: their home "
           "opens again. Somebody new gets a home of their own by homeport user rename --free.",
       .example = "homeport user keep bob",
       .takes_realm = true},
      keep);
  add(keeping.app, "user", keeping.options.name, "USER", "name or key (u-…)")->required();
  const auto merging = add_verb<MergeOptions>(
      noun,
      {.name = "merge",
       .description =
           "Say that two names are one person. Both lead to INTO from now on, and so does whoever was merged "
           "into USER before. The homes of USER are retired (their data is kept), or mounted beside the "
           "other at /merged/USER (a named server's at /merged/USER+SERVER). Nothing is copied.",
       .example = "homeport user merge asmith alice --home retire",
       .takes_realm = true},
      merge);
  add(merging.app, "user", merging.options.user, "USER", "name or key of the person who is given up")->required();
  add(merging.app, "into", merging.options.into, "INTO", "name or key of the person who is left")->required();
  merging.app->add_option("--home", merging.options.home, "what becomes of USER's homes: retire, or beside")
      ->type_name("WHAT")
      ->check(CLI::IsMember({"retire", "beside"}))
      ->required();
}

}  // namespace homeport::cli
