#include <nlohmann/json.hpp>

#include "cli/commands/registry.h"
#include "cli/usage.h"
#include "cli/views.h"
#include "provisioner/base/names.h"
#include "provisioner/render/renderer.h"

namespace homeport::cli {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kLongestHold{20'000};  // how long one request may be held by the service
constexpr milliseconds kPause{500};

struct FormatOptions {
  std::string format{};
  std::string mode{};
  std::string kube_namespace{};
  std::string service{};
  std::string host_root{};
};
struct GetOptions {
  std::string user{};
  std::string hub{};
  std::string groups{};  // with commas between
  std::string server{};
  std::string purpose{};
  std::vector<std::string> datasets{};
  std::optional<std::uint32_t> uid{};
  std::optional<std::uint32_t> gid{};
  std::string wait = "true";
  FormatOptions render{};
};
struct RenderOptions {
  std::string file{};
  FormatOptions render{};
};

Result<std::vector<std::string>> groups_of(const std::string& list) {
  std::vector<std::string> out;
  for (std::size_t at = 0; at <= list.size();) {
    const std::size_t end = std::min(list.find(',', at), list.size());
    HOMEPORT_TRY(const auto group, GroupName::parse(std::string_view(list).substr(at, end - at)));
    out.push_back(group.str());
    at = end + 1;
  }
  return out;
}

Result<std::string> request_body(const GetOptions& o) {
  HOMEPORT_TRY(const auto user, UserName::parse(o.user));
  HOMEPORT_TRY(const auto hub, slug(o.hub));
  if (o.uid.has_value() != o.gid.has_value())
    return usage_error("--uid and --gid belong together", "give both, or neither");
  Json body{{"hub", hub}, {"user", user.str()}};
  if (!o.groups.empty()) {
    HOMEPORT_TRY(body["groups"], groups_of(o.groups));
  }
  if (!o.server.empty()) body["server"] = o.server;
  if (!o.purpose.empty()) body["purpose"] = o.purpose;
  if (!o.datasets.empty()) body["wanted"] = Json{{"datasets", o.datasets}};
  if (o.uid) body["identity"] = Json{{"uid", *o.uid}, {"gid", *o.gid}};
  return body.dump();
}

// Whoever names nobody asks for themselves: hub and name are the token's, the server is the one this runs in.
Result<GetOptions> completed(Cli& cli, GetOptions o) {
  if (!o.user.empty()) {
    if (o.hub.empty()) return usage_error("no --hub is given", "the hub as which to ask: --hub main");
    return o;
  }
  HOMEPORT_TRY(const auto me, who_am_i(cli, "homeport spec get USER --hub HUB"));
  o.user = text_at(me, "user.name");
  if (o.hub.empty()) o.hub = text_at(me, "credential.hub");
  if (o.server.empty()) o.server = cli.host().env("JUPYTERHUB_SERVER_NAME").value_or("");
  return o;
}

// Asks again while the home is being made. Nothing: the time is over or the user interrupted, and was told.
Result<std::optional<HttpReply>> ask(Cli& cli, Api& api, const GetOptions& o) {
  HOMEPORT_TRY(const auto body, request_body(o));
  HOMEPORT_TRY(const auto limit, wait_limit({.wait = o.wait}));
  auto& clock = cli.host().clock;
  const MonoTime end = clock.mono() + limit.value_or(milliseconds{0});
  const InterruptWatch interrupt;
  api.stop_with(interrupt.token());
  for (bool told = false;; told = true) {
    const auto rest = std::chrono::duration_cast<milliseconds>(end - clock.mono());
    const auto hold = std::clamp(rest, milliseconds{0}, kLongestHold);
    HOMEPORT_TRY(auto target, in_realm(cli, Target("/v1/mountspecs")));
    target.query("wait", std::to_string(hold.count() / 1000));
    HOMEPORT_TRY(auto reply,
                 api.exchange({.method = "POST", .target = std::move(target), .body = body, .extra = hold}));
    if (reply.status != 202) return std::optional<HttpReply>{std::move(reply)};
    const auto pending = api.parse(reply);
    const std::string id = pending ? text_at(*pending, "operation.id") : "-";
    const bool over = clock.mono() >= end;
    if (!over && !told) cli.note("the home is being made (operation " + safe_text(id) + ")");
    if (over || !clock.sleep_for(std::min(kPause, retry_after(reply).value_or(kPause)), interrupt.token())) {
      cli.note("homeport: the home is still being made; watch it: homeport operation watch " + safe_text(id));
      return std::optional<HttpReply>{};
    }
  }
}

// Text of a format goes out as it is; the document is JSON unless a terminal reads it.
void show_spec(Cli& cli, const Json& spec) {
  if (cli.format() == Format::automatic && !cli.host().out_terminal) {
    cli.print(json_text(spec));
  } else {
    cli.show(spec, spec_view);
  }
}

Result<void> check_format(Cli& cli, const FormatOptions& o, bool needed) {
  if (o.format.empty() && (needed || !(o.mode + o.kube_namespace + o.service + o.host_root).empty())) {
    return usage_error("no --format is given", "homeport spec formats lists them");
  }
  if (!o.format.empty() && cli.format() != Format::automatic) {
    return usage_error("-o does not go with --format: the format decides what is printed", "leave out one of them");
  }
  return {};
}

// A refusal that carries the spec which says why: the document is printed, and its notices are the error.
Error blocked(const Json& spec, const HttpReply& reply) {
  Error error{.code = errc_from_status(reply.status),
              .message = "the spec of " + text_at(spec, "subject.user") + " is blocked"};
  for (const auto& notice : items_at(spec, "notices")) error.message += "\n" + text_at(notice, "text");
  error.upstream = Upstream{.system = "homeport", .status = reply.status, .detail = reply.header("x-request-id")};
  return error;
}

Result<ExitCode> get(Cli& cli, const GetOptions& given) {
  HOMEPORT_CHECK(check_format(cli, given.render, false));
  HOMEPORT_TRY(const auto o, completed(cli, given));
  HOMEPORT_TRY(Api * api, cli.api());
  HOMEPORT_TRY(const auto reply, ask(cli, *api, o));
  if (!reply) return ExitCode::still_running;
  if (reply->status < 200 || reply->status >= 300) {
    const auto refused = Json::parse(reply->body, nullptr, false);
    const Json* spec = refused.is_object() && refused.contains("mounts") ? &refused : nullptr;
    if (spec == nullptr && refused.is_object()) spec = member(refused, "spec");
    if (spec == nullptr || !spec->is_object()) return api->error_of(*reply);
    show_spec(cli, *spec);
    return refused.contains("detail") ? api->error_of(*reply) : blocked(*spec, *reply);
  }
  HOMEPORT_TRY(const auto spec, api->parse(*reply));
  if (o.render.format.empty()) {
    show_spec(cli, spec);
    return ExitCode::ok;
  }
  Target target = Target("/v1/mountspecs").part(text_at(spec, "spec_id"));
  target.query("format", o.render.format)
      .query_if("mode", o.render.mode)
      .query_if("namespace", o.render.kube_namespace)
      .query_if("service", o.render.service)
      .query_if("host_root", o.render.host_root);
  HOMEPORT_TRY(const auto text, api->send({.method = "GET", .target = std::move(target)}));
  cli.print(text.body);
  return ExitCode::ok;
}

Result<ExitCode> render(Cli& cli, const RenderOptions& o) {
  HOMEPORT_CHECK(check_format(cli, o.render, true));
  HOMEPORT_TRY(const auto renderer, render::find_renderer(o.render.format));
  HOMEPORT_TRY(const auto text, read_text(cli, o.file));
  HOMEPORT_TRY(const auto spec, render::from_json(text));
  render::RenderOptions options{
      .mode = o.render.mode == "trait" ? render::TemplateMode::trait : render::TemplateMode::hook,
      .kube_namespace = o.render.kube_namespace};
  if (!o.render.service.empty()) options.compose_service = o.render.service;
  if (!o.render.host_root.empty()) options.host_root = o.render.host_root;
  HOMEPORT_TRY(const auto rendered, renderer->render(spec, options));
  cli.print(rendered);
  return ExitCode::ok;
}

Result<ExitCode> release(Cli& cli, const NameOption& o) {
  HOMEPORT_TRY(const auto id, id_word(o.name, "a spec"));
  HOMEPORT_TRY(Api * api, cli.api());
  HOMEPORT_CHECK(api->json({.method = "POST", .target = Target("/v1/mountspecs").part(id).literal("release")}));
  cli.note("spec " + id + " is released");
  return ExitCode::ok;
}

Result<ExitCode> formats(Cli& cli, const NoOptions&) {
  return get_and_show(cli, Target("/v1/renderers"), renderers_view);
}

void add_format(CLI::App* app, FormatOptions& o) {
  add(app, "--format", o.format, "FORMAT",
      "as a platform takes it, for example kubespawner; see homeport spec formats");
  add_choice(app, "--mode", o.mode, "hook|trait",
             "for Python hooks (hook) or for spawner traits that expand braces (trait)");
  add(app, "--namespace", o.kube_namespace, "NS", "Kubernetes namespace, for formats that need one");
  add(app, "--service", o.service, "NAME", "the service of the Compose file that gets the mounts (default notebook)");
  add(app, "--host-root", o.host_root, "DIR",
      "where mounts go on a host, as DIR/USER_KEY/MOUNT (default /srv/homeport)");
}

void add_get(const Noun& noun) {
  const auto verb = add_verb<GetOptions>(
      noun,
      {.name = "get",
       .description =
           "Ask as a spawner does: what shall be mounted for this person? Makes the home if there is none. Prints the "
           "document as JSON, or on a terminal what it says; with --format, what a platform takes. In a notebook, "
           "without a name, it is about you and makes nothing.",
       .example = "homeport spec get\nhomeport spec get alice --hub lab --groups biology,staff\n"
                  "homeport spec get alice --hub lab --format kubespawner"},
      get);
  auto& o = verb.options;
  add(verb.app, "user", o.user, "USER", "the person as the hub names them");
  add(verb.app, "--hub", o.hub, "HUB", "the hub that asks; needed with a name");
  add(verb.app, "--groups", o.groups, "A,B", "the person's groups, with commas between");
  add(verb.app, "--server", o.server, "SERVER", "the named server that starts");
  add_choice(verb.app, "--purpose", o.purpose, "interactive|dashboard|batch|rescue", "what it is for (interactive)");
  verb.app->add_option("--wanted-dataset", o.datasets, "a dataset that was chosen; may be repeated")
      ->type_name("DATASET")
      ->expected(1)
      ->take_all();
  verb.app->add_option("--uid", o.uid, "the person's user id, if the hub knows it")->type_name("N");
  verb.app->add_option("--gid", o.gid, "and group id")->type_name("N");
  add_format(verb.app, o.render);
  verb.app->add_flag("--wait,!--no-wait", o.wait,
                     "wait until the home is ready (the default; --wait=90 for another time)");
}

}  // namespace

void add_spec_commands(const Noun& noun) {
  add_get(noun);
  const auto rendering =
      add_verb<RenderOptions>(noun,
                              {.name = "render",
                               .description = "Turn a spec into what a platform takes. Needs no service.",
                               .example = "homeport spec get alice --hub lab -o json > spec.json\nhomeport spec render "
                                          "--spec spec.json --format fstab"},
                              render);
  add(rendering.app, "--spec", rendering.options.file, "FILE", "the document, or - for standard input")->required();
  add_format(rendering.app, rendering.options.render);
  const auto releasing = add_verb<NameOption>(noun,
                                              {.name = "release",
                                               .description = "Say that what a spec was for has ended.",
                                               .example = "homeport spec release ms-0123"},
                                              release);
  add(releasing.app, "spec", releasing.options.name, "ID", "spec_id of the document")->required();
  add_verb<NoOptions>(
      noun, {.name = "formats", .description = "List what --format takes.", .example = "homeport spec formats"},
      formats);
}

}  // namespace homeport::cli
