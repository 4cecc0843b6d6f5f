// The service as a whole: its desired document, its state, its health; and the contexts that say where it is.
#include <nlohmann/json.hpp>

#include "cli/commands/registry.h"
#include "cli/views.h"

namespace homeport::cli {
namespace {

constexpr std::chrono::minutes kLongWork{10};

struct DocumentOptions {
  std::string file{};
  bool dry_run = false;
};

// A desired document goes out as it was written: the service reads YAML and names the lines itself.
Result<Json> send_document(Cli& cli, const std::string& file, const char* verb, Repeat repeat) {
  HOMEPORT_TRY(auto text, read_text(cli, file));
  const auto first = text.find_first_not_of(" \t\r\n");
  if (first == std::string::npos) return Error{.code = Errc::invalid_argument, .message = "the document is empty"};
  const bool json = text[first] == '{';
  HOMEPORT_TRY(Api * api, cli.api());
  return api->json({.method = "POST",
                    .target = Target("/v1").literal(verb),
                    .body = std::move(text),
                    .repeat = repeat,
                    .content_type = json ? "application/json" : "application/yaml",
                    .extra = kLongWork});
}

Result<ExitCode> plan(Cli& cli, const DocumentOptions& o) {
  HOMEPORT_TRY(const auto changes, send_document(cli, o.file, "plan", Repeat::safe));
  cli.show(changes, changes_view);
  return ExitCode::ok;
}

Result<ExitCode> apply(Cli& cli, const DocumentOptions& o) {
  if (o.dry_run) return plan(cli, o);  // a plan is what an application without its effect would be
  HOMEPORT_TRY(const auto changes, send_document(cli, o.file, "apply", Repeat::keyed));
  cli.show(changes, changes_view);
  for (const auto& change : items_at(changes, "changes")) {
    if (text_at(change, "action") == "blocked") return ExitCode::failed_precondition;  // the rest was done
  }
  return ExitCode::ok;
}

Result<ExitCode> doctor(Cli& cli, const NoOptions&) {
  HOMEPORT_TRY(Api * api, cli.api());
  HOMEPORT_TRY(const auto answer,
               api->json({.method = "GET", .target = Target("/v1/doctor"), .extra = std::chrono::minutes(1)}));
  cli.show(answer, findings_view);
  for (const auto& finding : items_at(answer, "findings")) {
    if (text_at(finding, "level") == "error") return ExitCode::failed_precondition;
  }
  return ExitCode::ok;
}

// Works without a service: its own version is known.
Result<ExitCode> version(Cli& cli, const NoOptions&) {
  HOMEPORT_TRY(const Settings* settings, cli.settings());
  Json out{{"homeport", HOMEPORT_VERSION}, {"url", settings->url.to_string()}, {"service", nullptr}};
  HOMEPORT_TRY(Api * api, cli.api());
  std::string trouble;
  if (auto answer = api->get(Target("/v1/version"))) {
    out["service"] = *answer;
  } else {
    trouble = answer.error().sentence();
  }
  cli.show(out, [&](const Json& v, const Look& look, WallTime) {
    const std::string service = trouble.empty() ? text_at(v, "service.version") + " at " + text_at(v, "url") : trouble;
    return details_text({{"homeport", text_at(v, "homeport")}, {"service", service}}, look);
  });
  return ExitCode::ok;
}

Result<ExitCode> state_file(Cli& cli, const std::string& file, const char* verb) {
  if (!file.starts_with('/')) {
    return Error{.code = Errc::invalid_argument,
                 .message = "'" + safe_text(file) + "' is no absolute path",
                 .hint = "the file lies on the service's own host; give its whole path there"};
  }
  HOMEPORT_TRY(Api * api, cli.api());
  HOMEPORT_TRY(const auto answer, api->json({.method = "POST",
                                             .target = Target("/v1/state").literal(verb),
                                             .body = Json{{"file", file}}.dump(),
                                             .repeat = Repeat::keyed,
                                             .extra = kLongWork}));
  cli.show(answer, plain_view);
  return ExitCode::ok;
}
Result<ExitCode> backup(Cli& cli, const NameOption& o) {
  return state_file(cli, o.name, "backup");
}
Result<ExitCode> restore(Cli& cli, const NameOption& o) {
  return state_file(cli, o.name, "restore");
}

Json context_json(const Context& context, bool current) {
  const auto or_null = [](const std::string& text) { return text.empty() ? Json(nullptr) : Json(text); };
  return Json{{"name", context.name},
              {"current", current},
              {"url", context.url},
              {"token_file", or_null(context.token_file)},
              {"ca_file", or_null(context.ca_file)},
              {"realm", or_null(context.realm)}};
}

std::string contexts_view(const Json& list, const Look& look, WallTime /*now*/) {
  Table table({{"CURRENT"},
               {"NAME", Align::left, true},
               {"URL", Align::left, true},
               {"REALM", Align::left, true},
               {"TOKEN FILE", Align::left, true}});
  for (const auto& item : items_at(list, "items")) {
    table.add({{flag_at(item, "current") ? "*" : " "},
               {text_at(item, "name")},
               {text_at(item, "url")},
               {text_at(item, "realm")},
               {text_at(item, "token_file")}});
  }
  return table.empty() ? "No contexts; homeport help environment shows how to write some.\n" : table.text(look);
}

Result<ExitCode> list_contexts(Cli& cli, const NoOptions&) {
  HOMEPORT_TRY(const auto file, load_contexts(cli.host().env));
  Json all{{"items", Json::array()}, {"next", nullptr}};
  for (const auto& context : file.contexts) all["items"].push_back(context_json(context, context.name == file.current));
  cli.show(all, contexts_view);
  return ExitCode::ok;
}

Result<ExitCode> choose_context(Cli& cli, const NameOption& o) {
  HOMEPORT_TRY(const auto file, load_contexts(cli.host().env));
  HOMEPORT_CHECK(use_context(file, o.name));
  cli.note("commands now go to " + safe_text(file.find(o.name)->url));
  return ExitCode::ok;
}

// What a command given now would use, and where each part comes from.
Result<ExitCode> show_context(Cli& cli, const NoOptions&) {
  HOMEPORT_TRY(const Settings* settings, cli.settings());
  const auto or_null = [](const std::string& text) { return text.empty() ? Json(nullptr) : Json(text); };
  const Json out{{"context", or_null(settings->context)}, {"url", settings->url.to_string()},
                 {"url_from", settings->url_from},        {"token_from", or_null(settings->token_from)},
                 {"ca_file", or_null(settings->ca_file)}, {"realm", or_null(settings->realm)}};
  cli.show(out, [](const Json& v, const Look& look, WallTime) {
    return details_text({{"context", text_at(v, "context")},
                         {"url", text_at(v, "url") + " (" + text_at(v, "url_from") + ")"},
                         {"token", member(v, "token_from") == nullptr ? "none" : "from " + text_at(v, "token_from")},
                         {"CA file", text_at(v, "ca_file")},
                         {"realm", text_at(v, "realm")}},
                        look);
  });
  return ExitCode::ok;
}

}  // namespace

void add_state_commands(const Noun& noun) {
  const auto saving =
      add_verb<NameOption>(noun,
                           {.name = "backup",
                            .description = "Write a copy of the service's state to a file on its own host.",
                            .example = "homeport state backup /var/backups/homeport.db"},
                           backup);
  add(saving.app, "file", saving.options.name, "/PATH", "absolute, on the service's host")->required();
  const auto restoring =
      add_verb<NameOption>(noun,
                           {.name = "restore",
                            .description = "Put a copy in place of the state, at the next start of the service.",
                            .example = "homeport state restore /var/backups/homeport.db"},
                           restore);
  add(restoring.app, "file", restoring.options.name, "/PATH", "absolute, on the service's host")->required();
}

void add_context_commands(const Noun& noun) {
  add_verb<NoOptions>(noun,
                      {.name = "list",
                       .description = "List the contexts of ~/.config/homeport/config.yaml.",
                       .example = "homeport context list"},
                      list_contexts);
  const auto using_one = add_verb<NameOption>(
      noun, {.name = "use", .description = "Make a context the current one.", .example = "homeport context use lab"},
      choose_context);
  add(using_one.app, "context", using_one.options.name, "NAME", "name of the context")->required();
  add_verb<NoOptions>(noun,
                      {.name = "show",
                       .description = "Show where a command given now would go, and with which credential.",
                       .example = "homeport context show"},
                      show_context);
}

void add_service_commands(const Noun& root) {
  const auto planning = add_verb<DocumentOptions>(root,
                                                  {.name = "plan",
                                                   .description = "Show what applying a desired document would change.",
                                                   .example = "homeport plan -f desired.yaml"},
                                                  plan);
  add(planning.app, "-f,--file", planning.options.file, "FILE", "the document, YAML or JSON, or - for standard input")
      ->required();
  const auto applying = add_verb<DocumentOptions>(
      root,
      {.name = "apply",
       .description = "Make backends, classes, rules and grants what a desired document says.",
       .example = "homeport apply -f desired.yaml --dry-run"},
      apply);
  add(applying.app, "-f,--file", applying.options.file, "FILE", "the document, YAML or JSON, or - for standard input")
      ->required();
  applying.app->add_flag("--dry-run", applying.options.dry_run, "only show what would change, as homeport plan does");
  add_verb<NoOptions>(
      root,
      {.name = "doctor",
       .description = "Let the service look for what is wrong or will be. Ends with code 6 when it found an error.",
       .example = "homeport doctor"},
      doctor);
  add_verb<NoOptions>(root,
                      {.name = "version",
                       .description = "Show the version of this command and of the service.",
                       .example = "homeport version"},
                      version);
}

}  // namespace homeport::cli
