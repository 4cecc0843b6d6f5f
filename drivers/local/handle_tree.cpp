#include "drivers/local/handle_tree.h"

#include <fcntl.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "drivers/local/reading_tree.h"

namespace homeport::drivers {
namespace {

using local::check_component;
using local::File;
using local::from_errno;

constexpr const char* kPlanned = "planned";  // the node of what a dry run did not make

timespec timespec_of(WallTime at) {
  const auto since = at.time_since_epoch();
  const auto seconds = std::chrono::floor<std::chrono::seconds>(since);
  return {.tv_sec = static_cast<time_t>(seconds.count()),
          .tv_nsec = static_cast<long>(std::chrono::nanoseconds(since - seconds).count())};
}

class HandleTree final : public local::ReadingTree {
 public:
  HandleTree(File root, Entry entry, std::string path, TreeRights rights, const Clock& clock)
      : root_(std::move(root)), entry_(std::move(entry)), path_(std::move(path)), rights_(rights), clock_(clock) {}

  [[nodiscard]] Entry root() const override { return entry_; }
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

  static Result<Node> node_at(int fd, const std::string& name, int flags);

 private:
  Result<File> open_node(const Node& node, int flags) const override;
  Result<Node> node_of(int fd, const Node& /*dir*/, const std::string& name) const override {
    return node_at(fd, name, 0);
  }
  [[nodiscard]] std::string shown(const Node& node) const override;
  Result<void> wanted(const OpContext& op) const override { return still_wanted(op, clock_, "reading " + path_); }

  // Before every change. True: go on. False: a dry run, whose line was written.
  Result<bool> may_change(const OpContext& op, const std::string& line) const;
  // The directory, and that `name` is one component.
  Result<File> parent(const Node& dir, std::string_view name) const;
  Result<Entry> made(int fd, const Node& dir, std::string_view name) const;
  Result<void> apply(int fd, const std::string& what, const AttributeChange& change) const;
  Result<void> remove_one(const OpContext& op, const Removal& removal) const;
  static Entry planned(std::string_view name, EntryType type) {
    return {.name = std::string(name), .node = {.handle = kPlanned}, .attributes = {.type = type}};
  }

  File root_;
  Entry entry_;
  std::string path_;
  TreeRights rights_;
  const Clock& clock_;
};

// The handle's type, then its bytes.
Result<Node> HandleTree::node_at(int fd, const std::string& name, int flags) {
  alignas(file_handle) std::array<std::byte, sizeof(file_handle) + MAX_HANDLE_SZ> room{};
  auto* handle = reinterpret_cast<file_handle*>(room.data());
  handle->handle_bytes = MAX_HANDLE_SZ;
  int mount = 0;
  if (::name_to_handle_at(fd, name.c_str(), handle, &mount, flags) != 0) return from_errno(errno, printable(name));
  std::string out(sizeof handle->handle_type + handle->handle_bytes, '\0');
  std::memcpy(out.data(), &handle->handle_type, sizeof handle->handle_type);
  std::memcpy(out.data() + sizeof handle->handle_type, room.data() + offsetof(file_handle, f_handle),
              handle->handle_bytes);
  return Node{.handle = std::move(out)};
}

Result<File> HandleTree::open_node(const Node& node, int flags) const {
  alignas(file_handle) std::array<std::byte, sizeof(file_handle) + MAX_HANDLE_SZ> room{};
  auto* handle = reinterpret_cast<file_handle*>(room.data());
  constexpr std::size_t kType = sizeof handle->handle_type;
  if (node.handle.size() <= kType || node.handle.size() > kType + MAX_HANDLE_SZ) {
    return Error{.code = Errc::not_found, .message = "no file of " + path_ + " has such a handle"};
  }
  std::memcpy(&handle->handle_type, node.handle.data(), kType);
  handle->handle_bytes = static_cast<unsigned>(node.handle.size() - kType);
  std::memcpy(room.data() + offsetof(file_handle, f_handle), node.handle.data() + kType, handle->handle_bytes);
  auto file = std::make_unique<Descriptor>(::open_by_handle_at(root_->get(), handle, flags | O_NOFOLLOW | O_CLOEXEC));
  if (file->get() < 0) return from_errno(errno, "a file of " + path_);
  return file;
}

std::string HandleTree::shown(const Node& node) const {
  const auto file = open_node(node, O_PATH);
  std::array<char, 4096> target{};
  const auto n =
      file ? ::readlink(("/proc/self/fd/" + std::to_string((*file)->get())).c_str(), target.data(), target.size() - 1)
           : -1;
  return n > 0 ? printable(std::string_view(target.data(), static_cast<std::size_t>(n)), 1100) : path_ + "/…";
}

Result<bool> HandleTree::may_change(const OpContext& op, const std::string& line) const {
  HOMEPORT_CHECK(still_wanted(op, clock_, "changing " + path_));
  if (rights_ == TreeRights::read) {
    return Error{.code = Errc::failed_precondition, .message = path_ + " is open for reading only"};
  }
  if (op.calls != nullptr) op.calls->add(line);
  return !op.dry_run;
}

Result<File> HandleTree::parent(const Node& dir, std::string_view name) const {
  HOMEPORT_CHECK(check_component(name));
  return open_node(dir, O_PATH | O_DIRECTORY);
}

Result<Entry> HandleTree::made(int fd, const Node& dir, std::string_view name) const {
  const std::string text(name);
  struct stat status {};
  if (::fstatat(fd, text.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0)
    return from_errno(errno, shown(dir) + "/" + printable(name));
  HOMEPORT_TRY(auto node, node_at(fd, text, 0));
  return Entry{.name = text, .node = std::move(node), .attributes = local::attributes_of(status)};
}

// Owner before mode: chown(2) clears the set-id bits.
Result<void> HandleTree::apply(int fd, const std::string& what, const AttributeChange& change) const {
  if (change.size && ::ftruncate(fd, static_cast<off_t>(*change.size)) != 0) return from_errno(errno, what);
  if (change.owner && ::fchown(fd, change.owner->uid.value, change.owner->gid.value) != 0)
    return from_errno(errno, what);
  if (change.mode && ::fchmod(fd, *change.mode & 07777U) != 0) return from_errno(errno, what);
  if (change.modified) {
    const std::array<timespec, 2> times{timespec{.tv_sec = 0, .tv_nsec = UTIME_OMIT}, timespec_of(*change.modified)};
    if (::futimens(fd, times.data()) != 0) return from_errno(errno, what);
  }
  return {};
}

Result<Entry> HandleTree::make_directory(const OpContext& op, const Node& dir, std::string_view name,
                                         const AttributeChange& attributes) {
  HOMEPORT_TRY(const auto above, parent(dir, name));
  const std::string path = shown(dir) + "/" + printable(name);
  const std::string text(name);
  HOMEPORT_TRY(const bool go, may_change(op, "MKDIR " + path));
  if (!go) return planned(name, EntryType::directory);
  if (::mkdirat(above->get(), text.c_str(), attributes.owner ? 0700 : attributes.mode.value_or(0755) & 07777U) != 0)
    return from_errno(errno, path);
  const Descriptor fd(::openat(above->get(), text.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (fd.get() < 0) return from_errno(errno, path);
  HOMEPORT_CHECK(apply(fd.get(), path, attributes));
  return made(above->get(), dir, name);
}

Result<Entry> HandleTree::make_file(const OpContext& op, const Node& dir, std::string_view name,
                                    const AttributeChange& attributes) {
  HOMEPORT_TRY(const auto above, parent(dir, name));
  const std::string path = shown(dir) + "/" + printable(name);
  const std::string text(name);
  HOMEPORT_TRY(const bool go, may_change(op, "CREATE " + path));
  if (!go) return planned(name, EntryType::file);
  const Descriptor fd(::openat(above->get(), text.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                               attributes.owner ? 0600 : attributes.mode.value_or(0644) & 07777U));
  if (fd.get() < 0) return from_errno(errno, path);
  HOMEPORT_CHECK(apply(fd.get(), path, attributes));
  return made(above->get(), dir, name);
}

Result<Entry> HandleTree::make_link(const OpContext& op, const Node& dir, std::string_view name,
                                    std::string_view target, Owner owner) {
  HOMEPORT_TRY(const auto above, parent(dir, name));
  const std::string path = shown(dir) + "/" + printable(name);
  const std::string text(name);
  if (target.empty() || target.find('\0') != std::string_view::npos) {
    return Error{.code = Errc::invalid_argument, .message = path + ": a link needs a target without NUL"};
  }
  HOMEPORT_TRY(const bool go, may_change(op, "SYMLINK " + path));
  if (!go) return planned(name, EntryType::symlink);
  if (::symlinkat(std::string(target).c_str(), above->get(), text.c_str()) != 0) return from_errno(errno, path);
  if (::fchownat(above->get(), text.c_str(), owner.uid.value, owner.gid.value, AT_SYMLINK_NOFOLLOW) != 0)
    return from_errno(errno, path);
  return made(above->get(), dir, name);
}

Result<void> HandleTree::link(const OpContext& op, const Node& file, const Node& dir, std::string_view name) {
  HOMEPORT_TRY(const auto above, parent(dir, name));
  HOMEPORT_TRY(const auto opened, open_node(file, O_PATH));
  const std::string path = shown(dir) + "/" + printable(name);
  HOMEPORT_TRY(const bool go, may_change(op, "LINK " + path + " to " + shown(file)));
  if (!go) return {};
  if (::linkat(opened->get(), "", above->get(), std::string(name).c_str(), AT_EMPTY_PATH) != 0)
    return from_errno(errno, path);
  return {};
}

Result<void> HandleTree::write(const OpContext& op, const Node& file, std::uint64_t offset,
                               std::span<const std::byte> data) {
  const std::string path = shown(file);
  HOMEPORT_TRY(const bool go, may_change(op, "WRITE " + path + " " + std::to_string(data.size()) + " bytes at " +
                                                 std::to_string(offset)));
  if (!go) return {};
  HOMEPORT_TRY(const auto opened, open_node(file, O_WRONLY | O_NONBLOCK));
  std::size_t put = 0;
  while (put < data.size()) {
    const auto n = ::pwrite(opened->get(), data.data() + put, data.size() - put, static_cast<off_t>(offset + put));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return from_errno(errno, path);
    put += static_cast<std::size_t>(n);
  }
  if (::fdatasync(opened->get()) != 0) return from_errno(errno, path);
  return {};
}

Result<void> HandleTree::set_attributes(const OpContext& op, const Node& node, const AttributeChange& change) {
  const std::string path = shown(node);
  HOMEPORT_TRY(const bool go, may_change(op, "SETATTR " + path));
  if (!go) return {};
  struct stat status {};
  HOMEPORT_TRY(const auto looked, open_node(node, O_PATH));
  if (::fstat(looked->get(), &status) != 0) return from_errno(errno, path);
  if (!S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode)) {
    if (change.mode || change.size || change.modified) {
      return Error{.code = Errc::failed_precondition,
                   .message = path + " is a link or a device: only its owner can be set"};
    }
    if (change.owner && ::fchownat(looked->get(), "", change.owner->uid.value, change.owner->gid.value,
                                   AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) != 0)
      return from_errno(errno, path);
    return {};
  }
  HOMEPORT_TRY(const auto opened, open_node(node, (change.size ? O_WRONLY : O_RDONLY) | O_NONBLOCK));
  return apply(opened->get(), path, change);
}

Result<void> HandleTree::rename(const OpContext& op, const Node& from_dir, std::string_view from, const Node& to_dir,
                                std::string_view to) {
  HOMEPORT_TRY(const auto source, parent(from_dir, from));
  HOMEPORT_TRY(const auto target, parent(to_dir, to));
  const std::string path = shown(from_dir) + "/" + printable(from);
  HOMEPORT_TRY(const bool go, may_change(op, "RENAME " + path + " " + shown(to_dir) + "/" + printable(to)));
  if (!go) return {};
  if (::renameat(source->get(), std::string(from).c_str(), target->get(), std::string(to).c_str()) != 0)
    return from_errno(errno, path);
  return {};
}

Result<void> HandleTree::remove_one(const OpContext& op, const Removal& removal) const {
  HOMEPORT_TRY(const auto above, parent(removal.directory, removal.name));
  const std::string path = shown(removal.directory) + "/" + printable(removal.name);
  HOMEPORT_TRY(const bool go, may_change(op, (removal.is_directory ? "RMDIR " : "REMOVE ") + path));
  if (!go) return {};
  if (::unlinkat(above->get(), removal.name.c_str(), removal.is_directory ? AT_REMOVEDIR : 0) != 0) {
    const int code = errno;
    if (code == ENOENT) return {};
    return from_errno(code, path);
  }
  return {};
}

std::vector<Result<void>> HandleTree::remove(const OpContext& op, std::span<const Removal> removals) {
  std::vector<Result<void>> out;
  out.reserve(removals.size());
  for (const auto& removal : removals) out.push_back(remove_one(op, removal));
  return out;
}

}  // namespace

Result<std::unique_ptr<Tree>> open_handle_tree(std::unique_ptr<Descriptor> root, const std::string& shown,
                                               TreeRights rights, const Clock& clock) {
  struct stat status {};
  if (::fstat(root->get(), &status) != 0) return from_errno(errno, shown);
  if (!S_ISDIR(status.st_mode)) return from_errno(ENOTDIR, shown);
  HOMEPORT_TRY(auto node, HandleTree::node_at(root->get(), "", AT_EMPTY_PATH));
  Entry entry{.name = {}, .node = std::move(node), .attributes = local::attributes_of(status)};
  return std::unique_ptr<Tree>(std::make_unique<HandleTree>(std::move(root), std::move(entry), shown, rights, clock));
}

}  // namespace homeport::drivers
