#include "provisioner/core/fleet_plan.h"

#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>
#include <utility>

#include "policies/select.h"
#include "provisioner/core/space_work.h"

namespace homeport::core {
namespace {

constexpr std::size_t kDirectoriesAtOnce = 32;
constexpr std::size_t kMostEntries = 200'000;
constexpr std::string_view kAdministrative = ".homeport";

struct Found {
  std::string path;
  std::vector<std::string> components;  // below the base
  std::optional<drivers::EntryAttributes> attributes{};
};

struct Directory {
  drivers::Node node;
  std::vector<std::string> components;
  std::optional<drivers::Cursor> from{};
};

std::string joined(const AbsolutePath& base, const std::vector<std::string>& components) {
  std::string out = base.str() == "/" ? "" : base.str();
  for (const auto& component : components) out += "/" + component;
  return out;
}

Result<void> as_status(const Result<drivers::ListPage>& page) {
  if (page) return {};
  return page.error();
}

// Level by level, many directories in flight; `enter` says which are looked into.
Result<std::vector<Found>> list_below(const OpContext& op, drivers::Tree& tree, const AbsolutePath& base,
                                      std::size_t depth,
                                      const std::function<bool(const std::vector<std::string>&)>& enter) {
  std::vector<Found> out;
  std::vector<Directory> waiting{{.node = tree.root().node, .components = {}}};
  while (!waiting.empty()) {
    const auto n = static_cast<std::ptrdiff_t>(std::min(kDirectoriesAtOnce, waiting.size()));
    const std::vector<Directory> batch(waiting.end() - n, waiting.end());
    waiting.resize(waiting.size() - static_cast<std::size_t>(n));
    std::vector<drivers::ListRequest> requests;
    for (const auto& directory : batch) requests.push_back({.directory = directory.node, .from = directory.from});
    auto pages = tree.list(op, requests);
    for (std::size_t i = 0; i < pages.size(); ++i) {
      HOMEPORT_CHECK(as_status(pages[i]).context("list " + joined(base, batch[i].components)));
      if (pages[i]->next)
        waiting.push_back({.node = batch[i].node, .components = batch[i].components, .from = pages[i]->next});
      for (auto& entry : pages[i]->entries) {
        auto components = batch[i].components;
        components.push_back(std::move(entry.name));
        if (components.size() == 1 && components.front() == kAdministrative) continue;
        const bool deeper = components.size() < depth && entry.attributes.type == drivers::EntryType::directory &&
                            entry.attributes.fs == tree.root().attributes.fs && enter(components);
        if (deeper) {
          waiting.push_back({.node = entry.node, .components = std::move(components)});
          continue;
        }
        if (out.size() >= kMostEntries) {
          return Error{.code = Errc::too_large,
                       .message = base.str() + " holds more than 200,000 entries",
                       .hint = "import it in parts: a deeper base, or a map"};
        }
        out.push_back({.path = joined(base, components), .components = components, .attributes = entry.attributes});
      }
    }
  }
  std::sort(out.begin(), out.end(), [](const Found& a, const Found& b) { return a.path < b.path; });
  return out;
}

class Planner {
 public:
  Planner(const Homes::Parts& parts, const FleetRequest& request)
      : catalog_(parts.catalog), request_(request), rules_(parts.catalog.rules()) {}

  Result<FleetPlan> by_pattern(const OpContext& op, drivers::TreeAccess& trees) {
    const auto& pattern = *request_.pattern;
    HOMEPORT_TRY(const auto tree, trees.open_path(op, request_.base).context("open " + request_.base.str()));
    HOMEPORT_TRY(const auto found,
                 list_below(op, *tree, request_.base, pattern.depth(), [&](const std::vector<std::string>& components) {
                   return pattern.fits(components.size() - 1, components.back());
                 }));
    std::unordered_map<std::string, std::string> hashed;
    const auto learn = [&](const std::string& name) { hashed.emplace(encode_name(pattern.encoding(), name), name); };
    for (const auto& user : catalog_.users())
      for (const auto& name : catalog_.names_of(user->key)) learn(name);
    for (const auto& name : request_.names) learn(name);
    for (const auto& one : found) plan_.entries.push_back(entry_by_pattern(pattern, hashed, one, tree->root()));
    return finish();
  }

  Result<FleetPlan> by_map(const OpContext& op, drivers::TreeAccess& trees) {
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
    for (const auto& [parent, lines] : parents) HOMEPORT_CHECK(add_parent(op, trees, parent, lines));
    return finish();
  }

 private:
  static void refuse(FleetEntry& entry, std::string reason, std::string why) {
    entry.verdict = FleetVerdict::refused;
    entry.reason = std::move(reason);
    entry.why = std::move(why);
  }

  Result<void> add_parent(const OpContext& op, drivers::TreeAccess& trees, const std::string& parent,
                          const std::vector<const FleetLine*>& lines) {
    HOMEPORT_TRY(const auto path, AbsolutePath::parse(parent));
    const auto tree = trees.open_path(op, path);
    if (!tree && is_transient(tree.error().code)) return tree.error();
    std::map<std::string, drivers::EntryAttributes> found;
    if (tree) {
      HOMEPORT_TRY(const auto all, list_below(op, **tree, path, 1, [](const auto&) { return false; }));
      for (const auto& one : all) found.emplace(one.components.back(), *one.attributes);
    }
    for (const auto* line : lines) {
      const auto name = line->path.substr(line->path.rfind('/') + 1);
      FleetEntry entry{.path = joined(path, {name}), .user = line->user.str()};
      if (line->klass) entry.klass = line->klass->str();
      entry.quota = line->quota;
      const auto at = found.find(name);
      if (at == found.end()) {
        refuse(entry, "missing", tree ? "there is no such directory" : tree.error().sentence());
      } else if (look_at(entry, at->second, (*tree)->root()) && line->uid && *line->uid != entry.uid) {
        refuse(entry, "owner-differs",
               "it belongs to uid " + std::to_string(entry.uid) + ", the map says " + std::to_string(*line->uid));
      }
      plan_.entries.push_back(std::move(entry));
    }
    return {};
  }

  // Owner and kind of the directory; false: it is refused.
  bool look_at(FleetEntry& entry, const drivers::EntryAttributes& attributes, const drivers::Entry& root) const {
    entry.uid = attributes.uid.value;
    entry.gid = attributes.gid.value;
    entry.mode = attributes.mode;
    entry.verdict = FleetVerdict::import;
    if (attributes.type == drivers::EntryType::symlink) {
      refuse(entry, "symlink", "it is a symbolic link; whoever can change it would choose what is mounted");
    } else if (attributes.type != drivers::EntryType::directory) {
      refuse(entry, "not-a-directory", "it is no directory");
    } else if (attributes.fs != root.attributes.fs) {
      refuse(entry, "other-filesystem", "another filesystem is mounted there; import it from its own export");
    } else if (attributes.uid.value < request_.system_below) {
      refuse(entry, "system-owner",
             "it belongs to uid " + std::to_string(attributes.uid.value) + "; uids below " +
                 std::to_string(request_.system_below) + " are the system's");
    }
    return entry.verdict == FleetVerdict::import;
  }

  FleetEntry entry_by_pattern(const policies::HomePattern& pattern,
                              const std::unordered_map<std::string, std::string>& hashed, const Found& found,
                              const drivers::Entry& root) const {
    FleetEntry entry{.path = found.path};
    const auto match = pattern.match(found.components);
    entry.uid = found.attributes->uid.value;
    entry.gid = found.attributes->gid.value;
    entry.mode = found.attributes->mode;
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
    if (!look_at(entry, *found.attributes, root)) return entry;
    if (!AbsolutePath::parse(entry.path)) refuse(entry, "odd-name", "the path holds control characters");
    if (const auto name = UserName::parse(entry.user); !name) refuse(entry, "odd-name", name.error().sentence());
    return entry;
  }

  // What only the whole and the catalog tell.
  FleetPlan finish() {
    std::map<std::string, int> users;
    std::map<std::string, int> skeletons;
    std::map<std::uint32_t, int> uids;
    std::map<std::string, int> paths;
    for (const auto& entry : plan_.entries) {
      if (entry.verdict != FleetVerdict::import) continue;
      ++uids[entry.uid];
      ++paths[entry.path];
      if (users[entry.user]++ == 0) ++skeletons[name_skeleton(entry.user)];
    }
    for (auto& entry : plan_.entries) {
      if (entry.verdict != FleetVerdict::import) continue;
      if (is_known(entry)) {
        entry.verdict = FleetVerdict::known;
      } else if (users[entry.user] > 1) {
        refuse(entry, "two-to-one", "several directories fit " + printable(entry.user, 60) + "; choose one by a map");
      } else if (paths[entry.path] > 1) {
        refuse(entry, "two-to-one", "the map gives this directory to several people");
      } else if (uids[entry.uid] > 1) {
        refuse(entry, "uid-taken", "uid " + std::to_string(entry.uid) + " owns several of these homes");
      } else if (skeletons[name_skeleton(entry.user)] > 1 && !request_.allow_similar) {
        refuse(entry, "similar-name", "another name here looks the same; allow similar names if these are two people");
      } else {
        check_person(entry);
      }
    }
    std::stable_sort(plan_.entries.begin(), plan_.entries.end(),
                     [](const FleetEntry& a, const FleetEntry& b) { return a.path < b.path; });
    return std::move(plan_);
  }

  bool is_known(const FleetEntry& entry) const {
    const auto user = catalog_.user_by_name(request_.realm, entry.user);
    if (!user) return false;
    const auto home = catalog_.space_by_label("home/" + request_.realm + "/" + user->key + "/");
    return home && home->imported && home->backend == request_.backend.str() && home->path == entry.path;
  }

  void check_person(FleetEntry& entry) const {
    const auto user = catalog_.user_by_name(request_.realm, entry.user);
    if (user && catalog_.space_by_label("home/" + request_.realm + "/" + user->key + "/")) {
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
    const auto path = AbsolutePath::parse(entry.path);
    const auto space = path ? catalog_.space_around(request_.backend.str(), *path) : nullptr;
    if (space) return refuse(entry, "overlaps", "it overlaps " + space_words(*space, catalog_) + " at " + space->path);
    if (entry.klass.empty() && request_.klass) entry.klass = request_.klass->str();
    if (entry.klass.empty()) {
      entry.klass =
          policies::select(*rules_, {.user = entry.user, .groups = {}, .hub = request_.hub}).klass.value_or("");
    }
    if (!catalog_.klass(entry.klass)) {
      refuse(entry, "no-class",
             entry.klass.empty() ? "no rule gives this person a class; name one"
                                 : "there is no class '" + printable(entry.klass, 60) + "'");
    }
  }

  const Catalog& catalog_;
  const FleetRequest& request_;
  const std::shared_ptr<const std::vector<policies::RuleFacts>> rules_;
  FleetPlan plan_{};
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
        return request.pattern ? planner.by_pattern(op, *trees) : planner.by_map(op, *trees);
      },
      std::move(done));
}

}  // namespace homeport::core
