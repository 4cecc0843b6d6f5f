// From a backend's section of the configuration to a driver. The core knows this interface; the list of kinds is
// drivers/registry's.
#pragma once

#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "drivers/core/storage_driver.h"

namespace homeport {
class DocReader;
class Metrics;
}  // namespace homeport

namespace homeport::drivers {

// What drivers need from the process. Everything must outlive the drivers made with it.
struct DriverEnvironment {
  Clock* clock = nullptr;
  Metrics* metrics = nullptr;
  std::string name_prefix = "hp-";  // of objects we create; fixed for the life of an installation
};

class DriverFactory {
 public:
  virtual ~DriverFactory() = default;
  [[nodiscard]] virtual std::vector<std::string> kinds() const = 0;
  // Reads every member of `section` that this kind knows and adds a problem for each wrong one. The caller has read the
  // common members (name, kind, mode, caps, workers, …) and calls section.finish() afterwards. No I/O but secret files.
  virtual void validate(const std::string& kind, DocReader& section) const = 0;
  // What every backend of this kind and layout bears, known without one; nullopt: no limit is known.
  [[nodiscard]] virtual std::optional<std::uint32_t> max_snapshots_per_object(const std::string& /*kind*/,
                                                                              Layout /*layout*/) const {
    return std::nullopt;
  }
  // `section` passed validate(). Makes no contact: a backend that is down can still be configured. The result is
  // wrapped in the decorators (log and metrics, retry, limit, breaker, fault points).
  virtual Result<std::unique_ptr<StorageDriver>> make(const std::string& kind, const std::string& backend,
                                                      const nlohmann::json& section) const = 0;
};

}  // namespace homeport::drivers
