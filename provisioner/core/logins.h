// The one question of a login: what do I mount for this person? Answered from memory.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "provisioner/core/homes.h"
#include "provisioner/core/spec_request.h"
#include "provisioner/render/mount_spec.h"

namespace homeport::core {

// One answer. status 200: `body` is the spec. 403, 503, 507: a blocked spec. 202: `operation` to wait for.
struct SpecAnswer {
  int status = 200;
  std::shared_ptr<const std::string> prepared{};  // the document up to where the volatile members go …
  std::string volatile_part{};                    // … and those: spec_id, issued_at, valid_until
  std::string digest{};
  std::string spec_id{};
  std::optional<std::string> operation{};
  bool degraded = false;  // 200, and something is wrong that the spec says
  [[nodiscard]] std::string body() const { return volatile_part + *prepared; }
};

// Threads: every method from any thread.
class Logins {
 public:
  Logins(Homes::Parts parts, Homes& homes, Metrics& metrics, std::string realm);
  ~Logins();

  // Never blocks and makes no backend call. nullopt: there is work to do first; call issue(). An error is a refusal
  // (audited in batches).
  [[nodiscard]] std::optional<Result<SpecAnswer>> try_issue(const Caller& caller, const SpecRequest& request);
  // Asks the identity sources when they have to be, and may write the intent for a first home. `done`: on this thread,
  // or on one of People's. Blocking: the store only.
  void issue(const Caller& caller, const SpecRequest& request, const std::function<void(Result<SpecAnswer>)>& done);
  // The spec a session was given, as it would be now, and what was asked. Errors: not_found for an unknown id, or when
  // it has changed since (the hint says to ask again).
  struct Reissued {
    SpecRequest request;
    render::MountSpec spec;
    std::vector<std::string> spaces;  // keys of what it mounts
  };
  [[nodiscard]] Result<Reissued> reissue(const std::string& spec_id) const;
  [[nodiscard]] Result<void> release(const Caller& caller, const std::string& spec_id);
  // Writes what was issued since the last time; what cannot be written is kept for the next time. The loop does so at
  // least once a second.
  Result<void> flush();
  void start();
  void stop();

 private:
  struct Cached;
  struct Pending;
  struct Issued;
  struct State;
  using CachedPtr = std::shared_ptr<const Cached>;
  // A prepared answer that is still right, or one made now.
  // Of what people ask by their own right, the last answer of each is kept: nobody takes room from others.
  [[nodiscard]] Result<CachedPtr> prepared(const Caller& caller, const SpecRequest& request,
                                           const store::UserRecord& user, const store::SpaceRecord& home);
  [[nodiscard]] Result<CachedPtr> make(const SpecRequest& request, const store::UserRecord& user,
                                       const store::SpaceRecord& home) const;
  // As try_issue(), of somebody whose groups need not be asked for, and whose account is their own.
  [[nodiscard]] std::optional<Result<SpecAnswer>> answer_known(const Caller& caller, const SpecRequest& request,
                                                               const store::UserRecord& user);
  // Must this account be refused (accounts.h) unless somebody vouches for the person?
  [[nodiscard]] bool needs_a_word(const Caller& caller, const SpecRequest& request,
                                  const store::UserRecord& user) const;
  [[nodiscard]] Error refuse_account(const Caller& caller, const SpecRequest& request, const store::UserRecord& user);
  [[nodiscard]] Result<SpecAnswer> issue_for(const Caller& caller, const SpecRequest& request, const Person& person);
  [[nodiscard]] SpecAnswer answer(const Caller& caller, const SpecRequest& request, const store::UserRecord& user,
                                  const CachedPtr& cached);
  [[nodiscard]] const std::string& realm_of(const SpecRequest& request) const {
    return request.realm.empty() ? realm_ : request.realm;
  }
  [[nodiscard]] SpacePtr home_of(const store::UserRecord& user) const;
  [[nodiscard]] std::string time_text(WallTime now);
  void remember(const Caller& caller, const SpecRequest& request, const store::UserRecord& user,
                const CachedPtr& cached, WallTime now);
  void remember_refusal(const Caller& caller, const SpecRequest& request, const Error& error);
  [[nodiscard]] static store::SessionRecord session_of(const Pending& pending);
  // One write; takes what is written out of both.
  Result<void> write_some(Issued& issued, std::vector<store::AuditEntry>& refusals);
  [[nodiscard]] std::optional<SpecRequest> find_request(const std::string& spec_id) const;

  Homes::Parts p_;
  Homes& homes_;
  const std::string realm_;
  Counter& issued_;
  Counter& refused_;
  Counter& prepared_anew_;
  std::unique_ptr<State> state_;
};

}  // namespace homeport::core
