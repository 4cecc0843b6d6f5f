#include "cli/command_tree.h"

#include <algorithm>
#include <array>

#include "cli/commands/restore.h"
#include "cli/help.h"

namespace homeport::cli {
namespace {

struct NounText {
  const char* name;
  const char* description;
  void (*add)(const Noun&);
};

constexpr std::array<NounText, 16> kNouns{{
    {"home", "homes of people: make, show, resize, retire", add_home_commands},
    {"dataset", "shared data: import, clone, grant, withdraw", add_dataset_commands},
    {"user", "people and their ids", add_user_commands},
    {"space", "everything that is handed to people, of every kind", add_space_commands},
    {"snapshot", "kept moments of a space: take, list, browse, hold", add_snapshot_commands},
    {"spec", "mount specs: what a spawner mounts for a person", add_spec_commands},
    {"backend", "storage systems: probe, pause, drain", add_backend_commands},
    {"class", "bundles of settings for homes", add_class_commands},
    {"rule", "who gets which class and datasets", add_rule_commands},
    {"operation", "work that changes backends: list, watch, retry", add_operation_commands},
    {"audit", "who did what", add_audit_commands},
    {"token", "credentials of this service", add_token_commands},
    {"hub", "the hubs people come from, and who has left", add_hub_commands},
    {"kubernetes", "rights of this service in a cluster", add_kubernetes_commands},
    {"state", "backup and restore of the service's own state", add_state_commands},
    {"context", "the services this command knows", add_context_commands},
}};

void add_globals(CLI::App& root, Globals& g) {
  const char* group = "Global options";
  add(&root, "--url", g.choices.url, "URL", "address of the service (HOMEPORT_URL; http://127.0.0.1:7717)")
      ->group(group);
  add(&root, "--token-file", g.choices.token_file, "FILE", "file that holds the token (or HOMEPORT_TOKEN holds it)")
      ->group(group);
  add(&root, "--context", g.choices.context, "NAME", "a context of ~/.config/homeport/config.yaml")->group(group);
  add(&root, "--realm", g.choices.realm, "REALM", "the people of this realm, for commands about people")->group(group);
  add(&root, "--ca-file", g.choices.ca_file, "FILE", "certificates to trust for https")->group(group);
  add(&root, "--timeout", g.timeout, "TIME", "longest time for one answer (30s)")->group(group);
  add_choice(&root, "-o,--output", g.output, "table|json|yaml", "how to print: for people, or the answer as it is")
      ->group(group);
  root.add_flag("--quiet", g.quiet, "no progress, notes or warnings on standard error")->group(group);
  root.add_flag("--no-color", g.no_color, "no colors on a terminal (also NO_COLOR)")->group(group);
}

std::size_t edit_distance(const std::string& a, const std::string& b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t change = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = std::exchange(row[j], std::min({row[j] + 1, row[j - 1] + 1, change}));
    }
  }
  return row[b.size()];
}

}  // namespace

CommandTree make_command_tree(const std::vector<std::string>& words) {
  CommandTree tree{.root = std::make_unique<CLI::App>("storage for notebook users", "homeport"),
                   .chosen = std::make_unique<Chosen>(),
                   .globals = std::make_unique<Globals>()};
  CLI::App& root = *tree.root;
  root.formatter_fn([](const CLI::App* app, const std::string&, CLI::AppFormatMode) { return help_text(*app); });
  root.set_help_flag("-h,--help", "what this command does");
  root.fallthrough();
  add_globals(root, *tree.globals);
  const bool all = std::ranges::find(words, "*") != words.end();
  for (const auto& noun : kNouns) {
    CLI::App* app = root.add_subcommand(noun.name, noun.description);
    app->require_subcommand(0, 1);
    if (all || std::ranges::find(words, noun.name) != words.end()) noun.add({.app = app, .chosen = tree.chosen.get()});
  }
  add_me_commands({.app = &root, .chosen = tree.chosen.get()});
  add_restore_command({.app = &root, .chosen = tree.chosen.get()});
  add_service_commands({.app = &root, .chosen = tree.chosen.get()});
  add_help_commands({.app = &root, .chosen = tree.chosen.get()});
  root.require_subcommand(0, 1);
  return tree;
}

std::string nearest(const std::string& word, const std::vector<std::string>& known) {
  std::string best;
  std::size_t distance = std::max<std::size_t>(2, word.size() / 3) + 1;
  for (const auto& candidate : known) {
    const bool begins = word.size() >= 3 && candidate.starts_with(word);
    const std::size_t d = begins ? 1 : edit_distance(word, candidate);
    if (d < distance && d < std::max(word.size(), candidate.size())) {
      best = candidate;
      distance = d;
    }
  }
  return best;
}

std::vector<std::string> subcommand_names(const CLI::App& app) {
  std::vector<std::string> out;
  for (const CLI::App* sub : app.get_subcommands([](const CLI::App*) { return true; })) out.push_back(sub->get_name());
  return out;
}

std::vector<std::string> option_names(const CLI::App& app) {
  std::vector<std::string> out;
  for (const CLI::Option* option : app.get_options([](const CLI::Option*) { return true; })) {
    for (const auto& name : option->get_snames()) out.push_back("-" + name);
    for (const auto& name : option->get_lnames()) out.push_back("--" + name);
  }
  return out;
}

}  // namespace homeport::cli
