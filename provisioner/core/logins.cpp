#include "provisioner/core/logins.h"

#include <algorithm>
#include <array>
#include <condition_variable>
#include <cstring>
#include <shared_mutex>
#include <thread>
#include <utility>

#include "provisioner/base/digest.h"
#include "provisioner/base/log.h"
#include "provisioner/core/accounts.h"
#include "provisioner/core/hub_people.h"
#include "provisioner/core/spec_builder.h"

namespace homeport::core {

using store::SessionRecord;
using store::SpaceState;

namespace {

constexpr std::chrono::milliseconds kFlushEvery{800};
constexpr std::chrono::seconds kRenewalEvery{60};  // an unchanged session is written again no more often
constexpr std::size_t kMaxCached = 60000;          // answers kept; beyond, the cache starts anew
constexpr std::size_t kMaxRefusals = 2000;         // audit rows waiting for a flush; more are counted
constexpr std::size_t kRowsPerWrite = 1000;
constexpr const char* kSeenByLogin = R"({"seen":"login"})";
// A prepared answer carries ages ("measured 5 min ago"): it is made anew now and then.
constexpr std::chrono::minutes kPreparedFor{5};

// Of a text that is a hash already, or of one that is hashed here: 128 bits tell any two sessions apart.
using ShortHash = std::array<std::uint64_t, 2>;
ShortHash short_hash(std::string_view text) {
  const auto whole = sha256(text);
  ShortHash out{};
  std::memcpy(out.data(), whole.data(), sizeof out);
  return out;
}
struct FirstWord {
  std::size_t operator()(const ShortHash& hash) const noexcept { return hash[0]; }
};

// The digest is the first member of a prepared answer.
constexpr std::string_view kBeforeDigest = R"(,"digest":")";

HubAccount account_of(const SpecRequest& request) {
  return {.hub = request.hub, .name = request.user, .created = request.account_created};
}

Error not_usable(const store::SpaceRecord& home) {
  const std::string state(store::space_state_name(home.state));
  return Error{.code = Errc::forbidden,
               .message = "the home is " + state,
               .hint = "its data is kept; an admin can bring it back with `homeport home undelete`"};
}

}  // namespace

// One for every person who asked: small matters.
struct Logins::Cached {
  std::uint64_t shared_generation = 0;
  std::uint64_t user_generation = 0;
  std::uint64_t reachability = 0;
  WallTime made_at{};
  std::chrono::hours valid{12};
  int status = 200;
  bool degraded = false;
  ShortHash session{};  // of the session's key
  ShortHash spec{};     // of spec_id
  std::string spec_id;
  std::string user_key;
  std::vector<std::string> spaces;
  std::string request;  // to_text() of it
  std::shared_ptr<const std::string> prepared;

  [[nodiscard]] std::string_view digest() const {
    const auto text = std::string_view(*prepared).substr(kBeforeDigest.size());
    return text.substr(0, text.find('"'));
  }
};

struct Logins::Pending {
  std::shared_ptr<const Cached> answer;
  WallTime first{};
  WallTime last{};
  HubAccount account{};
};

struct Logins::Issued : std::unordered_map<ShortHash, Pending, FirstWord> {};

template <class Map, class Key>
auto value_of(const Map& map, const Key& key) {
  const auto at = map.find(key);
  return at == map.end() ? typename Map::mapped_type{} : at->second;
}

struct Logins::State {
  std::shared_mutex cache_mutex;
  std::unordered_map<std::string_view, CachedPtr> cache;  // by request, a view into the answer's own
  std::unordered_map<std::string, CachedPtr> own;         // by user key: of those who ask by their own right

  void keep(bool as_own, const CachedPtr& made) {
    const std::unique_lock lock(cache_mutex);
    if (cache.size() + own.size() >= kMaxCached) {
      cache.clear();
      own.clear();
    }
    if (as_own) {
      own[made->user_key] = made;
      return;
    }
    cache.erase(made->request);  // its key goes with the old answer
    cache.emplace(made->request, made);
  }

  std::mutex flush_mutex;  // taken before issued_mutex: after flush() everything issued before it is in the store
  std::mutex issued_mutex;
  Issued issued;  // not yet written
  struct Written {
    ShortHash spec{};
    WallTime at{};
  };
  std::unordered_map<ShortHash, Written, FirstWord> written;  // session -> last written
  std::vector<store::AuditEntry> refusals;
  std::uint64_t refusals_left_off = 0;

  std::mutex time_mutex;
  std::int64_t second = -1;
  std::string second_text;

  std::mutex wake_mutex;
  std::condition_variable_any wake;
  std::jthread thread;
};

Logins::Logins(Homes::Parts parts, Homes& homes, Metrics& metrics, std::string realm)
    : p_(std::move(parts)),
      homes_(homes),
      realm_(std::move(realm)),
      issued_(metrics.counter("homeport_logins_answered_total", "Mount specs issued, whatever their state.", {})),
      refused_(metrics.counter("homeport_logins_refused_total", "Questions for a mount spec that were refused.", {})),
      prepared_anew_(metrics.counter("homeport_specs_prepared_total", "Mount specs that had to be prepared anew.", {})),
      state_(std::make_unique<State>()) {}

Logins::~Logins() {
  stop();
}

Result<Logins::CachedPtr> Logins::make(const SpecRequest& request, const store::UserRecord& user,
                                       const store::SpaceRecord& home) const {
  auto made = std::make_shared<Cached>();
  // Read before the data: a change in between makes this answer stale, never wrongly fresh.
  made->shared_generation = p_.catalog.shared_generation();
  made->user_generation = p_.catalog.user_generation(user.key);
  made->reachability = p_.backends.reachability_changes();
  made->made_at = p_.clock.now();
  HOMEPORT_TRY(auto built, build_spec(p_.catalog, p_.backends, request, user, home, made->made_at));
  const auto digest = render::digest(built.spec);
  made->spec_id = spec_id_of(request, user.key, digest);
  made->spec = short_hash(made->spec_id);
  made->status = built.spec.state == render::SpecState::blocked ? built.spec.status_hint.value_or(503) : 200;
  made->degraded = built.spec.state == render::SpecState::degraded;
  made->user_key = user.key;
  made->spaces = std::move(built.spaces);
  made->request = to_text(request);
  made->session = short_hash(SessionRecord::key_of(request.hub, user.key, request.server));
  if (const auto klass = p_.catalog.klass(home.klass)) made->valid = klass->spec_valid;
  auto document = render::to_json(built.spec);
  for (const auto* member : {"spec_id", "issued_at", "valid_until"}) document.erase(member);
  // What follows the volatile members: ',"digest":…}'.
  auto text = document.dump();
  text[0] = ',';
  text.shrink_to_fit();  // kept by the thousand
  made->prepared = std::make_shared<const std::string>(std::move(text));
  if (made->digest() != digest) return Error{.code = Errc::internal, .message = "an answer begins without its digest"};
  return CachedPtr(std::move(made));
}

Result<Logins::CachedPtr> Logins::prepared(const Caller& caller, const SpecRequest& request,
                                           const store::UserRecord& user, const store::SpaceRecord& home) {
  const bool own = caller.principal.scope == policies::Scope::user_self;
  const auto text = to_text(request);
  const auto fresh = [&](const CachedPtr& known) {
    return known->request == text && known->shared_generation == p_.catalog.shared_generation() &&
           known->user_key == user.key && known->user_generation == p_.catalog.user_generation(user.key) &&
           known->reachability == p_.backends.reachability_changes() && p_.clock.now() - known->made_at < kPreparedFor;
  };
  {
    const std::shared_lock lock(state_->cache_mutex);
    const auto known = own ? value_of(state_->own, user.key) : value_of(state_->cache, std::string_view(text));
    if (known && fresh(known)) return known;
  }
  HOMEPORT_TRY(auto made, make(request, user, home));
  prepared_anew_.add();
  state_->keep(own, made);
  return made;
}

SpacePtr Logins::home_of(const store::UserRecord& user) const {
  return p_.catalog.home(user.realm, user.key);
}

std::string Logins::time_text(WallTime now) {
  const auto second = std::chrono::floor<std::chrono::seconds>(now);
  const std::lock_guard lock(state_->time_mutex);
  if (state_->second != second.time_since_epoch().count()) {
    state_->second = second.time_since_epoch().count();
    state_->second_text = format_time(second);
  }
  return state_->second_text;
}

SpecAnswer Logins::answer(const Caller& caller, const SpecRequest& request, const store::UserRecord& user,
                          const CachedPtr& cached) {
  const auto now = p_.clock.now();
  SpecAnswer out{.status = cached->status,
                 .prepared = cached->prepared,
                 .digest = std::string(cached->digest()),
                 .spec_id = cached->spec_id};
  out.degraded = cached->degraded;
  out.volatile_part.reserve(128);
  out.volatile_part.append(R"({"spec_id":")")
      .append(cached->spec_id)
      .append(R"(","issued_at":")")
      .append(time_text(now));
  out.volatile_part.append(R"(","valid_until":")")
      .append(format_time(std::chrono::floor<std::chrono::seconds>(now + cached->valid)))
      .append("\"");
  issued_.add();
  remember(caller, request, user, cached, now);
  return out;
}

void Logins::remember(const Caller& caller, const SpecRequest& request, const store::UserRecord& user,
                      const CachedPtr& cached, WallTime now) {
  // Only a hub starts sessions; an admin who looks does not. A blocked answer is not in use.
  if (caller.principal.scope != policies::Scope::spawner || cached->status != 200) return;
  auto account = account_of(request);
  const bool news = is_news(user, account);
  const std::lock_guard lock(state_->issued_mutex);
  const auto written = state_->written.find(cached->session);
  if (!news && written != state_->written.end() && written->second.spec == cached->spec &&
      now - written->second.at < kRenewalEvery)
    return;
  const auto [at, fresh] =
      state_->issued.try_emplace(cached->session, Pending{.answer = cached, .first = now, .last = now});
  at->second.answer = cached;
  at->second.last = now;
  at->second.account = std::move(account);
}

void Logins::remember_refusal(const Caller& caller, const SpecRequest& request, const Error& error) {
  refused_.add();
  const auto user = p_.catalog.user_by_name(realm_of(request), request.user);
  const std::lock_guard lock(state_->issued_mutex);
  const auto told = [&](const store::AuditEntry& entry) { return entry.principal == caller.principal.id; };
  const bool again = caller.principal.scope == policies::Scope::user_self &&
                     std::any_of(state_->refusals.begin(), state_->refusals.end(), told);
  if (again || state_->refusals.size() >= kMaxRefusals) {
    ++state_->refusals_left_off;
    return;
  }
  state_->refusals.push_back({.at = p_.clock.now(),
                              .principal = caller.principal.id,
                              .action = "spec.issue",
                              .subject = user ? user->key : "",
                              .outcome = std::string(errc_name(error.code)),
                              .detail = nlohmann::json{{"hub", request.hub}}.dump()});
}

bool Logins::needs_a_word(const Caller& caller, const SpecRequest& request, const store::UserRecord& user) const {
  // What people say of themselves proves nothing; an admin who looks is not the person.
  if (caller.principal.scope == policies::Scope::user_self)
    return is_held(user, caller.principal.hub, caller.principal.user);
  if (caller.principal.scope != policies::Scope::spawner || p_.trusted_hubs.contains(request.hub)) return false;
  return is_recreated(user, account_of(request));
}

Error Logins::refuse_account(const Caller& caller, const SpecRequest& request, const store::UserRecord& user) {
  auto account = account_of(request);
  if (caller.principal.scope == policies::Scope::user_self) account.created = user.recreated->created;
  auto error = account_held(account);
  remember_refusal(caller, request, error);
  // At once, so that the admin sees it and the person's own token opens nothing either.
  const auto held = hold_account(p_, user, account, caller.principal.id);
  if (!held) log::warning("account_not_marked", {{"user_key", user.key}, {"why", held.error().to_string()}});
  return error;
}

std::optional<Result<SpecAnswer>> Logins::try_issue(const Caller& caller, const SpecRequest& request) {
  const auto user = p_.catalog.user_by_name(realm_of(request), request.user);
  if (!user || p_.people.must_ask(*user, request.user) || needs_a_word(caller, request, *user)) return std::nullopt;
  return answer_known(caller, request, *user);
}

std::optional<Result<SpecAnswer>> Logins::answer_known(const Caller& caller, const SpecRequest& request,
                                                       const store::UserRecord& user) {
  const auto refuse = [&](Error error) -> std::optional<Result<SpecAnswer>> {
    remember_refusal(caller, request, error);
    return Result<SpecAnswer>(std::move(error));
  };
  if (request.uid && user.uid && *request.uid != *user.uid) {
    return refuse(not_the_pinned_uid(request.user, *user.uid, *request.uid, "/identity/uid"));
  }
  const auto home = home_of(user);
  if (!home || home->state == SpaceState::creating) return std::nullopt;
  if (home->state != SpaceState::ready) return refuse(not_usable(*home));
  auto cached = prepared(caller, request, user, *home);
  if (!cached) return refuse(std::move(cached).error());
  return answer(caller, request, user, *cached);
}

void Logins::issue(const Caller& caller, const SpecRequest& request,
                   const std::function<void(Result<SpecAnswer>)>& done) {
  auto user = UserName::parse(request.user);
  if (!user) return done(std::move(user).error());
  const auto present = p_.catalog.user_by_name(realm_of(request), request.user);
  const PersonQuestion question{.realm = realm_of(request),
                                .user = std::move(user).value(),
                                .uid = request.uid,
                                .gid = request.gid,
                                .anew = present && needs_a_word(caller, request, *present)};
  p_.people.identify(caller, question, [this, caller, request, done](Result<Person> person) {
    if (person) return done(issue_for(caller, request, *person));
    auto error = std::move(person).error();
    if (error.pointer == "/uid") error.pointer = "/identity/uid";
    remember_refusal(caller, request, error);
    done(std::move(error));
  });
}

Result<SpecAnswer> Logins::issue_for(const Caller& caller, const SpecRequest& request, const Person& person) {
  const bool by_hub = caller.principal.scope == policies::Scope::spawner;
  const auto present = p_.catalog.user_by_name(realm_of(request), request.user);
  if (present && !(by_hub && person.vouched) && needs_a_word(caller, request, *present))
    return refuse_account(caller, request, *present);
  const auto known = [&]() -> std::optional<Result<SpecAnswer>> {
    const auto user = p_.catalog.user_by_name(realm_of(request), request.user);
    return user ? answer_known(caller, request, *user) : std::nullopt;
  };
  if (auto ready = known()) return std::move(*ready);
  const auto ensure = [&]() -> Result<SpaceOutcome> {
    HOMEPORT_TRY(auto user, UserName::parse(request.user));
    HOMEPORT_TRY(auto server, ServerName::parse(""));
    return homes_.ensure(caller, {.realm = realm_of(request),
                                  .user = std::move(user),
                                  .server = std::move(server),
                                  .uid = request.uid,
                                  .gid = request.gid,
                                  .person = person,
                                  .groups = request.groups,
                                  .hub = request.hub});
  };
  auto outcome = ensure();
  if (!outcome) {
    remember_refusal(caller, request, outcome.error());
    return std::move(outcome).error();
  }
  if (outcome->operation) {
    SpecAnswer waiting;
    waiting.status = 202;
    waiting.operation = outcome->operation;
    return waiting;
  }
  if (auto ready = known()) return std::move(*ready);
  return Error{.code = Errc::unavailable,
               .message = "the home is not ready yet",
               .hint = "ask again in a moment",
               .retry_after = std::chrono::seconds(1)};
}

std::optional<SpecRequest> Logins::find_request(const std::string& spec_id) const {
  {
    // Rarely asked, so it is not worth an index of every answer.
    const std::shared_lock lock(state_->cache_mutex);
    const auto asked = [&](const auto& entry) { return entry.second->spec_id == spec_id; };
    const auto at = std::find_if(state_->cache.begin(), state_->cache.end(), asked);
    if (at != state_->cache.end()) return request_from_text(at->second->request);
    const auto own = std::find_if(state_->own.begin(), state_->own.end(), asked);
    if (own != state_->own.end()) return request_from_text(own->second->request);
  }
  std::optional<SpecRequest> found;
  const auto read = p_.store.read([&](store::ReadTransaction& tx) -> Result<void> {
    HOMEPORT_TRY(const auto sessions, store::list<SessionRecord>(tx, {.column = "spec_id", .value = spec_id}));
    if (!sessions.empty()) found = request_from_json(sessions.front().request);
    return {};
  });
  return read ? found : std::nullopt;
}

Result<Logins::Reissued> Logins::reissue(const std::string& spec_id) const {
  const auto request = find_request(spec_id);
  const Error unknown{.code = Errc::not_found,
                      .message = "spec " + printable(spec_id, 40) + " is not known, or has changed since",
                      .hint = "ask again with POST /v1/mountspecs (`homeport spec get`)"};
  if (!request) return unknown;
  const auto user = p_.catalog.user_by_name(realm_of(*request), request->user);
  const auto home = user ? home_of(*user) : nullptr;
  if (!home || home->state != SpaceState::ready) return unknown;
  const auto now = p_.clock.now();
  HOMEPORT_TRY(auto built, build_spec(p_.catalog, p_.backends, *request, *user, *home, now));
  built.spec.spec_id = spec_id_of(*request, user->key, render::digest(built.spec));
  if (built.spec.spec_id != spec_id) return unknown;
  const auto klass = p_.catalog.klass(home->klass);
  built.spec.issued_at = std::chrono::floor<std::chrono::seconds>(now);
  built.spec.valid_until = built.spec.issued_at + (klass ? klass->spec_valid : std::chrono::hours(12));
  return Reissued{.request = *request, .spec = std::move(built.spec), .spaces = std::move(built.spaces)};
}

Result<void> Logins::release(const Caller& caller, const std::string& spec_id) {
  HOMEPORT_CHECK(flush());
  std::vector<std::string> over;
  HOMEPORT_CHECK(p_.store.write("release-session", [&](store::WriteTransaction& tx) -> Result<void> {
    over.clear();
    HOMEPORT_TRY(auto sessions, store::list<SessionRecord>(tx, {.column = "spec_id", .value = spec_id}));
    for (auto& session : sessions) {
      const auto user = p_.catalog.user(session.user);
      HOMEPORT_CHECK(
          policies::authorize(caller.principal, policies::Action::release_spec,
                              {.hub = session.hub, .realm = user ? user->realm : realm_, .user_key = session.user}));
      if (session.released_at) continue;
      session.released_at = p_.clock.now();
      HOMEPORT_CHECK(store::put(tx, session));
      over.push_back(session.key());
    }
    return {};  // an unknown one is over already: the hub's hint may come twice
  }));
  // The same spec issued again from now on is a session of its own.
  const std::lock_guard lock(state_->issued_mutex);
  for (const auto& key : over) state_->written.erase(short_hash(key));
  return {};
}

SessionRecord Logins::session_of(const Pending& pending) {
  const auto& answer = *pending.answer;
  const auto request = request_from_text(answer.request);
  SessionRecord session{.hub = request.hub,
                        .user = answer.user_key,
                        .server = request.server,
                        .spec_id = answer.spec_id,
                        .digest = std::string(answer.digest()),
                        .request = to_json(request),
                        .spaces = answer.spaces};
  session.issued_at = pending.first;
  session.renewed_at = pending.last;
  return session;
}

Result<void> Logins::flush() {
  const std::lock_guard one_at_a_time(state_->flush_mutex);
  Issued issued;
  std::vector<store::AuditEntry> refusals;
  {
    const std::lock_guard lock(state_->issued_mutex);
    issued.swap(state_->issued);
    refusals.swap(state_->refusals);
    if (const auto left_off = std::exchange(state_->refusals_left_off, 0); left_off > 0) {
      refusals.push_back({.at = p_.clock.now(),
                          .principal = "system",
                          .action = "spec.issue",
                          .subject = "",
                          .outcome = "refused",
                          .detail = nlohmann::json{{"more_refusals_not_listed", left_off}}.dump()});
    }
  }
  while (!issued.empty() || !refusals.empty()) {
    auto written = write_some(issued, refusals);
    if (written) continue;
    // Nothing issued is forgotten: what came meanwhile is newer, what could not be written waits for the next try.
    const std::lock_guard lock(state_->issued_mutex);
    for (auto& [key, pending] : issued) {
      const auto [at, fresh] = state_->issued.try_emplace(key, pending);
      if (!fresh) at->second.first = pending.first;
    }
    refusals.insert(refusals.end(), std::make_move_iterator(state_->refusals.begin()),
                    std::make_move_iterator(state_->refusals.end()));
    state_->refusals = std::move(refusals);
    return written;
  }
  return {};
}

Result<void> Logins::write_some(Issued& issued, std::vector<store::AuditEntry>& refusals) {
  std::vector<SessionRecord> batch;
  std::vector<HubAccount> accounts;  // of the same
  for (const auto& [session, pending] : issued) {
    if (batch.size() == kRowsPerWrite) break;
    batch.push_back(session_of(pending));
    accounts.push_back(pending.account);
  }
  HOMEPORT_CHECK(p_.store.write("sessions", [&](store::WriteTransaction& tx) -> Result<void> {
    for (std::size_t i = 0; i < batch.size(); ++i) {
      auto session = batch[i];
      HOMEPORT_CHECK(store::put(tx, session, store::Expect::any()));
      const auto user = p_.catalog.user(session.user);
      if (!user || !is_news(*user, accounts[i])) continue;
      HOMEPORT_CHECK(note_account(tx, user->key, accounts[i]));
      HOMEPORT_CHECK(wake(tx, user->key, p_.clock.now(), "system", kSeenByLogin));
    }
    for (const auto& refusal : refusals) HOMEPORT_CHECK(tx.append_audit(refusal));
    return {};
  }));
  refusals.clear();
  const std::lock_guard lock(state_->issued_mutex);
  if (state_->written.size() > kMaxCached) state_->written.clear();
  for (const auto& session : batch) {
    const auto hash = short_hash(session.key());
    issued.erase(hash);
    state_->written[hash] = {.spec = short_hash(session.spec_id), .at = session.renewed_at};
  }
  return {};
}

void Logins::start() {
  state_->thread = std::jthread([this](const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      {
        std::unique_lock lock(state_->wake_mutex);
        state_->wake.wait_for(lock, stop, kFlushEvery, [] { return false; });
      }
      if (const auto flushed = flush(); !flushed)
        log::warning("issued specs could not be recorded", {{"why", flushed.error().to_string()}});
    }
  });
}

void Logins::stop() {
  if (!state_->thread.joinable()) return;
  state_->thread.request_stop();
  state_->thread.join();
}

}  // namespace homeport::core
