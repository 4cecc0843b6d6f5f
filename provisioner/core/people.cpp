#include "provisioner/core/people.h"

#include <algorithm>
#include <utility>

#include "provisioner/base/log.h"
#include "provisioner/store/records.h"

namespace homeport::core {
namespace {

constexpr std::size_t kThreads = 8;
constexpr std::size_t kQueue = 4096;
constexpr std::chrono::seconds kKnownWait{2};      // a known person waits no longer for a directory
constexpr std::chrono::seconds kAfterFailure{30};  // and is answered from what is kept for this long
constexpr std::chrono::seconds kCheckTime{5};
constexpr std::size_t kMaxAsked = 200'000;
constexpr std::size_t kMaxHeld = 100;
constexpr std::string_view kAssignedCounter = "identity/assigned";  // the next number to give

std::string place_of(std::string_view realm, std::string_view name) {
  return std::string(realm) + "/" + std::string(name);
}

bool has_groups(const Person& person) {
  return !person.groups.empty() || !person.gids.empty();
}

// What is kept of somebody known, as an answer.
Person kept(const store::UserRecord& user) {
  return {.uid = user.uid,
          .gid = user.gid,
          .gids = user.gids,
          .groups = user.groups,
          .source = user.identity_source.value_or("")};
}

// Of what a source says of a person, that which is not known yet.
void take_over(Identity&& said, std::string_view source, Person& person) {
  if (!person.uid && said.uid) {
    person.uid = said.uid;
    person.gid = said.gid;
    person.source = source;
  }
  if (has_groups(person)) return;
  std::erase(said.gids, 0U);  // root's group is never given to a person
  person.gids = std::move(said.gids);
  person.groups = std::move(said.groups);
}

Result<void> check_uid(const Person& person, const std::string& name, std::uint32_t system_below) {
  if (!person.uid) return {};
  const bool of_request = person.source == "request";
  const auto refuse = [&](const std::string& why, std::string hint) {
    return Error{.code = of_request ? Errc::invalid_argument : Errc::failed_precondition,
                 .message = of_request ? "uid " + std::to_string(*person.uid) + " " + why
                                       : person.source + " gives " + printable(name, 60) + " uid " +
                                             std::to_string(*person.uid) + ", which " + why,
                 .hint = std::move(hint),
                 .pointer = of_request ? "/uid" : ""};
  };
  if (*person.uid == 0) {
    return refuse("is never given to a person",
                  "root could read and change every home; name the person's own uid and gid");
  }
  if (is_nobodys_id(*person.uid)) {
    return refuse("means nobody and cannot own a home", "name the person's own uid and gid");
  }
  if (*person.uid < system_below) {
    return refuse("belongs to the system (below " + std::to_string(system_below) + ")",
                  "give the person another uid, or lower identity.system_below if people have such uids here");
  }
  return {};
}

Error other_uid(const std::string& name, std::uint32_t known, std::uint32_t said, const std::string& source) {
  return Error{.code = Errc::forbidden,
               .message = printable(name, 60) + " is known with uid " + std::to_string(known) + ", but " + source +
                          " says " + std::to_string(said),
               .hint =
                   "the same person: an admin says so with `homeport user set-uid`; somebody new with a former "
                   "name: `homeport user rename --free` gives the home of before another name",
               .pointer = "/uid"};
}

}  // namespace

bool is_nobodys_id(std::uint32_t id) {
  constexpr std::uint32_t kNobody = 65534;
  constexpr std::uint32_t kNoChange = 0xFFFFFFFF;
  return id == kNobody || id == kNoChange;
}

Error not_the_pinned_uid(std::string_view user, std::uint32_t pinned, std::uint32_t named, std::string pointer) {
  return Error{.code = Errc::forbidden,
               .message = printable(user, 60) + " is known with uid " + std::to_string(pinned) + ", not " +
                          std::to_string(named),
               .hint = "if the person really has another uid now, an admin says so with `homeport user set-uid`",
               .pointer = std::move(pointer)};
}

People::People(store::Store& store, Catalog& catalog, Clock& clock, IdentityPolicy policy)
    : store_(store),
      catalog_(catalog),
      clock_(clock),
      policy_(std::move(policy)),
      has_sources_(std::any_of(policy_.order.begin(), policy_.order.end(),
                               [](const auto& step) { return step.origin == IdentityPolicy::Origin::source; })),
      pool_("identity", has_sources_ ? kThreads : 1, kQueue) {}

bool People::fresh(std::string_view realm, std::string_view name) const {
  const std::shared_lock lock(mutex_);
  const auto at = asked_.find(place_of(realm, name));
  if (at == asked_.end()) return false;
  const std::chrono::milliseconds length = at->second.failed ? kAfterFailure : policy_.fresh_for;
  return clock_.mono() - at->second.at < length;
}

bool People::must_ask(const store::UserRecord& user, std::string_view name) const {
  // Groups that nobody stands for any more must not go on giving datasets.
  if (!has_sources_) return !user.groups.empty() || !user.gids.empty();
  return !fresh(user.realm, name);
}

void People::note_asked(const PersonQuestion& question, bool failed) {
  const std::unique_lock lock(mutex_);
  if (asked_.size() >= kMaxAsked) asked_.clear();
  asked_[place_of(question.realm, question.user.str())] = {.at = clock_.mono(), .failed = failed};
}

Result<Person> People::ask(const OpContext& op, const PersonQuestion& question) const {
  Person person;
  const auto take_request = [&] {
    if (person.uid || !question.uid) return;
    person.uid = question.uid;
    person.gid = question.gid;
    person.source = "request";
  };
  if (question.by_admin) take_request();
  for (const auto& step : policy_.order) {
    switch (step.origin) {
      case IdentityPolicy::Origin::request: take_request(); break;
      case IdentityPolicy::Origin::assigned: person.assign = !person.uid; break;
      case IdentityPolicy::Origin::source: {
        if (person.uid && has_groups(person)) break;
        // Whoever cannot be asked now stops the search: the next one would give this person a second uid.
        HOMEPORT_TRY(auto said, step.source->find(op, question.user)
                                    .context("who " + printable(question.user.str(), 60) + " is, asked of " +
                                             std::string(step.source->name())));
        if (said) take_over(std::move(*said), step.source->name(), person);
        break;
      }
    }
  }
  person.vouched = person.uid.has_value();
  return person;
}

Result<void> People::check_request(const PersonQuestion& question, const Person& person) const {
  if (!question.uid || person.uid == question.uid) return {};
  if (person.uid) return other_uid(question.user.str(), *person.uid, *question.uid, "the request");
  return Error{.code = Errc::forbidden,
               .message = "uid " + std::to_string(*question.uid) + " for " + printable(question.user.str(), 60) +
                          " comes from the request, and uids are not taken from there",
               .hint = "add request to identity.order, or let the hub send no uid",
               .pointer = "/uid"};
}

Result<Person> People::settle(const PersonQuestion& question, const UserPtr& known, Result<Person> said) {
  const auto& name = question.user.str();
  if (!said) {
    if (!known || !known->uid || said.error().code == Errc::cancelled) return said;
    note_asked(question, true);
    log::warning(
        "identity_kept",
        {{"user_key", known->key}, {"why", said.error().to_string()}, {"then", "the login goes on with what is kept"}});
    return kept(*known);
  }
  auto person = std::move(said).value();
  if (!question.stands) HOMEPORT_CHECK(check_uid(person, name, policy_.system_below));
  if (known && known->uid && person.uid && *known->uid != *person.uid) {
    auto error = other_uid(name, *known->uid, *person.uid, person.source == "request" ? "the request" : person.source);
    note_held({.realm = question.realm, .user = name, .uid = *person.uid, .why = error.message});
    return error;
  }
  if (!known || !known->uid) HOMEPORT_CHECK(check_request(question, person));
  if (!known) return person;
  // A login is worth more than the newest groups: without the write it gets those that are kept.
  if (const auto written = keep(known->key, person); !written)
    log::warning("groups_not_kept", {{"user_key", known->key}, {"why", written.error().to_string()}});
  if (!person.uid) person.uid = known->uid;
  if (!person.gid) person.gid = known->gid;
  note_asked(question, false);
  return person;
}

Result<void> People::keep(const std::string& user_key, const Person& person) {
  const auto same = [&](const store::UserRecord& user) {
    return user.gids == person.gids && user.groups == person.groups;
  };
  if (const auto user = catalog_.user(user_key); user && same(*user)) return {};
  return store_.write("identity", [&](store::WriteTransaction& tx) -> Result<void> {
    HOMEPORT_TRY(auto user, store::get<store::UserRecord>(tx, user_key));
    if (!user || same(*user)) return {};
    user->gids = person.gids;
    user->groups = person.groups;
    return store::put(tx, *user);
  });
}

void People::identify(const Caller& caller, const PersonQuestion& question, const Done& done) {
  const auto known = catalog_.user_by_name(question.realm, question.user.str());
  const bool pinned = known && known->uid;
  if (has_sources_ && pinned && !question.anew && fresh(question.realm, question.user.str())) return done(kept(*known));
  if (!has_sources_) {
    const OpContext op{.request_id = caller.request_id, .deadline = caller.deadline};
    return done(settle(question, known, ask(op, question)));
  }
  auto deadline = caller.deadline;
  if (pinned) deadline = std::min(deadline, clock_.mono() + kKnownWait);
  const auto queued = pool_.submit(
      [this, question, known, done, deadline, request_id = caller.request_id](const std::stop_token& stop) {
        const OpContext op{.request_id = request_id, .deadline = deadline, .stop = stop};
        done(settle(question, known, ask(op, question)));
      });
  if (!queued) done(settle(question, pinned ? known : nullptr, queued.error()));
}

Result<Owner> People::take_assigned(store::WriteTransaction& tx, const std::string& realm) const {
  if (!policy_.assigned) return Error{.code = Errc::internal, .message = "no range to assign uids from"};
  const auto& range = *policy_.assigned;
  HOMEPORT_TRY(auto counter, store::get<store::CounterRecord>(tx, kAssignedCounter));
  if (!counter) counter = store::CounterRecord{.name = std::string(kAssignedCounter)};
  for (auto next = std::max<std::uint64_t>(counter->value, range.from); next <= range.to; ++next) {
    const auto uid = static_cast<std::uint32_t>(next);
    HOMEPORT_TRY(const auto taken, tx.count(store::Table::users, "uid", realm + "/" + std::to_string(uid)));
    if (taken > 0) continue;
    counter->value = next + 1;
    HOMEPORT_CHECK(store::put(tx, *counter));
    return Owner{Uid{uid}, Gid{range.gid.value_or(uid)}};
  }
  return Error{.code = Errc::out_of_capacity,
               .message = "all uids from " + std::to_string(range.from) + " to " + std::to_string(range.to) +
                          " have been given out",
               .hint = "raise identity.assigned.to in the configuration"};
}

void People::note_held(Held held) {
  held.at = clock_.now();
  const std::unique_lock lock(mutex_);
  std::erase_if(held_, [&](const Held& old) { return old.realm == held.realm && old.user == held.user; });
  if (held_.size() >= kMaxHeld) held_.erase(held_.begin());
  held_.push_back(std::move(held));
}

std::vector<People::Held> People::held() const {
  std::vector<Held> out;
  {
    const std::shared_lock lock(mutex_);
    out = held_;
  }
  std::erase_if(out, [&](const Held& held) {
    const auto user = catalog_.user_by_name(held.realm, held.user);
    return user && (user->uid == held.uid || fresh(held.realm, held.user));
  });
  return out;
}

std::vector<People::Check> People::check() const {
  std::vector<Check> out;
  for (const auto& step : policy_.order) {
    if (!step.source) continue;
    const OpContext op{.request_id = "doctor", .deadline = clock_.mono() + kCheckTime};
    out.push_back({.source = std::string(step.source->name()), .answer = step.source->check(op)});
  }
  return out;
}

}  // namespace homeport::core
