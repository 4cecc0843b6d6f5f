#include <nlohmann/json.hpp>

#include "cli/commands/registry.h"
#include "cli/views.h"

namespace homeport::cli {
namespace {

constexpr std::chrono::minutes kWholeList{2};

struct ReconcileOptions {
  std::string hub{};
  bool dry_run = false;
  bool force = false;
};

Result<ExitCode> list(Cli& cli, const NoOptions&) {
  return get_and_show(cli, Target("/v1/hubs"), hubs_view);
}

// The one there is, where none is named.
Result<std::string> chosen_hub(Cli& cli, const std::string& named) {
  if (!named.empty()) return slug(named);
  HOMEPORT_TRY(Api * api, cli.api());
  HOMEPORT_TRY(const auto all, api->get(Target("/v1/hubs")));
  const auto& items = items_at(all, "items");
  if (items.size() == 1) return text_at(items.front(), "name");
  return Error{.code = Errc::invalid_argument,
               .message = items.empty() ? "the service has no hub in its configuration"
                                        : "the service has several hubs, and none is named",
               .hint = items.empty() ? "homeportd reads them from `hubs:`"
                                     : "homeport hub list shows them; then homeport hub reconcile HUB"};
}

Result<ExitCode> reconcile(Cli& cli, const ReconcileOptions& o) {
  HOMEPORT_TRY(const auto hub, chosen_hub(cli, o.hub));
  Target target = Target("/v1/hubs").part(hub).literal("reconcile");
  if (o.dry_run) target.query("dry_run", "true");
  if (o.force) target.query("force", "true");
  HOMEPORT_TRY(Api * api, cli.api());
  HOMEPORT_TRY(
      const auto look,
      api->json({.method = "POST", .target = std::move(target), .repeat = Repeat::keyed, .extra = kWholeList}));
  cli.show(look, hub_look_view);
  if (text_at(look, "outcome") == "failed") return ExitCode::unavailable;
  return text_at(look, "outcome") == "held" ? ExitCode::failed_precondition : ExitCode::ok;
}

}  // namespace

void add_hub_commands(const Noun& noun) {
  add_verb<NoOptions>(noun,
                      {.name = "list",
                       .description = "List the hubs people come from, and the last look at each one's users.",
                       .example = "homeport hub list"},
                      list);
  const auto looking = add_verb<ReconcileOptions>(
      noun,
      {.name = "reconcile",
       .description =
           "Compare a hub's user list with the people who came from it. Who is missing twice in a row, at every "
           "hub they came from, goes dormant: a mark with a date, shown with their homes. Nothing is deleted or "
           "withdrawn, and the next login takes the mark away. The service does this by itself every few hours.",
       .example = "homeport hub reconcile main --dry-run\nhomeport hub reconcile main"},
      reconcile);
  add(looking.app, "hub", looking.options.hub, "HUB", "which one; needed where there are several");
  looking.app->add_flag("--dry-run", looking.options.dry_run, "look and tell; count and mark nothing");
  looking.app->add_flag("--force", looking.options.force,
                        "yes, so many people have left at once (never by an empty list)");
}

}  // namespace homeport::cli
