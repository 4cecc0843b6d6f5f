#include "drivers/kubernetes/api_server.h"

#include <algorithm>
#include <charconv>

#include "drivers/kubernetes/objects.h"
#include "provisioner/base/names.h"

namespace homeport::drivers::kubernetes {

using nlohmann::json;

namespace {

constexpr std::size_t kMaxAnswer = std::size_t{32} << 20U;  // a page of pods
constexpr std::chrono::seconds kAdminsTime{10};             // before something is tried again that somebody must mend

// A failure that passes when somebody mends it is no reason to end anybody's work.
Error waiting(Error error) {
  const bool passes = is_transient(error.code);
  if (!passes) {
    error.code = Errc::unavailable;
    error.retry_after = kAdminsTime;
  }
  return error;
}

std::optional<std::chrono::milliseconds> retry_after(const http::Reply& reply) {
  const auto text = reply.header("retry-after");
  std::uint32_t seconds = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (text.empty() || ec != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return std::min<std::chrono::milliseconds>(std::chrono::seconds(seconds), std::chrono::minutes(1));
}

}  // namespace

ApiServer::ApiServer(const config::KubernetesSettings& settings, const Clock& clock)
    : token_(settings.token),
      url_(settings.server.to_string()),
      http_(http::make_client(
          {.url = settings.server, .name = "the Kubernetes API", .ca_file = settings.ca_file, .max_body = kMaxAnswer},
          clock)) {}

Result<ApiAnswer> ApiServer::call(const OpContext& op, const std::string& method, const std::string& target,
                                  const json* body) {
  const std::string what = method + " " + target.substr(0, target.find('?'));
  if (method != "GET" && op.calls != nullptr) {
    op.calls->add(what + (method == "POST" ? " " + text_at(*body, "/metadata/name") : ""));
  }
  if (method != "GET" && op.dry_run) return ApiAnswer{.status = 200, .body = body == nullptr ? json::object() : *body};
  auto token = config::read_secret(token_);
  if (!token) return waiting(std::move(token).error());
  http::Request request{
      .method = method, .target = target, .headers = {{"Accept", "application/json"}}, .bearer = std::move(*token)};
  if (body != nullptr) {
    request.headers.emplace_back("Content-Type", "application/json");
    request.body = body->dump();
  }
  auto reply = http_->send(op, request);
  if (!reply) return waiting(std::move(reply).error());
  const bool told = reply->status == 200 || reply->status == 201 || reply->status == 202;
  const bool known = told || reply->status == 404 || reply->status == 409;
  auto parsed = json::parse(reply->body, nullptr, false);
  // Whatever stands between us and the server may say 404 too.
  if (known && (!parsed.is_object() || text_at(parsed, "/kind").empty())) {
    return Error{.code = Errc::unavailable,
                 .message = url_ + " answered " + what + " with something that no Kubernetes API says",
                 .hint = "is kubernetes.server the address of the API server?",
                 .upstream = Upstream{.system = "kubernetes", .status = reply->status},
                 .maybe_applied = true};
  }
  if (known) return ApiAnswer{.status = reply->status, .body = std::move(parsed)};
  return refusal(*reply, what);
}

Error ApiServer::refusal(const http::Reply& reply, const std::string& what) const {
  const auto body = json::parse(reply.body, nullptr, false);
  const std::string words = body.is_object() ? printable(text_at(body, "/message"), 300) : std::string();
  Error error{.code = Errc::unavailable,
              .message = "the Kubernetes API at " + url_ + " answers " + std::to_string(reply.status) + " to " + what +
                         (words.empty() ? "" : ": " + words),
              .upstream = Upstream{.system = "kubernetes", .status = reply.status, .detail = words},
              .retry_after = retry_after(reply)};
  if (reply.status == 401) {
    error.message = "the Kubernetes API at " + url_ + " does not accept the token in " + token_.describe();
    error.hint = "put a valid token of the service account there; it is read again for each request";
  } else if (reply.status == 403) {
    error.hint = "`homeport kubernetes rbac` prints the rights that are needed";
  } else if (reply.status == 429) {
    error.code = Errc::rate_limited;
  } else if (reply.status >= 500) {
    error.maybe_applied = true;
    return error;
  }
  if (!error.retry_after && error.code != Errc::rate_limited) error.retry_after = kAdminsTime;
  return error;
}

}  // namespace homeport::drivers::kubernetes
