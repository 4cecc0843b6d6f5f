#include "tests/unit/core/snapshot_fixture.h"

#include "drivers/decorators/forwarding_driver.h"
#include "provisioner/core/space_work.h"

namespace homeport::testing {
namespace {

using drivers::Cloner;
using drivers::Snapshot;

// Forwards the powers, but for what the test planned.
class FaultyPowers final : public drivers::ForwardingDriver, public drivers::Snapshots, public Cloner {
 public:
  FaultyPowers(std::unique_ptr<StorageDriver> below, std::shared_ptr<PowerFaults> faults)
      : ForwardingDriver(std::move(below)), faults_(std::move(faults)) {}

  Result<Snapshot> take_snapshot(const OpContext& op, const drivers::ObjectRef& ref, const std::string& name) override {
    return meet([&] { return power<drivers::Snapshots>().take_snapshot(op, ref, name); });
  }
  Result<std::optional<drivers::Cursor>> list_snapshots(const OpContext& op, const drivers::ObjectRef& ref,
                                                        std::optional<drivers::Cursor> from,
                                                        std::vector<Snapshot>& page) override {
    return power<drivers::Snapshots>().list_snapshots(op, ref, std::move(from), page);
  }
  Result<void> delete_snapshot(const OpContext& op, const drivers::ObjectRef& ref, const Snapshot& snapshot) override {
    return meet([&] { return power<drivers::Snapshots>().delete_snapshot(op, ref, snapshot); });
  }
  Result<drivers::Object> clone(const OpContext& op, const drivers::ObjectRef& source,
                                const std::optional<std::string>& snapshot,
                                const drivers::CreateSpec& target) override {
    return meet([&] { return power<Cloner>().clone(op, source, snapshot, target); });
  }

 private:
  template <class T>
  T& power() {
    return *drivers::find<T>(below());
  }
  template <class Fn>
  std::invoke_result_t<Fn&> meet(Fn fn) {
    auto fault = faults_->next();
    if (fault && !fault->after) return std::move(fault->error);
    auto result = fn();
    if (fault) return std::move(fault->error);
    return result;
  }
  std::shared_ptr<PowerFaults> faults_;
};

}  // namespace

SnapshotsTest::SnapshotsTest() {
  factory_.around = [faults = faults_](std::unique_ptr<drivers::StorageDriver> driver) {
    return std::unique_ptr<drivers::StorageDriver>(std::make_unique<FaultyPowers>(std::move(driver), faults));
  };
}

std::string SnapshotsTest::with(const std::string& more) {
  auto text = standard();
  const std::string at = R"("kind":"memory",)";
  return text.insert(text.find(at) + at.size(), more);
}

core::Caller SnapshotsTest::self(const std::string& user_key) const {
  auto who = caller(policies::Scope::user_self, "main");
  who.principal.id = "self:" + user_key;
  who.principal.user_key = user_key;
  return who;
}

Result<store::SnapshotRecord> SnapshotsTest::ended(Result<core::SnapshotOutcome> outcome) {
  if (!outcome) return std::move(outcome).error();
  if (outcome->operation) {
    HOMEPORT_TRY(const auto op, wait(*outcome->operation));
    if (op.failure) {
      return Error{.code = errc_from_name(op.failure->code).value_or(Errc::internal),
                   .message = op.failure->message,
                   .hint = op.failure->hint};
    }
  }
  std::optional<store::SnapshotRecord> found;
  HOMEPORT_CHECK(store_->read([&](store::ReadTransaction& tx) -> Result<void> {
    HOMEPORT_TRY(found, store::get<store::SnapshotRecord>(tx, outcome->snapshot.key));
    return {};
  }));
  if (!found) return Error{.code = Errc::not_found, .message = "no record " + outcome->snapshot.key};
  return *found;
}

Result<store::SpaceRecord> SnapshotsTest::finished(Result<core::SpaceOutcome> outcome) {
  return settled(std::move(outcome));
}

Result<store::SnapshotRecord> SnapshotsTest::take(const std::string& space, const core::Snapshots::Take& request) {
  return ended(hp().snapshots().take(caller(), space, request));
}

Result<core::SnapshotList> SnapshotsTest::list(const std::string& space) {
  return blocking<core::SnapshotList>([&](auto done) { hp().snapshots().list(caller(), space, std::move(done)); });
}

Result<core::SnapshotInfo> SnapshotsTest::show(const std::string& name) {
  HOMEPORT_TRY(const auto wanted, hp().snapshots().parse("default", name));
  return blocking<core::SnapshotInfo>([&](auto done) { hp().snapshots().show(caller(), wanted, std::move(done)); });
}

Result<store::SnapshotRecord> SnapshotsTest::remove(const core::Caller& who, const std::string& name) {
  HOMEPORT_TRY(const auto wanted, hp().snapshots().parse("default", name));
  return ended(
      blocking<core::SnapshotOutcome>([&](auto done) { hp().snapshots().remove(who, wanted, std::move(done)); }));
}

Result<core::SnapshotInfo> SnapshotsTest::hold(const core::Caller& who, const std::string& name,
                                               const core::Snapshots::Hold& request) {
  HOMEPORT_TRY(const auto wanted, hp().snapshots().parse("default", name));
  return blocking<core::SnapshotInfo>([&](auto done) { hp().snapshots().hold(who, wanted, request, std::move(done)); });
}

Result<core::SnapshotInfo> SnapshotsTest::release(const core::Caller& who, const std::string& name,
                                                  const std::string& which) {
  HOMEPORT_TRY(const auto wanted, hp().snapshots().parse("default", name));
  return blocking<core::SnapshotInfo>(
      [&](auto done) { hp().snapshots().release(who, wanted, which, std::move(done)); });
}

Result<store::SpaceRecord> SnapshotsTest::clone(const std::string& source, const std::string& name, bool read_only) {
  auto from = hp().snapshots().parse("default", source);
  if (!from) {
    HOMEPORT_TRY(auto space, hp().homes().resolve("default", source));
    from = core::SnapshotName{.space = std::move(space), .snapshot = {}};
  }
  HOMEPORT_TRY(auto slug, Slug::parse(name));
  const core::Snapshots::Clone request{
      .source = *from, .name = std::move(slug), .realm = "default", .read_only = read_only};
  return finished(
      blocking<core::SpaceOutcome>([&](auto done) { hp().snapshots().clone(caller(), request, std::move(done)); }));
}

Result<store::SpaceRecord> SnapshotsTest::overwrite(const std::string& source, const std::string& confirm, bool force) {
  HOMEPORT_TRY(auto from, hp().snapshots().parse("default", source));
  const core::Snapshots::Overwrite request{.source = std::move(from), .confirm = confirm, .force = force};
  return finished(
      blocking<core::SpaceOutcome>([&](auto done) { hp().snapshots().overwrite(caller(), request, std::move(done)); }));
}

std::vector<std::string> SnapshotsTest::standing(const store::SpaceRecord& space) {
  std::vector<drivers::Snapshot> page;
  const auto ref = core::object_ref(space);
  EXPECT_OK(ref);
  std::optional<drivers::Cursor> from;
  do {
    auto next = factory_.memory("lab")->list_snapshots(op(), *ref, std::move(from), page);
    EXPECT_OK(next);
    from = next ? *next : std::nullopt;
  } while (from);
  std::vector<std::string> names;
  for (const auto& one : page) names.push_back(one.name);
  return names;
}

drivers::Snapshot SnapshotsTest::take_behind_our_back(const store::SpaceRecord& space, const std::string& name) {
  const auto ref = core::object_ref(space);
  EXPECT_OK(ref);
  const auto taken = factory_.memory("lab")->take_snapshot(op(), *ref, name);
  EXPECT_OK(taken);
  return taken ? *taken : drivers::Snapshot{};
}

void SnapshotsTest::delete_behind_our_back(const store::SpaceRecord& space, const std::string& name) {
  const auto ref = core::object_ref(space);
  EXPECT_OK(ref);
  std::vector<drivers::Snapshot> page;
  EXPECT_OK(factory_.memory("lab")->list_snapshots(op(), *ref, std::nullopt, page));
  for (const auto& one : page) {
    if (one.name != name) continue;
    EXPECT_OK(factory_.memory("lab")->delete_snapshot(op(), *ref, one));
  }
}

void SnapshotsTest::write_file(const store::SpaceRecord& space, const std::string& name, const std::string& content) {
  const auto ref = core::object_ref(space);
  ASSERT_OK(ref);
  const auto tree = factory_.memory("lab")->open_tree(op(), *ref, {});
  ASSERT_OK(tree);
  const auto root = (*tree)->root().node;
  auto file = (*tree)->lookup(op(), root, name);
  ASSERT_OK(file);
  if (!*file) {
    auto made = (*tree)->make_file(op(), root, name, {});
    ASSERT_OK(made);
    *file = *made;
  }
  ASSERT_OK((*tree)->write(op(), (*file)->node, 0, std::as_bytes(std::span(content))));
}

std::string SnapshotsTest::read_file(const store::SpaceRecord& space, const std::string& name) {
  const auto ref = core::object_ref(space);
  EXPECT_OK(ref);
  const auto tree = factory_.memory("lab")->open_tree(op(), *ref, {});
  EXPECT_OK(tree);
  const auto file = (*tree)->lookup(op(), (*tree)->root().node, name);
  EXPECT_OK(file);
  if (!*file) return "(no such file)";
  std::string text(100, '\0');
  const auto read = (*tree)->read(op(), (*file)->node, 0, std::as_writable_bytes(std::span(text)));
  EXPECT_OK(read);
  text.resize(read ? *read : 0);
  return text;
}

}  // namespace homeport::testing
