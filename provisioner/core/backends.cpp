#include "provisioner/core/backends.h"

#include <algorithm>
#include <set>
#include <tuple>
#include <utility>

#include "provisioner/base/log.h"

namespace homeport::core {
namespace {

// As many waiting jobs as a login storm of a large site brings; beyond that an early "later" helps more than a queue.
constexpr std::size_t kQueueLimit = 20000;

}  // namespace

Backend::Backend(BackendSpec spec, std::unique_ptr<drivers::StorageDriver> driver,
                 std::shared_ptr<std::atomic<std::uint64_t>> reachability_changes)
    : spec_(std::move(spec)),
      reachability_changes_(std::move(reachability_changes)),
      driver_(std::move(driver)),
      workers_("backend " + spec_.name.str(), spec_.workers, kQueueLimit) {}

void Backend::note(const std::function<void(BackendHealth&)>& change) {
  const bool turned = health_.with([&](BackendHealth& h) {
    const auto before = std::tuple(h.management, h.data, h.troubled, h.missing);
    change(h);
    return before != std::tuple(h.management, h.data, h.troubled, h.missing);
  });
  if (turned) reachability_changes_->fetch_add(1, std::memory_order_acq_rel);
}

void Backend::note_success(WallTime now) {
  const bool one_path = driver_->info()->management_is_data;
  note([&](BackendHealth& h) {
    h.management = Reachability::ok;
    if (one_path) h.data = Reachability::ok;
    h.last_contact = now;
    h.last_error.clear();
  });
}

void Backend::note_failure(const Error& error, WallTime now) {
  const bool lost = error.code == Errc::unavailable || error.code == Errc::timed_out;
  if (!lost) {
    // It answered, if only to say no.
    if (error.code != Errc::cancelled && error.code != Errc::internal) note_success(now);
    return;
  }
  note([&](BackendHealth& h) {
    h.management = Reachability::unreachable;
    h.last_error = error.sentence();
  });
}

void Backend::note_lost(const Error& error, bool data_too) {
  note([&](BackendHealth& h) {
    h.management = Reachability::unreachable;
    if (data_too) h.data = Reachability::unreachable;
    h.last_error = error.sentence();
  });
}

void Backend::note_probe(const drivers::ProbeReport& report, WallTime now) {
  note([&](BackendHealth& h) {
    h.management = report.management_ok ? Reachability::ok : Reachability::unreachable;
    h.data = report.data_ok ? Reachability::ok : Reachability::unreachable;
    if (report.management_ok) h.last_contact = now;
    h.last_error.clear();
    for (const auto& check : report.checks) {
      if (check.status == drivers::CheckStatus::failed && h.last_error.empty())
        h.last_error = check.name + ": " + check.detail;
    }
  });
}

void Backend::note_pools(std::vector<drivers::Pool> pools, WallTime now) {
  note_success(now);
  note([&](BackendHealth& h) { h.pools = std::move(pools); });
}

void Backend::note_troubled(std::map<std::string, std::string> troubled) {
  const auto before = health().troubled;
  for (const auto& [pool, why] : troubled) {
    if (!before.contains(pool))
      log::error("pool is not served", {{"backend", spec_.name.str()}, {"pool", pool}, {"why", why}});
  }
  for (const auto& [pool, why] : before) {
    if (!troubled.contains(pool)) log::info("pool is served again", {{"backend", spec_.name.str()}, {"pool", pool}});
  }
  note([&](BackendHealth& h) { h.troubled = std::move(troubled); });
}

void Backend::note_missing(std::map<std::string, std::string> missing) {
  const auto before = health().missing;
  for (const auto& [space, why] : missing) {
    if (!before.contains(space)) log::error("import is gone", {{"space", space}, {"why", why}});
  }
  for (const auto& [space, why] : before) {
    if (!missing.contains(space)) log::info("import is back", {{"space", space}});
  }
  note([&](BackendHealth& h) { h.missing = std::move(missing); });
}

void Backends::follow_catalog() {
  const std::lock_guard lock(mutex_);
  const auto wanted = catalog_.backends();  // under the lock: nobody acts on an older picture after a newer one
  std::set<std::string, std::less<>> names;
  for (const auto& record : wanted) {
    names.insert(record.name);
    const auto seen = revisions_.find(record.name);
    if (seen != revisions_.end() && seen->second >= record.revision) continue;
    revisions_[record.name] = record.revision;
    const auto old = backends_.find(record.name);
    if (old != backends_.end() && old->second->spec().section == record.section) continue;  // only flags changed
    if (old != backends_.end()) {
      replaced_.push_back(old->second);
      backends_.erase(old);
    }
    failures_.erase(record.name);
    const Document document{.root = record.section, .source = "backend " + record.name};
    Problems problems(document);
    DocReader in = DocReader::root(problems);
    auto spec = read_backend(in, factory_);
    Result<std::unique_ptr<drivers::StorageDriver>> driver =
        spec && problems.none()
            ? factory_.make(record.kind, record.name, record.section)
            : Result<std::unique_ptr<drivers::StorageDriver>>(
                  problems.none() ? Error{.code = Errc::invalid_argument, .message = "unreadable section"}
                                  : problems.to_error());
    if (!driver) {
      // Visible and repairable, never a reason not to start; the next time it is tried again.
      revisions_.erase(record.name);
      failures_[record.name] = driver.error().sentence();
      log::error("backend cannot be made", {{"backend", record.name}, {"why", driver.error().to_string()}});
      continue;
    }
    spec->section = record.section;
    backends_[record.name] =
        std::make_shared<Backend>(std::move(*spec), std::move(driver).value(), reachability_changes_);
  }
  const auto gone = [&](const auto& entry) { return !names.contains(entry.first); };
  for (const auto& [name, backend] : backends_) {
    if (!names.contains(name)) replaced_.push_back(backend);
  }
  std::erase_if(backends_, gone);
  std::erase_if(revisions_, gone);
  std::erase_if(failures_, gone);
}

void Backends::reap() {
  std::vector<BackendPtr> ended;  // destroyed outside the lock
  const std::lock_guard lock(mutex_);
  for (auto at = replaced_.begin(); at != replaced_.end();) {
    if (at->use_count() == 1 && (*at)->workers().queued() == 0) {
      ended.push_back(std::move(*at));
      at = replaced_.erase(at);
    } else {
      ++at;
    }
  }
}

void Backends::drain(std::chrono::milliseconds limit) {
  std::vector<BackendPtr> every;
  {
    const std::lock_guard lock(mutex_);
    every = replaced_;
    for (const auto& [name, backend] : backends_) every.push_back(backend);
  }
  const auto end = clock_.mono() + limit;
  for (const auto& backend : every) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - clock_.mono());
    backend->workers().drain(std::max(left, std::chrono::milliseconds(1)));
  }
}

std::vector<BackendPtr> Backends::all() const {
  const std::lock_guard lock(mutex_);
  std::vector<BackendPtr> out;
  for (const auto& [name, backend] : backends_) out.push_back(backend);
  return out;
}

Result<BackendPtr> Backends::get(std::string_view name) const {
  const std::lock_guard lock(mutex_);
  if (const auto at = backends_.find(name); at != backends_.end()) return at->second;
  if (const auto failed = failures_.find(name); failed != failures_.end()) {
    return Error{.code = Errc::failed_precondition,
                 .message = "backend " + std::string(name) + " could not be set up: " + failed->second,
                 .hint = "mend its configuration and apply it again"};
  }
  std::string known;
  for (const auto& [other, backend] : backends_) known += (known.empty() ? "" : ", ") + other;
  return Error{.code = Errc::not_found,
               .message = "there is no backend '" + printable(name, 60) + "'",
               .hint = known.empty()
                           ? "no backend is configured: write one under desired: or use `homeport apply -f FILE`"
                           : "the backends are: " + known};
}

Result<BackendPtr> Backends::get_serving(std::string_view name) const {
  HOMEPORT_TRY(auto backend, get(name));
  const auto record = catalog_.backend(name);
  if (record && record->paused) {
    return Error{.code = Errc::failed_precondition,
                 .message = "backend " + std::string(name) + " is paused: " + record->pause_text,
                 .hint = "`homeport backend resume " + std::string(name) + "` ends the pause"};
  }
  return backend;
}

std::string Backends::construction_error(std::string_view name) const {
  const std::lock_guard lock(mutex_);
  const auto at = failures_.find(name);
  return at == failures_.end() ? std::string() : at->second;
}

}  // namespace homeport::core
