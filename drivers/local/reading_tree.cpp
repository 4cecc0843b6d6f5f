#include "drivers/local/reading_tree.h"

#include <fcntl.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <climits>

namespace homeport::drivers::local {
namespace {

// "at:" and what telldir(3) said.
constexpr std::string_view kCursor = "at:";

Result<long> place_of(const Cursor& cursor) {
  long at = -1;
  const char* end = cursor.data() + cursor.size();
  if (cursor.starts_with(kCursor)) {
    const auto read = std::from_chars(cursor.data() + kCursor.size(), end, at);
    if (read.ec == std::errc() && read.ptr == end && at >= 0) return at;
  }
  return Error{.code = Errc::invalid_argument,
               .message = "'" + printable(cursor, 60) + "' is not a place in a directory",
               .hint = "list again from the beginning"};
}

}  // namespace

Result<File> ReadingTree::open_quietly(const Node& node, int flags) const {
  auto opened = open_node(node, flags | O_RDONLY | O_NOATIME);
  const bool anothers = !opened && opened.error().upstream && opened.error().upstream->status == EPERM;
  return anothers ? open_node(node, flags | O_RDONLY) : std::move(opened);
}

Result<EntryAttributes> ReadingTree::stat(const OpContext& op, const Node& node) {
  HOMEPORT_CHECK(wanted(op));
  HOMEPORT_TRY(const auto file, open_node(node, O_PATH));
  struct stat status {};
  if (::fstat(file->get(), &status) != 0) return from_errno(errno, shown(node));
  return attributes_of(status);
}

Result<std::optional<Entry>> ReadingTree::lookup(const OpContext& op, const Node& dir, std::string_view name) {
  HOMEPORT_CHECK(wanted(op));
  HOMEPORT_CHECK(check_component(name));
  const std::string text(name);
  HOMEPORT_TRY(const auto directory, open_node(dir, O_PATH));
  struct stat status {};
  if (::fstatat(directory->get(), text.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
    const int code = errno;
    if (code == ENOENT) return std::optional<Entry>();
    return from_errno(code, shown(dir) + "/" + printable(text));
  }
  auto node = node_of(directory->get(), dir, text);
  if (!node && node.error().code == Errc::not_found) return std::optional<Entry>();
  if (!node) return std::move(node).error();
  return std::optional(Entry{.name = text, .node = *std::move(node), .attributes = attributes_of(status)});
}

Result<ListPage> ReadingTree::list_one(const ListRequest& request) const {
  const Node& directory = request.directory;
  HOMEPORT_TRY(const long start, request.from ? place_of(*request.from) : Result<long>(-1L));
  HOMEPORT_TRY(const auto opened, open_quietly(directory, O_DIRECTORY));
  const int copy = ::fcntl(opened->get(), F_DUPFD_CLOEXEC, 0);
  if (copy < 0) return from_errno(errno, shown(directory));
  const DirectoryStream stream(copy);
  if (stream.get() == nullptr) return from_errno(errno, shown(directory));
  if (start >= 0) ::seekdir(stream.get(), start);
  ListPage page;
  for (;;) {
    if (page.entries.size() >= kPage) {
      page.next = std::string(kCursor) + std::to_string(::telldir(stream.get()));
      return page;
    }
    errno = 0;
    const dirent* one = ::readdir(stream.get());  // NOLINT(concurrency-mt-unsafe): the stream is this call's own
    if (one == nullptr) {
      if (errno != 0) return from_errno(errno, shown(directory));
      return page;
    }
    const std::string name(static_cast<const char*>(one->d_name));
    if (name == "." || name == "..") continue;
    struct stat status {};
    if (::fstatat(opened->get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
      if (errno == ENOENT) continue;  // gone since it was listed
      auto why = from_errno(errno, shown(directory) + "/" + printable(name));
      if (!request.with_unseen || !why.upstream) return why;
      page.unseen.push_back({.name = name, .why = std::move(why)});
      continue;
    }
    auto node = node_of(opened->get(), directory, name);
    if (!node && node.error().code == Errc::not_found) continue;
    if (!node) return std::move(node).error();
    page.entries.push_back({.name = name, .node = *std::move(node), .attributes = attributes_of(status)});
  }
}

std::vector<Result<ListPage>> ReadingTree::list(const OpContext& op, std::span<const ListRequest> requests) {
  std::vector<Result<ListPage>> out;
  out.reserve(requests.size());
  for (const auto& request : requests) {
    auto time = wanted(op);
    out.push_back(time ? list_one(request) : Result<ListPage>(std::move(time).error()));
  }
  return out;
}

Result<std::size_t> ReadingTree::read(const OpContext& op, const Node& file, std::uint64_t offset,
                                      std::span<std::byte> into) {
  HOMEPORT_CHECK(wanted(op));
  if (open_handle_ != file.handle || open_ == nullptr || offset == 0) {
    open_.reset();
    // Without waiting: it may have become a pipe since it was listed.
    HOMEPORT_TRY(auto opened, open_quietly(file, O_NONBLOCK));
    struct stat status {};
    if (::fstat(opened->get(), &status) != 0) return from_errno(errno, shown(file));
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

Result<std::string> ReadingTree::read_link(const OpContext& op, const Node& link) {
  HOMEPORT_CHECK(wanted(op));
  HOMEPORT_TRY(const auto opened, open_node(link, O_PATH));
  std::string target(PATH_MAX, '\0');
  const auto n = ::readlinkat(opened->get(), "", target.data(), target.size());
  if (n < 0) return from_errno(errno, shown(link));
  target.resize(static_cast<std::size_t>(n));
  return target;
}

}  // namespace homeport::drivers::local
