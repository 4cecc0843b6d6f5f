#include "provisioner/core/snapshot_files.h"

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

#include "drivers/core/snapshot_trees.h"
#include "provisioner/base/log.h"
#include "provisioner/base/sha256_sum.h"
#include "provisioner/core/space_work.h"

namespace homeport::core {

using drivers::Entry;
using drivers::EntryType;
using store::SpaceRecord;
using trees::TreePath;
using trees::Viewer;

namespace {

Error no_such_path(const std::string& where, const TreePath& path) {
  return Error{.code = Errc::not_found,
               .message = where + " has no '" + path.text() + "'",
               .hint = "`homeport snapshot browse` shows what a snapshot has"};
}

Result<DirectoryPage> list_path(const OpContext& op, drivers::Tree& tree, const TreePath& path,
                                const std::optional<Viewer>& viewer, const std::string& where,
                                std::optional<drivers::Cursor> from) {
  HOMEPORT_TRY(auto found, trees::find_entry(op, tree, path, viewer));
  if (!found) return no_such_path(where, path);
  DirectoryPage out;
  out.is_directory = found->attributes.type == EntryType::directory;
  if (!out.is_directory) {
    out.entries.push_back(*std::move(found));
    return out;
  }
  if (viewer && !viewer->may(found->attributes, Viewer::read)) {
    return Error{.code = Errc::forbidden,
                 .message = "the owner of this space may not list '" + path.text() + "'",
                 .hint = "its mode and owner keep it from them; an operator can look into it"};
  }
  const std::vector<drivers::ListRequest> wanted{{.directory = found->node, .from = std::move(from)}};
  auto pages = tree.list(op, wanted);
  if (!pages.front()) return std::move(pages.front()).error();
  out.entries = std::move(pages.front()->entries);
  out.next = std::move(pages.front()->next);
  // A listing that began again on the server names what it named before.
  std::map<std::string_view, std::size_t> last;
  for (std::size_t i = 0; i < out.entries.size(); ++i) last[out.entries[i].name] = i;
  if (last.size() == out.entries.size()) return out;
  std::vector<Entry> once;
  for (std::size_t i = 0; i < out.entries.size(); ++i) {
    if (last[out.entries[i].name] == i) once.push_back(out.entries[i]);
  }
  out.entries = std::move(once);
  return out;
}

// One place where many snapshots are looked into: a tree and, for each snapshot, where it begins.
struct Opened {
  std::vector<std::unique_ptr<drivers::Tree>> trees;
  struct Root {
    drivers::Tree* tree = nullptr;
    std::optional<Entry> entry{};
  };
  std::vector<Root> roots{};  // one for each snapshot, in order
};

Result<Opened> open_all(const OpContext& op, Backend& backend, const drivers::ObjectRef& ref,
                        const std::vector<SnapshotInfo>& snapshots) {
  Opened out;
  out.roots.resize(snapshots.size());
  if (auto* many = drivers::find<drivers::SnapshotTrees>(backend.driver()); many != nullptr && !snapshots.empty()) {
    std::vector<std::string> names;
    for (const auto& one : snapshots) names.push_back(one.name);
    HOMEPORT_TRY(auto opened, many->open_snapshots(op, ref, names));
    for (std::size_t i = 0; i < names.size(); ++i)
      out.roots[i] = {.tree = opened.tree.get(), .entry = std::move(opened.roots[i])};
    out.trees.push_back(std::move(opened.tree));
    return out;
  }
  HOMEPORT_TRY(auto* access, trees_of(backend));
  for (std::size_t i = 0; i < snapshots.size(); ++i) {
    auto tree = access->open_tree(op, ref, {.snapshot = snapshots[i].name});
    if (!tree && tree.error().code == Errc::not_found) continue;
    if (!tree) return std::move(tree).error();
    out.roots[i] = {.tree = tree->get(), .entry = (*tree)->root()};
    out.trees.push_back(std::move(tree).value());
  }
  return out;
}

// The path in each of them, part by part, all of one tree asked for together. A snapshot where a link or a file stands
// on the way, or where the viewer may not go, has no version.
Result<std::vector<std::optional<Entry>>> find_in_all(const OpContext& op, const Opened& opened, const TreePath& path,
                                                      const std::optional<Viewer>& viewer) {
  std::vector<std::optional<Entry>> at;
  for (const auto& root : opened.roots) at.push_back(root.entry);
  for (const auto& part : path.parts()) {
    std::map<drivers::Tree*, std::vector<std::size_t>> alive;
    for (std::size_t i = 0; i < at.size(); ++i) {
      if (!at[i]) continue;
      const auto& a = at[i]->attributes;
      if (a.type == EntryType::directory && (!viewer || viewer->may(a, Viewer::search))) {
        alive[opened.roots[i].tree].push_back(i);
      } else {
        at[i].reset();
      }
    }
    for (const auto& [tree, wanted] : alive) {
      std::vector<drivers::ManyLookups::Request> asked;
      for (const auto i : wanted) asked.push_back({.directory = at[i]->node, .name = part});
      auto found = drivers::lookup_all(op, *tree, asked);
      for (std::size_t n = 0; n < wanted.size(); ++n) {
        // Gone while it was looked at: the snapshot was deleted.
        if (!found[n] && found[n].error().code != Errc::not_found) return std::move(found[n]).error();
        at[wanted[n]] = found[n] ? *std::move(found[n]) : std::nullopt;
      }
    }
  }
  return at;
}

Result<std::string> digest_of(const OpContext& op, drivers::Tree& tree, const Entry& file) {
  constexpr std::size_t kPiece = std::size_t{1} << 20U;
  std::vector<std::byte> piece(kPiece);
  Sha256Sum sum;
  for (std::uint64_t at = 0;;) {
    HOMEPORT_TRY(const auto got, tree.read(op, file.node, at, piece));
    if (got == 0) return sum.hex();
    sum.add({reinterpret_cast<const char*>(piece.data()), got});
    at += got;
  }
}

// One file that did not change looks the same in every snapshot, and is read once.
class Digests {
 public:
  explicit Digests(const OpContext& op, const std::optional<Viewer>& viewer) : op_(op), viewer_(viewer) {}
  Result<std::optional<std::string>> of(drivers::Tree& tree, const Entry& entry) {
    const auto& a = entry.attributes;
    if (a.type != EntryType::file || (viewer_ && !viewer_->may(a, Viewer::read))) return std::optional<std::string>{};
    const auto key = std::tuple(a.fs, a.id, a.size, a.modified, a.changed);
    const auto known = known_.find(key);
    if (known != known_.end()) return std::optional(known->second);
    bytes_ += a.size;
    if (bytes_ > kMostDigested) {
      return Error{.code = Errc::too_large,
                   .message = "the versions hold more than " + Bytes{kMostDigested}.to_string() +
                              " together, and that much is not read for a digest",
                   .hint = "ask without the digest: size and time are shown"};
    }
    HOMEPORT_TRY(auto digest, digest_of(op_, tree, entry));
    known_[key] = digest;
    return std::optional(std::move(digest));
  }

 private:
  const OpContext& op_;
  const std::optional<Viewer>& viewer_;
  std::uint64_t bytes_ = 0;
  std::map<std::tuple<std::uint64_t, std::uint64_t, std::uint64_t, WallTime, WallTime>, std::string> known_{};
};

bool same(const FileVersion& a, const FileVersion& b) {
  if (a.attributes.type != b.attributes.type) return false;
  if (a.digest && b.digest) return a.digest == b.digest;
  return a.attributes.size == b.attributes.size && a.attributes.modified == b.attributes.modified;
}

Result<FileVersions> look_into(const OpContext& op, Backend& backend, const drivers::ObjectRef& ref,
                               const std::vector<SnapshotInfo>& snapshots, const TreePath& path,
                               const std::optional<Viewer>& viewer, bool digest) {
  FileVersions out{.looked_into = snapshots.size()};
  Digests digests(op, viewer);
  HOMEPORT_TRY(auto* access, trees_of(backend));
  HOMEPORT_TRY(const auto live, access->open_tree(op, ref, {}));
  auto now = trees::find_entry(op, *live, path, viewer);
  const bool hidden = !now && (now.error().code == Errc::failed_precondition || now.error().code == Errc::forbidden);
  if (!now && !hidden) return std::move(now).error();
  if (now && *now) {
    out.now = FileVersion{.snapshot = {.space = {}, .name = {}}, .attributes = (*now)->attributes, .as_now = true};
    if (digest) {
      HOMEPORT_TRY(out.now->digest, digests.of(*live, **now));
    }
  }
  HOMEPORT_TRY(const auto opened, open_all(op, backend, ref, snapshots));
  HOMEPORT_TRY(const auto found, find_in_all(op, opened, path, viewer));
  for (std::size_t i = found.size(); i-- > 0;) {
    if (!found[i]) continue;
    FileVersion version{.snapshot = snapshots[i], .attributes = found[i]->attributes};
    if (digest) {
      HOMEPORT_TRY(version.digest, digests.of(*opened.roots[i].tree, *found[i]));
    }
    version.as_now = out.now && same(*out.now, version);
    out.versions.push_back(std::move(version));
  }
  return out;
}

}  // namespace

Result<drivers::TreeAccess*> trees_of(Backend& backend) {
  if (auto* access = drivers::find<drivers::TreeAccess>(backend.driver())) return access;
  return Error{.code = Errc::unsupported,
               .message = "backend " + backend.spec().name.str() + " lets nobody look into its spaces",
               .hint = "what is needed must be brought back on the storage system itself"};
}

Result<std::optional<Viewer>> viewer_of(store::Store& store, const Caller& caller, const SpaceRecord& space) {
  if (caller.principal.scope != policies::Scope::user_self) return std::optional<Viewer>{};
  Viewer viewer{.uid = Uid{space.uid}, .gids = {Gid{space.gid}}};
  HOMEPORT_CHECK(store.read([&](store::ReadTransaction& tx) -> Result<void> {
    HOMEPORT_TRY(const auto user, store::get<store::UserRecord>(tx, space.owner));
    viewer.gids.resize(1);
    if (!user) return {};
    for (const auto gid : user->gids) viewer.gids.push_back(Gid{gid});
    return {};
  }));
  return std::optional(std::move(viewer));
}

namespace {

// Who looks into somebody else's files is on record.
void audit_look(const SnapshotParts& parts, const Caller& caller, const SpaceRecord& space, std::string_view action) {
  if (caller.principal.scope == policies::Scope::user_self) return;
  const auto written = parts.store.write("look", [&](store::WriteTransaction& tx) {
    return tx.append_audit({.at = parts.clock.now(),
                            .principal = caller.principal.id,
                            .action = std::string(action),
                            .subject = space.key,
                            .outcome = "ok"});
  });
  if (!written) log::warning("a look was not audited", {{"space", space.key}, {"why", written.error().to_string()}});
}

}  // namespace

void browse(const SnapshotParts& parts, const Caller& caller, const SnapshotName& wanted, const TreePath& path,
            std::optional<drivers::Cursor> from, std::function<void(Result<DirectoryPage>)> done) {
  const auto backend = parts.backends.get(wanted.space.backend);
  if (!backend) return done(backend.error());
  const auto viewer = viewer_of(parts.store, caller, wanted.space);
  if (!viewer) return done(viewer.error());
  auto work = [parts, caller, wanted, path, from = std::move(from), viewer = *viewer,
               backend = *backend](const OpContext& op) -> Result<DirectoryPage> {
    HOMEPORT_TRY(const auto ref, object_ref(wanted.space));
    HOMEPORT_TRY(auto snapshot, parts.snapshots.resolve(op, *backend, wanted));
    HOMEPORT_TRY(auto* access, trees_of(*backend));
    HOMEPORT_TRY(const auto tree, access->open_tree(op, ref, {.snapshot = snapshot.name}));
    const auto where = "snapshot " + snapshot.name + " of " + space_words(wanted.space, parts.catalog);
    HOMEPORT_TRY(auto page, list_path(op, *tree, path, viewer, where, from));
    if (!from) audit_look(parts, caller, wanted.space, "snapshot.browse");
    page.snapshot = std::move(snapshot);
    return page;
  };
  parts.backends.run<DirectoryPage>(*backend, caller, std::move(work), std::move(done));
}

void versions(const SnapshotParts& parts, const Caller& caller, const SpaceRecord& space, const TreePath& path,
              bool digest, std::function<void(Result<FileVersions>)> done) {
  const auto backend = parts.backends.get(space.backend);
  if (!backend) return done(backend.error());
  const auto viewer = viewer_of(parts.store, caller, space);
  if (!viewer) return done(viewer.error());
  auto look = [parts, caller, path, digest, done = std::move(done), space, viewer = *viewer,
               backend = *backend](Result<SnapshotList> listed) {
    if (!listed) return done(listed.error());
    std::vector<SnapshotInfo> readable;
    for (auto& one : listed->items) {
      if (one.state == "ready") readable.push_back(std::move(one));
    }
    auto work = [parts, caller, path, digest, space, viewer, backend, readable = std::move(readable),
                 notes = std::move(listed->notes)](const OpContext& op) -> Result<FileVersions> {
      HOMEPORT_TRY(const auto ref, object_ref(space));
      HOMEPORT_TRY(auto found, look_into(op, *backend, ref, readable, path, viewer, digest));
      if (!found.now && found.versions.empty()) {
        return no_such_path(readable.empty() ? space_words(space, parts.catalog) + " has no snapshots and"
                                             : "none of the " + std::to_string(readable.size()) + " snapshots",
                            path);
      }
      audit_look(parts, caller, space, "snapshot.versions");
      found.notes = notes;
      return found;
    };
    parts.backends.run<FileVersions>(backend, caller, std::move(work), done);
  };
  parts.snapshots.list(caller, space.key, std::move(look));
}

}  // namespace homeport::core
