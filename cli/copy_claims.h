// The right to write into homes while they are copied, held with the service: two runs never work in one home, on one
// machine or on two, and what a killed run held is free a little later.
//
// Threads: take() and leave() from any thread, each with an Api of its own; one thread here renews what is held.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "cli/cli.h"

namespace homeport::cli {

class CopyClaim {
 public:
  // Nothing may be sent into the home that could be done after it. Moves on as long as the service answers.
  [[nodiscard]] MonoTime until() const;
  // Requested when somebody else has the home, or the command is interrupted.
  [[nodiscard]] std::stop_token stop() const { return stop_.get_token(); }
  // Why nothing may be written any more, although nobody interrupted.
  [[nodiscard]] std::optional<Error> lost() const;

 private:
  friend class CopyClaims;
  explicit CopyClaim(std::string key) : key_(std::move(key)) {}
  const std::string key_;
  std::stop_source stop_{};
  std::optional<std::stop_callback<std::function<void()>>> interrupt_{};
  mutable std::mutex mutex_;
  MonoTime until_{};
  MonoTime next_{};  // when it is renewed
  std::optional<Error> lost_{};
};
using CopyClaimPtr = std::shared_ptr<CopyClaim>;

class CopyClaims {
 public:
  // `api`: for the thread that renews.
  CopyClaims(Cli& cli, std::unique_ptr<Api> api, std::stop_token stop);
  ~CopyClaims();

  [[nodiscard]] const std::string& run() const { return run_; }
  // Waits while a run that says nothing any more still holds the home; `space` becomes what the service answered. Null:
  // the copy is over. Errors: conflict (another run works in it), those of the service.
  Result<CopyClaimPtr> take(Api& api, const std::string& key, Json& space);
  // No more is written; the next run need not wait.
  void leave(Api& api, const CopyClaimPtr& claim);

 private:
  Result<Json> say(Api& api, const std::string& key, bool leave) const;
  Result<Json> say_until_heard(Api& api, const std::string& key) const;
  void extend(CopyClaim& claim, const Json& space, MonoTime asked) const;
  void renew_all();
  void renew(CopyClaim& claim);

  Cli& cli_;
  const std::unique_ptr<Api> api_;
  const std::stop_token stop_;
  std::string run_;
  std::string by_;
  std::mutex mutex_;
  std::vector<CopyClaimPtr> held_;
  std::jthread renewer_;  // last: ends first
};

// The name of this machine, for people.
[[nodiscard]] std::string this_host();

}  // namespace homeport::cli
