// An exporter that serves nothing and remembers everything: what a driver asked, as the real one would hold it.
#pragma once

#include <map>

#include "drivers/core/exporter.h"
#include "provisioner/base/guarded.h"

namespace homeport::testing {

class MemoryExporter final : public drivers::Exporter {
 public:
  explicit MemoryExporter(std::size_t most = 1000) : most_(most) {}

  Result<void> put(const OpContext& op, std::span<const drivers::HostExport> exports) override {
    return items_.with([&](auto& items) -> Result<void> {
      for (const auto& item : exports) {
        if (op.calls != nullptr) op.calls->add("EXPORT " + item.path.str());
        if (op.dry_run) continue;
        if (!items.contains(item.name) && items.size() >= most_)
          return Error{.code = Errc::out_of_capacity, .message = "no export is left"};
        items.insert_or_assign(item.name, item);
      }
      return {};
    });
  }
  Result<void> withdraw(const OpContext& op, std::span<const std::string> names) override {
    items_.with([&](auto& items) {
      for (const auto& name : names) {
        if (op.calls != nullptr) op.calls->add("WITHDRAW " + name);
        if (!op.dry_run) items.erase(name);
      }
    });
    return {};
  }
  Result<std::vector<drivers::HostExport>> list(const OpContext& /*op*/) override { return all(); }
  [[nodiscard]] Result<drivers::ExportEndpoint> endpoint() const override {
    return drivers::ExportEndpoint{.server = "memory", .versions = {"4.1", "4.2"}};
  }
  [[nodiscard]] drivers::ExportLimits limits() const override { return {.exports = most_}; }
  std::vector<drivers::ProbeCheck> check(const OpContext& /*op*/) override { return {}; }

  [[nodiscard]] std::vector<drivers::HostExport> all() const {
    return items_.with([](const auto& items) {
      std::vector<drivers::HostExport> out;
      for (const auto& [name, item] : items) out.push_back(item);
      return out;
    });
  }
  void forget() {
    items_.with([](auto& items) { items.clear(); });
  }

 private:
  const std::size_t most_;
  Guarded<std::map<std::string, drivers::HostExport>> items_;
};

}  // namespace homeport::testing
