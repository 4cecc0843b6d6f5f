#include "api/http_transport.h"

#include <boost/asio/buffer.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/write.hpp>

namespace homeport {
namespace {

namespace net = boost::asio;
using boost::system::error_code;
using Buffers = std::array<net::const_buffer, 2>;

Buffers buffers_of(const std::array<std::string_view, 2>& pieces) {
  return {net::const_buffer(pieces[0].data(), pieces[0].size()), net::const_buffer(pieces[1].data(), pieces[1].size())};
}

void close_socket(HttpSocket& socket, bool reset) {
  error_code ignored;
  // With a reset the kernel forgets at once what a slow reader has not fetched.
  if (reset) socket.set_option(net::socket_base::linger(true, 0), ignored);
  socket.close(ignored);
}

class PlainSession final : public HttpSession {
 public:
  PlainSession(IoLoop& loop, HttpSocket socket, HttpPeer peer, CountGuard slot)
      : HttpSession(loop, std::move(peer), std::move(slot)), socket_(std::move(socket)) {}

 private:
  void start_handshake() override {
    net::post(loop_.io(), [this, self = shared_from_this()] { on_ready(true); });
  }
  void start_read(char* at, std::size_t room) override {
    socket_.async_read_some(
        net::mutable_buffer(at, room),
        [this, self = shared_from_this()](const error_code& ec, std::size_t count) { on_read(!ec, count); });
  }
  // Most answers fit into the socket's buffer: no need to go round the loop to learn that.
  std::size_t write_now(const Pieces& pieces) override {
    error_code ec;
    const std::size_t sent = pieces[1].empty()
                                 ? socket_.write_some(net::const_buffer(pieces[0].data(), pieces[0].size()), ec)
                                 : socket_.write_some(buffers_of(pieces), ec);
    return ec ? 0 : sent;  // a broken connection shows again in start_write
  }
  void start_write(const Pieces& pieces) override {
    net::async_write(socket_, buffers_of(pieces),
                     [this, self = shared_from_this()](const error_code& ec, std::size_t) { on_written(!ec); });
  }
  void end_sending() override {
    error_code ignored;
    socket_.shutdown(net::socket_base::shutdown_send, ignored);
  }
  void close_transport(bool reset) override { close_socket(socket_, reset); }

  HttpSocket socket_;
};

class TlsSession final : public HttpSession {
 public:
  TlsSession(IoLoop& loop, HttpSocket socket, HttpPeer peer, CountGuard slot,
             std::shared_ptr<net::ssl::context> context)
      : HttpSession(loop, std::move(peer), std::move(slot)),
        context_(std::move(context)),
        stream_(std::move(socket), *context_) {}

 private:
  void start_handshake() override {
    stream_.async_handshake(net::ssl::stream_base::server,
                            [this, self = shared_from_this()](const error_code& ec) { on_ready(!ec); });
  }
  void start_read(char* at, std::size_t room) override {
    stream_.async_read_some(
        net::mutable_buffer(at, room),
        [this, self = shared_from_this()](const error_code& ec, std::size_t count) { on_read(!ec, count); });
  }
  std::size_t write_now(const Pieces&) override { return 0; }
  void start_write(const Pieces& pieces) override {
    net::async_write(stream_, buffers_of(pieces),
                     [this, self = shared_from_this()](const error_code& ec, std::size_t) { on_written(!ec); });
  }
  // No close_notify: the length of every answer is in its head, so nobody can cut one short unseen. The peer's close
  // ends the linger.
  void end_sending() override {}
  void close_transport(bool reset) override { close_socket(stream_.next_layer(), reset); }

  std::shared_ptr<net::ssl::context> context_;
  net::ssl::stream<HttpSocket> stream_;
};

}  // namespace

std::shared_ptr<HttpSession> make_plain_session(IoLoop& loop, HttpSocket socket, HttpPeer peer, CountGuard slot) {
  return std::make_shared<PlainSession>(loop, std::move(socket), std::move(peer), std::move(slot));
}

std::shared_ptr<HttpSession> make_tls_session(IoLoop& loop, HttpSocket socket, HttpPeer peer, CountGuard slot,
                                              std::shared_ptr<net::ssl::context> context) {
  return std::make_shared<TlsSession>(loop, std::move(socket), std::move(peer), std::move(slot), std::move(context));
}

}  // namespace homeport
