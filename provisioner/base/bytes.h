// Amounts of storage. Arrays speak bytes, people speak GiB.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "provisioner/base/result.h"

namespace homeport {

class Bytes {
 public:
  constexpr Bytes() = default;
  constexpr explicit Bytes(std::uint64_t count) : count_(count) {}

  // "20GiB", "1.5TiB", "500MB", "1073741824". Binary and decimal units are told apart; a bare number is bytes.
  // Errors: invalid_argument with the accepted forms.
  static Result<Bytes> parse(std::string_view text);

  [[nodiscard]] constexpr std::uint64_t count() const { return count_; }
  // Shortest exact binary form where there is one ("20GiB"), else with one decimal ("1.5GiB").
  [[nodiscard]] std::string to_string() const;

  friend constexpr auto operator<=>(Bytes, Bytes) = default;
  friend constexpr Bytes operator+(Bytes a, Bytes b) { return Bytes{a.count_ + b.count_}; }

 private:
  std::uint64_t count_ = 0;
};

// As the Kubernetes API writes amounts, "10Gi": rounded up to whole mebibytes, in the largest binary unit that says it
// exactly; at least 1Mi.
[[nodiscard]] std::string kubernetes_quantity(Bytes bytes);

namespace literals {
constexpr Bytes operator""_KiB(unsigned long long n) {
  return Bytes{n << 10U};
}
constexpr Bytes operator""_MiB(unsigned long long n) {
  return Bytes{n << 20U};
}
constexpr Bytes operator""_GiB(unsigned long long n) {
  return Bytes{n << 30U};
}
constexpr Bytes operator""_TiB(unsigned long long n) {
  return Bytes{n << 40U};
}
}  // namespace literals

}  // namespace homeport
