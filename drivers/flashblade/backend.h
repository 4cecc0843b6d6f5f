// What the parts of this driver share: configuration, session, what was learned of the array, mounted file systems.
//
// Threads: every method from any thread.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "drivers/core/factory.h"
#include "drivers/flashblade/admin_place.h"
#include "drivers/flashblade/array_api.h"
#include "drivers/flashblade/flashblade_config.h"

namespace homeport::drivers::flashblade {

// Limits that arrays have reported in alerts 1104 (2020) and 1103 (2022); newer ones may bear more.
inline constexpr std::uint32_t kSnapshotsPerFileSystem = 512;
inline constexpr std::uint64_t kSnapshotsPerArray = 50'000;

class Backend {
 public:
  Backend(std::string name, FlashbladeConfig config, const DriverEnvironment& env);

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] const FlashbladeConfig& config() const { return config_; }
  [[nodiscard]] Clock& clock() const { return *clock_; }
  [[nodiscard]] const std::string& prefix() const { return prefix_; }
  [[nodiscard]] ArrayApi& api() { return api_; }
  [[nodiscard]] AdminPlace& admin() { return admin_; }
  [[nodiscard]] const std::string& admin_name() const { return admin_name_; }

  // A pool of that layout. Errors: unsupported for a layout that the backend has no pool of, not_found.
  Result<const PoolConfig*> pool(Layout layout, const std::string& name) const;

  [[nodiscard]] std::shared_ptr<const DriverInfo> info() const;
  // Learns version, SafeMode and clock on first contact and after each login.
  Result<ArrayFacts> ready(const OpContext& op);
  // Where Homeport, and where clients, mount. No call where they are configured or known.
  Result<std::string> data_address(const OpContext& op);
  Result<std::string> client_address(const OpContext& op);

  // "/NAME": what people see; where it is mounted.
  [[nodiscard]] static std::string path_of(const std::string& file_system) { return "/" + file_system; }
  // Root of a file system, over NFSv3 as uid 0. `fresh`: made or exported a moment ago, so that the data path may not
  // know it yet: asked for again for a few seconds. Errors: as MNT, with what to look at.
  Result<std::unique_ptr<Tree>> mount(const OpContext& op, const FileSystem& fs, bool fresh);

  // What clients may do with a space in use, and what is left when it is withdrawn: Homeport's own hosts.
  [[nodiscard]] Result<std::string> open_rules() const;
  [[nodiscard]] std::string closed_rules() const;
  // Nothing where clients are named by rules. Looks at most once a minute. Errors: failed_precondition for an export
  // policy that the array does not have, that is disabled, or that lets everybody in.
  Result<void> check_policy(const OpContext& op);

 private:
  struct Learned {
    std::shared_ptr<const DriverInfo> info;
    std::optional<ArrayFacts> array{};
    std::optional<RestVersion> version{};
    std::uint64_t login = 0;
    std::string data_address{};
    MonoTime policy_good_until{};
  };
  [[nodiscard]] DriverInfo describe(const Learned& learned, std::uint64_t generation) const;
  Result<std::unique_ptr<Tree>> open_admin(const OpContext& op, Make make);

  const std::string name_;
  const FlashbladeConfig config_;
  Clock* const clock_;
  const std::string prefix_;
  const std::string admin_name_;
  ArraySession session_;
  ArrayApi api_;
  Guarded<Learned> learned_;
  AdminPlace admin_;
};

// The key in prefix + key; nullopt: not one of our names.
[[nodiscard]] std::optional<SpaceKey> key_of(const Backend& backend, std::string_view name);

}  // namespace homeport::drivers::flashblade
