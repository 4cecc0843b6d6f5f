// Every record type, there and back, and what a damaged document does.
#include "tests/unit/store/store_fixture.h"

namespace homeport::store::testing {
namespace {

using nlohmann::json;

const std::string kHostile = std::string("a\0b", 3) + "\"\\\n\x1b☃'; DROP TABLE spaces; --\xff\xc0";
const WallTime kTime{std::chrono::milliseconds(1'795'000'000'123)};

template <class R>
std::string doc_of(const R& record) {
  return to_row(record).doc;
}

// Both ways, and the second document equals the first: nothing was lost.
template <class R>
void expect_round_trip(const R& record) {
  Row row = to_row(record);
  row.revision = 77;
  const auto back = from_row<R>(row);
  ASSERT_OK(back);
  EXPECT_EQ(doc_of(*back), row.doc);
  EXPECT_EQ(to_row(*back).index, row.index);
  EXPECT_EQ(to_row(*back).key, row.key);
  EXPECT_EQ(back->revision, 77U);
}

SpaceRecord full_space() {
  auto space = home("h-1", "u-1");
  space.name = kHostile;
  space.backend_id = kHostile;
  space.path = kHostile;
  space.imported = true;
  space.rights = Rights{.read = true, .snapshot = false, .resize = true, .destroy = false};
  space.klass = "gold";
  space.quota_bytes = std::numeric_limits<std::uint64_t>::max();
  space.uid = 4294967295U;
  space.source = R"({"nfs":{"server":"10.0.0.1"}})";
  space.usage = UsageRecord{.bytes = 5, .files = 6, .basis = "scan", .as_of = kTime};
  space.created_at = kTime;
  space.retired_at = kTime + std::chrono::hours(1);
  space.purge_after = kTime + std::chrono::hours(2);
  space.note = kHostile;
  return space;
}

OperationRecord full_operation() {
  auto op = operation("op-1", "h-1", OperationState::parked);
  op.plan = json{{"quota", 5}, {"list", {1, nullptr, "x"}}};
  op.steps = {StepRecord{.name = "create", .done = true, .at = kTime, .detail = kHostile}, StepRecord{.name = "ready"}};
  op.attempts = 3;
  op.next_try = kTime;
  op.failure = FailureRecord{.code = "unavailable", .message = kHostile, .hint = "wait"};
  op.progress_done = 7;
  op.progress_total = 9;
  op.calls = {"MKDIR /x", kHostile};
  op.created_at = kTime;
  op.finished_at = kTime;
  return op;
}

SnapshotRecord full_snapshot() {
  SnapshotRecord snapshot{.key = "sn-1", .space = "h-1", .backend = "filer", .pool = "homes", .name = kHostile};
  snapshot.backend_id = kHostile;
  snapshot.label = "before";
  snapshot.reason = kHostile;
  snapshot.taken_by = "t-1";
  snapshot.state = SnapshotState::ready;
  snapshot.asked_at = kTime;
  snapshot.taken_at = kTime;
  snapshot.holds = {SnapshotHold{.id = "1", .owner = kHostile, .reason = kHostile, .since = kTime, .expires = kTime},
                    SnapshotHold{.id = "2", .owner = "x"}};
  return snapshot;
}

TEST(RecordsTest, namesOfSnapshotsAreFreeAgainWhenTheyAreDeleted) {
  auto snapshot = full_snapshot();
  snapshot.name = "hp-1";
  auto index = to_row(snapshot).index;
  EXPECT_EQ(index[1], "space/h-1");
  EXPECT_EQ(index[2], "space/h-1/hp-1");
  EXPECT_EQ(index[3], "h-1/before");
  snapshot.of_pool = true;
  EXPECT_EQ(to_row(snapshot).index[2], "pool/filer/homes/hp-1") << "one of many spaces";
  snapshot.state = SnapshotState::deleted;
  snapshot.deleted_at = kTime;
  index = to_row(snapshot).index;
  EXPECT_EQ(index[2], "");
  EXPECT_EQ(index[3], "");
  EXPECT_EQ(index[4], format_time(kTime).substr(0, 10));
}

TEST(RecordsTest, everyTypeRoundTripsWithHostileText) {
  expect_round_trip(BackendRecord{.name = kHostile, .kind = "nfs", .section = json{{"a", {1, 2}}}, .paused = true});
  expect_round_trip(ClassRecord{.name = "c", .section = json{{"x", "☃"}}, .provenance = Provenance::config});
  expect_round_trip(GrantRecord{.space = "d-1", .subject_kind = "everyone", .provenance = Provenance::hand});
  expect_round_trip(RuleRecord{.name = "r", .position = 1ULL << 63U, .section = json::array()});
  expect_round_trip(GrantRecord{.space = "d-1", .subject_kind = "group", .subject = kHostile, .created_at = kTime});
  expect_round_trip(UserRecord{.key = "u-1", .realm = "default", .uid = 0, .gid = 4294967295U, .created_at = kTime});
  expect_round_trip(UserRecord{.key = "u-1", .realm = "default"});
  expect_round_trip(AliasRecord{.realm = "r", .name = kHostile, .user = "u-1"});
  expect_round_trip(full_space());
  expect_round_trip(home("h-1", "u-1"));
  expect_round_trip(full_snapshot());
  expect_round_trip(SnapshotRecord{.key = "sn-2", .space = "h-1", .backend = "b", .of_pool = true, .name = "n"});
  expect_round_trip(full_operation());
  expect_round_trip(operation("op-2", "", OperationState::succeeded));
  expect_round_trip(TokenRecord{.id = "t-1", .scope = "spawner", .hub = "hub", .hash = "ab", .expires_at = kTime});
  expect_round_trip(SessionRecord{.hub = "hub",
                                  .user = "u-1",
                                  .server = kHostile,
                                  .spec_id = "s",
                                  .digest = "d",
                                  .request = json{{"groups", {"a"}}},
                                  .spaces = {"h-1", "d-1"},
                                  .issued_at = kTime,
                                  .released_at = WallTime(std::chrono::milliseconds(-5))});
  expect_round_trip(AnswerRecord{.principal = "t-1",
                                 .idempotency_key = kHostile,
                                 .request_hash = "x",
                                 .status = 201,
                                 .body = kHostile,
                                 .created_at = kTime});
  expect_round_trip(CounterRecord{.name = "filer/2026-11-20/objects", .value = 5});
}

TEST(RecordsTest, valuesComeBackAsTheyWere) {
  const auto space = from_row<SpaceRecord>(to_row(full_space()));
  ASSERT_OK(space);
  EXPECT_EQ(space->note, kHostile);
  EXPECT_EQ(space->quota_bytes, std::numeric_limits<std::uint64_t>::max());
  EXPECT_FALSE(space->rights.destroy);
  EXPECT_EQ(space->usage->files, 6U);
  EXPECT_EQ(space->purge_after, kTime + std::chrono::hours(2));
  const auto op = from_row<OperationRecord>(to_row(full_operation()));
  ASSERT_OK(op);
  EXPECT_EQ(op->steps.at(0).detail, kHostile);
  EXPECT_EQ(op->failure->message, kHostile);
  EXPECT_EQ(op->state, OperationState::parked);
  const auto user = from_row<UserRecord>(to_row(UserRecord{.key = "u-1", .realm = "r", .uid = 0}));
  ASSERT_OK(user);
  EXPECT_EQ(user->uid, 0U);
  EXPECT_FALSE(user->gid) << "0 and not set differ";
}

TEST(RecordsTest, anUnknownMemberIsReadOver) {
  Row row = to_row(counter("n", 5));
  row.doc = R"({"name":"n","value":5,"of_a_newer_homeport":[1]})";
  const auto read = from_row<CounterRecord>(row);
  ASSERT_OK(read);
  EXPECT_EQ(read->value, 5U);
}

struct DamagedCase {
  std::string name;
  std::string doc;
  std::string words;
  friend void PrintTo(const DamagedCase& c, std::ostream* out) { *out << c.name; }
};
class DamagedTest : public ::testing::TestWithParam<DamagedCase> {};

TEST_P(DamagedTest, isInternalAndSaysWhere) {
  const auto read = from_row<CounterRecord>(Row{.key = "n", .revision = 1, .doc = GetParam().doc});
  ASSERT_ERRC(read, Errc::internal);
  EXPECT_NE(read.error().message.find("counters row 'n' is damaged"), std::string::npos) << read.error().message;
  EXPECT_NE(read.error().message.find(GetParam().words), std::string::npos) << read.error().message;
}
INSTANTIATE_TEST_SUITE_P(Table, DamagedTest,
                         ::testing::Values(DamagedCase{"noJson", "{\"name\":", "not a JSON object"},
                                           DamagedCase{"noObject", "[]", "not a JSON object"},
                                           DamagedCase{"missing", R"({"name":"n"})", "'value' is missing"},
                                           DamagedCase{"wrongType", R"({"name":"n","value":"5"})", "'value' is wrong"},
                                           DamagedCase{"negative", R"({"name":"n","value":-5})", "'value' is wrong"},
                                           DamagedCase{"fraction", R"({"name":"n","value":5.5})", "'value' is wrong"},
                                           DamagedCase{"badHex", R"({"name":{"hex":"0g"},"value":5})",
                                                       "'name' is wrong"},
                                           DamagedCase{"anotherKey", R"({"name":"m","value":5})", "another key"}),
                         [](const auto& c) { return c.param.name; });

TEST(RecordsTest, unknownEnumWordsAndSmallNumbersAreWrong) {
  Row row = to_row(home("h-1", "u-1"));
  auto doc = json::parse(row.doc);
  doc["state"] = "melted";
  row.doc = doc.dump();
  EXPECT_ERRC(from_row<SpaceRecord>(row), Errc::internal);
  doc["state"] = "ready";
  doc["uid"] = 4294967296ULL;
  row.doc = doc.dump();
  EXPECT_ERRC(from_row<SpaceRecord>(row), Errc::internal);
}

TEST(RecordsTest, oneDamagedRowDoesNotHideTheOthers) {
  FakeClock clock;
  const auto store = make_memory_store(clock);
  ASSERT_OK(store->acquire_lease("one", kLeaseLength));
  ASSERT_OK(put_counter(*store, "a", 1));
  ASSERT_OK(put_counter(*store, "c", 3));
  ASSERT_OK(store->write("test.damage", [](WriteTransaction& tx) -> Result<void> {
    HOMEPORT_TRY([[maybe_unused]] const auto revision,
                 tx.put(Table::counters, Row{.key = "b", .doc = "?"}, Expect::any()));
    return {};
  }));
  std::vector<DamagedRow> damaged;
  std::vector<CounterRecord> sound;
  ASSERT_OK(store->read([&](ReadTransaction& tx) -> Result<void> {
    HOMEPORT_TRY(sound, list<CounterRecord>(tx, {}, damaged));
    EXPECT_ERRC(list<CounterRecord>(tx), Errc::internal);
    return {};
  }));
  ASSERT_EQ(sound.size(), 2U);
  EXPECT_EQ(sound[1].value, 3U);
  ASSERT_EQ(damaged.size(), 1U);
  EXPECT_EQ(damaged[0].key, "b");
}

struct LabelCase {
  std::string name;
  SpaceKind kind;
  SpaceState state;
  std::string label;
  friend void PrintTo(const LabelCase& c, std::ostream* out) { *out << c.name; }
};
class LabelTest : public ::testing::TestWithParam<LabelCase> {};
TEST_P(LabelTest, isWhatTheTableSays) {
  auto space = home("x-1", "u-1");
  space.kind = GetParam().kind;
  space.state = GetParam().state;
  space.name = "n";
  EXPECT_EQ(space.label(), GetParam().label);
}
INSTANTIATE_TEST_SUITE_P(
    Table, LabelTest,
    ::testing::Values(LabelCase{"home", SpaceKind::home, SpaceState::creating, "home/default/u-1/n"},
                      LabelCase{"scratch", SpaceKind::scratch, SpaceState::ready, "scratch/default/u-1/n"},
                      LabelCase{"dataset", SpaceKind::dataset, SpaceState::ready, "dataset/n"},
                      LabelCase{"group", SpaceKind::group, SpaceState::retired, "group/n"},
                      LabelCase{"purging", SpaceKind::home, SpaceState::purging, "home/default/u-1/n"},
                      LabelCase{"purged", SpaceKind::home, SpaceState::purged, ""},
                      LabelCase{"failed", SpaceKind::dataset, SpaceState::failed, ""},
                      LabelCase{"released", SpaceKind::group, SpaceState::released, ""}),
    [](const auto& c) { return c.param.name; });

TEST(RecordsTest, stateNamesGoBothWays) {
  for (int i = 1; i <= 9; ++i) {
    const auto state = static_cast<SpaceState>(i);
    EXPECT_EQ(space_state_from_name(space_state_name(state)), state);
  }
  for (int i = 1; i <= 6; ++i) {
    const auto state = static_cast<OperationState>(i);
    EXPECT_EQ(operation_state_from_name(operation_state_name(state)), state);
    EXPECT_EQ(is_open(state), i <= 3);
  }
  EXPECT_FALSE(space_state_from_name("unknown"));
  EXPECT_FALSE(operation_state_from_name(""));
}

}  // namespace
}  // namespace homeport::store::testing
