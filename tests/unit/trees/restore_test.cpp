// Bringing back files, folders and whole spaces: under which name, what stays, and wherever it is killed.
#include "provisioner/trees/restore.h"

#include "tests/unit/trees/tree_copy_fixture.h"

namespace homeport::trees {
namespace {

TEST(RestoredName, StandsBesideTheOriginal) {
  const std::string stamp = "2026-11-19 0300";
  EXPECT_EQ(restored_name("name.ipynb", false, stamp), "name (restored 2026-11-19 0300).ipynb");
  EXPECT_EQ(restored_name("name.ipynb", false, stamp, 2), "name (restored 2026-11-19 0300, 2).ipynb");
  EXPECT_EQ(restored_name("data.v1", true, stamp), "data.v1 (restored 2026-11-19 0300)");
  EXPECT_EQ(restored_name(".bashrc", false, stamp), ".bashrc (restored 2026-11-19 0300)");
  EXPECT_EQ(restored_name("Makefile", false, stamp), "Makefile (restored 2026-11-19 0300)");
  EXPECT_EQ(restored_name("a.tar.gz", false, stamp), "a.tar (restored 2026-11-19 0300).gz");
  const auto longest = restored_name(std::string(250, 'x') + ".csv", false, stamp);
  EXPECT_EQ(longest.size(), 255U);
  EXPECT_TRUE(longest.ends_with("x (restored 2026-11-19 0300).csv")) << longest;
  std::string umlauts;
  for (int i = 0; i < 127; ++i) umlauts += "\xc3\xa4";
  const auto cut = restored_name(umlauts, true, stamp);
  EXPECT_LE(cut.size(), 255U);
  EXPECT_TRUE(is_valid_utf8(cut)) << "no character is cut in two";
}

class RestoreTest : public TreeCopyTest {
 protected:
  // The snapshot is a directory of this machine; the home gets the same content first.
  void SetUp() override {
    fill();
    file("deep/er/one", "1");
    fs::create_hard_link(root_ / "deep/er/one", root_ / "deep/er/two");
    const auto from = local();
    ASSERT_OK(pass(*from, *home()));
    before_ = picture(*home());
  }
  CopyCalls calls() {
    return {.reading = [this] { return op(); }, .writing = [this] { return op(); }};
  }
  static RestoreJob job(const std::string& path, RestoreWay way = RestoreWay::beside, const std::string& into = "") {
    return {.path = TreePath::parse(path).value(),
            .way = way,
            .into = TreePath::parse(into).value(),
            .stamp = "2026-11-19 0300"};
  }
  Result<std::string> run(const RestoreJob& wanted, Tree& to) {
    const auto from = local();
    RestoreState state = kept_;
    Restore restore(calls(), progress_, wanted, state, [&]() -> Result<void> {
      kept_ = state;
      return {};
    });
    HOMEPORT_CHECK(restore.check(*from, to));
    HOMEPORT_TRY(const auto report, restore.copy(*from, to));
    report_ = report;
    HOMEPORT_TRY(const auto path, restore.place(*from, to));
    HOMEPORT_CHECK(restore.clean_up(to));
    return path.text();
  }
  Result<std::string> run(const RestoreJob& wanted) {
    kept_ = RestoreState{.staging = ".homeport-restore-op1"};
    return run(wanted, *home());
  }
  Entry at(const std::string& path) {
    const auto tree = home();
    const auto found = find_entry(op(), *tree, TreePath::parse(path).value(), {});
    EXPECT_OK(found);
    EXPECT_TRUE(*found) << path;
    return found->value_or(Entry{.name = {}, .node = {}, .attributes = {}});
  }
  void remove(const std::string& path) {
    const auto tree = home();
    const auto where = TreePath::parse(path).value();
    const auto dir = where.parent().is_root() ? tree->root() : at(where.parent().text());
    ASSERT_OK(remove_all([this] { return op(); }, *tree, dir.node, at(path)));
  }
  void write(const std::string& path, const std::string& text) {
    const auto tree = home();
    const auto where = TreePath::parse(path).value();
    const auto dir = where.parent().is_root() ? tree->root() : at(where.parent().text());
    auto made = tree->make_file(op(), dir.node, where.name(), {});
    const auto node = made ? made->node : at(path).node;
    ASSERT_OK(tree->set_attributes(op(), node, {.size = 0}));
    ASSERT_OK(tree->write(op(), node, 0, std::as_bytes(std::span(text))));
  }
  // What of `now` was not there before, or is different; "-" before what is gone.
  std::map<std::string, std::string> changes() {
    auto now = picture(*home());
    std::map<std::string, std::string> out;
    for (const auto& [path, words] : now) {
      const auto old = before_.find(path);
      // A folder's own time changes with what comes into it.
      const bool folder = words[0] == '1';
      if (old == before_.end() || (old->second != words && !folder)) out[path] = words;
    }
    for (const auto& [path, words] : before_) {
      if (!now.contains(path)) out["-" + path] = words;
    }
    return out;
  }

  std::map<std::string, std::string> before_;
  RestoreState kept_{.staging = ".homeport-restore-op1"};
  CopyReport report_{};
};

TEST_F(RestoreTest, AFileComesBackBesideTheOriginal) {
  const auto path = run(job("notes.txt"));
  ASSERT_OK(path);
  EXPECT_EQ(*path, "notes (restored 2026-11-19 0300).txt");
  EXPECT_EQ(changes(), (std::map<std::string, std::string>{{"/" + *path, before_["/notes.txt"]}}))
      << "owner, mode, time and content; and nothing else";
  EXPECT_EQ(at(*path).attributes.links, 1U);
  const auto again = run(job("notes.txt"));
  ASSERT_OK(again);
  EXPECT_EQ(*again, "notes (restored 2026-11-19 0300, 2).txt");
  remove("deep/er/big");
  const auto gone = run(job("deep/er/big"));
  ASSERT_OK(gone);
  EXPECT_EQ(*gone, "deep/er/big (restored 2026-11-19 0300)");
  const auto odd = run(job("\\xff\\xfe"));
  ASSERT_OK(odd);
  EXPECT_EQ(*odd, "\\xff\\xfe (restored 2026-11-19 0300)");
  const auto link = run(job("outside"));
  ASSERT_OK(link) << "a link comes back as a link";
  EXPECT_EQ(at(*link).attributes.type, EntryType::symlink);
}

TEST_F(RestoreTest, AFolderComesBackWithAllThatIsInIt) {
  remove("deep/er");
  const auto path = run(job("deep/er"));
  ASSERT_OK(path);
  EXPECT_EQ(*path, "deep/er (restored 2026-11-19 0300)");
  const auto now = picture(*home());
  for (const char* name : {"/big", "/one", "/two"})
    EXPECT_EQ(now.at("/" + *path + name), before_["/deep/er" + std::string(name)]) << name;
  EXPECT_EQ(at(*path + "/one").attributes.id, at(*path + "/two").attributes.id) << "one file of two names";
  const auto locked = run(job("locked"));
  ASSERT_OK(locked);
  EXPECT_EQ(picture(*home()).at("/" + *locked), before_["/locked"]) << "its own mode and time too";
}

TEST_F(RestoreTest, IntoAnotherFolderUnderItsOwnName) {
  const auto path = run(job("notes.txt", RestoreWay::into, "deep/er"));
  ASSERT_OK(path);
  EXPECT_EQ(*path, "deep/er/notes.txt");
  const auto taken = run(job("notes.txt", RestoreWay::into, "deep/er"));
  ASSERT_OK(taken);
  EXPECT_EQ(*taken, "deep/er/notes (restored 2026-11-19 0300).txt");
  EXPECT_ERRC(run(job("notes.txt", RestoreWay::into, "none")), Errc::not_found);
  for (const char* linked : {"deep/inside", "outside", "deep/up"})
    EXPECT_ERRC(run(job("notes.txt", RestoreWay::into, linked)), Errc::failed_precondition) << "no link is followed";
}

TEST_F(RestoreTest, OverAFileOnlyWhenAsked) {
  write("notes.txt", "rewritten since, and longer");
  const auto path = run(job("notes.txt", RestoreWay::in_place));
  ASSERT_OK(path);
  EXPECT_EQ(*path, "notes.txt");
  EXPECT_TRUE(changes().empty());
  remove("notes.txt");
  ASSERT_OK(run(job("notes.txt", RestoreWay::in_place)));
  EXPECT_TRUE(changes().empty()) << "gone, it comes back under its name";
}

TEST_F(RestoreTest, IntoAFolderThatStandsAndWhatCameSinceStays) {
  write("deep/er/big", "overwritten");
  write("deep/er/new", "came since");
  remove("deep/er/one");
  const auto kept_time = at("deep/er/two").attributes.changed;
  const auto path = run(job("deep/er", RestoreWay::in_place));
  ASSERT_OK(path);
  EXPECT_EQ(*path, "deep/er");
  const auto found = changes();
  ASSERT_EQ(found.size(), 1U);
  EXPECT_TRUE(found.contains("/deep/er/new"));
  EXPECT_EQ(at("deep/er/one").attributes.id, at("deep/er/two").attributes.id);
  EXPECT_EQ(kept_time, at("notes.txt").attributes.changed) << "the test's clock stands";
}

TEST_F(RestoreTest, WhatIsAFolderOnOneSideOnlyIsRefused) {
  remove("notes.txt");
  const auto tree = home();
  ASSERT_OK(tree->make_directory(op(), tree->root().node, "notes.txt", {}));
  const auto refused = run(job("notes.txt", RestoreWay::in_place));
  ASSERT_ERRC(refused, Errc::failed_precondition);
  EXPECT_FALSE(refused.error().hint.empty());
  remove("deep");
  write("deep", "a file now");
  EXPECT_ERRC(run(job("deep", RestoreWay::in_place)), Errc::failed_precondition);
}

TEST_F(RestoreTest, AWholeSpaceIsAsItWasAgain) {
  write("notes.txt", "12345");  // the same size
  const auto tree = home();
  ASSERT_OK(tree->set_attributes(op(), at("notes.txt").node, {.modified = WallTime(1'600'000'000'123ms)}));
  write("new", "came since");
  remove("deep");
  ASSERT_OK(tree->make_link(op(), tree->root().node, "deep", "/etc", Owner{Uid{0}, Gid{0}}));
  auto wanted = job("", RestoreWay::whole);
  wanted.taken_at = WallTime(1'000ms);
  const auto path = run(wanted);
  ASSERT_OK(path);
  EXPECT_TRUE(changes().empty());
  EXPECT_EQ(report_.removed, 2U) << "what came since, and the link that stood in the way";
  ASSERT_OK(run(wanted));
  EXPECT_EQ(report_.copied, 0U) << "nothing is written that is the same";
}

TEST_F(RestoreTest, WhatSomebodyPlantsIsNeverFollowedNorLost) {
  const auto tree = home();
  const auto root = tree->root().node;
  ASSERT_OK(tree->make_link(op(), root, ".homeport-restore-op1", "/etc", Owner{Uid{1001}, Gid{1001}}));
  ASSERT_OK(tree->make_directory(op(), root, ".homeport-restore-op1-2", {.mode = 0755}));
  ASSERT_OK(
      tree->make_link(op(), root, "notes (restored 2026-11-19 0300).txt", "/etc/shadow", Owner{Uid{1001}, Gid{1001}}));
  const auto path = run(job("notes.txt"));
  ASSERT_OK(path);
  EXPECT_EQ(*path, "notes (restored 2026-11-19 0300, 2).txt");
  EXPECT_EQ(at(".homeport-restore-op1").attributes.type, EntryType::symlink) << "left alone";
  EXPECT_EQ(at(".homeport-restore-op1-2").attributes.mode, 0755U);
  // In place, a link is replaced by name.
  remove("notes.txt");
  ASSERT_OK(tree->make_link(op(), root, "notes.txt", "empty", Owner{Uid{1001}, Gid{1001}}));
  ASSERT_OK(run(job("notes.txt", RestoreWay::in_place)));
  EXPECT_EQ(at("notes.txt").attributes.type, EntryType::file);
  EXPECT_EQ(at("empty").attributes.size, 0U);
  // And while it is at work: a folder on the way becomes a link. What was found is a handle.
  WatchedTree busy(*tree);
  bool planted = false;
  busy.before_change = [&]() -> Result<void> {
    if (std::exchange(planted, true)) return {};
    HOMEPORT_CHECK(tree->rename(op(), at("deep").node, "er", root, "elsewhere"));
    HOMEPORT_CHECK(tree->make_link(op(), at("deep").node, "er", "..", Owner{Uid{1001}, Gid{1001}}));
    return {};
  };
  kept_ = RestoreState{.staging = ".homeport-restore-op3"};
  EXPECT_ERRC(run(job("deep/er/big"), busy), Errc::failed_precondition);
}

// As if the process was killed before each single change, one after the other; only what was kept is known then.
TEST_F(RestoreTest, GoesOnWhereverItWasKilled) {
  struct Row {
    RestoreJob job;
    std::string result;
  };
  auto whole = job("", RestoreWay::whole);
  whole.taken_at = WallTime(1'000ms);
  const std::vector<Row> rows{{job("deep/er/big"), "deep/er/big (restored 2026-11-19 0300)"},
                              {job("deep"), "deep (restored 2026-11-19 0300)"},
                              {job("notes.txt", RestoreWay::in_place), "notes.txt"},
                              {job("deep", RestoreWay::in_place), "deep"},
                              {whole, ""}};
  for (const auto& row : rows) {
    const std::string name = row.job.path.text() + " " + std::string(restore_way_name(row.job.way));
    write("notes.txt", "rewritten");
    write("deep/er/big", "rewritten");
    const auto start = picture(*home());
    kept_ = RestoreState{.staging = ".homeport-restore-kill"};
    int tries = 0;
    for (int killed_at = 0;; ++killed_at) {
      ASSERT_LT(killed_at, 500) << name;
      const auto inner = home();
      WatchedTree to(*inner);
      to.kill_after(killed_at / 2 + 1);  // twice at each place: what was begun is found as it was left
      const auto path = run(row.job, to);
      ++tries;
      if (path) {
        EXPECT_EQ(*path, row.result) << name;
        break;
      }
      ASSERT_ERRC(path, Errc::cancelled) << name;
      // Whatever has its name is whole.
      for (const auto& [seen, words] : picture(*inner)) {
        if (words[0] != '0' || seen.starts_with("/.homeport-restore-")) continue;
        const auto old = start.find(seen);
        auto original = seen;
        if (const auto mark = original.find(" (restored"); mark != std::string::npos) {
          const auto end = original.find(')', mark);
          original.erase(mark, end - mark + 1);
        }
        EXPECT_TRUE((old != start.end() && old->second == words) || words == before_[original])
            << name << ": " << seen << " is half done, killed at " << killed_at;
      }
    }
    EXPECT_GT(tries, 3) << name;
    auto found = changes();
    if (row.job.way == RestoreWay::beside) {
      EXPECT_EQ(found.erase("/notes.txt") + found.erase("/deep/er/big"), 2U) << name;
      for (const auto& [path, words] : found) EXPECT_TRUE(path.starts_with("/" + row.result)) << name << ": " << path;
      EXPECT_EQ(found.at("/" + row.result), before_["/" + row.job.path.text()]) << name;
      remove(row.result);
    } else if (row.job.way == RestoreWay::in_place) {
      EXPECT_EQ(found.size(), 1U) << name;
    } else {
      EXPECT_TRUE(found.empty()) << name;
    }
  }
}

TEST_F(RestoreTest, AFullHomeIsLeftAsItWas) {
  const auto small = driver_.update(op(), object_, {.quota = std::optional<Bytes>(Bytes{2'000'000}), .force = true});
  ASSERT_OK(small);
  file("huge", std::string(3'000'000, 'h'));
  const auto tree = home();
  kept_ = RestoreState{.staging = ".homeport-restore-op1"};
  EXPECT_ERRC(run(job("huge"), *tree), Errc::over_quota);
  const auto from = local();
  const auto wanted = job("huge");
  RestoreState state = kept_;
  Restore restore(calls(), progress_, wanted, state, [] { return Result<void>{}; });
  ASSERT_OK(restore.clean_up(*tree));
  EXPECT_TRUE(changes().empty());
}

TEST_F(RestoreTest, APersonReachesWhatTheirModeBitsLetThemReach) {
  const auto tree = home();
  fs::permissions(root_, fs::perms(0755));
  ASSERT_OK(tree->set_attributes(op(), tree->root().node, {.mode = 0755}));
  auto wanted = job("locked/kept");
  wanted.viewer = Viewer{.uid = Uid{4711}, .gids = {}};
  EXPECT_ERRC(run(wanted), Errc::forbidden) << "a folder of somebody else's, mode 0500";
  wanted = job("notes.txt", RestoreWay::into, "deep");
  wanted.viewer = Viewer{.uid = Uid{4711}, .gids = {}};
  EXPECT_ERRC(run(wanted), Errc::forbidden) << "may not write there";
  ASSERT_OK(tree->set_attributes(op(), at("deep").node, {.mode = 0777}));
  ASSERT_OK(run(wanted));
  EXPECT_ERRC(run(job("nothing")), Errc::not_found);
  EXPECT_ERRC(run(job("")), Errc::invalid_argument) << "the whole only when it is said";
}

}  // namespace
}  // namespace homeport::trees
