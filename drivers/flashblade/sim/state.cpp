#include "drivers/flashblade/sim/state.h"

#include <fcntl.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

#include "drivers/flashblade/sim/policies.h"

namespace homeport::fbsim {
namespace {

constexpr int kFormat = 1;

template <class F>
void each_field(Source& source, F field) {
  field("id", source.id);
  field("name", source.name);
  field("type", source.type);
  field("location", source.location);
}

template <class F>
void each_field(FileSystem& fs, F field) {
  field("id", fs.id);
  field("name", fs.name);
  field("created", fs.created);
  field("provisioned", fs.provisioned);
  field("used", fs.used);
  field("user_quota", fs.user_quota);
  field("group_quota", fs.group_quota);
  field("hard_limit", fs.hard_limit);
  field("fast_remove", fs.fast_remove);
  field("snapshot_directory", fs.snapshot_directory);
  field("v3", fs.v3);
  field("v41", fs.v41);
  field("smb", fs.smb);
  field("smb_continuous", fs.smb_continuous);
  field("http", fs.http);
  field("safeguard_acls", fs.safeguard_acls);
  field("writable", fs.writable);
  field("demoted_wanted", fs.demoted_wanted);
  field("promotion", fs.promotion);
  field("promoted_at", fs.promoted_at);
  field("access_style", fs.access_style);
  field("group_ownership", fs.group_ownership);
  field("eradication_mode", fs.eradication_mode);
  field("rules", fs.rules);
  field("export_policy", fs.export_policy);
  field("smb_client_policy", fs.smb_client_policy);
  field("smb_share_policy", fs.smb_share_policy);
  field("qos_policy", fs.qos_policy);
  field("storage_class", fs.storage_class);
  field("destroyed", fs.destroyed);
  field("delete_link", fs.delete_link);
  field("eradicate_at", fs.eradicate_at);
  field("exports", fs.exports);
  field("policies", fs.policies);
  field("recorded_logical", fs.recorded.logical);
  field("recorded_unique", fs.recorded.unique);
  field("recorded_snapshots", fs.recorded.snapshots);
}

template <class F>
void each_field(Snapshot& snapshot, F field) {
  field("id", snapshot.id);
  field("name", snapshot.name);
  field("created", snapshot.created);
  field("suffix", snapshot.suffix);
  field("policy", snapshot.policy);
  field("destroyed", snapshot.destroyed);
  field("destroyed_with_owner", snapshot.destroyed_with_owner);
  field("eradicate_at", snapshot.eradicate_at);
  field("captured", snapshot.captured);
  field("sequence", snapshot.sequence);
}

template <class T>
Json to_json(const T& object) {
  Json out;
  // The list of members is one for both ways; here they are only read.
  each_field(const_cast<T&>(object), [&](const char* name, const auto& value) { out[name] = value; });
  return out;
}

template <class T>
T from_json(const Json& in) {
  T out;
  each_field(out, [&](const char* name, auto& value) { in.at(name).get_to(value); });
  return out;
}

Json accounts_to_json(const std::map<std::uint32_t, Account>& accounts) {
  Json out = Json::array();
  for (const auto& [id, account] : accounts) out.push_back({id, account.usage, account.quota});
  return out;
}

std::map<std::uint32_t, Account> accounts_from_json(const Json& in) {
  std::map<std::uint32_t, Account> out;
  for (const auto& item : in)
    out[item.at(0).get<std::uint32_t>()] = {item.at(1).get<std::uint64_t>(), item.at(2).get<std::uint64_t>()};
  return out;
}

Json whole_state(const World& world) {
  Json out = {{"format", kFormat},
              {"array", {{"id", world.array.id}, {"name", world.array.name}, {"fields", world.array.fields}}},
              {"clock_offset", world.clock_offset},
              {"last_sequence", world.last_sequence},
              {"audits", world.audits},
              {"session_log", world.session_log}};
  for (const auto& [key, fs] : world.file_systems.order()) {
    Json item = to_json(*fs);
    item["source"] = to_json(fs->source);
    item["users"] = accounts_to_json(fs->users);
    item["groups"] = accounts_to_json(fs->groups);
    item["snapshots"] = Json::array();
    for (const auto* snapshot : fs->snapshots) {
      Json copy = to_json(*snapshot);
      copy["source"] = to_json(snapshot->source);
      item["snapshots"].push_back(std::move(copy));
    }
    out["file_systems"].push_back(std::move(item));
  }
  for (const auto& [type, table] : world.documents) {
    Json items = Json::array();
    for (const auto& [key, document] : table.order()) {
      items.push_back({{"id", document->id}, {"name", document->name}, {"fields", document->fields}});
    }
    out["documents"][type] = std::move(items);
  }
  return out;
}

void restore_file_system(World& world, const Json& item) {
  auto fs = from_json<FileSystem>(item);
  fs.source = from_json<Source>(item.at("source"));
  fs.users = accounts_from_json(item.at("users"));
  fs.groups = accounts_from_json(item.at("groups"));
  auto& placed = world.file_systems.insert(std::move(fs));
  for (const auto& copy : item.at("snapshots")) {
    auto snapshot = from_json<Snapshot>(copy);
    snapshot.source = from_json<Source>(copy.at("source"));
    snapshot.owner = &placed;
    auto& kept = world.snapshots.insert(std::move(snapshot));
    placed.snapshots.push_back(&kept);
    if (!kept.destroyed_with_owner) world.schedule(kept);
  }
  world.schedule(placed);
}

void restore_state(World& world, const Json& state) {
  world.clear_timers();
  world.snapshots.clear();
  world.file_systems.clear();
  world.documents.clear();
  const auto& array = state.at("array");
  world.array.id = array.at("id");
  world.array.name = array.at("name");
  world.array.fields = array.at("fields");
  world.clock_offset = state.at("clock_offset");
  world.last_sequence = state.at("last_sequence");
  world.audits = state.at("audits").get<std::deque<Json>>();
  world.session_log = state.at("session_log").get<std::deque<Json>>();
  for (const auto& [type, items] : state.at("documents").items()) {
    for (const auto& item : items) {
      Document document;
      document.id = item.at("id");
      document.name = item.at("name");
      document.fields = item.at("fields");
      world.table(type).insert(std::move(document));
    }
  }
  for (const auto& item : state.value("file_systems", Json::array())) restore_file_system(world, item);
  for (const auto& [key, policy] : world.table("policies").order()) schedule_policy(world, *policy);
}

Error cannot(const std::filesystem::path& file, const char* what) {
  return Error{.code = Errc::failed_precondition,
               .message = std::string("cannot ") + what + " the state " + file.string(),
               .hint = "give a file in a directory that can be written"};
}

}  // namespace

Result<void> save_state(const World& world, const std::filesystem::path& file) {
  const std::string text = whole_state(world).dump(-1, ' ', false, Json::error_handler_t::replace);
  const std::string fresh = file.string() + ".new";
  const int fd = ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) return cannot(file, "write");
  std::size_t done = 0;
  while (done < text.size()) {
    const auto count = ::write(fd, text.data() + done, text.size() - done);
    if (count <= 0) break;
    done += static_cast<std::size_t>(count);
  }
  const bool synced = ::fsync(fd) == 0;
  const bool closed = ::close(fd) == 0;
  if (done != text.size() || !synced || !closed || ::rename(fresh.c_str(), file.c_str()) != 0)
    return cannot(file, "write");
  return {};
}

Result<bool> load_state(World& world, const std::filesystem::path& file) {
  std::ifstream in(file);
  if (!in) return false;
  std::stringstream text;
  text << in.rdbuf();
  try {
    const auto state = Json::parse(text.str());
    if (state.at("format") != kFormat) {
      return Error{.code = Errc::invalid_argument,
                   .message = "the state " + file.string() + " is of another version",
                   .hint = "move it away to start with an empty array"};
    }
    restore_state(world, state);
  } catch (const Json::exception& problem) {
    return Error{.code = Errc::invalid_argument,
                 .message = "the state " + file.string() + " cannot be read: " + problem.what(),
                 .hint = "move it away to start with an empty array"};
  }
  return true;
}

}  // namespace homeport::fbsim
