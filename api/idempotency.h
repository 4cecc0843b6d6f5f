// Idempotency keys: the same request sent twice does its work once.
//
// A key belongs to one principal and one request (hash over method, path, query and body). Answers below 400 are kept
// for seven days and replayed; an error is not kept, so the same request can be sent again. What was being worked on
// when the process died is taken up again by the next request: every use case behind it is repeatable.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "provisioner/base/clock.h"
#include "provisioner/store/records.h"

namespace homeport::api {

// Threads: every method from any thread. Blocking: every method but hash waits for the store.
class Idempotency {
 public:
  static constexpr std::chrono::hours kKept{24 * 7};
  static constexpr std::size_t kMaxKey = 200;

  Idempotency(store::Store& store, Clock& clock) : store_(store), clock_(clock), started_(clock.now()) {}

  [[nodiscard]] static std::string hash(std::string_view method, std::string_view target, std::string_view body);
  // Errors: invalid_argument for an empty or long key, or one with other than visible ASCII characters.
  [[nodiscard]] static Result<void> check_key(std::string_view key);

  // nullopt: do the work, then finish() or abandon(). A record: replay it.
  // Errors: conflict when the key was used for another request (no retry_after), or when the same request is still
  // being worked on (with retry_after).
  Result<std::optional<store::AnswerRecord>> begin(const std::string& principal, const std::string& key,
                                                   const std::string& hash);
  Result<void> finish(const std::string& principal, const std::string& key, std::uint32_t status, std::string body,
                      std::string content_type);
  Result<void> abandon(const std::string& principal, const std::string& key);

 private:
  store::Store& store_;
  Clock& clock_;
  const WallTime started_;
};

}  // namespace homeport::api
