// The other side of an HTTP connection, which answers byte by byte what a test says. Over TCP or TLS, on a free port.
#pragma once

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <condition_variable>
#include <functional>
#include <list>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace homeport::testing {

struct PeerRequest {
  std::string head;  // first line and headers, as sent
  std::string body{};
  std::size_t connection = 0;  // counted from 1
};

struct PeerAnswer {
  std::string bytes;
  enum class Then { keep, close, silent } then = Then::keep;
};

struct PeerTls {
  std::string certificate_file;  // PEM, self-signed: its own CA
  std::string key_file;
};

class Peer {
 public:
  using Answer = std::function<PeerAnswer(const PeerRequest&)>;
  explicit Peer(Answer answer, std::optional<PeerTls> tls = {});
  ~Peer();
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] std::vector<PeerRequest> seen() const;
  [[nodiscard]] std::size_t connections() const { return connections_; }
  // Ends every connection and returns when the other side can see it.
  void close_all();
  // False: fewer than `count` requests came within ten seconds.
  [[nodiscard]] bool wait_for_requests(std::size_t count) const;

 private:
  struct Session {
    boost::asio::ip::tcp::socket socket;
    std::thread thread{};
    bool over = false;
  };
  void accept_all();
  void serve(Session& session, std::size_t number);
  template <class Stream>
  void converse(Stream& stream, std::size_t number);

  const Answer answer_;
  boost::asio::io_context io_{};
  boost::asio::ip::tcp::acceptor acceptor_;
  std::optional<boost::asio::ssl::context> tls_{};
  std::uint16_t port_ = 0;
  std::atomic<std::size_t> connections_{0};
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  bool ending_ = false;
  std::vector<PeerRequest> seen_{};
  std::list<Session> sessions_{};
  std::thread accepting_{};
};

// A certificate for `names` ("IP:127.0.0.1") in DIRECTORY/NAME.pem and .key, made with the openssl command.
[[nodiscard]] PeerTls make_self_signed(const std::string& directory, const std::string& name, const std::string& names);

// "HTTP/1.1 STATUS X", Content-Length and the body.
[[nodiscard]] std::string http_answer(int status, const std::string& body, const std::string& more_headers = {});

}  // namespace homeport::testing
