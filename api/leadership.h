// Who serves: the lease in the store, and a file lock that tells whether an earlier holder on this host still lives.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "provisioner/base/clock.h"
#include "provisioner/base/id_source.h"
#include "provisioner/store/store.h"

namespace homeport::api {

// DIRECTORY/homeportd.lock, held by flock(2) for the life of the process. The kernel gives it up when the process dies,
// however it dies.
class ProcessLock {
 public:
  explicit ProcessLock(std::string file) : file_(std::move(file)) {}
  ~ProcessLock();
  ProcessLock(const ProcessLock&) = delete;
  ProcessLock& operator=(const ProcessLock&) = delete;
  // True: it is ours (now or already), so no other homeportd on this directory lives. Errors: failed_precondition when
  // the file cannot be opened.
  Result<bool> try_take();

 private:
  const std::string file_;
  int fd_ = -1;
};

// Threads: wait_for_lease and keep from one thread, the rest from any.
class Leadership {
 public:
  Leadership(store::Store& store, Clock& clock, IdSource& ids, const std::string& directory,
             std::chrono::milliseconds length);
  ~Leadership() { stop_renewing(); }

  // Waits until this process holds the lease. `standing_by` is called once when somebody else has it, with a sentence.
  // False: stopped before. Errors: the store's.
  Result<bool> wait_for_lease(const std::stop_token& stop, const std::function<void(std::string)>& standing_by);
  // Renews from now on; `lost` is called at most once, when the lease has run out or somebody else has it.
  void keep(std::function<void(std::string)> lost);
  void stop_renewing();
  [[nodiscard]] const std::string& holder() const { return holder_; }

 private:
  [[nodiscard]] Result<bool> earlier_holder_is_dead(bool lock_is_ours) const;
  void renew(const std::stop_token& stop, const std::function<void(std::string)>& lost);

  store::Store& store_;
  Clock& clock_;
  ProcessLock lock_;
  const std::chrono::milliseconds length_;
  const std::string holder_;
  std::jthread thread_;
};

}  // namespace homeport::api
