#include "api/wire_restore.h"

#include "api/params.h"
#include "api/wire_common.h"
#include "api/wire_operation.h"

namespace homeport::api {
namespace {

using nlohmann::json;

std::string type_word(drivers::EntryType type) {
  switch (type) {
    case drivers::EntryType::file: return "file";
    case drivers::EntryType::directory: return "directory";
    case drivers::EntryType::symlink: return "link";
    case drivers::EntryType::other: break;
  }
  return "other";
}

json attributes_json(const drivers::EntryAttributes& a) {
  return {{"type", type_word(a.type)}, {"size_bytes", a.size}, {"mode", mode_text(a.mode)},
          {"uid", a.uid.value},        {"gid", a.gid.value},   {"modified_at", time_json(a.modified)}};
}

json version_json(const core::FileVersion& version) {
  auto out = attributes_json(version.attributes);
  out["sha256"] = or_null(version.digest);
  return out;
}

trees::TreePath path_in(DocReader& in, const char* member) {
  const auto text = in.text(member, "");
  auto path = trees::TreePath::parse(text);
  if (path) return std::move(path).value();
  in.problem(member, path.error().message, path.error().hint);
  return {};
}

}  // namespace

RestoreWish read_restore_wish(DocReader& in) {
  RestoreWish wish;
  wish.path = path_in(in, "path");
  const auto way = in.text("way", "beside");
  if (const auto known = trees::restore_way_from_name(way)) {
    wish.way = *known;
  } else {
    in.problem("way", "'" + printable(way, 40) + "' is no way to restore", "give beside, in-place, to or whole");
  }
  wish.to = path_in(in, "to");
  if (in.has("to") != (wish.way == trees::RestoreWay::into))
    in.problem("to", "goes with the way \"to\" and with no other", "name the folder, or leave it out");
  wish.force = in.boolean("force", false);
  wish.safety_snapshot = in.boolean("safety_snapshot", true);
  return wish;
}

json directory_json(const core::DirectoryPage& page, const trees::TreePath& path) {
  json items = json::array();
  for (const auto& entry : page.entries) {
    auto item = attributes_json(entry.attributes);
    item["name"] = trees::name_text(entry.name);
    items.push_back(std::move(item));
  }
  return {{"space", page.snapshot.space},
          {"snapshot", page.snapshot.name},
          {"taken_at", time_json(page.snapshot.taken_at)},
          {"path", path.text()},
          {"is_directory", page.is_directory},
          {"items", std::move(items)},
          {"next", page.next ? json(make_cursor(*page.next)) : json(nullptr)}};
}

json versions_json(const std::string& space, const core::FileVersions& found, const trees::TreePath& path) {
  json items = json::array();
  for (const auto& version : found.versions) {
    auto item = version_json(version);
    item["snapshot"] = version.snapshot.name;
    item["label"] = text_or_null(version.snapshot.label);
    item["taken_at"] = time_json(version.snapshot.taken_at);
    item["as_now"] = version.as_now;
    items.push_back(std::move(item));
  }
  return {{"space", space},
          {"path", path.text()},
          {"now", found.now ? version_json(*found.now) : json(nullptr)},
          {"items", std::move(items)},
          {"snapshots", found.looked_into},
          {"notes", found.notes}};
}

json restored_json(const store::OperationRecord& operation) {
  return {{"path", operation.plan.value("result", "")},
          {"notes", operation.plan.value("notes", json::array())},
          {"operation", operation_json(operation)}};
}

}  // namespace homeport::api
