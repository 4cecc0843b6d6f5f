#include "provisioner/core/home_guard.h"

#include <algorithm>
#include <deque>
#include <set>
#include <utility>

#include "provisioner/core/backends.h"

namespace homeport::core {
namespace {

constexpr std::size_t kMostEntries = 200'000;
constexpr std::size_t kAtOnce = 32;
constexpr std::size_t kNamed = 3;  // in a message; one more is looked for, to say "and more"
constexpr std::chrono::seconds kFreeFor{60};
// A refusal is not asked again for so long: an admin who mended it waits no longer than that.
constexpr std::chrono::seconds kRefusedFor{5};

using drivers::EntryType;

std::string below(const std::string& path, std::string_view name) {
  return (path == "/" ? "" : path) + "/" + std::string(name);
}

// Directories that file servers and desktops make by themselves; none is somebody's home.
bool is_nobodys(std::string_view name) {
  return name.find_first_of(".@#$~") == 0 || name == "lost+found" || name == "System Volume Information";
}

bool is_ours_by_name(std::string_view name, std::string_view prefix) {
  return name.starts_with(prefix) && SpaceKey::parse(name.substr(prefix.size())).has_value();
}

// Paths on the backend that are accounted for.
struct Known {
  std::set<std::string, std::less<>> spaces{};
  std::set<std::string, std::less<>> pools{};
  [[nodiscard]] static bool any_below(const std::set<std::string, std::less<>>& paths, const std::string& path) {
    const auto at = paths.lower_bound(path + "/");
    return at != paths.end() && at->starts_with(path + "/");
  }
  [[nodiscard]] bool holds_some(const std::string& path) const {
    return any_below(spaces, path) || any_below(pools, path);
  }
};

Known known_places(const Catalog& catalog, const std::string& backend, const std::vector<drivers::PoolPlace>& pools) {
  Known known;
  for (const auto& space : catalog.spaces()) {
    if (space->backend == backend && !space->path.empty()) known.spaces.insert(space->path);
  }
  for (const auto& pool : pools) known.pools.insert(pool.directory.str());
  return known;
}

class Scan {
 public:
  Scan(const OpContext& op, drivers::Tree& tree, const Known& known, const drivers::PoolPlace& place,
       std::string_view prefix)
      : op_(op), tree_(tree), known_(known), place_(place), prefix_(prefix) {}

  Result<std::vector<std::string>> strangers() {
    const auto top = place_.top.str();
    waiting_.push_back({.node = tree_.root().node, .path = top, .own = top == place_.directory.str()});
    while (!waiting_.empty() && found_.size() <= kNamed && seen_ < kMostEntries) HOMEPORT_CHECK(list_some());
    while (!doubtful_.empty() && found_.size() <= kNamed) HOMEPORT_CHECK(look_into_some());
    if (found_.empty() && !waiting_.empty()) {
      return Error{.code = Errc::out_of_capacity,
                   .message = "more than " + std::to_string(kMostEntries) + " entries lie below " + top};
    }
    std::sort(found_.begin(), found_.end());
    return std::move(found_);
  }

 private:
  struct Directory {
    drivers::Node node;
    std::string path;
    bool own = false;  // the pool's directory: what stands there stands in the place of a home
    std::optional<drivers::Cursor> from{};
    bool empty_is_nobodys = false;
  };

  Result<void> list_some() {
    const auto n = std::min(kAtOnce, waiting_.size());
    const std::vector<Directory> batch(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(n));
    waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(n));
    auto pages = list(batch);
    for (std::size_t i = 0; i < batch.size(); ++i) {
      if (!pages[i]) return std::move(pages[i]).context("list " + batch[i].path).error();
      for (const auto& entry : pages[i]->entries) weigh(batch[i], entry);
      seen_ += pages[i]->entries.size();
      if (!pages[i]->next) continue;
      waiting_.push_back(batch[i]);
      waiting_.back().from = pages[i]->next;
    }
    return {};
  }

  void weigh(const Directory& in, const drivers::Entry& entry) {
    const bool link_in_place = in.own && entry.attributes.type == EntryType::symlink;
    if (entry.attributes.type != EntryType::directory && !link_in_place) return;
    if (in.path == place_.top.str() && entry.name == place_.administrative) own_uid_ = entry.attributes.uid;
    if (entry.name == place_.administrative || is_nobodys(entry.name) || is_ours_by_name(entry.name, prefix_)) return;
    auto path = below(in.path, entry.name);
    if (known_.spaces.contains(path) && !Known::any_below(known_.pools, path)) return;
    const bool own = path == place_.directory.str();
    if (known_.pools.contains(path) && !own) return;
    if (own || known_.holds_some(path)) {
      waiting_.push_back({.node = entry.node, .path = std::move(path), .own = own});
    } else if (in.own) {
      found_.push_back(std::move(path));
    } else {
      doubtful_.push_back({.node = entry.node, .path = std::move(path)});
      doubtful_.back().empty_is_nobodys = entry.attributes.uid == Uid{0} || entry.attributes.uid == own_uid_;
    }
  }

  // Beside the pool a directory may be an earlier pool of ours, or nothing at all.
  Result<void> look_into_some() {
    const auto n = std::min(kAtOnce, doubtful_.size());
    const std::vector<Directory> batch(doubtful_.begin(), doubtful_.begin() + static_cast<std::ptrdiff_t>(n));
    doubtful_.erase(doubtful_.begin(), doubtful_.begin() + static_cast<std::ptrdiff_t>(n));
    auto pages = list(batch);
    for (std::size_t i = 0; i < batch.size(); ++i) {
      if (!pages[i] && is_transient(pages[i].error().code)) return pages[i].error();
      bool theirs = !pages[i];  // what cannot be looked into is not known
      bool empty = true;
      for (std::size_t j = 0; !theirs && j < pages[i]->entries.size(); ++j) {
        const auto& name = pages[i]->entries[j].name;
        empty = false;
        theirs = !is_ours_by_name(name, prefix_);
      }
      if (theirs || (empty && !batch[i].empty_is_nobodys)) found_.push_back(batch[i].path);
    }
    return {};
  }

  std::vector<Result<drivers::ListPage>> list(const std::vector<Directory>& batch) {
    std::vector<drivers::ListRequest> requests;
    for (const auto& directory : batch) requests.push_back({.directory = directory.node, .from = directory.from});
    return tree_.list(op_, requests);
  }

  const OpContext& op_;
  drivers::Tree& tree_;
  const Known& known_;
  const drivers::PoolPlace& place_;
  const std::string_view prefix_;
  std::optional<Uid> own_uid_{};  // whom the administrative directory belongs to
  std::deque<Directory> waiting_{};
  std::deque<Directory> doubtful_{};
  std::vector<std::string> found_{};
  std::size_t seen_ = 0;
};

Error refusal(const HomeGuard::Look& look, const ClassSpec& klass) {
  const std::string& backend = klass.backend.str();
  Error error{.code = Errc::failed_precondition};
  std::string base = "/BASE";
  if (look.strangers.empty()) {
    error.message = "class " + klass.name.str() + " cannot tell what stands where it makes homes: " + look.blind;
  } else {
    error.message = "where class " + klass.name.str() + " makes homes, backend " + backend +
                    " holds directories that Homeport does not know (";
    for (std::size_t i = 0; i < std::min(kNamed, look.strangers.size()); ++i)
      error.message += (i == 0 ? "" : ", ") + printable(look.strangers[i], 80);
    error.message += look.strangers.size() > kNamed ? " and more)" : ")";
    error.message += ": a new home would be an empty one beside somebody's real one";
    const auto& first = look.strangers.front();
    base = printable(first.substr(0, std::max<std::size_t>(first.rfind('/'), 1)), 80);
  }
  error.hint = "take them over with `homeport home import --backend " + backend + " --base " + base +
               " --match '{user}' --dry-run`, or let class " + klass.name.str() +
               " say `existing: " + (base == "/" ? "" : base) +
               "/{user}` (the first login takes over), or `create: true` (they are nobody's homes)";
  return error;
}

Result<HomeGuard::Look> look_at_place(const OpContext& op, drivers::TreeAccess& trees, const Known& known,
                                      const drivers::PoolPlace& place, std::string_view prefix) {
  HomeGuard::Look look;
  const auto tree = trees.open_path(op, place.top);
  if (!tree && tree.error().code == Errc::not_found) return look;  // whoever makes the home says what is missing
  auto found =
      tree ? Scan(op, **tree, known, place, prefix).strangers() : Result<std::vector<std::string>>(tree.error());
  if (!found && is_transient(found.error().code)) return std::move(found).error();
  if (found) {
    look.strangers = std::move(found).value();
  } else {
    look.blind = found.error().sentence();
  }
  return look;
}

bool still_strange(const std::string& path, const std::string& backend, const Catalog& catalog) {
  const auto place = AbsolutePath::parse(path);
  return !place || !catalog.space_around(backend, *place);
}

}  // namespace

std::optional<HomeGuard::Look> HomeGuard::last(const std::string& pool) const {
  return looks_.with([&](const auto& looks) -> std::optional<Look> {
    const auto at = looks.find(pool);
    return at == looks.end() ? std::nullopt : std::optional(at->second);
  });
}

void HomeGuard::note(const std::string& pool, Look look) {
  looks_.with([&](auto& looks) { looks.insert_or_assign(pool, std::move(look)); });
}

bool guards_place(const ClassSpec& klass) {
  return !klass.existing && !klass.create && klass.layout == "directory";
}

std::optional<Error> noted_strangers(Backend& backend, const Catalog& catalog, const ClassSpec& klass,
                                     const std::string& pool, MonoTime now) {
  const auto look = backend.guard().last(pool);
  if (!look || now - look->at > kRefusedFor || (look->strangers.empty() && look->blind.empty())) return std::nullopt;
  const auto& name = backend.spec().name.str();
  const bool some = std::any_of(look->strangers.begin(), look->strangers.end(),
                                [&](const auto& path) { return still_strange(path, name, catalog); });
  if (!some && look->blind.empty()) return std::nullopt;
  return refusal(*look, klass);
}

Result<void> check_place_of_homes(const OpContext& op, Backend& backend, const Catalog& catalog, const ClassSpec& klass,
                                  const std::string& pool, std::string_view prefix, MonoTime now) {
  auto* trees = drivers::find<drivers::TreeAccess>(backend.driver());
  if (trees == nullptr) return {};  // a place that cannot be looked into holds nobody's directories
  const auto places = trees->pool_places();
  const auto place = std::find_if(places.begin(), places.end(), [&](const auto& p) { return p.pool == pool; });
  if (place == places.end()) return {};
  const auto& name = backend.spec().name.str();
  const auto last = backend.guard().last(pool);
  const bool free = last && last->strangers.empty() && last->blind.empty() && now - last->at < kFreeFor;
  // Before the first home nothing is taken on trust: that is when a fleet is moved in.
  if (free && catalog.pool_in_use(name, pool)) return {};
  HOMEPORT_TRY(auto look, look_at_place(op, *trees, known_places(catalog, name, places), *place, prefix));
  look.at = now;
  const bool refused = !look.strangers.empty() || !look.blind.empty();
  auto error = refused ? refusal(look, klass) : Error{};
  backend.guard().note(pool, std::move(look));
  if (refused) return error;
  return {};
}

}  // namespace homeport::core
