#include "tests/unit/cli/fake_service.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

namespace homeport::testing {
namespace {

// The next request of a connection; false at its end.
bool read_request(int fd, std::string& buffer, SeenRequest& out) {
  const auto more = [&] {
    char chunk[8192];
    const auto got = ::recv(fd, chunk, sizeof chunk, 0);
    if (got <= 0) return false;
    buffer.append(chunk, static_cast<std::size_t>(got));
    return true;
  };
  std::size_t end = 0;
  while ((end = buffer.find("\r\n\r\n")) == std::string::npos) {
    if (!more()) return false;
  }
  const std::string head = buffer.substr(0, end + 2);
  buffer.erase(0, end + 4);
  const auto first = head.find("\r\n");
  const auto space = head.find(' ');
  out.method = head.substr(0, space);
  out.target = head.substr(space + 1, head.rfind(' ', first) - space - 1);
  for (std::size_t at = first + 2; at < head.size();) {
    const auto stop = head.find("\r\n", at);
    const auto colon = head.find(": ", at);
    std::string name = head.substr(at, colon - at);
    for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    out.headers[name] = head.substr(colon + 2, stop - colon - 2);
    at = stop + 2;
  }
  const auto length = out.headers.find("content-length");
  const std::size_t wanted = length == out.headers.end() ? 0 : std::stoul(length->second);
  while (buffer.size() < wanted) {
    if (!more()) return false;
  }
  out.body = buffer.substr(0, wanted);
  buffer.erase(0, wanted);
  return true;
}

}  // namespace

FakeService::FakeService() {
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  EXPECT_EQ(::bind(listener_, reinterpret_cast<sockaddr*>(&address), size), 0);
  EXPECT_EQ(::listen(listener_, 64), 0);
  EXPECT_EQ(::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size), 0);
  port_ = ntohs(address.sin_port);
  acceptor_ = std::thread([this] { accept_all(); });
}

FakeService::~FakeService() {
  ::shutdown(listener_, SHUT_RDWR);
  acceptor_.join();
  ::close(listener_);
  {
    const std::lock_guard lock(mutex_);
    for (const int fd : open_) ::shutdown(fd, SHUT_RDWR);
  }
  for (auto& thread : threads_) thread.join();
  for (const int fd : open_) ::close(fd);
}

std::string FakeService::url() const {
  return "http://127.0.0.1:" + std::to_string(port_);
}

void FakeService::on(const std::string& method_and_path, ScriptedReply reply) {
  const std::lock_guard lock(mutex_);
  scripts_[method_and_path].push_back(std::move(reply));
}

void FakeService::on(const std::string& method_and_path, Answer answer) {
  const std::lock_guard lock(mutex_);
  answers_[method_and_path] = std::move(answer);
}

std::vector<SeenRequest> FakeService::seen() const {
  const std::lock_guard lock(mutex_);
  return seen_;
}

std::vector<std::string> FakeService::lines() const {
  std::vector<std::string> out;
  for (const auto& request : seen()) out.push_back(request.line());
  return out;
}

bool FakeService::wait_for_requests(std::size_t count) const {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, std::chrono::seconds(10), [&] { return seen_.size() >= count; });
}

void FakeService::accept_all() {
  for (;;) {
    const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) return;
    ++accepted_;
    const std::lock_guard lock(mutex_);
    open_.push_back(fd);
    threads_.emplace_back([this, fd] { serve(fd); });
  }
}

void FakeService::serve(int fd) {
  std::string buffer;
  for (;;) {
    SeenRequest request{.method = {}, .target = {}};
    if (!read_request(fd, buffer, request)) break;
    const auto reply = reply_to(request);
    if (reply.hang_up) break;
    std::string text = "HTTP/1.1 " + std::to_string(reply.status) + " X\r\n";
    for (const auto& [name, value] : reply.headers) text += name + ": " + value + "\r\n";
    if (reply.status != 204) text += "Content-Length: " + std::to_string(reply.body.size()) + "\r\n";
    text += "\r\n" + reply.body;
    if (::send(fd, text.data(), text.size(), MSG_NOSIGNAL) < 0) break;
  }
  ::shutdown(fd, SHUT_RDWR);
}

ScriptedReply FakeService::reply_to(const SeenRequest& request) {
  Answer answer;
  const std::string key = request.method + " " + request.target.substr(0, request.target.find('?'));
  ScriptedReply reply = problem(404, "not-found", "nothing is scripted for " + key, "script it");
  {
    const std::lock_guard lock(mutex_);
    seen_.push_back(request);
    changed_.notify_all();
    if (const auto found = answers_.find(key); found != answers_.end()) answer = found->second;
    if (const auto found = scripts_.find(key); found != scripts_.end()) {
      reply = found->second.front();
      if (found->second.size() > 1) found->second.pop_front();
    }
  }
  return answer ? answer(request) : reply;
}

ScriptedReply problem(int status, const std::string& code, const std::string& detail, const std::string& hint) {
  const nlohmann::json body{{"type", "about:blank"}, {"title", "refused"},    {"status", status},
                            {"detail", detail},      {"code", code},          {"hint", hint},
                            {"retryable", false},    {"request_id", "req-7"}, {"pointer", nullptr}};
  return {.status = status, .body = body.dump(), .headers = {{"Content-Type", "application/problem+json"}}};
}

}  // namespace homeport::testing
