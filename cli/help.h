// Help that teaches, and completion: both are read off the command tree.
#pragma once

#include <string>

#include "cli/commands/registry.h"

namespace homeport::cli {

// At most 80 columns: what it does, how it is called, arguments, options, examples.
[[nodiscard]] std::string help_text(const CLI::App& app);
// `homeport help TOPIC`: exit-codes, environment, names, or words of a command. Empty: no such topic.
[[nodiscard]] std::string topic_text(const std::string& topic);

// Scripts for the shells. Precondition: the whole tree is set up.
[[nodiscard]] std::string bash_completion(const CLI::App& root);
[[nodiscard]] std::string zsh_completion(const CLI::App& root);

// help and completion.
void add_help_commands(const Noun& root);

}  // namespace homeport::cli
