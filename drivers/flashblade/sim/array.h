// The array behind its HTTP interface: versions, sessions, gates, errors; everything else is an operation.
#pragma once

#include <mutex>
#include <string>

#include "drivers/flashblade/sim/operations.h"
#include "drivers/flashblade/sim/sessions.h"
#include "drivers/flashblade/sim/world.h"

namespace homeport::fbsim {

class Array {
 public:
  // `clock` and `ids` must outlive it.
  Array(Settings settings, const Clock& clock, IdSource& ids);

  // Threads: any. One request at a time gets at the state.
  [[nodiscard]] HttpAnswer answer(const HttpRequest& request);
  // Runs fn(world, sessions) with the state to itself.
  template <class Fn>
  decltype(auto) with(Fn&& fn) {
    const std::lock_guard lock(mutex_);
    world_.advance();
    world_.tallies.clear();
    return std::forward<Fn>(fn)(world_, sessions_);
  }

 private:
  [[nodiscard]] HttpAnswer guarded_dispatch(const HttpRequest& request);
  [[nodiscard]] HttpAnswer dispatch(const HttpRequest& request);
  [[nodiscard]] HttpAnswer login(const HttpRequest& request);
  [[nodiscard]] HttpAnswer logout(const HttpRequest& request);
  [[nodiscard]] HttpAnswer versioned(const HttpRequest& request, std::string_view path, std::string_view query);
  [[nodiscard]] HttpAnswer run(const HttpRequest& request, const Operation& operation, Call& call);
  [[nodiscard]] HttpAnswer unauthorized(std::string_view path) const;

  std::mutex mutex_;
  World world_;
  Sessions sessions_;
  Operations operations_;
};

// {"errors":[{"message","context"}]}, with a code where there is one.
[[nodiscard]] HttpAnswer refusal_answer(const Refusal& refusal, const World& world, int minor);
[[nodiscard]] HttpAnswer json_answer(unsigned status, const Json& body);

}  // namespace homeport::fbsim
