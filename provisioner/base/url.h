// Addresses of HTTP services: parsing what a person gives, and building request targets that no name can break out of.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "provisioner/base/result.h"

namespace homeport {

struct Url {
  bool tls = false;
  std::string host;  // name or address, IPv6 without brackets
  std::uint16_t port = 0;
  std::string base_path{};  // "" or "/homeport", without a slash at the end

  // Errors: invalid_argument. Only http and https; no user, query or fragment.
  static Result<Url> parse(std::string_view text);
  [[nodiscard]] std::string to_string() const;  // "http://127.0.0.1:7717"
  [[nodiscard]] std::string authority() const;  // "127.0.0.1:7717", "[::1]:7717": the Host header
  [[nodiscard]] bool is_loopback() const;       // by its spelling; no name is looked up
};

// RFC 3986: everything but unreserved characters becomes %XX; a part that is only dots too, so that nothing on the way
// takes it for a parent directory.
[[nodiscard]] std::string percent_encode(std::string_view part);

// "/v1/homes/al%20ice?state=ready". Literal parts come from code, variable ones are encoded.
class Target {
 public:
  explicit Target(std::string literal) : path_(std::move(literal)) {}
  Target& part(std::string_view value) &;  // '/' and the encoded value
  Target&& part(std::string_view value) && { return std::move(part(value)); }
  Target& literal(std::string_view text) &;  // '/' and the text as it is
  Target&& literal(std::string_view text) && { return std::move(literal(text)); }
  Target& query(std::string_view key, std::string_view value) &;
  Target&& query(std::string_view key, std::string_view value) && { return std::move(query(key, value)); }
  // Nothing when the value is empty.
  Target& query_if(std::string_view key, std::string_view value) &;
  Target&& query_if(std::string_view key, std::string_view value) && { return std::move(query_if(key, value)); }
  [[nodiscard]] std::string str() const { return path_ + query_; }

 private:
  std::string path_;
  std::string query_{};
};

}  // namespace homeport
