#include "provisioner/core/hub_tokens.h"

#include <algorithm>
#include <list>
#include <mutex>
#include <unordered_map>
#include <utility>

#include "provisioner/base/digest.h"
#include "provisioner/base/log.h"
#include "provisioner/base/names.h"
#include "provisioner/base/worker_pool.h"

namespace homeport::core {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::size_t kMaxGood = 20'000;
constexpr std::size_t kMaxRefused = 10'000;
constexpr std::size_t kMaxOdd = 1000;
constexpr std::size_t kThreads = 4;
constexpr std::size_t kQueue = 64;
constexpr std::size_t kMaxWaiters = 64;  // callers who wait for one question
constexpr seconds kRefusedFor{30};
constexpr seconds kPause{2};
constexpr unsigned kBurst = 10;  // seconds' worth of new tokens at once
constexpr unsigned kRefusedPerSource = 20;
constexpr std::size_t kMaxSources = 4096;
constexpr seconds kSourceWindow{60};
constexpr milliseconds kStopTime{500};

Error unauthenticated(std::string message, std::string hint) {
  return Error{.code = Errc::unauthenticated, .message = std::move(message), .hint = std::move(hint)};
}

Error stopping() {
  return Error{.code = Errc::unavailable,
               .message = "the service is stopping",
               .hint = "try again in a moment",
               .retry_after = kPause};
}

// No answer came from the hub itself. What it answers about one token says nothing about the others.
bool is_away(const Error& error) {
  if (error.code == Errc::timed_out) return true;
  if (error.code != Errc::unavailable && error.code != Errc::rate_limited) return false;
  if (!error.upstream) return true;
  const auto status = error.upstream->status;
  constexpr int kTooMany = 429;
  constexpr int kBadGateway = 502;  // what stands before the hub says that it is away: 502, 503, 504
  constexpr int kGatewayTimeout = 504;
  return status == kTooMany || (status >= kBadGateway && status <= kGatewayTimeout);
}

Error busy(const std::string& hub) {
  return Error{.code = Errc::unavailable,
               .message = "too many questions wait for hub " + hub,
               .hint = "try again in a moment",
               .retry_after = kPause};
}

// What JupyterHub makes (32 hexadecimal digits) and what admins make for it, within RFC 6750 section 2.1.
bool has_token_shape(std::string_view token) {
  constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~+/=";
  return token.size() >= 16 && token.size() <= 256 && token.find_first_not_of(kLetters) == std::string_view::npos;
}

// The newest `limit` entries.
template <class V>
class Newest {
 public:
  explicit Newest(std::size_t limit) : limit_(limit) {}
  [[nodiscard]] const V* find(const std::string& key) const {
    const auto at = entries_.find(key);
    return at == entries_.end() ? nullptr : &at->second->second;
  }
  void put(const std::string& key, V value) {
    erase(key);
    order_.emplace_front(key, std::move(value));
    entries_[key] = order_.begin();
    if (entries_.size() <= limit_) return;
    entries_.erase(order_.back().first);
    order_.pop_back();
  }
  void erase(const std::string& key) {
    const auto at = entries_.find(key);
    if (at == entries_.end()) return;
    order_.erase(at->second);
    entries_.erase(at);
  }

 private:
  using Order = std::list<std::pair<std::string, V>>;
  const std::size_t limit_;
  Order order_;
  std::unordered_map<std::string, typename Order::iterator> entries_;
};

Result<HubUser> checked(HubUser user) {
  if (const auto name = UserName::parse(user.name); !name) {
    return unauthenticated(
        "the hub knows the token, but its person has a name that cannot have a home: " + name.error().message,
        name.error().hint);
  }
  std::erase_if(user.groups, [](const std::string& group) { return !GroupName::parse(group).has_value(); });
  return user;
}

}  // namespace

// The tokens of one hub.
class HubTokens::OneHub {
 public:
  OneHub(HubEntry entry, const Clock& clock, Metrics& metrics)
      : entry_(std::move(entry)),
        clock_(clock),
        allowance_(most_allowed()),
        filled_at_(clock.mono()),
        pool_("hub-" + name(), kThreads, kQueue) {
    const auto counter = [&](const char* outcome) {
      return &metrics.counter("homeport_hub_token_questions_total",
                              "Questions about people's tokens, by what the hub answered; limited: not asked.",
                              {{"hub", name()}, {"outcome", outcome}});
    };
    counted_good_ = counter("good");
    counted_refused_ = counter("refused");
    counted_failed_ = counter("failed");
    counted_limited_ = counter("limited");
  }

  [[nodiscard]] std::optional<Result<HubPerson>> known(const std::string& digest) {
    const std::lock_guard lock(mutex_);
    return look(digest);
  }
  void ask(const Question& question, const std::string& digest, Done done);
  void answer_all();  // as unavailable; nobody is let in after that
  void drain() { pool_.drain(kStopTime); }

 private:
  struct Good {
    HubPerson person;
    MonoTime asked;
  };
  struct Refused {
    std::string message;
    std::string hint;
    MonoTime asked;
  };
  struct Away {  // not asked until then
    Error error{};
    MonoTime until{};
  };
  struct Source {
    MonoTime since;
    unsigned refused = 0;
  };

  // One question at work: whoever waits for it is answered also when the pool drops it or it ends with an exception.
  struct Flight {
    Flight(OneHub& of, std::string about) : hub(of), digest(std::move(about)) {}
    ~Flight() {
      if (!over) hub.finish(digest, stopping());
    }
    Flight(const Flight&) = delete;
    Flight& operator=(const Flight&) = delete;
    OneHub& hub;
    const std::string digest;
    bool over = false;
  };

  [[nodiscard]] const std::string& name() const { return entry_.settings.name; }
  [[nodiscard]] double most_allowed() const { return static_cast<double>(entry_.settings.new_per_second) * kBurst; }
  [[nodiscard]] Result<std::optional<HubUser>> owner(const OpContext& op, const Secret& token) const;
  void settle(const std::string& digest, const std::string& source, MonoTime asked,
              Result<std::optional<HubUser>> owner);
  void finish(const std::string& digest, const Result<HubPerson>& result);
  // Under mutex_.
  [[nodiscard]] std::optional<Result<HubPerson>> look(const std::string& digest);
  [[nodiscard]] std::optional<Error> limit(const std::string& digest, const std::string& source);
  void note_refused(const std::string& digest, const std::string& source, MonoTime asked, const Error& why);
  Error note_failed(const std::string& digest, const Error& why);

  const HubEntry entry_;
  const Clock& clock_;
  Counter* counted_good_ = nullptr;
  Counter* counted_refused_ = nullptr;
  Counter* counted_failed_ = nullptr;
  Counter* counted_limited_ = nullptr;

  std::mutex mutex_;
  Newest<Good> good_{kMaxGood};
  Newest<Refused> refused_{kMaxRefused};
  std::unordered_map<std::string, std::vector<Done>> flights_;
  std::unordered_map<std::string, Source> sources_;
  bool stopping_ = false;
  double allowance_;
  MonoTime filled_at_;
  Away away_{};                // the hub
  Newest<Away> odd_{kMaxOdd};  // tokens about which it gave no usable answer
  WorkerPool pool_;            // the last member: its threads end before what they use
};

std::optional<Result<HubPerson>> HubTokens::OneHub::look(const std::string& digest) {
  const auto now = clock_.mono();
  const milliseconds cache = entry_.settings.cache;
  if (const auto* good = good_.find(digest); good != nullptr && now - good->asked < cache) {
    return Result<HubPerson>(good->person);
  }
  const auto refused_for = std::min<milliseconds>(cache, kRefusedFor);
  if (const auto* refused = refused_.find(digest); refused != nullptr && now - refused->asked < refused_for) {
    return Result<HubPerson>(unauthenticated(refused->message, refused->hint));
  }
  const auto* odd = odd_.find(digest);
  const auto* away = now < away_.until ? &away_ : odd != nullptr && now < odd->until ? odd : nullptr;
  if (away == nullptr) return std::nullopt;
  Error error = away->error;
  error.retry_after = std::chrono::ceil<milliseconds>(away->until - now);
  return Result<HubPerson>(std::move(error));
}

// May a question about this token go out? Tokens that were good before always may.
std::optional<Error> HubTokens::OneHub::limit(const std::string& digest, const std::string& source) {
  if (good_.find(digest) != nullptr) return std::nullopt;
  const auto now = clock_.mono();
  const auto refuse = [&](std::string message, milliseconds later) {
    counted_limited_->add();
    return Error{.code = Errc::rate_limited,
                 .message = std::move(message),
                 .hint = "try again in " + format_duration(later),
                 .retry_after = later};
  };
  if (const auto at = sources_.find(source);
      at != sources_.end() && now - at->second.since < kSourceWindow && at->second.refused >= kRefusedPerSource) {
    const auto later = std::chrono::ceil<seconds>(kSourceWindow - (now - at->second.since));
    return refuse("too many tokens from your address were refused by hub " + name(), later);
  }
  const std::chrono::duration<double> passed = now - filled_at_;
  filled_at_ = now;
  allowance_ = std::min(most_allowed(), allowance_ + passed.count() * entry_.settings.new_per_second);
  if (allowance_ < 1.0) return refuse("too many new tokens are shown at once for hub " + name(), seconds(1));
  allowance_ -= 1.0;
  return std::nullopt;
}

void HubTokens::OneHub::ask(const Question& question, const std::string& digest, Done done) {
  std::optional<Result<HubPerson>> now;
  {
    const std::lock_guard lock(mutex_);
    now = look(digest);
    if (!now && stopping_) now = Result<HubPerson>(stopping());
    if (!now) {
      if (const auto flight = flights_.find(digest); flight != flights_.end()) {
        if (flight->second.size() < kMaxWaiters) return flight->second.push_back(std::move(done));
        now = Result<HubPerson>(busy(name()));
      } else if (auto limited = limit(digest, question.source)) {
        now = Result<HubPerson>(std::move(*limited));
      } else {
        flights_[digest].push_back(std::move(done));
      }
    }
  }
  if (now) return done(std::move(*now));  // NOLINT(bugprone-use-after-move): moved only where nothing is known now
  const auto deadline = std::min(question.deadline, clock_.mono() + entry_.settings.timeout);
  const auto flight = std::make_shared<Flight>(*this, digest);
  auto job = [this, digest, token = question.token, source = question.source, deadline,
              flight](const std::stop_token& stop) {
    const auto asked = clock_.mono();
    const OpContext op{.request_id = "hub-token", .deadline = deadline, .stop = stop};
    settle(digest, source, asked, owner(op, token));
    flight->over = true;
  };
  if (pool_.submit(std::move(job))) return;
  flight->over = true;
  finish(digest, busy(name()));
}

Result<std::optional<HubUser>> HubTokens::OneHub::owner(const OpContext& op, const Secret& token) const {
  HOMEPORT_CHECK(still_wanted(op, clock_, "asking hub " + name()));
  HOMEPORT_TRY(auto user, entry_.hub->owner_of(op, token));
  if (!user) return user;
  HOMEPORT_TRY(*user, checked(std::move(*user)));
  return user;
}

void HubTokens::OneHub::settle(const std::string& digest, const std::string& source, MonoTime asked,
                               Result<std::optional<HubUser>> owner) {
  const auto result = [&]() -> Result<HubPerson> {
    const std::lock_guard lock(mutex_);
    if (owner && *owner) {
      HubPerson person{.hub = name(), .realm = entry_.settings.realm, .user = std::move(**owner)};
      refused_.erase(digest);
      good_.put(digest, {.person = person, .asked = asked});
      counted_good_->add();
      return person;
    }
    if (!owner && owner.error().code != Errc::unauthenticated) return note_failed(digest, owner.error());
    Error why = owner ? unauthenticated("hub " + name() + " does not know the token: it was revoked, or never was one",
                                        "a restarted notebook server has a new one in JUPYTERHUB_API_TOKEN")
                      : std::move(owner).error();
    note_refused(digest, source, asked, why);
    return why;
  }();
  finish(digest, result);
}

void HubTokens::OneHub::note_refused(const std::string& digest, const std::string& source, MonoTime asked,
                                     const Error& why) {
  good_.erase(digest);
  refused_.put(digest, {.message = why.message, .hint = why.hint, .asked = asked});
  counted_refused_->add();
  if (sources_.size() >= kMaxSources) sources_.clear();
  auto& of_source = sources_[source];
  if (asked - of_source.since >= kSourceWindow) of_source = {.since = asked};
  ++of_source.refused;
}

// The token stays what it was: nobody is refused because their hub is away.
Error HubTokens::OneHub::note_failed(const std::string& digest, const Error& why) {
  counted_failed_->add();
  Error error{.code = Errc::unavailable,
              .message = "hub " + name() + " cannot be asked whose token this is: " + why.sentence(),
              .hint = "try again in a moment; the log of homeportd says when this began",
              .retry_after = kPause};
  if (why.code == Errc::cancelled) return error;
  log::warning("a hub cannot be asked about a token", {{"hub", name()}, {"why", why.to_string()}});
  const Away away{.error = error, .until = clock_.mono() + kPause};
  if (is_away(why)) {
    away_ = away;
  } else {
    odd_.put(digest, away);
  }
  return error;
}

void HubTokens::OneHub::finish(const std::string& digest, const Result<HubPerson>& result) {
  std::vector<Done> waiters;
  {
    const std::lock_guard lock(mutex_);
    const auto flight = flights_.find(digest);
    if (flight == flights_.end()) return;
    waiters = std::move(flight->second);
    flights_.erase(flight);
  }
  for (const auto& done : waiters) done(result);
}

void HubTokens::OneHub::answer_all() {
  std::vector<std::string> open;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    for (const auto& [digest, waiters] : flights_) open.push_back(digest);
  }
  for (const auto& digest : open) finish(digest, stopping());
}

HubTokens::HubTokens(const std::vector<HubEntry>& hubs, const Clock& clock, Metrics& metrics) {
  for (const auto& entry : hubs) {
    hubs_.emplace(entry.settings.name, std::make_unique<OneHub>(entry, clock, metrics));
  }
}

HubTokens::~HubTokens() = default;

bool HubTokens::concerns(std::string_view token) const {
  return !hubs_.empty() && !token.starts_with("hp_");
}

Result<HubTokens::OneHub*> HubTokens::choose(std::string_view hub) const {
  if (hub.empty() && hubs_.size() == 1) return hubs_.begin()->second.get();
  if (hub.empty()) {
    return unauthenticated("the request does not say which hub its token is of, and there are several",
                           "send the header Homeport-Hub with the hub's name (the command takes it from HOMEPORT_HUB)");
  }
  const auto at = hubs_.find(hub);
  if (at != hubs_.end()) return at->second.get();
  return unauthenticated("no hub is called '" + printable(hub, 64) + "' here",
                         "the header Homeport-Hub (HOMEPORT_HUB) must be a name of the service's `hubs:`");
}

std::optional<Result<HubPerson>> HubTokens::known(std::string_view hub, std::string_view token) {
  if (!has_token_shape(token)) {
    return Result<HubPerson>(
        unauthenticated("the token is neither one of Homeport's nor one of a hub", "check that it was copied whole"));
  }
  auto of_hub = choose(hub);
  if (!of_hub) return Result<HubPerson>(std::move(of_hub).error());
  return (*of_hub)->known(sha256_hex(token));
}

void HubTokens::ask(const Question& question, Done done) {
  if (auto now = known(question.hub, question.token.reveal())) return done(std::move(*now));
  auto of_hub = choose(question.hub);
  if (!of_hub) return done(std::move(of_hub).error());
  (*of_hub)->ask(question, sha256_hex(question.token.reveal()), std::move(done));
}

void HubTokens::stop() {
  for (const auto& [name, hub] : hubs_) hub->answer_all();
  for (const auto& [name, hub] : hubs_) hub->drain();
}

}  // namespace homeport::core
