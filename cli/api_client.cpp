#include "cli/api_client.h"

#include <charconv>
#include <nlohmann/json.hpp>

#include "cli/exit_codes.h"

namespace homeport::cli {
namespace {

std::string text_or_empty(const Json& value, std::string_view key) {
  const Json* found = member(value, key);
  return found != nullptr && found->is_string() ? found->get<std::string>() : std::string{};
}

}  // namespace

std::optional<std::chrono::milliseconds> retry_after(const HttpReply& reply) {
  const std::string text = reply.header("retry-after");
  unsigned seconds = 0;
  const auto [at, ec] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (text.empty() || ec != std::errc{} || at != text.data() + text.size()) return std::nullopt;
  return std::chrono::seconds(seconds);
}

Result<HttpReply> Api::exchange(const Call& call) {
  HttpRequest request{.method = call.method, .target = call.target.str()};
  request.headers.emplace_back("User-Agent", "homeport/" HOMEPORT_VERSION);
  request.headers.emplace_back("Accept", "application/json, application/problem+json, */*");
  if (settings_.token) request.headers.emplace_back("Authorization", "Bearer " + settings_.token->reveal());
  if (!settings_.hub.empty()) request.headers.emplace_back("Homeport-Hub", settings_.hub);
  if (call.repeat == Repeat::keyed) request.headers.emplace_back("Idempotency-Key", ids_.random_token(18));
  if (call.body) {
    request.headers.emplace_back("Content-Type", call.content_type);
    request.body = *call.body;
  }
  return http_->send(request, clock_.mono() + timeout_ + call.extra, stop_);
}

Error Api::error_of(const HttpReply& reply) const {
  Error error{.code = errc_from_status(reply.status)};
  auto problem = Json::parse(reply.body, nullptr, false);
  std::string id = reply.header("x-request-id");
  if (problem.is_object()) {
    if (const auto code = errc_from_name(text_or_empty(problem, "code"))) error.code = *code;
    error.message = text_or_empty(problem, "detail");
    if (error.message.empty()) error.message = text_or_empty(problem, "title");
    error.hint = text_or_empty(problem, "hint");
    error.pointer = text_or_empty(problem, "pointer");
    if (const auto own = text_or_empty(problem, "request_id"); !own.empty()) id = own;
  }
  if (error.message.empty()) {
    error.message = settings_.url.to_string() + " answered with status " + std::to_string(reply.status);
    if (error.hint.empty())
      error.hint = "is this the address of a Homeport service? check --url and what stands in between";
  }
  if (!error.pointer.empty() && error.message.find(error.pointer) == std::string::npos)
    error.message += " (at " + error.pointer + ")";
  error.retry_after = retry_after(reply);
  if (error.hint.empty() && error.retry_after && is_transient(error.code)) {
    error.hint = "try again in " + format_duration(*error.retry_after);
  }
  if (error.code == Errc::unauthenticated) {
    error.hint = settings_.token
                     ? "the token came from " + settings_.token_from + (error.hint.empty() ? "" : "; " + error.hint)
                     : "no token was sent: give one with --token-file, HOMEPORT_TOKEN or a context" +
                           (settings_.no_token_because.empty() ? "" : "; " + settings_.no_token_because);
  }
  error.upstream = Upstream{.system = "homeport", .status = reply.status, .detail = id};
  return error;
}

Result<HttpReply> Api::send(const Call& call) {
  HOMEPORT_TRY(auto reply, exchange(call));
  if (reply.status < 200 || reply.status >= 300) return error_of(reply);
  return reply;
}

Result<Json> Api::parse(const HttpReply& reply) const {
  return parse_json(reply.body, settings_.url.to_string());
}

Result<Json> Api::json(const Call& call) {
  HOMEPORT_TRY(const auto reply, send(call));
  if (reply.status == 204 || reply.body.empty()) return Json::object();
  return parse(reply);
}

Result<Json> Api::get(const Target& target) {
  return json({.method = "GET", .target = target});
}

Result<Json> Api::list(const Target& target, const std::string& cursor) {
  HOMEPORT_TRY(auto all, get(target));
  std::string last;
  for (const Json* next = member(all, "next"); next != nullptr; next = member(all, "next")) {
    const std::string at = scalar_text(*next);
    if (at == last || !all.contains("items") || !all["items"].is_array()) {
      return Error{.code = Errc::internal,
                   .message = settings_.url.to_string() + " sent a list that does not go on (" + target.str() + ")"};
    }
    last = at;
    HOMEPORT_TRY(auto page, get(Target(target).query(cursor, at)));
    for (auto& item : page["items"]) all["items"].push_back(std::move(item));
    all["next"] = page.contains("next") ? page["next"] : Json(nullptr);
  }
  return all;
}

}  // namespace homeport::cli
