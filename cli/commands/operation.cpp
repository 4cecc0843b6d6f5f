#include <nlohmann/json.hpp>

#include "cli/commands/registry.h"
#include "cli/views.h"

namespace homeport::cli {
namespace {

struct ListOptions {
  bool parked = false;
  std::string space{};
  std::string state{};
};
struct WatchOptions {
  std::string id{};
  std::string wait = "true";
};

Result<Target> operation_target(const std::string& text) {
  HOMEPORT_TRY(const auto id, id_word(text, "an operation"));
  return Target("/v1/operations").part(id);
}

Result<ExitCode> list(Cli& cli, const ListOptions& o) {
  Target target("/v1/operations");
  if (o.parked) target.query("parked", "true");
  target.query_if("state", o.state);
  if (!o.space.empty()) {
    HOMEPORT_TRY(const auto key, space_key(cli, o.space));
    target.query("space", key);
  }
  return list_and_show(cli, std::move(target), operations_view);
}

Result<ExitCode> show(Cli& cli, const NameOption& o) {
  HOMEPORT_TRY(const auto target, operation_target(o.name));
  return get_and_show(cli, target, operation_view);
}

Result<ExitCode> follow_to_end(Cli& cli, Json operation, const std::string& wait) {
  HOMEPORT_TRY(const auto limit, wait_limit({.wait = wait}));
  if (!limit) {
    cli.show(operation, operation_view);
    return ExitCode::ok;
  }
  const InterruptWatch interrupt;
  HOMEPORT_TRY(const auto outcome, follow(cli, std::move(operation), *limit, interrupt.token()));
  return show_outcome(cli, outcome, operation_view);
}

Result<ExitCode> watch(Cli& cli, const WatchOptions& o) {
  HOMEPORT_TRY(const auto target, operation_target(o.id));
  HOMEPORT_TRY(Api * api, cli.api());
  HOMEPORT_TRY(auto operation, api->get(target));
  return follow_to_end(cli, std::move(operation), o.wait);
}

Result<ExitCode> retry(Cli& cli, const WatchOptions& o) {
  HOMEPORT_TRY(auto target, operation_target(o.id));
  HOMEPORT_TRY(Api * api, cli.api());
  HOMEPORT_TRY(auto operation,
               api->json({.method = "POST", .target = target.literal("retry"), .repeat = Repeat::keyed}));
  return follow_to_end(cli, std::move(operation), o.wait);
}

Result<ExitCode> turn(Cli& cli, const std::string& id, const char* verb) {
  HOMEPORT_TRY(auto target, operation_target(id));
  return post_and_show(cli, target.literal(verb), operation_view);
}
Result<ExitCode> cancel(Cli& cli, const NameOption& o) {
  return turn(cli, o.name, "cancel");
}
Result<ExitCode> give_up(Cli& cli, const NameOption& o) {
  return turn(cli, o.name, "give-up");
}

void add_named(const Noun& noun, const VerbText& text, Result<ExitCode> (*action)(Cli&, const NameOption&)) {
  const auto verb = add_verb<NameOption>(noun, text, action);
  add(verb.app, "operation", verb.options.name, "ID", "op-…, as homeport operation list shows it")->required();
}

void add_followed(const Noun& noun, const VerbText& text, Result<ExitCode> (*action)(Cli&, const WatchOptions&)) {
  const auto verb = add_verb<WatchOptions>(noun, text, action);
  add(verb.app, "operation", verb.options.id, "ID", "op-…, as homeport operation list shows it")->required();
  verb.app->add_flag("--wait,!--no-wait", verb.options.wait,
                     "how long (10 minutes; --wait=90 or --wait=1h for another time)");
}

}  // namespace

void add_operation_commands(const Noun& noun) {
  const auto listing =
      add_verb<ListOptions>(noun,
                            {.name = "list",
                             .description = "List operations: the work that changes backends.",
                             .example = "homeport operation list --parked\nhomeport operation list --space home/alice",
                             .takes_realm = true},
                            list);
  listing.app->add_flag("--parked", listing.options.parked, "only those that need a person");
  add(listing.app, "--space", listing.options.space, "SPACE", "only those of one space, for example home/alice");
  add_choice(listing.app, "--state", listing.options.state, "running|waiting|parked|succeeded|failed|cancelled",
             "only those in one state");
  add_named(noun,
            {.name = "show",
             .description = "Show one operation: steps, attempts, the calls it made.",
             .example = "homeport operation show op-0123"},
            show);
  add_followed(noun,
               {.name = "watch",
                .description = "Follow an operation to its end. The exit code is that of its outcome.",
                .example = "homeport operation watch op-0123"},
               watch);
  add_named(noun,
            {.name = "cancel",
             .description = "Ask an operation to stop at its next safe step.",
             .example = "homeport operation cancel op-0123"},
            cancel);
  add_followed(noun,
               {.name = "retry",
                .description = "Try a parked or waiting operation again now.",
                .example = "homeport operation retry op-0123"},
               retry);
  add_named(noun,
            {.name = "give-up",
             .description = "End a parked operation as failed. Nothing is deleted; what stands on the backend stays.",
             .example = "homeport operation give-up op-0123"},
            give_up);
}

}  // namespace homeport::cli
