// Snapshots that the server makes by itself and shows on an export: read, never taken. Over a real NFS-Ganesha whose
// export has a .snapshot directory like that of an array.
#include <array>

#include "drivers/core/snapshot_trees.h"
#include "drivers/nfs/nfs_snapshots.h"
#include "tests/unit/drivers/nfs_fixture.h"

namespace homeport::drivers::testing {
namespace {

namespace fs = std::filesystem;

class NfsSnapshotsTest : public NfsFixture {
 protected:
  void SetUp() override { ASSERT_NO_FATAL_FAILURE(serve({{.path = kExport}, {.path = "/old"}})); }
  Object make_home(std::uint64_t number) {
    auto made = driver_->create(op(), spec(number));
    EXPECT_OK(made);
    return std::move(made).value();
  }
  fs::path shown(const std::string& snapshot, std::uint64_t number, const std::string& place = ".snapshot") const {
    return disk(place + "/" + snapshot + "/homes/hp-" + key(number).str());
  }
  std::vector<std::string> names(const ObjectRef& ref) {
    std::vector<Snapshot> page;
    const auto next = find<Snapshots>(*driver_)->list_snapshots(op(), ref, std::nullopt, page);
    EXPECT_OK(next);
    std::vector<std::string> out;
    for (const auto& one : page) {
      EXPECT_FALSE(one.ours);
      out.push_back(one.name);
    }
    return out;
  }
};

TEST(TimeInName, IsWhatTheUsualMakersWrite) {
  const std::vector<std::pair<std::string, std::string>> rows{
      {"daily.2026-11-19_0010", "2026-11-19T00:10:00Z"},
      {"zfs-auto-snap_hourly-2026-11-19-0300", "2026-11-19T03:00:00Z"},
      {"autosnap_2026-11-19_03:00:05_daily", "2026-11-19T03:00:05Z"},
      {"@GMT-2026.11.19-03.00.00", "2026-11-19T03:00:00Z"},
      {"20261119T030000", "2026-11-19T03:00:00Z"},
      {"before-2026-11-19", "2026-11-19T00:00:00Z"},
      {"hourly.0", ""},
      {"2026-13-40", ""},
      {"9912026-11-19", ""},
      {"", ""}};
  for (const auto& [name, time] : rows) {
    const auto found = nfs::time_in_name(name);
    EXPECT_EQ(found ? format_time(*found) : "", time) << name;
  }
}

TEST_F(NfsSnapshotsTest, ASpaceSeesItsOwnDirectoryOfEachThatHasIt) {
  const auto alice = make_home(1);
  make_home(2);
  EXPECT_TRUE(names(alice.ref).empty()) << "none is shown";
  put(shown("daily.2026-11-19_0010", 1) / "notes", "old");
  put(shown("daily.2026-11-18_0010", 1) / "notes", "older");
  put(shown("daily.2026-11-17_0010", 2) / "notes", "somebody else's");
  put(disk(".snapshot/no-directory"), "x");
  EXPECT_EQ(names(alice.ref), (std::vector<std::string>{"daily.2026-11-18_0010", "daily.2026-11-19_0010"}));
  auto* trees = find<TreeAccess>(*driver_);
  const auto tree = trees->open_tree(op(), alice.ref, {.snapshot = "daily.2026-11-18_0010"});
  ASSERT_OK(tree);
  const auto notes = (*tree)->lookup(op(), (*tree)->root().node, "notes");
  ASSERT_OK(notes);
  ASSERT_TRUE(*notes);
  std::array<std::byte, 16> text{};
  EXPECT_EQ((*tree)->read(op(), (*notes)->node, 0, text).value(), 5U);
  EXPECT_FALSE((*tree)->make_file(op(), (*tree)->root().node, "new", {})) << "it is for reading";
  EXPECT_ERRC(trees->open_tree(op(), alice.ref, {.snapshot = "daily.2026-11-17_0010"}), Errc::not_found);
  EXPECT_ERRC(trees->open_tree(op(), alice.ref, {.snapshot = "none"}), Errc::not_found);
  EXPECT_ERRC(trees->open_tree(op(), alice.ref, {.snapshot = "../homes"}), Errc::invalid_argument);
  auto* snapshots = find<Snapshots>(*driver_);
  EXPECT_ERRC(snapshots->take_snapshot(op(), alice.ref, "hp-1"), Errc::unsupported);
  EXPECT_ERRC(snapshots->delete_snapshot(op(), alice.ref, {.id = "1", .name = "daily.2026-11-18_0010"}),
              Errc::unsupported);
  std::vector<Snapshot> page;
  EXPECT_ERRC(snapshots->list_snapshots(op(), alice.ref, "nonsense", page), Errc::invalid_argument);
}

TEST_F(NfsSnapshotsTest, ManyAreOpenedSideBySide) {
  const auto alice = make_home(1);
  std::vector<std::string> wanted;
  for (int i = 10; i < 60; ++i) {
    wanted.push_back("hourly.2026-11-19_00" + std::to_string(i));
    if (i % 2 == 0) put(shown(wanted.back(), 1) / "notes", std::string(static_cast<std::size_t>(i), 'x'));
  }
  auto opened = find<SnapshotTrees>(*driver_)->open_snapshots(op(), alice.ref, wanted);
  ASSERT_OK(opened);
  ASSERT_EQ(opened->roots.size(), wanted.size());
  std::vector<ManyLookups::Request> asked;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    EXPECT_EQ(opened->roots[i].has_value(), i % 2 == 0) << wanted[i];
    if (opened->roots[i]) asked.push_back({.directory = opened->roots[i]->node, .name = "notes"});
  }
  const auto found = lookup_all(op(), *opened->tree, asked);
  ASSERT_EQ(found.size(), 25U);
  for (std::size_t i = 0; i < found.size(); ++i) {
    ASSERT_OK(found[i]);
    ASSERT_TRUE(*found[i]);
    EXPECT_EQ((*found[i])->attributes.size, 10 + 2 * i);
  }
}

TEST_F(NfsSnapshotsTest, ZfsShowsThemOneDirectoryDeeper) {
  const auto alice = make_home(1);
  put(shown("zfs-auto-snap_daily-2026-11-19-0300", 1, ".zfs/snapshot") / "notes", "old");
  EXPECT_EQ(names(alice.ref), std::vector<std::string>{"zfs-auto-snap_daily-2026-11-19-0300"});
}

TEST_F(NfsSnapshotsTest, WhatPeopleMakeUpIsNotBelieved) {
  const auto alice = make_home(1);
  put(home(1) / ".snapshot/forged/notes", "forged");
  EXPECT_TRUE(names(alice.ref).empty()) << "only the top of the export counts";
  fs::create_directory_symlink(home(1), disk(".snapshot"));
  EXPECT_TRUE(names(alice.ref).empty()) << "a link is not followed";
  // A home that is an export of its own: its top belongs to the person.
  const auto old = server_->directory("/old");
  put(old / ".snapshot/forged/notes", "forged");
  for (const auto& path : {old, old / ".snapshot"}) ASSERT_EQ(::chown(path.c_str(), 1001, 100), 0);
  const auto imported = driver_->find(op(), {.pool = {}, .path = AbsolutePath::parse("/old").value(), .key = key(7)});
  ASSERT_OK(imported);
  ASSERT_TRUE(*imported);
  auto ref = (*imported)->ref;
  ref.imported = true;
  EXPECT_TRUE(names(ref).empty());
  ASSERT_EQ(::chown((old / ".snapshot").c_str(), 0, 0), 0);
  EXPECT_TRUE(names(ref).empty()) << "in that snapshot the place was another's";
  ASSERT_EQ(::chown((old / ".snapshot/forged").c_str(), 1001, 100), 0);
  EXPECT_EQ(names(ref), std::vector<std::string>{"forged"});
}

}  // namespace
}  // namespace homeport::drivers::testing
