// Files brought back from snapshots, and what snapshots hold.
#include "provisioner/core/restores.h"

#include <gmock/gmock.h>

#include <atomic>

#include "provisioner/core/space_work.h"
#include "tests/unit/core/snapshot_fixture.h"

namespace homeport::testing {
namespace {

using core::RestoreRequest;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using trees::RestoreWay;
using trees::TreePath;

class RestoresTest : public SnapshotsTest {
 protected:
  void SetUp() override { apply(standard()); }
  core::SnapshotParts parts() {
    return {.store = *store_,
            .catalog = hp().catalog(),
            .backends = hp().backends(),
            .operations = hp().operations(),
            .homes = hp().homes(),
            .snapshots = hp().snapshots(),
            .clock = *clock_,
            .flush_sessions = [this] { return hp().logins().flush(); }};
  }
  store::SpaceRecord home(const std::string& user, std::uint32_t uid) {
    auto made = ensure(user, uid);
    EXPECT_OK(made);
    return made.value();
  }
  Result<RestoreRequest> request(const std::string& source, const std::string& path, RestoreWay way) {
    HOMEPORT_TRY(auto from, hp().snapshots().parse("default", source));
    HOMEPORT_TRY(auto what, TreePath::parse(path));
    return RestoreRequest{.source = std::move(from), .path = std::move(what), .way = way};
  }
  // The operation when it has ended, however it did.
  Result<store::OperationRecord> run(const core::Caller& who, const RestoreRequest& wanted) {
    HOMEPORT_TRY(const auto outcome, blocking<core::SpaceOutcome>(
                                         [&](auto done) { core::restore(parts(), who, wanted, std::move(done)); }));
    return wait(outcome.operation.value());
  }
  Result<store::OperationRecord> restore(const std::string& source, const std::string& path,
                                         RestoreWay way = RestoreWay::beside) {
    HOMEPORT_TRY(const auto wanted, request(source, path, way));
    return run(caller(), wanted);
  }
  Result<core::FileVersions> versions(const core::Caller& who, const std::string& space, const std::string& path,
                                      bool digest = false) {
    const auto found = hp().homes().resolve("default", space);
    if (!found) return found.error();
    return blocking<core::FileVersions>([&](auto done) {
      core::versions(parts(), who, *found, TreePath::parse(path).value(), digest, std::move(done));
    });
  }
  Result<core::DirectoryPage> browse(const core::Caller& who, const std::string& source, const std::string& path,
                                     std::optional<drivers::Cursor> from = {}) {
    HOMEPORT_TRY(const auto wanted, hp().snapshots().parse("default", source));
    return blocking<core::DirectoryPage>([&](auto done) {
      core::browse(parts(), who, wanted, TreePath::parse(path).value(), std::move(from), std::move(done));
    });
  }
  std::vector<std::string> names(const store::SpaceRecord& space) {
    const auto tree = factory_.memory("lab")->open_tree(op(), core::object_ref(space).value(), {});
    EXPECT_OK(tree);
    const std::vector<drivers::ListRequest> all{{.directory = (*tree)->root().node}};
    std::vector<std::string> out;
    const auto pages = (*tree)->list(op(), all);
    for (const auto& entry : pages.front()->entries) out.push_back(entry.name);
    return out;
  }
  void make_folder(const store::SpaceRecord& space, const std::string& name, std::uint32_t mode, std::uint32_t uid) {
    const auto tree = factory_.memory("lab")->open_tree(op(), core::object_ref(space).value(), {});
    ASSERT_OK(tree);
    ASSERT_OK(
        (*tree)->make_directory(op(), (*tree)->root().node, name, {.owner = Owner{Uid{uid}, Gid{uid}}, .mode = mode}));
  }
  std::vector<std::string> audited(const std::string& subject) {
    std::vector<std::string> out;
    EXPECT_OK(store_->read([&](store::ReadTransaction& tx) -> Result<void> {
      out.clear();
      HOMEPORT_TRY(const auto rows, tx.audit(0, 1000, subject));
      for (const auto& row : rows)
        out.push_back(row.entry.principal + " " + row.entry.action + " " + row.entry.outcome);
      return {};
    }));
    return out;
  }
};

TEST_F(RestoresTest, AFileComesBackBesideTheOriginal) {
  const auto alice = home("alice", 1001);
  write_file(alice, "a.ipynb", "old");
  const auto snapshot = take(alice.key, {.label = "monday"});
  ASSERT_OK(snapshot);
  write_file(alice, "a.ipynb", "NEW");
  const auto done = restore("home/alice@monday", "a.ipynb");
  ASSERT_OK(done);
  ASSERT_EQ(done->state, store::OperationState::succeeded) << done->failure->message;
  const auto time = format_time(*snapshot->taken_at);
  const std::string name =
      "a (restored " + time.substr(0, 10) + " " + time.substr(11, 2) + time.substr(14, 2) + ").ipynb";
  EXPECT_EQ(done->plan["result"], name);
  EXPECT_EQ(read_file(alice, name), "old");
  EXPECT_EQ(read_file(alice, "a.ipynb"), "NEW");
  EXPECT_THAT(names(alice), ElementsAre(name, "a.ipynb"));
  EXPECT_EQ(done->progress_total, 3U);
  EXPECT_EQ(done->progress_done, 3U);
  EXPECT_EQ(done->progress_unit, "bytes");
  EXPECT_EQ(standing(alice).size(), 1U) << "nothing is overwritten: no snapshot before it";
  EXPECT_THAT(audited(alice.key), ::testing::Contains("t-test space.restore ok"));
  restart();
  ASSERT_OK(restore("home/alice@monday", "a.ipynb"));
  EXPECT_EQ(names(alice).size(), 3U) << "asked again, it comes again";
}

TEST_F(RestoresTest, OverItASnapshotIsTakenFirst) {
  const auto alice = home("alice", 1001);
  write_file(alice, "a", "old");
  ASSERT_OK(take(alice.key, {.label = "monday"}));
  write_file(alice, "a", "NEW");
  write_file(alice, "b", "came since");
  const auto done = restore("home/alice@monday", "a", RestoreWay::in_place);
  ASSERT_OK(done);
  ASSERT_EQ(done->state, store::OperationState::succeeded) << done->failure->message;
  EXPECT_EQ(read_file(alice, "a"), "old");
  const auto all = list(alice.key);
  ASSERT_OK(all);
  ASSERT_EQ(all->items.size(), 2U);
  EXPECT_THAT(all->items[1].reason, HasSubstr("before 'a' was restored from monday"));
  EXPECT_EQ(done->plan["safety"], all->items[1].name);
  EXPECT_EQ(all->items[1].state, "ready");
  const auto safety = all->items[1].name;
  ASSERT_OK(restore("home/alice@monday", "", RestoreWay::whole));
  EXPECT_THAT(names(alice), ElementsAre("a"));
  ASSERT_OK(restore("home/alice@" + safety, "b", RestoreWay::in_place));
  EXPECT_EQ(read_file(alice, "b"), "came since") << "nothing is lost";
}

class PoolRestoresTest : public RestoresTest {
 protected:
  void SetUp() override { apply(with(R"("snapshots":"pool",)")); }
};

TEST_F(PoolRestoresTest, TheWholeIsNotOverwrittenWithoutASafetySnapshotUnlessAnOperatorSaysSo) {
  const auto alice = home("alice", 1001);
  write_file(alice, "a", "old");
  ASSERT_OK(take(alice.key, {.label = "monday"}));
  write_file(alice, "a", "NEW");
  EXPECT_ERRC(restore("home/alice@monday", "", RestoreWay::whole), Errc::failed_precondition);
  EXPECT_EQ(read_file(alice, "a"), "NEW");
  auto wanted = request("home/alice@monday", "", RestoreWay::whole);
  ASSERT_OK(wanted);
  wanted->without_safety = true;
  EXPECT_ERRC(run(self(alice.owner), *wanted), Errc::forbidden);
  ASSERT_OK(run(caller(), *wanted));
  EXPECT_EQ(read_file(alice, "a"), "old");
}

TEST_F(RestoresTest, ASessionKeepsTheWholeFromBeingOverwritten) {
  const auto alice = home("alice", 1001);
  write_file(alice, "a", "old");
  ASSERT_OK(take(alice.key, {.label = "monday"}));
  ASSERT_OK(issue(caller(policies::Scope::spawner, "main"), login("alice")));
  auto wanted = request("home/alice@monday", "", RestoreWay::whole);
  ASSERT_OK(wanted);
  EXPECT_ERRC(run(caller(), *wanted), Errc::failed_precondition);
  wanted->force = true;
  EXPECT_OK(run(self(alice.owner), *wanted));
  EXPECT_OK(restore("home/alice@monday", "a")) << "single files come back beside what is in use";
}

TEST_F(RestoresTest, ASessionThatBeginsWhileTheSnapshotBeforeItIsTakenIsSeen) {
  const auto alice = home("alice", 1001);
  write_file(alice, "a", "old");
  ASSERT_OK(take(alice.key, {.label = "monday"}));
  write_file(alice, "a", "NEW");
  const auto wanted = request("home/alice@monday", "", RestoreWay::whole);
  ASSERT_OK(wanted);
  // Asked first before the snapshot, then after it.
  std::atomic<int> asked{0};
  auto with_a_login = parts();
  with_a_login.flush_sessions = [&]() -> Result<void> {
    if (++asked == 2) {
      HOMEPORT_CHECK(store_->write("login", [&](store::WriteTransaction& tx) -> Result<void> {
        store::SessionRecord session{.hub = "main",
                                     .user = alice.owner,
                                     .server = "",
                                     .spec_id = "ms-new",
                                     .digest = "d",
                                     .request = nlohmann::json::object(),
                                     .spaces = {alice.key}};
        session.issued_at = session.renewed_at = clock_->now();
        return store::put(tx, session, store::Expect::any());
      }));
    }
    return {};
  };
  const auto done = blocking<core::SpaceOutcome>(
      [&](auto ended) { core::restore(with_a_login, caller(), *wanted, std::move(ended)); });
  EXPECT_ERRC(done, Errc::failed_precondition);
  EXPECT_EQ(asked, 2);
  EXPECT_EQ(read_file(alice, "a"), "NEW");
  EXPECT_EQ(standing(alice).size(), 2U) << "the snapshot that was taken stays";
}

TEST_F(RestoresTest, AFullHomeIsARefusalAndNothingIsLeft) {
  auto alice = home("alice", 1001);
  write_file(alice, "big", std::string(600'000, 'b'));
  ASSERT_OK(take(alice.key, {.label = "monday"}));
  const auto ref = core::object_ref(alice).value();
  ASSERT_OK(
      factory_.memory("lab")->update(op(), ref, {.quota = std::optional<Bytes>(Bytes{1'000'000}), .force = true}));
  const auto done = restore("home/alice@monday", "big");
  ASSERT_OK(done);
  EXPECT_EQ(done->state, store::OperationState::failed);
  ASSERT_TRUE(done->failure);
  EXPECT_EQ(done->failure->code, "over-quota");
  EXPECT_THAT(names(alice), ElementsAre("big"));
  const auto now = hp().homes().resolve("default", alice.key);
  ASSERT_OK(now);
  EXPECT_EQ(now->state, store::SpaceState::ready);
  EXPECT_FALSE(hp().catalog().open_operation(alice.key)) << "nobody has to give it up";
}

TEST_F(RestoresTest, WhatIsNotThereEndsTheOperation) {
  const auto alice = home("alice", 1001);
  write_file(alice, "a", "old");
  ASSERT_OK(take(alice.key, {.label = "monday"}));
  const auto none = restore("home/alice@monday", "none");
  ASSERT_OK(none);
  EXPECT_EQ(none->state, store::OperationState::failed);
  EXPECT_EQ(none->failure->code, "not-found");
  EXPECT_ERRC(restore("home/alice@tuesday", "a"), Errc::not_found);
  EXPECT_ERRC(restore("home/alice@monday", ""), Errc::invalid_argument);
  EXPECT_ERRC(restore("home/alice@monday", "a", RestoreWay::whole), Errc::invalid_argument);
  ASSERT_OK(settled(hp().homes().retire(caller(), alice.key, true)));
  EXPECT_ERRC(restore(alice.key + "@monday", "a"), Errc::failed_precondition) << "undelete it first";
}

TEST_F(RestoresTest, APersonSeesWhatTheirModeBitsLetThemSee) {
  const auto alice = home("alice", 1001);
  make_folder(alice, "closed", 0700, 0);
  make_folder(alice, "work", 0700, 1001);
  write_file(alice, "a", "old");
  ASSERT_OK(take(alice.key, {.label = "monday"}));
  const auto me = self(alice.owner);
  const auto top = browse(me, "home/alice@monday", "");
  ASSERT_OK(top);
  EXPECT_EQ(top->entries.size(), 3U);
  EXPECT_OK(browse(me, "home/alice@monday", "work"));
  EXPECT_ERRC(browse(me, "home/alice@monday", "closed"), Errc::forbidden);
  EXPECT_OK(browse(caller(), "home/alice@monday", "closed"));
  auto wanted = request("home/alice@monday", "a", RestoreWay::into);
  ASSERT_OK(wanted);
  wanted->into = TreePath::parse("closed").value();
  const auto refused = run(me, *wanted);
  ASSERT_OK(refused);
  EXPECT_EQ(refused->failure->code, "forbidden");
  EXPECT_THAT(audited(alice.key), ::testing::Contains("t-test snapshot.browse ok")) << "who looked is on record";
}

TEST_F(RestoresTest, DirectoriesComeInPages) {
  const auto alice = home("alice", 1001);
  std::vector<std::string> wanted;  // more than the backend gives at once
  for (int i = 100; i < 400; ++i) wanted.push_back(std::to_string(i));
  for (const auto& name : wanted) write_file(alice, name, name);
  ASSERT_OK(take(alice.key, {.label = "monday"}));
  std::vector<std::string> seen;
  std::optional<drivers::Cursor> from;
  do {
    const auto page = browse(caller(), "home/alice@monday", "", from);
    ASSERT_OK(page);
    for (const auto& entry : page->entries) seen.push_back(entry.name);
    from = page->next;
  } while (from);
  EXPECT_EQ(seen, wanted);
  const auto file = browse(caller(), "home/alice@monday", "111");
  ASSERT_OK(file);
  EXPECT_FALSE(file->is_directory);
  EXPECT_ERRC(browse(caller(), "home/alice@monday", "none"), Errc::not_found);
  EXPECT_ERRC(browse(caller(), "home/alice@monday", "", "nonsense"), Errc::invalid_argument);
}

TEST_F(RestoresTest, VersionsSayWhichSnapshotsHaveAPathAndHowItDiffers) {
  const auto alice = home("alice", 1001);
  ASSERT_OK(take(alice.key, {.label = "empty"}));
  write_file(alice, "a", "1");
  ASSERT_OK(take(alice.key, {.label = "one"}));
  write_file(alice, "a", "1,2");
  ASSERT_OK(take(alice.key, {.label = "two"}));
  const auto found = versions(caller(), alice.key, "a", true);
  ASSERT_OK(found);
  EXPECT_EQ(found->looked_into, 3U);
  ASSERT_EQ(found->versions.size(), 2U);
  EXPECT_EQ(found->versions[0].snapshot.label, "two");
  EXPECT_TRUE(found->versions[0].as_now);
  EXPECT_EQ(found->versions[1].attributes.size, 1U);
  EXPECT_FALSE(found->versions[1].as_now);
  EXPECT_EQ(found->versions[1].digest, "6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b");
  EXPECT_ERRC(versions(caller(), alice.key, "never"), Errc::not_found);
  EXPECT_ERRC(versions(caller(), "home/nobody", "a"), Errc::not_found);
}

}  // namespace
}  // namespace homeport::testing
