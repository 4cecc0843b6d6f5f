#include "drivers/flashblade/admin_place.h"

#include <algorithm>
#include <span>

namespace homeport::drivers::flashblade {
namespace {

constexpr std::uint32_t kRootOnly = 0700;
constexpr std::uint32_t kOthers = 077;
constexpr std::size_t kLargest = std::size_t{256} << 10U;
constexpr const char* kEnding = ".json";
// RFC 1813: the handle is of something that is no more.
constexpr int kStale = 70;
constexpr int kBadHandle = 10001;

std::string file_of(const SpaceKey& key) {
  return key.str() + kEnding;
}

bool is_stale(const Error& error) {
  return error.upstream && error.upstream->system == "nfs" &&
         (error.upstream->status == kStale || error.upstream->status == kBadHandle);
}

Result<Node> directory(const OpContext& op, Tree& tree, const char* name, bool make) {
  HOMEPORT_TRY(auto found, tree.lookup(op, tree.root().node, name));
  if (!found && make) {
    auto made = tree.make_directory(op, tree.root().node, name, {.mode = kRootOnly});
    if (made) return std::move(made).value().node;
    if (made.error().code != Errc::already_exists) return std::move(made).error();
    HOMEPORT_TRY(found, tree.lookup(op, tree.root().node, name));
  }
  if (!found) return Node{};
  if (found->attributes.type == EntryType::directory) return found->node;
  return Error{.code = Errc::failed_precondition,
               .message = std::string(name) + " in the administrative file system is not a directory",
               .hint = "look at it over NFS from one of Homeport's hosts, and move it away"};
}

// What a user could write could be forged.
Result<void> check_root_only(const OpContext& op, Tree& tree) {
  const auto root = tree.root();
  HOMEPORT_TRY(const auto now, tree.stat(op, root.node));
  if (now.uid != Uid{0}) {
    return Error{
        .code = Errc::failed_precondition,
        .message = "the administrative file system belongs to uid " + std::to_string(now.uid.value) + ", not to root",
        .hint = "somebody else made it, or Homeport's hosts are squashed: look at its rules on the array"};
  }
  if ((now.mode & kOthers) == 0) return {};
  return tree.set_attributes(op, root.node, {.mode = kRootOnly});
}

Result<std::string> read_all(const OpContext& op, Tree& tree, const Entry& file) {
  std::string text(std::min<std::size_t>(file.attributes.size, kLargest), '\0');
  std::size_t got = 0;
  while (got < text.size()) {
    const auto rest = std::as_writable_bytes(std::span(text)).subspan(got);
    HOMEPORT_TRY(const std::size_t more, tree.read(op, file.node, got, rest));
    if (more == 0) break;
    got += more;
  }
  text.resize(got);
  return text;
}

}  // namespace

Result<std::shared_ptr<AdminPlace::Opened>> AdminPlace::opened(const OpContext& op, Make make) {
  if (auto known = known_.with([](const auto& k) { return k; })) return known;
  HOMEPORT_TRY(auto tree, open_(op, make));
  if (!tree) return std::shared_ptr<Opened>();
  if (!op.dry_run) HOMEPORT_CHECK(check_root_only(op, *tree));
  auto made = std::make_shared<Opened>();
  HOMEPORT_TRY(made->markers, directory(op, *tree, "markers", make != Make::no));
  HOMEPORT_TRY(made->trash, directory(op, *tree, "trash", make != Make::no));
  made->tree = std::move(tree);
  const bool complete = !made->markers.handle.empty() && !made->trash.handle.empty();
  if (complete && !op.dry_run) known_.with([&](auto& k) { k = made; });
  return made;
}

// Once more from the start when the file system was put back from elsewhere and the handles died.
template <class Fn>
auto AdminPlace::with(const OpContext& op, Make make, Fn fn) -> decltype(fn(std::declval<Opened&>())) {
  HOMEPORT_TRY(auto at, opened(op, make));
  if (!at) {
    static Opened none;
    return fn(none);
  }
  auto result = fn(*at);
  if (result || !is_stale(result.error())) return result;
  known_.with([&](auto& k) {
    if (k == at) k.reset();
  });
  HOMEPORT_TRY(at, opened(op, make));
  return fn(*at);
}

Result<MarkerRecord> AdminPlace::read(const OpContext& op, const SpaceKey& key, Make make) {
  return with(op, make, [&](Opened& at) -> Result<MarkerRecord> {
    MarkerRecord record;
    if (at.tree == nullptr) return record;
    // The trash last: what is moved back between the two looks is found in the second round.
    for (const auto& [dir, shelf] : {std::pair{&at.markers, Shelf::live}, std::pair{&at.trash, Shelf::trash},
                                     std::pair{&at.markers, Shelf::live}}) {
      if (dir->handle.empty()) continue;
      HOMEPORT_TRY(const auto file, at.tree->lookup(op, *dir, file_of(key)));
      if (!file) continue;
      record.shelf = shelf;
      record.modified = file->attributes.modified;
      auto text = read_all(op, *at.tree, *file);
      // Replaced by rename while it was read: the new one is read.
      if (!text && is_stale(text.error())) {
        HOMEPORT_TRY(const auto again, at.tree->lookup(op, *dir, file_of(key)));
        if (!again) continue;
        text = read_all(op, *at.tree, *again);
      }
      if (!text) return std::move(text).error();
      auto marker = marker_from_json(*text);
      if (!marker) {
        record.broken = marker.error().message;
      } else {
        record.marker = std::move(marker).value();
      }
      return record;
    }
    record.shelf = Shelf::none;
    return record;
  });
}

Result<void> AdminPlace::write(const OpContext& op, const Marker& marker, const MarkerRecord& stands, Make make) {
  const std::string name = file_of(marker.key);
  const std::string draft = name + "." + hex16(ids_->random64()) + ".new";  // two writers never share one
  return with(op, make, [&](Opened& at) -> Result<void> {
    if (at.tree == nullptr) {  // only a dry run comes here: the file system would have been made
      if (op.calls != nullptr) op.calls->add("CREATE markers/" + name + " in the administrative file system");
      return {};
    }
    const bool trashed = stands.shelf == Shelf::trash;
    const Node& dir = trashed ? at.trash : at.markers;
    HOMEPORT_TRY(const auto file, at.tree->make_file(op, dir, draft, {.mode = 0600}));
    const std::string text = marker_to_json(marker);
    HOMEPORT_CHECK(at.tree->write(op, file.node, 0, std::as_bytes(std::span(text))));
    if (trashed) HOMEPORT_CHECK(at.tree->set_attributes(op, file.node, {.modified = stands.modified}));
    return at.tree->rename(op, dir, draft, dir, name);
  });
}

Result<void> AdminPlace::move_to_trash(const OpContext& op, const SpaceKey& key) {
  return with(op, Make::where_ours, [&](Opened& at) -> Result<void> {
    HOMEPORT_TRY(const auto file, at.tree->lookup(op, at.markers, file_of(key)));
    if (!file) return {};
    // First the date, then the move: a crash between them leaves a live one with a younger marker, which says nothing.
    HOMEPORT_CHECK(at.tree->set_attributes(op, file->node, {.modified = clock_.now()}));
    return at.tree->rename(op, at.markers, file_of(key), at.trash, file_of(key));
  });
}

Result<void> AdminPlace::move_back(const OpContext& op, const SpaceKey& key) {
  return with(op, Make::where_ours, [&](Opened& at) -> Result<void> {
    return at.tree->rename(op, at.trash, file_of(key), at.markers, file_of(key));
  });
}

Result<void> AdminPlace::remove(const OpContext& op, const SpaceKey& key, Shelf shelf) {
  return with(op, Make::no, [&](Opened& at) -> Result<void> {
    if (at.tree == nullptr || shelf == Shelf::none) return {};
    const Tree::Removal removal{.directory = shelf == Shelf::trash ? at.trash : at.markers, .name = file_of(key)};
    auto done = at.tree->remove(op, std::span(&removal, 1));
    return std::move(done.front());
  });
}

Result<std::map<std::string, WallTime>> AdminPlace::trash(const OpContext& op) {
  return with(op, Make::no, [&](Opened& at) -> Result<std::map<std::string, WallTime>> {
    std::map<std::string, WallTime> out;
    if (at.tree == nullptr || at.trash.handle.empty()) return out;
    ListRequest request{.directory = at.trash};
    do {
      auto pages = at.tree->list(op, std::span(&request, 1));
      if (!pages.front()) return std::move(pages.front()).error();
      for (const auto& entry : pages.front()->entries) {
        if (!entry.name.ends_with(kEnding)) continue;  // a draft
        out.emplace(entry.name.substr(0, entry.name.size() - std::string_view(kEnding).size()),
                    entry.attributes.modified);
      }
      request.from = pages.front()->next;
    } while (request.from);
    return out;
  });
}

}  // namespace homeport::drivers::flashblade
