// One directory tree of an export, by handles. Borrows a session for each call, so that an open tree holds no
// connection and outlives the loss of one; its calls may come from any thread.
#pragma once

#include "drivers/core/snapshot_trees.h"
#include "drivers/nfs/backend.h"

namespace homeport::drivers::nfs {

enum class TreeMode { read_only, read_write };

class NfsTree : public Tree, public ManyLookups {
 public:
  // `root` is a directory on `site`; `path` is what people call it.
  NfsTree(Backend& backend, Site& site, Entry root, std::string path, TreeMode mode)
      : backend_(backend), site_(site), root_(std::move(root)), path_(std::move(path)), mode_(mode) {
    root_.name.clear();
  }

  [[nodiscard]] Entry root() const override { return root_; }
  Result<std::optional<Entry>> lookup(const OpContext& op, const Node& dir, std::string_view name) override;
  std::vector<Result<std::optional<Entry>>> lookup_all(const OpContext& op,
                                                       std::span<const ManyLookups::Request> requests) override;
  Result<EntryAttributes> stat(const OpContext& op, const Node& node) override;
  std::vector<Result<ListPage>> list(const OpContext& op, std::span<const ListRequest> requests) override;
  Result<std::size_t> read(const OpContext& op, const Node& file, std::uint64_t offset,
                           std::span<std::byte> into) override;
  Result<std::string> read_link(const OpContext& op, const Node& link) override;
  Result<Entry> make_directory(const OpContext& op, const Node& dir, std::string_view name,
                               const AttributeChange& attributes) override;
  Result<Entry> make_file(const OpContext& op, const Node& dir, std::string_view name,
                          const AttributeChange& attributes) override;
  Result<Entry> make_link(const OpContext& op, const Node& dir, std::string_view name, std::string_view target,
                          Owner owner) override;
  Result<void> link(const OpContext& op, const Node& file, const Node& dir, std::string_view name) override;
  Result<void> write(const OpContext& op, const Node& file, std::uint64_t offset,
                     std::span<const std::byte> data) override;
  Result<void> set_attributes(const OpContext& op, const Node& node, const AttributeChange& change) override;
  Result<void> rename(const OpContext& op, const Node& from_dir, std::string_view from, const Node& to_dir,
                      std::string_view to) override;
  std::vector<Result<void>> remove(const OpContext& op, std::span<const Removal> removals) override;

 private:
  [[nodiscard]] Result<void> check_writable() const;
  // What people read of an entry that is known by handle: "/export/homes/hp-h-…/…/name".
  [[nodiscard]] Place place(const Node& dir, std::string_view name) const;

  Backend& backend_;
  Site& site_;
  Entry root_;
  std::string path_;
  TreeMode mode_;
};

// An object's live tree (or the one in the trash). Errors: failed_precondition when something else stands there.
Result<std::unique_ptr<Tree>> open_object_tree(const OpContext& op, Backend& backend, const ObjectRef& ref);
Result<std::unique_ptr<Tree>> open_path_tree(const OpContext& op, Backend& backend, const AbsolutePath& path,
                                             TreeMode mode = TreeMode::read_only);

}  // namespace homeport::drivers::nfs
