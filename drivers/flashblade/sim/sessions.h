// Who is logged in. Sessions are kept in memory only: a restarted array knows none.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "drivers/flashblade/sim/objects.h"

namespace homeport::fbsim {

class Sessions {
 public:
  std::string open(std::string token, std::string user, Millis now);
  // The user of a session that is alive at `now`; it lives on for `idle_ms` from then (0: for ever).
  std::optional<std::string> use(const std::string& token, Millis now, std::int64_t idle_ms);
  bool close(const std::string& token);
  void close_all() { sessions_.clear(); }
  [[nodiscard]] std::uint64_t logins() const { return logins_; }  // so that loops of logins can be seen
  [[nodiscard]] std::size_t size() const { return sessions_.size(); }

 private:
  struct Session {
    std::string user;
    Millis last_used;
  };
  std::map<std::string, Session> sessions_{};
  std::uint64_t logins_ = 0;
};

}  // namespace homeport::fbsim
