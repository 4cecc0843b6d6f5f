// SHA-256 (FIPS 180-4), by OpenSSL.
#pragma once

#include <array>
#include <string>
#include <string_view>

namespace homeport {

using Sha256 = std::array<unsigned char, 32>;
[[nodiscard]] Sha256 sha256(std::string_view data);
[[nodiscard]] std::string sha256_hex(std::string_view data);  // 64 lower-case digits
// Takes the same time wherever the first difference lies.
[[nodiscard]] bool equal_constant_time(std::string_view a, std::string_view b);

}  // namespace homeport
