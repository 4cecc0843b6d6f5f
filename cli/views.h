// How each thing of the API looks to a person. Pure: the answer in, text out; fits look.width.
#pragma once

#include <string>

#include "cli/json.h"
#include "cli/output.h"

namespace homeport::cli {

// Lists: the answer with its "items".
[[nodiscard]] std::string backends_view(const Json& list, const Look& look, WallTime now);
[[nodiscard]] std::string exports_view(const Json& list, const Look& look, WallTime now);
[[nodiscard]] std::string homes_view(const Json& list, const Look& look, WallTime now);
[[nodiscard]] std::string datasets_view(const Json& list, const Look& look, WallTime now);
[[nodiscard]] std::string spaces_view(const Json& list, const Look& look, WallTime now);
[[nodiscard]] std::string snapshots_view(const Json& list, const Look& look, WallTime now);
[[nodiscard]] std::string users_view(const Json& list, const Look& look, WallTime now);
[[nodiscard]] std::string operations_view(const Json& list, const Look& look, WallTime now);
[[nodiscard]] std::string audit_view(const Json& list, const Look& look, WallTime now);
[[nodiscard]] std::string tokens_view(const Json& list, const Look& look, WallTime now);
[[nodiscard]] std::string classes_view(const Json& list, const Look& look, WallTime now);
[[nodiscard]] std::string rules_view(const Json& list, const Look& look, WallTime now);
[[nodiscard]] std::string renderers_view(const Json& list, const Look& look, WallTime now);
[[nodiscard]] std::string fleet_plan_view(const Json& plan, const Look& look, WallTime now);
[[nodiscard]] std::string ensured_view(const Json& list, const Look& look, WallTime now);
[[nodiscard]] std::string findings_view(const Json& answer, const Look& look, WallTime now);
[[nodiscard]] std::string usage_view(const Json& list, const Look& look, WallTime now);  // homes, how full they are
[[nodiscard]] std::string hubs_view(const Json& list, const Look& look, WallTime now);
[[nodiscard]] std::string changes_view(const Json& answer, const Look& look, WallTime now);

// Single things.
[[nodiscard]] std::string backend_view(const Json& backend, const Look& look, WallTime now);
[[nodiscard]] std::string probe_view(const Json& report, const Look& look, WallTime now);
[[nodiscard]] std::string space_view(const Json& space, const Look& look, WallTime now);  // with grants, if it has some
[[nodiscard]] std::string snapshot_view(const Json& snapshot, const Look& look, WallTime now);
[[nodiscard]] std::string user_view(const Json& user, const Look& look, WallTime now);
[[nodiscard]] std::string me_view(const Json& me, const Look& look, WallTime now);
[[nodiscard]] std::string hub_look_view(const Json& answer, const Look& look, WallTime now);
[[nodiscard]] std::string operation_view(const Json& operation, const Look& look, WallTime now);
[[nodiscard]] std::string spec_view(const Json& spec, const Look& look, WallTime now);
[[nodiscard]] std::string dry_run_view(const Json& preview, const Look& look, WallTime now);
[[nodiscard]] std::string import_preview_view(const Json& preview, const Look& look, WallTime now);
// Every member as "label: value", one level deep: for things whose shape is the admin's own.
[[nodiscard]] std::string plain_view(const Json& value, const Look& look, WallTime now);

// "op-1 home.ensure: create-directory (2 of 5)"
[[nodiscard]] std::string operation_progress(const Json& operation);

}  // namespace homeport::cli
