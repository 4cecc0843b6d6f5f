#include <nlohmann/json.hpp>

#include "cli/commands/registry.h"
#include "cli/views.h"

namespace homeport::cli {
namespace {

struct CreateOptions {
  std::string scope{};
  std::string hub{};
  std::string name{};
  std::string expires{};
};

// The token alone goes to standard output, so that it can be caught; what is to know about it goes beside.
void show_created(Cli& cli, const Json& created) {
  if (!cli.wants_table()) {
    cli.show(created, plain_view);
    return;
  }
  cli.print(text_at(created, "token") + "\n");
  std::string text = "token " + text_at(created, "id") + ", scope " + text_at(created, "scope");
  if (const auto hub = text_at(created, "hub"); hub != "-") text += ", hub " + hub;
  if (const auto expires = text_at(created, "expires_at"); expires != "-") text += ", until " + expires;
  cli.note(safe_text(text + ". It is shown this once; keep it in a file that only its user can read."));
}

Result<ExitCode> create(Cli& cli, const CreateOptions& o) {
  if (o.scope == "spawner" && o.hub.empty()) {
    return Error{
        .code = Errc::invalid_argument, .message = "a spawner token speaks for one hub", .hint = "name it with --hub"};
  }
  Json body{{"scope", o.scope}};
  if (!o.hub.empty()) body["hub"] = o.hub;
  if (!o.name.empty()) body["name"] = o.name;
  if (!o.expires.empty()) body["expires"] = o.expires;
  HOMEPORT_TRY(auto target, in_realm(cli, Target("/v1/tokens")));
  HOMEPORT_TRY(Api * api, cli.api());
  HOMEPORT_TRY(
      const auto created,
      api->json({.method = "POST", .target = std::move(target), .body = body.dump(), .repeat = Repeat::keyed}));
  show_created(cli, created);
  return ExitCode::ok;
}

Result<ExitCode> list(Cli& cli, const NoOptions&) {
  return list_and_show(cli, Target("/v1/tokens"), tokens_view);
}

Result<ExitCode> revoke(Cli& cli, const NameOption& o) {
  HOMEPORT_TRY(const auto id, id_word(o.name, "a token"));
  HOMEPORT_TRY(Api * api, cli.api());
  HOMEPORT_CHECK(api->json({.method = "DELETE", .target = Target("/v1/tokens").part(id), .repeat = Repeat::keyed}));
  cli.note("token " + id + " is revoked");
  return ExitCode::ok;
}

Result<ExitCode> rotate(Cli& cli, const NameOption& o) {
  HOMEPORT_TRY(const auto id, id_word(o.name, "a token"));
  HOMEPORT_TRY(Api * api, cli.api());
  HOMEPORT_TRY(const auto created, api->json({.method = "POST",
                                              .target = Target("/v1/tokens").part(id).literal("rotate"),
                                              .repeat = Repeat::keyed}));
  show_created(cli, created);
  return ExitCode::ok;
}

}  // namespace

void add_token_commands(const Noun& noun) {
  const auto creating =
      add_verb<CreateOptions>(noun,
                              {.name = "create",
                               .description = "Make a token and print it, once.",
                               .example = "homeport token create --scope spawner --hub lab --expires 90d > token",
                               .takes_realm = true},
                              create);
  auto& o = creating.options;
  add_choice(creating.app, "--scope", o.scope, "admin|operator|auditor|spawner|user:self", "what it may do")
      ->required();
  add(creating.app, "--hub", o.hub, "HUB", "spawner: the one hub it speaks for");
  add(creating.app, "--name", o.name, "NAME", "to tell it apart in lists");
  add(creating.app, "--expires", o.expires, "TIME", "for example 90d; never otherwise");
  add_verb<NoOptions>(
      noun, {.name = "list", .description = "List tokens; none is shown.", .example = "homeport token list"}, list);
  const auto revoking = add_verb<NameOption>(
      noun,
      {.name = "revoke", .description = "Make a token worthless at once.", .example = "homeport token revoke t-0123"},
      revoke);
  add(revoking.app, "token", revoking.options.name, "ID", "its id, as homeport token list shows it")->required();
  const auto rotating =
      add_verb<NameOption>(noun,
                           {.name = "rotate",
                            .description = "Replace a token by a new one with the same rights, and print that.",
                            .example = "homeport token rotate t-0123"},
                           rotate);
  add(rotating.app, "token", rotating.options.name, "ID", "its id, as homeport token list shows it")->required();
}

}  // namespace homeport::cli
