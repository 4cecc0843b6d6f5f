#include "provisioner/trees/tree_copy.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <unordered_map>

#include "provisioner/base/digest.h"

namespace homeport::trees {
namespace {

using drivers::AttributeChange;
using drivers::Entry;
using drivers::EntryAttributes;
using drivers::EntryType;
using drivers::Node;
using drivers::Tree;

constexpr std::size_t kPiece = std::size_t{1} << 20U;   // read, hashed and read back at once
constexpr std::size_t kBlock = std::size_t{64} << 10U;  // a block of zeros is left out: sparse files stay sparse
constexpr std::chrono::seconds kLongestCall{120};
constexpr std::size_t kMostUnreadable = 1000;

// NFSv3 counts seconds from 1970 in 32 bits (RFC 1813, nfstime3).
WallTime storable(WallTime time) {
  const WallTime last{std::chrono::seconds(0xFFFFFFFFLL)};
  return std::clamp(time, WallTime{}, last);
}

bool same_file(const EntryAttributes& from, const EntryAttributes& to) {
  // A file of one name that has several in the target was one of several when it was copied.
  if (from.links == 1 && to.links > 1) return false;
  return to.type == EntryType::file && from.size == to.size && from.mode == to.mode && from.uid == to.uid &&
         from.gid == to.gid && storable(from.modified) == to.modified;
}

bool unchanged(const EntryAttributes& before, const EntryAttributes& after) {
  return before.type == after.type && before.size == after.size && before.modified == after.modified &&
         before.changed == after.changed && before.id == after.id;
}

std::string_view text_of(std::span<const std::byte> data) {
  return {reinterpret_cast<const char*>(data.data()), data.size()};
}

bool all_zero(std::span<const std::byte> data) {
  return std::ranges::all_of(data, [](std::byte b) { return b == std::byte{0}; });
}

std::string joined(const std::string& dir, const std::string& name) {
  return dir.empty() ? name : dir + "/" + name;
}

}  // namespace

bool is_of_the_entry(const Error& error) {
  if (error.code == Errc::internal || error.code == Errc::cancelled || error.code == Errc::timed_out) return false;
  if (!is_transient(error.code)) return true;
  constexpr int kJukebox = 10008;  // NFS3ERR_JUKEBOX, RFC 1813: come back later
  return error.code == Errc::unavailable && error.upstream && error.upstream->status != 0 &&
         error.upstream->status != kJukebox;
}

Result<Listing> list_all(const std::function<OpContext()>& op, Tree& tree, const Node& directory, bool with_unseen) {
  Listing out;
  std::unordered_map<std::string, std::size_t> at;
  std::optional<drivers::Cursor> from;
  do {
    const std::array<drivers::ListRequest, 1> wanted{
        {{.directory = directory, .from = from, .with_unseen = with_unseen}}};
    auto page = std::move(tree.list(op(), wanted).front());
    if (!page) return std::move(page).error();
    for (auto& entry : page->entries) {
      const auto [known, is_new] = at.try_emplace(entry.name, out.entries.size());
      if (is_new) {
        out.entries.push_back(std::move(entry));
      } else {
        out.entries[known->second] = std::move(entry);
      }
    }
    std::ranges::move(page->unseen, std::back_inserter(out.unseen));
    from = std::move(page->next);
  } while (from);
  // The listing began again, and what could not be seen the first time could the second, or is named twice.
  std::erase_if(out.unseen, [&](const auto& one) { return !at.try_emplace(one.name, 0).second; });
  return out;
}

// One directory on the way down.
struct TreeCopy::Level {
  std::string path;
  Entry from;
  Node to{};
  std::vector<Entry> entries{};
  std::map<std::string, Entry> there{};  // of the target; what is left when all entries are done is removed
  std::size_t next = 0;
};

TreeCopy::TreeCopy(Clock& clock, std::stop_token stop, CopyProgress& progress,
                   std::function<MonoTime()> may_write_until)
    : progress_(progress) {
  calls_.reading = [&clock, stop] {
    return OpContext{.request_id = "copy", .deadline = clock.mono() + kLongestCall, .stop = stop};
  };
  calls_.writing = [reading = calls_.reading, until = std::move(may_write_until)] {
    auto out = reading();
    out.deadline = std::min(out.deadline, until());
    return out;
  };
  calls_.each_piece = [stop]() -> Result<void> {
    if (stop.stop_requested()) return Error{.code = Errc::cancelled, .message = "the copy was stopped"};
    return {};
  };
}

Result<std::uint64_t> remove_all(const std::function<OpContext()>& op, Tree& tree, const Node& dir,
                                 const Entry& entry) {
  std::uint64_t removed = 1;
  const bool is_directory = entry.attributes.type == EntryType::directory;
  if (is_directory) {
    HOMEPORT_TRY(const auto below, list_all(op, tree, entry.node, false));
    for (const auto& one : below.entries) {
      HOMEPORT_TRY(const auto more, remove_all(op, tree, entry.node, one));
      removed += more;
    }
  }
  const std::array<Tree::Removal, 1> one{{{.directory = dir, .name = entry.name, .is_directory = is_directory}}};
  HOMEPORT_CHECK(std::move(tree.remove(op(), one).front()));
  return removed;
}

class TreeCopy::Pass {
 public:
  // `to` null: only counts.
  Pass(TreeCopy& copy, Tree& from, Tree* to, const CopyPart& part)
      : copy_(copy), from_(from), to_(to), part_(part), piece_(to == nullptr ? 0 : kPiece) {}

  Result<CopyReport> run() {
    HOMEPORT_CHECK(begin());
    while (!levels_.empty()) {
      HOMEPORT_CHECK(copy_.calls_.each_piece());
      if (levels_.back().next < levels_.back().entries.size()) {
        auto& level = levels_.back();
        HOMEPORT_CHECK(take(level, level.entries[level.next++]));
      } else {
        HOMEPORT_CHECK(leave());
      }
    }
    return std::move(report_);
  }

 private:
  Result<void> begin() {
    if (!part_.only) return enter({.path = {}, .from = from_.root(), .to = to_ == nullptr ? Node{} : to_->root().node});
    Level level{.path = {}, .from = from_.root(), .to = part_.into, .entries = {*part_.only}};
    if (to_ != nullptr) {
      HOMEPORT_TRY(auto there, to_->lookup(copy_.calls_.writing(), level.to, part_.only->name));
      if (there) level.there.emplace(part_.only->name, *std::move(there));
    }
    levels_.push_back(std::move(level));
    return {};
  }

  // What the source refuses is a fault of that entry; what it cannot do now ends the pass.
  [[nodiscard]] bool noted(const Error& error, const std::string& path) {
    if (!is_of_the_entry(error) || report_.unreadable.size() >= kMostUnreadable) return false;
    if (error.code == Errc::not_found) {
      report_.changing.push_back({path, "is gone since it was listed"});
    } else {
      report_.unreadable.push_back({path.empty() ? "." : path, error.sentence()});
    }
    return true;
  }

  Result<void> enter(Level level) {
    auto listing = list_all(copy_.calls_.reading, from_, level.from.node, true);
    if (!listing) {
      if (noted(listing.error(), level.path)) return {};
      return std::move(listing).context("read " + printable(level.path, 1100)).error();
    }
    level.entries = std::move(listing->entries);
    if (to_ != nullptr) {
      HOMEPORT_TRY(auto there, list_all(copy_.calls_.writing, *to_, level.to, false));
      for (auto& one : there.entries) {
        auto name = one.name;
        level.there.insert_or_assign(std::move(name), std::move(one));
      }
    }
    for (const auto& one : listing->unseen) {
      const auto path = joined(level.path, one.name);
      if (!noted(one.why, path)) return Result<void>(one.why).context("read " + printable(path, 1100));
      level.there.erase(one.name);
    }
    if (level.path.empty() && !part_.spared_prefix.empty()) {
      const auto spared = [&](std::string_view name) { return name.starts_with(part_.spared_prefix); };
      std::erase_if(level.entries, [&](const Entry& one) { return spared(one.name); });
      std::erase_if(level.there, [&](const auto& one) { return spared(one.first); });
    }
    levels_.push_back(std::move(level));
    return {};
  }

  // Every entry of the directory is done.
  Result<void> leave() {
    auto level = std::move(levels_.back());
    levels_.pop_back();
    if (to_ == nullptr) return {};
    if (!part_.keep_others) {
      for (const auto& [name, entry] : level.there) HOMEPORT_CHECK(remove(level.to, entry));
    }
    if (levels_.empty()) return {};  // the root is as the service made it
    const auto& a = level.from.attributes;
    HOMEPORT_TRY(const auto now, to_->stat(copy_.calls_.writing(), level.to));
    if (now.mode == a.mode && now.uid == a.uid && now.gid == a.gid && now.modified == storable(a.modified)) return {};
    return set(level.to, level.path, {.owner = Owner{a.uid, a.gid}, .mode = a.mode, .modified = storable(a.modified)});
  }

  Result<void> set(const Node& node, const std::string& path, const AttributeChange& change) {
    HOMEPORT_CHECK(to_->set_attributes(copy_.calls_.writing(), node, change).context("copy " + printable(path, 1100)));
    return {};
  }

  Result<void> take(Level& level, const Entry& entry) {
    const auto path = joined(level.path, entry.name);
    std::optional<Entry> there;
    if (const auto at = level.there.find(entry.name); at != level.there.end()) {
      there = std::move(at->second);
      level.there.erase(at);
    }
    const bool elsewhere = entry.attributes.fs != from_.root().attributes.fs;
    if (entry.attributes.type == EntryType::other || elsewhere) {
      report_.left_behind.push_back({path, elsewhere ? "another filesystem is mounted there"
                                                     : "a socket, a pipe or a device: no file that could be copied"});
      return there && to_ != nullptr && !part_.keep_others ? remove(level.to, *there) : Result<void>{};
    }
    if (there && part_.keep_others &&
        (there->attributes.type == EntryType::directory) != (entry.attributes.type == EntryType::directory)) {
      report_.in_the_way.push_back({path, there->attributes.type == EntryType::directory
                                              ? "a directory stands there now"
                                              : "what stands there now is no directory"});
      return {};
    }
    const Node to = level.to;  // entering a directory moves the levels
    switch (entry.attributes.type) {
      case EntryType::directory: ++report_.directories; return take_directory(to, path, entry, there);
      case EntryType::symlink:
        ++report_.links;
        return to_ == nullptr ? Result<void>{} : take_link(to, path, entry, there);
      case EntryType::file:
      case EntryType::other: break;
    }
    ++report_.files;
    First* first = nullptr;
    if (entry.attributes.links > 1) {
      ++report_.several_names;
      const auto [at, is_new] = firsts_.try_emplace(entry.attributes.id);
      if (!is_new) return to_ == nullptr ? Result<void>{} : take_name(to, path, entry, there, at->second);
      first = &at->second;
      first->path = path;
    }
    report_.bytes += entry.attributes.size;
    return to_ == nullptr ? Result<void>{} : take_file(to, path, entry, there, first);
  }

  // The first name of a file that has several, as it is in the target.
  struct First {
    std::string path;
    Node to{};
    std::uint64_t id = 0;  // 0: it is not whole, and whoever copies comes back
  };

  Result<void> take_name(const Node& dir, const std::string& path, const Entry& entry,
                         const std::optional<Entry>& there, const First& first) {
    if (first.id == 0) {
      ++copy_.progress_.files;
      report_.changing.push_back({path, "is another name of " + printable(first.path, 1100) + ", which is not whole"});
      return {};
    }
    if (there && there->attributes.type == EntryType::file && there->attributes.id == first.id) {
      ++copy_.progress_.files;
      return {};
    }
    auto own = there;  // a file of its own that stands under this name
    if (!copy_.no_links_) {
      HOMEPORT_CHECK(make_room(dir, there));
      if (!part_.staging || (own && own->attributes.type == EntryType::directory)) own.reset();
      auto linked = to_->link(copy_.calls_.writing(), first.to, part_.staging.value_or(dir), made_as(entry));
      if (linked) {
        HOMEPORT_CHECK(put_in_place(dir, entry));
        ++copy_.progress_.files;
        ++report_.copied;
        return {};
      }
      // A file may have as many names as it can, or the server has no such call: then content counts.
      const auto code = linked.error().code;
      if (is_transient(code) || code == Errc::internal || code == Errc::already_exists || code == Errc::not_found)
        return std::move(linked).context("copy " + printable(path, 1100));
      copy_.no_links_ = true;
    }
    ++report_.separate;
    report_.separate_bytes += entry.attributes.size;
    report_.bytes += entry.attributes.size;
    return take_file(dir, path, entry, own, nullptr);
  }

  Result<void> take_directory(const Node& dir, const std::string& path, const Entry& entry,
                              const std::optional<Entry>& there) {
    Level level{.path = path, .from = entry};
    if (to_ != nullptr && there && there->attributes.type == EntryType::directory) {
      level.to = there->node;
    } else if (to_ != nullptr) {
      if (there) HOMEPORT_CHECK(remove(dir, *there));
      HOMEPORT_TRY(const auto made, to_->make_directory(copy_.calls_.writing(), dir, entry.name, {.mode = 0700}));
      level.to = made.node;
      ++report_.copied;
    }
    return enter(std::move(level));
  }

  Result<void> take_link(const Node& dir, const std::string& path, const Entry& entry,
                         const std::optional<Entry>& there) {
    const auto target = from_.read_link(copy_.calls_.reading(), entry.node);
    if (!target) return noted(target.error(), path) ? Result<void>{} : Result<void>(target.error());
    const Owner owner{entry.attributes.uid, entry.attributes.gid};
    if (there && there->attributes.type == EntryType::symlink &&
        Owner{there->attributes.uid, there->attributes.gid} == owner) {
      HOMEPORT_TRY(const auto present, to_->read_link(copy_.calls_.writing(), there->node));
      if (present == *target) return {};
    }
    HOMEPORT_CHECK(make_room(dir, there));
    HOMEPORT_CHECK(to_->make_link(copy_.calls_.writing(), part_.staging.value_or(dir), made_as(entry), *target, owner)
                       .context("copy " + printable(path, 1100)));
    ++report_.copied;
    return put_in_place(dir, entry);
  }

  Result<void> take_file(const Node& dir, const std::string& path, const Entry& entry,
                         const std::optional<Entry>& there, First* first) {
    ++copy_.progress_.files;
    bool same = there && same_file(entry.attributes, there->attributes);
    if (same && part_.unchanged_since && there->attributes.changed > *part_.unchanged_since) {
      HOMEPORT_TRY(same, same_content(entry, there->node, path));
    }
    if (same) {
      copy_.progress_.bytes += entry.attributes.size;
      if (first != nullptr) *first = {.path = path, .to = there->node, .id = there->attributes.id};
      return {};
    }
    HOMEPORT_CHECK(make_room(dir, there));
    HOMEPORT_TRY(const auto made,
                 to_->make_file(copy_.calls_.writing(), part_.staging.value_or(dir), made_as(entry), {.mode = 0600}));
    ++report_.copied;
    std::vector<Sha256> sums;
    std::uint64_t size = 0;
    if (auto sent = send(entry, made.node, sums, size); !sent) {
      if (from_failed_ && noted(sent.error(), path)) return {};
      return std::move(sent).context("copy " + printable(path, 1100));
    }
    const auto& a = entry.attributes;
    HOMEPORT_CHECK(set(made.node, path, {.owner = Owner{a.uid, a.gid}, .size = size}));
    // By itself: a Linux server takes the set-uid and set-gid bits out of a mode that comes with an owner.
    HOMEPORT_CHECK(set(made.node, path, {.mode = a.mode}));
    HOMEPORT_CHECK(read_back(made.node, path, sums, size));
    const auto after = from_.stat(copy_.calls_.reading(), entry.node);
    if (!after) return noted(after.error(), path) ? Result<void>{} : Result<void>(after.error());
    if (!unchanged(a, *after) || size != a.size) {
      report_.changing.push_back({path, "was written to while it was copied"});
      return {};
    }
    // Last: from now on it counts as whole.
    HOMEPORT_CHECK(set(made.node, path, {.modified = storable(a.modified)}));
    HOMEPORT_TRY(const auto now, to_->stat(copy_.calls_.writing(), made.node));
    if (first != nullptr) *first = {.path = path, .to = made.node, .id = now.id};
    if (same_file(a, now)) return put_in_place(dir, entry);
    return Error{.code = Errc::failed_precondition,
                 .message = "the server did not keep owner, mode, size or time of " + printable(path, 1100),
                 .hint = "the export must let root of this machine give files away (no_root_squash)"};
  }

  // What a file or link is called while it is made.
  [[nodiscard]] std::string made_as(const Entry& entry) const { return part_.staging ? "part" : entry.name; }
  // Made elsewhere, it replaces what stands by its rename; what an earlier try left there goes.
  Result<void> make_room(const Node& dir, const std::optional<Entry>& there) {
    if (!part_.staging) return there ? remove(dir, *there) : Result<void>{};
    if (there && there->attributes.type == EntryType::directory) HOMEPORT_CHECK(remove(dir, *there));
    const std::array<Tree::Removal, 1> left{{{.directory = *part_.staging, .name = "part"}}};
    return std::move(to_->remove(copy_.calls_.writing(), left).front());
  }
  Result<void> put_in_place(const Node& dir, const Entry& entry) {
    if (!part_.staging) return {};
    return to_->rename(copy_.calls_.writing(), *part_.staging, "part", dir, entry.name);
  }

  Result<bool> same_content(const Entry& entry, const Node& there, const std::string& path) {
    std::vector<std::byte> other(kPiece);
    for (std::uint64_t at = 0; at < entry.attributes.size;) {
      HOMEPORT_CHECK(copy_.calls_.each_piece());
      const auto got = from_.read(copy_.calls_.reading(), entry.node, at, piece_);
      if (!got) {
        if (noted(got.error(), path)) return true;
        return got.error();
      }
      if (*got == 0) return false;
      std::size_t have = 0;
      while (have < *got) {
        HOMEPORT_TRY(const auto more,
                     to_->read(copy_.calls_.writing(), there, at + have, std::span(other).subspan(have, *got - have)));
        if (more == 0) return false;
        have += more;
      }
      if (!std::equal(other.begin(), other.begin() + static_cast<std::ptrdiff_t>(*got), piece_.begin())) return false;
      at += *got;
    }
    return true;
  }

  // Content only; blocks of zeros are left out, since the size is set afterwards.
  Result<void> send(const Entry& entry, const Node& to, std::vector<Sha256>& sums, std::uint64_t& size) {
    ends_.clear();
    for (;;) {
      from_failed_ = false;
      HOMEPORT_CHECK(copy_.calls_.each_piece());
      from_failed_ = true;
      HOMEPORT_TRY(const auto got, from_.read(copy_.calls_.reading(), entry.node, size, piece_));
      from_failed_ = false;
      if (got == 0) return {};
      const auto data = std::span<const std::byte>(piece_).first(got);
      sums.push_back(sha256(text_of(data)));
      for (std::size_t at = 0; at < got;) {
        const auto run = run_at(data, at);
        if (run > 0) HOMEPORT_CHECK(to_->write(copy_.calls_.writing(), to, size + at, data.subspan(at, run)));
        at += std::max(run, std::min(kBlock, got - at));
      }
      size += got;
      copy_.progress_.bytes += got;
      // A short piece: what follows is read at its own place, so that the sums are of the same pieces again.
      ends_.push_back(size);
    }
  }

  // How many bytes from `at` on are to be written: whole blocks that are not zero.
  static std::size_t run_at(std::span<const std::byte> data, std::size_t at) {
    std::size_t end = at;
    while (end < data.size()) {
      const auto block = data.subspan(end, std::min(kBlock, data.size() - end));
      if (all_zero(block)) break;
      end += block.size();
    }
    return end - at;
  }

  Result<void> read_back(const Node& file, const std::string& path, const std::vector<Sha256>& sums,
                         std::uint64_t size) {
    const auto ends = std::exchange(ends_, {});
    std::uint64_t from = 0;
    for (std::size_t i = 0; i < sums.size(); ++i) {
      const auto wanted = std::span(piece_).first(static_cast<std::size_t>(ends[i] - from));
      std::size_t got = 0;
      HOMEPORT_CHECK(copy_.calls_.each_piece());
      while (got < wanted.size()) {
        HOMEPORT_TRY(const auto n, to_->read(copy_.calls_.writing(), file, from + got, wanted.subspan(got)));
        if (n == 0) break;
        got += n;
      }
      if (got != wanted.size() || sha256(text_of(wanted)) != sums[i]) return differs(path);
      from = ends[i];
    }
    HOMEPORT_TRY(const auto more, to_->read(copy_.calls_.writing(), file, size, std::span(piece_).first(1)));
    return more == 0 ? Result<void>{} : differs(path);
  }
  static Error differs(const std::string& path) {
    return Error{.code = Errc::failed_precondition,
                 .message = "what was read back of " + printable(path, 1100) + " is not what was written",
                 .hint = "look at the health of the target's disk and at its log, then give the command again"};
  }

  Result<void> remove(const Node& dir, const Entry& entry) {
    HOMEPORT_TRY(const auto removed, remove_all(copy_.calls_.writing, *to_, dir, entry));
    report_.removed += removed;
    return {};
  }

  TreeCopy& copy_;
  Tree& from_;
  Tree* to_;
  const CopyPart& part_;
  std::vector<std::byte> piece_;
  std::vector<std::uint64_t> ends_{};  // of the pieces of the file that is being sent
  bool from_failed_ = false;           // whose error send() gave
  std::vector<Level> levels_{};
  std::map<std::uint64_t, First> firsts_{};  // by the file's id in the source
  CopyReport report_{};
};

Result<CopyReport> TreeCopy::count(Tree& from) {
  return Pass(*this, from, nullptr, {}).run();
}

Result<CopyReport> TreeCopy::count(Tree& from, const CopyPart& part) {
  return Pass(*this, from, nullptr, part).run();
}

Result<CopyReport> TreeCopy::pass(Tree& from, Tree& to) {
  return Pass(*this, from, &to, {}).run();
}

Result<CopyReport> TreeCopy::pass(Tree& from, Tree& to, const CopyPart& part) {
  return Pass(*this, from, &to, part).run();
}

}  // namespace homeport::trees
