// The one error type. A failure is a value; callers branch on its kind, people read its words.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace homeport {

// Appended to only at the end: the numbers are written to the journal.
enum class Errc {
  invalid_argument = 1,     // what was asked cannot be right, however often it is asked
  not_found = 2,            // the named thing does not exist
  already_exists = 3,       // the name is taken by something else
  failed_precondition = 4,  // right in itself, but not in the present state; the hint says what to change
  permission_denied = 5,    // a backend refuses *our* credentials or rights
  out_of_capacity = 6,      // a backend has no space, objects or snapshots left; a daily cap is reached
  unsupported = 7,          // this backend, layout or renderer cannot do it
  rate_limited = 8,         // told to come back later
  unavailable = 9,          // cannot be reached, or is not serving now
  timed_out = 10,           // the deadline passed
  cancelled = 11,           // stopped on request
  internal = 12,            // a bug of ours, or an answer that breaks the other side's own contract
  unauthenticated = 13,     // the caller showed no valid credential
  forbidden = 14,           // the caller is known and may not do this
  conflict = 15,            // somebody changed it meanwhile, or the idempotency key was used for something else
  too_large = 16,           // over a size limit of the interface
  over_quota = 17,          // a person's quota forbids it
};

// Lower-case words as they stand in API answers: "invalid-argument".
[[nodiscard]] std::string_view errc_name(Errc code);
[[nodiscard]] std::optional<Errc> errc_from_name(std::string_view name);

// May the same call succeed later without anybody changing anything? Exhaustive.
[[nodiscard]] bool is_transient(Errc code);

struct Upstream {
  std::string system;    // "nfs", "sqlite", "flashblade"
  int status = 0;        // the other side's own number
  std::string detail{};  // the other side's own words
};

struct Error {
  Errc code = Errc::internal;
  std::string message{};               // one line, lower case, no trailing period, no secrets
  std::string hint{};                  // what the reader can do about it; may be empty
  std::string pointer{};               // JSON pointer into the request or document at fault; may be empty
  std::vector<std::string> context{};  // innermost first
  std::optional<Upstream> upstream{};
  std::optional<std::chrono::milliseconds> retry_after{};
  bool maybe_applied = false;  // the request left us, the answer never came back

  // "home of alice: create directory: connection reset (unavailable, nfs 0: ECONNRESET)"
  [[nodiscard]] std::string to_string() const;
  // The chain without kind and upstream: what an API answer may show.
  [[nodiscard]] std::string sentence() const;
};

}  // namespace homeport
