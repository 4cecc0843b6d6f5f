#include "drivers/flashblade/array_api.h"

#include <algorithm>

#include "drivers/flashblade/answers.h"
#include "provisioner/base/names.h"

namespace homeport::drivers::flashblade {
namespace {

using nlohmann::json;

// The one item for which `fits`. nullopt: an empty list. Others than that: strange.
template <class T, class Read, class Fits>
Result<std::optional<T>> only(const json& body, const std::string& what, Read read, Fits fits) {
  HOMEPORT_TRY(const json* items, items_of(body, what));
  std::optional<T> found;
  for (const auto& item : *items) {
    HOMEPORT_TRY(auto one, read(item));
    if (!fits(one)) return strange(what, "it holds '" + printable(one.name, 80) + "', which was not asked for");
    if (found) return strange(what, "it holds the same thing twice");
    found = std::move(one);
  }
  return found;
}

bool is_missing(const Error& error) {
  return error.code == Errc::not_found;
}

json body_of(const NewFileSystem& wanted) {
  json body{{"hard_limit_enabled", wanted.provisioned.has_value()},
            {"snapshot_directory_enabled", true},
            {"nfs", {{"v3_enabled", true}, {"v4_1_enabled", true}, {"rules", wanted.rules}}}};
  if (wanted.provisioned) body["provisioned"] = *wanted.provisioned;
  return body;
}

json body_of(const FileSystemChange& change) {
  json body = json::object();
  if (change.provisioned) {
    body["provisioned"] = change.provisioned->value_or(0);  // 0: unlimited
    body["hard_limit_enabled"] = change.provisioned->has_value();
  }
  if (change.nfs) {
    body["nfs"]["v3_enabled"] = *change.nfs;
    body["nfs"]["v4_1_enabled"] = *change.nfs;
  }
  if (change.rules) body["nfs"]["rules"] = *change.rules;
  if (change.export_policy) body["nfs"]["export_policy"] = {{"name", *change.export_policy}};
  if (change.destroyed) body["destroyed"] = *change.destroyed;
  // Older versions may refuse to destroy what a protocol still serves.
  if (change.destroyed == true) {
    body["smb"] = {{"enabled", false}};
    body["http"] = {{"enabled", false}};
  }
  return body;
}

std::string text_of(bool value) {
  return value ? "true" : "false";
}

std::string quoted(const std::string& text) {
  return "'" + text + "'";
}

std::vector<std::pair<std::string, std::string>> quota_query(const std::string& file_system, ArrayApi::Who who,
                                                             std::uint32_t id) {
  return {{"file_system_names", file_system}, {who == ArrayApi::Who::user ? "uids" : "gids", std::to_string(id)}};
}
std::string quota_endpoint(ArrayApi::Who who) {
  return who == ArrayApi::Who::user ? "quotas/users" : "quotas/groups";
}

}  // namespace

Result<std::optional<json>> ArrayApi::change(const OpContext& op, const ApiCall& call) {
  if (!op.dry_run) {
    HOMEPORT_TRY(auto body, session_.call(op, call));
    return std::optional<json>(std::move(body));
  }
  HOMEPORT_CHECK(session_.version(op));  // refused for the same reasons as a real one
  if (op.calls != nullptr) op.calls->add(call.line());
  return std::optional<json>();
}

Result<ArrayFacts> ArrayApi::array(const OpContext& op) {
  HOMEPORT_TRY(const auto body, session_.call(op, {.method = "GET", .endpoint = "arrays"}));
  HOMEPORT_TRY(const json* items, items_of(body, "GET arrays"));
  if (items->size() != 1) return strange("GET arrays", "it names " + std::to_string(items->size()) + " arrays");
  return array_from(items->front());
}

Result<ArraySpace> ArrayApi::space(const OpContext& op) {
  HOMEPORT_TRY(const auto body, session_.call(op, {.method = "GET", .endpoint = "arrays/space"}));
  HOMEPORT_TRY(const json* items, items_of(body, "GET arrays/space"));
  if (items->empty()) return strange("GET arrays/space", "it is empty");
  return space_from(items->front());
}

Result<std::vector<NetworkInterface>> ArrayApi::interfaces(const OpContext& op) {
  std::vector<NetworkInterface> out;
  std::optional<std::string> from;
  do {
    ApiCall call{.method = "GET", .endpoint = "network-interfaces", .query = {{"limit", "1000"}}};
    if (from) call.query.emplace_back("continuation_token", *from);
    HOMEPORT_TRY(const auto body, session_.call(op, call));
    HOMEPORT_TRY(auto page, listing_of<NetworkInterface>(body, call.words(), &interface_from));
    out.insert(out.end(), page.items.begin(), page.items.end());
    from = std::move(page.next);
  } while (from);
  return out;
}

Result<std::optional<ExportPolicy>> ArrayApi::export_policy(const OpContext& op, const std::string& name) {
  const ApiCall call{.method = "GET", .endpoint = "nfs-export-policies", .query = {{"names", name}}};
  auto body = session_.call(op, call);
  if (!body && is_missing(body.error())) return std::optional<ExportPolicy>();
  if (!body) return std::move(body).error();
  return only<ExportPolicy>(*body, call.words(), &export_policy_from, [&](const auto& p) { return p.name == name; });
}

Result<std::optional<FileSystem>> ArrayApi::file_system(const OpContext& op, const std::string& name) {
  const ApiCall call{.method = "GET", .endpoint = "file-systems", .query = {{"names", name}}};
  auto body = session_.call(op, call);
  if (!body && is_missing(body.error())) return std::optional<FileSystem>();
  if (!body) return std::move(body).error();
  return only<FileSystem>(*body, call.words(), &file_system_from, [&](const auto& fs) { return fs.name == name; });
}

Result<std::optional<FileSystem>> ArrayApi::file_system_by_id(const OpContext& op, const std::string& id) {
  const ApiCall call{.method = "GET", .endpoint = "file-systems", .query = {{"ids", id}}};
  auto body = session_.call(op, call);
  if (!body && is_missing(body.error())) return std::optional<FileSystem>();
  if (!body) return std::move(body).error();
  return only<FileSystem>(*body, call.words(), &file_system_from, [&](const auto& fs) { return fs.id == id; });
}

Result<Listing<FileSystem>> ArrayApi::file_systems(const OpContext& op, const std::string& prefix,
                                                   std::optional<bool> destroyed,
                                                   const std::optional<std::string>& from, std::uint32_t limit) {
  ApiCall call{.method = "GET", .endpoint = "file-systems", .query = {{"limit", std::to_string(limit)}}};
  call.members = &file_system_members();
  if (!prefix.empty()) call.query.emplace_back("filter", "name=" + quoted(prefix + "*"));
  if (destroyed) call.query.emplace_back("destroyed", text_of(*destroyed));
  if (from) call.query.emplace_back("continuation_token", *from);
  HOMEPORT_TRY(const auto body, session_.call(op, call));
  HOMEPORT_TRY(auto page, listing_of<FileSystem>(body, call.words(), &file_system_from));
  std::erase_if(page.items, [&](const FileSystem& fs) {
    return !fs.name.starts_with(prefix) || (destroyed && fs.destroyed != *destroyed);
  });
  return page;
}

// Either the answer, or what has the name when it was taken or when the answer never came.
Result<std::optional<ArrayApi::Made>> ArrayApi::make(const OpContext& op, const ApiCall& call,
                                                     const std::string& name) {
  auto body = change(op, call);
  if (body && !*body) return std::optional<Made>();
  if (body) {
    const auto fits = [&](const auto& fs) { return fs.name == name; };
    HOMEPORT_TRY(auto made, only<FileSystem>(**body, call.words(), &file_system_from, fits));
    if (!made) return strange(call.words(), "it is empty");
    return std::optional<Made>(Made{.file_system = *std::move(made)});
  }
  const bool taken = body.error().code == Errc::already_exists;
  if (!taken && !body.error().maybe_applied) return std::move(body).error();
  auto stands = file_system(op, name);
  if (stands && *stands) return std::optional<Made>(Made{.file_system = **std::move(stands), .stood = true});
  if (!stands && taken) return std::move(stands).error();
  return std::move(body).error();
}

Result<std::optional<ArrayApi::Made>> ArrayApi::create_file_system(const OpContext& op, const NewFileSystem& wanted) {
  HOMEPORT_TRY(const auto version, session_.version(op));
  ApiCall call{
      .method = "POST", .endpoint = "file-systems", .query = {{"names", wanted.name}}, .body = body_of(wanted)};
  if (version.has(since::kExportObjects)) call.query.emplace_back("default_exports", "nfs");
  return make(op, call, wanted.name);
}

Result<std::optional<ArrayApi::Made>> ArrayApi::copy_file_system(const OpContext& op, const NewFileSystem& wanted,
                                                                 const FileSystemSnapshot& from) {
  ApiCall call{.method = "POST",
               .endpoint = "file-systems",
               .query = {{"names", wanted.name}, {"include_snapshot", "true"}, {"default_exports", "nfs"}},
               .body = body_of(wanted)};
  (*call.body)["source"] = {{"name", from.name}};
  return make(op, call, wanted.name);
}

Result<std::optional<FileSystem>> ArrayApi::change_file_system(const OpContext& op, const std::string& id,
                                                               const FileSystemChange& wanted) {
  ApiCall call{.method = "PATCH", .endpoint = "file-systems", .query = {{"ids", id}}, .body = body_of(wanted)};
  if (wanted.ignore_usage) call.query.emplace_back("ignore_usage", "true");
  auto answered = change(op, call);
  // One with a link to a copy goes only when its link may go with it. The copy itself stays on the other array.
  const bool linked = !answered && wanted.destroyed == true && answered.error().upstream &&
                      answered.error().upstream->detail.find("replica link") != std::string::npos;
  if (linked) {
    call.query.emplace_back("delete_link_on_eradication", "true");
    answered = change(op, call);
  }
  HOMEPORT_TRY(const auto body, std::move(answered));
  if (!body) return std::optional<FileSystem>();
  HOMEPORT_TRY(auto now,
               only<FileSystem>(*body, call.words(), &file_system_from, [&](const auto& fs) { return fs.id == id; }));
  if (!now) return strange(call.words(), "it is empty");
  return now;
}

Result<void> ArrayApi::eradicate_file_system(const OpContext& op, const std::string& id) {
  const auto done = change(op, {.method = "DELETE", .endpoint = "file-systems", .query = {{"ids", id}}});
  if (!done && !is_missing(done.error())) return done.error();
  return {};
}

Result<Listing<FileSystemSnapshot>> ArrayApi::snapshots(const OpContext& op, const FileSystem& of,
                                                        const std::optional<std::string>& from, std::uint32_t limit) {
  ApiCall call{.method = "GET",
               .endpoint = "file-system-snapshots",
               .query = {{"owner_ids", of.id}, {"destroyed", "false"}, {"limit", std::to_string(limit)}}};
  if (from) call.query.emplace_back("continuation_token", *from);
  auto body = session_.call(op, call);
  if (!body && is_missing(body.error())) return Listing<FileSystemSnapshot>{};
  if (!body) return std::move(body).error();
  HOMEPORT_TRY(auto page, listing_of<FileSystemSnapshot>(*body, call.words(), &snapshot_from));
  std::erase_if(page.items, [&](const auto& snapshot) { return snapshot.owner_id != of.id || snapshot.destroyed; });
  return page;
}

Result<std::optional<FileSystemSnapshot>> ArrayApi::snapshot(const OpContext& op, const FileSystem& of,
                                                             const std::string& suffix) {
  const std::string name = of.name + "." + suffix;
  const ApiCall call{.method = "GET", .endpoint = "file-system-snapshots", .query = {{"names_or_owner_names", name}}};
  auto body = session_.call(op, call);
  if (!body && is_missing(body.error())) return std::optional<FileSystemSnapshot>();
  if (!body) return std::move(body).error();
  return only<FileSystemSnapshot>(*body, call.words(), &snapshot_from, [&](const auto& s) { return s.name == name; });
}

Result<std::uint64_t> ArrayApi::count_snapshots(const OpContext& op, const FileSystem* of) {
  ApiCall call{.method = "GET", .endpoint = "file-system-snapshots", .query = {{"limit", "1"}}};
  if (of != nullptr) call.query.emplace_back("owner_ids", of->id);
  auto body = session_.call(op, call);
  if (!body && is_missing(body.error())) return std::uint64_t{0};
  if (!body) return std::move(body).error();
  HOMEPORT_TRY(const auto page, listing_of<FileSystemSnapshot>(*body, call.words(), &snapshot_from));
  if (!page.total) return strange(call.words(), "it does not say how many there are");
  if (of != nullptr && !page.items.empty() && page.items.front().owner_id != of->id) {
    return strange(call.words(), "it counts the snapshots of others");
  }
  return *page.total;
}

Result<std::optional<FileSystemSnapshot>> ArrayApi::take_snapshot(const OpContext& op, const FileSystem& of,
                                                                  const std::string& suffix) {
  const std::string name = of.name + "." + suffix;
  // Without a source every file system of the array would be taken: an id is never empty here.
  const ApiCall call{.method = "POST",
                     .endpoint = "file-system-snapshots",
                     .query = {{"source_ids", of.id}},
                     .body = json{{"suffix", suffix}}};
  auto body = change(op, call);
  if (body && !*body) return std::optional<FileSystemSnapshot>();
  if (body) {
    const auto fits = [&](const auto& s) { return s.name == name; };
    HOMEPORT_TRY(auto taken, only<FileSystemSnapshot>(**body, call.words(), &snapshot_from, fits));
    if (!taken) return strange(call.words(), "it is empty");
    return taken;
  }
  const bool taken = body.error().code == Errc::already_exists;
  if (!taken && !body.error().maybe_applied) return std::move(body).error();
  auto stands = snapshot(op, of, suffix);
  if (stands && *stands) return stands;
  if (!stands && taken) return stands;
  return std::move(body).error();
}

Result<void> ArrayApi::destroy_snapshot(const OpContext& op, const std::string& id) {
  const auto done = change(op, {.method = "PATCH",
                                .endpoint = "file-system-snapshots",
                                .query = {{"ids", id}},
                                .body = json{{"destroyed", true}}});
  if (!done && !is_missing(done.error())) return done.error();
  return {};
}

Result<void> ArrayApi::eradicate_snapshot(const OpContext& op, const std::string& id) {
  const auto done = change(op, {.method = "DELETE", .endpoint = "file-system-snapshots", .query = {{"ids", id}}});
  if (!done && !is_missing(done.error())) return done.error();
  return {};
}

Result<void> ArrayApi::overwrite(const OpContext& op, const FileSystem& target, const FileSystemSnapshot& from) {
  const auto done =
      change(op, {.method = "POST",
                  .endpoint = "file-systems",
                  .query = {{"names", target.name}, {"overwrite", "true"}, {"discard_non_snapshotted_data", "true"}},
                  .body = json{{"source", {{"name", from.name}}}}});
  if (!done) return done.error();
  return {};
}

Result<std::optional<QuotaEntry>> ArrayApi::quota(const OpContext& op, const std::string& file_system, Who who,
                                                  std::uint32_t id) {
  const ApiCall call{.method = "GET", .endpoint = quota_endpoint(who), .query = quota_query(file_system, who, id)};
  auto body = session_.call(op, call);
  if (!body && is_missing(body.error())) return std::optional<QuotaEntry>();
  if (!body) return std::move(body).error();
  HOMEPORT_TRY(const json* items, items_of(*body, call.words()));
  for (const auto& item : *items) {
    HOMEPORT_TRY(auto entry, quota_from(item, who == Who::group));
    if (entry.id == id && entry.file_system == file_system) return std::optional<QuotaEntry>(entry);
  }
  return std::optional<QuotaEntry>();
}

// Arrays keep entries of quota 0 for people who were there: then a POST says that one exists.
Result<void> ArrayApi::set_quota(const OpContext& op, const std::string& file_system, Who who, std::uint32_t id,
                                 std::uint64_t bytes) {
  HOMEPORT_TRY(const auto stands, quota(op, file_system, who, id));
  if (stands && stands->quota == bytes) return {};
  ApiCall call{.method = stands ? "PATCH" : "POST",
               .endpoint = quota_endpoint(who),
               .query = quota_query(file_system, who, id),
               .body = json{{"quota", bytes}}};
  auto done = change(op, call);
  if (!done && done.error().code == Errc::already_exists && call.method == "POST") {
    call.method = "PATCH";
    done = change(op, call);
  }
  if (!done) return done.error();
  return {};
}

Result<void> ArrayApi::remove_quota(const OpContext& op, const std::string& file_system, Who who, std::uint32_t id) {
  HOMEPORT_TRY(const auto stands, quota(op, file_system, who, id));
  if (!stands || stands->quota == 0) return {};
  const auto done =
      change(op, {.method = "DELETE", .endpoint = quota_endpoint(who), .query = quota_query(file_system, who, id)});
  if (!done && !is_missing(done.error())) return done.error();
  return {};
}

}  // namespace homeport::drivers::flashblade
