#include "provisioner/core/snapshot_limits.h"

#include <algorithm>
#include <map>
#include <utility>

#include "provisioner/core/space_work.h"

namespace homeport::core {
namespace {

constexpr double kSoonFull = 0.9;
constexpr const char* kLess =
    "keep fewer snapshots, use a class of layout directory (one set of snapshots for a whole pool), or another backend";

bool has_own_file_systems(const ClassSpec& klass) {
  return klass.layout == "filesystem";
}

std::uint64_t kept_by(const ClassSpec& klass) {
  return klass.snapshots ? klass.snapshots->kept() : 0;
}

std::string words_of(const ClassSpec& klass) {
  return "class " + klass.name.str() + " keeps " + std::to_string(kept_by(klass)) + " snapshots of each home (" +
         klass.snapshots->words() + ")";
}

struct Promise {
  std::uint64_t file_systems = 0;  // of their own
  std::uint64_t snapshots = 0;     // of all of them, and of pools
};

Promise promised(const Catalog& catalog, const std::string& backend, WallTime now) {
  Promise out;
  for (const auto& [name, count] : catalog.own_file_systems(backend, now)) {
    const auto klass = catalog.klass(name);
    out.file_systems += count;
    if (klass) out.snapshots += count * kept_by(*klass);
  }
  std::map<std::string, std::uint64_t> pools;  // several classes may share one
  for (const auto& klass : catalog.classes()) {
    if (klass->backend.str() != backend || has_own_file_systems(*klass)) continue;
    auto& most = pools[klass->pool];
    most = std::max(most, kept_by(*klass));
  }
  for (const auto& [pool, most] : pools) out.snapshots += most;
  return out;
}

drivers::Capabilities limits_of(const Backend& backend, const ClassSpec& klass) {
  const auto layout = drivers::layout_from_name(klass.layout).value_or(drivers::Layout::directory);
  return capabilities_of(backend.driver(), layout);
}

// What a single space asks of the backend, whatever else stands there.
Result<void> check_each(const Backend& backend, const ClassSpec& klass) {
  const auto most = limits_of(backend, klass).max_snapshots_per_object;
  if (!most || kept_by(klass) <= *most) return {};
  return Error{.code = Errc::out_of_capacity,
               .message = words_of(klass) + ", and a file system on backend " + backend.spec().name.str() + " bears " +
                          std::to_string(*most),
               .hint = kLess};
}

Result<void> check_all(const Catalog& catalog, const Backend& backend, const ClassSpec& klass, WallTime now) {
  const auto most = limits_of(backend, klass).max_snapshots;
  if (!most) return {};
  const auto& name = backend.spec().name.str();
  const auto have = promised(catalog, name, now);
  if (have.snapshots + kept_by(klass) > *most) {
    return Error{.code = Errc::out_of_capacity,
                 .message = words_of(klass) + "; backend " + name + " bears " + std::to_string(*most) +
                            " in all, and what stands there may come to " + std::to_string(have.snapshots) + " (" +
                            std::to_string(have.file_systems) + " homes with file systems of their own)",
                 .hint = kLess};
  }
  for (const auto& pool : backend.health().pools) {
    if (pool.layout != drivers::Layout::filesystem || !pool.snapshots_left) continue;
    if (*pool.snapshots_left >= kept_by(klass)) return {};
    return Error{.code = Errc::out_of_capacity,
                 .message = words_of(klass) + ", and backend " + name + " takes only " +
                            std::to_string(*pool.snapshots_left) + " more, those of others counted",
                 .hint = "remove snapshots on it; destroyed ones count until they are eradicated"};
  }
  return {};
}

void add_backend(const Catalog& catalog, const Backend& backend, WallTime now, std::vector<Finding>& out) {
  const auto info = backend.driver().info();
  const auto layout = info->layouts.find(drivers::Layout::filesystem);
  if (layout == info->layouts.end() || !layout->second.max_snapshots) return;
  const auto most = *layout->second.max_snapshots;
  const auto& name = backend.spec().name.str();
  const auto have = promised(catalog, name, now);
  if (static_cast<double>(have.snapshots) < kSoonFull * static_cast<double>(most)) return;
  out.push_back({.level = have.snapshots > most ? "error" : "warning",
                 .what = "the classes on backend " + name + " keep up to " + std::to_string(have.snapshots) +
                         " snapshots (" + std::to_string(have.file_systems) +
                         " homes with file systems of their own); it bears " + std::to_string(most),
                 .hint = kLess});
}

}  // namespace

Result<void> check_snapshot_room(const Catalog& catalog, const Backend& backend, const ClassSpec& klass, WallTime now) {
  if (kept_by(klass) == 0 || !has_own_file_systems(klass)) return {};
  HOMEPORT_CHECK(check_each(backend, klass));
  return check_all(catalog, backend, klass, now);
}

std::vector<Finding> snapshot_findings(const Catalog& catalog, const Backends& backends, WallTime now) {
  std::vector<Finding> out;
  for (const auto& klass : catalog.classes()) {
    const auto backend = backends.get(klass->backend.str());
    if (!backend || kept_by(*klass) == 0) continue;
    if (const auto fits = check_each(**backend, *klass); !fits)
      out.push_back({.level = "error", .what = "no home is made: " + fits.error().message, .hint = fits.error().hint});
  }
  for (const auto& backend : backends.all()) add_backend(catalog, *backend, now, out);
  return out;
}

}  // namespace homeport::core
