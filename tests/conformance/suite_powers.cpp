// Powers that some backends have: both answers are tested.
#include <algorithm>

#include "tests/conformance/driver_suite.h"

namespace homeport::conformance {

using namespace drivers;

namespace {

std::optional<Snapshot> snapshot_named(const std::vector<Snapshot>& all, const std::string& name) {
  const auto at = std::find_if(all.begin(), all.end(), [&](const Snapshot& s) { return s.name == name; });
  return at == all.end() ? std::nullopt : std::optional(*at);
}

}  // namespace

TEST_P(DriverConformance, SnapshotsDoWhatTheCapabilitySays) {
  auto* snapshots = find<Snapshots>(driver());
  const auto made = make();
  if (!can().snapshots) {
    if (snapshots != nullptr) {
      EXPECT_ERRC(snapshots->take_snapshot(op(), made.ref, "hp-s1"), Errc::unsupported);
    }
    return;
  }
  ASSERT_NE(snapshots, nullptr);
  const auto name = "hp-" + hex16(ids_->random64());
  ASSERT_OK(put_in(made.ref, "f", "old"));
  const auto taken = snapshots->take_snapshot(op(), made.ref, name);
  ASSERT_OK(taken);
  EXPECT_EQ(taken->name, name);
  EXPECT_TRUE(taken->ours);
  const auto again = snapshots->take_snapshot(op(), made.ref, name);
  ASSERT_OK(again);
  EXPECT_EQ(again->id, taken->id) << "the same name is the same snapshot";
  std::vector<Snapshot> page;
  ASSERT_OK(snapshots->list_snapshots(op(), made.ref, std::nullopt, page));
  ASSERT_TRUE(snapshot_named(page, name).has_value());
  EXPECT_ERRC(snapshots->list_snapshots(op(), made.ref, "nonsense", page), Errc::invalid_argument);
  // What is written later is not in it, and nothing can be written into it.
  const auto live = tree_of(made.ref);
  const auto file = live->lookup(op(), live->root().node, "f");
  ASSERT_OK(live->write(op(), (*file)->node, 0, bytes_of("NEW")));
  const auto frozen = tree_of(made.ref, name);
  ASSERT_TRUE(frozen);
  const auto kept = frozen->lookup(op(), frozen->root().node, "f");
  ASSERT_OK(kept);
  ASSERT_TRUE(kept->has_value());
  EXPECT_EQ(text_of(*frozen, (*kept)->node).value(), "old");
  EXPECT_FALSE(frozen->write(op(), (*kept)->node, 0, bytes_of("x")).has_value());
  EXPECT_FALSE(frozen->make_file(op(), frozen->root().node, "n", {}).has_value());
  const auto source = driver().mount_source(op(), made.ref, {.snapshot = name});
  ASSERT_OK(source);
  EXPECT_NE(*source, driver().mount_source(op(), made.ref, {}).value());
  EXPECT_FALSE(driver().mount_source(op(), made.ref, {.snapshot = "not-there"}).has_value());
}

TEST_P(DriverConformance, SnapshotIsDeletedByNameAndIdOnly) {
  auto* snapshots = find<Snapshots>(driver());
  if (snapshots == nullptr || !can().snapshots) return;
  const auto made = make();
  const auto taken = snapshots->take_snapshot(op(), made.ref, "hp-" + hex16(ids_->random64()));
  ASSERT_OK(taken);
  if (!can().snapshots_per_space) {
    EXPECT_ERRC(snapshots->delete_snapshot(op(), made.ref, *taken), Errc::unsupported);
    return;
  }
  auto wrong = *taken;
  wrong.id += "0";
  EXPECT_ERRC(snapshots->delete_snapshot(op(), made.ref, wrong), Errc::failed_precondition);
  CallLog calls;
  ASSERT_OK(snapshots->delete_snapshot(dry(&calls), made.ref, *taken));
  EXPECT_FALSE(calls.lines().empty());
  std::vector<Snapshot> page;
  ASSERT_OK(snapshots->list_snapshots(op(), made.ref, std::nullopt, page));
  EXPECT_TRUE(snapshot_named(page, taken->name).has_value());
  ASSERT_OK(snapshots->delete_snapshot(op(), made.ref, *taken));
  EXPECT_OK(snapshots->delete_snapshot(op(), made.ref, *taken));
  page.clear();
  ASSERT_OK(snapshots->list_snapshots(op(), made.ref, std::nullopt, page));
  EXPECT_FALSE(snapshot_named(page, taken->name).has_value());
}

TEST_P(DriverConformance, SnapshotThatSomebodyRemovedIsNotMadeUpForByOthers) {
  auto* snapshots = find<Snapshots>(driver());
  if (snapshots == nullptr || !bench_.lose_snapshot || !can().snapshots_per_space) return;
  const auto made = make();
  const auto held = snapshots->take_snapshot(op(), made.ref, "hp-" + hex16(ids_->random64()));
  const auto other = snapshots->take_snapshot(op(), made.ref, "hp-" + hex16(ids_->random64()));
  ASSERT_OK(held);
  ASSERT_OK(other);
  bench_.lose_snapshot(made.ref, held->name);
  const auto names = [&] {
    std::vector<Snapshot> page;
    EXPECT_OK(snapshots->list_snapshots(op(), made.ref, std::nullopt, page));
    return page;
  };
  EXPECT_FALSE(snapshot_named(names(), held->name).has_value()) << "its loss can be seen";
  EXPECT_TRUE(snapshot_named(names(), other->name).has_value());
  EXPECT_OK(snapshots->delete_snapshot(op(), made.ref, *held));
  EXPECT_TRUE(snapshot_named(names(), other->name).has_value()) << "nothing goes in its place";
  const auto again = snapshots->take_snapshot(op(), made.ref, held->name);
  EXPECT_TRUE(!again || again->id != held->id) << "what is taken now is not what was held";
}

TEST_P(DriverConformance, ReplicaLinkIsMadePausedAndResumed) {
  auto* control = find<ReplicationControl>(driver());
  auto* replication = find<Replication>(driver());
  const auto made = make();
  if (control == nullptr) return;
  ASSERT_NE(replication, nullptr);
  if (!can().snapshots_per_space) {
    EXPECT_ERRC(control->link(op(), made.ref, "array", "policy"), Errc::unsupported);
    return;
  }
  if (bench_.replica_target.empty()) return;
  const auto& target = bench_.replica_target;
  const auto& policy = bench_.policies.at(0);
  EXPECT_ERRC(control->pause_link(op(), made.ref, target), Errc::not_found);
  EXPECT_ERRC(control->link(op(), made.ref, target, "no-such-policy"), Errc::not_found);
  EXPECT_ERRC(control->link(op(), made.ref, "no-such-array", policy), Errc::not_found);
  EXPECT_ERRC(control->link(op(), made.ref, target, ""), Errc::invalid_argument);
  CallLog calls;
  const auto planned = control->link(dry(&calls), made.ref, target, policy);
  ASSERT_OK(planned);
  EXPECT_EQ(calls.lines().size(), 1U);
  EXPECT_TRUE(replication->links(op(), made.ref).value().empty());
  const auto first = control->link(op(), made.ref, target, policy);
  ASSERT_OK(first);
  EXPECT_EQ(first->target, target);
  EXPECT_EQ(first->direction, "outbound");
  EXPECT_EQ(first->policies, std::vector<std::string>{policy});
  const auto again = control->link(op(), made.ref, target, policy);
  ASSERT_OK(again);
  EXPECT_EQ(again->id, first->id) << "the one that stands is the one asked for";
  const auto paused = control->pause_link(op(), made.ref, target);
  ASSERT_OK(paused);
  EXPECT_TRUE(paused->paused());
  EXPECT_OK(control->pause_link(op(), made.ref, target));
  const auto resumed = control->resume_link(op(), made.ref, target, bench_.policies.at(1));
  ASSERT_OK(resumed);
  EXPECT_EQ(resumed->id, first->id);
  EXPECT_EQ(resumed->policies, std::vector<std::string>{bench_.policies.at(1)});
  const auto links = replication->links(op(), made.ref);
  ASSERT_OK(links);
  ASSERT_EQ(links->size(), 1U);
  EXPECT_EQ(links->front().id, first->id);
  const auto other = make();
  EXPECT_TRUE(replication->links(op(), other.ref).value().empty()) << "another one's link is not ours";
}

TEST_P(DriverConformance, ClonesDoWhatTheCapabilitySays) {
  auto* cloner = find<Cloner>(driver());
  const auto source = make();
  const auto target = fresh_spec();
  if (!can().clones) {
    if (cloner != nullptr) {
      EXPECT_ERRC(cloner->clone(op(), source.ref, std::nullopt, target), Errc::unsupported);
    }
    return;
  }
  ASSERT_NE(cloner, nullptr);
  ASSERT_OK(put_in(source.ref, "f", "content"));
  CallLog calls;
  ASSERT_OK(cloner->clone(dry(&calls), source.ref, std::nullopt, target));
  EXPECT_FALSE(look(by_name(target.name)).has_value());
  const auto copy = cloner->clone(op(), source.ref, std::nullopt, target);
  ASSERT_OK(copy);
  driver_->track(copy->ref);
  EXPECT_NE(copy->ref.id, source.ref.id);
  EXPECT_EQ(copy->marker->key, target.key);
  EXPECT_EQ(text_in(copy->ref, "f"), "content");
  // A copy, not a second name.
  const auto tree = tree_of(copy->ref);
  const auto file = tree->lookup(op(), tree->root().node, "f");
  ASSERT_OK(tree->write(op(), (*file)->node, 0, bytes_of("CHANGED")));
  EXPECT_EQ(text_in(source.ref, "f"), "content");
  const auto again = cloner->clone(op(), source.ref, std::nullopt, target);
  ASSERT_OK(again);
  EXPECT_EQ(again->ref.id, copy->ref.id);
  EXPECT_EQ(text_in(copy->ref, "f"), "CHANGED") << "the second call adopts, it does not overwrite";
  EXPECT_FALSE(cloner->clone(op(), source.ref, "not-there", fresh_spec()).has_value());
}

TEST_P(DriverConformance, RestoreInPlaceDoesWhatTheCapabilitySays) {
  auto* restore = find<ArrayRestore>(driver());
  auto* snapshots = find<Snapshots>(driver());
  if (!can().array_restore) {
    if (restore != nullptr) {
      EXPECT_ERRC(restore->overwrite_from_snapshot(op(), make().ref, {.id = "1", .name = "s"}), Errc::unsupported);
    }
    return;
  }
  ASSERT_TRUE(restore != nullptr && snapshots != nullptr);
  const auto made = make();
  ASSERT_OK(put_in(made.ref, "f", "old"));
  const auto taken = snapshots->take_snapshot(op(), made.ref, "hp-" + hex16(ids_->random64()));
  ASSERT_OK(taken);
  ASSERT_OK(put_in(made.ref, "g", "new"));
  const auto restored = restore->overwrite_from_snapshot(op(), made.ref, *taken);
  ASSERT_OK(restored);
  EXPECT_EQ(restored->ref.id, made.ref.id);
  EXPECT_EQ(text_in(made.ref, "f"), "old");
  EXPECT_FALSE(text_in(made.ref, "g").has_value());
}

TEST_P(DriverConformance, ExportsAreListedAndInspected) {
  auto* discovery = find<ExportDiscovery>(driver());
  if (discovery == nullptr || GetParam().import_path.empty()) GTEST_SKIP() << "nothing to discover";
  const auto exports = discovery->exports(op());
  ASSERT_OK(exports);
  const bool listed = std::any_of(exports->begin(), exports->end(),
                                  [&](const Export& e) { return e.path == GetParam().import_export; });
  EXPECT_TRUE(listed);
  const auto path = AbsolutePath::parse(GetParam().import_path).value();
  const auto inspection = discovery->inspect(op(), path);
  ASSERT_OK(inspection);
  EXPECT_EQ(inspection->export_path, GetParam().import_export);
  EXPECT_FALSE(inspection->id.empty());
  EXPECT_FALSE(discovery->inspect(op(), path / "not-there").has_value());
}

TEST_P(DriverConformance, ImportedPathIsFoundMarkedAndNeverMoved) {
  if (GetParam().import_path.empty()) GTEST_SKIP() << "nothing to import";
  const auto path = AbsolutePath::parse(GetParam().import_path).value();
  const auto key = fresh_key(SpaceKind::dataset);
  const Lookup lookup{.layout = Layout::directory, .pool = GetParam().import_export, .path = path, .key = key};
  const auto found = look(lookup);
  ASSERT_TRUE(found.has_value());
  EXPECT_TRUE(found->ref.imported);
  EXPECT_EQ(found->ref.key, key);
  EXPECT_FALSE(found->ref.id.empty());
  EXPECT_EQ(found->path, path.str());
  EXPECT_FALSE(found->marker.has_value());
  EXPECT_EQ(look(lookup)->ref.id, found->ref.id);
  auto absent = lookup;
  absent.path = path / "not-there";
  EXPECT_FALSE(look(absent).has_value());
  const auto source = driver().mount_source(op(), found->ref, {});
  ASSERT_OK(source);
  if (const auto* nfs = std::get_if<NfsSource>(&*source)) {
    EXPECT_TRUE(nfs->path.ends_with(path.str())) << nfs->path;
  }
  if (has_trees()) {
    EXPECT_EQ(text_in(found->ref, "a.txt"), "hello");
  }
  auto wrong = found->ref;
  wrong.id += "0";
  EXPECT_ERRC(
      driver().update(op(), wrong, {.marker = Marker{.key = key, .id = {}, .imported = true, .path = path.str()}}),
      Errc::failed_precondition);
}

}  // namespace homeport::conformance
