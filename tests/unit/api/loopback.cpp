#include "tests/unit/api/loopback.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

namespace homeport::testing {
namespace {

constexpr int kWaitMs = 10'000;

std::size_t number(std::string_view text, int base) {
  std::size_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value, base);
  return value;
}

}  // namespace

std::string Reply::field(std::string_view name) const {
  std::size_t line = head.find("\r\n");
  while (line != std::string::npos && line + 2 < head.size()) {
    const auto end = head.find("\r\n", line + 2);
    const auto text = std::string_view(head).substr(line + 2, end - line - 2);
    const auto colon = text.find(':');
    if (colon != std::string_view::npos && equal_ignoring_case(text.substr(0, colon), name)) {
      return std::string(text.substr(std::min(colon + 2, text.size())));
    }
    line = end;
  }
  return {};
}

std::string Reply::member(const std::string& key) const {
  const auto json = nlohmann::json::parse(body, nullptr, false);
  if (!json.is_object() || !json.contains(key)) return "(no member " + key + ")";
  const auto& value = json.at(key);
  return value.is_string() ? value.get<std::string>() : value.dump();
}

LoopbackClient::LoopbackClient(std::uint16_t port, int receive_buffer) {
  fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (receive_buffer > 0) ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
  const int on = 1;
  ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
}

LoopbackClient::~LoopbackClient() {
  close();
}

bool LoopbackClient::send(std::string_view bytes) {
  while (!bytes.empty()) {
    pollfd ready{.fd = fd_, .events = POLLOUT, .revents = 0};
    if (::poll(&ready, 1, kWaitMs) <= 0) return false;
    const auto sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

bool LoopbackClient::send_all_of(std::string_view bytes, std::size_t times) {
  for (std::size_t i = 0; i < times; ++i) {
    if (!send(bytes)) return false;
  }
  return true;
}

bool LoopbackClient::fill() {
  pollfd ready{.fd = fd_, .events = POLLIN, .revents = 0};
  if (::poll(&ready, 1, kWaitMs) <= 0) {
    ADD_FAILURE() << "waited in vain for the server; so far: " << input_.substr(0, 500);
    return false;
  }
  char buffer[16384];
  const auto count = ::recv(fd_, buffer, sizeof buffer, 0);
  if (count <= 0) return false;
  input_.append(buffer, static_cast<std::size_t>(count));
  return true;
}

Reply LoopbackClient::receive(bool head_request) {
  Reply reply;
  std::size_t end = 0;
  while (true) {
    while ((end = input_.find("\r\n\r\n")) == std::string::npos) {
      if (!fill()) return reply;
    }
    reply.head = input_.substr(0, end + 2);
    input_.erase(0, end + 4);
    reply.status = static_cast<int>(number(std::string_view(reply.head).substr(9, 3), 10));
    if (reply.status >= 200) break;
  }
  if (head_request || reply.status == 204 || reply.status == 304) return reply;
  if (reply.field("Transfer-Encoding") == "chunked") {
    while (true) {
      while ((end = input_.find("\r\n")) == std::string::npos) {
        if (!fill()) return reply;
      }
      const auto size = number(input_, 16);
      while (input_.size() < end + 2 + size + 2) {
        if (!fill()) return reply;
      }
      reply.body += input_.substr(end + 2, size);
      input_.erase(0, end + 2 + size + 2);
      if (size == 0) return reply;
    }
  }
  const auto length = number(reply.field("Content-Length"), 10);
  while (input_.size() < length) {
    if (!fill()) return reply;
  }
  reply.body = input_.substr(0, length);
  input_.erase(0, length);
  return reply;
}

std::string LoopbackClient::receive_raw(std::size_t at_least) {
  while (input_.size() < at_least && fill()) {
  }
  return std::exchange(input_, {});
}

std::string LoopbackClient::receive_until(std::string_view end) {
  while (!input_.ends_with(end) && fill()) {
  }
  return std::exchange(input_, {});
}

bool LoopbackClient::closed() {
  while (true) {
    pollfd ready{.fd = fd_, .events = POLLIN, .revents = 0};
    if (::poll(&ready, 1, kWaitMs) <= 0) return false;
    char buffer[16384];
    if (::recv(fd_, buffer, sizeof buffer, 0) <= 0) return true;
  }
}

void LoopbackClient::half_close() {
  ::shutdown(fd_, SHUT_WR);
}

void LoopbackClient::close() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

void LoopbackClient::reset() {
  const linger now{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  close();
}

Reply LoopbackClient::get(std::string_view path) {
  return ask("GET " + std::string(path) + " HTTP/1.1\r\nHost: x\r\n\r\n");
}

bool eventually(const std::function<bool()>& done) {
  std::mutex mutex;
  std::condition_variable never;
  std::unique_lock lock(mutex);
  for (int i = 0; i < 5000; ++i) {
    if (done()) return true;
    never.wait_for(lock, std::chrono::milliseconds(2));
  }
  return done();
}

void Shelf::put(Request&& request, Responder responder) {
  const std::lock_guard lock(mutex_);
  waiting_.emplace_back(std::move(request), std::move(responder));
  changed_.notify_all();
}

std::pair<Request, Responder> Shelf::take() {
  std::unique_lock lock(mutex_);
  const bool there = changed_.wait_for(lock, std::chrono::milliseconds(kWaitMs), [&] { return !waiting_.empty(); });
  if (!there) throw std::runtime_error("no request reached the handler");
  auto first = std::move(waiting_.front());
  waiting_.erase(waiting_.begin());
  return first;
}

std::size_t Shelf::size() {
  const std::lock_guard lock(mutex_);
  return waiting_.size();
}

namespace {

enum RouteId { kFast, kEcho, kBig, kSlow, kLost, kThrow, kLateThrow, kEvents, kSmall, kUser, kSlowPost };

Router routes() {
  auto router = Router::create({
      {Method::get, "/fast", kFast},
      {Method::post, "/echo", kEcho},
      {Method::get, "/big", kBig},
      {Method::get, "/slow", kSlow},
      {Method::post, "/slow", kSlowPost},
      {Method::get, "/lost", kLost},
      {Method::get, "/throw", kThrow},
      {Method::get, "/late-throw", kLateThrow},
      {Method::get, "/events", kEvents},
      {Method::put, "/small", kSmall, 16},
      {Method::get, "/user/{name}", kUser},
  });
  return std::move(router).value();
}

}  // namespace

TestServer::TestServer(HttpLimits limits, HttpSettings settings) {
  settings.limits = limits;
  HttpHandlers handlers{
      .inline_answer = [this](const Request& r) { return answer(r); },
      .handler = [this](Request&& r, const Responder& responder) { handle(std::move(r), responder); },
      .observe =
          [this](const Exchange& exchange) {
            const std::lock_guard lock(mutex_);
            observed_.push_back(exchange.status);
          },
  };
  auto started = HttpServer::start(std::move(settings), routes(), std::move(handlers), clock_, *ids_);
  if (!started) throw std::runtime_error(started.error().to_string());
  server_ = std::move(started).value();
}

TestServer::~TestServer() {
  streams();
  server_->stop(std::chrono::milliseconds(0));
}

std::optional<Response> TestServer::answer(const Request& request) {
  switch (request.route) {
    case kFast: return Response{.content_type = "text/plain", .body = "fast\n"};
    case kEcho:
    case kSmall: return Response{.content_type = "text/plain", .body = std::string(request.body)};
    case kUser: return Response{.content_type = "text/plain", .body = std::string(request.param("name"))};
    case kBig:
      return Response{.content_type = "text/plain",
                      .shared_body = std::make_shared<const std::string>(32U << 20U, 'b')};
    case kThrow: throw std::runtime_error("a bug");
    default: return std::nullopt;
  }
}

void TestServer::handle(Request&& request, const Responder& responder) {
  switch (request.route) {
    case kLost: return;
    case kLateThrow: throw std::runtime_error("a bug");
    case kEvents: {
      auto stream = responder.stream({});
      const std::lock_guard lock(mutex_);
      streams_.push_back(std::move(stream));
      return;
    }
    default: shelf_.put(std::move(request), responder);
  }
}

std::vector<EventStream> TestServer::streams() {
  const std::lock_guard lock(mutex_);
  return std::exchange(streams_, {});
}

std::vector<unsigned> TestServer::observed() {
  const std::lock_guard lock(mutex_);
  return observed_;
}

}  // namespace homeport::testing
