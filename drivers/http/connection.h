// One connection, for one call at a time. Used by the client alone.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/ssl/ssl_stream.hpp>
#include <memory>
#include <optional>

#include "drivers/http/client.h"

namespace homeport::drivers::http {

class Connection {
 public:
  // Both must outlive it.
  Connection(const Settings& settings, const Clock& clock) : settings_(settings), clock_(clock) {}

  [[nodiscard]] Result<void> open(const OpContext& op);
  [[nodiscard]] Result<Reply> exchange(const OpContext& op, const Request& request);
  // May the next request use it? False when the other side closed it or said something unasked meanwhile.
  [[nodiscard]] bool usable();
  // The exchange that just failed: not one byte of an answer had come, the other side had closed.
  [[nodiscard]] bool closed_early() const { return closed_early_; }

 private:
  using Plain = boost::beast::tcp_stream;
  using Tls = boost::beast::ssl_stream<Plain>;
  using Code = boost::system::error_code;

  Plain& socket() { return tls_ ? boost::beast::get_lowest_layer(*tls_) : *plain_; }
  template <class Start>
  Code run_step(MonoTime deadline, const std::stop_token& stop, Start start);
  Result<void> prepare_tls();
  template <class Stream>
  Result<Reply> exchange_on(Stream& stream, const OpContext& op, const Request& request);
  [[nodiscard]] Error unreachable(const std::string& why, std::string hint = {}) const;
  [[nodiscard]] Error connect_failed(Code ec) const;
  [[nodiscard]] Error handshake_failed(Code ec) const;
  [[nodiscard]] Error exchange_failed(const Request& request, Code ec, bool early);

  const Settings& settings_;
  const Clock& clock_;
  boost::asio::io_context io_{1};
  std::optional<boost::asio::ssl::context> context_{};
  std::unique_ptr<Plain> plain_{};
  std::unique_ptr<Tls> tls_{};
  boost::beast::flat_buffer buffer_{};
  bool keep_ = false;
  bool cancelled_ = false;
  bool closed_early_ = false;
};

}  // namespace homeport::drivers::http
