#include "cli/app.h"

#include <algorithm>
#include <ostream>

#include "cli/command_tree.h"
#include "cli/help.h"
#include "cli/usage.h"

namespace homeport::cli {
namespace {

// The deepest command that the line named.
const CLI::App* deepest(const CLI::App& root) {
  const CLI::App* at = &root;
  for (;;) {
    const auto parsed = at->get_subcommands();
    if (parsed.empty()) return at;
    at = parsed.front();
  }
}

std::string command_of(const CLI::App& app) {
  return app.get_parent() == nullptr ? app.get_name() : command_of(*app.get_parent()) + " " + app.get_name();
}

// Words that nothing on the line takes: an unknown command, an unknown option, or one argument too many.
Error unexpected(const CLI::App& root, const std::vector<std::string>& left) {
  const CLI::App& at = *deepest(root);
  const std::string help = command_of(at) + " --help tells what there is";
  const auto option =
      std::ranges::find_if(left, [](const std::string& word) { return word.starts_with("-") && word.size() > 1; });
  const auto verbs = subcommand_names(at);
  if (!verbs.empty() && (option == left.end() || option != left.begin())) {
    const std::string near = nearest(left.front(), verbs);
    return usage_error("'" + safe_text(left.front()) + "' is no " +
                           (at.get_parent() == nullptr ? "command" : "verb of " + at.get_name()),
                       near.empty() ? help : "did you mean " + command_of(at) + " " + near + "? " + help);
  }
  if (option != left.end()) {
    auto known = option_names(at);
    for (const auto& name : option_names(root)) known.push_back(name);
    const std::string near = nearest(option->substr(0, option->find('=')), known);
    return usage_error(command_of(at) + " has no option " + safe_text(*option),
                       near.empty() ? help : "did you mean " + near + "? " + help);
  }
  return usage_error("'" + safe_text(left.front()) + "' is one argument too many for " + command_of(at),
                     "a value with blanks needs quotes; " + help);
}

std::string lower_first(std::string text) {
  if (text.size() > 1 && text[0] >= 'A' && text[0] <= 'Z' && !(text[1] >= 'A' && text[1] <= 'Z'))
    text[0] = static_cast<char>(text[0] + 32);
  while (text.ends_with('.') || text.ends_with('\n')) text.pop_back();
  return text;
}

Error parse_error(const CLI::App& root, const CLI::ParseError& e) {
  const CLI::App& at = *deepest(root);
  if (dynamic_cast<const CLI::ExtrasError*>(&e) != nullptr) {
    const auto left = root.remaining(true);
    if (!left.empty()) return unexpected(root, left);
  }
  return usage_error(command_of(at) + ": " + safe_text(lower_first(e.what())),
                     command_of(at) + " --help shows an example");
}

Result<void> check_realm(const CommandTree& tree) {
  if (tree.globals->choices.realm.empty() || tree.chosen->takes_realm) return {};
  return usage_error("homeport " + tree.chosen->name + " is not about people, so --realm has no meaning there",
                     "leave --realm out");
}

Result<ExitCode> parse_and_run(const std::vector<std::string>& args, Host& host, bool& color) {
  auto tree = make_command_tree(args);
  std::vector<std::string> reversed(args.rbegin(), args.rend());  // as CLI11 wants them
  try {
    tree.root->parse(std::move(reversed));
  } catch (const CLI::CallForHelp&) {
    host.out << help_text(*deepest(*tree.root));
    return ExitCode::ok;
  } catch (const CLI::ParseError& e) {
    return parse_error(*tree.root, e);
  }
  if (!tree.chosen->run) {  // a noun alone, or nothing: that is a question
    host.err << help_text(*deepest(*tree.root));
    return ExitCode::usage;
  }
  HOMEPORT_CHECK(check_realm(tree));
  HOMEPORT_TRY(auto cli, Cli::make(host, *tree.globals));
  color = cli.color_errors();
  return tree.chosen->run(cli);
}

}  // namespace

int run(const std::vector<std::string>& args, Host& host) {
  bool color = false;
  Result<ExitCode> result = ExitCode::internal;
  if (args.size() == 1 && args[0] == "--version") {
    host.out << "homeport " HOMEPORT_VERSION "\n";
    return 0;
  }
  try {
    result = parse_and_run(args, host, color);
  } catch (const std::exception& e) {
    result = Error{.code = Errc::internal, .message = std::string("this should not happen: ") + e.what()};
  }
  host.out.flush();
  if (result) return static_cast<int>(*result);
  host.err << error_text(result.error(), color) << std::flush;
  return static_cast<int>(exit_code(result.error().code));
}

}  // namespace homeport::cli
