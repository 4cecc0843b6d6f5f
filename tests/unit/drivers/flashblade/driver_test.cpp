// The whole driver under trouble: file systems of their own.
#include <atomic>
#include <thread>

#include "tests/unit/drivers/flashblade/array_driver_fixture.h"

namespace homeport::drivers {
namespace {

TEST_F(ArrayDriverTest, NewHomeCostsTwoCallsAndIsClosedUntilItIsWhole) {
  ASSERT_OK(driver_->create(op(), spec(1)));
  array_->forget_calls();
  std::string first_rules;
  array_->before([&](const ArrayCall& call) -> std::optional<PeerAnswer> {
    if (call.method == "POST" && call.endpoint == "file-systems") first_rules = call.body["nfs"]["rules"];
    if (call.method == "PATCH") {
      struct ::stat root {};
      EXPECT_EQ(::stat((disk() / spec(2).name).c_str(), &root), 0);
      EXPECT_EQ(root.st_uid, 4242U) << "clients are let in last";
      EXPECT_TRUE(fs::exists(disk() / "hp-admin" / "markers" / (spec(2).key.str() + ".json")));
    }
    return std::nullopt;
  });
  ASSERT_OK(driver_->create(op(), spec(2)));
  EXPECT_THAT(array_->calls(), ::testing::ElementsAre("POST file-systems", "PATCH file-systems"));
  EXPECT_EQ(first_rules, kOurs);
}

struct FaultRow {
  const char* name;
  std::string instead;  // empty: the connection is cut
  bool after = false;   // the array did it first
  friend void PrintTo(const FaultRow& row, std::ostream* out) { *out << row.name; }
};
class FaultTest : public ArrayDriverTest, public ::testing::WithParamInterface<FaultRow> {
 protected:
  // The n-th changing call meets the fault, for each n until none is left to meet it.
  void trouble(int nth) {
    met_ = false;
    seen_ = 0;
    const auto hits = [this, nth](const ArrayCall& call) {
      if (call.method == "GET" || call.endpoint == "login" || call.endpoint == "logout") return false;
      if (++seen_ != nth) return false;
      met_ = true;
      return true;
    };
    array_->before(nullptr);
    array_->lose(nullptr);
    if (GetParam().after) {
      array_->lose(hits);
      return;
    }
    array_->before([hits](const ArrayCall& call) -> std::optional<PeerAnswer> {
      if (!hits(call)) return std::nullopt;
      if (GetParam().instead.empty()) return PeerAnswer{"", PeerAnswer::Then::close};
      return PeerAnswer{GetParam().instead};
    });
  }
  std::atomic<int> seen_{0};
  std::atomic<bool> met_{false};
};

// Cases 11 to 14 and 16: whatever happens to a call, there is one object in the end, whole, and no false failure.
TEST_P(FaultTest, CreateEndsWithOneWholeObject) {
  for (int nth = 1; nth <= 4; ++nth) {
    serve({});
    trouble(nth);
    const auto made = driver_->create(op(), spec(7));
    ASSERT_OK(made) << GetParam().name << " at call " << nth;
    array_->before(nullptr);
    array_->lose(nullptr);
    expect_whole(spec(7), *made);
    if (!met_) break;
  }
}

TEST_P(FaultTest, WayOutAndBackEndsWhereItShould) {
  for (int nth = 1; nth <= 2; ++nth) {
    serve({}, {{"eradicate", true}});
    const auto made = driver_->create(op(), spec(8));
    ASSERT_OK(made);
    std::ofstream(disk() / made->ref.name / "thesis.txt") << "all my work";
    trouble(nth);
    const auto retired = driver_->retire(op(), made->ref);
    ASSERT_OK(retired);
    EXPECT_EQ(retired->state, ObjectState::trashed);
    EXPECT_EQ((*array_->look(made->ref.name))["nfs"]["rules"], kOurs) << "clients are out";
    trouble(nth);
    ASSERT_OK(driver_->undelete(op(), made->ref));
    expect_whole(spec(8), *made);
    EXPECT_TRUE(fs::exists(disk() / made->ref.name / "thesis.txt"));
    ASSERT_OK(driver_->retire(op(), made->ref));
    trouble(nth);
    ASSERT_OK(driver_->purge(op(), made->ref, std::nullopt));
    EXPECT_THAT(array_->names(), ::testing::ElementsAre("hp-admin"));
    EXPECT_FALSE(fs::exists(disk() / "hp-admin" / "trash" / (made->ref.key.str() + ".json")));
  }
}
INSTANTIATE_TEST_SUITE_P(
    All, FaultTest,
    ::testing::Values(FaultRow{"cutBefore", ""}, FaultRow{"cutAfter", "", true},
                      FaultRow{"unauthorized401", http_answer(401, error_body("Invalid session token."))},
                      FaultRow{"forbidden403",
                               http_answer(403, R"({"error":[{"code":403,"message":"Access Denied"}]})")},
                      FaultRow{"tooMany429", http_answer(429, "")},
                      FaultRow{"tooManyWithRetryAfter", http_answer(429, "", "Retry-After: 0\r\n")},
                      FaultRow{"busy500", http_answer(500, error_body("Server is busy"))},
                      FaultRow{"unavailable503", http_answer(503, "")},
                      FaultRow{"html502", http_answer(502, "<html>Bad gateway</html>")},
                      FaultRow{"html200", http_answer(200, "<html>log in</html>")},
                      FaultRow{"truncated", http_answer(200, R"({"items":[{"id":)")}),
    [](const auto& row) { return row.param.name; });

// Case 20 and 23: a refusal is definite, and leaves nothing behind.
TEST_F(ArrayDriverTest, FullArrayAndLostRightsAreSaidAtOnce) {
  ASSERT_OK(driver_->create(op(), spec(1)));
  for (const auto& [status, body, code] :
       {std::tuple{400, error_body("Insufficient space on array."), Errc::out_of_capacity},
        std::tuple{403, error_body("Not permitted."), Errc::permission_denied}}) {
    array_->before([&](const ArrayCall& call) -> std::optional<PeerAnswer> {
      if (call.method != "POST" || call.endpoint != "file-systems") return std::nullopt;
      return PeerAnswer{http_answer(status, body)};
    });
    EXPECT_ERRC(driver_->create(op(), spec(2)), code);
    EXPECT_FALSE(array_->look(spec(2).name).has_value());
  }
}

// Case 25.
TEST_F(ArrayDriverTest, RenamedOneIsFoundByItsIdAndLeftAlone) {
  const auto made = driver_->create(op(), spec(1));
  ASSERT_OK(made);
  array_->change(made->ref.name, {{"name", "renamed-by-hand"}});
  const auto found = driver_->find(op(), {.layout = Layout::filesystem,
                                          .pool = "homes",
                                          .id = made->ref.id,
                                          .name = made->ref.name,
                                          .key = made->ref.key});
  ASSERT_OK(found);
  ASSERT_TRUE(found->has_value());
  EXPECT_EQ((*found)->path, "/renamed-by-hand");
  const auto retired = driver_->retire(op(), made->ref);
  ASSERT_ERRC(retired, Errc::failed_precondition);
  EXPECT_THAT(retired.error().message, HasSubstr("renamed-by-hand"));
  EXPECT_ERRC(driver_->create(op(), spec(1)), Errc::failed_precondition) << "no second one";
}

// Case 26.
TEST_F(ArrayDriverTest, OpenedRulesAndALiftedLimitAreSeenAndMendedByCreate) {
  const auto made = driver_->create(op(), spec(1));
  ASSERT_OK(made);
  array_->change(made->ref.name, {{"hard_limit_enabled", false}, {"nfs", {{"rules", "*(rw,no_root_squash)"}}}});
  const auto report = driver_->probe(op());
  ASSERT_OK(report);
  std::string said;
  for (const auto& check : report->checks) said += check.name + ": " + check.detail + "\n";
  EXPECT_THAT(said, HasSubstr("let everybody in: " + made->ref.name));
  const auto again = driver_->create(op(), spec(1));
  ASSERT_OK(again);
  expect_whole(spec(1), *again);
}

// Cases 27 and 28.
TEST_F(ArrayDriverTest, DestroyedElsewhereIsNotReplacedAndComesBack) {
  const auto made = driver_->create(op(), spec(1));
  ASSERT_OK(made);
  array_->change(made->ref.name, {{"destroyed", true}});
  EXPECT_ERRC(driver_->create(op(), spec(1)), Errc::failed_precondition);
  ASSERT_OK(driver_->undelete(op(), made->ref));
  expect_whole(spec(1), *made);
  array_->forget(made->ref.name);
  const auto again = driver_->create(op(), spec(1));
  ASSERT_ERRC(again, Errc::failed_precondition);
  EXPECT_THAT(again.error().hint, HasSubstr("backup"));
}

TEST_F(ArrayDriverTest, ImposterWithOurNameIsRefusedEverywhere) {
  const auto made = driver_->create(op(), spec(1));
  ASSERT_OK(made);
  array_->forget(made->ref.name);
  array_->add_file_system(made->ref.name, kOurs);
  EXPECT_ERRC(driver_->retire(op(), made->ref), Errc::failed_precondition);
  EXPECT_ERRC(driver_->purge(op(), made->ref, std::nullopt), Errc::failed_precondition);
  EXPECT_ERRC(driver_->create(op(), spec(1)), Errc::already_exists);
}

TEST_F(ArrayDriverTest, PurgeDestroysAndLeavesTheRestToTheTimer) {
  const auto made = driver_->create(op(), spec(1));
  ASSERT_OK(made);
  ASSERT_OK(driver_->retire(op(), made->ref));
  EXPECT_EQ((*array_->look(made->ref.name))["destroyed"], false) << "kept for the whole trash delay";
  const auto purged = driver_->purge(op(), made->ref, std::nullopt);
  ASSERT_OK(purged);
  EXPECT_FALSE(purged->next.has_value());
  ASSERT_TRUE(purged->recoverable_until.has_value());
  EXPECT_GT(*purged->recoverable_until, clock_->now());
  const auto again = driver_->purge(op(), made->ref, std::nullopt);
  ASSERT_OK(again);
  EXPECT_TRUE(again->recoverable_until.has_value()) << "the timer runs on";
  EXPECT_EQ((*array_->look(made->ref.name))["destroyed"], true);
  EXPECT_EQ((*array_->look(made->ref.name))["nfs"]["v3_enabled"], false);
  ASSERT_OK(driver_->undelete(op(), made->ref)) << "as long as the timer runs";
  expect_whole(spec(1), *made);
}

TEST_F(ArrayDriverTest, SafeModeIsSaidBeforeAnythingIsDestroyed) {
  serve({}, {{"eradicate", true}});
  array_->set_manual_eradication("all-disabled");
  const auto made = driver_->create(op(), spec(1));
  ASSERT_OK(made);
  ASSERT_OK(driver_->retire(op(), made->ref));
  const auto purged = driver_->purge(op(), made->ref, std::nullopt);
  ASSERT_ERRC(purged, Errc::failed_precondition);
  EXPECT_THAT(purged.error().message, HasSubstr("SafeMode"));
  EXPECT_THAT(purged.error().hint, HasSubstr("eradicate: false"));
  EXPECT_EQ((*array_->look(made->ref.name))["destroyed"], false);
  // Switched on between login and purge: the array's own refusal says it.
  array_->set_manual_eradication("all-enabled");
  make({{"eradicate", true}});
  ASSERT_OK(driver_->probe(op()));
  array_->set_manual_eradication("file-disabled");
  const auto late = driver_->purge(op(), made->ref, std::nullopt);
  ASSERT_ERRC(late, Errc::failed_precondition);
  EXPECT_THAT(late.error().message, HasSubstr("its timer runs"));
}

TEST_F(ArrayDriverTest, LimitBelowUseIsRefusedUnlessForced) {
  const auto made = driver_->create(op(), spec(1));
  ASSERT_OK(made);
  array_->change(made->ref.name, {{"space", {{"virtual", (512_MiB).count()}}}});
  EXPECT_ERRC(driver_->update(op(), made->ref, {.quota = 256_MiB}), Errc::over_quota);
  EXPECT_ERRC(driver_->update(op(), made->ref, {.quota = Bytes{0}}), Errc::invalid_argument);
  std::string ignored;
  array_->before([&](const ArrayCall& call) -> std::optional<PeerAnswer> {
    if (call.method == "PATCH") ignored = call.query.contains("ignore_usage") ? call.query.at("ignore_usage") : "";
    return std::nullopt;
  });
  const auto forced = driver_->update(op(), made->ref, {.quota = 256_MiB, .force = true});
  ASSERT_OK(forced);
  EXPECT_EQ(forced->quota, 256_MiB);
  EXPECT_EQ(ignored, "true");
}

TEST_F(ArrayDriverTest, EverybodyIsNotLetIn) {
  const auto made = driver_->create(op(), spec(1));
  ASSERT_OK(made);
  EXPECT_ERRC(driver_->set_access(op(), made->ref, {.rules = {{.client = "*"}}}), Errc::failed_precondition);
  EXPECT_EQ((*array_->look(made->ref.name))["nfs"]["rules"], std::string(kOurs) + " 10.20.0.0/16(rw,root_squash)");
}

TEST_F(ArrayDriverTest, MissingAdministrativeFileSystemIsNotMadeAnewWhereSpacesWere) {
  auto wanted = spec(1);
  wanted.pool_in_use = true;
  const auto refused = driver_->create(op(), wanted);
  ASSERT_ERRC(refused, Errc::unavailable);
  EXPECT_EQ(refused.error().upstream->system, kMissingPoolSystem);
  EXPECT_TRUE(array_->names().empty());
}

TEST_F(ArrayDriverTest, ExportPolicyIsUsedInPlaceOfRules) {
  serve({.minor = 12}, {{"exports", {{"clients", nullptr}, {"policy", "notebooks"}}}});
  const auto made = driver_->create(op(), spec(1));
  ASSERT_OK(made);
  EXPECT_EQ((*array_->look(made->ref.name))["nfs"]["export_policy"]["name"], "notebooks");
  ASSERT_OK(driver_->retire(op(), made->ref));
  EXPECT_EQ((*array_->look(made->ref.name))["nfs"]["rules"], kOurs);
  ASSERT_OK(driver_->undelete(op(), made->ref));
  EXPECT_EQ((*array_->look(made->ref.name))["nfs"]["export_policy"]["name"], "notebooks");
}

TEST_F(ArrayDriverTest, ExportPolicyThatLetsEverybodyInIsRefused) {
  serve({.minor = 12}, {{"exports", {{"clients", nullptr}, {"policy", "notebooks"}}}});
  array_->set_policy_client("*");
  const auto refused = driver_->create(op(), spec(1));
  ASSERT_ERRC(refused, Errc::failed_precondition);
  EXPECT_THAT(refused.error().message, HasSubstr("lets everybody in"));
  EXPECT_TRUE(array_->names().empty());
  serve({.minor = 12}, {{"exports", {{"clients", nullptr}, {"policy", "nowhere"}}}});
  EXPECT_ERRC(driver_->create(op(), spec(1)), Errc::failed_precondition);
  serve({.minor = 2}, {{"exports", {{"clients", nullptr}, {"policy", "notebooks"}}}});
  const auto old = driver_->create(op(), spec(1));
  ASSERT_ERRC(old, Errc::failed_precondition);
  EXPECT_THAT(old.error().hint, HasSubstr("2.3"));
}

// Case 15: a connection that stands and says nothing costs one time-out, not a stuck thread.
TEST_F(ArrayDriverTest, SilenceIsNoticedAndTriedAgain) {
  make({{"management", {{"timeout", "300ms"}}}});
  ASSERT_OK(driver_->create(op(), spec(1)));
  std::atomic<bool> silent{false};
  array_->before([&](const ArrayCall& call) -> std::optional<PeerAnswer> {
    if (call.method != "POST" || call.endpoint != "file-systems" || silent.exchange(true)) return std::nullopt;
    return PeerAnswer{"", PeerAnswer::Then::silent};
  });
  ASSERT_OK(driver_->create(op(), spec(2)));
  EXPECT_TRUE(silent);
}

// The array made it, its answer was lost, and the next look does not show it yet.
TEST_F(ArrayDriverTest, StaleReadAfterALostReplyMakesNoSecondOne) {
  ASSERT_OK(driver_->create(op(), spec(1)));
  std::atomic<bool> lost{false};
  std::atomic<bool> stale{false};
  array_->lose([&](const ArrayCall& call) { return call.method == "POST" && !lost.exchange(true); });
  array_->before([&](const ArrayCall& call) -> std::optional<PeerAnswer> {
    if (!lost || call.method != "GET" || stale.exchange(true)) return std::nullopt;
    return PeerAnswer{http_answer(400, error_body("File system does not exist."))};
  });
  ASSERT_OK(driver_->create(op(), spec(2)));
  EXPECT_TRUE(stale);
  EXPECT_THAT(array_->names(), ::testing::ElementsAre("hp-admin", spec(1).name, spec(2).name));
}

TEST_F(ArrayDriverTest, DataAddressThatDoesNotAnswerIsSaidByTheProbe) {
  make({{"data", {{"nfs_port", 1}, {"mount_port", 1}}}});
  const auto report = driver_->probe(op());
  ASSERT_OK(report);
  EXPECT_TRUE(report->management_ok);
  EXPECT_FALSE(report->data_ok);
}

TEST_F(ArrayDriverTest, DataAddressIsFoundOnTheArray) {
  make({{"data", {{"address", nullptr}}}, {"client", {{"server", nullptr}}}});
  const auto made = driver_->create(op(), spec(1));
  ASSERT_OK(made);
  const auto source = driver_->mount_source(op(), made->ref, {});
  ASSERT_OK(source);
  EXPECT_EQ(std::get<NfsSource>(*source).server, "127.0.0.1");
}

TEST_F(ArrayDriverTest, SnapshotLimitIsSaidBeforeTheArraySaysIt) {
  const auto made = driver_->create(op(), spec(1));
  ASSERT_OK(made);
  array_->before([&](const ArrayCall& call) -> std::optional<PeerAnswer> {
    if (call.method != "GET" || !call.query.contains("owner_ids")) return std::nullopt;
    return PeerAnswer{http_answer(200, R"({"items":[],"total_item_count":512,"continuation_token":null})")};
  });
  const auto taken = find<Snapshots>(*driver_)->take_snapshot(op(), made->ref, "hp-s");
  ASSERT_ERRC(taken, Errc::out_of_capacity);
  EXPECT_THAT(taken.error().message, HasSubstr("512"));
}

}  // namespace
}  // namespace homeport::drivers
