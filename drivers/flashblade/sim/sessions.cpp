#include "drivers/flashblade/sim/sessions.h"

namespace homeport::fbsim {

std::string Sessions::open(std::string token, std::string user, Millis now) {
  ++logins_;
  sessions_.insert_or_assign(token, Session{std::move(user), now});
  return token;
}

std::optional<std::string> Sessions::use(const std::string& token, Millis now, std::int64_t idle_ms) {
  const auto found = sessions_.find(token);
  if (found == sessions_.end()) return std::nullopt;
  if (idle_ms != 0 && now - found->second.last_used > idle_ms) {
    sessions_.erase(found);
    return std::nullopt;
  }
  found->second.last_used = now;
  return found->second.user;
}

bool Sessions::close(const std::string& token) {
  return sessions_.erase(token) > 0;
}

}  // namespace homeport::fbsim
