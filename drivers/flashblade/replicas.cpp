#include "drivers/flashblade/replicas.h"

#include <algorithm>

#include "drivers/flashblade/standing.h"

namespace homeport::drivers::flashblade {
namespace {

constexpr const char* kInbound = "inbound";

ReplicaLink to_link(ReplicaLinkItem&& from) {
  return {.id = std::move(from.id),
          .target = std::move(from.remote),
          .remote = std::move(from.remote_file_system),
          .direction = std::move(from.direction),
          .state = std::move(from.status),
          .detail = std::move(from.detail),
          .policies = std::move(from.policies),
          .lag = from.lag,
          .recovery_point = from.recovery_point};
}

Result<FileSystem> live_file_system(const OpContext& op, Backend& backend, const ObjectRef& ref) {
  HOMEPORT_CHECK(backend.pool(ref.layout, ref.pool));
  HOMEPORT_CHECK(backend.ready(op));
  HOMEPORT_TRY(auto standing, verify(op, backend, ref, MarkerRule::must_match));
  if (!standing) return gone(ref);
  if (standing->live()) return std::move(standing->fs);
  return Error{.code = Errc::failed_precondition,
               .message = "space " + ref.key.str() + " is in the trash",
               .hint = "undelete it first"};
}

Error no_link(const FileSystem& fs, const std::string& target) {
  return Error{.code = Errc::not_found,
               .message = "file system " + fs.name + " has no replica link to array " + printable(target, 80),
               .hint = "make one first; the arrays must be connected"};
}

Result<ReplicaLinkItem> link_to(const OpContext& op, Backend& backend, const FileSystem& fs,
                                const std::string& target) {
  HOMEPORT_TRY(auto all, backend.api().replica_links(op, fs));
  for (auto& link : all) {
    if (link.remote != target) continue;
    if (link.direction != kInbound) return std::move(link);
    return Error{.code = Errc::failed_precondition,
                 .message = "file system " + fs.name + " is the copy, and array " + printable(target, 80) +
                            " sends it: its link is changed there",
                 .hint = "use the backend of that array"};
  }
  return no_link(fs, target);
}

// As it is after the calls; as it would be in a dry run.
Result<ReplicaLink> changed_link(const OpContext& op, Backend& backend, const FileSystem& fs, const std::string& target,
                                 const std::vector<std::string>& policies) {
  auto now = link_to(op, backend, fs, target);
  if (!now && !(op.dry_run && now.error().code == Errc::not_found)) return std::move(now).error();
  ReplicaLink out = now ? to_link(std::move(now).value())
                        : ReplicaLink{.id = "planned", .target = target, .direction = "outbound", .state = "planned"};
  if (op.dry_run) out.policies = policies;
  return out;
}

Result<void> check_names(const std::string& target, const std::string& policy) {
  if (!target.empty() && !policy.empty()) return {};
  return Error{.code = Errc::invalid_argument,
               .message = "a replica link needs the name of a connected array and of a snapshot policy",
               .hint = "the policy's snapshots are what is sent: without one nothing is"};
}

}  // namespace

Result<std::vector<ReplicaLink>> space_links(const OpContext& op, Backend& backend, const ObjectRef& ref) {
  HOMEPORT_CHECK(backend.pool(ref.layout, ref.pool));
  HOMEPORT_CHECK(backend.ready(op));
  HOMEPORT_TRY(const auto standing, verify(op, backend, ref, MarkerRule::must_match));
  if (!standing) return gone(ref);
  HOMEPORT_TRY(auto all, backend.api().replica_links(op, standing->fs));
  std::vector<ReplicaLink> out;
  for (auto& link : all) out.push_back(to_link(std::move(link)));
  return out;
}

Result<ReplicaLink> link_space(const OpContext& op, Backend& backend, const ObjectRef& ref, const std::string& target,
                               const std::string& policy) {
  HOMEPORT_CHECK(check_names(target, policy));
  HOMEPORT_TRY(const auto fs, live_file_system(op, backend, ref));
  const auto stands = link_to(op, backend, fs, target);
  if (!stands && stands.error().code != Errc::not_found) return stands.error();
  if (stands) return resume_space_link(op, backend, ref, target, policy);
  auto made = backend.api().make_replica_link(op, fs, target, policy);
  if (!made && made.error().code == Errc::not_found) {
    auto error = std::move(made).context("replica link of " + fs.name).error();
    error.hint = "array " + printable(target, 80) + " must be connected, and snapshot policy " + printable(policy, 80) +
                 " stand on this array";
    return error;
  }
  if (!made) return std::move(made).error();
  return changed_link(op, backend, fs, target, {policy});
}

Result<ReplicaLink> pause_space_link(const OpContext& op, Backend& backend, const ObjectRef& ref,
                                     const std::string& target) {
  HOMEPORT_TRY(const auto fs, live_file_system(op, backend, ref));
  HOMEPORT_TRY(const auto link, link_to(op, backend, fs, target));
  for (const auto& policy : link.policies) HOMEPORT_CHECK(backend.api().detach_link_policy(op, fs, target, policy));
  return changed_link(op, backend, fs, target, {});
}

Result<ReplicaLink> resume_space_link(const OpContext& op, Backend& backend, const ObjectRef& ref,
                                      const std::string& target, const std::string& policy) {
  HOMEPORT_CHECK(check_names(target, policy));
  HOMEPORT_TRY(const auto fs, live_file_system(op, backend, ref));
  HOMEPORT_TRY(const auto link, link_to(op, backend, fs, target));
  const bool attached = std::find(link.policies.begin(), link.policies.end(), policy) != link.policies.end();
  if (!attached) HOMEPORT_CHECK(backend.api().attach_link_policy(op, fs, target, policy));
  auto policies = link.policies;
  if (!attached) policies.push_back(policy);
  return changed_link(op, backend, fs, target, policies);
}

}  // namespace homeport::drivers::flashblade
