// All use cases, wired. What a composition root makes and an interface calls.
#pragma once

#include <memory>
#include <string>
#include <thread>

#include "provisioner/core/accounts.h"
#include "provisioner/core/administration.h"
#include "provisioner/core/array_look.h"
#include "provisioner/core/cluster_volumes.h"
#include "provisioner/core/datasets.h"
#include "provisioner/core/fleet_plan.h"
#include "provisioner/core/hub_people.h"
#include "provisioner/core/hub_tokens.h"
#include "provisioner/core/logins.h"
#include "provisioner/core/markers.h"
#include "provisioner/core/measures.h"
#include "provisioner/core/renames.h"
#include "provisioner/core/snapshots.h"
#include "provisioner/core/tokens.h"

namespace homeport::core {

// Everything must outlive the Provisioner.
struct Environment {
  store::Store& store;
  Clock& clock;
  IdSource& ids;
  Metrics& metrics;
  const drivers::DriverFactory& factory;
  std::string realm = "default";
  std::string name_prefix = "hp-";
  std::chrono::milliseconds copy_claim = kCopyClaim;
  IdentityPolicy identity{};
  std::vector<HubEntry> hubs{};
  Cluster* cluster = nullptr;  // where homes and datasets get volumes and claims; null: nowhere
};

class Provisioner {
 public:
  explicit Provisioner(Environment environment);
  ~Provisioner();

  // Reads the store, makes the backends. Needs the lease. A backend that cannot be made is reported, not fatal.
  Result<void> load();
  // Recovery and the loops. After this, work is done.
  Result<void> run();
  // Work in progress ends at its next step boundary; what is open goes on at the next start.
  void stop();

  Catalog& catalog() { return catalog_; }
  Backends& backends() { return backends_; }
  Operations& operations() { return operations_; }
  People& people() { return people_; }
  Homes& homes() { return homes_; }
  void plan_fleet(const Caller& caller, const FleetRequest& request, std::function<void(Result<FleetPlan>)> done) {
    core::plan_fleet(parts_, caller, request, std::move(done));
  }
  Renames& renames() { return renames_; }
  Result<store::UserRecord> keep_account(const Caller& caller, std::string_view realm, std::string_view user) {
    return core::keep_account(parts_, caller, realm, user);
  }
  Markers& markers() { return markers_; }
  Measures& measures() { return measures_; }
  Datasets& datasets() { return datasets_; }
  Snapshots& snapshots() { return snapshots_; }
  Logins& logins() { return logins_; }
  Tokens& tokens() { return tokens_; }
  Administration& administration() { return administration_; }
  HubTokens& hub_tokens() { return hub_tokens_; }
  HubPeople& hub_people() { return hub_people_; }
  ClusterVolumes& cluster_volumes() { return cluster_volumes_; }
  // What is wrong with the service and all it depends on.
  [[nodiscard]] std::vector<Finding> doctor() const;
  // The same, with a look at each array (array_look.h).
  void doctor(const Caller& caller, std::function<void(std::vector<Finding>)> done);
  void list_file_systems(const Caller& caller, std::string_view backend, std::string match,
                         std::function<void(Result<std::vector<ListedFileSystem>>)> done) {
    core::list_file_systems(parts_, caller, backend, std::move(match), std::move(done));
  }

 private:
  [[nodiscard]] std::vector<Finding> findings() const;
  void take_care(const std::stop_token& stop);
  void look_at(const BackendPtr& backend);

  Environment env_;
  Catalog catalog_;
  Backends backends_;
  Operations operations_;
  People people_;
  Homes::Parts parts_;
  Homes homes_;
  Renames renames_;
  Markers markers_;
  Measures measures_;
  Datasets datasets_;
  Snapshots snapshots_;
  Logins logins_;
  Tokens tokens_;
  Administration administration_;
  HubTokens hub_tokens_;
  HubPeople hub_people_;
  ClusterVolumes cluster_volumes_;
  std::jthread caretaker_;
};

}  // namespace homeport::core
