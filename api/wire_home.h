// What requests about homes say.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "provisioner/base/doc_reader.h"
#include "provisioner/core/fleet_plan.h"
#include "provisioner/core/homes.h"

namespace homeport::api {

// The members a single request and an item of a batch share: uid, gid, class, quota, server, groups, hub,
// copying, allow_similar, existing.
struct HomeWish {
  std::optional<std::uint32_t> uid{};
  std::optional<std::uint32_t> gid{};
  std::optional<std::string> klass{};
  std::optional<Bytes> quota{};
  std::string server{};
  std::vector<std::string> groups{};
  std::string hub{};
  struct Copying {
    std::string from;
    std::string backend;
    std::string source{};
  };
  std::optional<Copying> copying{};
  bool allow_similar = false;
  struct Existing {
    std::string backend;
    std::string path;
    drivers::Layout layout = drivers::Layout::directory;
    bool measure = true;
  };
  std::optional<Existing> existing{};
};
[[nodiscard]] HomeWish read_home_wish(DocReader& in);
// The member `layout` of what stands already; directory where it is left out.
[[nodiscard]] drivers::Layout read_layout(DocReader& in);
// Who copies into a home, or did.
struct CopyRunWish {
  core::CopyRun run;
  bool leave = false;
};
[[nodiscard]] CopyRunWish read_copy_run(DocReader& in);
[[nodiscard]] core::CopyEnd read_copy_end(DocReader& in);
// Names are parsed here. Errors: invalid_argument with a pointer below `pointer`.
[[nodiscard]] Result<core::HomeRequest> home_request(const HomeWish& wish, const std::string& realm,
                                                     std::string_view user, const std::string& pointer = {});

// Asks the identity sources about the person of `request` and puts what they say into it. `done` may be called on
// another thread.
void identify(core::People& people, const core::Caller& caller, core::HomeRequest request,
              std::function<void(Result<core::HomeRequest>)> done);

// The body of a look at a base of homes.
[[nodiscard]] core::FleetRequest read_fleet_request(DocReader& in);
[[nodiscard]] std::string fleet_plan_text(const core::FleetPlan& plan);

}  // namespace homeport::api
