#include "drivers/flashblade/directories.h"

#include <iterator>
#include <nlohmann/json.hpp>
#include <span>

#include "drivers/flashblade/export_rules.h"
#include "drivers/flashblade/paging.h"
#include "drivers/flashblade/spaces.h"
#include "drivers/nfs/nfs_driver_factory.h"

namespace homeport::drivers::flashblade {
namespace {

using nlohmann::json;

constexpr const char* kAdmin = ".homeport";  // as the NFS driver's administrative directory
constexpr const char* kQuotas = "quotas";
constexpr std::uint32_t kRootOnly = 0700;
constexpr std::size_t kLongestKey = 64;
constexpr std::chrono::milliseconds kPause{5000};
constexpr std::chrono::minutes kClaimHolds{10};

Result<std::optional<Node>> quota_directory(const OpContext& op, Tree& tree, bool make) {
  Node at = tree.root().node;
  for (const char* name : {kAdmin, kQuotas}) {
    HOMEPORT_TRY(auto found, tree.lookup(op, at, name));
    if (!found && !make) return std::optional<Node>();
    if (!found) {
      auto made = tree.make_directory(op, at, name, {.mode = kRootOnly});
      if (!made && made.error().code != Errc::already_exists) return std::move(made).error();
      if (made) {
        at = made->node;
        continue;
      }
      HOMEPORT_TRY(found, tree.lookup(op, at, name));
    }
    if (!found || found->attributes.type != EntryType::directory || found->attributes.uid != Uid{0}) {
      return Error{.code = Errc::failed_precondition,
                   .message = std::string(name) + " in the pool is not a directory of root's",
                   .hint = "somebody else made it: look at it over NFS and move it away"};
    }
    at = found->node;
  }
  return std::optional<Node>(at);
}

// What an attempt before left under that name is written anew.
Result<Node> draft_in(const OpContext& op, Tree& tree, const Node& directory, const std::string& name,
                      const std::string& text) {
  auto made = tree.make_file(op, directory, name, {.mode = 0600});
  if (!made && made.error().code != Errc::already_exists) return std::move(made).error();
  std::optional<Entry> file;
  if (made) {
    file = std::move(made).value();
  } else {
    HOMEPORT_TRY(file, tree.lookup(op, directory, name));
  }
  if (!file) return Error{.code = Errc::conflict, .message = name + " went away while it was written"};
  HOMEPORT_CHECK(tree.write(op, file->node, 0, std::as_bytes(std::span(text))));
  return file->node;
}

Error lost_pool(const PoolConfig& pool) {
  return Error{.code = Errc::unavailable,
               .message = "the array has no file system " + pool.file_system + ", which the spaces of pool " +
                          pool.name + " were made in",
               .hint = "is this the right array? If the file system is destroyed, recover it before its timer ends",
               .upstream = Upstream{.system = std::string(kMissingPoolSystem)},
               .retry_after = kPause};
}

void add_port(json& to, const char* key, const std::optional<std::uint16_t>& port) {
  if (port) to[key] = *port;
}

}  // namespace

Directories::Holder Directories::holder_of(const SpaceKey& key, Owner owner) {
  if (key.kind() == SpaceKind::group) return {ArrayApi::Who::group, owner.gid.value};
  return {ArrayApi::Who::user, owner.uid.value};
}

Result<StorageDriver*> Directories::nfs(const OpContext& op) {
  if (auto known = nfs_.with([](const auto& made) { return made; })) return known.get();
  HOMEPORT_CHECK(backend_.ready(op));
  HOMEPORT_TRY(const auto address, backend_.data_address(op));
  HOMEPORT_TRY(const auto clients, backend_.client_address(op));
  const auto& config = backend_.config();
  json section{{"service",
                {{"server", address},
                 {"timeout", format_duration(config.data.timeout)},
                 {"connections", config.data.connections},
                 {"admin_directory", kAdmin}}},
               {"client", {{"server", clients}, {"version", config.client.version}}},
               {"pools", json::array()}};
  add_port(section["service"], "nfs_port", config.data.nfs_port);
  add_port(section["service"], "mount_port", config.data.mount_port);
  add_port(section["client"], "port", config.client.port);
  add_port(section["client"], "mount_port", config.client.mount_port);
  for (const auto& pool : config.pools) {
    if (pool.layout != Layout::directory) continue;
    section["pools"].push_back({{"name", pool.name},
                                {"export", config.data.path_prefix + Backend::path_of(pool.file_system)},
                                {"directory", pool.directory}});
  }
  HOMEPORT_TRY(auto made, make_nfs_driver(backend_.name(), section, env_));
  std::shared_ptr<StorageDriver> mine = std::move(made);
  return nfs_.with([&](auto& known) {
    if (!known) known = mine;
    return known.get();
  });
}

Result<std::vector<Pool>> Directories::pools(const OpContext& op) {
  std::vector<Pool> out;
  for (const auto& pool : backend_.config().pools) {
    if (pool.layout != Layout::directory) continue;
    HOMEPORT_TRY(const auto fs, backend_.api().file_system(op, pool.file_system));
    if (!fs || fs->destroyed) out.push_back({.name = pool.name, .writable = !fs.has_value(), .prepared = false});
  }
  std::set<std::string> missing;
  for (const auto& pool : out) missing.insert(pool.name);
  HOMEPORT_TRY(auto* driver, nfs(op));
  auto measured = driver->pools(op);
  if (!measured) {
    if (missing.empty()) return std::move(measured).error();
    return out;
  }
  for (auto& pool : *measured) {
    if (!missing.contains(pool.name)) out.push_back(std::move(pool));
  }
  return out;
}

Result<std::optional<FileSystem>> Directories::file_system(const OpContext& op, const PoolConfig& pool, bool may_make) {
  HOMEPORT_TRY(auto fs, backend_.api().file_system(op, pool.file_system));
  if (fs && fs->destroyed) return lost_pool(pool);
  if (!fs && !may_make) return lost_pool(pool);
  if (!fs) {
    HOMEPORT_CHECK(backend_.check_policy(op));
    HOMEPORT_TRY(auto made,
                 backend_.api().create_file_system(op, {.name = pool.file_system, .rules = backend_.closed_rules()}));
    if (!made) return std::optional<FileSystem>();
    HOMEPORT_CHECK(backend_.mount(op, made->file_system, true));  // until the data side knows it
    HOMEPORT_TRY(const auto open, opening(backend_, made->file_system));
    HOMEPORT_TRY(fs, backend_.api().change_file_system(op, made->file_system.id, open));
  }
  if (fs && is_world_open(fs->rules) && fs->export_policy.empty()) {
    return Error{
        .code = Errc::failed_precondition,
        .message = "file system " + fs->name + " of pool " + pool.name + " lets everybody in: " + fs->rules,
        .hint = "give it rules on the array that name networks; Homeport makes no homes in a world-open export"};
  }
  return fs;
}

Result<std::optional<std::string>> Directories::bearer(const OpContext& op, Tree& tree, const Holder& holder) {
  HOMEPORT_TRY(const auto directory, quota_directory(op, tree, false));
  if (!directory) return std::optional<std::string>();
  HOMEPORT_TRY(const auto file, tree.lookup(op, *directory, holder.file()));
  if (!file) return std::optional<std::string>();
  std::string text(kLongestKey, '\0');
  HOMEPORT_TRY(const std::size_t got, tree.read(op, file->node, 0, std::as_writable_bytes(std::span(text))));
  text.resize(got);
  return std::optional<std::string>(std::move(text));
}

Result<void> Directories::check_free(const OpContext& op, const PoolConfig& pool, Tree& tree,
                                     const std::string& standing, const Holder& holder) {
  if (!SpaceKey::parse(standing)) return {};
  HOMEPORT_TRY(auto* driver, nfs(op));
  const Lookup other{.layout = Layout::directory, .pool = pool.name, .name = backend_.prefix() + standing};
  HOMEPORT_TRY(const auto stands, driver->find(op, other));
  if (stands) return bears_already(holder, pool, standing, stands->state == ObjectState::trashed);
  // A limit is claimed before its directory is made: a young claim is of somebody at work.
  HOMEPORT_TRY(const auto directory, quota_directory(op, tree, false));
  if (!directory) return {};
  HOMEPORT_TRY(const auto file, tree.lookup(op, *directory, holder.file()));
  if (!file || backend_.clock().now() - file->attributes.modified > kClaimHolds) return {};
  return Error{.code = Errc::unavailable,
               .message = "space " + standing + ", which bears the limit of " + holder.words() + " in pool " +
                          pool.name + ", is being made",
               .hint = "wait until it stands; a claim that leads to nothing ends by itself after ten minutes",
               .retry_after = kPause};
}

Error Directories::bears_already(const Holder& holder, const PoolConfig& pool, const std::string& space, bool trashed) {
  return Error{.code = Errc::failed_precondition,
               .message = holder.words() + " has its limit in pool " + pool.name + " for space " + space +
                          (trashed ? ", which is in the trash" : "") +
                          ": an array counts a user over the whole file system",
               .hint = "use a class of layout filesystem or another pool for the second one, or purge the first"};
}

Result<void> Directories::claim(const OpContext& op, const PoolConfig& pool, Tree& tree, const Holder& holder,
                                const SpaceKey& key) {
  HOMEPORT_TRY(const auto standing, bearer(op, tree, holder));
  if (standing == key.str()) return {};
  if (standing) HOMEPORT_CHECK(check_free(op, pool, tree, *standing, holder));
  HOMEPORT_TRY(const auto directory, quota_directory(op, tree, true));
  if (standing) {
    const Tree::Removal old{.directory = *directory, .name = holder.file()};
    HOMEPORT_CHECK(std::move(tree.remove(op, std::span(&old, 1)).front()));
  }
  // It gets its name when it is whole, and whoever gives it first has the limit: two at once are told apart.
  const std::string draft = key.str() + ".new";
  HOMEPORT_TRY(const auto file, draft_in(op, tree, *directory, draft, key.str()));
  auto named = tree.link(op, file, *directory, holder.file());
  const Tree::Removal rest{.directory = *directory, .name = draft};
  HOMEPORT_CHECK(std::move(tree.remove(op, std::span(&rest, 1)).front()));
  if (named || named.error().code != Errc::already_exists) return named;
  HOMEPORT_TRY(const auto winner, bearer(op, tree, holder));
  if (winner == key.str()) return {};
  return bears_already(holder, pool, winner.value_or("of somebody else"), false);
}

Result<void> Directories::drop(const OpContext& op, const PoolConfig& pool, Tree& tree, const Holder& holder,
                               const SpaceKey& key) {
  HOMEPORT_TRY(const auto standing, bearer(op, tree, holder));
  if (standing != key.str()) return {};
  HOMEPORT_CHECK(backend_.api().remove_quota(op, pool.file_system, holder.who, holder.id));
  HOMEPORT_TRY(const auto directory, quota_directory(op, tree, false));
  const Tree::Removal file{.directory = *directory, .name = holder.file()};
  return std::move(tree.remove(op, std::span(&file, 1)).front());
}

Result<void> Directories::add_quota(const OpContext& op, Object& object) {
  const auto pool = backend_.pool(Layout::directory, object.ref.pool);
  if (!pool || object.ref.imported) return {};
  HOMEPORT_TRY(const auto fs, backend_.api().file_system(op, (*pool)->file_system));
  if (!fs) return {};
  HOMEPORT_TRY(const auto tree, backend_.mount(op, *fs, false));
  const auto holder = holder_of(object.ref.key, object.owner);
  HOMEPORT_TRY(const auto whose, bearer(op, *tree, holder));
  if (whose != object.ref.key.str()) return {};
  HOMEPORT_TRY(const auto entry, backend_.api().quota(op, fs->name, holder.who, holder.id));
  if (!entry || entry->quota == 0) return {};
  object.quota = Bytes{entry->quota};
  object.usage = Usage{.bytes = Bytes{entry->usage}, .basis = UsageBasis::exact, .as_of = backend_.clock().now()};
  return {};
}

Result<std::optional<Object>> Directories::find(const OpContext& op, const Lookup& lookup) {
  if (!lookup.path) HOMEPORT_CHECK(backend_.pool(lookup.layout, lookup.pool));
  HOMEPORT_CHECK(backend_.ready(op));
  // The NFS driver cannot tell a file system that is not there from one that is not exported to it.
  if (!lookup.path) {
    HOMEPORT_TRY(const auto* pool, backend_.pool(lookup.layout, lookup.pool));
    HOMEPORT_TRY(const auto fs, backend_.api().file_system(op, pool->file_system));
    if (!fs && (lookup.id || lookup.name)) return std::optional<Object>();
  }
  HOMEPORT_TRY(auto* driver, nfs(op));
  HOMEPORT_TRY(auto found, driver->find(op, lookup));
  if (found) HOMEPORT_CHECK(add_quota(op, *found));
  return found;
}

Result<Object> Directories::create(const OpContext& op, const CreateSpec& spec) {
  HOMEPORT_TRY(const auto* pool, backend_.pool(spec.layout, spec.pool));
  if (spec.quota && spec.quota->count() == 0) {
    return Error{.code = Errc::invalid_argument, .message = "a limit of 0 bytes cannot be set", .hint = "give a limit"};
  }
  HOMEPORT_CHECK(backend_.ready(op));
  const bool in_use = spec.pool_in_use || spec.known_id.has_value();
  HOMEPORT_TRY(const auto fs, file_system(op, *pool, !in_use));
  CreateSpec plain = spec;
  plain.quota.reset();
  if (!fs) {  // a dry run: the NFS driver has nothing to look at
    if (op.calls != nullptr) op.calls->add("MKDIR /" + pool->file_system + "/" + pool->directory + "/" + spec.name);
    return Object{.ref = {.pool = spec.pool, .key = spec.key, .name = spec.name, .id = "planned"},
                  .path = "/" + pool->file_system + "/" + pool->directory + "/" + spec.name,
                  .owner = spec.owner,
                  .mode = spec.mode,
                  .quota = spec.quota,
                  .marker = spec.marker};
  }
  HOMEPORT_TRY(auto* driver, nfs(op));
  if (!spec.quota) return driver->create(op, plain);
  HOMEPORT_TRY(const auto tree, backend_.mount(op, *fs, false));
  HOMEPORT_TRY(const auto admin, tree->lookup(op, tree->root().node, kAdmin));
  const bool claimable = admin.has_value() || !in_use;  // else the NFS driver says what is missing
  const auto holder = holder_of(spec.key, spec.owner);
  if (claimable) {
    HOMEPORT_CHECK(claim(op, *pool, *tree, holder, spec.key));
    HOMEPORT_CHECK(backend_.api().set_quota(op, fs->name, holder.who, holder.id, spec.quota->count()));
  }
  HOMEPORT_TRY(auto object, driver->create(op, plain));
  object.quota = spec.quota;
  return object;
}

Result<Object> Directories::update(const OpContext& op, const ObjectRef& ref, const Change& change) {
  HOMEPORT_TRY(auto* driver, nfs(op));
  if (ref.imported) return driver->update(op, ref, change);
  HOMEPORT_TRY(const auto* pool, backend_.pool(ref.layout, ref.pool));
  const auto wanted = change.quota;
  if (wanted && *wanted && (*wanted)->count() == 0) {
    return Error{
        .code = Errc::invalid_argument, .message = "a limit of 0 bytes cannot be set", .hint = "lift it instead"};
  }
  // What it is before the change, checked to be what `ref` says.
  HOMEPORT_TRY(auto before, driver->update(op, ref, {}));
  HOMEPORT_CHECK(add_quota(op, before));
  const auto quota = wanted ? *wanted : before.quota;
  if (wanted && *wanted && before.usage && **wanted < before.usage->bytes && !change.force) {
    return Error{
        .code = Errc::over_quota,
        .message = ref.name + " uses " + before.usage->bytes.to_string() + ", more than " + (*wanted)->to_string(),
        .hint = "choose a higher limit, or force it: writes then fail until enough is deleted"};
  }
  const auto old_holder = holder_of(ref.key, before.owner);
  const auto new_holder = holder_of(ref.key, change.owner.value_or(before.owner));
  if (quota || before.quota) {
    HOMEPORT_TRY(const auto fs, file_system(op, *pool, false));
    HOMEPORT_TRY(const auto tree, backend_.mount(op, *fs, false));
    if (quota) {
      HOMEPORT_CHECK(claim(op, *pool, *tree, new_holder, ref.key));
      HOMEPORT_CHECK(backend_.api().set_quota(op, fs->name, new_holder.who, new_holder.id, quota->count()));
    }
    if (before.quota && (!quota || !(old_holder == new_holder))) {
      HOMEPORT_CHECK(drop(op, *pool, *tree, old_holder, ref.key));
    }
  }
  Change rest = change;
  rest.quota.reset();
  HOMEPORT_TRY(auto object, driver->update(op, ref, rest));
  object.quota = quota;
  return object;
}

Result<MountSource> Directories::mount_source(const OpContext& op, const ObjectRef& ref, const MountView& view) {
  HOMEPORT_TRY(auto* driver, nfs(op));
  HOMEPORT_TRY(auto source, driver->mount_source(op, ref, view));
  // The service's prefix away, the clients' on.
  auto& nfs_source = std::get<NfsSource>(source);
  const auto& data = backend_.config().data.path_prefix;
  if (nfs_source.path.starts_with(data + "/")) nfs_source.path.erase(0, data.size());
  nfs_source.path = backend_.config().client.path_prefix + nfs_source.path;
  return source;
}

Result<std::optional<Cursor>> Directories::list_snapshots(const OpContext& op, const ObjectRef& ref,
                                                          const std::optional<Cursor>& from,
                                                          std::vector<Snapshot>& page) {
  HOMEPORT_TRY(auto* driver, nfs(op));
  std::vector<Snapshot> shown;
  HOMEPORT_TRY(auto next, drivers::find<Snapshots>(*driver)->list_snapshots(op, ref, from, shown));
  std::optional<FileSystem> fs;
  if (!ref.imported && !shown.empty()) {
    HOMEPORT_TRY(const auto pool, backend_.pool(ref.layout, ref.pool));
    HOMEPORT_TRY(fs, backend_.api().file_system(op, pool->file_system));
  }
  // The array knows when each was taken, which its name may not tell.
  std::optional<std::string> token;
  do {
    if (!fs) break;
    HOMEPORT_TRY(auto known, backend_.api().snapshots(op, *fs, token, kPage));
    for (auto& one : shown) {
      for (const auto& item : known.items) {
        if (one.name != item.suffix && one.name != fs->name + "." + item.suffix) continue;
        one.id = item.id;
        one.taken_at = item.created.value_or(one.taken_at);
      }
    }
    token = std::move(known.next);
  } while (token);
  std::move(shown.begin(), shown.end(), std::back_inserter(page));
  return next;
}

Result<PurgeStep> Directories::purge(const OpContext& op, const ObjectRef& ref, const std::optional<Cursor>& from) {
  HOMEPORT_TRY(auto* driver, nfs(op));
  if (ref.imported) return driver->purge(op, ref, from);
  HOMEPORT_TRY(const auto* pool, backend_.pool(ref.layout, ref.pool));
  // The limit goes first: after the last piece nothing would say whose it was. Whether it is ours to purge is asked
  // before that.
  if (!from) {
    OpContext asking = op;
    asking.dry_run = true;
    asking.calls = nullptr;
    HOMEPORT_CHECK(driver->purge(asking, ref, std::nullopt));
    const Lookup self{.layout = ref.layout, .pool = ref.pool, .id = ref.id, .name = ref.name, .key = ref.key};
    HOMEPORT_TRY(const auto before, driver->find(op, self));
    if (before) {
      HOMEPORT_TRY(const auto fs, file_system(op, *pool, false));
      HOMEPORT_TRY(const auto tree, backend_.mount(op, *fs, false));
      HOMEPORT_CHECK(drop(op, *pool, *tree, holder_of(ref.key, before->owner), ref.key));
    }
  }
  return driver->purge(op, ref, from);
}

}  // namespace homeport::drivers::flashblade
