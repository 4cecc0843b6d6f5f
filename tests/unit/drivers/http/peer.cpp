#include "tests/unit/drivers/http/peer.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/write.hpp>
#include <chrono>
#include <cstdlib>

namespace homeport::testing {
namespace {

namespace net = boost::asio;
using boost::system::error_code;
using net::ip::tcp;

std::size_t content_length(const std::string& head) {
  const auto at = head.find("Content-Length: ");
  return at == std::string::npos ? 0 : std::stoul(head.substr(at + 16));
}

}  // namespace

Peer::Peer(Answer answer, std::optional<PeerTls> tls)
    : answer_(std::move(answer)), acceptor_(io_, tcp::endpoint(net::ip::address_v4::loopback(), 0)) {
  port_ = acceptor_.local_endpoint().port();
  if (tls) {
    tls_.emplace(net::ssl::context::tls_server);
    tls_->use_certificate_chain_file(tls->certificate_file);
    tls_->use_private_key_file(tls->key_file, net::ssl::context::pem);
  }
  accepting_ = std::thread([this] { accept_all(); });
}

Peer::~Peer() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  ::shutdown(acceptor_.native_handle(), SHUT_RDWR);
  accepting_.join();
  close_all();
  for (auto& session : sessions_) session.thread.join();
}

void Peer::accept_all() {
  for (;;) {
    tcp::socket socket(io_);
    error_code ec;
    acceptor_.accept(socket, ec);
    if (ec) return;
    const std::size_t number = ++connections_;
    const std::lock_guard lock(mutex_);
    auto& session = sessions_.emplace_back(Session{.socket = std::move(socket)});
    session.thread = std::thread([this, &session, number] { serve(session, number); });
  }
}

void Peer::serve(Session& session, std::size_t number) {
  if (tls_) {
    net::ssl::stream<tcp::socket&> stream(session.socket, *tls_);
    error_code ec;
    stream.handshake(net::ssl::stream_base::server, ec);
    if (!ec) converse(stream, number);
  } else {
    converse(session.socket, number);
  }
  const std::lock_guard lock(mutex_);
  ::shutdown(session.socket.native_handle(), SHUT_RDWR);
  session.over = true;
  changed_.notify_all();
}

template <class Stream>
void Peer::converse(Stream& stream, std::size_t number) {
  std::string buffer;
  for (;;) {
    error_code ec;
    const std::size_t head = net::read_until(stream, net::dynamic_buffer(buffer), "\r\n\r\n", ec);
    if (ec) return;
    PeerRequest request{.head = buffer.substr(0, head), .connection = number};
    buffer.erase(0, head);
    const std::size_t length = content_length(request.head);
    if (buffer.size() < length)
      net::read(stream, net::dynamic_buffer(buffer), net::transfer_exactly(length - buffer.size()), ec);
    if (ec) return;
    request.body = buffer.substr(0, length);
    buffer.erase(0, length);
    {
      const std::lock_guard lock(mutex_);
      seen_.push_back(request);
      changed_.notify_all();
    }
    const PeerAnswer answer = answer_(request);
    net::write(stream, net::buffer(answer.bytes), ec);
    if (ec || answer.then == PeerAnswer::Then::close) return;
    if (answer.then == PeerAnswer::Then::silent) {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return ending_; });
      return;
    }
  }
}

std::vector<PeerRequest> Peer::seen() const {
  const std::lock_guard lock(mutex_);
  return seen_;
}

void Peer::close_all() {
  std::unique_lock lock(mutex_);
  for (auto& session : sessions_) {
    ::shutdown(session.socket.native_handle(), SHUT_RDWR);
    changed_.wait(lock, [&session] { return session.over; });
  }
}

bool Peer::wait_for_requests(std::size_t count) const {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, std::chrono::seconds(10), [&] { return seen_.size() >= count; });
}

PeerTls make_self_signed(const std::string& directory, const std::string& name, const std::string& names) {
  PeerTls files{.certificate_file = directory + "/" + name + ".pem", .key_file = directory + "/" + name + ".key"};
  const std::string command =
      "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj '/CN=" + name +
      "' -addext 'subjectAltName=" + names + "' -keyout '" + files.key_file + "' -out '" + files.certificate_file +
      "' 2> '" + directory + "/openssl.log'";
  EXPECT_EQ(std::system(command.c_str()), 0) << command;  // NOLINT(concurrency-mt-unsafe): before any thread
  return files;
}

std::string http_answer(int status, const std::string& body, const std::string& more_headers) {
  return "HTTP/1.1 " + std::to_string(status) + " X\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" +
         more_headers + "\r\n" + body;
}

}  // namespace homeport::testing
