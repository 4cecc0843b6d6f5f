#include "provisioner/core/array_look.h"

#include <fnmatch.h>

#include <algorithm>
#include <atomic>
#include <memory>

#include "provisioner/core/space_work.h"

namespace homeport::core {
namespace {

constexpr std::size_t kMostFileSystems = 200'000;
constexpr std::size_t kMostFindings = 200;  // of open exports, each with its fix; the rest is counted

std::vector<Finding> findings_of(const Catalog& catalog, const std::string& backend,
                                 const std::vector<drivers::ArrayFileSystem>& all) {
  std::vector<Finding> out;
  std::size_t open = 0;
  for (const auto& one : all) {
    const auto space = space_on(catalog, backend, one);
    if (space) {
      if (auto what = replaced(*space, one); !what.empty()) {
        out.push_back({.level = "error",
                       .what = space_words(*space, catalog) + " on backend " + backend + ": " + what,
                       .hint = "nothing was changed; if it was put there on purpose, release the space and import it "
                               "again, else bring the right one back on the array"});
      }
    }
    if (one.open_to_all.empty() || ++open > kMostFindings) continue;
    out.push_back({.level = "warning",
                   .what = "backend " + backend + ": file system " + one.name +
                           (space ? " (" + space_words(*space, catalog) + ")" : std::string()) +
                           " lets everybody on the network in: " + one.open_to_all,
                   .hint = one.how_to_close});
  }
  if (open > kMostFindings) {
    out.push_back({.level = "warning",
                   .what = "backend " + backend + ": " + std::to_string(open - kMostFindings) +
                           " more file systems let everybody on the network in",
                   .hint = "an array's own default is *(rw,no_root_squash); mend these first, then look again"});
  }
  return out;
}

}  // namespace

Result<drivers::FileSystemInventory*> inventory_of(Backend& backend) {
  if (auto* inventory = drivers::find<drivers::FileSystemInventory>(backend.driver())) return inventory;
  return Error{.code = Errc::unsupported,
               .message = "backend " + backend.spec().name.str() + " is of kind " + backend.spec().kind +
                          ", which has no file systems of its own to list",
               .hint = "leave --from-array out: its homes and datasets are imported by their paths"};
}

Result<std::vector<drivers::ArrayFileSystem>> all_file_systems(const OpContext& op,
                                                               drivers::FileSystemInventory& inventory) {
  std::vector<drivers::ArrayFileSystem> out;
  std::optional<drivers::Cursor> from;
  do {
    HOMEPORT_TRY(from, inventory.file_systems(op, std::move(from), out));
    if (out.size() > kMostFileSystems)
      return Error{.code = Errc::too_large, .message = "the array has more than 200,000 file systems"};
  } while (from);
  std::ranges::stable_sort(out, {}, &drivers::ArrayFileSystem::name);
  // A listing that was changed meanwhile may give one twice.
  const auto same = [](const auto& a, const auto& b) { return a.id == b.id; };
  out.erase(std::unique(out.begin(), out.end(), same), out.end());
  return out;
}

SpacePtr space_on(const Catalog& catalog, std::string_view backend, const drivers::ArrayFileSystem& file_system) {
  const auto path = AbsolutePath::parse(file_system.path);
  auto space = path ? catalog.space_around(backend, *path) : nullptr;
  if (!space || space->layout != "filesystem" || space->path != file_system.path) return nullptr;
  return space;
}

std::string replaced(const store::SpaceRecord& space, const drivers::ArrayFileSystem& file_system) {
  if (space.backend_id.empty() || space.backend_id == file_system.id) return {};
  return "file system " + file_system.name + " is another one now (id " + file_system.id + "; " + space.key +
         " stands for id " + space.backend_id + ")";
}

Result<SeenFileSystem> look_at_file_system(const OpContext& op, Backend& backend, const Catalog& catalog,
                                           const drivers::ArrayFileSystem& file_system) {
  SeenFileSystem out;
  if (const auto space = space_on(catalog, backend.spec().name.str(), file_system)) {
    out.attributes.uid = Uid{space->uid};
    out.attributes.gid = Gid{space->gid};
    out.attributes.mode = space->mode;
    out.why = replaced(*space, file_system);
    if (!out.why.empty()) out.refusal = "replaced";
    return out;
  }
  out.refusal = file_system.refusal;
  out.why = file_system.why;
  if (!out.refusal.empty()) return out;
  HOMEPORT_TRY(const auto path, AbsolutePath::parse(file_system.path));
  const auto found = backend.driver().find(op, {.layout = drivers::Layout::filesystem, .pool = {}, .path = path});
  if (!found && is_transient(found.error().code)) return found.error();
  if (!found || !*found) {
    out.refusal = "unreadable";
    out.why = found ? "it went away meanwhile" : found.error().sentence();
    if (!found && !found.error().hint.empty()) out.why += "; " + found.error().hint;
    return out;
  }
  out.attributes.uid = (*found)->owner.uid;
  out.attributes.gid = (*found)->owner.gid;
  out.attributes.mode = (*found)->mode;
  return out;
}

void list_file_systems(const Homes::Parts& parts, const Caller& caller, std::string_view name, std::string match,
                       std::function<void(Result<std::vector<ListedFileSystem>>)> done) {
  auto backend = parts.backends.get_serving(name);
  if (!backend) return done(std::move(backend).error());
  auto inventory = inventory_of(**backend);
  if (!inventory) return done(std::move(inventory).error());
  auto work = [&catalog = parts.catalog, from = *inventory, match = std::move(match),
               keep = *backend](const OpContext& op) -> Result<std::vector<ListedFileSystem>> {
    HOMEPORT_TRY(auto all, all_file_systems(op, *from));
    std::vector<ListedFileSystem> out;
    for (auto& one : all) {
      if (!match.empty() && ::fnmatch(match.c_str(), one.name.c_str(), 0) != 0) continue;
      ListedFileSystem item{.file_system = std::move(one)};
      item.space = space_on(catalog, keep->spec().name.str(), item.file_system);
      if (item.space) item.replaced = replaced(*item.space, item.file_system);
      out.push_back(std::move(item));
    }
    return out;
  };
  parts.backends.run<std::vector<ListedFileSystem>>(*backend, caller, std::move(work), std::move(done));
}

void check_arrays(const Homes::Parts& parts, const Caller& caller, std::function<void(std::vector<Finding>)> done) {
  struct Gathering {
    Guarded<std::vector<Finding>> findings;
    std::atomic<std::size_t> left{1};  // one for this function itself
    std::function<void(std::vector<Finding>)> done;
    void end_one() {
      if (left.fetch_sub(1) == 1) done(findings.with([](auto& all) { return std::move(all); }));
    }
  };
  auto gathering = std::make_shared<Gathering>();
  gathering->done = std::move(done);
  for (const auto& each : parts.backends.all()) {
    const auto backend = parts.backends.get_serving(each->spec().name.str());  // a paused one is left in peace
    if (!backend) continue;
    const auto inventory = inventory_of(**backend);
    if (!inventory) continue;
    ++gathering->left;
    auto work = [from = *inventory](const OpContext& op) { return all_file_systems(op, *from); };
    parts.backends.run<std::vector<drivers::ArrayFileSystem>>(
        *backend, caller, std::move(work),
        [gathering, &catalog = parts.catalog,
         name = (*backend)->spec().name.str()](Result<std::vector<drivers::ArrayFileSystem>> all) {
          std::vector<Finding> found;
          if (all) {
            found = findings_of(catalog, name, *all);
          } else {
            found.push_back(
                {.level = "warning",
                 .what = "the exports of backend " + name + " could not be looked at: " + all.error().sentence(),
                 .hint = "`homeport backend probe " + name + "` tells more"});
          }
          gathering->findings.with([&](auto& to) {
            to.insert(to.end(), std::make_move_iterator(found.begin()), std::make_move_iterator(found.end()));
          });
          gathering->end_one();
        });
  }
  gathering->end_one();
}

}  // namespace homeport::core
