// The API above the socket: access, idempotency, limits of time and the use cases behind each route.
#pragma once

#include <array>
#include <atomic>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "api/events.h"
#include "api/idempotency.h"
#include "api/responder.h"
#include "api/router.h"
#include "api/routes.h"
#include "provisioner/base/metrics.h"
#include "provisioner/base/worker_pool.h"
#include "provisioner/core/provisioner.h"

namespace homeport::api {

// What the process is doing. Everything but health, readiness, version and metrics is refused until `ready`.
enum class Phase { starting, standby, ready, stopping };

// Threads: every method from any thread. Everything in Parts must outlive it, and must outlive the jobs in the pool.
class Api {
 public:
  struct Parts {
    core::Provisioner& core;
    store::Store& store;
    Clock& clock;
    IdSource& ids;
    Metrics& metrics;
    const drivers::DriverFactory& factory;
    WorkerPool& workers;
  };
  struct Settings {
    std::string realm = "default";
    // Checks a backup and stages it for the next start; empty: there is no state to restore (memory store).
    std::function<Result<void>(const std::string& backup)> stage_restore{};
    int schema_version = 0;     // of the store, for GET /v1/version
    bool metrics_open = false;  // GET /metrics without a token
  };
  Api(Parts parts, Settings settings);
  ~Api();
  Api(const Api&) = delete;
  Api& operator=(const Api&) = delete;

  void set_phase(Phase phase, std::string detail);
  [[nodiscard]] Phase phase() const { return phase_.load(std::memory_order_acquire); }
  [[nodiscard]] std::string phase_detail() const;

  // For Router::create; ids are indexes into route_table().
  [[nodiscard]] static std::vector<Route> http_routes();
  // For HttpServer.
  [[nodiscard]] HttpHandlers handlers();
  [[nodiscard]] std::optional<Response> answer_inline(const Request& request);
  void answer(Request&& request, Responder responder);
  void observe(const Exchange& exchange);
  // Work at intervals: event streams, and counting what nobody else counts. The service calls it a few times a second.
  void tick();
  // No event streams from now on, and those that are open end.
  void close_streams() { events_.close(); }

  [[nodiscard]] const Parts& parts() const { return p_; }
  [[nodiscard]] core::Provisioner& core() { return p_.core; }
  [[nodiscard]] const core::Catalog& catalog() { return p_.core.catalog(); }
  [[nodiscard]] const Settings& settings() const { return settings_; }
  [[nodiscard]] Idempotency& idempotency() { return idempotency_; }
  [[nodiscard]] EventPump& events() { return events_; }
  // Counts a spec that was asked for, by the status of its answer.
  void count_spec(unsigned status, bool degraded = false);
  // Writes the refusal into the audit trail, on the pool. The same refusal again within ten seconds is one row.
  void audit_refusal(const policies::Principal& principal, const std::string& action, const std::string& subject,
                     const Error& why);

 private:
  struct RouteMetrics;
  // Who asks: by a token of our own, or what a hub said of its token (`asked`: just now). nullopt: the hub has to be
  // asked first.
  using Asked = std::optional<Result<core::HubPerson>>;
  [[nodiscard]] std::optional<Result<policies::Principal>> identify(const RouteEntry& entry, const Request& request,
                                                                    const Asked& asked) const;
  [[nodiscard]] std::optional<Result<policies::Principal>> admit(const RouteEntry& entry, const Request& request,
                                                                 const Asked& asked = std::nullopt);
  void ask_hub(const CallPtr& call, const RouteEntry& entry);
  Result<void> start(const CallPtr& call, const RouteEntry& entry, policies::Principal principal);
  [[nodiscard]] Error not_ready() const;
  void run(const CallPtr& call, const RouteEntry& entry);
  void run_keyed(const CallPtr& call, const RouteEntry& entry);
  void replay(const CallPtr& call, const store::AnswerRecord& record, Replay how);

  Parts p_;
  Settings settings_;
  Idempotency idempotency_;
  EventPump events_;
  std::array<Counter*, 5> specs_{};  // issued, blocked, pending, refused, degraded
  Counter* failed_jobs_ = nullptr;
  std::atomic<std::uint64_t> counted_jobs_{0};
  std::atomic<Phase> phase_{Phase::starting};
  mutable std::mutex mutex_;
  std::string detail_;                                  // under mutex_
  std::map<std::string, MonoTime> audited_;             // under mutex_
  std::vector<std::unique_ptr<RouteMetrics>> metrics_;  // one per route, the last for what matched none
};

}  // namespace homeport::api
