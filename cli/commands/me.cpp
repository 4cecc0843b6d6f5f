// What somebody in a notebook asks: who am I here, and how full is my home.
#include <nlohmann/json.hpp>

#include "cli/commands/registry.h"
#include "cli/views.h"

namespace homeport::cli {
namespace {

Result<ExitCode> me(Cli& cli, const NoOptions&) {
  return get_and_show(cli, Target("/v1/me"), me_view);
}

Result<ExitCode> usage(Cli& cli, const NameOption& o) {
  Target target("/v1/homes");
  if (!o.name.empty()) {
    HOMEPORT_TRY(const auto user, user_or_key(o.name));
    target.query("user", user);
  }
  HOMEPORT_TRY(target, in_realm(cli, std::move(target)));
  return list_and_show(cli, std::move(target), usage_view);
}

}  // namespace

Result<Json> who_am_i(Cli& cli, const char* otherwise) {
  HOMEPORT_TRY(Api * api, cli.api());
  HOMEPORT_TRY(auto answer, api->get(Target("/v1/me")));
  if (member(answer, "user") != nullptr) return answer;
  return Error{.code = Errc::invalid_argument,
               .message = "no user is named, and the token is not a person's own",
               .hint = std::string("name one: ") + otherwise};
}

void add_me_commands(const Noun& root) {
  add_verb<NoOptions>(root,
                      {.name = "me",
                       .description = "Show who you are here and your homes. In a notebook it needs no option.",
                       .example = "homeport me\nhomeport me -o json"},
                      me);
  const auto using_up = add_verb<NameOption>(
      root,
      {.name = "usage",
       .description = "Show how full homes are, and how old the count is: yours in a notebook, otherwise everybody's.",
       .example = "homeport usage\nhomeport usage alice",
       .takes_realm = true},
      usage);
  add(using_up.app, "user", using_up.options.name, "USER", "only the homes of this person");
}

}  // namespace homeport::cli
