// People: who somebody is to a filesystem and which groups they are in. The configured sources are asked in order; what
// they said is kept with the person, so that a login that comes soon after asks nobody, and one that comes while a
// directory is down still works.
//
//   uid, gid      from the first of the order that names a uid. Pinned when the first home is made: another one later
//   is
//                 refused until an admin changes it (`homeport user set-uid`)
//   groups, gids  from the first source that names any, and the request's beside them. They follow the source
//   assigned      the next number of a range, when nobody before it in the order knows the person. Never given twice
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <shared_mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "provisioner/base/worker_pool.h"
#include "provisioner/core/caller.h"
#include "provisioner/core/catalog.h"
#include "provisioner/core/ports/identity.h"

namespace homeport::core {

// The `identity:` section of the configuration, as far as the core needs it.
struct IdentityPolicy {
  enum class Origin { request, source, assigned };
  struct Step {
    Origin origin = Origin::request;
    std::shared_ptr<IdentitySource> source{};  // of Origin::source
  };
  struct Range {
    std::uint32_t from = 0;  // both included
    std::uint32_t to = 0;
    std::optional<std::uint32_t> gid{};  // empty: the number of the uid
  };
  std::vector<Step> order{Step{}};
  std::uint32_t system_below = 1000;  // smaller uids are refused, whoever names them
  std::optional<Range> assigned{};
  std::chrono::milliseconds fresh_for = std::chrono::minutes(5);  // then the sources are asked again at a login
};

// What the sources and the request say together.
struct Person {
  std::optional<std::uint32_t> uid{};
  std::optional<std::uint32_t> gid{};
  std::vector<std::uint32_t> gids{};  // of the sources, not of the request
  std::vector<std::string> groups{};  // likewise
  std::string source{};               // who named the uid: "request", "static", "nss", "ldap"
  bool vouched = false;               // it was named just now, not kept from before
  bool assign = false;                // nobody did: the next number of the range
};

struct PersonQuestion {
  std::string realm;
  UserName user;
  std::optional<std::uint32_t> uid{};  // what the request says
  std::optional<std::uint32_t> gid{};
  bool by_admin = false;  // an admin's own word: taken whatever the order says
  bool anew = false;      // ask the sources now, however fresh their last answer is
  bool stands = false;    // a home that is there already: its owner may be below system_below
};

// An id that owns nothing: 65534, and the one that means "no change" to chown(2).
[[nodiscard]] bool is_nobodys_id(std::uint32_t id);
// forbidden: a request names another uid than the pinned one. `pointer`: where it does.
[[nodiscard]] Error not_the_pinned_uid(std::string_view user, std::uint32_t pinned, std::uint32_t named,
                                       std::string pointer);

// Threads: every method from any thread.
class People {
 public:
  People(store::Store& store, Catalog& catalog, Clock& clock, IdentityPolicy policy);

  // Whether identify() has to be called before this person is answered from memory. Never blocks.
  [[nodiscard]] bool must_ask(const store::UserRecord& user, std::string_view name) const;

  // `done` gets what the order gives: on this thread when nobody has to be asked (the store may be waited for), else on
  // a thread of this object's own pool. Somebody known is answered with what is kept when the sources cannot be asked,
  // after at most 2 s. Errors: those of IdentitySource::find for somebody new; forbidden (another uid than the pinned
  // one, or than the request's); invalid_argument and failed_precondition (a uid that no person has).
  using Done = std::function<void(Result<Person>)>;
  void identify(const Caller& caller, const PersonQuestion& question, const Done& done);

  // In the transaction that pins it. Errors: out_of_capacity.
  [[nodiscard]] Result<Owner> take_assigned(store::WriteTransaction& tx, const std::string& realm) const;
  [[nodiscard]] const IdentityPolicy& policy() const { return policy_; }

  // Who is kept out because a uid does not fit, until it does; at most 100, the oldest goes first.
  struct Held {
    std::string realm;
    std::string user;
    std::uint32_t uid = 0;  // the one that did not fit
    std::string why;
    WallTime at{};  // set by note_held()
  };
  void note_held(Held held);
  [[nodiscard]] std::vector<Held> held() const;
  // Each source in words. Blocking, 5 s for each.
  struct Check {
    std::string source;
    Result<std::string> answer;
  };
  [[nodiscard]] std::vector<Check> check() const;
  void stop() { pool_.drain(std::chrono::seconds(1)); }

 private:
  struct Asked {
    MonoTime at{};
    bool failed = false;
  };
  [[nodiscard]] bool fresh(std::string_view realm, std::string_view name) const;
  void note_asked(const PersonQuestion& question, bool failed);
  [[nodiscard]] Result<Person> ask(const OpContext& op, const PersonQuestion& question) const;
  [[nodiscard]] Result<Person> settle(const PersonQuestion& question, const UserPtr& known, Result<Person> said);
  [[nodiscard]] Result<void> check_request(const PersonQuestion& question, const Person& person) const;
  [[nodiscard]] Result<void> keep(const std::string& user_key, const Person& person);

  store::Store& store_;
  Catalog& catalog_;
  Clock& clock_;
  const IdentityPolicy policy_;
  const bool has_sources_;
  mutable std::shared_mutex mutex_;
  std::unordered_map<std::string, Asked> asked_;  // REALM/NAME
  std::vector<Held> held_;
  WorkerPool pool_;  // last: its jobs use all of the above
};

}  // namespace homeport::core
