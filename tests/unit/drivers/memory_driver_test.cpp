// What is peculiar to the memory backend; what every driver must do is in tests/conformance.
#include "drivers/memory/memory_driver.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "provisioner/base/doc_reader.h"
#include "tests/unit/drivers/driver_fixtures.h"

namespace homeport::drivers {
namespace {

using ::homeport::testing::FakeClock;
using ::homeport::testing::key_number;
using ::homeport::testing::op_within;
using ::homeport::testing::spec_for;
using ::testing::HasSubstr;
using namespace std::chrono_literals;
using namespace homeport::literals;

struct MemoryDriverTest : ::testing::Test {
  FakeClock clock;
  OpContext op() { return op_within(clock, 60s); }

  Result<void> put(Tree& tree, const std::string& name, std::size_t bytes) {
    HOMEPORT_TRY(const auto file, tree.make_file(op(), tree.root().node, name, {}));
    const std::vector<std::byte> data(bytes, std::byte{'x'});
    return tree.write(op(), file.node, 0, data);
  }
};

TEST_F(MemoryDriverTest, PoolSnapshotsShowEachSpaceItsPart) {
  MemoryDriver driver({.snapshots = SnapshotOwner::pool}, clock);
  const auto a = driver.create(op(), spec_for(key_number(1)));
  const auto b = driver.create(op(), spec_for(key_number(2)));
  ASSERT_OK(a);
  ASSERT_OK(b);
  auto tree = driver.open_tree(op(), a->ref, {});
  ASSERT_OK(tree);
  ASSERT_OK(put(**tree, "of-a", 10));
  ASSERT_OK(driver.take_snapshot(op(), a->ref, "s1"));
  const auto late = driver.create(op(), spec_for(key_number(3)));
  ASSERT_OK(late);
  std::vector<Snapshot> of_b;
  ASSERT_OK(driver.list_snapshots(op(), b->ref, std::nullopt, of_b));
  ASSERT_EQ(of_b.size(), 1U);
  std::vector<Snapshot> of_late;
  ASSERT_OK(driver.list_snapshots(op(), late->ref, std::nullopt, of_late));
  EXPECT_TRUE(of_late.empty());
  EXPECT_ERRC(driver.delete_snapshot(op(), b->ref, of_b[0]), Errc::unsupported);
  auto view = driver.open_tree(op(), a->ref, {.snapshot = "s1"});
  ASSERT_OK(view);
  auto seen = (*view)->lookup(op(), (*view)->root().node, "of-a");
  ASSERT_OK(seen);
  EXPECT_TRUE(seen->has_value());
  // The pool itself may.
  const auto pool = driver.inspect(op(), AbsolutePath::parse("/homes").value());
  ASSERT_OK(pool);
  const ObjectRef itself{.pool = "homes", .key = key_number(0), .name = ".", .id = pool->id};
  EXPECT_ERRC(driver.retire(op(), itself), Errc::failed_precondition);
}

TEST_F(MemoryDriverTest, RestoreBringsBackAndKeepsTheId) {
  MemoryDriver driver({}, clock);
  const auto made = driver.create(op(), spec_for(key_number(1)));
  ASSERT_OK(made);
  auto tree = driver.open_tree(op(), made->ref, {});
  ASSERT_OK(tree);
  ASSERT_OK(put(**tree, "old", 5000));
  const auto snapshot = driver.take_snapshot(op(), made->ref, "s1");
  ASSERT_OK(snapshot);
  ASSERT_OK(put(**tree, "new", 9000));
  const auto restored = driver.overwrite_from_snapshot(op(), made->ref, *snapshot);
  ASSERT_OK(restored);
  EXPECT_EQ(restored->ref.id, made->ref.id);
  EXPECT_EQ(restored->usage->bytes, Bytes(8192));
  auto gone = (*tree)->lookup(op(), (*tree)->root().node, "new");
  ASSERT_OK(gone);
  EXPECT_FALSE(gone->has_value());
}

TEST_F(MemoryDriverTest, FullPoolIsOutOfCapacity) {
  MemoryDriver driver({.pools = {{.name = "homes", .capacity = 64_KiB, .max_objects = 2}}}, clock);
  const auto made = driver.create(op(), spec_for(key_number(1)));
  ASSERT_OK(made);
  auto tree = driver.open_tree(op(), made->ref, {});
  ASSERT_OK(tree);
  EXPECT_ERRC(put(**tree, "big", 70'000), Errc::out_of_capacity);
  ASSERT_OK(driver.create(op(), spec_for(key_number(2))));
  EXPECT_ERRC(driver.create(op(), spec_for(key_number(3))), Errc::out_of_capacity);
  EXPECT_EQ(driver.pools(op()).value()[0].objects_left, 0U);
}

TEST_F(MemoryDriverTest, PurgeGivesTheRoomBackAndNeverReusesAnId) {
  MemoryDriver driver({.purge_step = 2}, clock);
  const auto free_at_first = driver.pools(op()).value()[0].free;
  const auto made = driver.create(op(), spec_for(key_number(1)));
  ASSERT_OK(made);
  auto tree = driver.open_tree(op(), made->ref, {});
  ASSERT_OK(tree);
  for (const auto* name : {"a", "b", "c", "d", "e"}) ASSERT_OK(put(**tree, name, 5000));
  ASSERT_OK(driver.retire(op(), made->ref));
  EXPECT_ERRC(driver.purge(op(), made->ref, "nonsense"), Errc::invalid_argument);
  int steps = 0;
  std::optional<Cursor> at;
  do {
    auto step = driver.purge(op(), made->ref, at);
    ASSERT_OK(step);
    at = step->next;
    ++steps;
  } while (at);
  EXPECT_EQ(steps, 3);
  EXPECT_EQ(driver.pools(op()).value()[0].free, free_at_first);
  const auto again = driver.create(op(), spec_for(key_number(1)));
  ASSERT_OK(again);
  EXPECT_NE(again->ref.id, made->ref.id);
}

TEST_F(MemoryDriverTest, GoneObjectIsNotReplacedByAnEmptyOne) {
  MemoryDriver driver({}, clock);
  auto spec = spec_for(key_number(1));
  spec.known_id = "77";
  EXPECT_ERRC(driver.create(op(), spec), Errc::failed_precondition);
}

TEST_F(MemoryDriverTest, HardLinksCountOnceAndHolesCountNothing) {
  MemoryConfig config;
  config.exports = {{.path = "/data",
                     .files = {{.path = "sets/a", .content = std::string(5000, 'a')},
                               {.path = "sets/b", .kind = MemorySeed::Kind::hard_link, .content = "sets/a"},
                               {.path = "sets/hole", .size = 1_GiB}}}};
  MemoryDriver driver(std::move(config), clock);
  const auto found = driver.find(op(), {.pool = "/data", .path = AbsolutePath::parse("/data/sets").value()});
  ASSERT_OK(found);
  ASSERT_TRUE(found->has_value());
  EXPECT_TRUE((*found)->ref.imported);
  EXPECT_EQ((*found)->usage->bytes, Bytes(8192));
  EXPECT_EQ((*found)->usage->files, 3U);
}

TEST_F(MemoryDriverTest, ImportedPathIsMarkedButNeverMoved) {
  MemoryConfig config;
  config.exports = {{.path = "/data", .files = {{.path = "sets/a.txt", .content = "hello"}}}};
  MemoryDriver driver(std::move(config), clock);
  const auto key = SpaceKey::from_random(SpaceKind::dataset, 5);
  const auto found =
      driver.find(op(), {.pool = "/data", .path = AbsolutePath::parse("/data/sets").value(), .key = key});
  ASSERT_OK(found);
  const auto ref = (*found)->ref;
  ASSERT_OK(driver.update(op(), ref, {.marker = Marker{.key = key, .id = {}, .imported = true, .path = "/data/sets"}}));
  EXPECT_ERRC(driver.retire(op(), ref), Errc::failed_precondition);
  EXPECT_ERRC(driver.purge(op(), ref, std::nullopt), Errc::failed_precondition);
  EXPECT_ERRC(driver.update(op(), ref, {.mode = 0777}), Errc::failed_precondition);
  std::vector<Object> page;
  ASSERT_OK(driver.scan(op(), {.pool = "/data"}, std::nullopt, page));
  ASSERT_EQ(page.size(), 1U);
  EXPECT_EQ(page[0].marker->id, ref.id);
}

TEST_F(MemoryDriverTest, SessionsPoliciesAndReplicas) {
  MemoryDriver driver({.policies = {{.name = "daily", .kind = "snapshot"}}, .replica_target = "other-site"}, clock);
  const auto made = driver.create(op(), spec_for(key_number(1)));
  ASSERT_OK(made);
  driver.connect_client(made->ref.id, {.client = "10.0.0.7", .user = "alice"});
  EXPECT_EQ(driver.open_sessions(op(), made->ref).value().size(), 1U);
  ASSERT_OK(driver.attach(op(), made->ref, "daily"));
  ASSERT_OK(driver.attach(op(), made->ref, "daily"));
  EXPECT_EQ(driver.policies(op()).value()[0].members.size(), 1U);
  ASSERT_OK(driver.detach(op(), made->ref, "daily"));
  EXPECT_TRUE(driver.policies(op()).value()[0].members.empty());
  EXPECT_ERRC(driver.attach(op(), made->ref, "hourly"), Errc::not_found);
  EXPECT_EQ(driver.links(op(), made->ref).value()[0].target, "other-site");
}

struct ConfigCase {
  std::string name;
  std::string json;
  std::string problem;  // empty: accepted
  friend void PrintTo(const ConfigCase& c, std::ostream* out) { *out << c.name; }
};
class MemoryConfigTest : public ::testing::TestWithParam<ConfigCase> {};

TEST_P(MemoryConfigTest, IsReadStrictly) {
  const auto document = parse_json_document(GetParam().json, "test");
  ASSERT_OK(document);
  Problems problems(*document);
  auto in = DocReader::root(problems);
  (void)read_memory_config(in);
  in.finish();
  if (GetParam().problem.empty()) {
    EXPECT_TRUE(problems.none()) << problems.text();
  } else {
    EXPECT_THAT(problems.text(), HasSubstr(GetParam().problem));
  }
}

INSTANTIATE_TEST_SUITE_P(
    Table, MemoryConfigTest,
    ::testing::Values(
        ConfigCase{"empty", "{}", ""},
        ConfigCase{"full",
                   R"({"pools":[{"name":"a","layout":"filesystem","capacity":"1GiB","max_objects":5}],"quota":"none",
            "snapshots":"pool","clones":false,"access_rules":false,"ownership":false,
            "exports":[{"path":"/d","read_only":true,"clients":["10.0.0.0/8"],"files":[{"path":"x/y","content":"1","mode":"0600"},
            {"path":"l","symlink_to":"x"},{"path":"h","hard_link_to":"x/y"},{"path":"e","directory":true}]}],
            "policies":[{"name":"p","kind":"qos"}],"replica_target":"r"})",
                   ""},
        ConfigCase{"unknownMember", R"({"quotas":"hard"})", "quotas"},
        ConfigCase{"wrongQuota", R"({"quota":"soft"})", "quota"}, ConfigCase{"noPools", R"({"pools":[]})", "no pool"},
        ConfigCase{"twoOfOneName", R"({"pools":[{"name":"a"},{"name":"a"}]})", "two pools"},
        ConfigCase{"unknownInPool", R"({"pools":[{"name":"a","size":1}]})", "/pools/0/size"},
        ConfigCase{"pathClimbs", R"({"exports":[{"path":"/d","files":[{"path":"../x"}]}]})", "/exports/0/files/0/path"},
        ConfigCase{"twoKinds", R"({"exports":[{"path":"/d","files":[{"path":"x","content":"1","directory":true}]}]})",
                   "one of file"},
        ConfigCase{"modeNotOctal", R"({"exports":[{"path":"/d","files":[{"path":"x","mode":"0999"}]}]})", "octal"}),
    [](const auto& i) { return i.param.name; });

}  // namespace
}  // namespace homeport::drivers
