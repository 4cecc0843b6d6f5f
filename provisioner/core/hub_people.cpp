#include "provisioner/core/hub_people.h"

#include <algorithm>
#include <set>
#include <utility>

#include "policies/absence.h"
#include "provisioner/base/log.h"
#include "provisioner/core/accounts.h"
#include "provisioner/render/quoting.h"

namespace homeport::core {
namespace {

using std::chrono::seconds;

constexpr seconds kFirstLook{60};
constexpr seconds kLookTime{60};  // for one whole list
constexpr std::size_t kQueue = 32;
constexpr std::size_t kNewsPerLook = 2000;  // accounts remembered by one write; the next look, or a login, has the rest
constexpr seconds kStopTime{1};

Result<void> mark_dormant(store::WriteTransaction& tx, const std::string& user_key, const HubLook& look,
                          const std::string& principal) {
  HOMEPORT_TRY(auto user, store::get<store::UserRecord>(tx, user_key));
  if (!user || user->dormant_since) return {};
  user->dormant_since = look.at;
  HOMEPORT_CHECK(store::put(tx, *user));
  return tx.append_audit({.at = look.at,
                          .principal = principal,
                          .action = "user.dormant",
                          .subject = user_key,
                          .outcome = "ok",
                          .detail = nlohmann::json{{"hub", look.hub}}.dump()});
}

}  // namespace

std::string_view hub_outcome_name(HubLook::Outcome outcome) {
  switch (outcome) {
    case HubLook::Outcome::done: return "done";
    case HubLook::Outcome::held: return "held";
    case HubLook::Outcome::failed: return "failed";
  }
  return "failed";
}

Result<bool> wake(store::WriteTransaction& tx, const std::string& user_key, WallTime now, const std::string& principal,
                  const std::string& detail) {
  HOMEPORT_TRY(auto user, store::get<store::UserRecord>(tx, user_key));
  if (!user || !user->dormant_since) return false;
  user->dormant_since.reset();
  HOMEPORT_CHECK(store::put(tx, *user));
  HOMEPORT_CHECK(tx.append_audit({.at = now,
                                  .principal = principal,
                                  .action = "user.wake",
                                  .subject = user_key,
                                  .outcome = "ok",
                                  .detail = detail}));
  return true;
}

struct HubPeople::Look {
  HubLook result;
  std::string realm;
  unsigned most_gone_percent = 10;
  std::set<std::string> present{};                            // keys
  std::map<std::string, std::vector<std::string>> came_from;  // key -> hubs, of people who came from this one
  std::set<std::string> just_seen{};                          // keys of those who logged in while the list was read
  std::map<std::string, unsigned> absent{};                   // key -> looks, with this one
  using Account = std::pair<std::string, HubAccount>;         // key, …
  std::vector<Account> held{};
  std::vector<Account> news{};  // to be remembered
};

HubPeople::HubPeople(Homes::Parts parts, const std::vector<HubEntry>& hubs) : p_(std::move(parts)) {
  for (const auto& entry : hubs) hubs_.push_back({.entry = entry, .next = p_.clock.mono() + kFirstLook});
  if (!hubs_.empty()) pool_ = std::make_unique<WorkerPool>("hub-people", 1, kQueue);
}

void HubPeople::stop() {
  if (pool_) pool_->drain(kStopTime);
}

std::vector<HubPeople::State> HubPeople::hubs() const {
  const std::lock_guard lock(mutex_);
  std::vector<State> out;
  for (const auto& hub : hubs_) out.push_back({.settings = hub.entry.settings, .last = hub.last});
  return out;
}

void HubPeople::reconcile(const Caller& caller, const Request& request, std::function<void(Result<HubLook>)> done) {
  const auto at = std::find_if(hubs_.begin(), hubs_.end(),
                               [&](const Known& hub) { return hub.entry.settings.name == request.hub; });
  if (at == hubs_.end()) {
    return done(Error{.code = Errc::not_found,
                      .message = "there is no hub '" + printable(request.hub, 64) + "'",
                      .hint = "`homeport hub list` shows those of the configuration"});
  }
  if (!at->entry.settings.lists_users) {
    return done(
        Error{.code = Errc::failed_precondition,
              .message = "hub " + request.hub + " has no token in the configuration, so its users cannot be listed",
              .hint = "make a service with the scope list:users in the hub, and name its token as `token:`"});
  }
  auto shared = std::make_shared<std::function<void(Result<HubLook>)>>(std::move(done));
  auto job = [this, caller, request, at, shared](const std::stop_token& stop) {
    auto result = look(caller, request, at->entry, stop);
    {
      const std::lock_guard lock(mutex_);
      if (!request.dry_run) at->last = result;
    }
    (*shared)(std::move(result));
  };
  if (auto queued = pool_->submit(std::move(job)); !queued) (*shared)(std::move(queued).error());
}

void HubPeople::tick() {
  std::vector<std::string> due;
  {
    const std::lock_guard lock(mutex_);
    const auto now = p_.clock.mono();
    for (auto& hub : hubs_) {
      if (!hub.entry.settings.lists_users || hub.underway || now < hub.next) continue;
      hub.underway = true;
      hub.next = now + hub.entry.settings.reconcile_every;
      due.push_back(hub.entry.settings.name);
    }
  }
  const Caller caller{.principal = {.id = "system", .scope = policies::Scope::admin},
                      .request_id = "hub-people",
                      .deadline = p_.clock.mono() + kLookTime};
  for (const auto& name : due) {
    reconcile(caller, {.hub = name}, [this, name](const Result<HubLook>&) {
      const std::lock_guard lock(mutex_);
      for (auto& hub : hubs_) {
        if (hub.entry.settings.name == name) hub.underway = false;
      }
    });
  }
}

HubLook HubPeople::look(const Caller& caller, const Request& request, const HubEntry& entry,
                        const std::stop_token& stop) {
  Look work;
  work.realm = entry.settings.realm;
  work.most_gone_percent = entry.settings.most_gone_percent;
  auto& result = work.result;
  result.hub = request.hub;
  result.dry_run = request.dry_run;
  result.at = p_.clock.now();
  const auto done = [&]() -> Result<void> {
    const OpContext op{.request_id = caller.request_id,
                       .deadline = p_.clock.mono() + kLookTime,
                       .stop = stop,
                       .dry_run = request.dry_run};
    HOMEPORT_TRY(const auto listed, entry.hub->users(op));
    HOMEPORT_CHECK(compare(work, listed));
    judge(work, request);
    if (request.dry_run) return {};
    // An empty list says nothing about anybody: it is no look in a row.
    if (result.listed > 0) absent_[request.hub].looks = work.absent;
    return write(caller, work);
  }();
  if (!request.dry_run) absent_[request.hub].accepted = done && result.outcome == HubLook::Outcome::done;
  if (!done) {
    result.outcome = HubLook::Outcome::failed;
    result.text = done.error().sentence();
    result.gone.clear();
    result.back.clear();
    result.recreated.clear();
  }
  const auto level = result.outcome == HubLook::Outcome::done ? log::info : log::warning;
  level("hub_look", {{"hub", result.hub},
                     {"outcome", std::string(hub_outcome_name(result.outcome))},
                     {"listed", std::to_string(result.listed)},
                     {"known", std::to_string(result.known)},
                     {"missing", std::to_string(result.missing.size())},
                     {"gone", std::to_string(result.gone.size())},
                     {"back", std::to_string(result.back.size())},
                     {"recreated", std::to_string(result.recreated.size())},
                     {"why", result.text}});
  return std::move(result);
}

void HubPeople::see(Look& work, const UserPtr& user, const HubListed& listed) const {
  auto& result = work.result;
  work.present.insert(user->key);
  const HubAccount account{.hub = result.hub, .name = listed.name, .created = listed.created};
  const bool again = !p_.trusted_hubs.contains(result.hub) && is_recreated(*user, account);
  if (again) {
    work.held.emplace_back(user->key, account);
    result.recreated.push_back(user->key);
  } else if (user->dormant_since) {
    result.back.push_back(user->key);
  }
  if (!again && is_news(*user, account)) work.news.emplace_back(user->key, account);
}

Result<void> HubPeople::compare(Look& work, const std::vector<HubListed>& listed) {
  auto& result = work.result;
  result.listed = listed.size();
  for (const auto& one : listed) {
    if (const auto user = p_.catalog.user_by_name(work.realm, one.name)) see(work, user, one);
  }
  std::sort(result.back.begin(), result.back.end());
  result.back.erase(std::unique(result.back.begin(), result.back.end()), result.back.end());
  std::sort(result.recreated.begin(), result.recreated.end());
  result.recreated.erase(std::unique(result.recreated.begin(), result.recreated.end()), result.recreated.end());
  // Somebody with several names is there by one account that is their own, and its login is not the other's.
  std::erase_if(result.back, [&](const auto& key) { return std::ranges::binary_search(result.recreated, key); });
  // Whoever logged in a moment ago is not in the store yet.
  HOMEPORT_CHECK(p_.flush_sessions());
  HOMEPORT_CHECK(read_sessions(work));
  follow_merges(work);
  std::erase_if(work.came_from, [&](const auto& person) {
    return std::find(person.second.begin(), person.second.end(), result.hub) == person.second.end();
  });
  const auto before = absent_.find(result.hub);
  for (const auto& [key, hubs] : work.came_from) {
    const auto user = p_.catalog.user(key);
    if (!user || user->realm != work.realm || user->dormant_since) continue;
    ++result.known;
    if (work.present.contains(key) || work.just_seen.contains(key)) continue;
    unsigned looks = 1;
    if (before != absent_.end()) {
      if (const auto at = before->second.looks.find(key); at != before->second.looks.end()) looks += at->second;
    }
    work.absent[key] = looks;
    result.missing.push_back({.user = key, .looks = looks});
  }
  return {};
}

// Somebody who was another one's second name came as that person.
void HubPeople::follow_merges(Look& work) const {
  std::map<std::string, std::vector<std::string>> came_from;
  std::set<std::string> just_seen;
  const auto present_key = [&](std::string key) {
    std::set<std::string> seen;
    for (auto user = p_.catalog.user(key); user && user->merged_into && seen.insert(key).second;
         user = p_.catalog.user(key))
      key = *user->merged_into;
    return key;
  };
  for (const auto& [key, hubs] : work.came_from) {
    auto& all = came_from[present_key(key)];
    all.insert(all.end(), hubs.begin(), hubs.end());
  }
  for (const auto& key : work.just_seen) just_seen.insert(present_key(key));
  work.came_from = std::move(came_from);
  work.just_seen = std::move(just_seen);
}

// The keys of the rows say who came from where: a row whose document is damaged still counts.
Result<void> HubPeople::read_sessions(Look& work) {
  return p_.store.read([&](store::ReadTransaction& tx) -> Result<void> {
    work.came_from.clear();
    work.just_seen.clear();
    HOMEPORT_TRY(const auto rows, tx.list(store::Table::sessions, {}));
    for (const auto& row : rows) {
      const auto first = row.key.find('/');
      const auto second = row.key.find('/', first + 1);
      if (first == std::string::npos || second == std::string::npos) continue;
      const auto user = row.key.substr(first + 1, second - first - 1);
      auto& hubs = work.came_from[user];
      if (hubs.empty() || hubs.back() != row.key.substr(0, first)) hubs.push_back(row.key.substr(0, first));
      const auto session = store::from_row<store::SessionRecord>(row);
      if (!session || session->renewed_at >= work.result.at) work.just_seen.insert(user);
    }
    return {};
  });
}

bool HubPeople::absent_everywhere(const Look& work, const std::string& user) const {
  const auto& hubs = work.came_from.at(user);
  return std::all_of(hubs.begin(), hubs.end(), [&](const std::string& hub) {
    if (hub == work.result.hub) return work.absent.at(user) >= policies::kAbsentLooks;
    const auto there = absent_.find(hub);  // a hub that nobody lists is nothing to conclude from
    if (there == absent_.end() || !there->second.accepted) return false;
    const auto looks = there->second.looks.find(user);
    return looks != there->second.looks.end() && looks->second >= policies::kAbsentLooks;
  });
}

void HubPeople::judge(Look& work, const Request& request) {
  auto& result = work.result;
  const auto verdict = policies::judge_absence({.listed = result.listed,
                                                .known = result.known,
                                                .missing = result.missing.size(),
                                                .most_gone_percent = request.force ? 100 : work.most_gone_percent});
  if (verdict.hold) {
    result.outcome = HubLook::Outcome::held;
    result.text = verdict.why;
    return;
  }
  for (const auto& missing : result.missing) {
    if (absent_everywhere(work, missing.user)) result.gone.push_back(missing.user);
  }
}

Result<void> HubPeople::write(const Caller& caller, const Look& work) {
  const auto& result = work.result;
  const bool held = result.outcome == HubLook::Outcome::held;
  const bool nothing = result.gone.empty() && result.back.empty() && work.held.empty() && work.news.empty();
  if (nothing && !held) return {};
  const auto& principal = caller.principal.id;
  return p_.store.write("hub-people", [&](store::WriteTransaction& tx) -> Result<void> {
    for (const auto& user : result.gone) HOMEPORT_CHECK(mark_dormant(tx, user, result, principal));
    const auto detail = nlohmann::json{{"hub", result.hub}, {"seen", "list"}}.dump();
    for (const auto& user : result.back) HOMEPORT_CHECK(wake(tx, user, result.at, principal, detail));
    for (const auto& [user, account] : work.held) HOMEPORT_CHECK(hold_account(tx, user, account, result.at, principal));
    for (std::size_t i = 0; i < std::min(work.news.size(), kNewsPerLook); ++i)
      HOMEPORT_CHECK(note_account(tx, work.news[i].first, work.news[i].second));
    if (result.gone.empty() && result.back.empty() && result.recreated.empty() && !held) return {};
    return tx.append_audit({.at = result.at,
                            .principal = principal,
                            .action = "hub.reconcile",
                            .subject = result.hub,
                            .outcome = std::string(hub_outcome_name(result.outcome)),
                            .detail = nlohmann::json{{"listed", result.listed},
                                                     {"known", result.known},
                                                     {"missing", result.missing.size()},
                                                     {"dormant", result.gone.size()},
                                                     {"back", result.back.size()},
                                                     {"recreated", result.recreated.size()}}
                                          .dump()});
  });
}

namespace {

Finding held_finding(const std::string& hub, const std::vector<UserPtr>& people) {
  const auto& first = *people.front()->recreated;
  const bool one = people.size() == 1;
  return {
      .level = "warning",
      .what = (one ? "the account " + printable(first.name, 60) + " was"
                   : std::to_string(people.size()) + " accounts, for example " + printable(first.name, 60) + ", were") +
              " deleted in hub " + printable(hub, 60) +
              " and made again: " + (one ? "its home stays" : "their homes stay") +
              " closed until a uid of LDAP, NSS or the hub says that it is the same person, or an administrator does",
      .hint = "the same person: `homeport user keep " + render::shell_quote(printable(first.name, 60)) +
              "`; somebody new: `homeport user rename NAME NEW-NAME --free`" +
              (one ? ""
                   : "; all of them the same, because the hub's database is new: `recreated: same` at this hub "
                     "in the configuration")};
}

}  // namespace

std::vector<Finding> HubPeople::findings() const {
  std::vector<Finding> out;
  for (const auto& hub : hubs()) {
    if (!hub.last || hub.last->outcome == HubLook::Outcome::done) continue;
    const auto& name = hub.settings.name;
    if (hub.last->outcome == HubLook::Outcome::failed) {
      out.push_back({.level = "warning",
                     .what = "the users of hub " + name + " cannot be listed: " + hub.last->text,
                     .hint = "`homeport hub reconcile " + name + " --dry-run` tries again"});
    } else {
      const std::string look = "look with `homeport hub reconcile " + name + " --dry-run`";
      out.push_back(
          {.level = "warning",
           .what = "nobody of hub " + name + " goes dormant: " + hub.last->text,
           .hint = hub.last->listed == 0 ? look : look + "; if these people have left, `--force` marks them"});
    }
  }
  std::map<std::string, std::vector<UserPtr>> held;  // by hub
  for (const auto& user : p_.catalog.users()) {
    if (user->recreated) held[user->recreated->hub].push_back(user);
  }
  for (const auto& [hub, people] : held) out.push_back(held_finding(hub, people));
  return out;
}

}  // namespace homeport::core
