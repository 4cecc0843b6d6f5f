#include "drivers/flashblade/sim/array.h"

#include <algorithm>
#include <charconv>

#include "drivers/flashblade/sim/admins.h"
#include "drivers/flashblade/sim/alerts.h"
#include "drivers/flashblade/sim/clients.h"
#include "drivers/flashblade/sim/exports.h"
#include "drivers/flashblade/sim/furnish.h"
#include "drivers/flashblade/sim/policies.h"
#include "drivers/flashblade/sim/replication.h"
#include "drivers/flashblade/sim/surroundings.h"
#include "provisioner/base/log.h"

namespace homeport::fbsim {
namespace {

// "2.12" → 12; "2.latest" → the newest.
std::optional<int> parse_version(std::string_view text, int newest) {
  if (!text.starts_with("2.")) return std::nullopt;
  text.remove_prefix(2);
  if (text == "latest") return newest;
  int minor = 0;
  const auto [end, bad] = std::from_chars(text.data(), text.data() + text.size(), minor);
  const bool whole = bad == std::errc() && end == text.data() + text.size() && (text.size() == 1 || text[0] != '0');
  if (!whole || minor > newest) return std::nullopt;
  return minor;
}

// The query without what this version does not know. Strict: such a parameter is refused.
Or<Query> known_parameters(Query query, const Operation& operation, int minor, bool strict) {
  for (auto at = query.begin(); at != query.end();) {
    const bool known = std::ranges::any_of(
        operation.params, [&](const Param& param) { return param.name == at->first && param.since <= minor; });
    if (!known && strict) return Refusal{"Invalid query parameter: " + at->first};
    at = known ? std::next(at) : query.erase(at);
  }
  return query;
}

// A member of null is as good as none. No body of this interface is nested deeply; deeper parts are left as they are.
void drop_nulls(Json& value, int depth = 0) {
  if (!value.is_structured() || depth > 16) return;
  if (value.is_object()) {
    for (auto at = value.begin(); at != value.end();) at = at->is_null() ? value.erase(at) : std::next(at);
  }
  for (auto& member : value) drop_nulls(member, depth + 1);
}

std::optional<Json> parse_body(const std::string& text) {
  if (text.empty()) return Json::object();
  auto body = Json::parse(text, nullptr, false);
  if (body.is_discarded()) return std::nullopt;
  drop_nulls(body);
  return body;
}

}  // namespace

HttpAnswer json_answer(unsigned status, const Json& body) {
  HttpAnswer answer;
  answer.status = status;
  // Names may hold any bytes that a client sent.
  answer.body = body.dump(-1, ' ', false, Json::error_handler_t::replace);
  return answer;
}

HttpAnswer refusal_answer(const Refusal& refusal, const World& world, int minor) {
  Json error = {{"message", refusal.message}, {"context", refusal.context ? Json(*refusal.context) : Json(nullptr)}};
  if (minor >= 17) error["location_context"] = world.array_reference();
  return json_answer(refusal.status, Json{{"errors", Json::array({error})}});
}

Array::Array(Settings settings, const Clock& clock, IdSource& ids) : world_(std::move(settings), clock, ids) {
  add_arrays(operations_);
  add_file_systems(operations_);
  add_snapshots(operations_);
  add_network(operations_);
  add_quotas(operations_);
  add_admins(operations_);
  add_nfs_policies(operations_);
  add_exports(operations_);
  add_policies(operations_);
  add_policy_members(operations_);
  add_qos_policies(operations_);
  add_connections(operations_);
  add_replica_links(operations_);
  add_alerts(operations_);
  add_performance(operations_);
  add_clients(operations_);
  add_surroundings(operations_);
  furnish_array(world_);
  furnish_network(world_);
  furnish_admins(world_);
  furnish_exports(world_);
  furnish_replication(world_);
  furnish_clients(world_);
  furnish_surroundings(world_);
}

HttpAnswer Array::answer(const HttpRequest& request) {
  const std::lock_guard lock(mutex_);
  world_.advance();
  auto out = guarded_dispatch(request);
  auto id = request.header("X-Request-ID");
  out.headers.emplace_back("X-Request-ID", id.empty() ? world_.new_id() : std::move(id));
  return out;
}

// A gap in our own checks must not end the process.
HttpAnswer Array::guarded_dispatch(const HttpRequest& request) {
  try {
    return dispatch(request);
  } catch (const Json::exception& problem) {
    log::error("request_not_understood", {{"target", request.target}, {"why", problem.what()}});
    return refusal_answer(Refusal{"Internal error.", request.target, 500}, world_, 0);
  }
}

HttpAnswer Array::dispatch(const HttpRequest& request) {
  const std::string_view target = request.target;
  const auto question = target.find('?');
  const auto path = target.substr(0, question);
  const auto query = question == std::string_view::npos ? std::string_view() : target.substr(question + 1);
  if (path == "/api/api_version" && request.method == "GET") {
    Json versions = world_.settings.api_versions;
    for (int minor = 0;
         versions.empty() || (world_.settings.api_versions.empty() && minor <= world_.settings.max_minor); ++minor) {
      versions.push_back("2." + std::to_string(minor));
    }
    return json_answer(200, Json{{"versions", versions}});
  }
  if (path == "/api/login-banner" && request.method == "GET") {
    return json_answer(200, items_of(Json::array({Json{{"login_banner", world_.array.fields["banner"]}}})));
  }
  if (path == "/api/login" && request.method == "POST") return login(request);
  if (path == "/api/logout" && request.method == "POST") return logout(request);
  if (path.starts_with("/api/")) return versioned(request, path, query);
  return refusal_answer(Refusal{"Resource does not exist.", std::string(path), 404}, world_, 0);
}

HttpAnswer Array::login(const HttpRequest& request) {
  const auto user = find_login(world_, request);
  if (!user) {
    log_session(world_, "failed authentication", "", request);
    return unauthorized("/api/login");
  }
  const auto token = sessions_.open(world_.new_id(), *user, world_.now());
  log_session(world_, "login", *user, request);
  auto answer = json_answer(200, Json{{"username", *user}});
  answer.headers.emplace_back("x-auth-token", token);
  return answer;
}

HttpAnswer Array::logout(const HttpRequest& request) {
  if (!sessions_.close(request.header("x-auth-token"))) return unauthorized("/api/logout");
  log_session(world_, "logout", "", request);
  return HttpAnswer{};
}

// The one body that was recorded has the key in the singular; that of 401 is what its client also accepts.
HttpAnswer Array::unauthorized(std::string_view path) const {
  const unsigned status = world_.settings.unauthorized_status;
  Json error = {
      {"code", status}, {"context", path}, {"message", status == 401 ? "Invalid session token." : "Access Denied"}};
  return json_answer(status, Json{{status == 401 ? "errors" : "error", Json::array({error})}});
}

HttpAnswer Array::versioned(const HttpRequest& request, std::string_view path, std::string_view query) {
  auto rest = path.substr(5);
  const auto slash = rest.find('/');
  const auto minor = parse_version(rest.substr(0, slash), world_.settings.max_minor);
  if (!minor || slash == std::string_view::npos) {
    return refusal_answer(Refusal{"Unsupported API version.", std::string(path), 404}, world_, 0);
  }
  const auto user = sessions_.use(request.header("x-auth-token"), world_.now(), world_.settings.session_ms);
  if (!user) return unauthorized(path);
  rest.remove_prefix(slash + 1);
  if (rest.ends_with('/')) rest.remove_suffix(1);
  const auto* methods = operations_.methods(rest);
  const bool exists = methods != nullptr &&
                      std::ranges::any_of(*methods, [&](const auto& entry) { return entry.second.since <= *minor; });
  if (!exists) return refusal_answer(Refusal{"Resource does not exist.", std::string(path), 404}, world_, *minor);
  const auto operation = methods->find(request.method);
  if (operation == methods->end() || operation->second.since > *minor) {
    return refusal_answer(Refusal{"Method not allowed.", std::string(path), 405}, world_, *minor);
  }
  Call call{world_, *minor, request.method, std::string(rest), parse_query(query), Json::object(), *user, {}};
  return run(request, operation->second, call);
}

HttpAnswer Array::run(const HttpRequest& request, const Operation& operation, Call& call) {
  const auto refuse = [&](const Refusal& refusal) { return refusal_answer(refusal, world_, call.minor); };
  auto query = known_parameters(std::move(call.query), operation, call.minor, world_.settings.strict_parameters);
  if (!query) return refuse(query.error());
  call.query = std::move(query).value();
  for (const auto& context : call.list("context_names")) {
    if (context != world_.array.name) return refuse(world_.missing("Array", context));
  }
  if (request.method == "POST" || request.method == "PATCH" || request.method == "PUT") {
    auto body = parse_body(request.body);
    if (!body) return refuse(Refusal{"The request body is not valid JSON."});
    call.body = *std::move(body);
    if (const auto fits = check_body(call.body, operation.body, call.minor); !fits) return refuse(fits.error());
  }
  if (call.method != "GET") {
    if (const auto allowed = check_role(world_, call.user, call.path); !allowed) return refuse(allowed.error());
  }
  if (call.method != "GET") world_.tallies.clear();
  auto answered = operation.handler(call);
  if (!answered) return refuse(answered.error());
  if (call.method != "GET") record_audit(world_, call, request);
  if (!call.written.empty()) {
    HttpAnswer answer;
    answer.body = std::move(call.written);
    return answer;
  }
  if (!answered.value()) return HttpAnswer{};
  return json_answer(200, **answered);
}

}  // namespace homeport::fbsim
