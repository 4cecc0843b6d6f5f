#include <nlohmann/json.hpp>

#include "cli/commands/pso_import.h"
#include "cli/commands/registry.h"
#include "cli/views.h"

namespace homeport::cli {
namespace {

constexpr std::chrono::seconds kProbeWait{60};  // a probe makes and removes things on the backend

struct PauseOptions {
  std::string name{};
  std::string text{};
};

Result<Target> backend_target(const std::string& name) {
  HOMEPORT_TRY(const auto checked, slug(name));
  return Target("/v1/backends").part(checked);
}

Result<ExitCode> list(Cli& cli, const NoOptions&) {
  return list_and_show(cli, Target("/v1/backends"), backends_view);
}

Result<ExitCode> show(Cli& cli, const NameOption& o) {
  HOMEPORT_TRY(const auto target, backend_target(o.name));
  return get_and_show(cli, target, backend_view);
}

Result<ExitCode> probe(Cli& cli, const NameOption& o) {
  HOMEPORT_TRY(auto target, backend_target(o.name));
  target.literal("probe").query("wait", std::to_string(kProbeWait.count()));
  HOMEPORT_TRY(Api * api, cli.api());
  HOMEPORT_TRY(const auto report, api->json({.method = "POST", .target = target, .extra = kProbeWait}));
  cli.show(report, probe_view);
  const bool well = flag_at(report, "management_ok") && flag_at(report, "data_ok");
  return well ? ExitCode::ok : ExitCode::failed_precondition;
}

Result<ExitCode> exports(Cli& cli, const NameOption& o) {
  HOMEPORT_TRY(auto target, backend_target(o.name));
  return get_and_show(cli, target.literal("exports"), exports_view);
}

Result<ExitCode> pause(Cli& cli, const PauseOptions& o) {
  HOMEPORT_TRY(auto target, backend_target(o.name));
  HOMEPORT_TRY(Api * api, cli.api());
  HOMEPORT_TRY(const auto backend, api->json({.method = "POST",
                                              .target = target.literal("pause"),
                                              .body = Json{{"text", o.text}}.dump(),
                                              .repeat = Repeat::keyed}));
  cli.show(backend, backend_view);
  return ExitCode::ok;
}

Result<ExitCode> turn(Cli& cli, const std::string& name, const char* verb) {
  HOMEPORT_TRY(auto target, backend_target(name));
  return post_and_show(cli, target.literal(verb), backend_view);
}
Result<ExitCode> resume(Cli& cli, const NameOption& o) {
  return turn(cli, o.name, "resume");
}
Result<ExitCode> drain(Cli& cli, const NameOption& o) {
  return turn(cli, o.name, "drain");
}
Result<ExitCode> undrain(Cli& cli, const NameOption& o) {
  return turn(cli, o.name, "undrain");
}

void add_named(const Noun& noun, const VerbText& text, Result<ExitCode> (*action)(Cli&, const NameOption&)) {
  const auto verb = add_verb<NameOption>(noun, text, action);
  add(verb.app, "backend", verb.options.name, "BACKEND", "name of the backend")->required();
}

}  // namespace

void add_backend_commands(const Noun& noun) {
  add_verb<NoOptions>(noun,
                      {.name = "list",
                       .description = "List the storage systems Homeport works with.",
                       .example = "homeport backend list"},
                      list);
  add_named(noun,
            {.name = "show",
             .description = "Show one backend: state, pools, what it can do, daily caps.",
             .example = "homeport backend show filer"},
            show);
  add_named(noun,
            {.name = "probe",
             .description =
                 "Prove that a backend can be used, step by step, in a folder of its own. Says what to change on the "
                 "server where something is missing. Ends with code 6 when it cannot be used.",
             .example = "homeport backend probe filer"},
            probe);
  add_named(noun,
            {.name = "exports",
             .description = "List what the server exports, and what of it is a pool or a dataset already.",
             .example = "homeport backend exports filer"},
            exports);
  const auto pausing = add_verb<PauseOptions>(
      noun,
      {.name = "pause",
       .description = "Send no more changes to a backend. People who want something new there are told the text.",
       .example = "homeport backend pause filer \"maintenance until 14:00\""},
      pause);
  add(pausing.app, "backend", pausing.options.name, "BACKEND", "name of the backend")->required();
  add(pausing.app, "text", pausing.options.text, "TEXT", "what people are told meanwhile")->required();
  add_named(noun, {.name = "resume", .description = "End a pause.", .example = "homeport backend resume filer"},
            resume);
  add_named(noun,
            {.name = "drain",
             .description = "Put no new spaces on a backend; what is there goes on.",
             .example = "homeport backend drain filer"},
            drain);
  add_named(noun,
            {.name = "undrain",
             .description = "Let new spaces onto a backend again.",
             .example = "homeport backend undrain filer"},
            undrain);
  add_pso_import_command(noun);
}

}  // namespace homeport::cli
