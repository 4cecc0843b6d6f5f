#include "provisioner/core/spec_builder.h"

#include <algorithm>
#include <set>
#include <utility>

#include "policies/quota_state.h"
#include "policies/select.h"
#include "provisioner/base/digest.h"
#include "provisioner/core/renames.h"

namespace homeport::core {

using store::SpaceRecord;
using store::SpaceState;

namespace {

constexpr std::size_t kMaxGroups = 16;  // AUTH_SYS, RFC 5531 appendix A

Result<render::Purpose> purpose_of(const std::string& word) {
  if (word == "interactive") return render::Purpose::interactive;
  if (word == "batch") return render::Purpose::batch;
  if (word == "dashboard" || word == "rescue") {
    return Error{.code = Errc::unsupported,
                 .message = "purpose " + word + " is not offered by this release",
                 .hint = "use interactive or batch",
                 .pointer = "/purpose"};
  }
  return Error{.code = Errc::invalid_argument,
               .message = "purpose '" + printable(word, 30) + "' is not known",
               .hint = "use interactive, batch, dashboard or rescue",
               .pointer = "/purpose"};
}

std::string mount_id(std::string_view prefix, const std::string& name) {
  std::string id(prefix);
  bool exact = true;
  for (const char c : name) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
    id += plain ? c : '-';
    exact = exact && plain;
  }
  if (!exact || id.size() > 32) id = id.substr(0, 23) + "-" + sha256_hex(name).substr(0, 8);
  return id;
}

Result<render::Mount> mount_of(const SpaceRecord& space, const ClassSpec& klass) {
  HOMEPORT_TRY(auto source, render::source_from_json(nlohmann::json::parse(space.source, nullptr, false)));
  render::Mount mount{.id = {}, .target = {}, .source = std::move(source)};
  if (std::holds_alternative<render::NfsMount>(mount.source)) mount.nfs = klass.nfs;
  return mount;
}

}  // namespace

Result<render::Mount> home_mount(const SpaceRecord& home, const ClassSpec& klass) {
  HOMEPORT_TRY(auto mount, mount_of(home, klass));
  mount.id = "home";
  mount.kind = render::MountKind::home;
  mount.access = render::MountAccess::rw;
  mount.required = true;
  return mount;
}

Result<render::Mount> merged_mount(const SpaceRecord& home, const ClassSpec& klass) {
  HOMEPORT_TRY(auto mount, mount_of(home, klass));
  mount.id = mount_id("home-", home.name.substr(kMergedPrefix.size()));
  mount.kind = render::MountKind::home;
  mount.access = render::MountAccess::rw;
  mount.required = false;
  return mount;
}

Result<render::Mount> dataset_mount(const SpaceRecord& dataset, const ClassSpec& klass, render::MountAccess access) {
  HOMEPORT_TRY(auto mount, mount_of(dataset, klass));
  mount.id = mount_id("ds-", dataset.name);
  mount.kind = render::MountKind::dataset;
  mount.access = dataset.read_only ? render::MountAccess::ro : access;
  mount.required = false;
  return mount;
}

namespace {

void add_quota(const SpaceRecord& space, const ClassSpec& klass, WallTime now, render::Mount& mount,
               render::MountSpec& spec) {
  if (!space.quota_bytes) return;
  render::MountQuota quota{.limit_bytes = *space.quota_bytes, .quota_class = space.quota_class};
  if (space.usage && space.usage->basis != "unknown") {
    quota.used_bytes = space.usage->bytes;
    quota.as_of = space.usage->as_of;
    policies::QuotaFacts facts{.limit = Bytes{*space.quota_bytes}, .used = Bytes{space.usage->bytes}};
    if (space.quota_class == "measured" || space.quota_class == "none") facts.measured_age = now - space.usage->as_of;
    const auto state = policies::quota_state(facts, klass.notice_percent);
    if (state.level != "none") {
      spec.notices.push_back({.code = "home-" + state.level,
                              .level = state.severity == policies::QuotaSeverity::error ? render::NoticeLevel::error
                                                                                        : render::NoticeLevel::warn,
                              .text = state.notice});
      if (state.level == "full") spec.state = render::SpecState::degraded;
    }
  }
  mount.quota = quota;
}

void add_identity(const SpecRequest& request, const store::UserRecord& user, const ClassSpec& klass,
                  render::MountSpec& spec) {
  auto& identity = spec.identity;
  identity.mode = klass.identity;
  const bool squash = klass.identity == render::IdentityMode::squash;
  identity.uid = squash ? klass.squash_uid : user.uid.value_or(klass.squash_uid);
  identity.gid = squash ? klass.squash_gid : user.gid.value_or(klass.squash_gid);
  identity.user_name = klass.user_name;
  identity.umask = klass.umask;
  auto gids = request.gids;
  gids.insert(gids.end(), user.gids.begin(), user.gids.end());
  std::sort(gids.begin(), gids.end());
  gids.erase(std::unique(gids.begin(), gids.end()), gids.end());
  std::erase(gids, identity.gid);
  if (gids.size() > kMaxGroups) {
    gids.resize(kMaxGroups);
    spec.notices.push_back({.code = "too-many-groups",
                            .level = render::NoticeLevel::warn,
                            .text = "You are in more groups than NFS can carry; the first 16 by number count."});
  }
  identity.supplemental_gids = std::move(gids);
}

// What the request says and what the sources said, sorted.
std::vector<std::string> groups_of(const SpecRequest& request, const store::UserRecord& user) {
  auto groups = request.groups;
  groups.insert(groups.end(), user.groups.begin(), user.groups.end());
  std::sort(groups.begin(), groups.end());
  groups.erase(std::unique(groups.begin(), groups.end()), groups.end());
  return groups;
}

// Datasets by rule and by grant; the wider access wins.
Result<std::map<std::string, std::string>> due_datasets(const Catalog& catalog, const SpecRequest& request,
                                                        const store::UserRecord& user) {
  std::map<std::string, std::string> due;  // name -> access
  const auto rules = catalog.rules();
  const auto groups = groups_of(request, user);
  for (const auto& chosen :
       policies::select(*rules, {.user = request.user, .groups = groups, .hub = request.hub}).datasets) {
    due.emplace(chosen.name, "ro");
  }
  for (const auto& [key, access] : catalog.granted_to(user.key, groups)) {
    const auto space = catalog.space(key);
    if (!space || space->kind != SpaceKind::dataset) continue;
    auto& wide = due[space->name];
    if (wide != "rw") wide = access;
  }
  if (!request.wanted_datasets) return due;
  std::map<std::string, std::string> wanted;
  for (const auto& name : *request.wanted_datasets) {
    if (name.find('@') != std::string::npos) {
      return Error{.code = Errc::unsupported,
                   .message = "dataset versions (" + printable(name, 60) + ") are not offered by this release",
                   .hint = "ask for the dataset by its name",
                   .pointer = "/wanted/datasets"};
    }
    const auto at = due.find(name);
    if (at == due.end()) {
      return Error{.code = Errc::forbidden,
                   .message = "dataset '" + printable(name, 60) + "' is not granted to " + printable(request.user, 60),
                   .hint = "an admin can grant it: `homeport dataset grant`",
                   .pointer = "/wanted/datasets"};
    }
    wanted.insert(*at);
  }
  return wanted;
}

// A mount of what somebody removed would hang or fail, and take the session with it.
bool stands(const Backends& backends, const SpaceRecord& dataset) {
  const auto backend = backends.get(dataset.backend);
  return !backend || !(*backend)->health().missing.contains(dataset.key);
}

void add_missing(const std::string& name, render::MountSpec& spec) {
  spec.notices.push_back({.code = "dataset-missing",
                          .level = render::NoticeLevel::warn,
                          .text = "Dataset " + name + " is not available now."});
  if (spec.state == render::SpecState::ready) spec.state = render::SpecState::degraded;
}

// A dataset's name may put it in the home's own place, or above it; the person gets in all the same, without it.
bool hides_home(const std::string& target, const render::MountSpec& spec) {
  const auto& home = spec.mounts.front().target;
  return home == target || home.starts_with(target + "/");
}

void add_hidden(const std::string& name, const std::string& target, render::MountSpec& spec) {
  spec.notices.push_back({.code = "dataset-in-the-way",
                          .level = render::NoticeLevel::warn,
                          .text = "Dataset " + name + " would be mounted at " + target + ", where your home is."});
  if (spec.state == render::SpecState::ready) spec.state = render::SpecState::degraded;
}

void add_left_out(std::size_t left_out, std::size_t all, render::MountSpec& spec) {
  spec.notices.push_back(
      {.code = "too-many-datasets",
       .level = render::NoticeLevel::warn,
       .text = std::to_string(left_out) + " of your " + std::to_string(all) +
               " datasets are not shown: a session takes no more. Those shown are the first by name; "
               "ask for the ones you need by name."});
  if (spec.state == render::SpecState::ready) spec.state = render::SpecState::degraded;
}

// In the order of their names, as many as a spec takes. Where the request names datasets (`wanted`), no others are
// shown, so what was asked for is never displaced by what was not.
Result<void> add_datasets(const Catalog& catalog, const Backends& backends, const SpecRequest& request,
                          const store::UserRecord& user, const ClassSpec& klass, BuiltSpec& built) {
  HOMEPORT_TRY(const auto due, due_datasets(catalog, request, user));
  std::size_t left_out = 0;
  for (const auto& [name, access] : due) {
    const auto space = catalog.space_by_label("dataset/" + name);
    const bool there = space && space->state == SpaceState::ready && !space->source.empty() && stands(backends, *space);
    auto made = there ? dataset_mount(*space, klass, access == "rw" ? render::MountAccess::rw : render::MountAccess::ro)
                      : Result<render::Mount>(Error{.code = Errc::not_found});
    if (!made) {
      add_missing(name, built.spec);
      continue;
    }
    auto mount = std::move(made).value();
    mount.target = (klass.dataset_root == "/" ? "" : klass.dataset_root) + "/" + name;
    if (hides_home(mount.target, built.spec)) {
      add_hidden(name, mount.target, built.spec);
      continue;
    }
    if (built.spec.mounts.size() == render::kMaxMounts) {
      ++left_out;
      continue;
    }
    built.spaces.push_back(space->key);
    built.spec.mounts.push_back(std::move(mount));
  }
  if (left_out > 0) add_left_out(left_out, due.size(), built.spec);
  return {};
}

// The admin's words, where a notice may carry them. An older Homeport stored them unseen, and a text must not turn
// "come back later" into an error.
render::Notice paused_notice(const std::string& text) {
  render::Notice notice{.code = "backend-paused", .level = render::NoticeLevel::error, .text = text};
  if (!render::validate(notice)) notice.text = "The storage is paused for maintenance.";
  return notice;
}

// Homes that became this person's by a merge, each at its own place beside the home.
void add_merged(const Catalog& catalog, const store::UserRecord& user, const ClassSpec& klass, BuiltSpec& built) {
  for (const auto& space : catalog.homes_of(user.key)) {
    if (!space->name.starts_with(kMergedPrefix) || space->state != SpaceState::ready) continue;
    if (space->copying || built.spec.mounts.size() == render::kMaxMounts) continue;  // half of it is there
    auto mount = merged_mount(*space, klass);
    if (!mount) continue;
    mount->target = merged_target(*space);
    built.spaces.push_back(space->key);
    built.spec.mounts.push_back(std::move(*mount));
  }
}

// What the storage's health means for somebody who starts now.
void add_health(const Backends& backends, const Catalog& catalog, const SpaceRecord& home, render::MountSpec& spec) {
  const auto record = catalog.backend(home.backend);
  if (record && record->paused) {
    spec.state = render::SpecState::blocked;
    spec.status_hint = 503;
    spec.notices.push_back(paused_notice(record->pause_text));
    return;
  }
  const auto backend = backends.get(home.backend);
  if (!backend) return;
  const auto health = (*backend)->health();
  if (health.data == Reachability::unreachable) {
    spec.state = render::SpecState::blocked;
    spec.status_hint = 503;
    spec.notices.push_back({.code = "storage-down",
                            .level = render::NoticeLevel::error,
                            .text = "The storage that holds your home does not answer. Your files are safe; please try "
                                    "again in a few minutes."});
  } else if (health.troubled.contains(home.pool)) {
    // A mount would succeed and show an empty directory, or fail: neither is this person's home.
    spec.state = render::SpecState::blocked;
    spec.status_hint = 503;
    spec.notices.push_back({.code = "storage-missing",
                            .level = render::NoticeLevel::error,
                            .text = "The storage server does not show the disk that holds your home. The "
                                    "administrators see the same; please try again in a few minutes."});
  } else if (health.management == Reachability::unreachable) {
    spec.notices.push_back(
        {.code = "storage-management-down",
         .level = render::NoticeLevel::info,
         .text = "The storage's management is not reachable; your files are, but changes to quotas have to wait."});
  }
}

// Half of somebody's files is worse than none: what is written meanwhile would be lost or mixed up.
void add_copying(const SpaceRecord& home, render::MountSpec& spec) {
  if (!home.copying) return;
  spec.state = render::SpecState::blocked;
  spec.status_hint = 503;
  spec.notices.push_back({.code = "home-copying",
                          .level = render::NoticeLevel::error,
                          .text = "Your files are being copied to this storage and are not all here yet. Nothing is "
                                  "lost; please try again later."});
}

}  // namespace

std::string spec_id_of(const SpecRequest& request, std::string_view user_key, std::string_view digest) {
  std::string text = request.hub;
  text.append(1, '\0').append(user_key).append(1, '\0').append(request.server).append(1, '\0').append(digest);
  return "ms-" + sha256_hex(text).substr(0, 20);
}

Result<BuiltSpec> build_spec(const Catalog& catalog, const Backends& backends, const SpecRequest& request,
                             const store::UserRecord& user, const SpaceRecord& home, WallTime now) {
  const auto klass = catalog.klass(home.klass);
  if (!klass) {
    return Error{.code = Errc::failed_precondition,
                 .message = "class " + home.klass + " of this home is no longer defined",
                 .hint = "define it again in the desired document"};
  }
  if (request.wanted_snapshot) {
    return Error{.code = Errc::unsupported,
                 .message = "backend " + home.backend + " has no snapshots to mount",
                 .hint = "leave wanted.snapshot out",
                 .pointer = "/wanted/snapshot"};
  }
  BuiltSpec built;
  auto& spec = built.spec;
  HOMEPORT_TRY(spec.subject.purpose, purpose_of(request.purpose));
  spec.subject.hub = request.hub;
  spec.subject.user = request.user;
  spec.subject.user_key = user.key;
  spec.subject.server = request.server;
  spec.subject.server_key = request.server.empty() ? "s-0" : "s-" + sha256_hex(request.server).substr(0, 8);
  spec.subject.groups = groups_of(request, user);
  add_identity(request, user, *klass, spec);

  HOMEPORT_TRY(auto mount, home_mount(home, *klass));
  mount.target = klass->home_target;
  add_quota(home, *klass, now, mount, spec);
  spec.mounts.push_back(std::move(mount));
  built.spaces.push_back(home.key);
  add_merged(catalog, user, *klass, built);
  HOMEPORT_CHECK(add_datasets(catalog, backends, request, user, *klass, built));
  add_health(backends, catalog, home, spec);
  add_copying(home, spec);
  spec.environment = klass->environment;
  spec.environment.emplace("NB_UMASK", klass->umask);
  spec.labels = klass->labels;
  spec.labels.emplace("class", klass->name.str());
  auto valid = render::validate(spec).context("class " + klass->name.str() + " gives no valid mount spec");
  if (!valid) {
    auto error = std::move(valid).error();
    error.code = Errc::failed_precondition;  // the admin's words are wrong, not the caller's
    return error;
  }
  return built;
}

}  // namespace homeport::core
