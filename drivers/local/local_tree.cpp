#include "drivers/local/local_tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <system_error>

#include "provisioner/base/descriptor.h"

namespace homeport::drivers {
namespace {

// The one place where errno becomes an error.
Error from_errno(int code, const std::string& what) {
  Errc kind = Errc::unavailable;
  if (code == ENOENT || code == ESTALE) kind = Errc::not_found;
  if (code == EACCES || code == EPERM) kind = Errc::permission_denied;
  if (code == ELOOP || code == ENOTDIR || code == ENXIO) kind = Errc::failed_precondition;
  Error error{.code = kind, .message = what + ": " + std::generic_category().message(code)};
  const bool ours = code == EMFILE || code == ENFILE || code == ENOMEM;  // says nothing about the file
  if (!ours) error.upstream = Upstream{.system = "local", .status = code};
  if (code == ELOOP || code == ENOTDIR) error.hint = "links are not followed: name the directory itself";
  if (kind == Errc::permission_denied) error.hint = "run it as root, who may read everybody's files";
  return error;
}

WallTime time_of(const timespec& at) {
  return WallTime(std::chrono::floor<std::chrono::milliseconds>(std::chrono::seconds(at.tv_sec) +
                                                                std::chrono::nanoseconds(at.tv_nsec)));
}

EntryAttributes attributes_of(const struct stat& status) {
  constexpr std::uint64_t kBlock = 512;  // of st_blocks, whatever the filesystem's own size
  EntryAttributes out;
  if (S_ISREG(status.st_mode)) out.type = EntryType::file;
  if (S_ISDIR(status.st_mode)) out.type = EntryType::directory;
  if (S_ISLNK(status.st_mode)) out.type = EntryType::symlink;
  out.mode = status.st_mode & 07777U;
  out.links = static_cast<std::uint32_t>(status.st_nlink);
  out.uid = Uid{status.st_uid};
  out.gid = Gid{status.st_gid};
  out.size = static_cast<std::uint64_t>(status.st_size);
  out.used = static_cast<std::uint64_t>(status.st_blocks) * kBlock;
  out.id = status.st_ino;
  out.fs = status.st_dev;
  out.modified = time_of(status.st_mtim);
  out.changed = time_of(status.st_ctim);
  return out;
}

Error read_only() {
  return Error{.code = Errc::unsupported, .message = "what is copied from is never changed"};
}

class DirectoryStream {
 public:
  explicit DirectoryStream(int fd) : stream_(::fdopendir(fd)) {
    if (stream_ == nullptr) ::close(fd);
  }
  ~DirectoryStream() {
    if (stream_ != nullptr) ::closedir(stream_);
  }
  DirectoryStream(const DirectoryStream&) = delete;
  DirectoryStream& operator=(const DirectoryStream&) = delete;
  [[nodiscard]] DIR* get() const { return stream_; }

 private:
  DIR* stream_;
};

class LocalTree final : public Tree {
 public:
  LocalTree(int root, std::string path, const EntryAttributes& attributes)
      : root_(root), path_(std::move(path)), attributes_(attributes) {}

  [[nodiscard]] Entry root() const override { return {.name = {}, .node = {.handle = "/"}, .attributes = attributes_}; }
  Result<std::optional<Entry>> lookup(const OpContext& op, const Node& dir, std::string_view name) override;
  Result<EntryAttributes> stat(const OpContext& op, const Node& node) override;
  std::vector<Result<ListPage>> list(const OpContext& op, std::span<const ListRequest> requests) override;
  Result<std::size_t> read(const OpContext& op, const Node& file, std::uint64_t offset,
                           std::span<std::byte> into) override;
  Result<std::string> read_link(const OpContext& op, const Node& link) override;

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
  [[nodiscard]] std::string shown(const Node& node) const {
    return printable(node.handle == "/" ? path_ : (path_ == "/" ? "" : path_) + node.handle, 1100);
  }
  static Node below(const Node& dir, std::string_view name) {
    return {.handle = (dir.handle == "/" ? "" : dir.handle) + "/" + std::string(name)};
  }
  // The directory that holds the node, opened, and the node's name in it ("." for the root).
  struct Place {
    std::unique_ptr<Descriptor> directory;
    std::string name;
  };
  Result<Place> place(const Node& node) const;
  Result<ListPage> list_one(const Node& directory, bool with_unseen) const;

  Descriptor root_;
  std::string path_;
  EntryAttributes attributes_;
  // The file that was read last stays open: a file is read in pieces.
  std::string open_handle_{};
  std::unique_ptr<Descriptor> open_{};
};

Result<LocalTree::Place> LocalTree::place(const Node& node) const {
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
  return Place{.directory = std::move(at), .name = node.handle == "/" ? "." : node.handle.substr(from)};
}

Result<EntryAttributes> LocalTree::stat(const OpContext& /*op*/, const Node& node) {
  HOMEPORT_TRY(const auto at, place(node));
  struct stat status {};
  if (::fstatat(at.directory->get(), at.name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0)
    return from_errno(errno, shown(node));
  return attributes_of(status);
}

Result<std::optional<Entry>> LocalTree::lookup(const OpContext& op, const Node& dir, std::string_view name) {
  if (name.empty() || name == "." || name == ".." || name.find('/') != std::string_view::npos ||
      name.find('\0') != std::string_view::npos) {
    return Error{.code = Errc::invalid_argument,
                 .message = "'" + printable(name, 60) + "' is not the name of one directory entry"};
  }
  Entry found{.name = std::string(name), .node = below(dir, name), .attributes = {}};
  auto attributes = stat(op, found.node);
  if (!attributes && attributes.error().code == Errc::not_found) return std::optional<Entry>();
  if (!attributes) return std::move(attributes).error();
  found.attributes = *attributes;
  return std::optional(std::move(found));
}

Result<ListPage> LocalTree::list_one(const Node& directory, bool with_unseen) const {
  HOMEPORT_TRY(const auto at, place(directory));
  constexpr int kFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
  int fd = ::openat(at.directory->get(), at.name.c_str(), kFlags | O_NOATIME);
  if (fd < 0 && errno == EPERM) fd = ::openat(at.directory->get(), at.name.c_str(), kFlags);  // another's directory
  if (fd < 0) return from_errno(errno, shown(directory));
  const DirectoryStream stream(fd);
  if (stream.get() == nullptr) return from_errno(errno, shown(directory));
  ListPage page;
  for (;;) {
    errno = 0;
    const dirent* one = ::readdir(stream.get());  // NOLINT(concurrency-mt-unsafe): the stream is this call's own
    if (one == nullptr) {
      if (errno != 0) return from_errno(errno, shown(directory));
      return page;
    }
    const std::string name(static_cast<const char*>(one->d_name));
    if (name == "." || name == "..") continue;
    struct stat status {};
    if (::fstatat(fd, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
      if (errno == ENOENT) continue;  // gone since it was listed
      auto why = from_errno(errno, shown(below(directory, name)));
      if (!with_unseen || !why.upstream) return why;
      page.unseen.push_back({.name = name, .why = std::move(why)});
      continue;
    }
    page.entries.push_back({.name = name, .node = below(directory, name), .attributes = attributes_of(status)});
  }
}

std::vector<Result<ListPage>> LocalTree::list(const OpContext& /*op*/, std::span<const ListRequest> requests) {
  std::vector<Result<ListPage>> out;
  out.reserve(requests.size());
  for (const auto& request : requests) out.push_back(list_one(request.directory, request.with_unseen));
  return out;
}

Result<std::size_t> LocalTree::read(const OpContext& /*op*/, const Node& file, std::uint64_t offset,
                                    std::span<std::byte> into) {
  if (open_handle_ != file.handle || open_ == nullptr || offset == 0) {
    open_.reset();
    HOMEPORT_TRY(const auto at, place(file));
    // Without waiting: it may have become a pipe since it was listed.
    constexpr int kFlags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
    int fd = ::openat(at.directory->get(), at.name.c_str(), kFlags | O_NOATIME);
    if (fd < 0 && errno == EPERM) fd = ::openat(at.directory->get(), at.name.c_str(), kFlags);
    if (fd < 0) return from_errno(errno, shown(file));
    auto opened = std::make_unique<Descriptor>(fd);
    struct stat status {};
    if (::fstat(fd, &status) != 0) return from_errno(errno, shown(file));
    if (!S_ISREG(status.st_mode))
      return Error{.code = Errc::failed_precondition, .message = shown(file) + " is no file any more"};
    open_ = std::move(opened);
    open_handle_ = file.handle;
  }
  std::size_t got = 0;
  while (got < into.size()) {
    const auto n = ::pread(open_->get(), into.data() + got, into.size() - got, static_cast<off_t>(offset + got));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return from_errno(errno, shown(file));
    if (n == 0) break;
    got += static_cast<std::size_t>(n);
  }
  return got;
}

Result<std::string> LocalTree::read_link(const OpContext& /*op*/, const Node& link) {
  HOMEPORT_TRY(const auto at, place(link));
  std::string target(PATH_MAX, '\0');
  const auto n = ::readlinkat(at.directory->get(), at.name.c_str(), target.data(), target.size());
  if (n < 0) return from_errno(errno, shown(link));
  target.resize(static_cast<std::size_t>(n));
  return target;
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
  return std::unique_ptr<Tree>(std::make_unique<LocalTree>(fd, path.str(), attributes_of(status)));
}

}  // namespace homeport::drivers
