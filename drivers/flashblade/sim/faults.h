// Faults on demand: which calls go wrong, and how. Read from a script (--faults) or added through the control port.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "drivers/flashblade/sim/call.h"
#include "provisioner/base/doc_reader.h"
#include "provisioner/base/id_source.h"

namespace homeport::fbsim {

enum class When { never, before, after };  // the effect of the call
enum class BodyFault { none, html, gateway, truncated, broken_json, wrong_types };

struct FaultRule {
  std::string id{};
  // Which calls. `path` without /api/2.N/, "*" stands for any text: "file-systems", "login", "quotas/*".
  std::string method{};  // empty: any
  std::string path = "*";
  std::uint64_t from = 1;   // the first matching call that is meant, counted from 1
  std::uint64_t every = 1;  // from there on each that many-th
  std::uint64_t times = 0;  // at most so often; 0: without end
  double probability = 1.0;
  // What happens.
  std::int64_t delay_ms = 0;
  std::int64_t jitter_ms = 0;  // up to that much more
  unsigned status = 0;
  When status_when = When::before;
  std::string message{};
  std::string retry_after{};
  When cut = When::never;
  When hold = When::never;  // half-open: nothing comes, the connection stays
  BodyFault body = BodyFault::none;
  std::uint64_t drop = 0;    // items missing from the end of a page
  std::uint64_t repeat = 0;  // items of this page that come again with the next
  std::int64_t stale_ms = 0;
  bool expire_sessions = false;
  bool array_full = false;
  std::optional<int> version{};  // the newest from now on
  Json act{};                    // as the control port's POST /act
};

struct Hit {
  FaultRule rule;
  std::int64_t delay_ms;
};

// Threads: every method from any thread.
class Faults {
 public:
  void reseed(std::uint64_t seed);
  // Errors: invalid_argument with every problem of the document. Nothing is added then.
  Result<void> add(const homeport::Document& document);
  void add_rule(FaultRule rule);
  bool remove(const std::string& id);
  void clear();
  [[nodiscard]] Json list() const;
  // Counts the call and says what happens to it.
  [[nodiscard]] std::vector<Hit> decide(const std::string& method, const std::string& path);

 private:
  struct Entry {
    FaultRule rule;
    std::uint64_t seen = 0;
    std::uint64_t hits = 0;
  };
  [[nodiscard]] double chance();

  mutable std::mutex mutex_{};
  std::vector<Entry> entries_{};
  std::unique_ptr<IdSource> dice_ = make_seeded_ids(1);
  std::uint64_t next_id_ = 0;
};

}  // namespace homeport::fbsim
