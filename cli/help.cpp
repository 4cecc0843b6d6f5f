#include "cli/help.h"

#include <algorithm>

#include "cli/command_tree.h"

namespace homeport::cli {
namespace {

constexpr std::size_t kWidth = 80;
constexpr std::size_t kColumn = 26;

constexpr std::string_view kEnvironment =
    R"(Which service a command goes to, and with which credential, is looked for in
this order:

  URL     --url, HOMEPORT_URL, the context, http://127.0.0.1:7717
  token   --token-file, HOMEPORT_TOKEN, token_file of the context,
          JUPYTERHUB_API_TOKEN

In a notebook nothing has to be set: the hub gives HOMEPORT_URL (also
HOMEPORT_CA_FILE where the service has a CA of its own), HOMEPORT_HUB and
JUPYTERHUB_API_TOKEN. With these you see what is yours: homeport me, homeport
usage, homeport home show, homeport spec get. That token goes to the address in
HOMEPORT_URL only.

Contexts stand in ~/.config/homeport/config.yaml ($XDG_CONFIG_HOME/homeport/
config.yaml where that is set):

  current-context: lab
  contexts:
    - name: lab
      url: https://homeport.lab.example:7717
      token_file: ~/.config/homeport/lab.token
      ca_file: lab-ca.pem        # beside this file
      realm: lab

homeport context list|use|show look at them and change the current one. The
token of a context goes to the URL of that context only.

Other variables: NO_COLOR switches colors off, COLUMNS sets the width of tables
(80 where the output is no terminal).
)";

constexpr std::string_view kNames =
    R"(In commands a space is one of

  home/NAME            the default home of a person; home/NAME/SERVER of a
                       named server
  dataset/NAME         an imported dataset
  group/NAME           a share of a group
  scratch/NAME         a scratch area
  h-0123456789abcdef   its key (h-, d-, g- or s- and 16 digits)

People are called as the hub calls them; u-… is a person's key. A name is not
an identity: keys stay, whatever is renamed. Names of backends, classes,
datasets, hubs and realms are 1 to 63 characters of a-z, 0-9, '.', '_' and '-'.
Sizes are 20GiB, 1.5TiB or a number of bytes; times are 90d, 12h, 30m or 45s.
)";

std::string full_name(const CLI::App& app) {
  const CLI::App* parent = app.get_parent();
  return parent == nullptr ? app.get_name() : full_name(*parent) + " " + app.get_name();
}

std::string two_columns(const std::string& left, const std::string& right) {
  const std::string indent(kColumn, ' ');
  if (display_width(left) + 4 > kColumn) return "  " + left + "\n" + hanging(indent, right, kWidth, indent);
  return hanging("  " + left + std::string(kColumn - 2 - display_width(left), ' '), right, kWidth, indent);
}

std::string option_label(const CLI::Option& option) {
  std::string out;
  for (const auto& name : option.get_snames()) out += (out.empty() ? "-" : ", -") + name;
  for (const auto& name : option.get_lnames()) out += (out.empty() ? "--" : ", --") + name;
  if (option.get_type_size() != 0 && !option.get_type_name().empty()) out += " " + option.get_type_name();
  return out;
}

struct Parts {
  std::vector<const CLI::Option*> positionals{};
  std::vector<const CLI::Option*> options{};
};

Parts parts_of(const CLI::App& app) {
  Parts parts;
  for (const CLI::Option* option : app.get_options([](const CLI::Option*) { return true; })) {
    if (option == app.get_help_ptr()) continue;
    (option->get_positional() ? parts.positionals : parts.options).push_back(option);
  }
  return parts;
}

std::string usage_line(const CLI::App& app, const Parts& parts, bool has_verbs) {
  std::string out = "Usage: " + full_name(app);
  if (has_verbs) out += app.get_parent() == nullptr ? " COMMAND" : " VERB";
  for (const CLI::Option* option : parts.positionals) {
    out += option->get_required() ? " " + option->get_type_name() : " [" + option->get_type_name() + "]";
  }
  for (const CLI::Option* option : parts.options) {
    if (option->get_required()) out += " --" + option->get_lnames().front() + " " + option->get_type_name();
  }
  out += " [OPTIONS]";
  return hanging("", out, kWidth, "       ");
}

struct HelpOptions {
  std::vector<std::string> topic{};
};
struct ShellOptions {
  std::string shell{};
};

Result<ExitCode> help(Cli& cli, const HelpOptions& o) {
  const auto tree = make_command_tree({"*"});
  if (o.topic.empty()) {
    cli.print(help_text(*tree.root));
    return ExitCode::ok;
  }
  std::string asked;
  const CLI::App* app = tree.root.get();
  for (const auto& word : o.topic) {
    asked += (asked.empty() ? "" : " ") + word;
    if (app == nullptr) continue;
    const auto named = app->get_subcommands([&word](const CLI::App* sub) { return sub->get_name() == word; });
    app = named.empty() ? nullptr : named.front();
  }
  const std::string text = app != nullptr ? help_text(*app) : topic_text(asked);
  if (!text.empty()) {
    cli.print(text);
    return ExitCode::ok;
  }
  auto known = subcommand_names(*tree.root);
  known.insert(known.end(), {"exit-codes", "environment", "names"});
  const auto near = nearest(o.topic.front(), known);
  return Error{.code = Errc::invalid_argument,
               .message = "there is no help about '" + safe_text(asked) + "'",
               .hint = (near.empty() || near == o.topic.front() ? "" : "did you mean " + near + "? ") +
                       std::string("topics: exit-codes, environment, names, and every command")};
}

Result<ExitCode> completion(Cli& cli, const ShellOptions& o) {
  const auto tree = make_command_tree({"*"});
  cli.print(o.shell == "bash" ? bash_completion(*tree.root) : zsh_completion(*tree.root));
  return ExitCode::ok;
}

}  // namespace

std::string help_text(const CLI::App& app) {
  const bool root = app.get_parent() == nullptr;
  const auto verbs = app.get_subcommands([](const CLI::App*) { return true; });
  const Parts parts = parts_of(app);
  std::string out = root ? "homeport - storage for notebook users\n" : wrapped(app.get_description(), kWidth);
  out += "\n" + usage_line(app, parts, !verbs.empty());
  if (!verbs.empty()) {
    out += root ? "\nCommands:\n" : "\nVerbs:\n";
    for (const CLI::App* verb : verbs) {
      const std::string description = verb->get_description();
      const auto end =
          std::min({description.find(". "), root ? description.size() : description.find(": "), description.size()});
      std::string brief = description.substr(0, end);
      if (brief.ends_with('.')) brief.pop_back();
      out += two_columns(verb->get_name(), brief);
    }
  }
  if (!parts.positionals.empty()) {
    out += "\nArguments:\n";
    for (const CLI::Option* option : parts.positionals)
      out += two_columns(option->get_type_name(), option->get_description());
  }
  if (!parts.options.empty()) {
    out += root ? "\nOptions of every command:\n" : "\nOptions:\n";
    for (const CLI::Option* option : parts.options)
      out += two_columns(option_label(*option), option->get_description());
  }
  if (!app.get_footer().empty()) {
    out += app.get_footer().find('\n') == std::string::npos ? "\nExample:\n" : "\nExamples:\n";
    std::string footer = app.get_footer();
    for (std::size_t at = 0; at <= footer.size();) {
      const std::size_t end = std::min(footer.find('\n', at), footer.size());
      out += "  " + footer.substr(at, end - at) + "\n";
      at = end + 1;
    }
  }
  if (root) {
    out += "\nhomeport COMMAND --help tells more. homeport help exit-codes, environment and\nnames explain the rest.\n";
  } else if (verbs.empty()) {
    out += "\nOptions of every command: homeport --help\n";
  } else {
    out += "\n" + full_name(app) + " VERB --help tells more.\n";
  }
  return out;
}

std::string topic_text(const std::string& topic) {
  if (topic == "exit-codes") return exit_code_help();
  if (topic == "environment") return std::string(kEnvironment);
  if (topic == "names") return std::string(kNames);
  return {};
}

void add_help_commands(const Noun& root) {
  const auto completing = add_verb<ShellOptions>(root,
                                                 {.name = "completion",
                                                  .description = "Print the completion script of a shell.",
                                                  .example = "source <(homeport completion bash)\n"
                                                             "homeport completion zsh > ~/.zfunc/_homeport"},
                                                 completion);
  add_choice(completing.app, "shell", completing.options.shell, "bash|zsh", "the shell")->required();
  const auto helping =
      add_verb<HelpOptions>(root,
                            {.name = "help",
                             .description = "Tell about a command or a topic: exit-codes, environment, names.",
                             .example = "homeport help home ensure\nhomeport help exit-codes"},
                            help);
  helping.app->add_option("topic", helping.options.topic, "exit-codes, environment, names, or a command")
      ->type_name("TOPIC");
}

}  // namespace homeport::cli
