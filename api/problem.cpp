#include "api/problem.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <utility>

namespace homeport {
namespace {

nlohmann::json text_or_null(const std::string& text) {
  return text.empty() ? nlohmann::json(nullptr) : nlohmann::json(text);
}

std::string retry_after_seconds(std::chrono::milliseconds wait) {
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(wait).count();
  return std::to_string(std::max<std::int64_t>(1, seconds));
}

constexpr std::array<std::pair<unsigned, std::string_view>, 34> kReasons{{
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {206, "Partial Content"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {415, "Unsupported Media Type"},
    {417, "Expectation Failed"},
    {422, "Unprocessable Content"},
    {428, "Precondition Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {507, "Insufficient Storage"},
}};

}  // namespace

unsigned http_status(Errc code) {
  switch (code) {  // no default: a new kind does not compile until somebody has decided
    case Errc::invalid_argument: return 400;
    case Errc::unauthenticated: return 401;
    case Errc::forbidden: return 403;
    case Errc::not_found: return 404;
    case Errc::already_exists:
    case Errc::conflict:
    case Errc::cancelled: return 409;
    case Errc::too_large: return 413;
    case Errc::failed_precondition: return 422;
    case Errc::rate_limited: return 429;
    case Errc::internal: return 500;
    case Errc::unsupported: return 501;
    case Errc::permission_denied: return 502;
    case Errc::unavailable: return 503;
    case Errc::timed_out: return 504;
    case Errc::out_of_capacity:
    case Errc::over_quota: return 507;
  }
  return 500;
}

std::string_view problem_title(Errc code) {
  switch (code) {
    case Errc::invalid_argument: return "The request is not valid";
    case Errc::unauthenticated: return "No valid credential";
    case Errc::forbidden: return "Not allowed";
    case Errc::not_found: return "Not found";
    case Errc::already_exists: return "The name is taken";
    case Errc::conflict: return "Changed meanwhile";
    case Errc::cancelled: return "Stopped on request";
    case Errc::too_large: return "Too large";
    case Errc::failed_precondition: return "Not possible in the present state";
    case Errc::rate_limited: return "Too many requests";
    case Errc::internal: return "Internal error";
    case Errc::unsupported: return "Not supported";
    case Errc::permission_denied: return "The storage system refused Homeport";
    case Errc::unavailable: return "Not available now";
    case Errc::timed_out: return "Took too long";
    case Errc::out_of_capacity: return "The storage system is full";
    case Errc::over_quota: return "Over quota";
  }
  return "Internal error";
}

std::string_view status_reason(unsigned status) {
  const auto found = std::lower_bound(kReasons.begin(), kReasons.end(), status,
                                      [](const auto& entry, unsigned wanted) { return entry.first < wanted; });
  if (found != kReasons.end() && found->first == status) return found->second;
  return status == 505 ? "HTTP Version Not Supported" : "Status";
}

std::string problem_body(const Error& error, std::string_view request_id, std::optional<unsigned> status) {
  const std::string code(errc_name(error.code));
  const nlohmann::json body{
      {"type", "urn:homeport:error:" + code},
      {"title", problem_title(error.code)},
      {"status", status.value_or(http_status(error.code))},
      {"detail", error.sentence()},
      {"code", code},
      {"hint", text_or_null(error.hint)},
      {"retryable", is_transient(error.code)},
      {"request_id", text_or_null(std::string(request_id))},
      {"pointer", text_or_null(error.pointer)},
      {"upstream", error.upstream ? text_or_null(error.upstream->system) : nlohmann::json(nullptr)},
  };
  // A message may quote what the client sent, which need not be UTF-8.
  return body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

Response problem_response(const Error& error, std::string_view request_id, std::optional<unsigned> status) {
  Response response{.status = status.value_or(http_status(error.code)),
                    .content_type = "application/problem+json",
                    .body = problem_body(error, request_id, status)};
  if (error.retry_after) response.with("Retry-After", retry_after_seconds(*error.retry_after));
  if (response.status == 401) response.with("WWW-Authenticate", "Bearer realm=\"homeport\"");
  return response;
}

}  // namespace homeport
