// How answers look: golden files, every line at most 80 columns.
#include "cli/views.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/support/golden.h"
#include "tests/unit/cli/bodies.h"
#include "tests/unit/cli/snapshot_bodies.h"

namespace homeport::cli {
namespace {

using namespace homeport::testing::bodies;

struct Case {
  std::string name;
  std::string (*view)(const Json&, const Look&, WallTime);
  std::string body;
  friend void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }
};
class Views : public ::testing::TestWithParam<Case> {};

TEST_P(Views, LookAsTheyShallAndFit80Columns) {
  const auto now = parse_time("2026-11-20T08:00:00Z").value();
  const std::string text = GetParam().view(Json::parse(GetParam().body), {.width = 80}, now);
  for (std::size_t at = 0; at < text.size();) {
    const auto end = std::min(text.find('\n', at), text.size());
    const std::string line = text.substr(at, end - at);
    const bool one_word = line.find_first_of(' ', line.find_first_not_of(' ')) == std::string::npos;  // kept whole
    EXPECT_TRUE(display_width(line) <= 80 || one_word) << line;
    at = end + 1;
  }
  homeport::testing::expect_golden(text, "cli/" + GetParam().name + ".txt");
}

TEST(BackendView, SaysWhyAPoolIsNotServed) {
  auto backend = Json::parse(kBackend);
  backend["pools"][0]["trouble"] = "pool homes holds nothing: is its disk mounted?";
  const auto now = parse_time("2026-11-20T08:00:00Z").value();
  EXPECT_NE(backend_view(backend, {.width = 80}, now).find("is its disk mounted?"), std::string::npos);
  backend["pools"][0]["trouble"] = nullptr;
  EXPECT_EQ(backend_view(backend, {.width = 80}, now), backend_view(Json::parse(kBackend), {.width = 80}, now));
}

std::string list_of(const std::string& item) {
  return R"({"items":[)" + item + R"(],"next":null})";
}

INSTANTIATE_TEST_SUITE_P(
    Table, Views,
    ::testing::Values(
        Case{"backends", backends_view, list_of(kBackend)}, Case{"backend", backend_view, kBackend},
        Case{"probe", probe_view, kProbe}, Case{"exports", exports_view, kExports},
        Case{"homes", homes_view, list_of(std::string(kHome) + "," + kLongHome)}, Case{"home", space_view, kHome},
        Case{"home_long", space_view, kLongHome}, Case{"datasets", datasets_view, list_of(kDataset)},
        Case{"dataset", space_view, kDataset},
        Case{"spaces", spaces_view, list_of(std::string(kHome) + "," + kDataset)},
        Case{"snapshots", snapshots_view, list_of(std::string(kSnapshot) + "," + kForeignSnapshot)},
        Case{"no_snapshots", snapshots_view, list_of("")}, Case{"snapshot", snapshot_view, kSnapshot},
        Case{"snapshot_foreign", snapshot_view, kForeignSnapshot}, Case{"empty_snapshot", snapshot_view, "{}"},
        Case{"users", users_view, list_of(kUser)}, Case{"user", user_view, kUser},
        Case{"operations", operations_view, list_of(std::string(kRunning) + "," + kParked + "," + kSucceeded)},
        Case{"operation", operation_view, kParked}, Case{"audit", audit_view, kAudit},
        Case{"tokens", tokens_view, kTokens}, Case{"classes", classes_view, kClasses},
        Case{"rules", rules_view, kRules}, Case{"renderers", renderers_view, kRenderers},
        Case{"findings", findings_view, kFindings}, Case{"changes", changes_view, kChanges},
        Case{"spec", spec_view, kSpec}, Case{"dry_run", dry_run_view, kDryRun},
        Case{"import_preview", import_preview_view, kImportPreview}, Case{"fleet_plan", fleet_plan_view, kFleetPlan},
        Case{"no_homes", homes_view, list_of("")}, Case{"no_findings", findings_view, R"({"findings":[]})"},
        Case{"no_changes", changes_view, R"({"changes":[]})"}, Case{"empty_object", space_view, "{}"},
        Case{"empty_backend", backend_view, "{}"}, Case{"empty_spec", spec_view, "{}"},
        Case{"empty_operation", operation_view, "{}"}),
    [](const auto& row) { return row.param.name; });

}  // namespace
}  // namespace homeport::cli
