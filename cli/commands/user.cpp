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
}

}  // namespace homeport::cli
