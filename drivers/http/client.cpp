#include "drivers/http/client.h"

#include <algorithm>
#include <array>
#include <mutex>

#include "drivers/http/connection.h"
#include "provisioner/base/names.h"

namespace homeport::drivers::http {
namespace {

bool is_header_name(std::string_view name) {
  return !name.empty() && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  });
}

bool is_header_value(std::string_view value) {
  return std::ranges::all_of(value, [](char c) { return (c >= 0x20 && c < 0x7f) || c == '\t'; });
}

// A line break in a header would make more headers of it.
Result<void> check(const OpContext& op, const Request& request) {
  for (const auto& [name, value] : request.headers) {
    if (!is_header_name(name) || !is_header_value(value)) {
      return Error{.code = Errc::invalid_argument, .message = "the header '" + printable(name) + "' cannot be sent"};
    }
  }
  if (request.bearer && !is_header_value(request.bearer->reveal())) {
    return Error{.code = Errc::invalid_argument,
                 .message = "the token has characters that no token has (a line break in its file?)"};
  }
  const bool bad_target = !is_header_value(request.target) || request.target.find(' ') != std::string::npos;
  if (bad_target || !is_header_name(request.method) || !is_header_value(op.request_id)) {
    return Error{.code = Errc::invalid_argument, .message = "the request cannot be sent: its first line would break"};
  }
  return {};
}

// RFC 9110, 9.2.2: sending these twice does what sending them once does.
bool is_repeatable(const Request& request) {
  constexpr std::array<std::string_view, 4> kMethods{"GET", "HEAD", "PUT", "DELETE"};
  return std::ranges::find(kMethods, request.method) != kMethods.end();
}

class PoolingClient final : public Client {
 public:
  PoolingClient(Settings settings, const Clock& clock) : settings_(std::move(settings)), clock_(clock) {}

  Result<Reply> send(const OpContext& op, const Request& request) override {
    HOMEPORT_CHECK(still_wanted(op, clock_, "asking " + settings_.name));
    HOMEPORT_CHECK(check(op, request));
    if (auto kept = take_idle()) {
      auto reply = kept->exchange(op, request);
      // Closed while idle, noticed only now: the one failure that says nothing about the other side.
      if (reply || !kept->closed_early() || !is_repeatable(request)) return put_back(std::move(kept), std::move(reply));
    }
    auto fresh = std::make_unique<Connection>(settings_, clock_);
    HOMEPORT_CHECK(fresh->open(op));
    auto reply = fresh->exchange(op, request);
    return put_back(std::move(fresh), std::move(reply));
  }

 private:
  std::unique_ptr<Connection> take_idle() {
    const std::lock_guard lock(mutex_);
    while (!idle_.empty()) {
      auto last = std::move(idle_.back());
      idle_.pop_back();
      if (last->usable()) return last;
    }
    return nullptr;
  }

  Result<Reply> put_back(std::unique_ptr<Connection> connection, Result<Reply> reply) {
    if (reply && connection->usable()) {
      const std::lock_guard lock(mutex_);
      if (idle_.size() < settings_.max_idle) idle_.push_back(std::move(connection));
    }
    return reply;
  }

  const Settings settings_;
  const Clock& clock_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Connection>> idle_{};
};

}  // namespace

std::string Reply::header(const std::string& lower_name) const {
  const auto found = headers.find(lower_name);
  return found == headers.end() ? std::string{} : found->second;
}

std::unique_ptr<Client> make_client(Settings settings, const Clock& clock) {
  return std::make_unique<PoolingClient>(std::move(settings), clock);
}

}  // namespace homeport::drivers::http
