#include "drivers/nfs/trash.h"

#include <set>
#include <vector>

#include "drivers/nfs/nfs_status.h"
#include "drivers/nfs/nfs_xdr.h"

namespace homeport::drivers::nfs {
namespace {

constexpr std::size_t kDirectoriesAtOnce = 16;
// What is left tells where to go on; the cursor only says that something is.
constexpr const char* kAgain = "again";
constexpr int kMostRefills = 5;  // how often a directory may fill again while it is emptied
constexpr std::chrono::milliseconds kReserve{1000};

Error imported_stays(const ObjectRef& ref) {
  return Error{.code = Errc::failed_precondition,
               .message = printable(ref.name) + " was imported: Homeport neither moves nor removes it",
               .hint = "release it from Homeport instead; its files stay where they are"};
}

Place place_in(const Entry& dir, const std::string& dir_path, const std::string& name) {
  return {.dir = dir.node, .dir_path = dir_path, .name = name};
}

Result<Object> retire_on(const OpContext& op, Backend& backend, Site& site, Session& session, const ObjectRef& ref) {
  HOMEPORT_TRY(auto standing, look(op, backend, site, session, ref.key, ref.name, Make::where_ours));
  HOMEPORT_TRY(auto placed, verify(backend, ref, standing, MarkerRule::must_match));
  if (!placed) return gone(backend, site, standing, ref);
  const auto& dirs = standing.dirs;
  if (placed->state == ObjectState::trashed) return to_object(site, dirs, ref.key, *placed);
  // RENAME replaces an empty directory without a word.
  if (standing.trashed) {
    return Error{.code = Errc::already_exists,
                 .message = "something else stands in the trash as " + ref.name,
                 .hint = "look at " + Backend::join(dirs.trash_path(), ref.name) + " on the server"};
  }
  // First the date, then the move: a crash between them leaves a live home with a younger marker, which says nothing.
  HOMEPORT_CHECK(session.touch(op, placed->marker.file->node, dirs.markers_path() + "/" + marker_file_name(ref.key)));
  HOMEPORT_CHECK(session.rename(op, place_in(dirs.homes, dirs.homes_path, ref.name),
                                place_in(dirs.trash, dirs.trash_path(), ref.name)));
  placed->state = ObjectState::trashed;
  if (!op.dry_run) {
    HOMEPORT_TRY(placed->marker.file->attributes, session.attributes(op, placed->marker.file->node));
  }
  return to_object(site, dirs, ref.key, *placed);
}

Result<Object> undelete_on(const OpContext& op, Backend& backend, Site& site, Session& session, const ObjectRef& ref) {
  HOMEPORT_TRY(auto standing, look(op, backend, site, session, ref.key, ref.name, Make::where_ours));
  // Looked at first: what took its place has another id, which verify() would call a mismatch.
  const bool waits = standing.trashed && object_id(standing.trashed->attributes) == ref.id;
  if (waits && standing.live) {
    return Error{
        .code = Errc::already_exists,
        .message = "the place of " + ref.name + " is taken: " + Backend::join(standing.dirs.homes_path, ref.name),
        .hint = "move away what stands there, then undelete again"};
  }
  HOMEPORT_TRY(auto placed, verify(backend, ref, standing, MarkerRule::must_match));
  if (!placed) return gone(backend, site, standing, ref);
  const auto& dirs = standing.dirs;
  if (placed->state == ObjectState::trashed) {
    HOMEPORT_CHECK(session.rename(op, place_in(dirs.trash, dirs.trash_path(), ref.name),
                                  place_in(dirs.homes, dirs.homes_path, ref.name)));
    placed->state = ObjectState::live;
  }
  return to_object(site, dirs, ref.key, *placed);
}

// One directory on its way out.
struct Doomed {
  Node parent;
  std::string name;
  Node self;
  int refills = 0;
};

// Empties and removes a tree from its leaves upwards, many directories at once, without following a link and without
// leaving its filesystem. Memory: one page of names for each level.
class Remover {
 public:
  Remover(const OpContext& op, const Clock& clock, Session& session, std::string path, std::uint64_t fs)
      : op_(op), clock_(clock), session_(session), path_(std::move(path)), fs_(fs) {}

  // True: all of it is gone. False: the step is over, call again.
  Result<bool> run(Doomed root) {
    outside_ = root.parent;
    levels_.push_back({std::move(root)});
    while (!levels_.empty()) {
      if (levels_.back().empty()) {
        levels_.pop_back();
        continue;
      }
      const bool short_of_time = clock_.mono() + kReserve >= op_.deadline && removed_ > 0;
      if (removed_ >= kPurgeStep || short_of_time) return false;
      HOMEPORT_CHECK(clear_some());
    }
    return true;
  }
  [[nodiscard]] std::uint64_t removed() const { return removed_; }

 private:
  // One page of some directories of the deepest level: its files go, its directories become the next level, and a
  // directory seen empty goes itself.
  Result<void> clear_some() {
    auto& level = levels_.back();
    const std::size_t count = std::min(level.size(), kDirectoriesAtOnce);
    const std::size_t first = level.size() - count;
    std::vector<ListRequest> requests;
    for (std::size_t i = first; i < level.size(); ++i) requests.push_back({.directory = level[i].self});
    auto pages = session_.list(op_, requests);
    std::vector<Tree::Removal> files;
    std::vector<Tree::Removal> empties;
    std::vector<std::size_t> emptied;
    std::vector<Doomed> below;
    for (std::size_t i = 0; i < count; ++i) {
      if (!pages[i]) {
        HOMEPORT_CHECK(unlock(level[first + i].self, std::move(pages[i]).error()));
        continue;
      }
      HOMEPORT_CHECK(sort_out(level[first + i], *pages[i], files, below));
      const bool has_directories = !below.empty() && below.back().parent.handle == level[first + i].self.handle;
      if (pages[i]->next || has_directories) continue;
      emptied.push_back(first + i);
      empties.push_back({.directory = level[first + i].parent, .name = level[first + i].name, .is_directory = true});
    }
    HOMEPORT_CHECK(remove(files));
    auto outcomes = session_.remove(op_, empties, path_);
    std::set<std::string> tried;
    for (std::size_t at = emptied.size(); at-- > 0;) {
      const std::string& parent = empties[at].directory.handle;
      const bool refused = !outcomes[at] && is_refusal(outcomes[at].error());
      if (refused && !tried.insert(parent).second) continue;  // its parent was opened for a neighbour
      HOMEPORT_CHECK(strike_out(level, emptied[at], outcomes[at]));
    }
    if (!below.empty()) levels_.push_back(std::move(below));
    return {};
  }

  Result<void> sort_out(const Doomed& dir, ListPage& page, std::vector<Tree::Removal>& files,
                        std::vector<Doomed>& below) {
    for (auto& entry : page.entries) {
      if (entry.attributes.type != EntryType::directory) {
        files.push_back({.directory = dir.self, .name = std::move(entry.name), .is_directory = false});
        continue;
      }
      if (entry.attributes.fs != fs_) {
        return Error{.code = Errc::failed_precondition,
                     .message = "another filesystem is mounted inside " + path_ + " as " + printable(entry.name),
                     .hint = "unmount it on the server, then purge again; nothing of it was touched"};
      }
      below.push_back({.parent = dir.self, .name = std::move(entry.name), .self = std::move(entry.node)});
    }
    return {};
  }

  Result<void> remove(const std::vector<Tree::Removal>& files) {
    auto outcomes = session_.remove(op_, files, path_);
    std::set<std::string> tried;  // directories of this batch that were opened for it
    for (std::size_t i = 0; i < outcomes.size(); ++i) {
      if (outcomes[i]) {
        ++removed_;
        continue;
      }
      if (tried.contains(files[i].directory.handle) && is_refusal(outcomes[i].error())) continue;
      HOMEPORT_CHECK(unlock(files[i].directory, std::move(outcomes[i]).error()));
      tried.insert(files[i].directory.handle);
    }
    return {};
  }

  // People lock their own directories, also against an administrator who is squashed to their uid. In the trash they
  // are opened, once; what was refused is tried again with the next look. `refused` comes back when that is not the
  // trouble.
  Result<void> unlock(const Node& dir, Error refused) {
    const bool locked = is_refusal(refused) && dir.handle != outside_.handle && opened_.insert(dir.handle).second;
    if (!locked) return refused;
    return session_.set_attributes(op_, dir, path_ + "/…", {.mode = 0700});
  }

  // A directory that somebody filled again meanwhile is emptied again, a few times.
  Result<void> strike_out(std::vector<Doomed>& level, std::size_t at, Result<void>& outcome) {
    if (outcome) {
      ++removed_;
      level.erase(level.begin() + static_cast<std::ptrdiff_t>(at));
      return {};
    }
    if (is_refusal(outcome.error())) return unlock(level[at].parent, std::move(outcome).error());
    const bool filled = outcome.error().upstream && outcome.error().upstream->status == NFS3ERR_NOTEMPTY;
    if (!filled || ++level[at].refills > kMostRefills) return std::move(outcome).context("purging " + path_);
    return {};
  }

  const OpContext& op_;
  const Clock& clock_;
  Session& session_;
  const std::string path_;
  const std::uint64_t fs_;
  Node outside_{};  // the trash itself, whose rights are not ours to change
  std::vector<std::vector<Doomed>> levels_;
  std::set<std::string> opened_;
  std::uint64_t removed_ = 0;
};

// A crash after the last RMDIR leaves the marker of something that is no more.
Result<void> remove_marker(const OpContext& op, Session& session, const Standing& standing, const ObjectRef& ref) {
  if (!standing.marker.marker || standing.marker.marker->key != ref.key || standing.marker.marker->id != ref.id)
    return {};
  return session.remove_one(
      op, place_in(standing.dirs.markers, standing.dirs.markers_path(), marker_file_name(ref.key)), false);
}

Result<PurgeStep> purge_on(const OpContext& op, Backend& backend, Site& site, Session& session, const ObjectRef& ref) {
  HOMEPORT_TRY(auto standing, look(op, backend, site, session, ref.key, ref.name, Make::where_ours));
  HOMEPORT_TRY(const auto placed, verify(backend, ref, standing, MarkerRule::must_match));
  if (!placed) {
    HOMEPORT_CHECK(remove_marker(op, session, standing, ref));
    return PurgeStep{};
  }
  if (placed->state == ObjectState::live) {
    return Error{.code = Errc::failed_precondition,
                 .message = "space " + ref.key.str() + " is live; only a retired one can be purged",
                 .hint = "retire it first"};
  }
  const std::string path = Backend::join(standing.dirs.trash_path(), ref.name);
  if (op.dry_run) {
    if (op.calls != nullptr) op.calls->add("REMOVE and RMDIR of everything below " + path);
    if (op.calls != nullptr) op.calls->add("RMDIR " + path);
    HOMEPORT_CHECK(remove_marker(op, session, standing, ref));
    return PurgeStep{};
  }
  Remover remover(op, backend.clock(), session, path, placed->entry.attributes.fs);
  HOMEPORT_TRY(const bool done,
               remover.run({.parent = standing.dirs.trash.node, .name = ref.name, .self = placed->entry.node}));
  if (!done) return PurgeStep{.next = kAgain, .removed = remover.removed()};
  HOMEPORT_CHECK(remove_marker(op, session, standing, ref));
  return PurgeStep{.removed = remover.removed()};
}

}  // namespace

Result<Object> retire_space(const OpContext& op, Backend& backend, const ObjectRef& ref) {
  if (ref.imported) return imported_stays(ref);
  HOMEPORT_TRY(Site * site, backend.pool_site(ref.layout, ref.pool));
  return with_session(op, backend, *site,
                      [&](Session& session) { return retire_on(op, backend, *site, session, ref); });
}

Result<Object> undelete_space(const OpContext& op, Backend& backend, const ObjectRef& ref) {
  if (ref.imported) return imported_stays(ref);
  HOMEPORT_TRY(Site * site, backend.pool_site(ref.layout, ref.pool));
  return with_session(op, backend, *site,
                      [&](Session& session) { return undelete_on(op, backend, *site, session, ref); });
}

Result<PurgeStep> purge_space(const OpContext& op, Backend& backend, const ObjectRef& ref,
                              const std::optional<Cursor>& from) {
  if (from && *from != kAgain) {
    return Error{.code = Errc::invalid_argument, .message = "'" + printable(*from, 60) + "' is not a place in a purge"};
  }
  if (ref.imported) return imported_stays(ref);
  HOMEPORT_TRY(Site * site, backend.pool_site(ref.layout, ref.pool));
  return with_session(op, backend, *site, [&](Session& session) { return purge_on(op, backend, *site, session, ref); });
}

}  // namespace homeport::drivers::nfs
