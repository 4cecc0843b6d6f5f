#include <array>
#include <set>

#include "provisioner/render/spec_checks.h"
#include "provisioner/render/spec_words.h"

namespace homeport::render {
namespace {

constexpr std::string_view kIdHint =
    "use 1 to 32 lower-case letters, digits and inner hyphens, for example ds-imagenet";

bool is_mount_id(std::string_view id) {
  const auto edge = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  if (id.empty() || id.size() > 32 || !edge(id.front()) || !edge(id.back())) return false;
  for (const char c : id) {
    if (!edge(c) && c != '-') return false;
  }
  return true;
}

// What a container or host needs for itself. Below the first four nothing of ours has a place either.
std::string_view reject_system_path(std::string_view target) {
  constexpr std::array<std::string_view, 4> kTrees{"/etc", "/proc", "/sys", "/dev"};
  constexpr std::array<std::string_view, 9> kExact{"/",     "/run",  "/usr",   "/bin",  "/lib",
                                                   "/sbin", "/boot", "/lib64", "/lib32"};
  for (const auto tree : kTrees) {
    if (target == tree || target.starts_with(std::string(tree) + "/")) return "belongs to the system";
  }
  for (const auto path : kExact) {
    if (target == path) return "belongs to the system";
  }
  return {};
}

Result<AbsolutePath> check_target(const Place& at, std::string_view target) {
  auto parsed = AbsolutePath::parse(target);
  if (!parsed) return refuse(at, "is no usable path: " + parsed.error().message, parsed.error().hint);
  if (target.find(':') != std::string_view::npos) {
    return refuse(at, "'" + printable(target, 80) + "' contains ':'",
                  "container mounts and path lists use ':' as a separator; choose a path without one");
  }
  if (const auto why = reject_system_path(target); !why.empty()) {
    return refuse(at, "'" + printable(target, 80) + "' " + std::string(why),
                  "choose a place such as /home/jovyan or /data/NAME");
  }
  return parsed;
}

Result<void> check_quota(const Place& at, const MountQuota& quota) {
  for (const auto known : kQuotaClasses) {
    if (quota.quota_class == known) return {};
  }
  return refuse(at.member("class"), "'" + printable(quota.quota_class, 40) + "' is not known",
                "use hard, cooperative, measured or none");
}

Result<void> check_lifetime(const Place& at, const Lifetime& lifetime) {
  if (lifetime.purge_after_days && (*lifetime.purge_after_days == 0 || *lifetime.purge_after_days > kMaxPurgeDays)) {
    return refuse(at.member("purge_after_days"), std::to_string(*lifetime.purge_after_days) + " is out of range",
                  "use a number from 1 to " + std::to_string(kMaxPurgeDays));
  }
  if (lifetime.snapshot.find('/') != std::string::npos) return refuse(at.member("snapshot"), "contains '/'");
  return check_text(at.member("snapshot"), lifetime.snapshot, 255);
}

Result<void> check_options_fit(const Place& at, const Mount& mount, const ValidateOptions& site) {
  const auto* nfs = std::get_if<NfsMount>(&mount.source);
  if (nfs == nullptr) {
    if (!mount.nfs) return {};
    return refuse(at.member("nfs"), "is set, but the source is local", "NFS options only go with an nfs source");
  }
  if (!mount.nfs) return refuse(at.member("nfs"), "is missing for an nfs source", "state the NFS options");
  return check_nfs_options(at.member("nfs"), *mount.nfs, nfs->version, site);
}

Result<void> check_access(const Place& at, const Mount& mount) {
  if (word_of(kKindWords, mount.kind).empty()) return refuse(at.member("kind"), "is not known");
  if (word_of(kAccessWords, mount.access).empty()) return refuse(at.member("access"), "is not known");
  if (mount.access == MountAccess::ro) return {};
  if (mount.kind == MountKind::snapshot) {
    return refuse(at.member("access"), "is rw, but a snapshot never changes", "mount it ro, or restore from it");
  }
  if (mount.lifetime && mount.lifetime->immutable) {
    return refuse(at.member("access"), "is rw, but the source is immutable", "mount it ro");
  }
  return {};
}

Result<AbsolutePath> check_mount(const Place& at, const Mount& mount, const ValidateOptions& site) {
  HOMEPORT_TRY(auto target, check_target(at.member("target"), mount.target));
  HOMEPORT_CHECK(check_access(at, mount));
  HOMEPORT_CHECK(check_source(at.member("source"), mount.source));
  HOMEPORT_CHECK(check_options_fit(at, mount, site));
  if (mount.quota) HOMEPORT_CHECK(check_quota(at.member("quota"), *mount.quota));
  if (mount.lifetime) HOMEPORT_CHECK(check_lifetime(at.member("lifetime"), *mount.lifetime));
  return target;
}

// The mount that holds mounts[index]'s target most closely; nullptr: none.
Result<const Mount*> nearest_parent(const Place& at, const MountSpec& spec, const std::vector<AbsolutePath>& targets,
                                    std::size_t index) {
  const Mount* nearest = nullptr;
  for (std::size_t other = 0; other < targets.size(); ++other) {
    if (other == index || !targets[other].contains(targets[index])) continue;
    const auto& parent = spec.mounts[other];
    if (targets[other] == targets[index] && other > index) continue;  // told at the later of the two
    if (targets[other] == targets[index]) {
      return refuse(at.member("target"),
                    "'" + printable(spec.mounts[index].target, 80) + "' is also that of mount '" + parent.id + "'",
                    "give every mount a target of its own");
    }
    if (other > index) {
      return refuse(at.member("target"), "lies in mount '" + parent.id + "', which comes later", "list parents first");
    }
    if (parent.access == MountAccess::ro) {
      return refuse(at.member("target"), "lies in mount '" + parent.id + "', which is read-only",
                    "put it outside '" + parent.target + "'");
    }
    if (nearest == nullptr || parent.target.size() > nearest->target.size()) nearest = &parent;
  }
  return nearest;
}

Result<void> check_nesting(const Place& at, const MountSpec& spec, const std::vector<AbsolutePath>& targets,
                           std::size_t index) {
  const auto& mount = spec.mounts[index];
  HOMEPORT_TRY(const Mount* parent, nearest_parent(at, spec, targets, index));
  const std::string wanted = parent == nullptr ? "" : parent->id;
  if (mount.parent != wanted) {
    return refuse(at.member("parent"),
                  mount.parent.empty() ? "is missing: the target lies in mount '" + wanted + "'"
                                       : "'" + printable(mount.parent, 40) + "' is not the mount that holds the target",
                  wanted.empty() ? "leave parent out" : "set parent to '" + wanted + "'");
  }
  if (parent != nullptr && !mount.mountpoint_ready) {
    return refuse(at.member("mountpoint_ready"), "is false, but the target lies in mount '" + parent->id + "'",
                  "make the directory in '" + parent->id + "' first, or put the target elsewhere");
  }
  return {};
}

Place place_of(const MountSpec& spec, std::size_t index) {
  return {"mount '" + printable(spec.mounts[index].id, 40) + "'", "/mounts/" + std::to_string(index)};
}

}  // namespace

Result<void> check_mounts(const MountSpec& spec, const ValidateOptions& site) {
  if (spec.mounts.size() > kMaxMounts) {
    return refuse({"mounts", "/mounts"},
                  "are " + std::to_string(spec.mounts.size()) + ", more than " + std::to_string(kMaxMounts),
                  "show fewer datasets to one session");
  }
  std::set<std::string_view> ids;
  std::vector<AbsolutePath> targets;
  for (std::size_t i = 0; i < spec.mounts.size(); ++i) {
    const auto at = place_of(spec, i);
    if (!is_mount_id(spec.mounts[i].id)) return refuse(at.member("id"), "is not allowed", std::string(kIdHint));
    if (!ids.insert(spec.mounts[i].id).second)
      return refuse(at.member("id"), "is used twice", "ids are unique in a spec");
    HOMEPORT_TRY(auto target, check_mount(at, spec.mounts[i], site));
    targets.push_back(std::move(target));
  }
  for (std::size_t i = 0; i < spec.mounts.size(); ++i) {
    HOMEPORT_CHECK(check_nesting(place_of(spec, i), spec, targets, i));
  }
  return {};
}

}  // namespace homeport::render
