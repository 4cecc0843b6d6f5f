// Whose hub token is this? What a notebook shows of itself is asked of the hub it comes from, and the answer remembered
// for a short while by the token's digest; the token itself is neither kept nor logged.
//
//   which hub    the one the caller names; without a name the only one there is. A token is never sent to a hub that it
//                may not belong to
//   fresh        younger than HubSettings::cache (a person) or 30 s and cache (refused): answered from memory. The age
//                counts from when the question was sent
//   the hub is away   what is fresh holds on; all else is `unavailable`, never `unauthenticated`. When it could not be
//                reached or gave no answer in time it is left alone for 2 s; an answer that makes no sense for one
//                token concerns that token alone
//   a flood      text that no hub makes is refused here. Questions about tokens that were never good are limited per
//                second, and per caller's address once 20 of its tokens a minute were refused. Tokens that were good
//                before are asked for all the same
//   bounds       20,000 good and 10,000 refused digests per hub, the oldest go first; 4 threads and 64 waiting
//   questions
//                per hub; questions about one token at a time are one question
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "provisioner/base/metrics.h"
#include "provisioner/core/ports/hub.h"

namespace homeport::core {

struct HubPerson {
  std::string hub;
  std::string realm;
  HubUser user;
};

// Threads: every method from any thread.
class HubTokens {
 public:
  // `clock` and `metrics` must outlive it.
  HubTokens(const std::vector<HubEntry>& hubs, const Clock& clock, Metrics& metrics);
  ~HubTokens();
  HubTokens(const HubTokens&) = delete;
  HubTokens& operator=(const HubTokens&) = delete;

  // Is it for a hub to say? Our own tokens (hp_…) never are.
  [[nodiscard]] bool concerns(std::string_view token) const;
  // Never blocks. nullopt: the hub has to be asked. `hub`: what the caller names; may be empty.
  // Errors: unauthenticated (refused, of no possible shape, or it is not clear whose); unavailable (left alone).
  [[nodiscard]] std::optional<Result<HubPerson>> known(std::string_view hub, std::string_view token);

  struct Question {
    std::string hub{};
    Secret token;
    std::string source{};  // the caller's address
    MonoTime deadline{};
  };
  using Done = std::function<void(Result<HubPerson>)>;
  // Never blocks. `done` is called once: here, or on one of the hub's threads.
  // Errors: as known(), and rate_limited.
  void ask(const Question& question, Done done);
  // Answers at once, as `unavailable`, who waits; then ends what is asked. Later questions are `unavailable`.
  void stop();

 private:
  class OneHub;
  [[nodiscard]] Result<OneHub*> choose(std::string_view hub) const;
  std::map<std::string, std::unique_ptr<OneHub>, std::less<>> hubs_;
};

}  // namespace homeport::core
