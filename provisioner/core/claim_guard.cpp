#include "provisioner/core/claim_guard.h"

#include <chrono>
#include <utility>

namespace homeport::core {
namespace {

constexpr std::chrono::seconds kComeBack{1};

}  // namespace

ClaimGuard::Hold::Hold(ClaimGuard& guard, std::set<std::string> spaces) : guard_(guard) {
  const std::lock_guard lock(guard_.mutex_);
  guard_.held_ = std::move(spaces);
}

ClaimGuard::Hold::~Hold() {
  const std::lock_guard lock(guard_.mutex_);
  guard_.held_.clear();
}

Result<void> ClaimGuard::check(const ClusterVolume& wanted) const {
  const std::lock_guard lock(mutex_);
  if (!held_.contains(wanted.pair.space)) return {};
  return Error{.code = Errc::unavailable,
               .message = "its former volume and claim are just being deleted from the cluster",
               .hint = "it is tried again by itself",
               .retry_after = kComeBack};
}

Result<std::string> ClaimGuard::ensure_volume(const OpContext& op, const ClusterVolume& wanted) {
  HOMEPORT_CHECK(check(wanted));
  return below_.ensure_volume(op, wanted);
}

Result<std::string> ClaimGuard::ensure_claim(const OpContext& op, const ClusterVolume& wanted) {
  HOMEPORT_CHECK(check(wanted));
  return below_.ensure_claim(op, wanted);
}

}  // namespace homeport::core
