// The HTTP server: listeners, I/O threads, TLS, limits, an orderly stop. Knows nothing of what it serves.
//
// Connections are spread over I/O threads and each stays on its own. Handlers are called on those threads (see
// HttpHandlers). HTTP/1.1 and 1.0; keep-alive and pipelining; requests of one connection are answered in order.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "api/http_limits.h"
#include "api/responder.h"
#include "api/router.h"
#include "provisioner/base/clock.h"
#include "provisioner/base/id_source.h"
#include "provisioner/base/result.h"

namespace homeport {

struct TlsFiles {
  std::string certificate_file;  // PEM, the server's certificate first, then the chain
  std::string key_file;          // PEM, without a password
};

struct HttpSettings {
  std::vector<std::string> listen;  // "127.0.0.1:8377", "[::1]:0", "localhost:8377"; port 0: the kernel chooses
  std::optional<TlsFiles> tls{};    // TLS 1.2 and later on every listener
  unsigned io_threads = 1;
  HttpLimits limits{};
};

struct HttpStats {
  std::size_t connections;
  std::size_t in_flight;  // requests with asynchronous handlers
  std::size_t streams;
  std::uint64_t accepted;
  std::uint64_t refused;  // over max_connections
  std::uint64_t cut;      // too slow in sending or in reading
};

// Threads: stop(), reload_tls() and stats() from any thread but the I/O threads.
class HttpServer {
 public:
  // Listens when it returns. `clock` and `ids` must outlive the server. Errors: invalid_argument for an address,
  // unreadable or unfitting TLS files; already_exists for a port in use; permission_denied; unavailable.
  static Result<std::unique_ptr<HttpServer>> start(HttpSettings settings, Router router, HttpHandlers handlers,
                                                   const Clock& clock, IdSource& ids);
  ~HttpServer();  // stop without grace
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  [[nodiscard]] const std::vector<std::string>& bound() const;  // "127.0.0.1:40213", in the order of `listen`
  [[nodiscard]] std::uint16_t port() const;                     // of the first listener
  [[nodiscard]] HttpStats stats() const;

  // Reads the TLS files again; new connections use them. Errors: as start(); the old ones stay in use then.
  Result<void> reload_tls();

  // Takes no new connections, ends idle ones, lets requests at work finish for `grace`, then cuts what is left. Returns
  // when all connections are gone. Requests that are answered after that are dropped. A second call waits for the
  // first.
  void stop(std::chrono::milliseconds grace);

 private:
  struct Impl;
  explicit HttpServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// "HOST:PORT" or "[V6]:PORT". Errors: invalid_argument.
struct ListenAddress {
  std::string host;
  std::uint16_t port;
};
[[nodiscard]] Result<ListenAddress> parse_listen_address(const std::string& text);

}  // namespace homeport
