#include "cli/commands/registry.h"

#include <cerrno>
#include <fstream>
#include <istream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <system_error>

#include "provisioner/base/names.h"

namespace homeport::cli {
namespace {

constexpr std::string_view kSpaceHint =
    "a space is home/NAME, dataset/NAME, group/NAME, scratch/NAME or a key; see homeport help names";

Result<std::string> key_at(Cli& cli, const Target& target) {
  HOMEPORT_TRY(Api * api, cli.api());
  HOMEPORT_TRY(const auto found, api->get(target));
  return text_at(found, "key");
}

// Kinds that have no address of their own are looked for by their label.
Result<std::string> key_by_label(Cli& cli, const std::string& kind, const std::string& text) {
  HOMEPORT_TRY(Api * api, cli.api());
  HOMEPORT_TRY(const auto all, api->list(Target("/v1/spaces").query("kind", kind).query("limit", "1000")));
  for (const auto& space : items_at(all, "items")) {
    if (text_at(space, "label") == text) return text_at(space, "key");
  }
  return Error{.code = Errc::not_found,
               .message = "there is no space " + printable(text),
               .hint = "homeport space list --kind " + kind + " lists what there is"};
}

}  // namespace

CLI::Option* add_choice(CLI::App* app, const char* names, std::string& into, const char* choices,
                        const char* description) {
  return add(app, names, into, choices, description)->check([choices](const std::string& value) {
    const std::string all = std::string("|") + choices + "|";
    const bool known =
        !value.empty() && value.find('|') == std::string::npos && all.find("|" + value + "|") != std::string::npos;
    return known ? std::string{} : "'" + safe_text(value) + "' is none of " + choices;
  });
}

void add_dry_run(CLI::App* app, Mutation& mutation) {
  app->add_flag("--dry-run", mutation.dry_run,
                "show what would be done, down to the calls to the backend; change nothing");
}

void add_wait(CLI::App* app, Mutation& mutation) {
  app->add_flag("--wait,!--no-wait", mutation.wait,
                "wait for the end and show progress (the default, for 10 minutes; --wait=90 or --wait=1h for another "
                "time), or with --no-wait answer at once with the operation");
}

Result<std::string> user_or_key(const std::string& text) {
  if (SpaceKey::parse(text) || UserKey::parse(text)) return text;
  HOMEPORT_TRY(const auto name, UserName::parse(text));
  return name.str();
}

Result<std::string> slug(const std::string& text) {
  HOMEPORT_TRY(const auto name, Slug::parse(text));
  return name.str();
}

Result<std::string> id_word(const std::string& text, const char* what) {
  const bool good =
      !text.empty() && text.size() <= 128 &&
      text.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") == std::string::npos;
  if (good) return text;
  return Error{.code = Errc::invalid_argument,
               .message = "'" + printable(text) + "' is no id of " + what,
               .hint = "copy it from a list, for example from homeport operation list or homeport token list"};
}

Result<std::string> space_key(Cli& cli, const std::string& text) {
  if (const auto key = SpaceKey::parse(text)) return text;
  const auto slash = text.find('/');
  const std::string kind = text.substr(0, slash);
  if (slash == std::string::npos || !space_kind_from_name(kind)) {
    return Error{.code = Errc::invalid_argument,
                 .message = "'" + printable(text) + "' names no space",
                 .hint = std::string(kSpaceHint)};
  }
  std::string name = text.substr(slash + 1);
  if (kind == "home") {
    std::string server;
    if (const auto split = name.find('/'); split != std::string::npos) {  // home/NAME/SERVER
      server = name.substr(split + 1);
      name.resize(split);
    }
    HOMEPORT_TRY(const auto user, user_or_key(name));
    HOMEPORT_TRY(const auto target, in_realm(cli, Target("/v1/homes").part(user).query_if("server", server)));
    return key_at(cli, target);
  }
  if (kind == "dataset") {
    HOMEPORT_TRY(const auto dataset, slug(name));
    return key_at(cli, Target("/v1/datasets").part(dataset));
  }
  return key_by_label(cli, kind, text);
}

Result<Target> in_realm(Cli& cli, Target target) {
  HOMEPORT_TRY(const Settings* settings, cli.settings());
  target.query_if("realm", settings->realm);
  return target;
}

Result<std::string> read_text(Cli& cli, const std::string& file) {
  if (file == "-") return std::string{std::istreambuf_iterator<char>(cli.host().in), {}};
  std::ifstream in(file, std::ios::binary);
  std::string text;
  if (in) text.assign(std::istreambuf_iterator<char>(in), {});
  if (!in) {
    return Error{.code = Errc::invalid_argument,
                 .message = "cannot read " + printable(file) + ": " + std::generic_category().message(errno)};
  }
  return text;
}

Result<ExitCode> post_and_show(Cli& cli, Target target, const Cli::Render& render) {
  HOMEPORT_TRY(Api * api, cli.api());
  HOMEPORT_TRY(const auto answer, api->json({.method = "POST", .target = std::move(target), .repeat = Repeat::keyed}));
  cli.show(answer, render);
  return ExitCode::ok;
}

Result<ExitCode> get_and_show(Cli& cli, const Target& target, const Cli::Render& render) {
  HOMEPORT_TRY(Api * api, cli.api());
  HOMEPORT_TRY(const auto answer, api->get(target));
  cli.show(answer, render);
  return ExitCode::ok;
}

Result<ExitCode> list_and_show(Cli& cli, Target target, const Cli::Render& render) {
  HOMEPORT_TRY(Api * api, cli.api());
  HOMEPORT_TRY(const auto answer, api->list(target.query("limit", "1000")));
  cli.show(answer, render);
  return ExitCode::ok;
}

}  // namespace homeport::cli
