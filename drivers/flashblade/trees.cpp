#include "drivers/flashblade/trees.h"

#include "drivers/flashblade/snapshots.h"

namespace homeport::drivers::flashblade {
namespace {

constexpr const char* kSnapshots = ".snapshot";

enum class Writes { allowed, refused };

// A directory of a mounted file system as a root of its own. Every directory of an array has .snapshot in it, usually
// hidden: it is no content of the space, and whoever copies or removes a tree must not meet it.
class ArrayTree final : public Tree, public ManyLookups {
 public:
  ArrayTree(std::unique_ptr<Tree> whole, Entry root, std::string path, Writes writes)
      : whole_(std::move(whole)), root_(std::move(root)), path_(std::move(path)), writes_(writes) {
    root_.name.clear();
  }
  [[nodiscard]] Entry root() const override { return root_; }
  Result<std::optional<Entry>> lookup(const OpContext& op, const Node& dir, std::string_view name) override {
    if (name == kSnapshots) return std::optional<Entry>{};
    return whole_->lookup(op, dir, name);
  }
  std::vector<Result<std::optional<Entry>>> lookup_all(const OpContext& op,
                                                       std::span<const ManyLookups::Request> requests) override {
    auto found = drivers::lookup_all(op, *whole_, requests);
    for (std::size_t i = 0; i < found.size(); ++i) {
      if (requests[i].name == kSnapshots) found[i] = std::optional<Entry>{};
    }
    return found;
  }
  Result<EntryAttributes> stat(const OpContext& op, const Node& node) override { return whole_->stat(op, node); }
  std::vector<Result<ListPage>> list(const OpContext& op, std::span<const ListRequest> requests) override {
    auto pages = whole_->list(op, requests);
    for (auto& page : pages) {
      if (!page) continue;
      std::erase_if(page->entries, [](const Entry& entry) { return entry.name == kSnapshots; });
      std::erase_if(page->unseen, [](const ListPage::Unseen& entry) { return entry.name == kSnapshots; });
    }
    return pages;
  }
  Result<std::size_t> read(const OpContext& op, const Node& file, std::uint64_t offset,
                           std::span<std::byte> into) override {
    return whole_->read(op, file, offset, into);
  }
  Result<std::string> read_link(const OpContext& op, const Node& link) override { return whole_->read_link(op, link); }
  Result<Entry> make_directory(const OpContext& op, const Node& dir, std::string_view name,
                               const AttributeChange& attributes) override {
    HOMEPORT_CHECK(may_write());
    return whole_->make_directory(op, dir, name, attributes);
  }
  Result<Entry> make_file(const OpContext& op, const Node& dir, std::string_view name,
                          const AttributeChange& attributes) override {
    HOMEPORT_CHECK(may_write());
    return whole_->make_file(op, dir, name, attributes);
  }
  Result<Entry> make_link(const OpContext& op, const Node& dir, std::string_view name, std::string_view target,
                          Owner owner) override {
    HOMEPORT_CHECK(may_write());
    return whole_->make_link(op, dir, name, target, owner);
  }
  Result<void> link(const OpContext& op, const Node& file, const Node& dir, std::string_view name) override {
    HOMEPORT_CHECK(may_write());
    return whole_->link(op, file, dir, name);
  }
  Result<void> write(const OpContext& op, const Node& file, std::uint64_t offset,
                     std::span<const std::byte> data) override {
    HOMEPORT_CHECK(may_write());
    return whole_->write(op, file, offset, data);
  }
  Result<void> set_attributes(const OpContext& op, const Node& node, const AttributeChange& change) override {
    HOMEPORT_CHECK(may_write());
    return whole_->set_attributes(op, node, change);
  }
  Result<void> rename(const OpContext& op, const Node& from_dir, std::string_view from, const Node& to_dir,
                      std::string_view to) override {
    HOMEPORT_CHECK(may_write());
    return whole_->rename(op, from_dir, from, to_dir, to);
  }
  std::vector<Result<void>> remove(const OpContext& op, std::span<const Removal> removals) override {
    if (auto allowed = may_write(); !allowed) return {removals.size(), allowed};
    return whole_->remove(op, removals);
  }

 private:
  [[nodiscard]] Result<void> may_write() const {
    if (writes_ == Writes::allowed) return {};
    return Error{.code = Errc::failed_precondition, .message = path_ + " was opened for reading only"};
  }
  const std::unique_ptr<Tree> whole_;
  Entry root_;
  const std::string path_;
  const Writes writes_;
};

Error not_there(const std::string& path) {
  return Error{.code = Errc::not_found, .message = "there is no directory " + path + " on the array"};
}

Result<Entry> snapshots_of(const OpContext& op, Tree& tree, const FileSystem& fs) {
  HOMEPORT_TRY(auto dir, tree.lookup(op, tree.root().node, kSnapshots));
  if (dir) return *std::move(dir);
  auto error = not_there(Backend::path_of(fs.name) + "/" + kSnapshots);
  error.hint = "snapshot_directory_enabled of the file system must be on";
  return error;
}

// The snapshot's directory in a mounted file system.
Result<Entry> find_snapshot(const OpContext& op, Tree& tree, const FileSystem& fs, const std::string& suffix) {
  HOMEPORT_TRY(const auto dir, snapshots_of(op, tree, fs));
  for (const auto& name : {suffix, fs.name + "." + suffix}) {
    HOMEPORT_TRY(auto found, tree.lookup(op, dir.node, name));
    if (!found) continue;
    found->name = name;
    return *std::move(found);
  }
  ListRequest request{.directory = dir.node};
  do {
    auto pages = tree.list(op, std::span(&request, 1));
    if (!pages.front()) return std::move(pages.front()).error();
    for (auto& entry : pages.front()->entries) {
      if (entry.name.ends_with("." + suffix)) return std::move(entry);
    }
    request.from = pages.front()->next;
  } while (request.from);
  return not_there(Backend::path_of(fs.name) + "/" + kSnapshots + "/" + printable(suffix, 80));
}

Result<FileSystem> exported(const OpContext& op, Backend& backend, const ObjectRef& ref) {
  HOMEPORT_CHECK(backend.pool(ref.layout, ref.pool));
  HOMEPORT_CHECK(backend.ready(op));
  HOMEPORT_TRY(auto standing, verify(op, backend, ref, MarkerRule::may_be_missing));
  if (!standing) return gone(ref);
  if (!standing->fs.destroyed) return std::move(standing->fs);
  return Error{.code = Errc::failed_precondition,
               .message = "file system " + ref.name + " is destroyed, and nobody can look into it",
               .hint = "undelete it first"};
}

}  // namespace

Result<std::unique_ptr<Tree>> open_space_tree(const OpContext& op, Backend& backend, const ObjectRef& ref,
                                              const MountView& view) {
  HOMEPORT_TRY(const auto fs, exported(op, backend, ref));
  HOMEPORT_TRY(auto tree, backend.mount(op, fs, false));
  if (!view.snapshot) {
    auto root = tree->root();
    return std::unique_ptr<Tree>(
        std::make_unique<ArrayTree>(std::move(tree), std::move(root), ref.name, Writes::allowed));
  }
  HOMEPORT_TRY(const auto stands, standing_snapshot(op, backend, fs, *view.snapshot));
  if (!stands) return not_there(ref.name + "@" + printable(*view.snapshot, 80));
  HOMEPORT_TRY(auto root, find_snapshot(op, *tree, fs, *view.snapshot));
  return std::unique_ptr<Tree>(
      std::make_unique<ArrayTree>(std::move(tree), std::move(root), ref.name + "@" + *view.snapshot, Writes::refused));
}

Result<OpenedSnapshots> open_space_snapshots(const OpContext& op, Backend& backend, const ObjectRef& ref,
                                             std::span<const std::string> names) {
  HOMEPORT_TRY(const auto fs, exported(op, backend, ref));
  HOMEPORT_TRY(auto tree, backend.mount(op, fs, false));
  HOMEPORT_TRY(const auto dir, snapshots_of(op, *tree, fs));
  OpenedSnapshots out{.tree = nullptr, .roots = std::vector<std::optional<Entry>>(names.size())};
  for (const auto& before : {std::string(), fs.name + "."}) {
    std::vector<std::size_t> missing;
    std::vector<ManyLookups::Request> asked;
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (out.roots[i]) continue;
      missing.push_back(i);
      asked.push_back({.directory = dir.node, .name = before + names[i]});
    }
    auto found = drivers::lookup_all(op, *tree, asked);
    for (std::size_t i = 0; i < found.size(); ++i) {
      if (!found[i]) return std::move(found[i]).error();
      out.roots[missing[i]] = *std::move(found[i]);
    }
  }
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (out.roots[i]) continue;
    auto named = find_snapshot(op, *tree, fs, names[i]);
    if (named) {
      out.roots[i] = std::move(named).value();
    } else if (named.error().code != Errc::not_found) {
      return std::move(named).error();
    }
  }
  out.tree = std::make_unique<ArrayTree>(std::move(tree), dir, ref.name + "@", Writes::refused);
  return out;
}

Result<std::string> snapshot_directory(const OpContext& op, Backend& backend, const FileSystem& fs,
                                       const std::string& suffix) {
  HOMEPORT_TRY(const auto stands, standing_snapshot(op, backend, fs, suffix));
  if (!stands) return not_there(fs.name + "@" + printable(suffix, 80));
  HOMEPORT_TRY(const auto tree, backend.mount(op, fs, false));
  HOMEPORT_TRY(const auto found, find_snapshot(op, *tree, fs, suffix));
  return std::string(kSnapshots) + "/" + found.name;
}

}  // namespace homeport::drivers::flashblade
