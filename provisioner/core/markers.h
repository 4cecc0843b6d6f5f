// Markers follow people's names: after a rename or a merge, those of the person's homes are written again.
//
// That they are due is written with the change itself (UserRecord::markers_due), so neither a crash nor a backend that
// is away loses it, and the rename waits for nobody. A home is left alone while an operation is open on it (that writes
// its own marker) and looked at again later; so is one whose backend is away, paused or only observed.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "provisioner/core/administration.h"

namespace homeport::core {

// In the transaction that changes the person's names or homes; the caller puts `user`.
void make_markers_due(store::UserRecord& user);

// Threads: every method from any thread.
class Markers {
 public:
  explicit Markers(Homes::Parts parts) : p_(std::move(parts)) {}

  // Starts what is due, on the backends' own workers; waits for the store at most. `done` is called once: when all that
  // this call started has ended.
  void tick(std::function<void()> done = [] {});
  // What could not be written although its backend answered.
  [[nodiscard]] std::vector<Finding> findings() const;

 private:
  struct Work;  // one person's homes
  void start(const UserPtr& user, const std::shared_ptr<void>& round);
  void mark(const OpContext& op, Backend& backend, const std::string& home, Work& work);
  void end(const Work& work);

  struct Trouble {
    std::string why;
    MonoTime again{};
  };
  Homes::Parts p_;
  mutable std::mutex mutex_;
  std::set<std::string> underway_;          // user keys
  std::map<std::string, Trouble> trouble_;  // by user key
};

}  // namespace homeport::core
