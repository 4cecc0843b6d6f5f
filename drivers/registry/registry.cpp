#include "drivers/registry/registry.h"

#include <array>
#include <functional>
#include <utility>

#include "drivers/btrfs/btrfs_driver_factory.h"
#include "drivers/decorators/wrap.h"
#include "drivers/flashblade/flashblade_driver_factory.h"
#include "drivers/memory/memory_driver.h"
#include "drivers/nfs/nfs_driver_factory.h"
#include "provisioner/base/doc_reader.h"

namespace homeport::drivers {
namespace {

struct Kind {
  std::string_view name;
  void (*validate)(DocReader& section);
  Result<std::unique_ptr<StorageDriver>> (*make)(const std::string& backend, const nlohmann::json& section,
                                                 const DriverEnvironment& environment);
  std::optional<std::uint32_t> (*max_snapshots)(Layout layout) = nullptr;
};

void validate_memory(DocReader& section) {
  (void)read_memory_config(section);
}

Result<std::unique_ptr<StorageDriver>> make_memory(const std::string&, const nlohmann::json& section,
                                                   const DriverEnvironment& environment) {
  HOMEPORT_TRY(auto config, memory_config_from_section(section));
  config.name_prefix = environment.name_prefix;
  return std::unique_ptr<StorageDriver>(std::make_unique<MemoryDriver>(std::move(config), *environment.clock));
}

constexpr std::array<Kind, 4> kKinds{{
    {"btrfs", &validate_btrfs_section, &make_btrfs_driver},
    {"flashblade", &validate_flashblade_section, &make_flashblade_driver, &flashblade_max_snapshots},
    {"memory", &validate_memory, &make_memory},
    {"nfs", &validate_nfs_section, &make_nfs_driver},
}};

std::string known_kinds() {
  std::string text;
  for (const auto& kind : kKinds) text += (text.empty() ? "" : ", ") + std::string(kind.name);
  return text;
}

struct Refusal {
  std::string message;
  std::string hint;
};
Refusal refuse(const std::string& kind) {
  return {.message = "backend kind '" + printable(kind, 40) + "' is not known",
          .hint = "known kinds: " + known_kinds()};
}

class Registry final : public DriverFactory {
 public:
  explicit Registry(const DriverEnvironment& environment) : environment_(environment) {}

  [[nodiscard]] std::vector<std::string> kinds() const override {
    std::vector<std::string> out;
    for (const auto& kind : kKinds) out.emplace_back(kind.name);
    return out;
  }

  void validate(const std::string& kind, DocReader& section) const override {
    if (const Kind* found = find_kind(kind)) {
      found->validate(section);
      return;
    }
    auto refusal = refuse(kind);
    section.problem("kind", std::move(refusal.message), std::move(refusal.hint));
  }

  [[nodiscard]] std::optional<std::uint32_t> max_snapshots_per_object(const std::string& kind,
                                                                      Layout layout) const override {
    const Kind* found = find_kind(kind);
    return found == nullptr || found->max_snapshots == nullptr ? std::nullopt : found->max_snapshots(layout);
  }

  Result<std::unique_ptr<StorageDriver>> make(const std::string& kind, const std::string& backend,
                                              const nlohmann::json& section) const override {
    const Kind* found = find_kind(kind);
    if (found == nullptr) {
      auto refusal = refuse(kind);
      return Error{
          .code = Errc::invalid_argument, .message = std::move(refusal.message), .hint = std::move(refusal.hint)};
    }
    HOMEPORT_TRY(auto driver, found->make(backend, section, environment_));
    // Two processes that start together must not try again together: the name and the time of start spread them.
    const auto now = static_cast<std::uint64_t>(environment_.clock->mono().time_since_epoch().count());
    return wrap(std::move(driver), DecoratorSettings{.backend = backend,
                                                     .clock = *environment_.clock,
                                                     .metrics = environment_.metrics,
                                                     .seed = std::hash<std::string>{}(backend) ^ now});
  }

 private:
  static const Kind* find_kind(const std::string& name) {
    for (const auto& kind : kKinds) {
      if (kind.name == name) return &kind;
    }
    return nullptr;
  }

  DriverEnvironment environment_;
};

}  // namespace

std::unique_ptr<DriverFactory> make_driver_factory(const DriverEnvironment& environment) {
  return std::make_unique<Registry>(environment);
}

}  // namespace homeport::drivers
