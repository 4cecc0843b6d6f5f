// Users, their tokens, what they may do, and what is written down about it.
#pragma once

#include <optional>
#include <string>

#include "drivers/flashblade/sim/operations.h"
#include "drivers/flashblade/sim/world.h"

namespace homeport::fbsim {

void add_admins(Operations& operations);
void furnish_admins(World& world);

// The user that the header api-token means, or, from 2.26 on, the body's name and password.
[[nodiscard]] std::optional<std::string> find_login(World& world, const HttpRequest& request);
// Errors: 403 for a role that may not change this.
[[nodiscard]] Or<void> check_role(const World& world, const std::string& user, std::string_view path);
void record_audit(World& world, const Call& call, const HttpRequest& request);
void log_session(World& world, std::string_view event, const std::string& user, const HttpRequest& request);

inline constexpr std::size_t kMaxLog = 10'000;  // older entries are dropped

}  // namespace homeport::fbsim
