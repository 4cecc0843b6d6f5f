#include "drivers/memory/volume.h"

#include <algorithm>
#include <cstring>
#include <unordered_set>

namespace homeport::drivers::memory {
namespace {

constexpr std::size_t kMaxComponent = 255;

Error stale() {
  return Error{
      .code = Errc::not_found, .message = "the file or directory of this handle is gone", .hint = "look it up again"};
}
Error wrong_type(std::string_view wanted) {
  return Error{.code = Errc::failed_precondition, .message = "entry is not a " + std::string(wanted)};
}

}  // namespace

Result<void> check_component(std::string_view name) {
  const bool bad = name.empty() || name == "." || name == ".." || name.size() > kMaxComponent ||
                   name.find('/') != std::string_view::npos || name.find('\0') != std::string_view::npos;
  if (!bad) return {};
  return Error{.code = Errc::invalid_argument,
               .message = "'" + printable(name, 60) + "' is not the name of one entry",
               .hint = "give 1 to 255 bytes without '/', not '.' or '..'"};
}

Volume::Volume(IdCounter& ids, std::shared_ptr<Room> room, Owner owner, std::uint32_t mode, WallTime now)
    : fs_(ids.next()), root_(ids.next()), room_(std::move(room)) {
  inodes_.emplace(root_, Inode{.id = root_,
                               .type = EntryType::directory,
                               .mode = mode,
                               .links = 2,
                               .owner = owner,
                               .modified = now,
                               .changed = now});
}

std::uint64_t Volume::entries() const {
  return tally(root_).names;
}

const Inode* Volume::find(std::uint64_t id) const {
  const auto at = inodes_.find(id);
  return at == inodes_.end() ? nullptr : &at->second;
}
Inode* Volume::find(std::uint64_t id) {
  const auto at = inodes_.find(id);
  return at == inodes_.end() ? nullptr : &at->second;
}

const Inode* Volume::child(const Inode& directory, std::string_view name) const {
  const auto at = directory.children.find(name);
  return at == directory.children.end() ? nullptr : find(at->second);
}

const Inode* Volume::walk(std::string_view path) const {
  const Inode* at = find(root_);
  while (at != nullptr && !path.empty()) {
    const auto slash = path.find('/');
    const auto part = path.substr(0, slash);
    path = slash == std::string_view::npos ? std::string_view{} : path.substr(slash + 1);
    if (!part.empty()) at = child(*at, part);
  }
  return at;
}

EntryAttributes Volume::attributes(const Inode& inode) const {
  const std::uint64_t size = inode.type == EntryType::symlink ? inode.target.size() : inode.size;
  return EntryAttributes{.type = inode.type,
                         .mode = inode.mode,
                         .links = inode.links,
                         .uid = inode.owner.uid,
                         .gid = inode.owner.gid,
                         .size = size,
                         .used = inode.blocks.size() * kBlock,
                         .id = inode.id,
                         .fs = fs_,
                         .modified = inode.modified,
                         .changed = inode.changed};
}

Volume::Tally Volume::tally(std::uint64_t from) const {
  Tally sum;
  std::unordered_set<std::uint64_t> seen;
  std::vector<std::uint64_t> todo{from};
  while (!todo.empty()) {
    const Inode* inode = find(todo.back());
    todo.pop_back();
    if (inode == nullptr) continue;
    if (seen.insert(inode->id).second) sum.bytes += inode->blocks.size() * kBlock;
    for (const auto& [name, id] : inode->children) {
      ++sum.names;
      todo.push_back(id);
    }
  }
  return sum;
}

Result<void> Volume::take(std::uint64_t bytes) {
  if (bytes == 0) return {};
  if (limit_ && used_ + bytes > *limit_) {
    return Error{.code = Errc::over_quota,
                 .message = "quota of " + Bytes(*limit_).to_string() + " does not allow " + std::to_string(bytes) +
                            " bytes more",
                 .hint = "remove files or ask for a larger quota"};
  }
  if (room_ && room_->used + bytes > room_->capacity) {
    return Error{.code = Errc::out_of_capacity,
                 .message = "pool of " + Bytes(room_->capacity).to_string() + " is full",
                 .hint = "remove data or give the pool a larger capacity"};
  }
  used_ += bytes;
  if (room_) room_->used += bytes;
  return {};
}

void Volume::give_back(std::uint64_t bytes) {
  used_ -= bytes;
  if (room_) room_->used -= bytes;
}

Result<Inode*> Volume::directory(std::uint64_t id) {
  Inode* found = find(id);
  if (found == nullptr) return stale();
  if (found->type != EntryType::directory) return wrong_type("directory");
  return found;
}

Result<std::uint64_t> Volume::add(IdCounter& ids, std::uint64_t parent, std::string_view name, Inode inode,
                                  WallTime now) {
  HOMEPORT_TRY(Inode * dir, directory(parent));
  if (dir->children.contains(name)) {
    return Error{.code = Errc::already_exists, .message = "'" + printable(name, 60) + "' stands already"};
  }
  inode.id = ids.next();
  inode.links = inode.type == EntryType::directory ? 2 : 1;
  inode.parent = inode.type == EntryType::directory ? parent : 0;
  inode.modified = now;
  inode.changed = now;
  dir->children.emplace(name, inode.id);
  dir->modified = now;
  dir->changed = now;
  if (inode.type == EntryType::directory) ++dir->links;
  const auto id = inode.id;
  inodes_.emplace(id, std::move(inode));
  return id;
}

Result<void> Volume::link(std::uint64_t parent, std::string_view name, std::uint64_t target, WallTime now) {
  HOMEPORT_TRY(Inode * dir, directory(parent));
  Inode* found = find(target);
  if (found == nullptr) return stale();
  if (found->type == EntryType::directory) return wrong_type("file");
  if (dir->children.contains(name)) {
    return Error{.code = Errc::already_exists, .message = "'" + printable(name, 60) + "' stands already"};
  }
  dir->children.emplace(name, target);
  dir->modified = now;
  ++found->links;
  found->changed = now;
  return {};
}

void Volume::drop_link(std::uint64_t id, WallTime now) {
  Inode* inode = find(id);
  if (inode == nullptr) return;
  if (inode->type == EntryType::directory) {
    if (Inode* above = find(inode->parent)) --above->links;
  } else if (--inode->links > 0) {
    inode->changed = now;
    return;
  }
  give_back(inode->blocks.size() * kBlock);
  inodes_.erase(id);
}

Result<void> Volume::remove(std::uint64_t parent, std::string_view name, bool is_directory, WallTime now) {
  HOMEPORT_TRY(Inode * dir, directory(parent));
  const auto at = dir->children.find(name);
  if (at == dir->children.end()) return {};
  const Inode* victim = find(at->second);
  if ((victim->type == EntryType::directory) != is_directory) return wrong_type(is_directory ? "directory" : "file");
  if (!victim->children.empty()) {
    return Error{.code = Errc::failed_precondition,
                 .message = "directory '" + printable(name, 60) + "' is not empty",
                 .hint = "remove what is in it first"};
  }
  const auto id = at->second;
  dir->children.erase(at);
  dir->modified = now;
  dir->changed = now;
  drop_link(id, now);
  return {};
}

bool Volume::is_below(std::uint64_t below, std::uint64_t ancestor) const {
  for (const Inode* at = find(below); at != nullptr; at = find(at->parent)) {
    if (at->id == ancestor) return true;
  }
  return false;
}

// True: something stands and gives way. Errors as rename(2).
Result<bool> Volume::check_replace(const Inode& moved, const Inode* standing) const {
  if (standing == nullptr) return false;
  const bool moved_dir = moved.type == EntryType::directory;
  if (moved_dir != (standing->type == EntryType::directory)) return wrong_type(moved_dir ? "directory" : "file");
  if (!standing->children.empty()) {
    return Error{.code = Errc::failed_precondition, .message = "target directory is not empty"};
  }
  return true;
}

Result<void> Volume::rename(std::uint64_t from_dir, std::string_view from, std::uint64_t to_dir, std::string_view to,
                            WallTime now) {
  HOMEPORT_TRY(Inode * source, directory(from_dir));
  HOMEPORT_TRY(Inode * target, directory(to_dir));
  const auto at = source->children.find(from);
  if (at == source->children.end()) {
    return Error{.code = Errc::not_found, .message = "'" + printable(from, 60) + "' is not there"};
  }
  const auto id = at->second;
  Inode* moved = find(id);
  if (moved->type == EntryType::directory && is_below(to_dir, id)) {
    return Error{.code = Errc::invalid_argument, .message = "a directory cannot move into itself"};
  }
  const Inode* standing = child(*target, to);
  if (standing != nullptr && standing->id == id) return {};
  HOMEPORT_TRY(const bool replaces, check_replace(*moved, standing));
  source->children.erase(at);
  if (replaces) {
    const auto gone = standing->id;
    target->children.erase(target->children.find(to));
    drop_link(gone, now);
  }
  target->children.emplace(to, id);
  if (moved->type == EntryType::directory && from_dir != to_dir) {
    --source->links;
    ++target->links;
    moved->parent = to_dir;
  }
  source->modified = source->changed = target->modified = target->changed = moved->changed = now;
  return {};
}

Result<void> Volume::write(std::uint64_t file, std::uint64_t offset, std::span<const std::byte> data, WallTime now) {
  Inode* inode = find(file);
  if (inode == nullptr) return stale();
  if (inode->type != EntryType::file) return wrong_type("file");
  if (data.empty()) return {};
  if (offset + data.size() < offset) {
    return Error{.code = Errc::invalid_argument, .message = "write reaches beyond the largest file size"};
  }
  const std::uint64_t last = (offset + data.size() - 1) / kBlock;
  std::uint64_t fresh = 0;
  for (std::uint64_t block = offset / kBlock; block <= last; ++block) fresh += inode->blocks.contains(block) ? 0U : 1U;
  HOMEPORT_CHECK(take(fresh * kBlock));
  std::size_t done = 0;
  while (done < data.size()) {
    const std::uint64_t at = offset + done;
    auto& block = inode->blocks[at / kBlock];
    block.resize(kBlock, '\0');
    const std::size_t start = at % kBlock;
    const std::size_t part = std::min<std::size_t>(data.size() - done, kBlock - start);
    std::memcpy(block.data() + start, data.data() + done, part);
    done += part;
  }
  inode->size = std::max(inode->size, offset + data.size());
  inode->modified = inode->changed = now;
  return {};
}

Result<std::size_t> Volume::read(std::uint64_t file, std::uint64_t offset, std::span<std::byte> into) const {
  const Inode* inode = find(file);
  if (inode == nullptr) return stale();
  if (inode->type != EntryType::file) return wrong_type("file");
  if (offset >= inode->size) return std::size_t{0};
  const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(into.size(), inode->size - offset));
  std::size_t done = 0;
  while (done < wanted) {
    const std::uint64_t at = offset + done;
    const std::size_t start = at % kBlock;
    const std::size_t part = std::min<std::size_t>(wanted - done, kBlock - start);
    const auto block = inode->blocks.find(at / kBlock);
    if (block == inode->blocks.end()) {
      std::memset(into.data() + done, 0, part);
    } else {
      std::memcpy(into.data() + done, block->second.data() + start, part);
    }
    done += part;
  }
  return wanted;
}

Result<void> Volume::truncate(std::uint64_t file, std::uint64_t size, WallTime now) {
  Inode* inode = find(file);
  if (inode == nullptr) return stale();
  if (inode->type != EntryType::file) return wrong_type("file");
  const std::uint64_t keep = (size + kBlock - 1) / kBlock;
  const auto first_gone = inode->blocks.lower_bound(keep);
  give_back(static_cast<std::uint64_t>(std::distance(first_gone, inode->blocks.end())) * kBlock);
  inode->blocks.erase(first_gone, inode->blocks.end());
  if (size % kBlock != 0 && size < inode->size) {  // what is cut off must read as zero when the file grows again
    const auto edge = inode->blocks.find(size / kBlock);
    if (edge != inode->blocks.end())
      std::fill(edge->second.begin() + static_cast<std::ptrdiff_t>(size % kBlock), edge->second.end(), '\0');
  }
  inode->size = size;
  inode->modified = inode->changed = now;
  return {};
}

std::uint64_t Volume::remove_some(std::uint64_t limit, WallTime now) {
  std::uint64_t removed = 0;
  Inode* at = find(root_);
  std::vector<std::pair<std::uint64_t, std::string>> way;  // directory, name in it
  while (removed < limit) {
    if (!at->children.empty()) {
      const auto& [name, id] = *at->children.begin();
      Inode* next = find(id);
      if (next->type == EntryType::directory) {
        way.emplace_back(at->id, name);
        at = next;
        continue;
      }
      const auto gone = id;
      at->children.erase(at->children.begin());
      drop_link(gone, now);
      ++removed;
      continue;
    }
    if (way.empty()) break;
    const auto [above, name] = way.back();
    way.pop_back();
    const auto gone = at->id;
    at = find(above);
    at->children.erase(name);
    drop_link(gone, now);
    ++removed;
  }
  return removed;
}

Result<std::shared_ptr<Volume>> Volume::clone(IdCounter& ids, std::shared_ptr<Room> room) const {
  auto copy = std::make_shared<Volume>(*this);
  copy->room_ = std::move(room);
  copy->fs_ = ids.next();
  copy->limit_.reset();
  copy->used_ = 0;
  HOMEPORT_CHECK(copy->take(used_));
  std::unordered_map<std::uint64_t, std::uint64_t> renumbered;
  for (const auto& [id, inode] : inodes_) renumbered[id] = ids.next();
  copy->inodes_.clear();
  for (const auto& [id, inode] : inodes_) {
    Inode fresh = inode;
    fresh.id = renumbered[id];
    if (fresh.parent != 0) fresh.parent = renumbered[fresh.parent];
    for (auto& [name, child_id] : fresh.children) child_id = renumbered[child_id];
    copy->inodes_.emplace(fresh.id, std::move(fresh));
  }
  copy->root_ = renumbered[root_];
  return copy;
}

std::shared_ptr<const Volume> Volume::frozen(IdCounter& ids) const {
  auto copy = std::make_shared<Volume>(*this);
  copy->room_.reset();
  copy->limit_.reset();
  copy->fs_ = ids.next();
  return copy;
}

Result<void> Volume::become(const Volume& other) {
  const auto had = used_;
  if (other.used_ > had) {
    if (room_ && room_->used + (other.used_ - had) > room_->capacity) {
      return Error{.code = Errc::out_of_capacity, .message = "pool has no room for the content of the snapshot"};
    }
  }
  if (room_) room_->used = room_->used - had + other.used_;
  inodes_ = other.inodes_;
  root_ = other.root_;
  used_ = other.used_;
  return {};
}

void Volume::graft(const std::string& name, const Volume& other) {
  for (const auto& [id, inode] : other.inodes_) inodes_.emplace(id, inode);
  inodes_.at(other.root_).parent = root_;
  inodes_.at(root_).children.emplace(name, other.root_);
  used_ += other.used_;
}

}  // namespace homeport::drivers::memory
