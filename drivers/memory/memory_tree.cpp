#include "drivers/memory/memory_tree.h"

#include <charconv>

namespace homeport::drivers {
namespace memory {
namespace {

constexpr std::string_view kCursor = "name:";

std::optional<std::uint64_t> number_of(const Node& node) {
  std::uint64_t id = 0;
  const char* end = node.handle.data() + node.handle.size();
  const auto [at, ec] = std::from_chars(node.handle.data(), end, id);
  if (ec != std::errc{} || at != end) return std::nullopt;
  return id;
}

class MemoryTree final : public Tree {
 public:
  MemoryTree(SharedWorld world, const Clock& clock, std::shared_ptr<Volume> volume, std::uint64_t root, TreeMode mode,
             std::string path)
      : world_(std::move(world)),
        clock_(clock),
        volume_(std::move(volume)),
        root_(root),
        mode_(mode),
        path_(std::move(path)) {}

  [[nodiscard]] Entry root() const override {
    return world_->with([&](const std::unique_ptr<World>&) {
      const Inode* inode = volume_->find(root_);
      if (inode == nullptr) return Entry{.name = {}, .node = {std::to_string(root_)}, .attributes = {}};
      return entry({}, *inode);
    });
  }

  Result<std::optional<Entry>> lookup(const OpContext& op, const Node& dir, std::string_view name) override {
    HOMEPORT_CHECK(check_component(name));
    return look(op, dir, [&](const Inode& inode) -> Result<std::optional<Entry>> {
      if (inode.type != EntryType::directory) return not_a("directory");
      const Inode* found = volume_->child(inode, name);
      if (found == nullptr) return std::optional<Entry>{};
      return std::optional<Entry>(entry(std::string(name), *found));
    });
  }
  Result<EntryAttributes> stat(const OpContext& op, const Node& node) override {
    return look(op, node, [&](const Inode& inode) -> Result<EntryAttributes> { return volume_->attributes(inode); });
  }
  std::vector<Result<ListPage>> list(const OpContext& op, std::span<const ListRequest> requests) override {
    std::vector<Result<ListPage>> out;
    out.reserve(requests.size());
    for (const auto& request : requests) out.push_back(list_one(op, request));
    return out;
  }
  Result<std::size_t> read(const OpContext& op, const Node& file, std::uint64_t offset,
                           std::span<std::byte> into) override {
    return look(op, file, [&](const Inode& inode) { return volume_->read(inode.id, offset, into); });
  }
  Result<std::string> read_link(const OpContext& op, const Node& link) override {
    return look(op, link, [&](const Inode& inode) -> Result<std::string> {
      if (inode.type != EntryType::symlink) return not_a("symlink");
      return inode.target;
    });
  }

  Result<Entry> make_directory(const OpContext& op, const Node& dir, std::string_view name,
                               const AttributeChange& attributes) override {
    return make(op, "MKDIR", dir, name, Inode{.type = EntryType::directory, .mode = attributes.mode.value_or(0755)},
                attributes);
  }
  Result<Entry> make_file(const OpContext& op, const Node& dir, std::string_view name,
                          const AttributeChange& attributes) override {
    return make(op, "CREATE", dir, name, Inode{.type = EntryType::file, .mode = attributes.mode.value_or(0644)},
                attributes);
  }
  Result<Entry> make_link(const OpContext& op, const Node& dir, std::string_view name, std::string_view target,
                          Owner owner) override {
    return make(op, "SYMLINK", dir, name,
                Inode{.type = EntryType::symlink, .mode = 0777, .target = std::string(target)}, {.owner = owner});
  }
  Result<void> link(const OpContext& op, const Node& file, const Node& dir, std::string_view name) override {
    HOMEPORT_CHECK(check_component(name));
    const auto target = number_of(file);
    if (!target) return stale();
    return change<void>(op, "LINK", printable(name) + " to #" + file.handle, dir,
                        [&](std::uint64_t id, World&) { return volume_->link(id, name, *target, clock_.now()); });
  }
  Result<void> write(const OpContext& op, const Node& file, std::uint64_t offset,
                     std::span<const std::byte> data) override {
    return change<void>(op, "WRITE", std::to_string(data.size()) + " bytes", file,
                        [&](std::uint64_t id, World&) { return volume_->write(id, offset, data, clock_.now()); });
  }
  Result<void> set_attributes(const OpContext& op, const Node& node, const AttributeChange& wanted) override {
    return change<void>(op, "SETATTR", {}, node, [&](std::uint64_t id, World&) { return apply(id, wanted); });
  }
  Result<void> rename(const OpContext& op, const Node& from_dir, std::string_view from, const Node& to_dir,
                      std::string_view to) override {
    HOMEPORT_CHECK(check_component(from));
    HOMEPORT_CHECK(check_component(to));
    const auto target = number_of(to_dir);
    if (!target) return stale();
    return change<void>(op, "RENAME", printable(from) + " " + printable(to), from_dir,
                        [&](std::uint64_t id, World&) { return volume_->rename(id, from, *target, to, clock_.now()); });
  }
  std::vector<Result<void>> remove(const OpContext& op, std::span<const Removal> removals) override {
    std::vector<Result<void>> out;
    out.reserve(removals.size());
    for (const auto& removal : removals) out.push_back(remove_one(op, removal));
    return out;
  }

 private:
  static Error not_a(std::string_view wanted) {
    return Error{.code = Errc::failed_precondition, .message = "entry is not a " + std::string(wanted)};
  }
  static Error stale() {
    return Error{
        .code = Errc::not_found, .message = "the handle names nothing in this tree", .hint = "look it up again"};
  }
  [[nodiscard]] Entry entry(std::string name, const Inode& inode) const {
    return Entry{.name = std::move(name), .node = {std::to_string(inode.id)}, .attributes = volume_->attributes(inode)};
  }

  template <class Fn>
  std::invoke_result_t<Fn&, const Inode&> look(const OpContext& op, const Node& node, Fn fn) {
    HOMEPORT_CHECK(still_wanted(op, clock_, "reading in " + path_));
    return world_->with([&](std::unique_ptr<World>&) -> std::invoke_result_t<Fn&, const Inode&> {
      const auto id = number_of(node);
      const Inode* inode = id ? std::as_const(*volume_).find(*id) : nullptr;
      if (inode == nullptr) return stale();
      return fn(*inode);
    });
  }

  Result<void> may_change(const OpContext& op) const {
    HOMEPORT_CHECK(still_wanted(op, clock_, "changing " + path_));
    if (mode_ == TreeMode::writable) return {};
    return Error{.code = Errc::failed_precondition,
                 .message = path_ + " is open for reading only",
                 .hint = "snapshots and previews are never written"};
  }
  static void record(const OpContext& op, std::string line) {
    if (op.calls != nullptr) op.calls->add(std::move(line));
  }

  template <class T, class Fn>
  Result<T> change(const OpContext& op, std::string_view verb, const std::string& what, const Node& node, Fn fn) {
    HOMEPORT_CHECK(may_change(op));
    const auto id = number_of(node);
    if (!id) return stale();
    record(op, std::string(verb) + " " + path_ + "#" + node.handle + (what.empty() ? "" : " " + what));
    if constexpr (std::is_void_v<T>) {
      if (op.dry_run) return {};
    }
    return world_->with([&](std::unique_ptr<World>& world) { return fn(*id, *world); });
  }

  Result<Entry> make(const OpContext& op, std::string_view verb, const Node& dir, std::string_view name, Inode inode,
                     const AttributeChange& attributes) {
    HOMEPORT_CHECK(check_component(name));
    if (attributes.owner) inode.owner = *attributes.owner;
    return change<Entry>(op, verb, printable(name), dir, [&](std::uint64_t parent, World& world) -> Result<Entry> {
      if (op.dry_run)
        return Entry{.name = std::string(name), .node = {"dry-run"}, .attributes = volume_->attributes(inode)};
      HOMEPORT_TRY(const auto id, volume_->add(world.ids, parent, name, std::move(inode), clock_.now()));
      HOMEPORT_CHECK(apply(id, {.size = attributes.size, .modified = attributes.modified}));
      return entry(std::string(name), *volume_->find(id));
    });
  }

  Result<void> apply(std::uint64_t id, const AttributeChange& wanted) {
    Inode* inode = volume_->find(id);
    if (inode == nullptr) return stale();
    if (wanted.size) HOMEPORT_CHECK(volume_->truncate(id, *wanted.size, clock_.now()));
    if (wanted.owner) inode->owner = *wanted.owner;
    if (wanted.mode) inode->mode = *wanted.mode & 07777U;
    if (wanted.modified) inode->modified = *wanted.modified;
    inode->changed = clock_.now();
    return {};
  }

  Result<void> remove_one(const OpContext& op, const Removal& removal) {
    HOMEPORT_CHECK(check_component(removal.name));
    return change<void>(op, removal.is_directory ? "RMDIR" : "REMOVE", printable(removal.name), removal.directory,
                        [&](std::uint64_t id, World&) {
                          return volume_->remove(id, removal.name, removal.is_directory, clock_.now());
                        });
  }

  Result<ListPage> list_one(const OpContext& op, const ListRequest& request) {
    if (request.from && !request.from->starts_with(kCursor)) {
      return Error{.code = Errc::invalid_argument,
                   .message = "cursor '" + printable(*request.from, 40) + "' is not one of a listing"};
    }
    HOMEPORT_CHECK(still_wanted(op, clock_, "listing in " + path_));
    return world_->with([&](std::unique_ptr<World>& world) -> Result<ListPage> {
      const auto id = number_of(request.directory);
      const Inode* inode = id ? volume_->find(*id) : nullptr;
      if (inode == nullptr) return stale();
      if (inode->type != EntryType::directory) return not_a("directory");
      ListPage page;
      auto at =
          request.from ? inode->children.upper_bound(request.from->substr(kCursor.size())) : inode->children.begin();
      for (; at != inode->children.end(); ++at) {
        if (page.entries.size() == world->config.list_page) {
          page.next = std::string(kCursor) + page.entries.back().name;
          break;
        }
        page.entries.push_back(entry(at->first, *volume_->find(at->second)));
      }
      return page;
    });
  }

  SharedWorld world_;
  const Clock& clock_;
  std::shared_ptr<Volume> volume_;
  std::uint64_t root_;
  TreeMode mode_;
  std::string path_;
};

// The live objects of a pool below one root: a copy, so only for looking.
std::shared_ptr<Volume> panorama(World& world, const StoredPool& pool, WallTime now) {
  auto all = std::make_shared<Volume>(world.ids, nullptr, Owner{Uid{0}, Gid{0}}, 0755, now);
  for (const auto& [name, object] : pool.objects) {
    if (object.state == ObjectState::live) all->graft(name, *object.volume);
  }
  return all;
}

struct Opened {
  std::shared_ptr<Volume> volume;
  std::uint64_t root = 0;
  TreeMode mode = TreeMode::read_only;
  std::string path;
};

Result<Opened> open_object(World& world, const ObjectRef& ref, const MountView& view) {
  HOMEPORT_TRY(const auto named, world.resolve(ref, World::Proof::identity));
  const std::string path = World::path_of(ref.pool, ref.name);
  if (named.object == nullptr && !named.place) return not_what_stands(ref, "it is the pool itself");
  const auto live = named.object != nullptr ? named.object->volume : named.place->exported->volume;
  const auto root = named.object != nullptr ? live->root() : named.place->inode;
  if (!view.snapshot) {
    const bool writable = named.object != nullptr || !named.place->exported->config.read_only;
    return Opened{live, root, writable ? TreeMode::writable : TreeMode::read_only, path};
  }
  HOMEPORT_TRY(const auto frozen, world.snapshot_volume(named, *view.snapshot));
  if (frozen->find(root) == nullptr) return not_what_stands(ref, "the snapshot is older than it");
  // Trees take a volume that could change; this one is opened for reading only, and the snapshot's own is shared.
  return Opened{std::const_pointer_cast<Volume>(frozen), root, TreeMode::read_only, path + "@" + *view.snapshot};
}

Result<Opened> open_anywhere(World& world, const std::string& path, WallTime now) {
  if (const auto place = world.place_at(path))
    return Opened{place->exported->volume, place->inode, TreeMode::read_only, path};
  for (const auto& [name, pool] : world.pools) {
    const std::string base = World::path_of(name, ".");
    if (path != base && !path.starts_with(base + "/")) continue;
    auto all = panorama(world, pool, now);
    const Inode* inode = all->walk(std::string_view(path).substr(base.size()));
    if (inode != nullptr && inode->type == EntryType::directory)
      return Opened{all, inode->id, TreeMode::read_only, path};
  }
  return Error{.code = Errc::not_found,
               .message = "there is no directory " + printable(path) + " at or below an export",
               .hint = "list what the backend exports"};
}

Result<ExportDiscovery::Inspection> inspect_in(World& world, const std::string& path) {
  if (const auto place = world.place_at(path)) {
    const StoredExport& stored = *place->exported;
    const Inode& inode = *stored.volume->find(place->inode);
    return ExportDiscovery::Inspection{.export_path = stored.config.path,
                                       .id = std::to_string(inode.id),
                                       .owner = inode.owner,
                                       .mode = inode.mode,
                                       .read_only_for_us = stored.config.read_only,
                                       .filesystem_used = Bytes(stored.volume->used()),
                                       .clients = stored.config.clients,
                                       .clients_known = true};
  }
  for (const auto& [name, pool] : world.pools) {
    if (path != World::path_of(name, ".")) continue;
    return ExportDiscovery::Inspection{.export_path = path,
                                       .id = pool.id,
                                       .mode = 0755,
                                       .filesystem_used = Bytes(pool.room->used),
                                       .clients_known = true};
  }
  return Error{.code = Errc::not_found,
               .message = "there is no directory " + printable(path) + " at or below an export",
               .hint = "list what the backend exports"};
}

}  // namespace

std::unique_ptr<Tree> make_tree(SharedWorld world, const Clock& clock, std::shared_ptr<Volume> volume,
                                std::uint64_t root, TreeMode mode, std::string path) {
  return std::make_unique<MemoryTree>(std::move(world), clock, std::move(volume), root, mode, std::move(path));
}

}  // namespace memory

using memory::World;

Result<std::unique_ptr<Tree>> MemoryDriver::open_tree(const OpContext& op, const ObjectRef& ref,
                                                      const MountView& view) {
  HOMEPORT_CHECK(still_wanted(op, clock_, "opening " + ref.name));
  HOMEPORT_TRY(auto opened,
               world_->with([&](std::unique_ptr<World>& w) { return memory::open_object(*w, ref, view); }));
  return memory::make_tree(world_, clock_, opened.volume, opened.root, opened.mode, opened.path);
}

Result<std::unique_ptr<Tree>> MemoryDriver::open_path(const OpContext& op, const AbsolutePath& path) {
  HOMEPORT_CHECK(still_wanted(op, clock_, "opening " + path.str()));
  HOMEPORT_TRY(auto opened, world_->with([&](std::unique_ptr<World>& w) {
    return memory::open_anywhere(*w, path.str(), clock_.now());
  }));
  return memory::make_tree(world_, clock_, opened.volume, opened.root, opened.mode, opened.path);
}

std::vector<PoolPlace> MemoryDriver::pool_places() const {
  return world_->with([](const std::unique_ptr<World>& world) {
    std::vector<PoolPlace> out;
    for (const auto& [name, pool] : world->pools) {
      const auto path = AbsolutePath::parse(World::path_of(name, "."));
      if (pool.config.layout != Layout::directory || !path) continue;
      out.push_back({.pool = name, .top = *path, .directory = *path, .administrative = ".homeport"});
    }
    return out;
  });
}

Result<std::vector<Export>> MemoryDriver::exports(const OpContext& op) {
  HOMEPORT_CHECK(still_wanted(op, clock_, "listing exports"));
  return world_->with([](std::unique_ptr<World>& world) -> Result<std::vector<Export>> {
    std::vector<Export> out;
    for (const auto& [path, stored] : world->exports) out.push_back({.path = path, .clients = stored.config.clients});
    for (const auto& [name, pool] : world->pools) out.push_back({.path = World::path_of(name, ".")});
    return out;
  });
}

Result<ExportDiscovery::Inspection> MemoryDriver::inspect(const OpContext& op, const AbsolutePath& path) {
  HOMEPORT_CHECK(still_wanted(op, clock_, "inspecting " + path.str()));
  return world_->with([&](std::unique_ptr<World>& world) { return memory::inspect_in(*world, path.str()); });
}

}  // namespace homeport::drivers
