#include "drivers/flashblade/trees.h"

#include "drivers/flashblade/snapshots.h"

namespace homeport::drivers::flashblade {
namespace {

constexpr const char* kSnapshots = ".snapshot";

// A directory of a mounted file system as a root of its own, for reading.
class FrozenTree final : public Tree {
 public:
  FrozenTree(std::unique_ptr<Tree> whole, Entry root, std::string path)
      : whole_(std::move(whole)), root_(std::move(root)), path_(std::move(path)) {
    root_.name.clear();
  }
  [[nodiscard]] Entry root() const override { return root_; }
  Result<std::optional<Entry>> lookup(const OpContext& op, const Node& dir, std::string_view name) override {
    return whole_->lookup(op, dir, name);
  }
  Result<EntryAttributes> stat(const OpContext& op, const Node& node) override { return whole_->stat(op, node); }
  std::vector<Result<ListPage>> list(const OpContext& op, std::span<const ListRequest> requests) override {
    return whole_->list(op, requests);
  }
  Result<std::size_t> read(const OpContext& op, const Node& file, std::uint64_t offset,
                           std::span<std::byte> into) override {
    return whole_->read(op, file, offset, into);
  }
  Result<std::string> read_link(const OpContext& op, const Node& link) override { return whole_->read_link(op, link); }
  Result<Entry> make_directory(const OpContext&, const Node&, std::string_view, const AttributeChange&) override {
    return refused();
  }
  Result<Entry> make_file(const OpContext&, const Node&, std::string_view, const AttributeChange&) override {
    return refused();
  }
  Result<Entry> make_link(const OpContext&, const Node&, std::string_view, std::string_view, Owner) override {
    return refused();
  }
  Result<void> write(const OpContext&, const Node&, std::uint64_t, std::span<const std::byte>) override {
    return refused();
  }
  Result<void> set_attributes(const OpContext&, const Node&, const AttributeChange&) override { return refused(); }
  Result<void> rename(const OpContext&, const Node&, std::string_view, const Node&, std::string_view) override {
    return refused();
  }
  std::vector<Result<void>> remove(const OpContext&, std::span<const Removal> removals) override {
    std::vector<Result<void>> out;
    for (std::size_t i = 0; i < removals.size(); ++i) out.emplace_back(refused());
    return out;
  }

 private:
  [[nodiscard]] Error refused() const {
    return Error{.code = Errc::failed_precondition, .message = path_ + " was opened for reading only"};
  }
  const std::unique_ptr<Tree> whole_;
  Entry root_;
  const std::string path_;
};

Error not_there(const std::string& path) {
  return Error{.code = Errc::not_found, .message = "there is no directory " + path + " on the array"};
}

// The snapshot's directory in a mounted file system.
Result<Entry> find_snapshot(const OpContext& op, Tree& tree, const FileSystem& fs, const std::string& suffix) {
  const std::string path = Backend::path_of(fs.name) + "/" + kSnapshots;
  HOMEPORT_TRY(const auto dir, tree.lookup(op, tree.root().node, kSnapshots));
  if (!dir) {
    auto error = not_there(path);
    error.hint = "snapshot_directory_enabled of the file system must be on";
    return error;
  }
  for (const auto& name : {suffix, fs.name + "." + suffix}) {
    HOMEPORT_TRY(auto found, tree.lookup(op, dir->node, name));
    if (!found) continue;
    found->name = name;
    return *std::move(found);
  }
  ListRequest request{.directory = dir->node};
  do {
    auto pages = tree.list(op, std::span(&request, 1));
    if (!pages.front()) return std::move(pages.front()).error();
    for (auto& entry : pages.front()->entries) {
      if (entry.name.ends_with("." + suffix)) return std::move(entry);
    }
    request.from = pages.front()->next;
  } while (request.from);
  return not_there(path + "/" + printable(suffix, 80));
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
  if (!view.snapshot) return tree;
  HOMEPORT_TRY(const auto stands, standing_snapshot(op, backend, fs, *view.snapshot));
  if (!stands) return not_there(ref.name + "@" + printable(*view.snapshot, 80));
  HOMEPORT_TRY(auto root, find_snapshot(op, *tree, fs, *view.snapshot));
  return std::unique_ptr<Tree>(
      std::make_unique<FrozenTree>(std::move(tree), std::move(root), ref.name + "@" + *view.snapshot));
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
