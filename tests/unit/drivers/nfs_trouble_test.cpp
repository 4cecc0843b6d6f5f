// Servers that refuse, hang, go away and come back.
#include <unistd.h>

#include <algorithm>

#include "tests/unit/drivers/nfs_fixture.h"

namespace homeport::drivers::testing {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;

class NfsTroubleTest : public NfsFixture {
 protected:
  static const ProbeCheck* check(const ProbeReport& report, const std::string& part) {
    for (const auto& one : report.checks) {
      if (one.name.find(part) != std::string::npos) return &one;
    }
    ADD_FAILURE() << "no check about " << part;
    return nullptr;
  }
  static std::string text(const ProbeReport& report) {
    std::string out;
    for (const auto& one : report.checks) {
      out +=
          std::string(check_status_name(one.status)) + " | " + one.name + " | " + one.detail + " | " + one.hint + "\n";
    }
    return out;
  }
  // Until the back-off after failed connections is over.
  Result<Object> create_soon(std::uint64_t number) {
    auto made = driver_->create(op(), spec(number));
    const MonoTime until = clock_->mono() + std::chrono::seconds(20);
    while (!made && made.error().code == Errc::unavailable && clock_->mono() < until) {
      clock_->sleep_for(made.error().retry_after.value_or(milliseconds(20)), {});
      made = driver_->create(op(), spec(number));
    }
    return made;
  }
};

TEST_F(NfsTroubleTest, ProbeOfAGoodServerLeavesNothingBehind) {
  ASSERT_NO_FATAL_FAILURE(serve());
  const auto report = driver_->probe(op());
  ASSERT_OK(report);
  EXPECT_TRUE(report->management_ok && report->data_ok) << text(*report);
  for (const auto& one : report->checks) EXPECT_EQ(one.status, CheckStatus::ok) << one.name << ": " << one.detail;
  EXPECT_NE(check(*report, "source port")->detail.find("accepted"), std::string::npos) << text(*report);
  EXPECT_TRUE(fs::is_empty(disk()));
  EXPECT_TRUE(driver_->info()->layouts.at(Layout::directory).ownership);
}

TEST_F(NfsTroubleTest, ProbeKeepsTheAdministrativeDirectoryThatWasThere) {
  ASSERT_NO_FATAL_FAILURE(serve());
  ASSERT_OK(driver_->create(op(), spec(1)));
  const auto before = names_below(disk());
  ASSERT_OK(driver_->probe(op()));
  EXPECT_EQ(names_below(disk()), before);
}

TEST_F(NfsTroubleTest, ProbeOfAnObservedBackendChangesNothing) {
  ASSERT_NO_FATAL_FAILURE(serve());
  const auto times = [&] {
    const auto now = attributes(disk());
    return std::pair(now.st_mtim.tv_sec * 1'000'000'000L + now.st_mtim.tv_nsec,
                     now.st_ctim.tv_sec * 1'000'000'000L + now.st_ctim.tv_nsec);
  };
  const auto before = times();
  auto looking = op();
  looking.dry_run = true;
  const auto report = driver_->probe(looking);
  ASSERT_OK(report);
  EXPECT_TRUE(report->management_ok && report->data_ok) << text(*report);
  EXPECT_EQ(times(), before);  // nothing was made, also not for a moment
  const auto* rights = check(*report, "chown");
  ASSERT_NE(rights, nullptr);
  EXPECT_EQ(rights->status, CheckStatus::skipped);
  EXPECT_NE(rights->detail.find("not tried: the backend is only observed"), std::string::npos) << text(*report);
  EXPECT_NE(rights->detail.find("would let us"), std::string::npos) << text(*report);
  // What can be seen without a change is seen.
  EXPECT_EQ(check(*report, "source port")->status, CheckStatus::ok) << text(*report);
  EXPECT_EQ(check(*report, "clients' address")->status, CheckStatus::ok) << text(*report);
}

TEST_F(NfsTroubleTest, AnEmptyExportWhereHomesStoodIsNotTakenForANewPool) {
  ASSERT_NO_FATAL_FAILURE(serve());
  const auto first = driver_->create(op(), spec(1));
  ASSERT_OK(first);
  const auto third = driver_->create(op(), spec(3));
  ASSERT_OK(third);
  ASSERT_OK(driver_->retire(op(), third->ref));
  const auto pool = [&] {
    const auto pools = driver_->pools(op());
    EXPECT_OK(pools);
    return pools ? pools->front() : Pool{.name = {}};
  };
  EXPECT_TRUE(pool().prepared);
  // The server comes back without its data disk.
  const fs::path shown = server_->directory(kExport);
  const fs::path away = shown.parent_path() / "the-disk";
  server_->stop();
  fs::rename(shown, away);
  fs::create_directory(shown);
  ASSERT_OK(server_->restart());
  auto second = spec(2);
  second.pool_in_use = true;
  const auto refused = driver_->create(op(), second);
  ASSERT_ERRC(refused, Errc::unavailable);
  EXPECT_NE(refused.error().message.find("is its disk mounted"), std::string::npos) << refused.error().to_string();
  EXPECT_NE(refused.error().hint.find("/export/homes/.homeport"), std::string::npos) << refused.error().to_string();
  EXPECT_FALSE(pool().prepared);
  // Nor is a known space taken for gone, least of all for purged.
  EXPECT_ERRC(driver_->update(op(), first->ref, {.marker = Marker{.key = key(1), .id = {}}}), Errc::unavailable);
  EXPECT_ERRC(driver_->update(op(), first->ref, {.mode = 0750}), Errc::unavailable);
  EXPECT_ERRC(driver_->retire(op(), first->ref), Errc::unavailable);
  EXPECT_ERRC(driver_->undelete(op(), third->ref), Errc::unavailable);
  EXPECT_ERRC(driver_->purge(op(), third->ref, std::nullopt), Errc::unavailable);
  // A driver that has seen nothing yet comes to the same.
  EXPECT_ERRC(make(section())->create(op(), second), Errc::unavailable);
  EXPECT_TRUE(fs::is_empty(disk()));
  // The disk is back.
  server_->stop();
  fs::remove(shown);
  fs::rename(away, shown);
  ASSERT_OK(server_->restart());
  EXPECT_OK(driver_->create(op(), second));
  EXPECT_TRUE(pool().prepared);
  EXPECT_TRUE(fs::exists(home(1)) && fs::exists(home(2)));
  EXPECT_EQ(purge_all(third->ref), 1);
  // On purpose: an admin makes the directory on a new disk.
  fs::remove_all(disk(".homeport"));
  fs::remove_all(disk("homes"));
  fs::create_directory(disk(".homeport"));
  auto fourth = spec(4);
  fourth.pool_in_use = true;
  EXPECT_OK(driver_->create(op(), fourth));
}

TEST_F(NfsTroubleTest, ProbeFindsASquashedRoot) {
  ASSERT_NO_FATAL_FAILURE(serve({{.path = kExport, .squash = "Root_Squash"}}));
  auto report = driver_->probe(op());
  ASSERT_OK(report);
  EXPECT_FALSE(report->management_ok);
  EXPECT_EQ(check(*report, "make a directory")->status, CheckStatus::failed);
  EXPECT_NE(check(*report, "make a directory")->hint.find("no_root_squash"), std::string::npos) << text(*report);
  EXPECT_ERRC(driver_->create(op(), spec(1)), Errc::permission_denied);
  // Where anybody may write, it shows at chown.
  ASSERT_EQ(::chmod(disk().c_str(), 0777), 0);
  report = driver_->probe(op());
  ASSERT_OK(report);
  EXPECT_EQ(check(*report, "chown")->status, CheckStatus::failed) << text(*report);
  EXPECT_NE(check(*report, "chown")->detail.find("root_squash"), std::string::npos) << text(*report);
  EXPECT_TRUE(fs::is_empty(disk()));
  const auto refused = driver_->create(op(), spec(1));
  ASSERT_ERRC(refused, Errc::permission_denied);
  EXPECT_NE(refused.error().hint.find("no_root_squash"), std::string::npos);
  EXPECT_FALSE(fs::exists(home(1)));
}

TEST_F(NfsTroubleTest, EverybodySquashedToTheRightOwnerIsSuccess) {
  ASSERT_NO_FATAL_FAILURE(
      serve({{.path = kExport, .squash = "All_Squash", .anonymous_uid = 1000, .anonymous_gid = 100}}));
  ASSERT_EQ(::chown(disk().c_str(), 1000, 100), 0);
  const auto report = driver_->probe(op());
  ASSERT_OK(report);
  EXPECT_EQ(check(*report, "chown")->status, CheckStatus::warning) << text(*report);
  EXPECT_NE(check(*report, "chown")->detail.find("all_squash"), std::string::npos) << text(*report);
  EXPECT_TRUE(fs::is_empty(disk()));
  EXPECT_FALSE(driver_->info()->layouts.at(Layout::directory).ownership);
  const auto right = driver_->create(op(), spec(1, 1000));
  ASSERT_OK(right);
  EXPECT_EQ(attributes(home(1)).st_uid, 1000U);
  EXPECT_ERRC(driver_->create(op(), spec(2, 1001)), Errc::permission_denied);
  EXPECT_FALSE(fs::exists(home(2)));
  // A driver that was told nothing and finds the directories of an earlier run.
  driver_ = make(section());
  ASSERT_OK(driver_->create(op(), spec(3, 1000)));
  // People lock their directories; root that is no root must open them to remove what is in them.
  for (const char* name : {"sealed/sub/file", "sealed/sub2/file", "read-only/a", "read-only/b"}) put(home(1) / name);
  for (const auto& entry : fs::recursive_directory_iterator(home(1))) {
    ASSERT_EQ(::lchown(entry.path().c_str(), 1000, 100), 0);
  }
  fs::permissions(home(1) / "read-only", fs::perms(0500));
  fs::permissions(home(1) / "sealed", fs::perms::none);
  ASSERT_OK(driver_->retire(op(), right->ref));
  EXPECT_EQ(purge_all(right->ref), 1);
  EXPECT_FALSE(fs::exists(trashed(1)));
}

TEST_F(NfsTroubleTest, AReadOnlyExportSaysSo) {
  ASSERT_NO_FATAL_FAILURE(serve({{.path = kExport, .read_only = true}}));
  const auto report = driver_->probe(op());
  ASSERT_OK(report);
  EXPECT_FALSE(report->management_ok);
  EXPECT_NE(check(*report, "make a directory")->detail.find("read-only"), std::string::npos) << text(*report);
  EXPECT_ERRC(driver_->create(op(), spec(1)), Errc::permission_denied);
  const auto pools = driver_->pools(op());
  ASSERT_OK(pools);
  EXPECT_FALSE(pools->front().writable);
  const auto inspected = find<ExportDiscovery>(*driver_)->inspect(op(), *AbsolutePath::parse(kExport));
  ASSERT_OK(inspected);
  EXPECT_TRUE(inspected->read_only_for_us);
  // An import there can be served; its marker cannot be written.
  const auto found = driver_->find(op(), {.pool = "main", .path = *AbsolutePath::parse(kExport), .key = key(1)});
  ASSERT_OK(found);
  EXPECT_ERRC(driver_->update(op(), (*found)->ref, {.marker = Marker{.key = key(1), .id = {}}}),
              Errc::permission_denied);
}

TEST_F(NfsTroubleTest, AHostThatIsNotListedIsToldWhichExport) {
  ASSERT_NO_FATAL_FAILURE(serve({{.path = kExport, .clients = {"192.0.2.7"}}}));
  const auto report = driver_->probe(op());
  ASSERT_OK(report);
  EXPECT_FALSE(report->management_ok || report->data_ok);
  const auto refused = driver_->create(op(), spec(1));
  ASSERT_ERRC(refused, Errc::permission_denied);
  EXPECT_NE(refused.error().hint.find(kExport), std::string::npos);
}

TEST_F(NfsTroubleTest, PrivilegedPortsAreNoticed) {
  ASSERT_NO_FATAL_FAILURE(serve({{.path = kExport, .privileged_port = true}}));
  const auto report = driver_->probe(op());
  ASSERT_OK(report);
  EXPECT_EQ(check(*report, "source port")->status, CheckStatus::warning) << text(*report);
  EXPECT_TRUE(report->management_ok) << text(*report);
}

TEST_F(NfsTroubleTest, AServerWithoutVersionThreeIsRefusedWithTheReason) {
  ASSERT_NO_FATAL_FAILURE(serve({{.path = kExport}}, {.protocols = "4"}));
  const auto refused = driver_->create(op(), spec(1));
  ASSERT_ERRC(refused, Errc::failed_precondition);
  EXPECT_NE(refused.error().message.find("NFSv4 only"), std::string::npos) << refused.error().to_string();
  EXPECT_NE(refused.error().hint.find("Protocols = 3, 4"), std::string::npos);
  const auto report = driver_->probe(op());
  ASSERT_OK(report);
  EXPECT_FALSE(report->management_ok);
  EXPECT_NE(text(*report).find("NFSv4 only"), std::string::npos) << text(*report);
}

TEST_F(NfsTroubleTest, AServerThatIsDownIsReportedAndWorksAgainAfterwards) {
  ASSERT_NO_FATAL_FAILURE(serve());
  ASSERT_OK(driver_->create(op(), spec(1)));
  server_->stop();
  EXPECT_ERRC(driver_->create(op(), spec(2)), Errc::unavailable);
  const auto report = driver_->probe(op());
  ASSERT_OK(report);
  EXPECT_FALSE(report->management_ok || report->data_ok) << text(*report);
  EXPECT_ERRC(driver_->pools(op()), Errc::unavailable);
  ASSERT_OK(server_->restart());
  EXPECT_OK(create_soon(2));
}

TEST_F(NfsTroubleTest, ARestartBetweenTwoCallsIsNotNoticed) {
  ASSERT_NO_FATAL_FAILURE(serve());
  ASSERT_OK(driver_->create(op(), spec(1)));
  ASSERT_OK(server_->restart());
  EXPECT_OK(driver_->create(op(), spec(2)));
}

TEST_F(NfsTroubleTest, AHangingServerCostsNoMoreThanTheDeadline) {
  ASSERT_NO_FATAL_FAILURE(serve());
  ASSERT_OK(driver_->create(op(), spec(1)));
  server_->pause();
  const MonoTime before = clock_->mono();
  const auto hung = driver_->create(op(milliseconds(400)), spec(2));
  EXPECT_ERRC(hung, Errc::timed_out);
  const auto report = driver_->probe(op(milliseconds(1000)));
  ASSERT_OK(report);
  EXPECT_FALSE(report->management_ok);
  std::stop_source stop;
  auto stopped = op();
  stopped.stop = stop.get_token();
  stop.request_stop();
  EXPECT_ERRC(driver_->create(stopped, spec(2)), Errc::cancelled);
  // Far below the 30 s of a silent wait: a bound on hanging, not a measurement.
  EXPECT_LT(clock_->mono() - before, std::chrono::seconds(20));
  server_->resume();
  EXPECT_OK(create_soon(2));
}

TEST_F(NfsTroubleTest, DirectoriesMadeAnewBehindOurBackAreFoundAgain) {
  ASSERT_NO_FATAL_FAILURE(serve());
  ASSERT_OK(driver_->create(op(), spec(1)));
  fs::remove_all(disk("homes"));
  fs::create_directory(disk("homes"));
  ASSERT_OK(driver_->create(op(), spec(2)));
  EXPECT_TRUE(fs::exists(home(2)));
  // Moved away: what is remembered still answers, and must not be used.
  fs::rename(disk("homes"), disk("homes.old"));
  ASSERT_OK(driver_->create(op(), spec(3)));
  EXPECT_TRUE(fs::exists(home(3)));
}

TEST_F(NfsTroubleTest, ExportsAreListedWithTheirClients) {
  ASSERT_NO_FATAL_FAILURE(
      serve({{.path = kExport}, {.path = "/data/sets", .read_only = true, .clients = {"127.0.0.1"}}}));
  auto* discovery = find<ExportDiscovery>(*driver_);
  ASSERT_NE(discovery, nullptr);
  const auto exports = discovery->exports(op());
  ASSERT_OK(exports);
  const auto has = [&](const std::string& path) {
    return std::ranges::any_of(*exports, [&](const auto& item) { return item.path == path; });
  };
  EXPECT_TRUE(has(kExport) && has("/data/sets"));
  fs::create_directories(server_->directory("/data/sets") / "imagenet");
  const auto inspected = discovery->inspect(op(), *AbsolutePath::parse("/data/sets/imagenet"));
  ASSERT_OK(inspected);
  EXPECT_EQ(inspected->export_path, "/data/sets");
  EXPECT_TRUE(inspected->read_only_for_us);
  EXPECT_TRUE(inspected->clients_known);
  EXPECT_ERRC(discovery->inspect(op(), *AbsolutePath::parse("/data/sets/none")), Errc::not_found);
  EXPECT_ERRC(discovery->inspect(op(), *AbsolutePath::parse("/nowhere/at/all")), Errc::not_found);
}

}  // namespace
}  // namespace homeport::drivers::testing
