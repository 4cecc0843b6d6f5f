// The tree of nouns and verbs. Nouns that are not asked for stay without their verbs: setting all of them up would cost
// more than many a command.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cli/commands/registry.h"

namespace homeport::cli {

struct CommandTree {
  std::unique_ptr<CLI::App> root;
  std::unique_ptr<Chosen> chosen;
  std::unique_ptr<Globals> globals;
};

// Verbs are set up for nouns whose name is among `words`; for all of them when `words` holds "*".
[[nodiscard]] CommandTree make_command_tree(const std::vector<std::string>& words);

// The nearest of `known` to `word`, if it is near enough to be meant.
[[nodiscard]] std::string nearest(const std::string& word, const std::vector<std::string>& known);
// Names of the subcommands, in order.
[[nodiscard]] std::vector<std::string> subcommand_names(const CLI::App& app);
// "--quota", "-o": every spelling of the options of `app` that have a name.
[[nodiscard]] std::vector<std::string> option_names(const CLI::App& app);

}  // namespace homeport::cli
