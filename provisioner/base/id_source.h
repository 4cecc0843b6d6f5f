// Ids and nonces. Injected, so that tests can repeat a run.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

namespace homeport {

// Threads: every method from any thread.
class IdSource {
 public:
  virtual ~IdSource() = default;
  [[nodiscard]] virtual std::uint64_t random64() = 0;
  // URL-safe base64 of `bytes` random bytes: for tokens.
  [[nodiscard]] virtual std::string random_token(std::size_t bytes) = 0;
};

[[nodiscard]] std::unique_ptr<IdSource> make_system_ids();                    // the kernel's generator
[[nodiscard]] std::unique_ptr<IdSource> make_seeded_ids(std::uint64_t seed);  // tests only

}  // namespace homeport
