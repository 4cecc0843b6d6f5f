#include "provisioner/trees/restore.h"

#include <array>

#include "provisioner/base/fault_point.h"
#include "provisioner/base/names.h"

namespace homeport::trees {
namespace {

using drivers::Entry;
using drivers::EntryType;
using drivers::Node;
using drivers::Tree;

constexpr unsigned kMostNumbers = 1000;
constexpr unsigned kMostStagings = 20;

constexpr std::array<std::pair<RestoreWay, std::string_view>, 4> kWays{{
    {RestoreWay::beside, "beside"},
    {RestoreWay::in_place, "in-place"},
    {RestoreWay::into, "to"},
    {RestoreWay::whole, "whole"},
}};

std::string quoted(const TreePath& path) {
  return path.is_root() ? "the top of the space" : "'" + path.text() + "'";
}

bool is_directory(const Entry& entry) {
  return entry.attributes.type == EntryType::directory;
}

// Bytes of `text`, at most `most`, without cutting a character in two.
std::string_view cut(std::string_view text, std::size_t most) {
  if (text.size() <= most) return text;
  std::size_t end = most;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;
  return text.substr(0, end > 0 ? end : most);
}

Error in_the_way(const TreePath& path, std::string_view what) {
  return Error{.code = Errc::failed_precondition,
               .message = quoted(path) + " is " + std::string(what) + " now",
               .hint = "restore beside it (without --in-place), or move what stands there away first"};
}

}  // namespace

std::string_view restore_way_name(RestoreWay way) {
  for (const auto& [one, name] : kWays) {
    if (one == way) return name;
  }
  return "beside";
}

std::optional<RestoreWay> restore_way_from_name(std::string_view name) {
  for (const auto& [way, known] : kWays) {
    if (known == name) return way;
  }
  return std::nullopt;
}

std::string restored_name(std::string_view name, bool is_directory, std::string_view stamp, unsigned number) {
  constexpr std::size_t kLongest = 255;
  const auto dot = name.rfind('.');
  const bool has_ending = !is_directory && dot != std::string_view::npos && dot > 0 && name.size() - dot <= 32;
  const auto ending = has_ending ? name.substr(dot) : std::string_view{};
  std::string middle = " (restored " + std::string(stamp) + (number > 1 ? ", " + std::to_string(number) : "") + ")";
  const auto stem = name.substr(0, name.size() - ending.size());
  return std::string(cut(stem, kLongest - middle.size() - ending.size())) + middle + std::string(ending);
}

struct Restore::Ends {
  Entry source;
  Entry target;                    // the folder
  std::optional<Entry> present{};  // what stands there under the name of the source
};

Result<Restore::Ends> Restore::ends(Tree& from, Tree& to) {
  HOMEPORT_TRY(auto source, find_entry(calls_.reading(), from, job_.path, job_.viewer));
  if (!source) {
    return Error{.code = Errc::not_found,
                 .message = "the snapshot has no " + quoted(job_.path),
                 .hint = "`homeport snapshot versions` shows which snapshots have it, `snapshot browse` what one has"};
  }
  if (source->attributes.type == EntryType::other) {
    return Error{.code = Errc::failed_precondition,
                 .message = quoted(job_.path) + " is a socket, a pipe or a device: nothing that could be restored"};
  }
  if (job_.way == RestoreWay::whole) return Ends{.source = *std::move(source), .target = to.root()};
  if (job_.path.is_root()) {
    return Error{.code = Errc::invalid_argument,
                 .message = "no path is given",
                 .hint = "name a file or a folder, or restore the whole space with --whole",
                 .pointer = "/path"};
  }
  const auto where = job_.way == RestoreWay::into ? job_.into : job_.path.parent();
  auto target = find_directory(calls_.writing(), to, where, job_.viewer);
  if (!target) {
    auto error = std::move(target).error();
    if (error.code == Errc::not_found && job_.way != RestoreWay::into)
      error.hint = "restore that folder, or name one that is there with --to DIR";
    return error;
  }
  if (target->attributes.fs != to.root().attributes.fs) {
    return Error{.code = Errc::failed_precondition,
                 .message = quoted(where) + " is another filesystem that is mounted there",
                 .hint = "name a folder of the space itself with --to DIR"};
  }
  if (job_.viewer && !job_.viewer->may(target->attributes, Viewer::write | Viewer::search)) {
    return Error{.code = Errc::forbidden,
                 .message = "the owner of this space may not write into " + quoted(where),
                 .hint = "name one of their own folders with --to DIR, or ask an operator"};
  }
  HOMEPORT_TRY(auto present, to.lookup(calls_.writing(), target->node, job_.path.name()));
  return Ends{.source = *std::move(source), .target = *std::move(target), .present = std::move(present)};
}

bool Restore::goes_into_folder(const Ends& ends) const {
  return job_.way == RestoreWay::in_place && ends.present && is_directory(*ends.present) && is_directory(ends.source);
}

Result<CopyReport> Restore::check(Tree& from, Tree& to) {
  HOMEPORT_TRY(const auto found, ends(from, to));
  if (job_.way == RestoreWay::in_place && found.present && is_directory(*found.present) != is_directory(found.source)) {
    return in_the_way(job_.path, is_directory(*found.present) ? "a folder" : "no folder");
  }
  CopyPart part{.spared_prefix = std::string(kStagingPrefix)};
  if (job_.way != RestoreWay::whole) part.only = found.source;
  return TreeCopy(calls_, progress_).count(from, part);
}

// The directory of its own. Somebody else's under that name is left alone, and another name is taken.
Result<Entry> Restore::staging(Tree& to) {
  const auto root = to.root();
  const std::string name = state_.staging;
  for (unsigned number = 2; number < kMostStagings; ++number) {
    HOMEPORT_TRY(auto there, to.lookup(calls_.writing(), root.node, state_.staging));
    if (!there) {
      HOMEPORT_TRY(auto made, to.make_directory(calls_.writing(), root.node, state_.staging, {.mode = 0700}));
      fault_point("restore.staging.made");
      state_.staging_id = made.attributes.id;
      HOMEPORT_CHECK(keep_());
      return made;
    }
    const bool known = is_directory(*there) && there->attributes.id == state_.staging_id;
    if (known) return *std::move(there);
    if (is_directory(*there) && state_.staging_id == 0 && (there->attributes.mode & 0777U) == 0700) {
      // Made by a try that died before it could say so.
      HOMEPORT_TRY(const auto inside, list_all(calls_.writing, to, there->node, false));
      if (inside.entries.empty()) {
        state_.staging_id = there->attributes.id;
        HOMEPORT_CHECK(keep_());
        return *std::move(there);
      }
    }
    state_.staging = name + "-" + std::to_string(number);
    state_.staging_id = 0;
    HOMEPORT_CHECK(keep_());
  }
  return Error{.code = Errc::failed_precondition,
               .message = "names that begin with " + name + " are all taken at the top of the space",
               .hint = "remove them and try again"};
}

Result<CopyReport> Restore::copy(Tree& from, Tree& to) {
  HOMEPORT_TRY(const auto found, ends(from, to));
  HOMEPORT_TRY(const auto place, staging(to));
  TreeCopy copier(calls_, progress_);
  if (job_.way == RestoreWay::whole) {
    return copier.pass(
        from, to,
        {.staging = place.node, .spared_prefix = std::string(kStagingPrefix), .unchanged_since = job_.taken_at});
  }
  if (state_.merged != goes_into_folder(found)) {
    state_.merged = !state_.merged;
    HOMEPORT_CHECK(keep_());
  }
  if (!state_.merged) return copier.pass(from, to, {.only = found.source, .into = place.node});
  return copier.pass(from, to,
                     {.only = found.source,
                      .into = found.target.node,
                      .staging = place.node,
                      .keep_others = true,
                      .unchanged_since = job_.taken_at});
}

// Under a name that is free. Of files, one more name is made first, which never replaces anything.
Result<void> Restore::put_beside(Tree& to, const Node& dir, const Entry& staged, const Node& target) {
  if (staged.attributes.type == EntryType::file) {
    auto linked = to.link(calls_.writing(), staged.node, target, state_.name);
    if (linked) {
      fault_point("restore.place.linked");
      const std::array<Tree::Removal, 1> one{{{.directory = dir, .name = staged.name}}};
      return std::move(to.remove(calls_.writing(), one).front());
    }
    const auto code = linked.error().code;
    if (is_transient(code) || code == Errc::already_exists || code == Errc::internal) return linked;
  }
  HOMEPORT_TRY(const auto taken, to.lookup(calls_.writing(), target, state_.name));
  if (taken) return Error{.code = Errc::already_exists, .message = "'" + name_text(state_.name) + "' is taken"};
  return to.rename(calls_.writing(), dir, staged.name, target, state_.name);
}

Result<std::optional<Entry>> Restore::standing(Tree& to) {
  HOMEPORT_TRY(auto there, to.lookup(calls_.writing(), to.root().node, state_.staging));
  if (there && (state_.staging_id == 0 || there->attributes.id != state_.staging_id || !is_directory(*there)))
    there.reset();
  return there;
}

// Nothing is ready to be placed: a try that could not say so has placed it, or somebody took it away.
Result<TreePath> Restore::placed_before(Tree& to, const TreePath& folder) {
  if (!state_.name.empty()) {
    HOMEPORT_TRY(const auto there, find_entry(calls_.writing(), to, folder / state_.name, {}));
    if (there && there->attributes.id == state_.restored_id) return folder / state_.name;
  }
  return Error{.code = Errc::failed_precondition,
               .message = "what was made ready for " + quoted(job_.path) + " is gone: somebody moved it",
               .hint = "restore it again"};
}

Result<TreePath> Restore::place_over(Tree& to, const Node& own, const Entry& staged, const Ends& ends) {
  if (ends.present && (is_directory(*ends.present) || is_directory(staged)))
    return in_the_way(job_.path, is_directory(*ends.present) ? "a folder" : "no folder");
  state_.name = job_.path.name();
  HOMEPORT_CHECK(keep_());
  HOMEPORT_CHECK(to.rename(calls_.writing(), own, staged.name, ends.target.node, state_.name));
  fault_point("restore.place.renamed");
  return job_.path;
}

Result<TreePath> Restore::place(Tree& from, Tree& to) {
  if (job_.way == RestoreWay::whole) return TreePath{};
  if (state_.merged) return job_.path;
  const auto folder = job_.way == RestoreWay::into ? job_.into : job_.path.parent();
  HOMEPORT_TRY(const auto own, standing(to));
  if (!own) return placed_before(to, folder);
  HOMEPORT_TRY(const auto staged, to.lookup(calls_.writing(), own->node, job_.path.name()));
  if (!staged) return placed_before(to, folder);
  HOMEPORT_TRY(const auto found, ends(from, to));
  state_.restored_id = staged->attributes.id;
  if (job_.way == RestoreWay::in_place) return place_over(to, own->node, *staged, found);
  if (!state_.name.empty()) {  // a file may have its new name already, and its old one still
    HOMEPORT_TRY(const auto there, to.lookup(calls_.writing(), found.target.node, state_.name));
    if (there && there->attributes.id == staged->attributes.id && !is_directory(*there)) return folder / state_.name;
  }
  for (unsigned number = job_.way == RestoreWay::into ? 0 : 1; number < kMostNumbers; ++number) {
    state_.name =
        number == 0 ? job_.path.name() : restored_name(job_.path.name(), is_directory(*staged), job_.stamp, number);
    HOMEPORT_TRY(const auto taken, to.lookup(calls_.writing(), found.target.node, state_.name));
    if (taken) continue;
    HOMEPORT_CHECK(keep_());
    const auto put = put_beside(to, own->node, *staged, found.target.node);
    if (put) return folder / state_.name;
    if (put.error().code != Errc::already_exists) return put.error();
  }
  return Error{.code = Errc::failed_precondition,
               .message = quoted(job_.path) + " was restored from this snapshot " + std::to_string(kMostNumbers) +
                          " times already",
               .hint = "remove or rename some of them"};
}

Result<void> Restore::clean_up(Tree& to) {
  HOMEPORT_TRY(const auto own, standing(to));
  if (!own) return {};
  HOMEPORT_CHECK(remove_all(calls_.writing, to, to.root().node, *own));
  return {};
}

}  // namespace homeport::trees
