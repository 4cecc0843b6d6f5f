// Objects change and go: update, access, retire, undelete, purge; proofs, dry runs, deadlines.
#include <algorithm>
#include <functional>

#include "tests/conformance/driver_suite.h"

namespace homeport::conformance {

using namespace drivers;
using namespace homeport::literals;

namespace {

struct ChangingCall {
  std::string name;
  std::function<Result<void>(StorageDriver&, const OpContext&, const ObjectRef&)> run;
};

template <class T>
Result<void> outcome(const Result<T>& result) {
  if (result) return {};
  return result.error();
}

// Every method that changes an object named by a ref.
std::vector<ChangingCall> changing_calls(const Capabilities& can) {
  std::vector<ChangingCall> calls{
      {"update", [](auto& d, const auto& op, const auto& ref) { return outcome(d.update(op, ref, {.mode = 0705})); }},
      {"retire", [](auto& d, const auto& op, const auto& ref) { return outcome(d.retire(op, ref)); }},
      {"undelete", [](auto& d, const auto& op, const auto& ref) { return outcome(d.undelete(op, ref)); }},
      {"purge", [](auto& d, const auto& op, const auto& ref) { return outcome(d.purge(op, ref, std::nullopt)); }}};
  if (can.access_rules) {
    calls.push_back({"set_access", [](auto& d, const auto& op, const auto& ref) {
                       return d.set_access(op, ref, AccessPolicy{.rules = {{.client = "10.9.0.0/16"}}});
                     }});
  }
  return calls;
}

}  // namespace

TEST_P(DriverConformance, RefThatDoesNotMatchChangesNothing) {
  const auto live = make();
  const auto other = make();
  const auto trashed = make();
  ASSERT_OK(driver().retire(op(), trashed.ref));
  for (const auto& target : {live, trashed}) {
    const auto before = look(by_id(target.ref));
    ASSERT_TRUE(before.has_value());
    for (const std::string wrong : {"id", "idOfAnother", "name", "key"}) {
      auto ref = target.ref;
      if (wrong == "id") ref.id += "0";
      if (wrong == "idOfAnother") ref.id = other.ref.id;
      if (wrong == "name") ref.name = other.ref.name;
      if (wrong == "key") ref.key = fresh_key();
      for (const auto& call : changing_calls(can())) {
        EXPECT_ERRC(call.run(driver(), op(), ref), Errc::failed_precondition) << call.name << " with wrong " << wrong;
      }
    }
    const auto after = look(by_id(target.ref));
    ASSERT_TRUE(after.has_value());
    expect_same(*before, *after);
  }
  const auto bystander = look(by_id(other.ref));
  ASSERT_TRUE(bystander.has_value());
  expect_same(other, *bystander);
}

TEST_P(DriverConformance, UpdateChangesWhatItNamesAndNothingElse) {
  const auto made = make();
  const auto changed = driver().update(op(), made.ref, {.mode = 0705});
  ASSERT_OK(changed);
  EXPECT_EQ(changed->mode, 0705U);
  EXPECT_EQ(changed->owner, made.owner);
  EXPECT_EQ(changed->marker, made.marker);
  const auto read = look(by_id(made.ref));
  ASSERT_TRUE(read.has_value());
  expect_same(*changed, *read);
}

TEST_P(DriverConformance, OwnerIsChosenWhereTheCapabilitySaysSo) {
  const auto made = make();
  const Owner other{Uid{GetParam().owner.uid.value + 7}, Gid{GetParam().owner.gid.value + 7}};
  const auto changed = driver().update(op(), made.ref, {.owner = other});
  if (can().ownership) {
    ASSERT_OK(changed);
    EXPECT_EQ(changed->owner, other);
  } else {
    EXPECT_FALSE(changed.has_value());
    EXPECT_EQ(look(by_id(made.ref))->owner, GetParam().owner);
  }
}

TEST_P(DriverConformance, MarkerIsReadBackAndUpdated) {
  const auto made = make();
  Marker marker = *made.marker;
  marker.aliases = {"default/alice", "default/Äpfel \"quoted\"\n"};
  marker.grants = {"group:course-a"};
  marker.quota = 5_GiB;
  const auto changed = driver().update(op(), made.ref, {.marker = marker});
  ASSERT_OK(changed);
  EXPECT_EQ(changed->marker, marker);
  ASSERT_OK(driver().retire(op(), made.ref));
  const auto trashed = look(by_id(made.ref));
  ASSERT_TRUE(trashed.has_value());
  EXPECT_EQ(trashed->marker, marker);
  ASSERT_OK(driver().undelete(op(), made.ref));
  auto stolen = marker;
  stolen.key = fresh_key();
  EXPECT_FALSE(driver().update(op(), made.ref, {.marker = stolen}).has_value());
  EXPECT_EQ(look(by_id(made.ref))->marker, marker);
}

TEST_P(DriverConformance, QuotaDoesWhatTheCapabilitySays) {
  auto spec = fresh_spec();
  if (can().quota == QuotaClass::none) {
    const auto made = make(spec);
    EXPECT_ERRC(driver().update(op(), made.ref, {.quota = 1_GiB}), Errc::unsupported);
    return;
  }
  spec.quota = 1_MiB;
  const auto made = make(spec);
  if (can().quota == QuotaClass::measured) return;  // what is recorded is the marker's; nobody enforces it
  ASSERT_TRUE(made.quota.has_value());
  EXPECT_GE(made.quota->count(), (1_MiB).count());
  EXPECT_LT(made.quota->count(), (1_MiB).count() + can().quota_granularity.count());
  const auto grown = driver().update(op(), made.ref, {.quota = 2_MiB});
  ASSERT_OK(grown);
  EXPECT_GE(grown->quota->count(), (2_MiB).count());
  const auto lifted = driver().update(op(), made.ref, {.quota = std::optional<Bytes>{}});
  ASSERT_OK(lifted);
  EXPECT_FALSE(lifted->quota.has_value());
  EXPECT_FALSE(look(by_id(made.ref))->quota.has_value());
}

TEST_P(DriverConformance, HardQuotaRefusesWritesAndIsNotShrunkBelowUsage) {
  if (can().quota != QuotaClass::hard || !has_trees()) return;
  if (!GetParam().quota_is_kept) GTEST_SKIP() << "nothing here counts what is written";
  auto spec = fresh_spec();
  spec.quota = 1_MiB;
  const auto made = make(spec);
  const auto tree = tree_of(made.ref);
  ASSERT_TRUE(tree);
  const auto file = put(*tree, tree->root().node, "fills", "");
  ASSERT_OK(file);
  const std::string chunk(64 * 1024, 'x');
  Result<void> written;
  std::uint64_t at = 0;
  for (; at < (4_MiB).count() && written; at += chunk.size())
    written = tree->write(op(), file->node, at, bytes_of(chunk));
  EXPECT_ERRC(written, Errc::over_quota);
  EXPECT_LE(at, (2_MiB).count());
  EXPECT_ERRC(driver().update(op(), made.ref, {.quota = 64_KiB}), Errc::over_quota);
  EXPECT_EQ(look(by_id(made.ref))->quota, made.quota);
  const auto forced = driver().update(op(), made.ref, {.quota = 64_KiB, .force = true});
  ASSERT_OK(forced);
  EXPECT_LE(forced->quota->count(), (64_KiB).count() + can().quota_granularity.count());
  ASSERT_OK(driver().update(op(), made.ref, {.quota = 8_MiB}));
  EXPECT_OK(tree->write(op(), file->node, at, bytes_of(chunk)));
}

TEST_P(DriverConformance, AccessRulesDoWhatTheCapabilitySays) {
  const auto made = make();
  const AccessPolicy policy{
      .rules = {{.client = "10.0.0.0/8", .permission = Permission::rw}, {.client = "192.168.0.0/16"}}};
  const auto set = driver().set_access(op(), made.ref, policy);
  if (!can().access_rules) {
    EXPECT_ERRC(set, Errc::unsupported);
    return;
  }
  ASSERT_OK(set);
  EXPECT_OK(driver().set_access(op(), made.ref, policy));
  const auto found = look(by_id(made.ref));
  ASSERT_TRUE(found && found->access);
  ASSERT_EQ(found->access->rules.size(), 2U);
  EXPECT_EQ(found->access->rules[0].client, "10.0.0.0/8");
  EXPECT_EQ(found->access->rules[0].permission, Permission::rw);
}

TEST_P(DriverConformance, RetireAndUndeleteAreIdempotentAndKeepTheData) {
  const auto made = make();
  if (has_trees()) {
    ASSERT_OK(put_in(made.ref, "thesis.txt", "all my work"));
  }
  for (int i = 0; i < 2; ++i) {
    const auto retired = driver().retire(op(), made.ref);
    ASSERT_OK(retired);
    EXPECT_EQ(retired->state, ObjectState::trashed);
    EXPECT_EQ(retired->ref.id, made.ref.id);
  }
  const auto found = look(by_id(made.ref));
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->state, ObjectState::trashed);
  EXPECT_NE(found->path, made.path);
  EXPECT_FALSE(driver().create(op(), spec_of(made.ref.key)).has_value())
      << "an empty one must not hide the trashed one";
  for (int i = 0; i < 2; ++i) {
    const auto back = driver().undelete(op(), made.ref);
    ASSERT_OK(back);
    expect_same(made, *back);
  }
  if (has_trees()) {
    EXPECT_EQ(text_in(made.ref, "thesis.txt"), "all my work");
  }
}

TEST_P(DriverConformance, PurgeRefusesTheLiveAndForgivesTheAbsent) {
  const auto made = make();
  EXPECT_ERRC(driver().purge(op(), made.ref, std::nullopt), Errc::failed_precondition);
  EXPECT_TRUE(look(by_id(made.ref)).has_value());
  ASSERT_OK(driver().retire(op(), made.ref));
  purge_all(made.ref);
  EXPECT_FALSE(look(by_id(made.ref)).has_value());
  EXPECT_FALSE(look(by_name(made.ref.name)).has_value());
  const auto again = driver().purge(op(), made.ref, std::nullopt);
  ASSERT_OK(again);
  EXPECT_FALSE(again->next.has_value());
  EXPECT_FALSE(driver().undelete(op(), made.ref).has_value());
  // The same key may be made anew, and is another object.
  const auto anew = make(spec_of(made.ref.key));
  EXPECT_EQ(anew.state, ObjectState::live);
  if (!GetParam().ids_may_return) {
    EXPECT_NE(anew.ref.id, made.ref.id);
  }
}

TEST_P(DriverConformance, PurgeResumesAndNeverFollowsLinks) {
  if (!has_trees()) return;
  const auto neighbour = make();
  ASSERT_OK(put_in(neighbour.ref, "precious", "keep me"));
  const auto made = make();
  const auto tree = tree_of(made.ref);
  ASSERT_TRUE(tree);
  const auto root = tree->root().node;
  ASSERT_OK(tree->make_link(op(), root, "out", "../" + neighbour.ref.name, GetParam().owner));
  ASSERT_OK(tree->make_link(op(), root, "abs", neighbour.path, GetParam().owner));
  Node deep = root;
  for (int level = 0; level < 5; ++level) {
    const auto next = tree->make_directory(op(), deep, "level" + std::to_string(level), {.mode = 0700});
    ASSERT_OK(next);
    for (int i = 0; i < 20; ++i) ASSERT_OK(put(*tree, next->node, "f" + std::to_string(i), "x"));
    deep = next->node;
  }
  ASSERT_OK(tree->make_link(op(), deep, "loop", "..", GetParam().owner));
  // People lock their own directories, also against an administrator who is squashed to their uid.
  ASSERT_OK(tree->set_attributes(op(), deep, {.mode = 0500}));
  ASSERT_OK(driver().retire(op(), made.ref));
  auto step = driver().purge(op(), made.ref, std::nullopt);
  ASSERT_OK(step);
  const bool more = step->next.has_value();
  // What was begun can be taken up with the cursor, or without it after a crash.
  if (more) {
    EXPECT_OK(driver().purge(op(), made.ref, step->next));
  }
  purge_all(made.ref);
  EXPECT_FALSE(look(by_id(made.ref)).has_value());
  EXPECT_EQ(text_in(neighbour.ref, "precious"), "keep me");
}

TEST_P(DriverConformance, MountSourceIsWhatAClientCanMount) {
  const auto made = make();
  const auto source = driver().mount_source(op(), made.ref, {});
  ASSERT_OK(source);
  if (const auto* nfs = std::get_if<NfsSource>(&*source)) {
    EXPECT_FALSE(nfs->server.empty());
    EXPECT_TRUE(nfs->path.ends_with("/" + made.ref.name)) << nfs->path;
    EXPECT_TRUE(AbsolutePath::parse(nfs->path).has_value());
    EXPECT_FALSE(nfs->fs_id.empty());
    EXPECT_TRUE(nfs->version.starts_with("3") || nfs->version.starts_with("4")) << nfs->version;
    EXPECT_EQ(driver().mount_source(op(), made.ref, {}).value(), *source);
  } else {
    EXPECT_TRUE(AbsolutePath::parse(std::get<LocalSource>(*source).path).has_value());
  }
}

TEST_P(DriverConformance, ProbeReportsAndLeavesNothingBehind) {
  make();
  const auto live = scan_all(ObjectState::live).size();
  const auto trashed = scan_all(ObjectState::trashed).size();
  const auto before = bench_.everything ? bench_.everything() : std::vector<std::string>{};
  for (int i = 0; i < 2; ++i) {
    const auto report = driver().probe(op());
    ASSERT_OK(report);
    EXPECT_TRUE(report->data_ok);
    EXPECT_TRUE(report->management_ok);
    EXPECT_FALSE(report->checks.empty());
    for (const auto& check : report->checks)
      EXPECT_NE(check.status, CheckStatus::failed) << check.name << ": " << check.detail;
  }
  EXPECT_EQ(scan_all(ObjectState::live).size(), live);
  EXPECT_EQ(scan_all(ObjectState::trashed).size(), trashed);
  if (bench_.everything) {
    EXPECT_EQ(bench_.everything(), before);
  }
}

TEST_P(DriverConformance, DryRunOfACreateChangesNothingAndSaysWhatItWouldSend) {
  make();  // what a first create sets up once for the whole backend is there
  const auto before = bench_.everything ? bench_.everything() : std::vector<std::string>{};
  const auto spec = fresh_spec();
  CallLog calls;
  const auto expected = driver().create(dry(&calls), spec);
  ASSERT_OK(expected);
  EXPECT_FALSE(calls.lines().empty());
  EXPECT_EQ(expected->ref.name, spec.name);
  EXPECT_FALSE(expected->ref.id.empty());
  EXPECT_FALSE(look(by_name(spec.name)).has_value());
  if (bench_.everything) {
    EXPECT_EQ(bench_.everything(), before);
  }
}

TEST_P(DriverConformance, DryRunOfEveryChangeChangesNothingAndSaysWhatItWouldSend) {
  const auto live = make();
  const auto trashed = make();
  ASSERT_OK(driver().retire(op(), trashed.ref));
  const auto trashed_before = look(by_id(trashed.ref));
  ASSERT_TRUE(trashed_before.has_value());
  for (const auto& call : changing_calls(can())) {
    const bool of_trash = call.name == "undelete" || call.name == "purge";
    CallLog calls;
    EXPECT_OK(call.run(driver(), dry(&calls), of_trash ? trashed.ref : live.ref)) << call.name;
    EXPECT_FALSE(calls.lines().empty()) << call.name;
  }
  Marker marker = *live.marker;
  marker.klass = "large";
  CallLog calls;
  const auto expected = driver().update(dry(&calls), live.ref, {.mode = 0711, .marker = marker});
  ASSERT_OK(expected);
  EXPECT_EQ(expected->mode, 0711U);
  const auto live_after = look(by_id(live.ref));
  const auto trashed_after = look(by_id(trashed.ref));
  ASSERT_TRUE(live_after && trashed_after);
  expect_same(live, *live_after);
  expect_same(*trashed_before, *trashed_after);
  // A dry run is refused for the same reasons as a real one.
  auto wrong = live.ref;
  wrong.id += "0";
  EXPECT_ERRC(driver().retire(dry(&calls), wrong), Errc::failed_precondition);
}

TEST_P(DriverConformance, ChangingCallsAreRecorded) {
  CallLog creating;
  const auto spec = fresh_spec();
  const auto made = driver().create(op(&creating), spec);
  ASSERT_OK(made);
  const auto lines = creating.lines();
  const bool named = std::any_of(lines.begin(), lines.end(), [&](const std::string& line) {
    return line.find(spec.key.str()) != std::string::npos;
  });
  EXPECT_TRUE(named);
  for (const auto& call : {changing_calls(can())[0], changing_calls(can())[1]}) {
    CallLog calls;
    ASSERT_OK(call.run(driver(), op(&calls), made->ref));
    EXPECT_FALSE(calls.lines().empty()) << call.name;
  }
}

namespace {

// Everything that talks to the backend.
std::vector<ChangingCall> all_calls(const DriverUnderTest& under, const CreateSpec& spec, const Capabilities& can) {
  auto calls = changing_calls(can);
  calls.push_back({"probe", [](auto& d, const auto& op, const auto&) { return outcome(d.probe(op)); }});
  calls.push_back({"pools", [](auto& d, const auto& op, const auto&) { return outcome(d.pools(op)); }});
  calls.push_back({"create", [spec](auto& d, const auto& op, const auto&) { return outcome(d.create(op, spec)); }});
  calls.push_back({"find", [&under](auto& d, const auto& op, const auto& ref) {
                     return outcome(d.find(op, {.layout = under.layout, .pool = under.pool, .name = ref.name}));
                   }});
  calls.push_back({"scan", [&under](auto& d, const auto& op, const auto&) {
                     std::vector<Object> page;
                     return outcome(d.scan(op, {.layout = under.layout, .pool = under.pool}, std::nullopt, page));
                   }});
  return calls;
}

}  // namespace

TEST_P(DriverConformance, SpentDeadlineIsTimedOutAtOnce) {
  const auto made = make();
  const auto spec = fresh_spec();
  auto spent = op();
  spent.deadline = clock_->mono() - std::chrono::milliseconds(1);
  for (const auto& call : all_calls(GetParam(), spec, can())) {
    EXPECT_ERRC(call.run(driver(), spent, made.ref), Errc::timed_out) << call.name;
  }
  EXPECT_FALSE(look(by_name(spec.name)).has_value());
  expect_same(made, *look(by_id(made.ref)));
}

TEST_P(DriverConformance, RequestedStopIsCancelled) {
  const auto made = make();
  const auto spec = fresh_spec();
  std::stop_source source;
  source.request_stop();
  auto stopped = op();
  stopped.stop = source.get_token();
  for (const auto& call : all_calls(GetParam(), spec, can())) {
    EXPECT_ERRC(call.run(driver(), stopped, made.ref), Errc::cancelled) << call.name;
  }
  EXPECT_FALSE(look(by_name(spec.name)).has_value());
  expect_same(made, *look(by_id(made.ref)));
}

}  // namespace homeport::conformance
