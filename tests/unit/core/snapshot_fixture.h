// Snapshots over the memory backend, with faults in the powers that the fault plan of the decorators does not reach.
#pragma once

#include <deque>
#include <mutex>

#include "tests/unit/core/core_fixture.h"

namespace homeport::testing {

// What the next calls of a power meet: an error instead of the call, or after it took effect.
class PowerFaults {
 public:
  struct Fault {
    Error error;
    bool after = false;
  };
  void add(Error error, bool after = false) {
    const std::lock_guard lock(mutex_);
    faults_.push_back({.error = std::move(error), .after = after});
  }
  std::optional<Fault> next() {
    const std::lock_guard lock(mutex_);
    if (faults_.empty()) return std::nullopt;
    auto fault = std::move(faults_.front());
    faults_.pop_front();
    return fault;
  }

 private:
  std::mutex mutex_;
  std::deque<Fault> faults_;
};

class SnapshotsTest : public CoreTest {
 protected:
  SnapshotsTest();
  // The standard document with the backend's section changed: `more` is text such as R"("snapshots":"pool",)".
  static std::string with(const std::string& more);
  [[nodiscard]] core::Caller self(const std::string& user_key) const;

  // Taken and waited for: the record as the store has it then.
  Result<store::SnapshotRecord> take(const std::string& space, const core::Snapshots::Take& request = {});
  Result<store::SnapshotRecord> ended(Result<core::SnapshotOutcome> outcome);
  Result<store::SpaceRecord> finished(Result<core::SpaceOutcome> outcome);
  Result<core::SnapshotList> list(const std::string& space);
  Result<core::SnapshotInfo> show(const std::string& name);
  Result<store::SnapshotRecord> remove(const std::string& name) { return remove(caller(), name); }
  Result<store::SnapshotRecord> remove(const core::Caller& who, const std::string& name);
  Result<core::SnapshotInfo> hold(const std::string& name, const core::Snapshots::Hold& request) {
    return hold(caller(), name, request);
  }
  Result<core::SnapshotInfo> hold(const core::Caller& who, const std::string& name,
                                  const core::Snapshots::Hold& request);
  Result<core::SnapshotInfo> release(const std::string& name, const std::string& which) {
    return release(caller(), name, which);
  }
  Result<core::SnapshotInfo> release(const core::Caller& who, const std::string& name, const std::string& which);
  Result<store::SpaceRecord> clone(const std::string& source, const std::string& name, bool read_only = true);
  Result<store::SpaceRecord> overwrite(const std::string& source, const std::string& confirm, bool force = false);

  // What the backend has, past all our records; the driver's own snapshots of the space.
  std::vector<std::string> standing(const store::SpaceRecord& space);
  drivers::Snapshot take_behind_our_back(const store::SpaceRecord& space, const std::string& name);
  void delete_behind_our_back(const store::SpaceRecord& space, const std::string& name);
  void write_file(const store::SpaceRecord& space, const std::string& name, const std::string& content);
  std::string read_file(const store::SpaceRecord& space, const std::string& name);
  [[nodiscard]] OpContext op() const {
    return {.request_id = "t", .deadline = clock_->mono() + std::chrono::seconds(5)};
  }

  std::shared_ptr<PowerFaults> faults_ = std::make_shared<PowerFaults>();
};

}  // namespace homeport::testing
