#include "drivers/flashblade/sim/control.h"

#include "drivers/flashblade/sim/acts.h"
#include "drivers/flashblade/sim/state.h"

namespace homeport::fbsim {
namespace {

HttpAnswer problem(unsigned status, const std::string& message, const std::string& hint = "") {
  return json_answer(status, Json{{"message", message}, {"hint", hint}});
}

HttpAnswer problem(const Error& error) {
  return problem(error.code == Errc::not_found ? 404 : 400, error.sentence(), error.hint);
}

// The settings that can be changed while it runs.
void read_settings(DocReader& in, Settings& settings) {
  settings.max_minor = static_cast<int>(in.number("version", static_cast<std::uint64_t>(settings.max_minor), 0, 28));
  if (const auto* versions = in.raw("api_versions"); versions != nullptr)
    settings.api_versions = in.texts("api_versions");
  const auto status = [&](std::string_view key, unsigned now, unsigned low, unsigned high) {
    return static_cast<unsigned>(in.number(key, now, low, high));
  };
  settings.unauthorized_status = status("unauthorized", settings.unauthorized_status, 401, 403);
  settings.missing_status = status("missing", settings.missing_status, 200, 404);
  settings.exists_status = status("exists", settings.exists_status, 400, 409);
  settings.strict_parameters = in.boolean("strict", settings.strict_parameters);
  settings.nfs_default_on = in.boolean("nfs_on", settings.nfs_default_on);
  settings.capacity = in.number("capacity", settings.capacity, 0, ~std::uint64_t{0} >> 1U);
  settings.max_page = in.number("max_page", settings.max_page, 1, 1'000'000);
  constexpr std::uint64_t kYear = 31'536'000'000;
  settings.session_ms =
      static_cast<std::int64_t>(in.number("session_ms", static_cast<std::uint64_t>(settings.session_ms), 0, kYear));
  settings.eradication_delay_ms = static_cast<std::int64_t>(
      in.number("eradication_delay_ms", static_cast<std::uint64_t>(settings.eradication_delay_ms), 1, kYear));
  settings.copy_ms =
      static_cast<std::int64_t>(in.number("copy_ms", static_cast<std::uint64_t>(settings.copy_ms), 0, kYear));
  settings.replication_bytes_per_s =
      in.number("replication_bytes_per_s", settings.replication_bytes_per_s, 1, ~std::uint64_t{0} >> 1U);
  settings.max_snapshots_per_file_system =
      in.number("max_snapshots_per_file_system", settings.max_snapshots_per_file_system, 1, 1'000'000);
  settings.max_snapshots = in.number("max_snapshots", settings.max_snapshots, 1, 1'000'000);
  settings.max_performance_names = in.number("max_performance_names", settings.max_performance_names, 1, 1'000);
  settings.manual_eradication =
      in.choice("manual_eradication", {"all-enabled", "file-disabled", "object-disabled", "all-disabled"},
                settings.manual_eradication);
}

}  // namespace

HttpAnswer Control::get_state() {
  return array_.with([&](World& world, Sessions& sessions) {
    return json_answer(200, Json{{"now", world.now()},
                                 {"version", "2." + std::to_string(world.settings.max_minor)},
                                 {"file_systems", world.file_systems.size()},
                                 {"snapshots", world.snapshots.size()},
                                 {"logins", sessions.logins()},
                                 {"sessions", sessions.size()},
                                 {"failed_data_steps", world.failed_data_steps}});
  });
}

HttpAnswer Control::move_clock(const HttpRequest& request) {
  const auto document = parse_json_document(request.body, "request body");
  if (!document) return problem(document.error());
  Problems problems(*document);
  auto in = DocReader::root(problems);
  const auto by = in.optional_duration("advance");
  if (!by) in.missing("advance");
  in.finish();
  if (!problems.none()) return problem(problems.to_error());
  array_.with([&](World& world, Sessions&) { world.clock_offset += by->count(); });
  return get_state();  // what became due has happened by then
}

HttpAnswer Control::post_act(const HttpRequest& request) {
  const auto order = Json::parse(request.body, nullptr, false);
  if (!order.is_object()) return problem(400, "the body is not a JSON object");
  return array_.with([&](World& world, Sessions&) {
    const auto done = act(world, order);
    if (done) return json_answer(200, done.value());
    const auto& why = done.error();
    return problem(why.status, why.message + (why.context ? ": " + *why.context : std::string()));
  });
}

HttpAnswer Control::patch_settings(const HttpRequest& request) {
  const auto document = parse_json_document(request.body, "request body");
  if (!document) return problem(document.error());
  Problems problems(*document);
  auto in = DocReader::root(problems);
  auto settings = array_.with([](World& world, Sessions&) { return world.settings; });
  read_settings(in, settings);
  in.finish();
  if (!problems.none()) return problem(problems.to_error());
  array_.with([&](World& world, Sessions&) { world.settings = settings; });
  return get_state();
}

HttpAnswer Control::add_faults(const HttpRequest& request) {
  const auto document = parse_json_document(request.body, "request body");
  if (!document) return problem(document.error());
  if (const auto added = faults_.add(*document); !added) return problem(added.error());
  return json_answer(200, Json{{"faults", faults_.list()}});
}

HttpAnswer Control::remove_faults(const HttpRequest& request) {
  const auto question = request.target.find('?');
  const auto query = parse_query(question == std::string::npos ? std::string_view()
                                                               : std::string_view(request.target).substr(question + 1));
  const auto id = query.find("id");
  if (id == query.end()) {
    faults_.clear();
  } else if (!faults_.remove(id->second)) {
    return problem(404, "there is no fault " + id->second);
  }
  return json_answer(200, Json{{"faults", faults_.list()}});
}

HttpAnswer Control::save() {
  if (state_file_.empty()) return problem(400, "there is no file to save to", "start it with --state FILE");
  const auto saved = array_.with([&](World& world, Sessions&) { return save_state(world, state_file_); });
  return saved ? json_answer(200, Json{{"saved", state_file_}}) : problem(saved.error());
}

HttpAnswer Control::answer(const HttpRequest& request) {
  const auto what = request.method + ' ' + request.target.substr(0, request.target.find('?'));
  if (what == "GET /state") return get_state();
  if (what == "GET /requests") return json_answer(200, Json{{"requests", front_.requests()}});
  if (what == "DELETE /requests") {
    front_.forget_requests();
    return json_answer(200, Json::object());
  }
  if (what == "GET /faults") return json_answer(200, Json{{"faults", faults_.list()}});
  if (what == "POST /faults") return add_faults(request);
  if (what == "DELETE /faults") return remove_faults(request);
  if (what == "POST /clock") return move_clock(request);
  if (what == "POST /act") return post_act(request);
  if (what == "PATCH /settings") return patch_settings(request);
  if (what == "POST /save") return save();
  if (what == "POST /sessions/expire") {
    array_.with([](World&, Sessions& sessions) { sessions.close_all(); });
    return get_state();
  }
  return problem(404, "'" + what + "' is not offered here", "the README lists the control calls");
}

}  // namespace homeport::fbsim
