// The API as the commands see it: calls in, JSON or an Error out. A problem document becomes the Error it was.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>

#include "cli/http_client.h"
#include "cli/json.h"
#include "cli/settings.h"
#include "provisioner/base/clock.h"
#include "provisioner/base/id_source.h"

namespace homeport::cli {

enum class Repeat {
  safe,   // reads, and writes that may come twice by their nature
  keyed,  // sent with an Idempotency-Key, so that a repeated request is done once
};

struct Call {
  std::string method;
  Target target;
  std::optional<std::string> body{};
  Repeat repeat = Repeat::safe;
  std::string content_type = "application/json";
  std::chrono::milliseconds extra{0};  // how long the service itself may take on top of the timeout
};

// Threads: one call at a time; one Api per thread.
class Api {
 public:
  Api(std::unique_ptr<HttpClient> http, const Settings& settings, std::chrono::milliseconds timeout, const Clock& clock,
      IdSource& ids)
      : http_(std::move(http)), settings_(settings), timeout_(timeout), clock_(clock), ids_(ids) {}

  // Every call from here on ends when `stop` is requested.
  void stop_with(std::stop_token stop) { stop_ = std::move(stop); }

  // Any answer of the service, refusals included. Errors: those of HttpClient.
  Result<HttpReply> exchange(const Call& call);
  // 2xx, or the Error that the answer stands for.
  Result<HttpReply> send(const Call& call);
  Result<Json> json(const Call& call);
  Result<Json> get(const Target& target);
  // All pages as one {"items": […], "next": null}. `cursor` is the name of the query member that takes "next".
  Result<Json> list(const Target& target, const std::string& cursor = "cursor");
  [[nodiscard]] Result<Json> parse(const HttpReply& reply) const;
  // The Error that a refusal stands for; upstream is {"homeport", status, request id}.
  [[nodiscard]] Error error_of(const HttpReply& reply) const;
  [[nodiscard]] const Settings& settings() const { return settings_; }

 private:
  std::unique_ptr<HttpClient> http_;
  const Settings& settings_;
  const std::chrono::milliseconds timeout_;
  const Clock& clock_;
  IdSource& ids_;
  std::stop_token stop_{};
};

// "Retry-After: 5" (RFC 9110, 10.2.3; seconds only). Nothing when absent or a date.
[[nodiscard]] std::optional<std::chrono::milliseconds> retry_after(const HttpReply& reply);

}  // namespace homeport::cli
