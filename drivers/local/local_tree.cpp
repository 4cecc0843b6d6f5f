#include "drivers/local/local_tree.h"

#include <fcntl.h>

#include <cerrno>

#include "drivers/local/reading_tree.h"

namespace homeport::drivers {
namespace {

using local::File;
using local::from_errno;

Error read_only() {
  return Error{.code = Errc::unsupported, .message = "what is copied from is never changed"};
}

class LocalTree final : public local::ReadingTree {
 public:
  LocalTree(int root, std::string path, const EntryAttributes& attributes)
      : root_(root), path_(std::move(path)), attributes_(attributes) {}

  [[nodiscard]] Entry root() const override { return {.name = {}, .node = {.handle = "/"}, .attributes = attributes_}; }

  Result<Entry> make_directory(const OpContext&, const Node&, std::string_view, const AttributeChange&) override {
    return read_only();
  }
  Result<Entry> make_file(const OpContext&, const Node&, std::string_view, const AttributeChange&) override {
    return read_only();
  }
  Result<Entry> make_link(const OpContext&, const Node&, std::string_view, std::string_view, Owner) override {
    return read_only();
  }
  Result<void> link(const OpContext&, const Node&, const Node&, std::string_view) override { return read_only(); }
  Result<void> write(const OpContext&, const Node&, std::uint64_t, std::span<const std::byte>) override {
    return read_only();
  }
  Result<void> set_attributes(const OpContext&, const Node&, const AttributeChange&) override { return read_only(); }
  Result<void> rename(const OpContext&, const Node&, std::string_view, const Node&, std::string_view) override {
    return read_only();
  }
  std::vector<Result<void>> remove(const OpContext&, std::span<const Removal> removals) override {
    return {removals.size(), Result<void>(read_only())};
  }

 private:
  [[nodiscard]] std::string shown(const Node& node) const override {
    return printable(node.handle == "/" ? path_ : (path_ == "/" ? "" : path_) + node.handle, 1100);
  }
  Result<Node> node_of(int /*fd*/, const Node& dir, const std::string& name) const override {
    return Node{.handle = (dir.handle == "/" ? "" : dir.handle) + "/" + name};
  }
  Result<void> wanted(const OpContext& /*op*/) const override { return {}; }
  Result<File> open_node(const Node& node, int flags) const override;

  Descriptor root_;
  std::string path_;
  EntryAttributes attributes_;
};

// From directory to directory, each step from the one above it.
Result<File> LocalTree::open_node(const Node& node, int flags) const {
  auto at = std::make_unique<Descriptor>(::openat(root_.get(), ".", O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (at->get() < 0) return from_errno(errno, path_);
  std::size_t from = 1;
  for (auto slash = node.handle.find('/', from); slash != std::string::npos; slash = node.handle.find('/', from)) {
    const auto name = node.handle.substr(from, slash - from);
    auto next =
        std::make_unique<Descriptor>(::openat(at->get(), name.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (next->get() < 0) return from_errno(errno, shown({.handle = node.handle.substr(0, slash)}));
    at = std::move(next);
    from = slash + 1;
  }
  const std::string name = node.handle == "/" ? "." : node.handle.substr(from);
  auto opened = std::make_unique<Descriptor>(::openat(at->get(), name.c_str(), flags | O_NOFOLLOW | O_CLOEXEC));
  if (opened->get() < 0) return from_errno(errno, shown(node));
  return opened;
}

}  // namespace

Result<std::unique_ptr<Tree>> open_local_tree(const AbsolutePath& path) {
  const int fd = ::open(path.str().c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) return from_errno(errno, path.str());
  struct stat status {};
  if (::fstat(fd, &status) != 0) {
    const int code = errno;
    ::close(fd);
    return from_errno(code, path.str());
  }
  return std::unique_ptr<Tree>(std::make_unique<LocalTree>(fd, path.str(), local::attributes_of(status)));
}

}  // namespace homeport::drivers
