// Reading a tree of this machine's files. How a node is found is the subclass's: by the names below the root
// (local_tree), or by the kernel's file handle (handle_tree). No step ever follows a link.
#pragma once

#include <memory>

#include "drivers/local/local_files.h"
#include "provisioner/base/descriptor.h"

namespace homeport::drivers::local {

using File = std::unique_ptr<Descriptor>;

class ReadingTree : public Tree {
 public:
  Result<std::optional<Entry>> lookup(const OpContext& op, const Node& dir, std::string_view name) override;
  Result<EntryAttributes> stat(const OpContext& op, const Node& node) override;
  // Pages end after kPage entries; a cursor is the kernel's own place in the directory.
  std::vector<Result<ListPage>> list(const OpContext& op, std::span<const ListRequest> requests) override;
  Result<std::size_t> read(const OpContext& op, const Node& file, std::uint64_t offset,
                           std::span<std::byte> into) override;
  Result<std::string> read_link(const OpContext& op, const Node& link) override;

 protected:
  static constexpr std::size_t kPage = 8192;

  // Opens the node itself with `flags`; O_NOFOLLOW and O_CLOEXEC are added.
  virtual Result<File> open_node(const Node& node, int flags) const = 0;
  // The node of an entry that stands as `name` in the opened directory `fd`, which is `dir`. Errors: not_found.
  virtual Result<Node> node_of(int fd, const Node& dir, const std::string& name) const = 0;
  // For messages.
  [[nodiscard]] virtual std::string shown(const Node& node) const = 0;
  // Before each call; for trees that keep to deadlines.
  virtual Result<void> wanted(const OpContext& op) const = 0;

  // Opens for reading; leaves the access time alone where the kernel lets us.
  Result<File> open_quietly(const Node& node, int flags) const;

 private:
  Result<ListPage> list_one(const ListRequest& request) const;

  // The file that was read last stays open: a file is read in pieces.
  std::string open_handle_{};
  File open_{};
};

}  // namespace homeport::drivers::local
