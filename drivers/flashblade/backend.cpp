#include "drivers/flashblade/backend.h"

#include <algorithm>

#include "drivers/flashblade/export_rules.h"
#include "drivers/nfs/nfs_server.h"

namespace homeport::drivers::flashblade {
namespace {

constexpr std::chrono::milliseconds kExportTakes{5000};
constexpr std::chrono::milliseconds kFirstLook{50};
constexpr std::chrono::milliseconds kPoolPause{5000};
constexpr std::uint32_t kLongestName = 63;
constexpr std::chrono::minutes kPolicyHolds{1};
constexpr std::uint32_t kCallsPerConnection = 3;

Capabilities file_system_capabilities(const std::optional<ArrayFacts>& array, const FlashbladeConfig& config,
                                      const std::optional<RestVersion>& version) {
  Capabilities can;
  can.quota = QuotaClass::hard;
  can.snapshots = true;
  can.snapshots_per_space = true;
  can.clones = version && version->has(since::kCopies);
  can.array_restore = true;
  can.access_rules = true;
  can.undelete = true;
  can.ownership = true;
  can.max_name_bytes = kLongestName;
  can.max_snapshots_per_object = kSnapshotsPerFileSystem;
  can.max_snapshots = kSnapshotsPerArray;
  if (!can.clones) {
    can.notes.emplace_back("clones: the array has none before REST 2.25; copy the files of a snapshot instead");
  }
  if (array && array->safe_mode()) {
    can.notes.emplace_back("SafeMode: what is purged is destroyed, and only the array's timer eradicates it");
  } else if (!config.eradicate) {
    can.notes.emplace_back(
        "purge destroys a file system; the array eradicates it when its timer ends (eradicate: false)");
  }
  return can;
}

// What a storage admin does for the snapshots of a pool.
std::string pool_snapshots(const FlashbladeConfig& config) {
  std::string names;
  std::string first;
  for (const auto& pool : config.pools) {
    if (pool.layout != Layout::directory) continue;
    if (first.empty()) first = pool.file_system;
    names += (names.empty() ? "" : ", ") + pool.file_system;
  }
  return "snapshots: those of the pool's file system (" + names +
         ") hold every space in it, so they are taken and removed on the array: give it a snapshot policy there, "
         "or take one now (POST file-system-snapshots?source_names=" +
         first +
         "); `homeport snapshot list` then shows it for each space, and `homeport restore` brings files back from it. "
         "Spaces of layout filesystem have snapshots of their own";
}

Capabilities directory_capabilities(const FlashbladeConfig& config) {
  Capabilities can;
  can.quota = QuotaClass::hard;
  can.quota_by_owner = true;
  can.undelete = true;
  can.ownership = true;
  can.notes.emplace_back(
      "quotas: an array counts a user (a group, for group shares) over the whole file system of the pool, so one space "
      "of each person bears a limit there; layout filesystem has one for each space");
  can.notes.push_back(pool_snapshots(config));
  return can;
}

}  // namespace

Backend::Backend(std::string name, FlashbladeConfig config, const DriverEnvironment& env)
    : name_(std::move(name)),
      config_(std::move(config)),
      clock_(env.clock),
      prefix_(env.name_prefix),
      admin_name_(config_.administrative.empty() ? prefix_ + "admin" : config_.administrative),
      session_(config_.management, *env.clock),
      api_(session_),
      admin_([this](const OpContext& op, Make make) { return open_admin(op, make); }, *env.clock) {
  learned_.with([&](Learned& learned) {
    learned.data_address = config_.data.address;
    learned.info = std::make_shared<const DriverInfo>(describe(learned, 1));
  });
}

DriverInfo Backend::describe(const Learned& learned, std::uint64_t generation) const {
  DriverInfo info{.kind = "flashblade", .address = config_.management.url.to_string()};
  info.generation = generation;
  info.known = learned.array.has_value();
  // The array itself is asked by so many at once (ArraySession): while they wait, others are on the data network.
  info.max_parallel_calls = kCallsPerConnection * config_.management.connections;
  for (const auto& pool : config_.pools) {
    info.layouts[pool.layout] = pool.layout == Layout::filesystem
                                    ? file_system_capabilities(learned.array, config_, learned.version)
                                    : directory_capabilities(config_);
  }
  info.facts.emplace("protocol",
                     "REST 2 (management), NFSv3 (owners and markers), NFSv" + config_.client.version + " (clients)");
  if (learned.version) info.facts.emplace("REST version", learned.version->str());
  if (!learned.data_address.empty()) info.facts.emplace("data address", learned.data_address);
  // As volumes of a cluster name it.
  const auto& server = config_.client.server.empty() ? learned.data_address : config_.client.server;
  if (!server.empty()) info.facts.emplace("client server", server);
  if (!config_.client.path_prefix.empty()) info.facts.emplace("client path prefix", config_.client.path_prefix);
  if (!learned.array) return info;
  info.facts.emplace("array", learned.array->name);
  info.facts.emplace("Purity//FB", learned.array->purity);
  if (learned.array->eradication_delay) {
    info.facts.emplace("destroyed file systems stay", format_duration(*learned.array->eradication_delay));
  }
  if (!learned.array->manual_eradication.empty()) {
    info.facts.emplace("manual eradication", learned.array->manual_eradication);
  }
  return info;
}

Result<const PoolConfig*> Backend::pool(Layout layout, const std::string& name) const {
  const auto of_layout = [&](const PoolConfig& pool) { return pool.layout == layout; };
  if (std::ranges::none_of(config_.pools, of_layout)) {
    return Error{.code = Errc::unsupported,
                 .message = "backend " + name_ + " has no pool of layout " + std::string(layout_name(layout)),
                 .hint = "add one to the pools of its section"};
  }
  for (const auto& pool : config_.pools) {
    if (of_layout(pool) && pool.name == name) return &pool;
  }
  return Error{.code = Errc::not_found,
               .message = "backend " + name_ + " has no pool '" + printable(name, 60) + "' of layout " +
                          std::string(layout_name(layout)),
               .hint = "its pools are named in the backend's section"};
}

std::shared_ptr<const DriverInfo> Backend::info() const {
  return learned_.with([](const Learned& learned) { return learned.info; });
}

Result<ArrayFacts> Backend::ready(const OpContext& op) {
  HOMEPORT_CHECK(still_wanted(op, *clock_, "asking array " + config_.management.url.authority()));
  HOMEPORT_TRY(const auto version, api_.version(op));
  const auto login = session_.logins();
  const auto known = learned_.with([&](const Learned& l) { return l.login == login ? l.array : std::nullopt; });
  if (known) return *known;
  HOMEPORT_TRY(const auto array, api_.array(op));
  learned_.with([&](Learned& learned) {
    learned.array = array;
    learned.version = version;
    learned.login = login;
    learned.info = std::make_shared<const DriverInfo>(describe(learned, learned.info->generation + 1));
  });
  return array;
}

Result<std::string> Backend::data_address(const OpContext& op) {
  auto known = learned_.with([](const Learned& learned) { return learned.data_address; });
  if (!known.empty()) return known;
  HOMEPORT_TRY(auto all, api_.interfaces(op));
  std::erase_if(all, [](const NetworkInterface& one) {
    const bool data = std::ranges::find(one.services, "data") != one.services.end();
    const bool ours = one.attached_servers.empty() ||
                      std::ranges::find(one.attached_servers, "_array_server") != one.attached_servers.end();
    return !data || !ours || !one.enabled || one.address.empty();
  });
  if (all.empty()) {
    return Error{.code = Errc::failed_precondition,
                 .message = "the array has no enabled network interface with the service data",
                 .hint = "name the address that clients mount as data.address in the backend's section"};
  }
  std::ranges::sort(all, {}, &NetworkInterface::name);  // the same one every time
  const auto address = all.front().address;
  learned_.with([&](Learned& learned) {
    learned.data_address = address;
    learned.info = std::make_shared<const DriverInfo>(describe(learned, learned.info->generation + 1));
  });
  return address;
}

Result<std::string> Backend::client_address(const OpContext& op) {
  if (!config_.client.server.empty()) return config_.client.server;
  return data_address(op);
}

Result<std::unique_ptr<Tree>> Backend::mount(const OpContext& op, const FileSystem& fs, bool fresh) {
  HOMEPORT_TRY(const auto address, data_address(op));
  HOMEPORT_TRY(const auto path, AbsolutePath::parse(config_.data.path_prefix + path_of(fs.name)));
  const NfsServer::Address server{.server = address,
                                  .nfs_port = config_.data.nfs_port,
                                  .mount_port = config_.data.mount_port,
                                  .timeout = config_.data.timeout};
  const bool admin = fs.name == admin_name_;
  const auto until = clock_->mono() + kExportTakes;
  for (auto pause = kFirstLook;; pause *= 2) {
    auto tree = NfsServer::open_mounted(op, server, *clock_, path, admin ? config_.data.connections : 1);
    if (tree) return tree;
    const auto code = tree.error().code;
    // The handle that MNT gave was dead already: something moves on the data side, and soon has moved.
    const bool moving = tree.error().upstream && tree.error().upstream->system == "nfs" && code == Errc::not_found;
    const bool unknown_yet = code == Errc::not_found || code == Errc::permission_denied;
    const bool again = fresh && unknown_yet && clock_->mono() + pause < std::min(until, op.deadline);
    if (again && clock_->sleep_for(pause, op.stop)) continue;
    auto error = std::move(tree).context("root directory of file system " + fs.name).error();
    if (moving) error.code = Errc::unavailable;
    if (!moving && !unknown_yet && error.hint.empty()) {
      error.hint =
          "data.address is where the array serves NFS (a network interface with the service data); mountd and NFS " +
          std::string("there must be reachable from this host, and NFSv3 be on");
    }
    if (moving || !unknown_yet) return error;
    error.hint = !fs.nfs_v3 ? "NFSv3 is switched off for it on the array; Homeport sets owners over NFSv3"
                            : "exports.homeport must name this host as the array sees it, with root not squashed; " +
                                  std::string("its rules on the array are: ") +
                                  (fs.export_policy.empty() ? fs.rules : "export policy " + fs.export_policy);
    if (fresh && code == Errc::not_found) error.code = Errc::unavailable;
    return error;
  }
}

Result<std::string> Backend::open_rules() const {
  AccessPolicy policy;
  for (const auto& client : config_.exports.clients) {
    policy.rules.push_back({.client = client, .permission = Permission::rw, .squash = Squash::root});
  }
  return rules_of(config_.exports.homeport, policy);
}

std::string Backend::closed_rules() const {
  std::string out;
  for (const auto& host : config_.exports.homeport) out += (out.empty() ? "" : " ") + host + "(rw,no_root_squash)";
  return out;
}

Result<void> Backend::check_policy(const OpContext& op) {
  const auto& name = config_.exports.policy;
  if (name.empty()) return {};
  const auto now = clock_->mono();
  if (learned_.with([&](const Learned& learned) { return now < learned.policy_good_until; })) return {};
  HOMEPORT_TRY(const auto version, api_.version(op));
  if (!version.has(since::kExportPolicies)) {
    return Error{.code = Errc::failed_precondition,
                 .message = "exports.policy names an export policy, and the array speaks REST " + version.str(),
                 .hint = "policies came with REST 2.3: write exports.clients instead"};
  }
  HOMEPORT_TRY(const auto policy, api_.export_policy(op, name));
  const auto refused = [&](const std::string& why, std::string hint) {
    return Error{
        .code = Errc::failed_precondition, .message = "export policy " + name + " " + why, .hint = std::move(hint)};
  };
  if (!policy) return refused("does not stand on the array", "make it there, or write exports.clients instead");
  if (!policy->enabled) return refused("is disabled", "enable it on the array");
  if (std::ranges::any_of(policy->rules, [](const ExportRule& rule) { return is_everybody(rule.client); })) {
    return refused("lets everybody in", "take the rule for '*' out of it; Homeport makes no world-open export");
  }
  learned_.with([&](Learned& learned) { learned.policy_good_until = now + kPolicyHolds; });
  return {};
}

Result<std::unique_ptr<Tree>> Backend::open_admin(const OpContext& op, Make make) {
  HOMEPORT_TRY(auto fs, api_.file_system(op, admin_name_));
  if (fs && fs->destroyed) {
    return Error{.code = Errc::failed_precondition,
                 .message = "the administrative file system " + admin_name_ + " is destroyed on the array",
                 .hint = "recover it there: it holds the markers of every home"};
  }
  if (!fs && make == Make::no) return std::unique_ptr<Tree>();
  if (!fs && make == Make::where_ours) {
    return Error{.code = Errc::unavailable,
                 .message = "the array has no file system " + admin_name_ +
                            ", which holds the markers of the homes that were made on it",
                 .hint =
                     "is this the right array? If it was eradicated, make an empty one of that name, exported to "
                     "Homeport's hosts over NFSv3, and look at `homeport doctor`",
                 .upstream = Upstream{.system = std::string(kMissingPoolSystem)},
                 .retry_after = kPoolPause};
  }
  bool fresh = false;
  if (!fs) {
    HOMEPORT_TRY(auto made, api_.create_file_system(op, {.name = admin_name_, .rules = closed_rules()}));
    if (!made) return std::unique_ptr<Tree>();  // a dry run
    fresh = true;
    fs = std::move(made->file_system);
  }
  return mount(op, *fs, fresh);
}

std::optional<SpaceKey> key_of(const Backend& backend, std::string_view name) {
  if (!name.starts_with(backend.prefix())) return std::nullopt;
  auto key = SpaceKey::parse(name.substr(backend.prefix().size()));
  if (!key) return std::nullopt;
  return std::move(key).value();
}

}  // namespace homeport::drivers::flashblade
