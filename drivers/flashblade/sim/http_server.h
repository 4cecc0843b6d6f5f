// The socket side of the simulator: HTTP/1.1 over TCP or TLS, one thread per connection, so that an answer can be late,
// cut, or never come without any other connection noticing.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>

#include "drivers/flashblade/sim/call.h"
#include "provisioner/base/result.h"

namespace homeport::fbsim {

struct TlsFiles {
  std::string certificate;  // PEM
  std::string key;
};

struct ListenOptions {
  std::string address = "127.0.0.1";
  std::uint16_t port = 0;  // 0: any free one
  std::optional<TlsFiles> tls{};
};

class HttpServer {
 public:
  // Threads: several at once. The token asks to give up waiting.
  using Handle = std::function<HttpAnswer(const HttpRequest&, std::stop_token)>;

  // Listens when it returns. Errors: invalid_argument for an address or TLS files, unavailable for a port in use.
  static Result<std::unique_ptr<HttpServer>> start(const ListenOptions& options, Handle handle);
  ~HttpServer();  // cuts every connection
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;
  [[nodiscard]] std::string address() const;  // "127.0.0.1:40213"

 private:
  struct Impl;
  explicit HttpServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// "HOST:PORT", "[V6]:PORT". Errors: invalid_argument.
[[nodiscard]] Result<ListenOptions> parse_listen(const std::string& text);

}  // namespace homeport::fbsim
