#include <istream>
#include <nlohmann/json.hpp>
#include <ostream>

#include "cli/commands/registry.h"
#include "cli/commands/roster_ensure.h"
#include "cli/usage.h"
#include "cli/views.h"
#include "provisioner/base/bytes.h"

namespace homeport::cli {
namespace {

struct EnsureOptions {
  std::string user{};
  std::optional<std::uint32_t> uid{};
  std::optional<std::uint32_t> gid{};
  std::string klass{};
  std::string quota{};
  std::string server{};
  bool allow_similar = false;
  std::string from{};
  std::string failures{};
  Mutation mutation{};
};
struct ListOptions {
  std::string state{};
  std::string user{};
  bool dormant = false;
};
struct HomeOptions {
  std::string user{};
  std::string server{};
  Mutation mutation{};
};
struct ResizeOptions {
  HomeOptions home{};
  std::string size{};
  bool force = false;
};
struct ForcedOptions {
  HomeOptions home{};
  bool force = false;
};
struct RightsOptions {
  HomeOptions home{};
  std::string snapshot{};
  std::string resize{};
  std::string destroy{};
};
struct PurgeOptions {
  HomeOptions home{};
  std::string confirmed{};
};

Result<Target> home_target(Cli& cli, const HomeOptions& o, const char* verb = nullptr) {
  HOMEPORT_TRY(const auto user, user_or_key(o.user));
  Target target = Target("/v1/homes").part(user);
  if (verb != nullptr) target.literal(verb);
  return in_realm(cli, target.query_if("server", o.server));
}

// What belongs to one way of calling and is given with the other is refused, not ignored.
Result<void> check_ensure(const EnsureOptions& o) {
  const char* hint =
      "one person: homeport home ensure USER [--uid N --gid N]; many: homeport home ensure --from roster.csv";
  if (o.from.empty()) {
    if (o.user.empty()) return usage_error("neither a user nor a roster is given", hint);
    if (o.uid.has_value() != o.gid.has_value())
      return usage_error("--uid and --gid go together: give both, or neither", hint);
    if (!o.failures.empty()) return usage_error("--failures goes with --from", hint);
    return {};
  }
  const bool single =
      !o.user.empty() || o.uid || o.gid || !o.klass.empty() || !o.quota.empty() || !o.server.empty() || o.allow_similar;
  if (single)
    return usage_error(
        "--from takes users, ids, classes and quotas from the file; give only --failures, --wait and --dry-run with it",
        hint);
  return {};
}

Result<ExitCode> ensure(Cli& cli, const EnsureOptions& o) {
  HOMEPORT_CHECK(check_ensure(o));
  if (!o.from.empty()) {
    return ensure_roster(cli, {.file = o.from, .failures = o.failures, .mutation = o.mutation});
  }
  HOMEPORT_TRY(const auto user, user_or_key(o.user));
  Json body = Json::object();
  if (o.uid && o.gid) body.update({{"uid", *o.uid}, {"gid", *o.gid}});
  if (!o.klass.empty()) body["class"] = o.klass;
  if (!o.quota.empty()) {
    HOMEPORT_TRY(const auto quota, Bytes::parse(o.quota));
    body["quota"] = quota.count();
  }
  if (!o.server.empty()) body["server"] = o.server;
  if (o.allow_similar) body["allow_similar"] = true;
  HOMEPORT_TRY(auto target, in_realm(cli, Target("/v1/homes").part(user)));
  HOMEPORT_TRY(const auto outcome,
               mutate(cli, {.method = "PUT", .target = std::move(target), .body = body.dump()}, o.mutation));
  return show_outcome(cli, outcome, space_view);
}

Result<ExitCode> list(Cli& cli, const ListOptions& o) {
  HOMEPORT_TRY(auto target, in_realm(cli, Target("/v1/homes").query_if("state", o.state).query_if("user", o.user)));
  if (o.dormant) target.query("dormant", "true");
  return list_and_show(cli, std::move(target), homes_view);
}

Result<ExitCode> measure(Cli& cli, const HomeOptions& o) {
  HOMEPORT_TRY(auto target, home_target(cli, o, "measure"));
  HOMEPORT_TRY(Api * api, cli.api());
  HOMEPORT_TRY(const auto home, api->json({.method = "POST", .target = std::move(target), .repeat = Repeat::keyed}));
  cli.show(home, space_view);
  return ExitCode::ok;
}

Result<ExitCode> show(Cli& cli, const HomeOptions& o) {
  HomeOptions wanted = o;
  if (wanted.user.empty()) {
    HOMEPORT_TRY(const auto me, who_am_i(cli, "homeport home show USER"));
    for (const auto& home : items_at(me, "homes")) {
      const auto* server = member(home, "server");
      if (server != nullptr && *server == o.server) wanted.user = text_at(home, "key");
    }
    if (wanted.user.empty()) {
      return Error{.code = Errc::not_found,
                   .message = o.server.empty() ? "you have no home yet" : "you have no home of that server's own",
                   .hint = o.server.empty() ? "the next start of a notebook server makes one"
                                            : "homeport me lists your homes; all servers share the one without a name"};
    }
    wanted.server.clear();  // the key says it
  }
  HOMEPORT_TRY(const auto target, home_target(cli, wanted));
  return get_and_show(cli, target, space_view);
}

Result<ExitCode> resize(Cli& cli, const ResizeOptions& o) {
  HOMEPORT_TRY(const auto size, Bytes::parse(o.size));
  HOMEPORT_TRY(auto target, home_target(cli, o.home));
  if (o.force) target.query("force", "true");
  Call call{.method = "PATCH", .target = std::move(target), .body = Json{{"quota", size.count()}}.dump()};
  HOMEPORT_TRY(const auto outcome, mutate(cli, std::move(call), o.home.mutation));
  return show_outcome(cli, outcome, space_view);
}

Result<ExitCode> change(Cli& cli, const HomeOptions& o, const char* verb) {
  HOMEPORT_TRY(auto target, home_target(cli, o, verb));
  HOMEPORT_TRY(const auto outcome, mutate(cli, {.method = "POST", .target = std::move(target)}, o.mutation));
  return show_outcome(cli, outcome, space_view);
}
Result<ExitCode> forced(Cli& cli, const ForcedOptions& o, const char* verb) {
  HOMEPORT_TRY(auto target, home_target(cli, o.home, verb));
  if (o.force) target.query("force", "true");
  HOMEPORT_TRY(const auto outcome, mutate(cli, {.method = "POST", .target = std::move(target)}, o.home.mutation));
  return show_outcome(cli, outcome, space_view);
}
Result<ExitCode> retire(Cli& cli, const ForcedOptions& o) {
  return forced(cli, o, "retire");
}
// Answered at once: there is no operation to wait for and nothing to preview.
Result<ExitCode> release(Cli& cli, const ForcedOptions& o) {
  HOMEPORT_TRY(auto target, home_target(cli, o.home, "release"));
  if (o.force) target.query("force", "true");
  HOMEPORT_TRY(Api * api, cli.api());
  HOMEPORT_TRY(const auto space, api->json({.method = "POST", .target = std::move(target), .repeat = Repeat::keyed}));
  cli.show(space, space_view);
  return ExitCode::ok;
}
Result<ExitCode> copied(Cli& cli, const HomeOptions& o) {
  HOMEPORT_TRY(auto target, home_target(cli, o, "copied"));
  HOMEPORT_TRY(Api * api, cli.api());
  HOMEPORT_TRY(const auto space, api->json({.method = "POST", .target = std::move(target), .repeat = Repeat::keyed}));
  cli.show(space, space_view);
  return ExitCode::ok;
}
Result<ExitCode> rights(Cli& cli, const RightsOptions& o) {
  Json body = Json::object();
  for (const auto& [name, word] : {std::pair{"snapshot", o.snapshot}, {"resize", o.resize}, {"destroy", o.destroy}}) {
    if (word.empty()) continue;
    if (word != "yes" && word != "no")
      return usage_error("--" + std::string(name) + " takes yes or no", "for example --resize yes");
    body[name] = word == "yes";
  }
  if (body.empty()) return usage_error("no right is named", "homeport home rights USER --resize yes --destroy no");
  HOMEPORT_TRY(auto target, home_target(cli, o.home, "rights"));
  HOMEPORT_TRY(Api * api, cli.api());
  HOMEPORT_TRY(
      const auto space,
      api->json({.method = "POST", .target = std::move(target), .body = body.dump(), .repeat = Repeat::keyed}));
  cli.show(space, space_view);
  return ExitCode::ok;
}
Result<ExitCode> undelete(Cli& cli, const HomeOptions& o) {
  return change(cli, o, "undelete");
}

// Shows what is about to go and has its name typed. Errors: cancelled when another name is typed.
Result<std::string> ask_to_confirm(Cli& cli, const PurgeOptions& o) {
  if (!cli.host().in_terminal) {
    return usage_error("purge destroys data for good and there is no terminal to ask at",
                       "repeat the name: --yes-purge " + o.home.user);
  }
  HOMEPORT_TRY(const auto target, home_target(cli, o.home));
  HOMEPORT_TRY(Api * api, cli.api());
  HOMEPORT_TRY(const auto home, api->get(target));
  const std::string name = text_at(home, "name");
  auto& err = cli.host().err;
  err << space_view(home, cli.look(), cli.now()) << "\nThis destroys the data of " << safe_text(text_at(home, "label"))
      << " for good; nothing brings it back.\nType " << safe_text(name) << " to go on: " << std::flush;
  std::string typed;
  std::getline(cli.host().in, typed);
  if (typed != name) return Error{.code = Errc::cancelled, .message = "another name was typed; nothing was changed"};
  return typed;
}

Result<ExitCode> purge(Cli& cli, const PurgeOptions& o) {
  std::string name = o.confirmed;
  if (name.empty() && o.home.mutation.dry_run) name = o.home.user;
  if (name.empty()) {
    HOMEPORT_TRY(name, ask_to_confirm(cli, o));
  }
  HOMEPORT_TRY(auto target, home_target(cli, o.home, "purge"));
  Call call{.method = "POST", .target = std::move(target), .body = Json{{"confirm", name}}.dump()};
  HOMEPORT_TRY(const auto outcome, mutate(cli, std::move(call), o.home.mutation));
  return show_outcome(cli, outcome, space_view);
}

CLI::Option* add_home(CLI::App* app, HomeOptions& o) {
  add(app, "--server", o.server, "SERVER", "the home of this named server instead of the default one");
  return add(app, "user", o.user, "USER", "the person's name or key, or the key of the home")->required();
}

void add_change(const Noun& noun, const VerbText& text, Result<ExitCode> (*action)(Cli&, const HomeOptions&)) {
  const auto verb = add_verb<HomeOptions>(noun, text, action);
  add_home(verb.app, verb.options);
  add_dry_run(verb.app, verb.options.mutation);
  add_wait(verb.app, verb.options.mutation);
}

void add_ensure(const Noun& noun) {
  const auto verb = add_verb<EnsureOptions>(
      noun,
      {.name = "ensure",
       .description =
           "Make sure that a person has a home: make it, or find that it is there. Can be repeated at will. "
           "Without --uid and --gid they are those pinned earlier, or what the configured identity sources say. "
           "With --from, for everybody in a CSV file with the columns user[,uid,gid][,class][,quota]; the file is "
           "checked whole before anything is sent, and giving the command again goes on where it stopped.",
       .example = "homeport home ensure alice --uid 1001 --gid 1001 --quota 20GiB\n"
                  "homeport home ensure --from roster.csv --failures failed.csv",
       .takes_realm = true},
      ensure);
  auto& o = verb.options;
  add(verb.app, "user", o.user, "USER", "the person's name as the hub knows it");
  verb.app->add_option("--uid", o.uid, "numeric user id that owns the home")->type_name("N");
  verb.app->add_option("--gid", o.gid, "numeric group id")->type_name("N");
  add(verb.app, "--class", o.klass, "CLASS", "class of the home; the rules decide otherwise");
  add(verb.app, "--quota", o.quota, "SIZE", "for example 20GiB; the class decides otherwise");
  add(verb.app, "--server", o.server, "SERVER", "a home of its own for this named server");
  verb.app->add_flag("--allow-similar", o.allow_similar,
                     "yes, this is somebody else than the person of nearly the same name");
  add(verb.app, "--from", o.from, "FILE", "a roster of many people");
  add(verb.app, "--failures", o.failures, "FILE", "with --from: write the lines that failed here, as a roster again");
  add_dry_run(verb.app, o.mutation);
  add_wait(verb.app, o.mutation);
}

void add_reading(const Noun& noun) {
  const auto listing = add_verb<ListOptions>(noun,
                                             {.name = "list",
                                              .description = "List homes.",
                                              .example = "homeport home list --state retired",
                                              .takes_realm = true},
                                             list);
  add(listing.app, "--state", listing.options.state, "STATE", "only homes in this state, for example ready or retired");
  add(listing.app, "--user", listing.options.user, "USER", "only the homes of this person");
  listing.app->add_flag("--dormant", listing.options.dormant, "only those whose owner has left the hub");
  const auto showing = add_verb<HomeOptions>(noun,
                                             {.name = "show",
                                              .description = "Show one home; in a notebook, without a name, your own.",
                                              .example = "homeport home show alice\nhomeport home show",
                                              .takes_realm = true},
                                             show);
  add_home(showing.app, showing.options)->required(false);
}

}  // namespace

void add_home_commands(const Noun& noun) {
  add_ensure(noun);
  add_reading(noun);
  const auto resizing = add_verb<ResizeOptions>(
      noun,
      {.name = "resize",
       .description = "Change the quota of a home. Never below what is used, unless --force is given.",
       .example = "homeport home resize alice 20GiB",
       .takes_realm = true},
      resize);
  add_home(resizing.app, resizing.options.home);
  add(resizing.app, "size", resizing.options.size, "SIZE", "for example 20GiB or 1.5TiB")->required();
  resizing.app->add_flag("--force", resizing.options.force,
                         "also below what is used: then nothing more can be written");
  add_dry_run(resizing.app, resizing.options.home.mutation);
  add_wait(resizing.app, resizing.options.home.mutation);
  const auto retiring = add_verb<ForcedOptions>(
      noun,
      {.name = "retire",
       .description = "Withdraw a home: nobody can mount it any more, the data stay for the trash delay of its class. "
                      "homeport home undelete brings it back.",
       .example = "homeport home retire alice",
       .takes_realm = true},
      retire);
  add_home(retiring.app, retiring.options.home);
  retiring.app->add_flag("--force", retiring.options.force, "also while a session mounts it");
  add_dry_run(retiring.app, retiring.options.home.mutation);
  add_wait(retiring.app, retiring.options.home.mutation);
  add_change(noun,
             {.name = "undelete",
              .description = "Bring a retired home back.",
              .example = "homeport home undelete alice",
              .takes_realm = true},
             undelete);
  const auto measuring = add_verb<HomeOptions>(
      noun,
      {.name = "measure",
       .description =
           "Count what a home that was imported uses, by walking it; where its limit waits for that, it is set "
           "then. Answers at once; homeport home show says how far it is.",
       .example = "homeport home measure alice",
       .takes_realm = true},
      measure);
  add_home(measuring.app, measuring.options);
  const auto purging =
      add_verb<PurgeOptions>(noun,
                             {.name = "purge",
                              .description = "Destroy the data of a retired home for good. Asks for the name to be "
                                             "typed; --yes-purge NAME answers for scripts.",
                              .example = "homeport home purge alice --yes-purge alice",
                              .takes_realm = true},
                             purge);
  add_home(purging.app, purging.options.home);
  add(purging.app, "--yes-purge", purging.options.confirmed, "NAME", "the name once more, instead of typing it");
  add_dry_run(purging.app, purging.options.home.mutation);
  add_wait(purging.app, purging.options.home.mutation);
  add_import_command(noun);
  const auto releasing = add_verb<ForcedOptions>(
      noun,
      {.name = "release",
       .description = "Forget a home and touch nothing on the server. Meant for imported homes; one that Homeport made "
                      "would be left behind, and the next login would make an empty one.",
       .example = "homeport home release alice",
       .takes_realm = true},
      release);
  add_home(releasing.app, releasing.options.home);
  releasing.app->add_flag("--force", releasing.options.force, "also a home that Homeport made");
  const auto finishing = add_verb<HomeOptions>(
      noun,
      {.name = "copied",
       .description = "Say that the copy into a home is complete: from now on logins get it. `home import --copy` does "
                      "it by itself; this is for a copy that was completed by other means.",
       .example = "homeport home copied alice",
       .takes_realm = true},
      copied);
  add_home(finishing.app, finishing.options);
  const auto granting = add_verb<RightsOptions>(
      noun,
      {.name = "rights",
       .description = "Say what Homeport may do to an imported home. At first it neither limits nor removes it.",
       .example = "homeport home rights alice --resize yes --destroy yes",
       .takes_realm = true},
      rights);
  add_home(granting.app, granting.options.home);
  add(granting.app, "--snapshot", granting.options.snapshot, "yes|no", "take and delete snapshots of it");
  add(granting.app, "--resize", granting.options.resize, "yes|no", "set its limit");
  add(granting.app, "--destroy", granting.options.destroy, "yes|no", "retire it, and purge it after that");
}

}  // namespace homeport::cli
