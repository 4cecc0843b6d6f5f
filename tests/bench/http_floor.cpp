// The floor of the HTTP side: one fixed answer through our server's inline path, or through bare Beast (asynchronous
// read and write of whole messages, as Beast's own examples do it), for comparison with a file served by nginx.
//
//   http_floor (homeport|beast) BYTES     prints "port N" and serves until standard input ends
#include <array>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <cstdio>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "api/http_server.h"

namespace {

namespace net = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using net::ip::tcp;

std::string body_of(std::size_t bytes) {
  return "{\"pad\":\"" + std::string(bytes > 10 ? bytes - 10 : 0, 'x') + "\"}";
}

class BareSession : public std::enable_shared_from_this<BareSession> {
 public:
  BareSession(tcp::socket socket, std::shared_ptr<const std::string> body)
      : stream_(std::move(socket)), body_(std::move(body)) {}

  void read() {
    request_ = {};
    stream_.expires_after(std::chrono::seconds(30));
    http::async_read(stream_, buffer_, request_, [self = shared_from_this()](beast::error_code ec, std::size_t) {
      if (!ec) self->write();
    });
  }

 private:
  void write() {
    response_ = {http::status::ok, request_.version()};
    response_.set(http::field::content_type, "application/json");
    response_.keep_alive(request_.keep_alive());
    response_.body() = *body_;
    response_.prepare_payload();
    http::async_write(stream_, response_, [self = shared_from_this()](beast::error_code ec, std::size_t) {
      if (!ec && self->response_.keep_alive()) self->read();
    });
  }

  beast::tcp_stream stream_;
  beast::flat_buffer buffer_;
  http::request<http::string_body> request_;
  http::response<http::string_body> response_;
  std::shared_ptr<const std::string> body_;
};

class BareServer {
 public:
  explicit BareServer(std::shared_ptr<const std::string> body)
      : acceptor_(io_, {net::ip::make_address_v4("127.0.0.1"), 0}), body_(std::move(body)) {
    accept();
  }
  [[nodiscard]] unsigned port() const { return acceptor_.local_endpoint().port(); }
  void run() { io_.run(); }
  void stop() { io_.stop(); }

 private:
  void accept() {
    acceptor_.async_accept([this](beast::error_code ec, tcp::socket socket) {
      if (ec) return;
      socket.set_option(tcp::no_delay(true), ec);
      std::make_shared<BareSession>(std::move(socket), body_)->read();
      accept();
    });
  }

  net::io_context io_{1};
  tcp::acceptor acceptor_;
  std::shared_ptr<const std::string> body_;
};

void until_input_ends() {
  for (std::string line; std::getline(std::cin, line);) {
  }
}

void print_port(unsigned port) {
  std::printf("port %u\n", port);
  std::fflush(stdout);
}

int run_beast(std::size_t bytes) {
  BareServer server(std::make_shared<const std::string>(body_of(bytes)));
  std::thread thread([&] { server.run(); });
  print_port(server.port());
  until_input_ends();
  server.stop();
  thread.join();
  return 0;
}

int run_homeport(std::size_t bytes) {
  const auto body = std::make_shared<const std::string>(body_of(bytes));
  const auto clock = homeport::make_system_clock();
  const auto ids = homeport::make_system_ids();
  auto router = homeport::Router::create({{homeport::Method::get, "/v1/file", 1},
                                          {homeport::Method::get, "/v1/homes/{user}", 2},
                                          {homeport::Method::post, "/v1/mountspecs", 3}});
  homeport::HttpHandlers handlers{
      .inline_answer = [&](const homeport::Request&) -> std::optional<homeport::Response> {
        return homeport::Response{.content_type = "application/json", .shared_body = body};
      },
      .handler = [](homeport::Request&&, const homeport::Responder&) {},
  };
  auto server = homeport::HttpServer::start({.listen = {"127.0.0.1:0"}}, std::move(router).value(), std::move(handlers),
                                            *clock, *ids);
  if (!server) {
    std::fprintf(stderr, "%s\n", server.error().to_string().c_str());
    return 1;
  }
  print_port((*server)->port());
  until_input_ends();
  (*server)->stop(std::chrono::milliseconds(0));
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string kind = argc == 3 ? argv[1] : "";
  const std::size_t bytes = argc == 3 ? std::stoul(argv[2]) : 0;
  if (kind == "homeport") return run_homeport(bytes);
  if (kind == "beast") return run_beast(bytes);
  std::fprintf(stderr, "usage: http_floor (homeport|beast) BYTES\n");
  return 2;
}
