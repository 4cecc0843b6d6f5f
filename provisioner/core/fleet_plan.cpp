#include "provisioner/core/fleet_plan.h"

#include <algorithm>
#include <map>
#include <memory_resource>
#include <set>
#include <unordered_map>
#include <utility>

#include "policies/select.h"
#include "provisioner/core/array_look.h"
#include "provisioner/core/space_work.h"

namespace homeport::core {
namespace {

constexpr std::size_t kDirectoriesAtOnce = 32;
constexpr std::size_t kMostEntries = 200'000;
constexpr std::chrono::seconds kAnswerTime{20};  // for one question to the backend: as long as it answers, it goes on
constexpr std::string_view kAdministrative = ".homeport";
constexpr int kOne = 1;
constexpr int kSeveral = 2;

struct Found {
  std::string path;
  drivers::EntryAttributes attributes{};
  std::string unseen{};  // why it cannot be looked at; empty: it was
};

struct Directory {
  drivers::Node node;
  std::vector<std::string> components;
  std::optional<drivers::Cursor> from{};
};

// The components of `path` below `base`, into what the one before left.
void split_below(const AbsolutePath& base, std::string_view path, std::vector<std::string>& components) {
  std::size_t used = 0;
  for (auto at = base.str() == "/" ? 1 : base.str().size() + 1; at <= path.size();) {
    const auto end = std::min(path.find('/', at), path.size());
    if (used == components.size()) components.emplace_back();
    components[used++].assign(path.substr(at, end - at));
    at = end + 1;
  }
  components.resize(used);
}

std::string last_component(const std::string& path) {
  return path.substr(path.rfind('/') + 1);
}

std::string joined(const AbsolutePath& base, const std::vector<std::string>& components) {
  std::string out = base.str() == "/" ? "" : base.str();
  for (const auto& component : components) out += "/" + component;
  return out;
}

Result<void> as_status(const Result<drivers::ListPage>& page) {
  if (page) return {};
  return page.error();
}

// A fleet has as many answers as it has directories: each question has a time of its own, within the whole's.
struct Asking {
  const OpContext& whole;
  const Clock& clock;
  [[nodiscard]] OpContext now() const {
    OpContext one = whole;
    one.deadline = std::min(whole.deadline, clock.mono() + kAnswerTime);
    return one;
  }
};

// Level by level, many directories in flight; `enter` says which are looked into. What cannot be looked at is found all
// the same. A server that begins again gives names twice.
Result<std::vector<Found>> list_below(const Asking& ask, drivers::Tree& tree, const AbsolutePath& base,
                                      std::size_t depth,
                                      const std::function<bool(const std::vector<std::string>&)>& enter) {
  std::vector<Found> out;
  const auto fs = tree.root().attributes.fs;
  std::vector<Directory> waiting{{.node = tree.root().node, .components = {}}};
  while (!waiting.empty()) {
    const auto n = static_cast<std::ptrdiff_t>(std::min(kDirectoriesAtOnce, waiting.size()));
    const std::vector<Directory> batch(waiting.end() - n, waiting.end());
    waiting.resize(waiting.size() - static_cast<std::size_t>(n));
    std::vector<drivers::ListRequest> requests;
    for (const auto& directory : batch)
      requests.push_back({.directory = directory.node, .from = directory.from, .with_unseen = true});
    auto pages = tree.list(ask.now(), requests);
    for (std::size_t i = 0; i < pages.size(); ++i) {
      const bool below = !batch[i].components.empty();
      if (!pages[i] && below && !is_transient(pages[i].error().code) && pages[i].error().code != Errc::internal) {
        out.push_back({.path = joined(base, batch[i].components), .unseen = pages[i].error().sentence()});
        continue;
      }
      HOMEPORT_CHECK(as_status(pages[i]).context("list " + joined(base, batch[i].components)));
      if (pages[i]->next)
        waiting.push_back({.node = batch[i].node, .components = batch[i].components, .from = pages[i]->next});
      const auto& above = batch[i].components;
      const auto prefix = joined(base, above) + "/";
      for (const auto& one : pages[i]->unseen) out.push_back({.path = prefix + one.name, .unseen = one.why.sentence()});
      for (auto& entry : pages[i]->entries) {
        if (above.empty() && entry.name == kAdministrative) continue;
        const bool may_enter = above.size() + 1 < depth && entry.attributes.type == drivers::EntryType::directory &&
                               entry.attributes.fs == fs;
        if (may_enter) {
          auto components = above;
          components.push_back(entry.name);
          if (enter(components)) {
            waiting.push_back({.node = entry.node, .components = std::move(components)});
            continue;
          }
        }
        if (out.size() >= kMostEntries) {
          return Error{.code = Errc::too_large,
                       .message = base.str() + " holds more than 200,000 entries",
                       .hint = "import it in parts: a deeper base, or a map"};
        }
        out.push_back({.path = prefix + entry.name, .attributes = entry.attributes});
      }
    }
  }
  return out;
}

// The order of the paths, without moving what is large.
std::vector<std::uint32_t> order_of(const std::vector<Found>& found, std::size_t same) {
  std::vector<std::pair<std::string_view, std::uint32_t>> order;  // all paths are the same up to `same`
  order.reserve(found.size());
  for (const auto& one : found)
    order.emplace_back(std::string_view(one.path).substr(same), static_cast<std::uint32_t>(order.size()));
  std::sort(order.begin(), order.end());
  std::vector<std::uint32_t> out;
  out.reserve(order.size());
  for (const auto& [path, index] : order) out.push_back(index);
  return out;
}

class Planner {
 public:
  Planner(const Homes::Parts& parts, const FleetRequest& request)
      : catalog_(parts.catalog), request_(request), rules_(parts.catalog.rules()), clock_(parts.clock) {}

  Result<FleetPlan> by_pattern(const OpContext& op, drivers::TreeAccess& trees) {
    const auto& pattern = *request_.pattern;
    const Asking ask{.whole = op, .clock = clock_};
    HOMEPORT_TRY(const auto tree, trees.open_path(ask.now(), request_.base).context("open " + request_.base.str()));
    HOMEPORT_TRY(auto found, list_below(ask, *tree, request_.base, pattern.depth(),
                                        [&](const std::vector<std::string>& components) {
                                          return pattern.fits(components.size() - 1, components.back());
                                        }));
    const auto hashed = learn_names(pattern.encoding());
    plan_.entries.reserve(found.size());
    const auto root = tree->root();
    for (const auto index : order_of(found, request_.base.str().size())) {
      if (!plan_.entries.empty() && plan_.entries.back().path == found[index].path) continue;  // named twice
      plan_.entries.push_back(entry_by_pattern(pattern, hashed, std::move(found[index]), root));
    }
    base_is_free_ = !catalog_.space_around(request_.backend.str(), request_.base);
    return finish();
  }

  Result<FleetPlan> by_map(const OpContext& op, drivers::TreeAccess& trees, drivers::ExportDiscovery* exports) {
    exports_ = exports;
    // Whole parents are listed, not each home looked up: one question in place of hundreds.
    std::map<std::string, std::vector<const FleetLine*>> parents;
    for (const auto& line : request_.map) {
      const auto path =
          AbsolutePath::parse(line.path.starts_with('/') ? line.path : request_.base.str() + "/" + line.path);
      if (!path || path->str() == "/") {
        plan_.entries.push_back({.path = line.path, .user = line.user.str()});
        refuse(plan_.entries.back(), "odd-name", path ? "the root is nobody's home" : path.error().sentence());
        continue;
      }
      const auto slash = path->str().rfind('/');
      parents[slash == 0 ? "/" : path->str().substr(0, slash)].push_back(&line);
    }
    const Asking ask{.whole = op, .clock = clock_};
    for (const auto& [parent, lines] : parents) HOMEPORT_CHECK(add_parent(ask, trees, parent, lines));
    return finish();
  }

  // File systems in the place of directories. Only those that fit are mounted, to learn whose they are.
  Result<FleetPlan> by_array(const OpContext& op, Backend& backend) {
    HOMEPORT_TRY(auto* inventory, inventory_of(backend));
    HOMEPORT_TRY(const auto all, all_file_systems(op, *inventory));
    if (!request_.pattern) return by_array_map(op, backend, all);
    const auto hashed = learn_names(request_.pattern->encoding());
    for (const auto& one : all) {
      if (one.own) continue;
      const bool fits = request_.pattern->match({one.name}).has_value();
      HOMEPORT_TRY(const auto seen, fits ? look_at_file_system(op, backend, catalog_, one) : SeenFileSystem{});
      auto entry = entry_by_pattern(*request_.pattern, hashed, {.path = one.path, .attributes = seen.attributes}, {});
      if (!seen.refusal.empty()) refuse(entry, seen.refusal, seen.why);
      entry.remarks = one.remarks;
      plan_.entries.push_back(std::move(entry));
    }
    return finish();
  }

 private:
  Result<FleetPlan> by_array_map(const OpContext& op, Backend& backend,
                                 const std::vector<drivers::ArrayFileSystem>& all) {
    for (const auto& line : request_.map) {
      const auto path = line.path.starts_with('/') ? line.path : "/" + line.path;
      FleetEntry entry{.path = path, .user = line.user.str()};
      if (line.klass) entry.klass = line.klass->str();
      const auto one = std::ranges::find(all, path, &drivers::ArrayFileSystem::path);
      if (one == all.end()) {
        refuse(entry, "missing", "the array has no such file system; directories are imported without --from-array");
      } else {
        HOMEPORT_TRY(const auto seen, look_at_file_system(op, backend, catalog_, *one));
        const bool good = look_at(entry, seen.attributes, seen.attributes.fs);
        if (good && line.uid && *line.uid != entry.uid) refuse_owner(entry, *line.uid);
        if (!seen.refusal.empty()) refuse(entry, seen.refusal, seen.why);
        entry.remarks = one->remarks;
      }
      plan_.entries.push_back(std::move(entry));
    }
    return finish();
  }

  static void refuse_owner(FleetEntry& entry, std::uint32_t wanted) {
    refuse(entry, "owner-differs",
           "it belongs to uid " + std::to_string(entry.uid) + ", the map says " + std::to_string(wanted));
  }

  // How people's names are written where they end in a hash; also finds out whether anybody is known.
  std::unordered_map<std::string, std::string> learn_names(policies::NameEncoding encoding) {
    std::unordered_map<std::string, std::string> hashed;
    const auto learn = [&](const std::string& name) { hashed.emplace(encode_name(encoding, name), name); };
    const auto people = catalog_.users();
    for (const auto& user : people)
      for (const auto& name : catalog_.names_of(user->key)) learn(name);
    nobody_known_ = people.empty();
    for (const auto& name : request_.names) learn(name);
    return hashed;
  }

  static void refuse(FleetEntry& entry, std::string reason, std::string why) {
    entry.verdict = FleetVerdict::refused;
    entry.reason = std::move(reason);
    entry.why = std::move(why);
  }

  Result<void> add_parent(const Asking& ask, drivers::TreeAccess& trees, const std::string& parent,
                          const std::vector<const FleetLine*>& lines) {
    HOMEPORT_TRY(const auto path, AbsolutePath::parse(parent));
    const auto tree = trees.open_path(ask.now(), path);
    if (!tree && is_transient(tree.error().code)) return tree.error();
    std::map<std::string, drivers::EntryAttributes> found;
    std::map<std::string, std::string> unseen;
    if (tree) {
      HOMEPORT_TRY(const auto all, list_below(ask, **tree, path, 1, [](const auto&) { return false; }));
      for (const auto& one : all) {
        if (one.unseen.empty()) {
          found.insert_or_assign(last_component(one.path), one.attributes);
        } else {
          unseen.emplace(last_component(one.path), one.unseen);
        }
      }
    }
    for (const auto* line : lines) {
      const auto name = line->path.substr(line->path.rfind('/') + 1);
      FleetEntry entry{.path = joined(path, {name}), .user = line->user.str()};
      if (line->klass) entry.klass = line->klass->str();
      entry.quota = line->quota;
      const auto at = found.find(name);
      const bool apart = !tree || (at != found.end() && at->second.fs != (*tree)->root().attributes.fs);
      HOMEPORT_TRY(const auto own, apart ? own_export(ask.now(), trees, entry.path) : OwnExport(std::nullopt));
      bool good = false;
      if (own && own->type == drivers::EntryType::other) {
        refuse(entry, "overlaps", "it holds Homeport's administrative directory: homes are made in it, it is none");
      } else if (own) {
        good = look_at(entry, *own, own->fs);
      } else if (at == found.end() && unseen.contains(name)) {
        refuse(entry, "unreadable", unseen.at(name));
      } else if (at == found.end()) {
        refuse(entry, "missing", tree ? "there is no such directory" : tree.error().sentence());
      } else {
        good = look_at(entry, at->second, (*tree)->root().attributes.fs);
      }
      if (good && line->uid && *line->uid != entry.uid) refuse_owner(entry, *line->uid);
      plan_.entries.push_back(std::move(entry));
    }
    return {};
  }

  // A directory that is an export of its own, as arrays give one to each volume: what lies around it cannot be listed,
  // or is another filesystem. nullopt: it is none. Type `other`: it is a pool.
  using OwnExport = Result<std::optional<drivers::EntryAttributes>>;
  OwnExport own_export(const OpContext& op, drivers::TreeAccess& trees, const std::string& path) {
    const auto parsed = AbsolutePath::parse(path);
    if (exports_ == nullptr || !parsed) return std::optional<drivers::EntryAttributes>();
    const auto seen = exports_->inspect(op, *parsed);
    if (!seen && is_transient(seen.error().code)) return seen.error();
    if (!seen || seen->export_path != path) return std::optional<drivers::EntryAttributes>();
    HOMEPORT_TRY(const auto tree, trees.open_path(op, *parsed));
    HOMEPORT_TRY(const auto ours, tree->lookup(op, tree->root().node, kAdministrative));
    if (ours) return std::optional(drivers::EntryAttributes{.type = drivers::EntryType::other});
    return std::optional(drivers::EntryAttributes{
        .type = drivers::EntryType::directory, .mode = seen->mode, .uid = seen->owner.uid, .gid = seen->owner.gid});
  }

  // Owner and kind of the directory; false: it is refused. `around`: the filesystem that it should lie in.
  bool look_at(FleetEntry& entry, const drivers::EntryAttributes& attributes, std::uint64_t around) const {
    entry.uid = attributes.uid.value;
    entry.gid = attributes.gid.value;
    entry.mode = attributes.mode;
    entry.verdict = FleetVerdict::import;
    if (attributes.type == drivers::EntryType::symlink) {
      refuse(entry, "symlink", "it is a symbolic link; whoever can change it would choose what is mounted");
    } else if (attributes.type != drivers::EntryType::directory) {
      refuse(entry, "not-a-directory", "it is no directory");
    } else if (attributes.fs != around) {
      refuse(entry, "other-filesystem", "another filesystem is mounted there; import it from its own export");
    } else if (attributes.uid.value < request_.system_below) {
      refuse(entry, "system-owner",
             "it belongs to uid " + std::to_string(attributes.uid.value) + "; uids below " +
                 std::to_string(request_.system_below) + " are the system's");
    }
    return entry.verdict == FleetVerdict::import;
  }

  FleetEntry entry_by_pattern(const policies::HomePattern& pattern,
                              const std::unordered_map<std::string, std::string>& hashed, Found found,
                              const drivers::Entry& root) {
    FleetEntry entry{.path = std::move(found.path)};
    split_below(request_.base, entry.path, components_);
    if (!found.unseen.empty()) {
      refuse(entry, "unreadable", found.unseen);
      return entry;
    }
    const auto match = pattern.match(components_);
    entry.uid = found.attributes.uid.value;
    entry.gid = found.attributes.gid.value;
    entry.mode = found.attributes.mode;
    if (!match) {
      entry.why = "does not fit " + pattern.text();
      return entry;
    }
    entry.user = match->user;
    if (match->hashed) {
      const auto known = hashed.find(match->user_text);
      if (known != hashed.end()) {
        entry.user = known->second;
      } else {
        refuse(entry, "hashed-name", "the name is hashed and cannot be read back; give the hub's user names, or a map");
        return entry;
      }
    }
    if (!look_at(entry, found.attributes, root.attributes.fs)) return entry;
    if (!AbsolutePath::parse(entry.path)) refuse(entry, "odd-name", "the path holds control characters");
    if (const auto name = UserName::parse(entry.user); !name) refuse(entry, "odd-name", name.error().sentence());
    return entry;
  }

  // What only the whole and the catalog tell.
  FleetPlan finish() {
    const auto by_path = [](const FleetEntry& a, const FleetEntry& b) { return a.path < b.path; };
    if (!std::is_sorted(plan_.entries.begin(), plan_.entries.end(), by_path))
      std::stable_sort(plan_.entries.begin(), plan_.entries.end(), by_path);
    Counts counts;
    count_all(counts);
    for (std::size_t i = 0; i < plan_.entries.size(); ++i) {
      auto& entry = plan_.entries[i];
      if (entry.verdict != FleetVerdict::import) continue;
      const auto user = nobody_known_ ? nullptr : catalog_.user_by_name(request_.realm, entry.user);
      if (user && is_known(entry, *user)) {
        entry.verdict = FleetVerdict::known;
      } else if (*counts.of[i].user > 1) {
        refuse(entry, "two-to-one", "several directories fit " + printable(entry.user, 60) + "; choose one by a map");
      } else if (*counts.of[i].path > 1) {
        refuse(entry, "two-to-one", "the map gives this directory to several people");
      } else if (*counts.of[i].uid > 1) {
        refuse(entry, "uid-taken", "uid " + std::to_string(entry.uid) + " owns several of these homes");
      } else if (*counts.of[i].skeleton > 1 && !request_.allow_similar) {
        refuse(entry, "similar-name", "another name here looks the same; allow similar names if these are two people");
      } else {
        check_person(entry, user);
      }
    }
    return std::move(plan_);
  }

  // How many of the entries that could be imported have the same user, look of the name, path and uid.
  struct Counts {
    struct Of {
      const int* user = nullptr;
      const int* skeleton = nullptr;
      const int* path = nullptr;
      const int* uid = nullptr;
    };
    std::pmr::monotonic_buffer_resource memory{};  // given back in one piece
    std::vector<Of> of{};                          // by entry; the counts are found once, and stay where they are
    // Views of the entries, which stay where they are, too.
    std::pmr::unordered_map<std::string_view, int> users{&memory};
    std::pmr::unordered_map<std::pmr::string, int> skeletons{&memory};
    std::pmr::unordered_map<std::uint32_t, int> uids{&memory};
  };

  void count_all(Counts& counts) const {
    const auto n = plan_.entries.size();
    counts.of.resize(n);
    counts.users.reserve(n);
    counts.skeletons.reserve(n);
    counts.uids.reserve(n);
    for (std::size_t i = 0; i < n; ++i) {
      const auto& entry = plan_.entries[i];
      if (entry.verdict != FleetVerdict::import) continue;
      auto& of = counts.of[i];
      int& users = counts.users[entry.user];
      int& skeletons = counts.skeletons[std::pmr::string(name_skeleton(entry.user), &counts.memory)];
      int& uids = counts.uids[entry.uid];
      if (users++ == 0) ++skeletons;
      ++uids;
      of = {.user = &users, .skeleton = &skeletons, .path = &kOne, .uid = &uids};
    }
    // The same path twice: only in a map. The entries are in the order of their paths.
    std::optional<std::size_t> before;
    for (std::size_t i = 0; i < n; ++i) {
      if (counts.of[i].path == nullptr) continue;
      if (before && plan_.entries[i].path == plan_.entries[*before].path)
        counts.of[i].path = counts.of[*before].path = &kSeveral;
      before = i;
    }
  }

  SpacePtr space_around(const std::string& text) const {
    const auto path = AbsolutePath::parse(text);
    return path ? catalog_.space_around(request_.backend.str(), *path) : nullptr;
  }

  bool is_known(const FleetEntry& entry, const store::UserRecord& user) const {
    const auto home = catalog_.home(request_.realm, user.key);
    return home && home->imported && home->backend == request_.backend.str() && home->path == entry.path;
  }

  void check_person(FleetEntry& entry, const UserPtr& user) {
    if (!nobody_known_) check_known_people(entry, user);
    if (entry.verdict != FleetVerdict::import) return;
    const auto space = base_is_free_ ? nullptr : space_around(entry.path);
    if (space) return refuse(entry, "overlaps", "it overlaps " + space_words(*space, catalog_) + " at " + space->path);
    if (entry.klass.empty() && request_.klass) entry.klass = request_.klass->str();
    if (entry.klass.empty()) {
      entry.klass =
          policies::select(*rules_, {.user = entry.user, .groups = {}, .hub = request_.hub}).klass.value_or("");
    }
    if (!klass_ || klass_->name.str() != entry.klass) klass_ = catalog_.klass(entry.klass);
    if (!klass_) {
      refuse(entry, "no-class",
             entry.klass.empty() ? "no rule gives this person a class; name one"
                                 : "there is no class '" + printable(entry.klass, 60) + "'");
    }
  }

  void check_known_people(FleetEntry& entry, const UserPtr& user) const {
    if (user && catalog_.home(request_.realm, user->key)) {
      return refuse(entry, "has-home", printable(entry.user, 60) + " has another home already");
    }
    if (user && user->uid && *user->uid != entry.uid) {
      return refuse(entry, "owner-differs",
                    "it belongs to uid " + std::to_string(entry.uid) + "; " + printable(entry.user, 60) +
                        " is known with uid " + std::to_string(*user->uid));
    }
    const auto other = catalog_.user_with_uid(request_.realm, entry.uid);
    if (other && (!user || *other != user->key)) {
      const auto names = catalog_.names_of(*other);
      return refuse(entry, "uid-taken",
                    "uid " + std::to_string(entry.uid) + " belongs to " +
                        (names.empty() ? *other : printable(names.front(), 60)));
    }
    if (!user && !request_.allow_similar) {
      if (const auto similar = catalog_.similar_name(request_.realm, entry.user); !similar.empty())
        return refuse(entry, "similar-name", "it looks like '" + printable(similar, 60) + "', who is known already");
    }
  }

  const Catalog& catalog_;
  const FleetRequest& request_;
  const std::shared_ptr<const std::vector<policies::RuleFacts>> rules_;
  const Clock& clock_;
  drivers::ExportDiscovery* exports_ = nullptr;  // null: the backend has none
  FleetPlan plan_{};
  std::vector<std::string> components_{};  // of the entry in hand
  ClassPtr klass_{};                       // that of the entry before
  bool nobody_known_ = false;              // the catalog knows nobody: the first import of a site
  bool base_is_free_ = false;              // no space is known at, above or below the base
};

}  // namespace

std::string_view fleet_verdict_name(FleetVerdict verdict) {
  switch (verdict) {
    case FleetVerdict::import: return "import";
    case FleetVerdict::known: return "known";
    case FleetVerdict::unmatched: return "unmatched";
    case FleetVerdict::refused: return "refused";
  }
  return "refused";
}

std::size_t FleetPlan::count(FleetVerdict verdict) const {
  return static_cast<std::size_t>(
      std::count_if(entries.begin(), entries.end(), [&](const auto& entry) { return entry.verdict == verdict; }));
}

void plan_fleet(const Homes::Parts& parts, const Caller& caller, const FleetRequest& request,
                std::function<void(Result<FleetPlan>)> done) {
  auto backend = parts.backends.get_serving(request.backend.str());
  if (!backend) return done(std::move(backend).error());
  auto* trees = drivers::find<drivers::TreeAccess>((*backend)->driver());
  if (trees == nullptr) {
    return done(Error{.code = Errc::unsupported,
                      .message = "backend " + request.backend.str() + " cannot be looked into",
                      .hint = "import its homes one by one with `homeport home ensure USER --path`"});
  }
  parts.backends.run<FleetPlan>(
      *backend, caller,
      [parts, request, trees, keep = *backend](const OpContext& op) {
        Planner planner(parts, request);
        if (request.from_array) return planner.by_array(op, *keep);
        auto plan = request.pattern
                        ? planner.by_pattern(op, *trees)
                        : planner.by_map(op, *trees, drivers::find<drivers::ExportDiscovery>(keep->driver()));
        if (plan) plan->measure_rate = keep->spec().measure_rate;
        return plan;
      },
      std::move(done));
}

}  // namespace homeport::core
