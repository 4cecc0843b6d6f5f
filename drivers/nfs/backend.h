// What the parts of this driver share: the configuration, one Site per export, and what was learned of the server.
//
// Threads: every method from any thread.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "drivers/core/factory.h"
#include "drivers/nfs/nfs_config.h"
#include "drivers/nfs/nfs_status.h"
#include "drivers/nfs/session_pool.h"
#include "provisioner/base/guarded.h"
#include "provisioner/base/id_source.h"

namespace homeport::drivers::nfs {

// The directories of one export that the driver works in. A Node without a handle: not there yet.
struct Directories {
  Node homes_parent;
  Entry homes;
  std::string homes_path;  // "/export/homes/homes"
  Entry admin;
  std::string admin_path;  // "/export/homes/.homeport"
  Entry markers;
  Entry trash;
  [[nodiscard]] std::string markers_path() const { return admin_path + "/markers"; }
  [[nodiscard]] std::string trash_path() const { return admin_path + "/trash"; }
};

// One export of the server. `pool` is null for one that only holds imported spaces.
struct Site {
  Site(const Reach& reach, std::string path, const PoolConfig* of, std::uint32_t limit)
      : export_path(path), pool(of), sessions(reach, std::move(path), limit) {}
  const std::string export_path;
  const PoolConfig* const pool;
  SessionPool sessions;
  Guarded<std::optional<Directories>> known;  // only complete ones
};

class Backend {
 public:
  Backend(std::string name, NfsConfig config, const DriverEnvironment& env);

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] const NfsConfig& config() const { return config_; }
  [[nodiscard]] const Clock& clock() const { return *clock_; }
  [[nodiscard]] const std::string& prefix() const { return prefix_; }
  [[nodiscard]] Reach reach() const { return {.service = config_.service, .clock = *clock_}; }
  [[nodiscard]] std::string nonce() const { return hex16(ids_->random64()); }

  // Errors: unsupported for another layout, not_found for a pool that is not configured.
  Result<Site*> pool_site(Layout layout, const std::string& pool);
  // Any export; stays for the life of the driver.
  Site& export_site(const std::string& export_path);

  [[nodiscard]] std::shared_ptr<const DriverInfo> info() const;
  void learn_contact();
  // The server makes a request of uid 0 one of `uid`; nullopt: it lets root be root.
  void learn_identity(std::optional<Owner> squashed);
  // Whom the server makes of us, as far as it is known.
  [[nodiscard]] std::optional<Uid> squashed_uid() const;

  // "homes/hp-h-…" as people see it.
  [[nodiscard]] static std::string join(const std::string& base, std::string_view part);
  [[nodiscard]] std::string homes_path(const PoolConfig& pool) const;

 private:
  [[nodiscard]] DriverInfo describe(std::uint64_t generation, bool known, const std::optional<Owner>& squashed) const;

  const std::string name_;
  const NfsConfig config_;
  const Clock* const clock_;
  const std::string prefix_;
  const std::unique_ptr<IdSource> ids_;
  struct Learned {
    std::shared_ptr<const DriverInfo> info;
    bool contact = false;
    std::optional<Owner> squashed;
  };
  Guarded<Learned> learned_;
  std::atomic<bool> in_contact_{false};
  Guarded<std::map<std::string, std::unique_ptr<Site>>> sites_;
};

// Runs fn(Session&) with a session of the site. When the server no longer knows a handle, everything remembered of the
// export is dropped, it is mounted again, and fn runs once more: every fn here may run twice.
template <class Fn>
auto with_session(const OpContext& op, Backend& backend, Site& site, Fn fn) -> decltype(fn(std::declval<Session&>())) {
  HOMEPORT_TRY(auto lease, site.sessions.lease(op));
  backend.learn_contact();
  auto result = fn(*lease);
  if (result || !is_stale(result.error())) return result;
  site.known.with([](auto& known) { known.reset(); });
  if (auto mounted = lease->remount(op); !mounted) {
    lease.mark_bad();
    return std::move(mounted).error();
  }
  return fn(*lease);
}

}  // namespace homeport::drivers::nfs
