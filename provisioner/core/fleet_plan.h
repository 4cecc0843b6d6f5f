// Importing a whole base of homes, looked at first: whose is each directory, and what speaks against taking it over?
// Reads only. The import itself is Homes::ensure with `existing`, one home after the other, so it can be stopped and
// gone on with: what is imported already is `known`.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "policies/home_pattern.h"
#include "provisioner/core/homes.h"

namespace homeport::core {

// One line of a map that an admin wrote.
struct FleetLine {
  UserName user;
  std::string path;  // absolute, or relative to the base
  std::optional<std::uint32_t> uid{};
  std::optional<std::uint32_t> gid{};
  std::optional<Slug> klass{};
  std::optional<Bytes> quota{};
};

struct FleetRequest {
  std::string realm = "default";
  Slug backend;
  AbsolutePath base;
  // Whole file systems of an array, whoever made them; base is then "/" and paths are "/NAME".
  bool from_array = false;
  std::optional<policies::HomePattern> pattern{};  // else the map
  std::vector<FleetLine> map{};
  std::vector<std::string> names{};  // people that may be meant where a name ends in a hash
  std::optional<Slug> klass{};       // else the line's, else the rules
  std::string hub{};                 // for the rules
  bool allow_similar = false;
  std::uint32_t system_below = 1000;  // directories of lower uids are no homes
};

enum class FleetVerdict {
  import,     // can be taken over
  known,      // is taken over already
  unmatched,  // is no home by the pattern
  refused     // looks like a home, and something speaks against it
};
[[nodiscard]] std::string_view fleet_verdict_name(FleetVerdict verdict);

struct FleetEntry {
  std::string path;
  std::string user{};  // empty: nobody's
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::uint32_t mode = 0;
  std::string klass{};
  std::optional<Bytes> quota{};
  FleetVerdict verdict = FleetVerdict::unmatched;
  // Why not, as a word to sort by: not-a-directory, symlink, other-filesystem, missing, hashed-name, odd-name,
  // two-to-one, uid-taken, similar-name, system-owner, owner-differs, has-home, overlaps, no-class, unreadable; of an
  // array also replaced, and the refusals of drivers/core/inventory.h.
  std::string reason{};
  std::string why{};                   // the same for people, with what to do
  std::vector<std::string> remarks{};  // of what can be taken over: what should be known of it
};

struct FleetPlan {
  std::vector<FleetEntry> entries{};  // by path
  std::uint64_t measure_rate = 0;     // of the backend (measures.h); 0: homes on it are not walked
  [[nodiscard]] std::size_t count(FleetVerdict verdict) const;
};

// Blocking backend calls happen on the backend's workers; `done` is called there.
// Errors: not_found (backend, base), unsupported (a backend without trees, or no array), too_large (more than 200,000
// entries).
void plan_fleet(const Homes::Parts& parts, const Caller& caller, const FleetRequest& request,
                std::function<void(Result<FleetPlan>)> done);

}  // namespace homeport::core
