#include "api/api.h"

#include <algorithm>

#include "api/auth.h"
#include "api/call.h"
#include "api/wire_common.h"
#include "provisioner/base/log.h"

namespace homeport::api {
namespace {

constexpr std::array<unsigned, 28> kCodes{200, 201, 202, 204, 304, 400, 401, 403, 404, 405, 408, 409, 412, 413,
                                          415, 417, 422, 429, 431, 499, 500, 501, 502, 503, 504, 505, 507, 0};

std::size_t code_slot(unsigned status) {
  const auto found = std::find(kCodes.begin(), kCodes.end() - 1, status);
  return static_cast<std::size_t>(found - kCodes.begin());
}

const std::vector<double>& duration_buckets() {
  static const std::vector<double> buckets{0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                           0.1,    0.25,   0.5,   1,      2.5,   5,    10,    30};
  return buckets;
}

constexpr std::size_t kMaxAuditMemory = 1024;
constexpr std::chrono::seconds kAuditPause{10};

}  // namespace

// The counters of one route, found once: the hot path looks nothing up.
struct Api::RouteMetrics {
  RouteMetrics(Metrics& source, std::string name)
      : metrics(source),
        route(std::move(name)),
        duration(source.histogram("homeport_http_request_duration_seconds",
                                  "From the complete header of a request to its answer.", {{"route", route}},
                                  duration_buckets())) {}

  void count(unsigned status, std::chrono::nanoseconds took) {
    const std::size_t slot = code_slot(status);
    Counter* counter = counters[slot].load(std::memory_order_acquire);
    if (counter == nullptr) {
      const std::string code = kCodes[slot] == 0 ? "other" : std::to_string(kCodes[slot]);
      counter = &metrics.counter("homeport_http_requests_total", "Answers, by route and status.",
                                 {{"route", route}, {"code", code}});
      counters[slot].store(counter, std::memory_order_release);
    }
    counter->add();
    duration.observe(std::chrono::duration<double>(took).count());
  }

  Metrics& metrics;
  const std::string route;
  Histogram& duration;
  std::array<std::atomic<Counter*>, kCodes.size()> counters{};
};

Api::Api(Parts parts, Settings settings)
    : p_(parts),
      settings_(std::move(settings)),
      idempotency_(p_.store, p_.clock),
      events_(
          [this](std::uint64_t after, std::size_t limit) { return p_.core.administration().changes(after, limit); }),
      detail_("the service is starting") {
  for (const auto& entry : route_table()) {
    const std::string name = std::string(method_name(entry.method)) + " " + std::string(entry.pattern);
    metrics_.push_back(std::make_unique<RouteMetrics>(p_.metrics, name));
  }
  metrics_.push_back(std::make_unique<RouteMetrics>(p_.metrics, "none"));
  constexpr std::array<const char*, 5> kStates{"issued", "blocked", "pending", "refused", "degraded"};
  for (std::size_t i = 0; i < kStates.size(); ++i) {
    specs_[i] = &p_.metrics.counter("homeport_mountspecs_total", "Mount specs asked for, by what came of it.",
                                    {{"state", kStates[i]}});
  }
  failed_jobs_ =
      &p_.metrics.counter("homeport_failed_jobs_total",
                          "Jobs that ended with an exception: each is a fault of the program, and logged.", {});
}

Api::~Api() = default;

void Api::tick() {
  events_.pump();
  const auto failed = WorkerPool::failed_jobs();
  const auto counted = counted_jobs_.exchange(failed);
  if (failed > counted) failed_jobs_->add(static_cast<double>(failed - counted));
}

void Api::set_phase(Phase phase, std::string detail) {
  {
    const std::lock_guard lock(mutex_);
    detail_ = std::move(detail);
  }
  phase_.store(phase, std::memory_order_release);
}

std::string Api::phase_detail() const {
  const std::lock_guard lock(mutex_);
  return detail_;
}

std::vector<Route> Api::http_routes() {
  std::vector<Route> routes;
  for (const auto& entry : route_table()) {
    Route route{.method = entry.method, .pattern = std::string(entry.pattern), .id = static_cast<int>(routes.size())};
    if (entry.max_body > 0) route.max_body_bytes = entry.max_body;
    routes.push_back(std::move(route));
  }
  return routes;
}

HttpHandlers Api::handlers() {
  return HttpHandlers{
      .inline_answer = [this](const Request& request) { return answer_inline(request); },
      .handler = [this](Request&& request, Responder responder) { answer(std::move(request), std::move(responder)); },
      .observe = [this](const Exchange& exchange) { observe(exchange); }};
}

void Api::observe(const Exchange& exchange) {
  const auto last = metrics_.size() - 1;
  const auto index = exchange.route < 0 ? last : std::min(static_cast<std::size_t>(exchange.route), last);
  metrics_[index]->count(exchange.status, exchange.took);
}

void Api::count_spec(unsigned status, bool degraded) {
  const std::size_t slot = status == 200                                       ? (degraded ? 4 : 0)
                           : status == 202                                     ? 2
                           : (status == 403 || status == 503 || status == 507) ? 1
                                                                               : 3;
  specs_[slot]->add();
}

Error Api::not_ready() const {
  const bool standby = phase() == Phase::standby;
  return Error{.code = Errc::unavailable,
               .message = phase_detail(),
               .hint = standby ? "ask the instance that serves; this one takes over when that one ends"
                               : "try again in a moment; GET /readyz says when it is ready",
               .retry_after = std::chrono::seconds(standby ? 5 : 1)};
}

std::optional<Result<policies::Principal>> Api::identify(const RouteEntry& entry, const Request& request,
                                                         const Asked& asked) const {
  using Who = Result<policies::Principal>;
  const bool no_token =
      entry.access.kind == Access::Kind::open || (entry.access.kind == Access::Kind::metrics && settings_.metrics_open);
  // Tokens are known only once the store is read.
  if (phase() != Phase::ready && !(entry.always && no_token)) return Who(not_ready());
  if (no_token) return Who(policies::Principal{.id = {}});
  const auto token = bearer_token(request);
  if (!token) return Who(token.error());
  auto& hubs = p_.core.hub_tokens();
  if (!hubs.concerns(*token)) return Who(p_.core.tokens().authenticate(*token));
  const auto person = asked ? asked : hubs.known(hub_of(request), *token);
  if (!person) return std::nullopt;
  if (!*person) return Who(person->error());
  return Who(principal_of(p_.core.catalog(), **person));
}

std::optional<Result<policies::Principal>> Api::admit(const RouteEntry& entry, const Request& request,
                                                      const Asked& asked) {
  auto who = identify(entry, request, asked);
  if (!who) return std::nullopt;
  // Who it was is known for a refusal by rights, and not for a credential that is none.
  policies::Principal principal{.id = "unauthenticated"};
  const auto allowed = [&]() -> Result<void> {
    HOMEPORT_TRY(principal, std::move(*who));
    const bool nobody = principal.id.empty();
    if (!nobody) {
      HOMEPORT_CHECK(check_access(p_.core.catalog(), settings_.realm, entry.access, request, principal));
    }
    return {};
  }();
  if (!allowed) {
    audit_refusal(principal, std::string(policies::action_name(entry.access.action)), std::string(entry.pattern),
                  allowed.error());
    return Result<policies::Principal>(allowed.error());
  }
  if (auto query = check_query(request, entry.query); !query) {
    return Result<policies::Principal>(std::move(query).error());
  }
  return Result<policies::Principal>(std::move(principal));
}

std::optional<Response> Api::answer_inline(const Request& request) {
  const RouteEntry& entry = route_table()[static_cast<std::size_t>(request.route)];
  const auto principal = admit(entry, request);
  if (!principal) return std::nullopt;
  if (!*principal) return problem_response(principal->error(), request.request_id);
  if (entry.handlers.memory == nullptr) return std::nullopt;
  return entry.handlers.memory(*this, request, **principal);
}

void Api::answer(Request&& request, Responder responder) {
  const RouteEntry& entry = route_table()[static_cast<std::size_t>(request.route)];
  auto call = std::make_shared<Call>(*this, std::move(request), std::move(responder));
  auto principal = admit(entry, call->request);
  if (!principal) return ask_hub(call, entry);
  guarded(call, [&]() -> Result<void> {
    HOMEPORT_TRY(auto who, std::move(*principal));
    return start(call, entry, std::move(who));
  });
}

// The request waits, no thread does: the hub's own threads ask, and go on with what the hub said.
void Api::ask_hub(const CallPtr& call, const RouteEntry& entry) {
  const auto& request = call->request;
  const auto token = bearer_token(request);
  if (!token) return call->fail(token.error());
  const core::HubTokens::Question question{.hub = std::string(hub_of(request)),
                                           .token = Secret(std::string(*token)),
                                           .source = request.remote_address,
                                           .deadline = request.deadline};
  p_.core.hub_tokens().ask(question, [this, call, &entry](Result<core::HubPerson> person) {
    guarded(call, [&]() -> Result<void> {
      auto principal = admit(entry, call->request, std::move(person));
      if (!principal) return not_ready();
      HOMEPORT_TRY(auto who, std::move(*principal));
      return start(call, entry, std::move(who));
    });
  });
}

Result<void> Api::start(const CallPtr& call, const RouteEntry& entry, policies::Principal principal) {
  call->principal = std::move(principal);
  HOMEPORT_TRY(call->realm, realm_of(call->request, call->principal, settings_.realm));
  if (call->request.query("wait") && entry.pattern != "/v1/mountspecs") {
    HOMEPORT_TRY(call->wait, wait_param(call->request, call->wait, std::chrono::seconds(600)));
  }
  HOMEPORT_TRY(const bool dry_run, flag_param(call->request, "dry_run"));
  const auto* key = call->request.find_header("Idempotency-Key");
  const bool keyed = key != nullptr && entry.replay != Replay::none && !dry_run;
  if (keyed) {
    HOMEPORT_CHECK(Idempotency::check_key(key->value));
    call->replay = entry.replay;
  }
  return p_.workers.submit([this, call, &entry, keyed](const std::stop_token&) {
    if (keyed) return run_keyed(call, entry);
    run(call, entry);
  });
}

// What only reads memory comes here when its hub had to be asked first.
void Api::run(const CallPtr& call, const RouteEntry& entry) {
  if (entry.handlers.work != nullptr) return entry.handlers.work(call);
  if (auto answer = entry.handlers.memory(*this, call->request, call->principal)) call->reply(std::move(*answer));
}

void Api::run_keyed(const CallPtr& call, const RouteEntry& entry) {
  const std::string key(call->request.header("Idempotency-Key"));
  const auto hash = Idempotency::hash(method_name(call->request.method), call->request.target.raw, call->request.body);
  auto known = idempotency_.begin(call->principal.id, key, hash);
  if (!known) return call->fail(known.error());
  if (*known) return replay(call, **known, entry.replay);
  call->idempotency_key = key;
  run(call, entry);
}

void Api::replay(const CallPtr& call, const store::AnswerRecord& record, Replay how) {
  call->replayed = true;
  if (how == Replay::secret) {
    return call->fail(
        Error{.code = Errc::conflict,
              .message = "this request was done already, and its secret was shown once",
              .hint = "`homeport token list` shows the token, `homeport token rotate` gives a new secret"});
  }
  if (record.status == 202) {
    const auto body = nlohmann::json::parse(record.body, nullptr, false);
    const auto id = body.is_object() ? body.value(nlohmann::json::json_pointer("/operation/id"), "") : std::string();
    if (!id.empty()) {
      call->idempotency_key = record.idempotency_key;
      return answer_operation(call, id);
    }
  }
  call->reply(Response{.status = record.status, .content_type = record.content_type, .body = record.body});
}

void Api::audit_refusal(const policies::Principal& principal, const std::string& action, const std::string& subject,
                        const Error& why) {
  if (why.code != Errc::unauthenticated && why.code != Errc::forbidden) return;
  const MonoTime now = p_.clock.mono();
  {
    const std::lock_guard lock(mutex_);
    if (audited_.size() >= kMaxAuditMemory) {
      std::erase_if(audited_, [&](const auto& seen) { return seen.second + kAuditPause < now; });
      if (audited_.size() >= kMaxAuditMemory) return;
    }
    const auto [seen, fresh] = audited_.try_emplace(principal.id + " " + action + " " + subject, now);
    if (!fresh && seen->second + kAuditPause >= now) return;
    seen->second = now;
  }
  auto queued = p_.workers.submit([this, principal, action, subject, why](const std::stop_token&) {
    p_.core.administration().audit_refusal(principal, action, subject, why);
  });
  if (!queued) log::warning("a refusal was not audited", {{"action", action}, {"why", queued.error().to_string()}});
}

}  // namespace homeport::api
