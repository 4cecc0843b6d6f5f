// What stands between the sockets and the array: faults, and a record of what was asked.
#pragma once

#include <deque>
#include <mutex>
#include <stop_token>

#include "drivers/flashblade/sim/array.h"
#include "drivers/flashblade/sim/faults.h"

namespace homeport::fbsim {

// Threads: every method from any thread.
class Front {
 public:
  Front(Array& array, Faults& faults, Clock& clock) : array_(array), faults_(faults), clock_(clock) {}

  [[nodiscard]] HttpAnswer answer(const HttpRequest& request, const std::stop_token& stop);
  // [{"method","path","query","status"}], the oldest first; status 0: the client got none.
  [[nodiscard]] Json requests() const;
  void forget_requests();

 private:
  struct Stale {
    std::int64_t at;
    HttpAnswer answer;
  };

  void prepare(const Hit& hit);
  [[nodiscard]] std::optional<HttpAnswer> instead(const HttpRequest& request, const Hit& hit, When when);
  void spoil(const HttpRequest& request, const Hit& hit, HttpAnswer& answer);
  void grow_stale(const HttpRequest& request, std::int64_t ms, HttpAnswer& answer);
  [[nodiscard]] HttpAnswer decided(const HttpRequest& request, const std::vector<Hit>& hits,
                                   const std::stop_token& stop);
  void record(const HttpRequest& request, const HttpAnswer& answer);

  Array& array_;
  Faults& faults_;
  Clock& clock_;
  mutable std::mutex mutex_{};
  std::deque<Json> requests_{};
  std::map<std::string, Stale> first_answers_{};  // by target; only while something asks for stale reads
};

// "/api/2.15/file-systems?names=a" → "file-systems"; "/api/login" → "login".
[[nodiscard]] std::string path_without_version(std::string_view target);

}  // namespace homeport::fbsim
