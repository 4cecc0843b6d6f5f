// /admins, /admins/api-tokens, /admins/settings, /roles, /audits, /sessions.
#include "drivers/flashblade/sim/admins.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "drivers/flashblade/sim/family.h"
#include "provisioner/base/digest.h"

namespace homeport::fbsim {
namespace {

constexpr std::array kRoles = {"array_admin", "ops_admin", "readonly", "storage_admin"};

Json& token_of(Document& admin) {
  return admin.fields["#token"];
}

bool is_alive(const World& world, const Json& token) {
  if (!token.is_object()) return false;
  const auto& expires = token["expires_at"];
  return expires.is_null() || expires.get<Millis>() > world.now();
}

Or<void> check_admin(Call& call, Document& next) {
  const bool fits = !next.name.empty() && next.name.size() <= 32 && std::ranges::all_of(next.name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  });
  if (!fits) return Refusal{"Invalid admin name.", next.name};
  next.fields.erase("password");
  next.fields.erase("old_password");
  if (const auto password = text_of(call.body, "password"); !password.empty()) {
    next.fields["#password"] = sha256_hex(next.name + '\n' + password);
  }
  return complete_reference(call.world, next.fields, "role", "roles", "Role");
}

Family admins() {
  Family family{.type = "admins", .what = "Admin", .post = 15, .remove = 15};
  family.post_fields = {{"password", Kind::text}, {"role", Kind::reference}};
  family.patch_fields = {
      {"password", Kind::text}, {"old_password", Kind::text}, {"role", Kind::reference}, {"locked", Kind::boolean, 3}};
  family.newer = {{"locked", 3}, {"lockout_remaining", 3}, {"management_access_policies", 19}, {"admin_type", 24}};
  family.get_params = {{"expose_api_token"}};
  family.defaults = [](World&) { return Json{{"is_local", true}, {"locked", false}, {"lockout_remaining", nullptr}}; };
  family.on_create = [](Call& call, Document& next) { return check_admin(call, next); };
  family.on_change = [](Call& call, Document& next, const Document&) { return check_admin(call, next); };
  family.on_remove = [](Call& call, Document& document) -> Or<void> {
    if (document.name == call.world.settings.user)
      return Refusal{"The built-in admin cannot be deleted.", document.name};
    return {};
  };
  family.finish = [](World&, const Document& document, int minor, Json& item) {
    const auto token = document.fields.value("#token", Json(nullptr));
    item["api_token"] = {{"token", token.is_object() ? Json("****") : Json(nullptr)},
                         {"created_at", token.is_object() ? token["created_at"] : Json(nullptr)},
                         {"expires_at", token.is_object() ? token["expires_at"] : Json(nullptr)}};
    item["public_key"] = nullptr;
    item.erase("#token");
    item.erase("#password");
    item.erase("password");
    if (minor >= 19) {
      item["management_access_policies"] =
          Json::array({reference(text_of(item, "role.name"), text_of(item, "role.id"), "management-access-policies")});
    }
    if (minor >= 24) item["admin_type"] = "local-user";
  };
  return family;
}

Json render_token(const Document& admin, bool shown) {
  const auto& token = admin.fields["#token"];
  return Json{{"admin", reference(admin.name, admin.id, "admins")},
              {"api_token",
               {{"token", shown ? token["token"] : Json("****")},
                {"created_at", token["created_at"]},
                {"expires_at", token["expires_at"]}}}};
}

Answer get_tokens(Call& call) {
  HOMEPORT_TRY(const bool expose, call.flag("expose_api_token"));
  HOMEPORT_TRY(const auto found, select(call, call.world.table("admins"), "Admin", "admin_names", "admin_ids"));
  // A filter by names was seen to be ignored here.
  call.query.erase("names");
  call.query.erase("ids");
  call.query.erase("filter");
  const auto has_token = [](const Document& admin) {
    return admin.fields.contains("#token") && admin.fields["#token"].is_object();
  };
  return list_documents(call, call.world.table("admins"), found, has_token,
                        [&](const Document& admin) { return render_token(admin, expose && admin.name == call.user); });
}

Answer post_token(Call& call) {
  World& world = call.world;
  HOMEPORT_TRY(const auto found, select(call, world.table("admins"), "Admin", "admin_names", "admin_ids"));
  HOMEPORT_TRY(const auto timeout, call.number("timeout"));
  std::vector<Document*> chosen = found.objects;
  if (!found.selected) chosen.push_back(world.table("admins").by_name(call.user));
  Json items = Json::array();
  for (auto* admin : chosen) {
    if (is_alive(world, token_of(*admin))) return world.exists("API token", admin->name);
    token_of(*admin) = {{"token", "T-" + world.new_id()},
                        {"created_at", world.now()},
                        {"expires_at", timeout ? Json(world.now() + static_cast<Millis>(*timeout)) : Json(nullptr)}};
    items.push_back(render_token(*admin, true));
  }
  return std::optional(items_of(std::move(items)));
}

Answer delete_tokens(Call& call) {
  HOMEPORT_TRY(const auto found, select(call, call.world.table("admins"), "Admin", "admin_names", "admin_ids"));
  if (found.objects.empty()) return Refusal{"Admin names or ids query parameter is missing"};
  for (const auto* admin : found.objects) {
    if (!admin->fields.contains("#token")) return call.world.missing("API token", admin->name);
  }
  for (auto* admin : found.objects) admin->fields.erase("#token");
  return std::optional<Json>();
}

Answer get_log(Call& call, const std::deque<Json>& log) {
  Table<Document> table;
  for (const auto& entry : log) {
    Document document;
    document.id = text_of(entry, "id");
    document.name = text_of(entry, "name");
    document.fields = entry;
    table.insert(std::move(document));
  }
  HOMEPORT_TRY(const auto found, select(call, table, "Entry"));
  return list_documents(call, table, found, {}, [&](const Document& document) {
    Json item = document.fields;
    if (call.minor < 17) erase_path(item, "origin");
    if (call.minor < 28) erase_path(item, "context");
    return item;
  });
}

void append(World& world, std::deque<Json>& log, Json entry) {
  const auto number = std::to_string(++world.last_sequence);
  Json whole = {{"id", world.new_id()},
                {"name", std::string(number.size() < 12 ? 12 - number.size() : 0, '0') + number}};
  whole.update(entry);
  log.push_back(std::move(whole));
  if (log.size() > kMaxLog) log.pop_front();
}

}  // namespace

std::optional<std::string> find_login(World& world, const HttpRequest& request) {
  const auto given = request.header("api-token");
  if (!given.empty()) {
    for (const auto& [key, admin] : world.table("admins").order()) {
      const auto& token = token_of(*admin);
      if (is_alive(world, token) && equal_constant_time(text_of(token, "token"), given)) return admin->name;
    }
    return std::nullopt;
  }
  if (world.settings.max_minor < 26 || request.body.empty()) return std::nullopt;
  const auto body = Json::parse(request.body, nullptr, false);
  const auto* admin = world.table("admins").by_name(text_of(body, "username"));
  const auto password = text_of(body, "password");
  if (admin == nullptr || password.empty()) return std::nullopt;
  if (text_of(admin->fields, "#password") != sha256_hex(admin->name + '\n' + password)) return std::nullopt;
  return admin->name;
}

Or<void> check_role(const World& world, const std::string& user, std::string_view path) {
  const auto place = world.documents.find("admins");
  const auto* admin = place == world.documents.end() ? nullptr : place->second.by_name(user);
  const auto role = admin == nullptr ? std::string() : text_of(admin->fields, "role.name");
  if (role == "array_admin") return {};
  constexpr std::array kOfTheArray = {"admins",
                                      "alert-watchers",
                                      "array-connections",
                                      "arrays",
                                      "dns",
                                      "link-aggregation-groups",
                                      "network-interfaces",
                                      "smtp-servers",
                                      "subnets",
                                      "support",
                                      "syslog-servers"};
  const bool administers = std::ranges::any_of(kOfTheArray, [&](const char* of) { return path.starts_with(of); });
  if (role == "storage_admin" && !administers) return {};
  return Refusal{"Operation not permitted.", user, 403};
}

void record_audit(World& world, const Call& call, const HttpRequest& request) {
  const auto slash = call.path.find('/');
  std::string arguments;
  for (const auto& [name, value] : call.query)
    arguments += (arguments.empty() ? "" : " ") + ("--" + name) + ' ' + value;
  append(world, world.audits,
         {{"time", world.now()},
          {"user", call.user},
          {"command", call.path.substr(0, slash)},
          {"subcommand", call.method == "POST" ? "create" : (call.method == "PATCH" ? "setattr" : "delete")},
          {"arguments", arguments},
          {"ip_address", request.peer},
          {"user_agent", request.header("User-Agent")},
          {"user_interface", "REST"},
          {"origin", world.array_reference()},
          {"context", world.array_reference()}});
}

void log_session(World& world, std::string_view event, const std::string& user, const HttpRequest& request) {
  append(world, world.session_log,
         {{"event", event},
          {"event_count", 1},
          {"user", user},
          {"location", request.peer},
          {"method", request.header("api-token").empty() ? "password" : "API token"},
          {"start_time", world.now()},
          {"end_time", nullptr},
          {"user_interface", "REST"}});
}

void add_admins(Operations& operations) {
  add_family(operations, admins());
  const Params selectors = {{"admin_names"}, {"admin_ids"}, {"expose_api_token"}, {"timeout"}};
  operations.add("admins/api-tokens", "GET", {0, selectors, {}, get_tokens});
  operations.add("admins/api-tokens", "POST", {0, selectors, {}, post_token});
  operations.add("admins/api-tokens", "DELETE", {0, selectors, {}, delete_tokens});
  add_family(
      operations,
      Family{.type = "roles", .what = "Role", .post = kNever, .patch = kNever, .remove = kNever, .has_context = false});
  operations.add("audits", "GET", {0, {}, {}, [](Call& call) { return get_log(call, call.world.audits); }});
  operations.add("sessions", "GET", {3, {}, {}, [](Call& call) { return get_log(call, call.world.session_log); }});
}

void furnish_admins(World& world) {
  for (const char* name : kRoles) insert_document(world, "roles", name, Json{{"permissions", Json::array()}});
  const auto* role = world.table("roles").by_name("array_admin");
  insert_document(
      world, "admins", world.settings.user,
      Json{{"is_local", true},
           {"locked", false},
           {"lockout_remaining", nullptr},
           {"role", reference(role->name, role->id, "roles")},
           {"#token", {{"token", world.settings.api_token}, {"created_at", world.now()}, {"expires_at", nullptr}}}});
}

}  // namespace homeport::fbsim
