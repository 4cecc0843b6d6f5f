#include "api/service.h"

#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <iostream>
#include <mutex>
#include <thread>

#include "api/api.h"
#include "api/http_server.h"
#include "api/leadership.h"
#include "api/service_settings.h"
#include "drivers/hub/jupyterhub.h"
#include "drivers/kubernetes/kubernetes_cluster.h"
#include "drivers/registry/registry.h"
#include "provisioner/base/id_source.h"
#include "provisioner/base/log.h"
#include "provisioner/base/metrics.h"
#include "provisioner/store/open.h"

namespace homeport::api {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::size_t kWorkers = 16;
constexpr std::size_t kWorkQueue = 512;
constexpr milliseconds kTick{250};
constexpr seconds kStopLimit{10};      // the whole stop
constexpr seconds kFinishRequests{2};  // handlers that are at work
constexpr seconds kFinishAnswers{3};   // answers that are being written

void print_problem(const std::string& what, const Error& error) {
  std::cerr << "homeportd: " << what << (what.empty() ? "" : ": ") << error.sentence() << '\n';
  if (!error.hint.empty()) std::cerr << "  hint: " << error.hint << '\n';
}

// What a factory needs before the configuration is known: enough to validate.
struct Workshop {
  std::unique_ptr<Clock> clock = make_system_clock();
  std::unique_ptr<IdSource> ids = make_system_ids();
  std::unique_ptr<Metrics> metrics = make_metrics();
  [[nodiscard]] std::unique_ptr<drivers::DriverFactory> factory(const std::string& name_prefix) const {
    return drivers::make_driver_factory({.clock = clock.get(), .metrics = metrics.get(), .name_prefix = name_prefix});
  }
};

sigset_t handled_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&set, signal);
  return set;
}

std::vector<core::HubEntry> make_hubs(const std::vector<config::HubSection>& sections, const Clock& clock) {
  std::vector<core::HubEntry> out;
  for (const auto& hub : sections) {
    const drivers::hub::JupyterHubSettings access{
        .name = hub.name, .url = hub.url, .ca_file = hub.ca_file, .token = hub.token};
    out.push_back({.settings = {.name = hub.name,
                                .realm = hub.realm,
                                .address = hub.url.to_string(),
                                .timeout = hub.timeout,
                                .cache = hub.cache,
                                .new_per_second = hub.new_per_second,
                                .lists_users = hub.token.has_value(),
                                .reconcile_every = hub.reconcile_every,
                                .most_gone_percent = hub.most_gone_percent,
                                .recreated_is_same = hub.recreated_is_same},
                   .hub = drivers::hub::make_jupyterhub(access, clock)});
  }
  return out;
}

// One running service. Members are destroyed in the opposite order: nobody outlives what it uses.
class Service {
 public:
  Service(Settings settings, ServiceOptions options, Workshop& workshop)
      : settings_(std::move(settings)), options_(std::move(options)), shop_(workshop) {}

  Result<void> start();
  int run();

 private:
  [[nodiscard]] const config::Config& config() const { return settings_.config; }
  void conduct(const std::stop_token& stop);
  Result<void> become_ready();
  void give_up(int code, const Error& why);
  void reload();
  void stop();

  Settings settings_;
  const ServiceOptions options_;
  Workshop& shop_;
  std::unique_ptr<drivers::DriverFactory> factory_;
  std::unique_ptr<core::Cluster> cluster_;
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<Leadership> leadership_;
  std::unique_ptr<core::Provisioner> core_;
  std::unique_ptr<WorkerPool> workers_;
  std::unique_ptr<Api> api_;
  std::unique_ptr<HttpServer> server_;
  std::atomic<int> exit_code_{kExitOk};
  std::atomic<bool> leading_{false};
  std::jthread ticker_;
  std::jthread conductor_;
};

Result<void> Service::start() {
  const auto& directory = config().store.directory;
  HOMEPORT_CHECK(make_state_directory(directory));
  factory_ = shop_.factory(config().name_prefix);
  if (config().kubernetes) cluster_ = drivers::kubernetes::make_cluster(*config().kubernetes, *shop_.clock);
  HOMEPORT_TRY(store_, store::open_sqlite_store(directory, *shop_.clock));
  leadership_ = std::make_unique<Leadership>(*store_, *shop_.clock, *shop_.ids, directory, config().lease_length);
  core_ = std::make_unique<core::Provisioner>(
      core::Environment{.store = *store_,
                        .clock = *shop_.clock,
                        .ids = *shop_.ids,
                        .metrics = *shop_.metrics,
                        .factory = *factory_,
                        .realm = config().realm,
                        .name_prefix = config().name_prefix,
                        .copy_claim = 2 * config().lease_length,
                        .identity = identity_policy(settings_.identity, *shop_.clock),
                        .hubs = make_hubs(config().hubs, *shop_.clock),
                        .cluster = cluster_.get()});
  workers_ = std::make_unique<WorkerPool>("api", kWorkers, kWorkQueue);
  api_ = std::make_unique<Api>(
      Api::Parts{.core = *core_,
                 .store = *store_,
                 .clock = *shop_.clock,
                 .ids = *shop_.ids,
                 .metrics = *shop_.metrics,
                 .factory = *factory_,
                 .workers = *workers_},
      Api::Settings{
          .realm = config().realm,
          .stage_restore = [directory](const std::string& backup) { return store::stage_restore(directory, backup); },
          .schema_version = store::kSchemaVersion,
          .metrics_open = config().metrics_open});
  HOMEPORT_TRY(auto router, Router::create(Api::http_routes()));
  HOMEPORT_TRY(auto http, http_settings(config()));
  HOMEPORT_TRY(server_,
               HttpServer::start(std::move(http), std::move(router), api_->handlers(), *shop_.clock, *shop_.ids));
  log::info("listening", {{"address", server_->bound().front()}, {"state", directory}});
  return {};
}

int Service::run() {
  ticker_ = std::jthread([this](const std::stop_token& stop) {
    while (shop_.clock->sleep_for(kTick, stop)) api_->tick();
  });
  conductor_ = std::jthread([this](const std::stop_token& stop) { conduct(stop); });
  const sigset_t signals = handled_signals();
  for (int signal = 0; sigwait(&signals, &signal) == 0;) {
    if (signal != SIGHUP) break;
    reload();
  }
  stop();
  return exit_code_;
}

void Service::conduct(const std::stop_token& stop) {
  const auto held = leadership_->wait_for_lease(stop, [this](std::string why) {
    log::info("standby", {{"why", why}});
    api_->set_phase(Phase::standby, std::move(why));
  });
  if (!held) return give_up(kExitFailed, held.error());
  if (!*held) return;
  leadership_->keep([](const std::string& why) {
    // Another instance may serve from now on: not one more write and not one more call may leave this process.
    log::error("the lease is lost: this process ends at once", {{"why", why}});
    std::_Exit(kExitLeaseLost);
  });
  leading_ = true;
  api_->set_phase(Phase::starting, "the service is reading its state");
  if (const auto ready = become_ready(); !ready) {
    return give_up(ready.error().code == Errc::invalid_argument ? kExitConfig : kExitFailed, ready.error());
  }
  if (stop.stop_requested()) return;
  api_->set_phase(Phase::ready, "the service is ready");
  log::info("ready", {{"address", server_->bound().front()}, {"version", HOMEPORT_VERSION}});
}

Result<void> Service::become_ready() {
  HOMEPORT_CHECK(core_->load());
  if (settings_.has_desired) {
    const core::Caller caller{.principal = {.id = "config", .scope = policies::Scope::admin},
                              .request_id = "start",
                              .deadline = shop_.clock->mono() + seconds(30)};
    core_->administration().apply_configuration(caller, settings_.desired);
  }
  HOMEPORT_TRY(const auto token, core_->tokens().write_first_token(config().store.directory));
  if (token) log::info("the first admin token was written", {{"file", *token}});
  return core_->run();
}

// From the conductor: main waits for a signal, so it gets one.
void Service::give_up(int code, const Error& why) {
  print_problem("cannot start", why);
  exit_code_ = code;
  ::kill(::getpid(), SIGTERM);
}

void Service::reload() {
  log::info("reload", {});
  auto fresh = read_settings(options_.config, *factory_);
  if (!fresh) {
    log::error("the configuration was not read again", {{"why", fresh.error().to_string()}});
  } else {
    log::set_level(fresh->config.log_level);
  }
  if (const auto tls = server_->reload_tls(); !tls) {
    log::error("the TLS certificate was not read again", {{"why", tls.error().to_string()}});
  }
  // Backends read their secrets when they use them; one that could not be made for want of a secret is tried again.
  if (leading_ && api_->phase() == Phase::ready) core_->backends().follow_catalog();
}

void Service::stop() {
  log::info("stopping", {});
  // A second signal ends the process at once; the journal is made for that.
  for (const int signal : {SIGTERM, SIGINT}) ::signal(signal, SIG_DFL);
  const sigset_t signals = handled_signals();
  pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
  const std::jthread limit([this](const std::stop_token& stopped) {
    if (!shop_.clock->sleep_for(kStopLimit, stopped)) return;
    log::warning("the stop took too long: what is open goes on at the next start", {});
    std::_Exit(kExitFailed);
  });
  api_->set_phase(Phase::stopping, "the service is stopping");
  conductor_.request_stop();
  conductor_.join();
  api_->set_phase(Phase::stopping, "the service is stopping");
  api_->close_streams();
  ticker_.request_stop();
  ticker_.join();
  workers_->drain(kFinishRequests);
  core_->stop();  // answers those who wait for operations
  server_->stop(kFinishAnswers);
  leadership_->stop_renewing();
  if (leading_) {
    if (const auto released = store_->release_lease(); !released) {
      log::warning("the lease was not given back", {{"why", released.error().to_string()}});
    }
  }
  log::info("stopped", {});
}

}  // namespace

int check_config(const std::string& file) {
  const Workshop shop;
  const auto factory = shop.factory("hp-");
  const auto settings = read_settings(file, *factory);
  if (!settings) {
    std::cerr << settings.error().message << '\n';
    return kExitConfig;
  }
  if (const auto http = http_settings(settings->config); !http) {
    print_problem(file, http.error());
    return kExitConfig;
  }
  for (const auto& warning : settings->config.warnings) std::cerr << "warning: " << warning << '\n';
  std::cout << file << " is valid" << std::endl;
  return kExitOk;
}

int stage_restore(const ServiceOptions& options, const std::string& backup) {
  const Workshop shop;
  const auto factory = shop.factory("hp-");
  auto settings = read_settings(options.config, *factory);
  if (!settings) {
    print_problem("", settings.error());
    return kExitConfig;
  }
  const auto staged = [&]() -> Result<void> {
    HOMEPORT_CHECK(apply_options(*settings, options));
    HOMEPORT_CHECK(make_state_directory(settings->config.store.directory));
    return store::stage_restore(settings->config.store.directory, backup);
  }();
  if (!staged) {
    print_problem("", staged.error());
    return kExitFailed;
  }
  std::cout << backup << " is staged: the next start of homeportd on " << settings->config.store.directory
            << " puts it in place and keeps the present database beside it" << std::endl;
  return kExitOk;
}

int serve(const ServiceOptions& options) {
  // Many threads each do a little: an arena for every one of them would only hold memory.
  ::mallopt(M_ARENA_MAX, 2);
  // Before any thread is started, so that every thread leaves the signals to the one that waits for them.
  const sigset_t signals = handled_signals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  Workshop shop;
  const auto checker = shop.factory("hp-");
  auto settings = read_settings(options.config, *checker);
  if (!settings) {
    print_problem("", settings.error());
    return kExitConfig;
  }
  log::set_level(settings->config.log_level);
  if (const auto fits = apply_options(*settings, options); !fits) {
    print_problem("", fits.error());
    return kExitConfig;
  }
  for (const auto& warning : settings->config.warnings) log::warning(warning, {});
  Service service(std::move(settings).value(), options, shop);
  if (const auto started = service.start(); !started) {
    print_problem("cannot start", started.error());
    return started.error().code == Errc::invalid_argument ? kExitConfig : kExitFailed;
  }
  return service.run();
}

}  // namespace homeport::api
