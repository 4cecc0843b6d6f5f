#include "api/leadership.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "provisioner/base/log.h"
#include "provisioner/base/names.h"

namespace homeport::api {
namespace {

constexpr std::chrono::milliseconds kLookAgain{500};

std::string holder_name(IdSource& ids) {
  std::array<char, 256> host{};
  if (::gethostname(host.data(), host.size() - 1) != 0) host = {"localhost"};
  return std::string(host.data()) + ":" + std::to_string(::getpid()) + ":" + hex16(ids.random64());
}

}  // namespace

ProcessLock::~ProcessLock() {
  if (fd_ >= 0) ::close(fd_);
}

Result<bool> ProcessLock::try_take() {
  if (fd_ >= 0) return true;
  const int fd = ::open(file_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) {
    return Error{.code = Errc::failed_precondition,
                 .message = "cannot open " + file_ + ": " + std::strerror(errno),  // NOLINT(concurrency-mt-unsafe)
                 .hint = "the state directory must belong to the account homeportd runs as"};
  }
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    ::close(fd);
    return false;
  }
  fd_ = fd;
  return true;
}

Leadership::Leadership(store::Store& store, Clock& clock, IdSource& ids, const std::string& directory,
                       std::chrono::milliseconds length)
    : store_(store), clock_(clock), lock_(directory + "/homeportd.lock"), length_(length), holder_(holder_name(ids)) {}

// Does whoever wrote the lease's row certainly not run any more? The file lock alone does not tell: an instance that
// took over from a hanging one never got it. A wrong "no" only costs the time until the lease runs out.
Result<bool> Leadership::earlier_holder_is_dead(bool lock_is_ours) const {
  if (!lock_is_ours) return false;
  HOMEPORT_TRY(const auto lease, store_.lease());
  if (!lease) return false;
  const auto host_end = lease->holder.find(':');
  const auto pid_end = lease->holder.find(':', host_end + 1);
  if (host_end == std::string::npos || pid_end == std::string::npos) return false;
  if (lease->holder.substr(0, host_end) != holder_.substr(0, holder_.find(':'))) return false;
  const auto pid = std::atoi(lease->holder.substr(host_end + 1, pid_end - host_end - 1).c_str());
  if (pid <= 0) return false;
  return pid == ::getpid() || (::kill(pid, 0) != 0 && errno == ESRCH);
}

Result<bool> Leadership::wait_for_lease(const std::stop_token& stop,
                                        const std::function<void(std::string)>& standing_by) {
  bool told = false;
  while (!stop.stop_requested()) {
    HOMEPORT_TRY(const bool alone, lock_.try_take());
    HOMEPORT_TRY(const bool dead, earlier_holder_is_dead(alone));
    HOMEPORT_TRY(const bool ours, store_.acquire_lease(holder_, length_, dead));
    if (ours) return true;
    if (!told) {
      HOMEPORT_TRY(const auto lease, store_.lease());
      const std::string who = lease ? lease->holder : std::string("another instance");
      standing_by(alone ? "the lease of an earlier instance (" + who + ") has not run out yet"
                        : "another instance serves (" + who + ")");
      told = true;
    }
    if (!clock_.sleep_for(std::min(length_ / 3, kLookAgain), stop)) break;
  }
  return false;
}

void Leadership::keep(std::function<void(std::string)> lost) {
  thread_ = std::jthread([this, lost = std::move(lost)](const std::stop_token& stop) { renew(stop, lost); });
}

void Leadership::stop_renewing() {
  if (!thread_.joinable()) return;
  thread_.request_stop();
  thread_.join();
}

void Leadership::renew(const std::stop_token& stop, const std::function<void(std::string)>& lost) {
  const auto pause = length_ / 3;
  auto next = pause;
  while (clock_.sleep_for(next, stop)) {
    // A process that slept through its lease must not take it again: work begun under it may still be on its way.
    if (store_.lease_left().count() <= 0) return lost("it ran out before it was renewed");
    const auto renewed = store_.acquire_lease(holder_, length_);
    if (renewed && !*renewed) return lost("another instance has taken it");
    if (!renewed) log::warning("the lease could not be renewed", {{"why", renewed.error().to_string()}});
    // After a failure again soon: there is little time.
    next = renewed ? pause : std::max(pause / 4, std::chrono::milliseconds(50));
  }
}

}  // namespace homeport::api
