// HTTP/1.1 to one service, over TCP or TLS. One connection, kept between requests.
#pragma once

#include <map>
#include <memory>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "provisioner/base/clock.h"
#include "provisioner/base/result.h"
#include "provisioner/base/url.h"

namespace homeport::cli {

struct HttpRequest {
  std::string method;
  std::string target;  // encoded, without the base path
  std::vector<std::pair<std::string, std::string>> headers{};
  std::string body{};
};

struct HttpReply {
  int status = 0;
  std::map<std::string, std::string> headers{};  // names in lower case
  std::string body{};
  [[nodiscard]] std::string header(const std::string& lower_name) const;  // "" when absent
};

// Threads: one call at a time. Blocks until the answer, the deadline or the stop.
class HttpClient {
 public:
  virtual ~HttpClient() = default;
  // Any status is an answer. A kept connection that the service closed meanwhile is opened once more, so a request must
  // be repeatable (or carry an idempotency key). Errors: unavailable (URL and reason), timed_out, cancelled; internal
  // for what is not HTTP. maybe_applied is set when the request had been sent.
  virtual Result<HttpReply> send(const HttpRequest& request, MonoTime deadline, const std::stop_token& stop) = 0;
};

struct HttpSettings {
  Url url;
  std::string ca_file{};  // https: trusted instead of the machine's own list
  std::chrono::milliseconds connect_limit{10'000};
};

// The clock must outlive the client. TLS certificates and host names are always checked.
[[nodiscard]] std::unique_ptr<HttpClient> make_http_client(HttpSettings settings, const Clock& clock);

}  // namespace homeport::cli
