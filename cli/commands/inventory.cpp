// Nouns that are mostly looked at: spaces, classes, rules.
#include <nlohmann/json.hpp>

#include "cli/commands/registry.h"
#include "cli/views.h"
#include "provisioner/base/names.h"

namespace homeport::cli {
namespace {

struct SpaceListOptions {
  std::string kind{};
  std::string state{};
  std::string backend{};
};

Result<ExitCode> list_spaces(Cli& cli, const SpaceListOptions& o) {
  Target target("/v1/spaces");
  return list_and_show(cli, target.query_if("kind", o.kind).query_if("state", o.state).query_if("backend", o.backend),
                       spaces_view);
}

Result<ExitCode> show_space(Cli& cli, const NameOption& o) {
  HOMEPORT_TRY(const auto key, space_key(cli, o.name));
  return get_and_show(cli, Target("/v1/spaces").part(key), space_view);
}

Result<ExitCode> list_classes(Cli& cli, const NoOptions&) {
  return get_and_show(cli, Target("/v1/classes"), classes_view);
}
Result<ExitCode> list_rules(Cli& cli, const NoOptions&) {
  return get_and_show(cli, Target("/v1/rules"), rules_view);
}

Result<ExitCode> show_class(Cli& cli, const NameOption& o) {
  HOMEPORT_TRY(const auto name, slug(o.name));
  HOMEPORT_TRY(Api * api, cli.api());
  HOMEPORT_TRY(const auto all, api->get(Target("/v1/classes")));
  for (const auto& item : items_at(all, "items")) {
    if (text_at(item, "name") != name) continue;
    cli.show(item, plain_view);
    return ExitCode::ok;
  }
  return Error{.code = Errc::not_found,
               .message = "there is no class " + name,
               .hint = "homeport class list lists what there is"};
}

}  // namespace

void add_space_commands(const Noun& noun) {
  const auto listing = add_verb<SpaceListOptions>(noun,
                                                  {.name = "list",
                                                   .description = "List spaces of every kind.",
                                                   .example = "homeport space list --kind dataset --backend filer"},
                                                  list_spaces);
  add_choice(listing.app, "--kind", listing.options.kind, "home|dataset|group|scratch", "only this kind");
  add(listing.app, "--state", listing.options.state, "STATE", "only in this state, for example ready or failed");
  add(listing.app, "--backend", listing.options.backend, "BACKEND", "only on this backend");
  const auto showing = add_verb<NameOption>(noun,
                                            {.name = "show",
                                             .description = "Show one space.",
                                             .example = "homeport space show home/alice",
                                             .takes_realm = true},
                                            show_space);
  add(showing.app, "space", showing.options.name, "SPACE", "home/NAME, dataset/NAME, group/NAME, scratch/NAME or a key")
      ->required();
}

void add_class_commands(const Noun& noun) {
  add_verb<NoOptions>(noun, {.name = "list", .description = "List classes.", .example = "homeport class list"},
                      list_classes);
  const auto showing = add_verb<NameOption>(
      noun, {.name = "show", .description = "Show everything a class says.", .example = "homeport class show standard"},
      show_class);
  add(showing.app, "class", showing.options.name, "CLASS", "name of the class")->required();
}

void add_rule_commands(const Noun& noun) {
  add_verb<NoOptions>(
      noun, {.name = "list", .description = "List rules in the order they are tried.", .example = "homeport rule list"},
      list_rules);
}

}  // namespace homeport::cli
