// How the nouns put their commands on the line: each noun is one file with one function.
//
// A command is a struct of options, a function from (Cli, options) to an exit code, and the lines that teach it.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

#include "cli/cli.h"
#include "cli/follow.h"

namespace homeport::cli {

// What one parse of a command line fills.
struct Chosen {
  Command run{};
  std::string name{};  // "home ensure"
  bool takes_realm = false;
};

struct Noun {
  CLI::App* app;
  Chosen* chosen;
};

struct VerbText {
  const char* name;
  const char* description;
  const char* example;  // one line or more, without the prompt
  bool takes_realm = false;
};

template <class Options>
struct Verb {
  CLI::App* app;
  Options& options;
};

template <class Options>
Verb<Options> add_verb(const Noun& noun, const VerbText& text, Result<ExitCode> (*action)(Cli&, const Options&)) {
  auto options = std::make_shared<Options>();
  CLI::App* app = noun.app->add_subcommand(text.name, text.description);
  app->footer(text.example);
  app->final_callback([chosen = noun.chosen, options, action, app, realm = text.takes_realm] {
    chosen->run = [options, action](Cli& cli) { return action(cli, *options); };
    chosen->takes_realm = realm;
    const CLI::App* parent = app->get_parent();
    chosen->name =
        (parent != nullptr && parent->get_parent() != nullptr ? parent->get_name() + " " : "") + app->get_name();
  });
  return {app, *options};
}

struct NoOptions {};
struct NameOption {
  std::string name{};
};

// The meta name of an option says what it takes: "a|b" is a choice and "FILE" a file, for help and completion alike.
inline CLI::Option* add(CLI::App* app, const char* names, std::string& into, const char* meta,
                        const char* description) {
  return app->add_option(names, into, description)->type_name(meta);
}
// Refuses everything but the words of `choices` ("ro|rw").
CLI::Option* add_choice(CLI::App* app, const char* names, std::string& into, const char* choices,
                        const char* description);
void add_dry_run(CLI::App* app, Mutation& mutation);
void add_wait(CLI::App* app, Mutation& mutation);

void add_backend_commands(const Noun& noun);
void add_home_commands(const Noun& noun);
void add_import_command(const Noun& noun);  // home import
void add_user_commands(const Noun& noun);
void add_dataset_commands(const Noun& noun);
void add_space_commands(const Noun& noun);
void add_snapshot_commands(const Noun& noun);
void add_clone_commands(const Noun& dataset);  // dataset clone, retire, undelete, purge
void add_spec_commands(const Noun& noun);
void add_operation_commands(const Noun& noun);
void add_audit_commands(const Noun& noun);
void add_token_commands(const Noun& noun);
void add_kubernetes_commands(const Noun& noun);
void add_class_commands(const Noun& noun);
void add_rule_commands(const Noun& noun);
void add_state_commands(const Noun& noun);
void add_context_commands(const Noun& noun);
void add_hub_commands(const Noun& noun);
// me, usage: commands of one word.
void add_me_commands(const Noun& root);
// plan, apply, doctor, version: commands of one word.
void add_service_commands(const Noun& root);

// --- what several commands share -------------------------------------------------------------------------------------

// Names are checked here as the service will check them, so that a wrong one is refused before anything is sent and an
// empty one can never turn a target into its list.
[[nodiscard]] Result<std::string> user_or_key(const std::string& text);
[[nodiscard]] Result<std::string> slug(const std::string& text);
[[nodiscard]] Result<std::string> id_word(const std::string& text, const char* what);
// home/NAME, dataset/NAME, group/NAME, scratch/NAME or a key -> key. Asks the service for names.
[[nodiscard]] Result<std::string> space_key(Cli& cli, const std::string& text);
// GET /v1/me of a person's own token. Errors: invalid_argument for another token; `otherwise` is what to type then.
[[nodiscard]] Result<Json> who_am_i(Cli& cli, const char* otherwise);
// The realm of the settings as ?realm=, if there is one.
[[nodiscard]] Result<Target> in_realm(Cli& cli, Target target);
// A file's text, or standard input for "-". Errors: invalid_argument.
[[nodiscard]] Result<std::string> read_text(Cli& cli, const std::string& file);
// POST without a body to `target`, then the answer as `render` shows it.
[[nodiscard]] Result<ExitCode> post_and_show(Cli& cli, Target target, const Cli::Render& render);
[[nodiscard]] Result<ExitCode> get_and_show(Cli& cli, const Target& target, const Cli::Render& render);
[[nodiscard]] Result<ExitCode> list_and_show(Cli& cli, Target target, const Cli::Render& render);

}  // namespace homeport::cli
