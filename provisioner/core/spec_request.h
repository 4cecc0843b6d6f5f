// What a spawner asks for, and its forms for keeping.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "provisioner/base/clock.h"

namespace homeport::core {

struct SpecRequest {
  std::string realm{};  // empty: the service's own
  std::string hub;
  std::string user;
  std::vector<std::string> groups{};
  std::string server{};
  std::string purpose = "interactive";                        // interactive | dashboard | batch | rescue
  std::optional<std::vector<std::string>> wanted_datasets{};  // nullopt: all that are due; a name not due is forbidden
  std::optional<std::string> wanted_snapshot{};               // unsupported until snapshots are
  std::optional<std::uint32_t> uid{};
  std::optional<std::uint32_t> gid{};
  std::vector<std::uint32_t> gids{};
  std::optional<WallTime> account_created{};  // when the hub made the account (accounts.h); counts of spawners only
  friend bool operator==(const SpecRequest&, const SpecRequest&) = default;
};

// Everything that can change the answer, as one short text: two requests have the same answer exactly when they have
// the same text. Left out: uid and gid, which are the person's, or the request is
// refused; when the account was made, which decides whether there is an answer and not which.
[[nodiscard]] std::string to_text(const SpecRequest& request);
// What to_text() gave.
[[nodiscard]] SpecRequest request_from_text(std::string_view text);

// As a session's record keeps it.
[[nodiscard]] nlohmann::json to_json(const SpecRequest& request);
[[nodiscard]] SpecRequest request_from_json(const nlohmann::json& in);

}  // namespace homeport::core
