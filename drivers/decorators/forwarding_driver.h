// The base of all decorators: forwards everything to the layer below.
//
// InterposingDriver<Derived> hands every call that talks to the backend to Derived::around(op, method, fn), where fn()
// makes the call below and returns its Result. info() is answered by the layer below at once.
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>
#include <utility>

#include "drivers/core/optional.h"
#include "drivers/core/storage_driver.h"

namespace homeport::drivers {

enum class DriverMethod { probe, pools, scan, find, create, update, set_access, mount_source, retire, undelete, purge };
inline constexpr std::size_t kDriverMethods = 11;
[[nodiscard]] std::string_view driver_method_name(DriverMethod method);
// Probe counts as reading: what it changes it takes back.
[[nodiscard]] bool is_changing(DriverMethod method);

class ForwardingDriver : public StorageDriver, public DriverLayer {
 public:
  explicit ForwardingDriver(std::unique_ptr<StorageDriver> below) : below_(std::move(below)) {}

  [[nodiscard]] StorageDriver& below() final { return *below_; }
  [[nodiscard]] const StorageDriver& below() const { return *below_; }

  [[nodiscard]] std::shared_ptr<const DriverInfo> info() const override { return below_->info(); }
  Result<ProbeReport> probe(const OpContext& op) override { return below_->probe(op); }
  Result<std::vector<Pool>> pools(const OpContext& op) override { return below_->pools(op); }
  Result<std::optional<Cursor>> scan(const OpContext& op, const Query& query, std::optional<Cursor> from,
                                     std::vector<Object>& page) override {
    return below_->scan(op, query, std::move(from), page);
  }
  Result<std::optional<Object>> find(const OpContext& op, const Lookup& lookup) override {
    return below_->find(op, lookup);
  }
  Result<Object> create(const OpContext& op, const CreateSpec& spec) override { return below_->create(op, spec); }
  Result<Object> update(const OpContext& op, const ObjectRef& ref, const Change& change) override {
    return below_->update(op, ref, change);
  }
  Result<void> set_access(const OpContext& op, const ObjectRef& ref, const AccessPolicy& policy) override {
    return below_->set_access(op, ref, policy);
  }
  Result<MountSource> mount_source(const OpContext& op, const ObjectRef& ref, const MountView& view) override {
    return below_->mount_source(op, ref, view);
  }
  Result<Object> retire(const OpContext& op, const ObjectRef& ref) override { return below_->retire(op, ref); }
  Result<Object> undelete(const OpContext& op, const ObjectRef& ref) override { return below_->undelete(op, ref); }
  Result<PurgeStep> purge(const OpContext& op, const ObjectRef& ref, std::optional<Cursor> from) override {
    return below_->purge(op, ref, std::move(from));
  }

 private:
  std::unique_ptr<StorageDriver> below_;
};

template <class Derived>
class InterposingDriver : public ForwardingDriver {
 public:
  using ForwardingDriver::ForwardingDriver;

  Result<ProbeReport> probe(const OpContext& op) override {
    return self().around(op, DriverMethod::probe, [&] { return below().probe(op); });
  }
  Result<std::vector<Pool>> pools(const OpContext& op) override {
    return self().around(op, DriverMethod::pools, [&] { return below().pools(op); });
  }
  Result<std::optional<Cursor>> scan(const OpContext& op, const Query& query, std::optional<Cursor> from,
                                     std::vector<Object>& page) override {
    const auto had = static_cast<std::ptrdiff_t>(page.size());
    return self().around(op, DriverMethod::scan, [&] {
      auto result = below().scan(op, query, from, page);
      if (!result) page.erase(page.begin() + had, page.end());  // a second attempt must not append twice
      return result;
    });
  }
  Result<std::optional<Object>> find(const OpContext& op, const Lookup& lookup) override {
    return self().around(op, DriverMethod::find, [&] { return below().find(op, lookup); });
  }
  Result<Object> create(const OpContext& op, const CreateSpec& spec) override {
    return self().around(op, DriverMethod::create, [&] { return below().create(op, spec); });
  }
  Result<Object> update(const OpContext& op, const ObjectRef& ref, const Change& change) override {
    return self().around(op, DriverMethod::update, [&] { return below().update(op, ref, change); });
  }
  Result<void> set_access(const OpContext& op, const ObjectRef& ref, const AccessPolicy& policy) override {
    return self().around(op, DriverMethod::set_access, [&] { return below().set_access(op, ref, policy); });
  }
  Result<MountSource> mount_source(const OpContext& op, const ObjectRef& ref, const MountView& view) override {
    return self().around(op, DriverMethod::mount_source, [&] { return below().mount_source(op, ref, view); });
  }
  Result<Object> retire(const OpContext& op, const ObjectRef& ref) override {
    return self().around(op, DriverMethod::retire, [&] { return below().retire(op, ref); });
  }
  Result<Object> undelete(const OpContext& op, const ObjectRef& ref) override {
    return self().around(op, DriverMethod::undelete, [&] { return below().undelete(op, ref); });
  }
  Result<PurgeStep> purge(const OpContext& op, const ObjectRef& ref, std::optional<Cursor> from) override {
    return self().around(op, DriverMethod::purge, [&] { return below().purge(op, ref, from); });
  }

 private:
  Derived& self() { return static_cast<Derived&>(*this); }
};

// Refusals that a decorator made without asking the backend. Another layer must not take them for the backend's word:
// the retry does not wait for a breaker, and a queue of ours does not open one.
inline constexpr std::string_view kBreakerSystem = "breaker";
[[nodiscard]] inline bool refused_by(const Error& error, std::string_view system) {
  return error.upstream && error.upstream->system == system;
}

}  // namespace homeport::drivers
