#include "drivers/nfs/nfs_snapshots.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <tuple>

#include "drivers/nfs/imports.h"
#include "drivers/nfs/nfs_xdr.h"

namespace homeport::drivers::nfs {
namespace {

// Where snapshots of a space are looked for.
struct Where {
  Site* site;
  std::vector<std::string> parts;  // from the top of the export, and of each snapshot, to the space
  Entry live;
};

Result<Where> where_of(const OpContext& op, Backend& backend, const ObjectRef& ref) {
  HOMEPORT_TRY(const auto live, open_object_tree(op, backend, ref));
  if (ref.imported) {
    HOMEPORT_TRY(const auto path, AbsolutePath::parse(ref.name));
    HOMEPORT_TRY(auto below, export_of(op, backend, path));
    return Where{
        .site = &backend.export_site(below.export_path), .parts = std::move(below.parts), .live = live->root()};
  }
  HOMEPORT_TRY(Site * site, backend.pool_site(ref.layout, ref.pool));
  HOMEPORT_TRY(const auto homes, AbsolutePath::parse(backend.homes_path(*site->pool)));
  auto parts = parts_below(site->pool->export_path, homes);
  parts.push_back(ref.name);
  return Where{.site = site, .parts = std::move(parts), .live = live->root()};
}

// The directory at the top of the export that holds the snapshots. nullopt: none that could be believed.
Result<std::optional<Entry>> snapshot_directory(const OpContext& op, Session& session, const Entry& live) {
  static const std::array<std::vector<std::string>, 2> kPlaces{{{".snapshot"}, {".zfs", "snapshot"}}};
  for (const auto& place : kPlaces) {
    std::optional<Entry> at = session.root();
    for (const auto& part : place) {
      auto next = session.lookup(op, at->node, part);
      if (!next && !is_refusal(next.error())) return std::move(next).error();
      at = next ? *std::move(next) : std::nullopt;
      if (!at || at->attributes.type != EntryType::directory) break;
      const bool theirs = at->attributes.uid == live.attributes.uid && at->attributes.uid != Uid{0};
      if (theirs) at.reset();
      if (!at) break;
    }
    if (at && at->attributes.type == EntryType::directory) return at;
  }
  return std::optional<Entry>{};
}

// The space in each of the snapshots, all of them asked for at once, part by part.
Result<std::vector<std::optional<Entry>>> roots_in(const OpContext& op, Session& session, const Where& where,
                                                   const Node& directory, std::span<const std::string> names) {
  std::vector<std::optional<Entry>> out(names.size());
  std::vector<std::size_t> alive;
  std::vector<NameRequest> asked;
  for (std::size_t i = 0; i < names.size(); ++i) {
    HOMEPORT_CHECK(check_component(names[i]));
    alive.push_back(i);
    asked.push_back({.dir = directory, .name = names[i]});
  }
  for (std::size_t depth = 0; !asked.empty(); ++depth) {
    auto found = session.lookup(op, asked);
    asked.clear();
    std::vector<std::size_t> left;
    for (std::size_t i = 0; i < found.size(); ++i) {
      if (!found[i] && !is_refusal(found[i].error()) && !is_stale(found[i].error())) return found[i].error();
      auto entry = found[i] ? *std::move(found[i]) : std::nullopt;
      if (!entry || entry->attributes.type != EntryType::directory) continue;
      if (depth < where.parts.size()) {
        left.push_back(alive[i]);
        asked.push_back({.dir = entry->node, .name = where.parts[depth]});
        continue;
      }
      out[alive[i]] = std::move(entry);
    }
    alive = std::move(left);
  }
  return out;
}

// What was imported has no name of ours: another person's directory may have had its path before.
bool is_theirs(const ObjectRef& ref, const Where& where, const Entry& root) {
  return !ref.imported || root.attributes.uid == where.live.attributes.uid;
}

std::string words(const ObjectRef& ref, const std::string& name) {
  return ref.name + "@" + printable(name, 80);
}

std::optional<int> digits(std::string_view text, std::size_t at, std::size_t count, int low, int high) {
  if (at + count > text.size()) return std::nullopt;
  int out = 0;
  for (const char c : text.substr(at, count)) {
    if (c < '0' || c > '9') return std::nullopt;
    out = out * 10 + (c - '0');
  }
  if (out < low || out > high) return std::nullopt;
  return out;
}

std::size_t after_mark(std::string_view text, std::size_t at, std::string_view marks) {
  return at < text.size() && marks.find(text[at]) != std::string_view::npos ? at + 1 : at;
}

std::optional<WallTime> time_at(std::string_view name, std::size_t at) {
  const auto year = digits(name, at, 4, 1990, 2200);
  if (!year) return std::nullopt;
  at = after_mark(name, at + 4, "-._");
  const auto month = digits(name, at, 2, 1, 12);
  if (!month) return std::nullopt;
  at = after_mark(name, at + 2, "-._");
  const auto day = digits(name, at, 2, 1, 31);
  if (!day) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year{*year}, std::chrono::month{static_cast<unsigned>(*month)},
                                         std::chrono::day{static_cast<unsigned>(*day)}};
  if (!date.ok()) return std::nullopt;
  WallTime out = std::chrono::sys_days{date};
  at = after_mark(name, at + 2, "-._T ");
  const auto hour = digits(name, at, 2, 0, 23);
  if (!hour) return out;
  at = after_mark(name, at + 2, ":.-_h");
  const auto minute = digits(name, at, 2, 0, 59);
  if (!minute) return out;
  out += std::chrono::hours{*hour} + std::chrono::minutes{*minute};
  at = after_mark(name, at + 2, ":.-_");
  if (const auto second = digits(name, at, 2, 0, 59)) out += std::chrono::seconds{*second};
  return out;
}

}  // namespace

std::optional<WallTime> time_in_name(std::string_view name) {
  for (std::size_t at = 0; at < name.size(); ++at) {
    const bool in_number = at > 0 && name[at - 1] >= '0' && name[at - 1] <= '9';
    if (in_number) continue;
    if (const auto time = time_at(name, at)) return time;
  }
  return std::nullopt;
}

Result<void> list_server_snapshots(const OpContext& op, Backend& backend, const ObjectRef& ref,
                                   std::vector<Snapshot>& page) {
  HOMEPORT_TRY(const auto where, where_of(op, backend, ref));
  std::vector<Snapshot> found;
  HOMEPORT_CHECK(with_session(op, backend, *where.site, [&](Session& session) -> Result<void> {
    found.clear();
    HOMEPORT_TRY(const auto directory, snapshot_directory(op, session, where.live));
    if (!directory) return {};
    std::vector<std::string> names;
    ListRequest request{.directory = directory->node};
    do {
      HOMEPORT_TRY(auto listed, session.list(op, request));
      for (auto& entry : listed.entries) {
        if (entry.attributes.type == EntryType::directory) names.push_back(std::move(entry.name));
      }
      request.from = std::move(listed.next);
    } while (request.from);
    std::sort(names.begin(), names.end());
    names.erase(std::unique(names.begin(), names.end()), names.end());
    HOMEPORT_TRY(const auto roots, roots_in(op, session, where, directory->node, names));
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (!roots[i] || !is_theirs(ref, where, *roots[i])) continue;
      const auto& a = roots[i]->attributes;
      found.push_back({.id = names[i],
                       .name = names[i],
                       .taken_at = time_in_name(names[i]).value_or(std::max(a.modified, a.changed))});
    }
    return {};
  }));
  std::sort(found.begin(), found.end(),
            [](const auto& a, const auto& b) { return std::tie(a.taken_at, a.name) < std::tie(b.taken_at, b.name); });
  std::move(found.begin(), found.end(), std::back_inserter(page));
  return {};
}

Result<OpenedSnapshots> open_server_snapshots(const OpContext& op, Backend& backend, const ObjectRef& ref,
                                              std::span<const std::string> names) {
  HOMEPORT_TRY(const auto where, where_of(op, backend, ref));
  return with_session(op, backend, *where.site, [&](Session& session) -> Result<OpenedSnapshots> {
    HOMEPORT_TRY(auto directory, snapshot_directory(op, session, where.live));
    if (!directory) {
      return Error{.code = Errc::not_found,
                   .message = "export " + where.site->export_path + " shows no snapshots",
                   .hint = "the server must show .snapshot or .zfs/snapshot at the top of the export"};
    }
    OpenedSnapshots out;
    HOMEPORT_TRY(out.roots, roots_in(op, session, where, directory->node, names));
    for (auto& root : out.roots) {
      if (root && !is_theirs(ref, where, *root)) root.reset();
    }
    out.tree =
        std::make_unique<NfsTree>(backend, *where.site, *std::move(directory), ref.name + "@", TreeMode::read_only);
    return out;
  });
}

Result<std::unique_ptr<Tree>> open_snapshot_tree(const OpContext& op, Backend& backend, const ObjectRef& ref,
                                                 const std::string& name) {
  const std::array<std::string, 1> names{name};
  HOMEPORT_TRY(auto opened, open_server_snapshots(op, backend, ref, names));
  if (!opened.roots.front()) {
    return Error{.code = Errc::not_found, .message = "there is no snapshot " + words(ref, name) + " on the server"};
  }
  HOMEPORT_TRY(const auto where, where_of(op, backend, ref));
  return std::unique_ptr<Tree>(std::make_unique<NfsTree>(backend, *where.site, *std::move(opened.roots.front()),
                                                         words(ref, name), TreeMode::read_only));
}

}  // namespace homeport::drivers::nfs
