#include "cli/command_tree.h"
#include "cli/help.h"
#include "provisioner/render/renderer.h"

namespace homeport::cli {
namespace {

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (const auto& word : words) out += (out.empty() ? "" : " ") + word;
  return out;
}

// What may follow an option: words to choose from, "@file", "@any" (a value nobody can guess), or "" for a flag.
std::string values_of(const CLI::Option& option) {
  if (option.get_type_size() == 0) return {};
  std::string meta = option.get_type_name();
  if (option.check_lname("format")) {
    meta.clear();
    for (const auto& renderer : render::renderers()) meta += (meta.empty() ? "" : " ") + std::string(renderer.name);
    return meta.empty() ? "@any" : meta;
  }
  if (meta == "FILE") return "@file";
  if (meta.find('|') == std::string::npos) return "@any";
  for (char& c : meta) c = c == '|' ? ' ' : c;
  return meta;
}

// Lines of a case statement: `pattern) variable='words';;`.
struct Cases {
  std::string words{};   // by "noun verb": what may stand next
  std::string values{};  // by option
  std::set<std::string> seen{};
};

void add_values(const CLI::App& app, Cases& cases) {
  for (const CLI::Option* option : app.get_options([](const CLI::Option*) { return true; })) {
    const std::string values = values_of(*option);
    if (option->get_positional() || values.empty()) continue;
    for (const auto& name : option->get_snames()) {
      if (cases.seen.insert("-" + name).second) cases.values += "    -" + name + ") values='" + values + "';;\n";
    }
    for (const auto& name : option->get_lnames()) {
      if (cases.seen.insert("--" + name).second) cases.values += "    --" + name + ") values='" + values + "';;\n";
    }
  }
}

std::string first_words(const CLI::App& app) {
  for (const CLI::Option* option : app.get_options([](const CLI::Option*) { return true; })) {
    if (option->get_positional() && option->get_type_name().find('|') != std::string::npos) return values_of(*option);
  }
  return {};
}

Cases cases_of(const CLI::App& root) {
  Cases cases;
  cases.words = "    '') choices='" + joined(subcommand_names(root)) + "';;\n";
  add_values(root, cases);
  const auto all = [](const CLI::App*) { return true; };
  for (const CLI::App* noun : root.get_subcommands(all)) {
    const auto verbs = subcommand_names(*noun);
    std::string next = verbs.empty() ? joined(option_names(*noun)) + " " + first_words(*noun) : joined(verbs);
    if (noun->get_name() == "help") next = joined(subcommand_names(root)) + " exit-codes environment names";
    cases.words += "    '" + noun->get_name() + "') choices='" + next + "';;\n";
    add_values(*noun, cases);
    for (const CLI::App* verb : noun->get_subcommands(all)) {
      cases.words +=
          "    '" + noun->get_name() + " " + verb->get_name() + "') choices='" + joined(option_names(*verb)) + "';;\n";
      add_values(*verb, cases);
    }
  }
  return cases;
}

// Both shells walk the words before the cursor in the same way: options with a value take the next word along.
std::string body(const CLI::App& root) {
  const Cases cases = cases_of(root);
  return "_homeport_values() {\n  values=''\n  case \"$1\" in\n" + cases.values + "  esac\n}\n" +
         "_homeport_words() {\n  choices=''\n  case \"$1\" in\n" + cases.words + "  esac\n}\n" + "_homeport_globals='" +
         joined(option_names(root)) + "'\n";
}

}  // namespace

std::string bash_completion(const CLI::App& root) {
  return "# bash completion of homeport: source <(homeport completion bash)\n" + body(root) + R"sh(
_homeport() {
  local current="${COMP_WORDS[COMP_CWORD]}" previous="${COMP_WORDS[COMP_CWORD-1]}"
  local command='' count=0 i word values choices
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    word="${COMP_WORDS[i]}"
    if [[ $word == -* ]]; then
      _homeport_values "$word"
      [[ -n $values ]] && ((i++))
    elif ((count < 2)); then
      command="${command:+$command }$word"
      ((count++))
    fi
  done
  _homeport_values "$previous"
  case "$values" in
    '') ;;
    @file) COMPREPLY=($(compgen -f -- "$current")); return ;;
    @any) return ;;
    *) COMPREPLY=($(compgen -W "$values" -- "$current")); return ;;
  esac
  _homeport_words "$command"
  [[ -z $choices ]] && _homeport_words "${command% *}"
  [[ $current == -* ]] && choices="$choices $_homeport_globals"
  COMPREPLY=($(compgen -W "$choices" -- "$current"))
}
complete -F _homeport homeport
)sh";
}

std::string zsh_completion(const CLI::App& root) {
  return "#compdef homeport\n# zsh completion of homeport: write this to a file _homeport in a directory of $fpath\n" +
         body(root) + R"sh(
_homeport() {
  local current="${words[CURRENT]}" previous="${words[CURRENT-1]}"
  local command='' count=0 i word values choices
  for ((i = 2; i < CURRENT; i++)); do
    word="${words[i]}"
    if [[ $word == -* ]]; then
      _homeport_values "$word"
      [[ -n $values ]] && ((i++))
    elif ((count < 2)); then
      command="${command:+$command }$word"
      ((count++))
    fi
  done
  _homeport_values "$previous"
  case "$values" in
    '') ;;
    @file) _files; return ;;
    @any) return ;;
    *) compadd -- ${=values}; return ;;
  esac
  _homeport_words "$command"
  [[ -z $choices ]] && _homeport_words "${command% *}"
  [[ $current == -* ]] && choices="$choices $_homeport_globals"
  compadd -- ${=choices}
}
if [[ $funcstack[1] == _homeport ]]; then _homeport "$@"; else compdef _homeport homeport; fi
)sh";
}

}  // namespace homeport::cli
