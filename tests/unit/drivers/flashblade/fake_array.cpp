#include "tests/unit/drivers/flashblade/fake_array.h"

#include <algorithm>

namespace homeport::testing {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::int64_t kCreated = 1'795'000'000'000;
constexpr std::int64_t kDelay = 86'400'000;

std::string decoded(const std::string& text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    out += static_cast<char>(std::stoi(text.substr(i + 1, 2), nullptr, 16));
    i += 2;
  }
  return out;
}

std::map<std::string, std::string> query_of(const std::string& text) {
  std::map<std::string, std::string> out;
  for (std::size_t at = 0; at < text.size();) {
    const auto end = std::min(text.find('&', at), text.size());
    const auto pair = text.substr(at, end - at);
    const auto equals = std::min(pair.find('='), pair.size());
    out[decoded(pair.substr(0, equals))] = equals < pair.size() ? decoded(pair.substr(equals + 1)) : "";
    at = end + 1;
  }
  return out;
}

std::string header(const std::string& head, const std::string& name) {
  const auto at = head.find("\r\n" + name + ": ");
  if (at == std::string::npos) return {};
  const auto from = at + name.size() + 4;
  return head.substr(from, head.find("\r\n", from) - from);
}

json no_reference() {
  return {{"id", nullptr}, {"name", nullptr}, {"resource_type", nullptr}};
}

std::string at(const ArrayCall& call, const std::string& key) {
  const auto found = call.query.find(key);
  return found == call.query.end() ? std::string() : found->second;
}

void copy_tree(const fs::path& from, const fs::path& to) {
  fs::create_directories(to);
  for (const auto& entry : fs::directory_iterator(from)) {
    if (entry.path().filename() == ".snapshot") continue;
    fs::copy(entry.path(), to / entry.path().filename(), fs::copy_options::recursive | fs::copy_options::copy_symlinks);
  }
}

}  // namespace

std::string error_body(const std::string& message, const std::string& context) {
  json error{{"message", message}, {"context", nullptr}};
  if (!context.empty()) error["context"] = context;
  return json{{"errors", json::array({error})}}.dump();
}

FakeArray::FakeArray(Options options)
    : options_(std::move(options)), peer_(std::make_unique<Peer>([this](const PeerRequest& r) { return answer(r); })) {}

void FakeArray::before(Before hook) {
  const std::lock_guard lock(mutex_);
  before_ = std::move(hook);
}
void FakeArray::lose(Lose hook) {
  const std::lock_guard lock(mutex_);
  lose_ = std::move(hook);
}
void FakeArray::expire_sessions() {
  const std::lock_guard lock(mutex_);
  session_.clear();
}
void FakeArray::set_minor(int minor) {
  const std::lock_guard lock(mutex_);
  options_.minor = minor;
}
void FakeArray::set_manual_eradication(const std::string& value) {
  const std::lock_guard lock(mutex_);
  manual_eradication_ = value;
}
void FakeArray::set_policy_client(const std::string& client) {
  const std::lock_guard lock(mutex_);
  policy_client_ = client;
}
json FakeArray::add_file_system(const std::string& name, const std::string& rules) {
  const std::lock_guard lock(mutex_);
  auto& made = make(name);
  made["nfs"]["rules"] = rules;
  made["nfs"]["v3_enabled"] = true;
  return made;
}
void FakeArray::change(const std::string& name, const json& merge) {
  const std::lock_guard lock(mutex_);
  for (auto& [id, item] : file_systems_) {
    if (item["name"] != name) continue;
    const std::string now = merge.value("name", name);
    if (options_.disk && now != name) fs::rename(place(name), place(now));
    item.merge_patch(merge);
    return;
  }
}
void FakeArray::forget(const std::string& name) {
  const std::lock_guard lock(mutex_);
  std::erase_if(file_systems_, [&](const auto& item) { return item.second["name"] == name; });
  if (options_.disk) fs::remove_all(place(name));
}
std::optional<json> FakeArray::look(const std::string& name) const {
  const std::lock_guard lock(mutex_);
  for (const auto& [id, item] : file_systems_) {
    if (item["name"] == name) return item;
  }
  return std::nullopt;
}
std::vector<std::string> FakeArray::names() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> out;
  for (const auto& [id, item] : file_systems_)
    out.push_back(item["name"].get<std::string>() + (item["destroyed"] ? " destroyed" : ""));
  for (const auto& [id, item] : snapshots_) out.push_back(item["name"].get<std::string>());
  std::ranges::sort(out);
  return out;
}
std::optional<std::uint64_t> FakeArray::quota(const std::string& name) const {
  const std::lock_guard lock(mutex_);
  const auto found = quotas_.find(name);
  if (found == quotas_.end()) return std::nullopt;
  return found->second["quota"].get<std::uint64_t>();
}
std::size_t FakeArray::logins() const {
  const std::lock_guard lock(mutex_);
  return logins_;
}
std::vector<std::string> FakeArray::calls() const {
  const std::lock_guard lock(mutex_);
  return calls_;
}
void FakeArray::forget_calls() {
  const std::lock_guard lock(mutex_);
  calls_.clear();
}

PeerAnswer FakeArray::answer(const PeerRequest& request) {
  const auto blank = request.head.find(' ');
  const auto target = request.head.substr(blank + 1, request.head.find(' ', blank + 1) - blank - 1);
  const auto path = target.substr(0, target.find('?'));
  ArrayCall call{.method = request.head.substr(0, blank), .endpoint = {}};
  if (path.size() < target.size()) call.query = query_of(target.substr(path.size() + 1));
  call.body = json::parse(request.body, nullptr, false);
  call.token = header(request.head, "x-auth-token");
  std::string version;
  if (path.starts_with("/api/2.")) {
    const auto slash = path.find('/', 5);
    version = path.substr(5, slash - 5);
    call.endpoint = path.substr(slash + 1);
  } else {
    call.endpoint = path.substr(path.rfind('/') + 1);  // of those without a version
  }
  const std::lock_guard lock(mutex_);
  if (before_) {
    if (auto instead = before_(call)) return *std::move(instead);
  }
  if (call.endpoint == "api_version") {
    json versions = json::array({"1.0", "1.8.1", "1.12"});
    for (int minor = 0; minor <= options_.minor; ++minor) versions.push_back("2." + std::to_string(minor));
    return {http_answer(200, json{{"versions", versions}}.dump())};
  }
  if (call.endpoint == "login") {
    if (header(request.head, "api-token") != kToken) return {http_answer(401, error_body("Invalid API token."))};
    ++logins_;
    session_ = "session-" + std::to_string(logins_);
    return {http_answer(200, R"({"username":"pureuser"})", "x-auth-token: " + session_ + "\r\n")};
  }
  if (call.endpoint == "logout") return {http_answer(200, "")};
  return versioned(call, version);
}

PeerAnswer FakeArray::versioned(const ArrayCall& call, const std::string& version) {
  // As recorded from Purity//FB 4.8.2: 403, and the key in the singular.
  if (call.token.empty() || call.token != session_) {
    const json error{{"code", 403}, {"context", "/api/" + version + "/" + call.endpoint}, {"message", "Access Denied"}};
    return {http_answer(403, json{{"error", json::array({error})}}.dump())};
  }
  const bool known = !version.empty() && std::stoi(version.substr(2)) <= options_.minor;
  if (!known) return {http_answer(404, error_body("Version is not supported."))};
  calls_.push_back(call.method + " " + call.endpoint);
  const auto [status, body] = act(call);
  if (lose_ && lose_(call)) return {"", PeerAnswer::Then::close};
  return {http_answer(status, body.is_null() ? "" : body.dump())};
}

FakeArray::Reply FakeArray::act(const ArrayCall& call) {
  if (call.method == "GET" && call.endpoint == "arrays") {
    json array{{"id", "a-1"}, {"name", "fake"}, {"os", "Purity//FB"}, {"version", "4.8.2"}, {"_as_of", nullptr}};
    if (options_.minor >= 5) {
      array["eradication_config"] = {{"eradication_delay", kDelay}, {"manual_eradication", manual_eradication_}};
    }
    return page(call, {array});
  }
  if (call.endpoint == "arrays/space") {
    const json space{{"total_physical", 1 << 30}, {"unique", 1 << 30}, {"snapshots", 0}};
    return page(call, {{{"name", "fake"}, {"capacity", std::int64_t{1} << 44}, {"space", space}}});
  }
  if (call.endpoint == "network-interfaces") {
    return page(call, {{{"name", "vip1"}, {"address", "127.0.0.1"}, {"enabled", true}, {"services", {"data"}}}});
  }
  if (call.endpoint == "nfs-export-policies" && options_.minor >= 3) {
    if (at(call, "names") != "notebooks") return missing("Policy", at(call, "names"));
    const json rule{{"client", policy_client_}, {"permission", "rw"}, {"access", "root-squash"}};
    return page(call, {{{"name", "notebooks"}, {"enabled", true}, {"rules", json::array({rule})}}});
  }
  if (call.endpoint == "file-systems") {
    if (call.method == "GET") return get_file_systems(call);
    if (call.method == "POST") return post_file_system(call);
    if (call.method == "PATCH") return patch_file_system(call);
    return delete_file_system(call);
  }
  if (call.endpoint == "file-system-snapshots") return snapshots(call);
  if (call.endpoint == "quotas/users" || call.endpoint == "quotas/groups") return quotas(call);
  return {404, json::parse(error_body("No such endpoint."))};
}

FakeArray::Reply FakeArray::missing(const std::string& what, const std::string& context) const {
  if (options_.missing_is_empty) {
    return {200, {{"continuation_token", nullptr}, {"total_item_count", 0}, {"items", json::array()}}};
  }
  return {400, json::parse(error_body(what + " does not exist.", context))};
}

// A token is the place to go on from: what was there at the time of a page stays in order by id.
FakeArray::Reply FakeArray::page(const ArrayCall& call, std::vector<json> items) const {
  const auto total = items.size();
  std::size_t limit = options_.max_page;
  if (!at(call, "limit").empty()) limit = std::min<std::size_t>(limit, std::stoul(at(call, "limit")));
  const std::size_t from = at(call, "continuation_token").empty() ? 0 : std::stoul(at(call, "continuation_token"));
  json out{{"continuation_token", nullptr}, {"total_item_count", total}, {"items", json::array()}};
  for (std::size_t i = from; i < std::min(total, from + limit); ++i) out["items"].push_back(items[i]);
  if (from + limit < total) out["continuation_token"] = std::to_string(from + limit);
  return {200, out};
}

json* FakeArray::by(const ArrayCall& call) {
  for (auto& [id, item] : file_systems_) {
    if (id == at(call, "ids") || item["name"] == at(call, "names")) return &item;
  }
  return nullptr;
}

std::string FakeArray::next_id() {
  const auto digits = std::to_string(++ids_);
  return "00000000-0000-4000-8000-" + std::string(12 - digits.size(), '0') + digits;
}

json& FakeArray::make(const std::string& name) {
  const auto id = next_id();
  const json nfs{{"v3_enabled", false}, {"v4_1_enabled", false}, {"rules", ""}, {"export_policy", no_reference()}};
  auto& made = file_systems_[id];
  made = {{"id", id},
          {"name", name},
          {"created", kCreated + static_cast<std::int64_t>(ids_) * 1000},
          {"provisioned", nullptr},
          {"hard_limit_enabled", false},
          {"destroyed", false},
          {"time_remaining", nullptr},
          {"writable", true},
          {"promotion_status", "promoted"},
          {"nfs", nfs},
          {"smb", {{"enabled", false}}},
          {"http", {{"enabled", false}}},
          {"source", no_reference()},
          {"space", {{"virtual", 0}, {"unique", 0}, {"snapshots", 0}}}};
  if (options_.disk) fs::create_directories(place(name));
  return made;
}

FakeArray::Reply FakeArray::get_file_systems(const ArrayCall& call) {
  if (call.query.contains("names") || call.query.contains("ids")) {
    const json* found = by(call);
    if (found == nullptr) return missing("File system", at(call, "names") + at(call, "ids"));
    return page(call, {*found});
  }
  auto filter = at(call, "filter");
  const bool by_prefix = filter.starts_with("name='") && filter.ends_with("*'");
  const auto prefix = by_prefix ? filter.substr(6, filter.size() - 8) : std::string();
  std::vector<json> items;
  for (const auto& [id, item] : file_systems_) {
    if (!item["name"].get<std::string>().starts_with(prefix)) continue;
    if (call.query.contains("destroyed") && item["destroyed"] != (at(call, "destroyed") == "true")) continue;
    items.push_back(item);
  }
  return page(call, std::move(items));
}

FakeArray::Reply FakeArray::post_file_system(const ArrayCall& call) {
  const auto name = at(call, "names");
  if (name.empty()) return {400, json::parse(error_body("Names query parameter is missing"))};
  json* standing = by(call);
  if (at(call, "overwrite") == "true") {
    if (standing == nullptr) return missing("File system", name);
    const std::string source = call.body["source"]["name"];
    if (options_.disk) {
      for (const auto& entry : fs::directory_iterator(place(name))) {
        if (entry.path().filename() != ".snapshot") fs::remove_all(entry.path());
      }
      copy_tree(place(name) / ".snapshot" / source.substr(source.find('.') + 1), place(name));
    }
    return page(call, {*standing});
  }
  if (standing != nullptr)
    return {options_.exists_status, json::parse(error_body("File system already exists.", name))};
  if (options_.minor < 16 && call.query.contains("default_exports")) {
    return {400, json::parse(error_body("Invalid query parameter: default_exports"))};
  }
  auto& made = make(name);
  const json wanted = call.body;
  for (const char* key : {"nfs", "provisioned", "hard_limit_enabled"}) {
    if (wanted.contains(key)) made[key].merge_patch(wanted[key]);
  }
  if (!wanted["nfs"].contains("rules") && !wanted["nfs"].contains("export_policy")) {
    made["nfs"]["rules"] = "*(rw,no_root_squash)";
  }
  if (wanted.contains("source")) {
    const std::string source = wanted["source"]["name"];
    made["source"]["name"] = source;
    const auto dot = source.find('.');
    if (options_.disk) copy_tree(place(source.substr(0, dot)) / ".snapshot" / source.substr(dot + 1), place(name));
  }
  return page(call, {made});
}

FakeArray::Reply FakeArray::patch_file_system(const ArrayCall& call) {
  json* item = by(call);
  if (item == nullptr) return missing("File system", at(call, "ids"));
  auto change = call.body;
  const bool recovers = change.contains("destroyed") && !change["destroyed"].get<bool>();
  if ((*item)["destroyed"].get<bool>() && (!recovers || change.size() > 1)) {
    return {400, json::parse(error_body("File system is destroyed.", (*item)["name"]))};
  }
  if (change.contains("destroyed")) {
    (*item)["time_remaining"] = change["destroyed"].get<bool>() ? json(kDelay) : json(nullptr);
  }
  if (change.contains("provisioned") && change["provisioned"] == 0) change["provisioned"] = nullptr;
  if (change.contains("nfs")) {
    // Setting one clears the other.
    if (change["nfs"].contains("rules")) change["nfs"]["export_policy"] = {{"name", nullptr}};
    if (change["nfs"].contains("export_policy") && !change["nfs"].contains("rules")) change["nfs"]["rules"] = "";
  }
  const auto null_size = change.contains("provisioned") && change["provisioned"].is_null();
  item->merge_patch(change);
  if (null_size) (*item)["provisioned"] = nullptr;
  return page(call, {*item});
}

FakeArray::Reply FakeArray::delete_file_system(const ArrayCall& call) {
  json* item = by(call);
  if (item == nullptr) return missing("File system", at(call, "ids"));
  const std::string name = (*item)["name"];
  if (!(*item)["destroyed"].get<bool>()) return {400, json::parse(error_body("File system is not destroyed.", name))};
  if (manual_eradication_ == "all-disabled" || manual_eradication_ == "file-disabled") {
    return {400, json::parse(error_body("Manual eradication is disabled.", name))};
  }
  std::erase_if(snapshots_, [&](const auto& snapshot) { return snapshot.second["owner"]["name"] == name; });
  if (options_.disk) fs::remove_all(place(name));
  file_systems_.erase((*item)["id"].get<std::string>());
  return {200, nullptr};
}

FakeArray::Reply FakeArray::quotas(const ArrayCall& call) {
  const bool of_group = call.endpoint == "quotas/groups";
  const auto file_system = at(call, "file_system_names");
  const auto number = at(call, of_group ? "gids" : "uids");
  const auto name = file_system + "/" + (of_group ? "g" : "u") + number;
  const auto found = quotas_.find(name);
  if (call.method == "GET") {
    if (found == quotas_.end()) return missing("Quota", name);
    return page(call, {found->second});
  }
  if (call.method == "DELETE") {
    if (found == quotas_.end()) return missing("Quota", name);
    quotas_.erase(found);
    return {200, nullptr};
  }
  if (call.method == "POST" && found != quotas_.end()) {
    return {options_.exists_status, json::parse(error_body("Quota already exists.", name))};
  }
  if (call.method == "PATCH" && found == quotas_.end()) return missing("Quota", name);
  if (call.body["quota"] == 0) return {400, json::parse(error_body("Quota must not be 0.", name))};
  auto& item = quotas_[name];
  item = {{"name", name}, {"file_system", {{"name", file_system}}}, {"quota", call.body["quota"]}, {"usage", 0}};
  item[of_group ? "group" : "user"] = {{"id", std::stoul(number)}, {"name", nullptr}};
  return page(call, {item});
}

FakeArray::Reply FakeArray::snapshots(const ArrayCall& call) {
  const auto id = at(call, "ids");
  if (call.method == "POST") {
    ArrayCall owner{.method = "GET", .endpoint = {}, .query = {{"ids", at(call, "source_ids")}}};
    const json* item = by(owner);
    if (item == nullptr) return missing("File system", at(call, "source_ids"));
    const std::string name = (*item)["name"].get<std::string>() + "." + call.body["suffix"].get<std::string>();
    for (const auto& [other, snapshot] : snapshots_) {
      if (snapshot["name"] == name)
        return {options_.exists_status, json::parse(error_body("Snapshot already exists.", name))};
    }
    const auto made = next_id();
    snapshots_[made] = {{"id", made},
                        {"name", name},
                        {"suffix", call.body["suffix"]},
                        {"created", kCreated + static_cast<std::int64_t>(ids_) * 1000},
                        {"destroyed", false},
                        {"owner", {{"id", (*item)["id"]}, {"name", (*item)["name"]}}}};
    if (options_.disk) {
      const auto dir = place((*item)["name"]);
      copy_tree(dir, dir / ".snapshot" / call.body["suffix"].get<std::string>());
    }
    return page(call, {snapshots_[made]});
  }
  if (call.method != "GET") {
    const auto found = snapshots_.find(id);
    if (found == snapshots_.end()) return missing("Snapshot", id);
    if (call.method == "PATCH") {
      found->second.merge_patch(call.body);
      return page(call, {found->second});
    }
    snapshots_.erase(found);
    return {200, nullptr};
  }
  std::vector<json> items;
  for (const auto& [key, snapshot] : snapshots_) {
    const auto name = at(call, "names_or_owner_names");
    if (!name.empty() && snapshot["name"] != name && snapshot["owner"]["name"] != name) continue;
    if (call.query.contains("owner_ids") && snapshot["owner"]["id"] != at(call, "owner_ids")) continue;
    if (call.query.contains("destroyed") && snapshot["destroyed"] != (at(call, "destroyed") == "true")) continue;
    items.push_back(snapshot);
  }
  if (items.empty() && call.query.contains("names_or_owner_names"))
    return missing("Snapshot", at(call, "names_or_owner_names"));
  return page(call, std::move(items));
}

}  // namespace homeport::testing
