// Backends, the desired document, audit, health: what an admin does around the spaces.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "provisioner/core/homes.h"

namespace homeport::core {

struct PlannedChange {
  // wait: a grant whose dataset or person is not known yet. blocked: cannot be done now and is left as it is; `detail`
  // says why.
  enum class Action { create, update, remove, keep, wait, blocked } action = Action::keep;
  std::string what;  // backend | class | rule | grant
  std::string name;
  std::vector<std::string> detail{};  // "default_quota: 10GiB -> 20GiB"
};

struct Finding {
  std::string level;  // ok | warning | error
  std::string what;
  std::string hint{};
};

class Administration {
 public:
  // `realm`: of the people that a document's grants name.
  Administration(Homes::Parts parts, std::string realm) : p_(std::move(parts)), realm_(std::move(realm)) {}

  // What apply would change; apply() does that and nothing else. Things of the same provenance that the document no
  // longer names are removed (grants only when the document has `grants`; those made by hand never); a backend or class
  // that spaces still use is failed_precondition, naming them. A row that cannot be read stays as it is: what would
  // need it is `blocked`, the rest is done.
  Result<std::vector<PlannedChange>> plan(const Desired& desired, store::Provenance provenance) const;
  Result<std::vector<PlannedChange>> apply(const Caller& caller, const Desired& desired, store::Provenance provenance);

  // The configuration's document at start. Never fails: what cannot be done is logged and remembered, and the service
  // goes on with what the store holds.
  void apply_configuration(const Caller& caller, const Desired& desired);
  // What of the configuration is not in force since start; also part of doctor().
  [[nodiscard]] std::vector<Finding> configuration_problems() const;

  // What clients mount follows the backends' present configuration (addresses, ports, version): rewrites the records
  // whose mount source is another one now. Gives how many. No backend is called. Also done by apply().
  Result<std::size_t> refresh_mount_sources();

  // `text` is what people read: errors as for a notice's text (one line, at most 300 characters), pointer "/text".
  Result<store::BackendRecord> pause(const Caller& caller, std::string_view backend, std::string text);
  Result<store::BackendRecord> resume(const Caller& caller, std::string_view backend);
  Result<store::BackendRecord> set_drained(const Caller& caller, std::string_view backend, bool drained);
  void probe(const Caller& caller, std::string_view backend,
             const std::function<void(Result<drivers::ProbeReport>)>& done);
  // What the daily caps have left today: used objects, bytes, destroys.
  struct UsedToday {
    std::uint64_t objects = 0, bytes = 0, destroys = 0;
  };
  [[nodiscard]] Result<UsedToday> used_today(std::string_view backend) const;

  [[nodiscard]] Result<std::vector<store::AuditRow>> audit(std::uint64_t after, std::size_t limit,
                                                           std::string_view subject) const;
  [[nodiscard]] Result<store::AuditCheck> verify_audit() const;
  [[nodiscard]] Result<std::vector<store::Change>> changes(std::uint64_t after, std::size_t limit) const;
  // A refusal by rights (401 and 403 do not reach the use cases).
  void audit_refusal(const policies::Principal& principal, std::string_view action, std::string_view subject,
                     const Error& why);
  [[nodiscard]] std::vector<Finding> doctor() const;  // empty: nothing is wrong
  Result<void> backup_to(const Caller& caller, const std::string& file);

 private:
  Homes::Parts p_;
  const std::string realm_;
  Guarded<std::vector<Finding>> configuration_problems_;
};

}  // namespace homeport::core
