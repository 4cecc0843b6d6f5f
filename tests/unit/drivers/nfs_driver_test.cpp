#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <set>
#include <thread>

#include "tests/unit/drivers/nfs_fixture.h"

namespace homeport::drivers::testing {
namespace {

namespace fs = std::filesystem;

class NfsDriverTest : public NfsFixture {
 protected:
  void SetUp() override { ASSERT_NO_FATAL_FAILURE(serve()); }
};

TEST_F(NfsDriverTest, AHomeIsOwnedClosedAndMarkedWhenCreateReturns) {
  CallLog calls;
  auto context = op();
  context.calls = &calls;
  auto wanted = spec(1);
  wanted.mode = 02750;
  const auto made = driver_->create(context, wanted);
  ASSERT_OK(made);
  const auto on_disk = attributes(home(1));
  EXPECT_EQ(on_disk.st_uid, 1001U);
  EXPECT_EQ(on_disk.st_gid, 100U);
  EXPECT_EQ(on_disk.st_mode & 07777U, 02750U);
  EXPECT_EQ(made->path, "/export/homes/homes/hp-" + key(1).str());
  EXPECT_EQ(attributes(disk("homes")).st_mode & 07777U, 0755U);
  EXPECT_EQ(attributes(disk("homes")).st_uid, 0U);
  EXPECT_EQ(attributes(disk(".homeport")).st_mode & 07777U, 0700U);
  EXPECT_EQ(attributes(marker_file(1)).st_mode & 07777U, 0600U);
  ASSERT_TRUE(made->marker);
  EXPECT_EQ(made->marker->id, made->ref.id);
  EXPECT_EQ(made->marker->aliases, std::vector<std::string>{"alice"});
  const auto lines = calls.lines();
  const auto has = [&](const std::string& line) { return std::ranges::find(lines, line) != lines.end(); };
  EXPECT_TRUE(has("MKDIR /export/homes/homes/hp-" + key(1).str() + " mode=0700"));
  EXPECT_TRUE(has("SETATTR /export/homes/homes/hp-" + key(1).str() + " uid=1001 gid=100 mode=02750"))
      << ::testing::PrintToString(lines);
  EXPECT_TRUE(driver_->info()->known);
}

TEST_F(NfsDriverTest, CreatingAgainAdoptsAndConverges) {
  const auto first = driver_->create(op(), spec(1));
  ASSERT_OK(first);
  put(home(1) / "work.txt");
  ASSERT_EQ(::chown(home(1).c_str(), 7, 7), 0);
  const auto again = driver_->create(op(), spec(1));
  ASSERT_OK(again);
  EXPECT_EQ(again->ref.id, first->ref.id);
  EXPECT_EQ(attributes(home(1)).st_uid, 1001U);
  EXPECT_TRUE(fs::exists(home(1) / "work.txt"));
}

TEST_F(NfsDriverTest, ADirectoryWithoutMarkerIsOursByItsName) {
  fs::create_directories(home(1));
  const auto made = driver_->create(op(), spec(1));
  ASSERT_OK(made);
  EXPECT_EQ(attributes(home(1)).st_uid, 1001U);
  EXPECT_TRUE(fs::exists(marker_file(1)));
}

TEST_F(NfsDriverTest, AHalfWrittenMarkerIsWrittenAgain) {
  ASSERT_OK(driver_->create(op(), spec(1)));
  put(marker_file(1), "{\"homeport_mar");
  const auto again = driver_->create(op(), spec(1));
  ASSERT_OK(again);
  EXPECT_TRUE(again->marker.has_value());
}

TEST_F(NfsDriverTest, WhatIsNotOursIsLeftAlone) {
  ASSERT_OK(driver_->create(op(), spec(99)));  // the directories stand
  // Somebody else's directory.
  fs::create_directories(home(1));
  ASSERT_EQ(::chown(home(1).c_str(), 4242, 4242), 0);
  EXPECT_ERRC(driver_->create(op(), spec(1)), Errc::already_exists);
  EXPECT_EQ(attributes(home(1)).st_uid, 4242U);
  // Somebody else's files in a directory without marker.
  put(home(2) / "thesis.tex");
  ASSERT_EQ(::chown((home(2) / "thesis.tex").c_str(), 4242, 4242), 0);
  EXPECT_ERRC(driver_->create(op(), spec(2)), Errc::already_exists);
  EXPECT_EQ(attributes(home(2)).st_uid, 0U);
  // A file, and a link to a directory that must survive.
  put(home(3));
  EXPECT_ERRC(driver_->create(op(), spec(3)), Errc::already_exists);
  fs::create_directory(disk("target"));
  fs::create_directory_symlink(disk("target"), home(4));
  EXPECT_ERRC(driver_->create(op(), spec(4)), Errc::already_exists);
  EXPECT_EQ(attributes(disk("target")).st_uid, 0U);
  // A marker of another key.
  fs::create_directories(home(5));
  put(marker_file(5), marker_to_json({.key = key(6), .id = "1@1"}));
  EXPECT_ERRC(driver_->create(op(), spec(5)), Errc::already_exists);
  EXPECT_EQ(attributes(home(5)).st_uid, 0U);
  // A known id that is not what stands there.
  fs::create_directories(home(7));
  auto wanted = spec(7);
  wanted.known_id = "1@1";
  EXPECT_ERRC(driver_->create(op(), wanted), Errc::already_exists);
}

TEST_F(NfsDriverTest, ALostHomeIsNotReplacedByAnEmptyOne) {
  ASSERT_OK(driver_->create(op(), spec(1)));
  fs::remove_all(home(1));
  const auto again = driver_->create(op(), spec(1));
  EXPECT_ERRC(again, Errc::failed_precondition);
  EXPECT_FALSE(fs::exists(home(1)));
  EXPECT_NE(again.error().hint.find("empty"), std::string::npos);
}

TEST_F(NfsDriverTest, AnAdministrativeDirectoryOfAUserIsRefused) {
  fs::create_directory(disk(".homeport"));
  ASSERT_EQ(::chown(disk(".homeport").c_str(), 1001, 100), 0);
  EXPECT_ERRC(driver_->create(op(), spec(1)), Errc::failed_precondition);
  EXPECT_FALSE(fs::exists(home(1)));
  fs::remove(disk(".homeport"));
  fs::create_directory(disk("elsewhere"));
  fs::create_directory_symlink(disk("elsewhere"), disk(".homeport"));
  EXPECT_ERRC(driver_->create(op(), spec(1)), Errc::failed_precondition);
  EXPECT_TRUE(fs::is_empty(disk("elsewhere")));
}

TEST_F(NfsDriverTest, ADryRunChangesNothing) {
  CallLog calls;
  auto dry = op();
  dry.dry_run = true;
  dry.calls = &calls;
  const auto planned = driver_->create(dry, spec(1));
  ASSERT_OK(planned);
  EXPECT_EQ(planned->owner, (Owner{Uid{1001}, Gid{100}}));
  EXPECT_TRUE(fs::is_empty(disk()));
  const auto lines = calls.lines();
  EXPECT_TRUE(
      std::ranges::any_of(lines, [](const auto& l) { return l.starts_with("MKDIR /export/homes/homes/hp-h-"); }));
  EXPECT_TRUE(std::ranges::any_of(
      lines, [](const auto& l) { return l.starts_with("WRITE /export/homes/.homeport/markers/"); }));

  const auto made = driver_->create(op(), spec(1));
  ASSERT_OK(made);
  put(home(1) / "work.txt");
  const auto before = names_below(disk());
  ASSERT_OK(driver_->update(dry, made->ref, {.owner = Owner{Uid{5}, Gid{5}}}));
  ASSERT_OK(driver_->retire(dry, made->ref));
  EXPECT_EQ(names_below(disk()), before);
  EXPECT_EQ(attributes(home(1)).st_uid, 1001U);
  ASSERT_OK(driver_->retire(op(), made->ref));
  const auto retired = names_below(disk());
  ASSERT_OK(driver_->undelete(dry, made->ref));
  ASSERT_OK(driver_->purge(dry, made->ref, std::nullopt));
  EXPECT_EQ(names_below(disk()), retired);
  EXPECT_GT(calls.lines().size(), lines.size());
}

TEST_F(NfsDriverTest, RetireUndeletePurge) {
  const auto made = driver_->create(op(), spec(1));
  ASSERT_OK(made);
  put(home(1) / "deep/er/file");
  EXPECT_ERRC(driver_->purge(op(), made->ref, std::nullopt), Errc::failed_precondition);
  const auto retired = driver_->retire(op(), made->ref);
  ASSERT_OK(retired);
  EXPECT_EQ(retired->state, ObjectState::trashed);
  EXPECT_TRUE(retired->trashed_at.has_value());
  EXPECT_FALSE(fs::exists(home(1)));
  EXPECT_TRUE(fs::exists(trashed(1) / "deep/er/file"));
  ASSERT_OK(driver_->retire(op(), made->ref));
  EXPECT_ERRC(driver_->create(op(), spec(1)), Errc::failed_precondition);
  const auto found = driver_->find(op(), {.pool = "main", .id = made->ref.id});
  ASSERT_OK(found);
  ASSERT_TRUE(*found);
  EXPECT_EQ((*found)->state, ObjectState::trashed);
  ASSERT_OK(driver_->undelete(op(), made->ref));
  ASSERT_OK(driver_->undelete(op(), made->ref));
  EXPECT_TRUE(fs::exists(home(1) / "deep/er/file"));
  ASSERT_OK(driver_->retire(op(), made->ref));
  EXPECT_EQ(purge_all(made->ref), 1);
  EXPECT_FALSE(fs::exists(trashed(1)));
  EXPECT_FALSE(fs::exists(marker_file(1)));
  EXPECT_EQ(purge_all(made->ref), 1);
  EXPECT_ERRC(driver_->retire(op(), made->ref), Errc::not_found);
}

TEST_F(NfsDriverTest, UndeleteDoesNotReplaceWhatStandsThere) {
  const auto made = driver_->create(op(), spec(1));
  ASSERT_OK(made);
  ASSERT_OK(driver_->retire(op(), made->ref));
  fs::create_directory(home(1));
  EXPECT_ERRC(driver_->undelete(op(), made->ref), Errc::already_exists);
  EXPECT_TRUE(fs::exists(trashed(1)));
}

TEST_F(NfsDriverTest, NothingIsTouchedUnlessIdNameAndMarkerMatch) {
  const auto made = driver_->create(op(), spec(1));
  ASSERT_OK(made);
  const auto refused = [&](const ObjectRef& ref) {
    EXPECT_ERRC(driver_->retire(op(), ref), Errc::failed_precondition);
    EXPECT_ERRC(driver_->undelete(op(), ref), Errc::failed_precondition);
    EXPECT_ERRC(driver_->purge(op(), ref, std::nullopt), Errc::failed_precondition);
    EXPECT_ERRC(driver_->update(op(), ref, {.mode = 0711}), Errc::failed_precondition);
  };
  ObjectRef other_id = made->ref;
  other_id.id = "1@1";
  refused(other_id);
  ObjectRef other_key = made->ref;
  other_key.key = key(2);
  refused(other_key);
  const auto marker = marker_to_json(*made->marker);
  put(marker_file(1), marker_to_json({.key = key(2), .id = made->ref.id}));
  refused(made->ref);
  put(marker_file(1), marker_to_json({.key = key(1), .id = "1@1"}));
  refused(made->ref);
  fs::remove(marker_file(1));
  refused(made->ref);
  // The marker comes back by writing it.
  ASSERT_OK(driver_->update(op(), made->ref, {.marker = *made->marker}));
  ASSERT_OK(driver_->update(op(), made->ref, {.mode = 0711}));
  EXPECT_EQ(attributes(home(1)).st_mode & 07777U, 0711U);
  // Removed and made again behind our back: another directory of the same name.
  fs::rename(home(1), disk("kept"));
  fs::create_directory(home(1));
  refused(made->ref);
  EXPECT_TRUE(fs::exists(home(1)));
}

TEST_F(NfsDriverTest, ImportedOnesAreNeverMovedOrRemoved) {
  put(disk("old/alice/work.txt"));
  ASSERT_EQ(::chown(disk("old/alice").c_str(), 1001, 100), 0);
  const auto path = AbsolutePath::parse("/export/homes/old/alice");
  ASSERT_OK(path);
  const auto found = driver_->find(op(), {.pool = "main", .path = *path, .key = key(3)});
  ASSERT_OK(found);
  ASSERT_TRUE(*found);
  const ObjectRef ref = (*found)->ref;
  EXPECT_TRUE(ref.imported);
  EXPECT_EQ((*found)->owner, (Owner{Uid{1001}, Gid{100}}));
  EXPECT_ERRC(driver_->retire(op(), ref), Errc::failed_precondition);
  EXPECT_ERRC(driver_->purge(op(), ref, std::nullopt), Errc::failed_precondition);
  ASSERT_OK(
      driver_->update(op(), ref, {.marker = Marker{.key = key(3), .id = {}, .imported = true, .path = path->str()}}));
  EXPECT_TRUE(fs::exists(marker_file(3)));
  // Known by its marker from now on.
  std::vector<Object> all;
  std::optional<Cursor> cursor;
  do {
    auto next = driver_->scan(op(), {.pool = "main"}, cursor, all);
    ASSERT_OK(next);
    cursor = *next;
  } while (cursor);
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0].ref.id, ref.id);
  EXPECT_EQ(all[0].path, path->str());
  const auto source = driver_->mount_source(op(), ref, {});
  ASSERT_OK(source);
  EXPECT_EQ(std::get<NfsSource>(*source).path, path->str());
  // A link on the way is not followed.
  fs::create_directory_symlink(disk("old"), disk("link"));
  EXPECT_ERRC(driver_->find(op(), {.pool = "main", .path = *AbsolutePath::parse("/export/homes/link/alice")}),
              Errc::failed_precondition);
}

TEST_F(NfsDriverTest, OnlyADirectoryIsImported) {
  put(disk("sets/cifar/data.bin"));
  put(disk("sets/readme.txt"));
  fs::create_directory_symlink(disk("sets/cifar"), disk("sets/latest"));
  const auto refused = [&](const std::string& path, const std::string& what) {
    const auto at = AbsolutePath::parse(path);
    ASSERT_OK(at);
    const auto found = driver_->find(op(), {.pool = "main", .path = *at, .key = key(3)});
    ASSERT_ERRC(found, Errc::failed_precondition);
    EXPECT_NE(found.error().message.find(path + " is " + what), std::string::npos) << found.error().to_string();
    EXPECT_FALSE(found.error().hint.empty());
    const auto inspected = find<ExportDiscovery>(*driver_)->inspect(op(), *at);
    ASSERT_ERRC(inspected, Errc::failed_precondition);
    EXPECT_EQ(inspected.error().message, found.error().message);
  };
  refused("/export/homes/sets/readme.txt", "a file");
  refused("/export/homes/sets/latest", "a symbolic link");
  const auto found = driver_->find(op(), {.pool = "main", .path = *AbsolutePath::parse("/export/homes/sets/cifar")});
  ASSERT_OK(found);
  EXPECT_TRUE(found->has_value());
}

TEST_F(NfsDriverTest, PurgeFollowsNoLinkAndTakesAnyName) {
  const auto made = driver_->create(op(), spec(1));
  ASSERT_OK(made);
  put(disk("outside/precious"));
  fs::create_directory_symlink(disk("outside"), home(1) / "link-to-directory");
  fs::create_symlink(disk("outside/precious"), home(1) / "link-to-file");
  fs::create_hard_link(disk("outside/precious"), home(1) / "second-name");
  put(home(1) / "new\nline" / "\x01\x02");
  put(home(1) / "not\xff\xfeutf8");
  put(home(1) / " " / "..." / "-rf");
  put(home(1) / std::string(255, 'x'));
  fs::create_directories(home(1) / "closed");
  fs::permissions(home(1) / "closed", fs::perms::none);
  const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string socket_path = (home(1) / "s").string();
  ASSERT_LT(socket_path.size(), sizeof address.sun_path);
  std::copy(socket_path.begin(), socket_path.end(), address.sun_path);
  ASSERT_EQ(::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  ::close(fd);
  ASSERT_OK(driver_->retire(op(), made->ref));
  EXPECT_EQ(purge_all(made->ref), 1);
  EXPECT_FALSE(fs::exists(trashed(1)));
  EXPECT_TRUE(fs::exists(disk("outside/precious")));
}

TEST_F(NfsDriverTest, PurgeGoesOnWhereItStopped) {
  const auto made = driver_->create(op(), spec(1));
  ASSERT_OK(made);
  for (int i = 0; i < 5000; ++i) put(home(1) / ("d" + std::to_string(i % 50)) / std::to_string(i), "");
  ASSERT_OK(driver_->retire(op(), made->ref));
  const auto first = driver_->purge(op(), made->ref, std::nullopt);
  ASSERT_OK(first);
  ASSERT_TRUE(first->next);
  EXPECT_TRUE(fs::exists(trashed(1)));
  // As after a crash: another driver, no cursor.
  driver_ = make(section());
  EXPECT_LT(first->removed, 5000U);
  EXPECT_GE(purge_all(made->ref), 1);
  EXPECT_FALSE(fs::exists(trashed(1)));
  EXPECT_FALSE(fs::exists(marker_file(1)));
}

TEST_F(NfsDriverTest, ATreeListsThousandsWithTheirAttributes) {
  const auto made = driver_->create(op(), spec(1));
  ASSERT_OK(made);
  for (int i = 0; i < 5000; ++i) put(home(1) / ("file-" + std::to_string(i)), "four");
  auto* access = find<TreeAccess>(*driver_);
  ASSERT_NE(access, nullptr);
  auto tree = access->open_tree(op(), made->ref, {});
  ASSERT_OK(tree);
  std::set<std::string> names;
  std::optional<Cursor> cursor;
  int pages = 0;
  do {
    const std::vector<ListRequest> requests{{.directory = (*tree)->root().node, .from = cursor}};
    auto listed = (*tree)->list(op(), requests);
    ASSERT_OK(listed.front());
    for (const auto& entry : listed.front()->entries) {
      EXPECT_EQ(entry.attributes.size, 4U);
      EXPECT_FALSE(entry.node.handle.empty());
      names.insert(entry.name);
    }
    cursor = listed.front()->next;
    ++pages;
  } while (cursor);
  EXPECT_EQ(names.size(), 5000U);
  EXPECT_GT(pages, 1);
  const std::vector<ListRequest> bad{{.directory = (*tree)->root().node, .from = "nonsense"}};
  EXPECT_ERRC((*tree)->list(op(), bad).front(), Errc::invalid_argument);
}

TEST_F(NfsDriverTest, ATreeReadsAndWrites) {
  const auto made = driver_->create(op(), spec(1));
  ASSERT_OK(made);
  auto tree = find<TreeAccess>(*driver_)->open_tree(op(), made->ref, {});
  ASSERT_OK(tree);
  const Node root = (*tree)->root().node;
  const auto dir = (*tree)->make_directory(op(), root, "sub", {.owner = Owner{Uid{1001}, Gid{100}}, .mode = 0750});
  ASSERT_OK(dir);
  const auto file = (*tree)->make_file(op(), dir->node, "data", {.mode = 0640});
  ASSERT_OK(file);
  EXPECT_ERRC((*tree)->make_file(op(), dir->node, "data", {}), Errc::already_exists);
  std::vector<std::byte> data(3'000'000);
  for (std::size_t i = 0; i < data.size(); ++i) data[i] = static_cast<std::byte>(i * 7 + i / 1000);
  ASSERT_OK((*tree)->write(op(), file->node, 0, data));
  std::vector<std::byte> back(data.size());
  std::size_t got = 0;
  while (got < back.size()) {
    auto read = (*tree)->read(op(), file->node, got, std::span(back).subspan(got));
    ASSERT_OK(read);
    ASSERT_GT(*read, 0U);
    got += *read;
  }
  EXPECT_EQ(back, data);
  std::vector<std::byte> one(1);
  const auto end = (*tree)->read(op(), file->node, data.size(), one);
  ASSERT_OK(end);
  EXPECT_EQ(*end, 0U);
  const auto link = (*tree)->make_link(op(), root, "link", "sub/data", Owner{Uid{1001}, Gid{100}});
  ASSERT_OK(link);
  EXPECT_EQ(link->attributes.type, EntryType::symlink);
  const auto target = (*tree)->read_link(op(), link->node);
  ASSERT_OK(target);
  EXPECT_EQ(*target, "sub/data");
  ASSERT_OK((*tree)->rename(op(), dir->node, "data", root, "moved"));
  EXPECT_TRUE(fs::exists(home(1) / "moved"));
  for (const std::string_view bad : {"", ".", "..", "a/b"})
    EXPECT_ERRC((*tree)->lookup(op(), root, bad), Errc::invalid_argument);
  const std::vector<Tree::Removal> removals{{.directory = root, .name = "moved"},
                                            {.directory = root, .name = "not there"}};
  for (const auto& removed : (*tree)->remove(op(), removals)) EXPECT_OK(removed);
  auto reading = find<TreeAccess>(*driver_)->open_path(op(), *AbsolutePath::parse("/export/homes/homes"));
  ASSERT_OK(reading);
  EXPECT_ERRC((*reading)->make_directory(op(), (*reading)->root().node, "x", {}), Errc::failed_precondition);
}

TEST_F(NfsDriverTest, ScanPagesOverEveryHomeAndTheTrash) {
  constexpr std::uint64_t kHomes = 700;
  for (std::uint64_t i = 1; i <= kHomes; ++i) ASSERT_OK(driver_->create(op(), spec(i)));
  fs::create_directory(disk("homes/not-ours"));
  const auto one = driver_->find(op(), {.pool = "main", .name = "hp-" + key(3).str()});
  ASSERT_OK(one);
  ASSERT_TRUE(*one);
  ASSERT_OK(driver_->retire(op(), (*one)->ref));
  for (const auto state : {ObjectState::live, ObjectState::trashed}) {
    std::set<std::string> keys;
    std::optional<Cursor> cursor;
    do {
      std::vector<Object> page;
      auto next = driver_->scan(op(), {.pool = "main", .state = state}, cursor, page);
      ASSERT_OK(next);
      for (const auto& object : page) {
        EXPECT_EQ(object.state, state);
        EXPECT_TRUE(object.marker.has_value());
        keys.insert(object.ref.key.str());
      }
      cursor = *next;
    } while (cursor);
    EXPECT_EQ(keys.size(), state == ObjectState::live ? kHomes - 1 : 1);
  }
  std::vector<Object> page;
  EXPECT_ERRC(driver_->scan(op(), {.pool = "main"}, "bad cursor", page), Errc::invalid_argument);
  EXPECT_ERRC(driver_->scan(op(), {.pool = "main"}, "nonsense", page), Errc::invalid_argument);
  EXPECT_ERRC(driver_->scan(op(), {.pool = "main"}, "", page), Errc::invalid_argument);
  EXPECT_ERRC(driver_->purge(op(), (*one)->ref, "nonsense"), Errc::invalid_argument);
  EXPECT_ERRC(driver_->scan(op(), {.pool = "other"}, std::nullopt, page), Errc::not_found);
}

TEST_F(NfsDriverTest, ARenamedHomeIsFoundById) {
  const auto made = driver_->create(op(), spec(1));
  ASSERT_OK(made);
  fs::rename(home(1), disk("homes/alice-old"));
  const auto found = driver_->find(op(), {.pool = "main", .id = made->ref.id, .name = made->ref.name, .key = key(1)});
  ASSERT_OK(found);
  ASSERT_TRUE(*found);
  EXPECT_EQ((*found)->path, "/export/homes/homes/alice-old");
}

TEST_F(NfsDriverTest, QuotasAccessAndSnapshotsAreDeniedAsTheCapabilitiesSay) {
  const auto made = driver_->create(op(), spec(1));
  ASSERT_OK(made);
  EXPECT_ERRC(driver_->update(op(), made->ref, {.quota = std::optional(Bytes{1})}), Errc::unsupported);
  EXPECT_ERRC(driver_->set_access(op(), made->ref, {}), Errc::unsupported);
  EXPECT_ERRC(driver_->mount_source(op(), made->ref, {.snapshot = "s"}), Errc::unsupported);
  auto other = spec(2);
  other.layout = Layout::filesystem;
  EXPECT_ERRC(driver_->create(op(), other), Errc::unsupported);
  const auto& can = driver_->info()->layouts.at(Layout::directory);
  EXPECT_EQ(can.quota, QuotaClass::none);
  EXPECT_TRUE(can.ownership);
  EXPECT_FALSE(can.notes.empty());
}

TEST_F(NfsDriverTest, TheMountSourceIsTheClientsSide) {
  auto config = section();
  config["client"] = {{"server", "nas.example.org"}, {"version", "4.2"}, {"path_prefix", "/pseudo"}};
  const auto driver = make(config);
  const auto made = driver->create(op(), spec(1));
  ASSERT_OK(made);
  const auto source = driver->mount_source(op(), made->ref, {});
  ASSERT_OK(source);
  const auto& nfs = std::get<NfsSource>(*source);
  EXPECT_EQ(nfs.server, "nas.example.org");
  EXPECT_EQ(nfs.path, "/pseudo/export/homes/homes/hp-" + key(1).str());
  EXPECT_EQ(nfs.version, "4.2");
  EXPECT_FALSE(nfs.port.has_value());
  const auto three = driver_->mount_source(op(), made->ref, {.nfs_version = "3"});
  ASSERT_OK(three);
  EXPECT_EQ(std::get<NfsSource>(*three).port, server_->port());
  EXPECT_EQ(std::get<NfsSource>(*three).mount_port, server_->mount_port());
}

TEST_F(NfsDriverTest, TwoThreadsCreateSideBySide) {
  std::atomic<int> good{0};
  const auto work = [&](std::uint64_t first) {
    for (std::uint64_t i = 0; i < 8; ++i) {
      const auto own = driver_->create(op(), spec(first + i));
      const auto shared = driver_->create(op(), spec(100 + i));
      EXPECT_OK(own);
      EXPECT_OK(shared);
      if (own && shared) ++good;
    }
  };
  {
    const std::jthread a(work, 1);
    const std::jthread b(work, 50);
  }
  EXPECT_EQ(good, 16);
}

TEST_F(NfsDriverTest, PoolsTellTheFilesystemsSpace) {
  const auto pools = driver_->pools(op());
  ASSERT_OK(pools);
  ASSERT_EQ(pools->size(), 1U);
  EXPECT_TRUE(pools->front().writable);
  EXPECT_GT(pools->front().capacity->count(), pools->front().free->count());
}

}  // namespace
}  // namespace homeport::drivers::testing
