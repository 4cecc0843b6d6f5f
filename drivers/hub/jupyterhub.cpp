#include "drivers/hub/jupyterhub.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <utility>

#include "provisioner/base/names.h"

namespace homeport::drivers::hub {
namespace {

using nlohmann::json;

constexpr std::size_t kPage = 200;  // the most a hub gives at once, unless it is told otherwise
constexpr std::size_t kMaxPages = 10'000;
constexpr std::string_view kAccess = "access:servers";

std::string text_of(const json& object, const char* key) {
  const auto at = object.find(key);
  return at != object.end() && at->is_string() ? at->get<std::string>() : std::string();
}

std::vector<std::string> texts_of(const json& object, const char* key) {
  std::vector<std::string> out;
  const auto at = object.find(key);
  if (at == object.end() || !at->is_array()) return out;
  for (const auto& item : *at) {
    if (item.is_string()) out.push_back(item.get<std::string>());
  }
  return out;
}

// Shown to tokens with read:users.
std::optional<WallTime> created_of(const json& user) {
  const auto time = parse_time(text_of(user, "created"));
  return time ? std::optional(*time) : std::nullopt;
}

// A user's name holds no '/', so NAME/ cannot be the beginning of somebody else's.
bool opens_servers_of(const std::vector<std::string>& scopes, const std::string& name) {
  const std::string all(kAccess);
  return std::any_of(scopes.begin(), scopes.end(), [&](const std::string& scope) {
    return scope == all || scope == all + "!user=" + name || scope.starts_with(all + "!server=" + name + "/");
  });
}

class JupyterHub final : public core::Hub {
 public:
  JupyterHub(const JupyterHubSettings& settings, const Clock& clock)
      : settings_(settings),
        client_(http::make_client({.url = settings.url, .name = "hub " + settings.name, .ca_file = settings.ca_file},
                                  clock)) {}

  Result<std::optional<core::HubUser>> owner_of(const OpContext& op, const Secret& token) override {
    HOMEPORT_TRY(const auto who, whose(op, token));
    if (!who) return std::optional<core::HubUser>();
    return person(*who);
  }
  Result<std::vector<core::HubListed>> users(const OpContext& op) override;

 private:
  Result<http::Reply> get(const OpContext& op, const std::string& target, const Secret& token);
  Result<std::optional<json>> whose(const OpContext& op, const Secret& token);
  Result<std::optional<core::HubUser>> person(const json& who) const;
  Result<void> check_lists_all(const OpContext& op, const Secret& token);
  Result<json> page(const OpContext& op, const Secret& token, std::size_t offset);
  [[nodiscard]] Error no_hub(const std::string& why) const;
  [[nodiscard]] Error unexpected(const http::Reply& reply) const;

  const JupyterHubSettings settings_;
  const std::unique_ptr<http::Client> client_;
};

Error JupyterHub::no_hub(const std::string& why) const {
  return Error{.code = Errc::failed_precondition,
               .message = settings_.url.to_string() + " is no JupyterHub that Homeport knows: " + why,
               .hint = "the hub's `url` is its JUPYTERHUB_API_URL, which ends in /hub/api"};
}

Error JupyterHub::unexpected(const http::Reply& reply) const {
  const auto body = json::parse(reply.body, nullptr, false);
  const std::string words = body.is_object() ? text_of(body, "message") : std::string();
  Error error{.code = Errc::unavailable,
              .message = "hub " + settings_.name + " answers with status " + std::to_string(reply.status) +
                         (words.empty() ? "" : ": " + printable(words, 200)),
              .hint = "the hub's log says more",
              .upstream = Upstream{.system = "jupyterhub", .status = reply.status}};
  if (reply.status < 500 && reply.status != 408 && reply.status != 429) {
    error = no_hub("it answers with status " + std::to_string(reply.status));
  }
  return error;
}

Result<http::Reply> JupyterHub::get(const OpContext& op, const std::string& target, const Secret& token) {
  return client_->send(op, {.method = "GET",
                            .target = target,
                            .headers = {{"Accept", "application/jupyterhub-pagination+json, application/json"}},
                            .bearer = token});
}

// JupyterHub answers 403 for a token that it does not know.
Result<std::optional<json>> JupyterHub::whose(const OpContext& op, const Secret& token) {
  HOMEPORT_TRY(const auto reply, get(op, "/user", token));
  if (reply.status == 401 || reply.status == 403) return std::optional<json>();
  if (reply.status != 200) return unexpected(reply);
  auto body = json::parse(reply.body, nullptr, false);
  if (!body.is_object() || text_of(body, "kind").empty() || text_of(body, "name").empty()) {
    return no_hub("its answer does not say whose the token is");
  }
  if (!body.contains("scopes")) return no_hub("its tokens have no scopes; JupyterHub 2 is the first that has them");
  return std::optional<json>(std::move(body));
}

Result<std::optional<core::HubUser>> JupyterHub::person(const json& who) const {
  const auto name = text_of(who, "name");
  if (text_of(who, "kind") != "user") {
    return Error{.code = Errc::unauthenticated,
                 .message = "the token is of a service of hub " + settings_.name + ", not of a person",
                 .hint = "services and spawners use a token of Homeport's own: `homeport token create`"};
  }
  if (!opens_servers_of(texts_of(who, "scopes"), name)) {
    return Error{.code = Errc::unauthenticated,
                 .message = "the token knows a person of hub " + settings_.name + ", but is not the person's own",
                 .hint =
                     "use JUPYTERHUB_API_TOKEN of a notebook server, or a token of the hub's token page with the "
                     "scope access:servers!user"};
  }
  core::HubUser user{.name = name, .groups = texts_of(who, "groups")};
  std::sort(user.groups.begin(), user.groups.end());
  return std::optional<core::HubUser>(std::move(user));
}

// With a filtered scope the hub lists a part without saying so.
Result<void> JupyterHub::check_lists_all(const OpContext& op, const Secret& token) {
  HOMEPORT_TRY(const auto who, whose(op, token));
  const auto denied = [&](const std::string& why) {
    return Error{.code = Errc::permission_denied,
                 .message = why,
                 .hint = "give the service's role the scope list:users, without a filter, in load_roles of hub " +
                         settings_.name};
  };
  if (!who) return denied("hub " + settings_.name + " does not know the configured token");
  const auto scopes = texts_of(*who, "scopes");
  if (std::find(scopes.begin(), scopes.end(), "list:users") != scopes.end()) return {};
  const bool some =
      std::any_of(scopes.begin(), scopes.end(), [](const auto& scope) { return scope.starts_with("list:users!"); });
  return denied("the configured token may list " + std::string(some ? "only some of the" : "no") + " users of hub " +
                settings_.name);
}

Result<json> JupyterHub::page(const OpContext& op, const Secret& token, std::size_t offset) {
  HOMEPORT_TRY(const auto reply,
               get(op, "/users?offset=" + std::to_string(offset) + "&limit=" + std::to_string(kPage), token));
  if (reply.status != 200) return unexpected(reply);
  auto body = json::parse(reply.body, nullptr, false);
  const bool shaped = body.is_object() && body.contains("items") && body["items"].is_array() &&
                      body.contains("_pagination") && body["_pagination"].is_object() &&
                      body["_pagination"].contains("total") && body["_pagination"]["total"].is_number_unsigned();
  if (!shaped) return no_hub("its list of users has no pages");
  return body;
}

Result<std::vector<core::HubListed>> JupyterHub::users(const OpContext& op) {
  if (!settings_.token) {
    return Error{.code = Errc::failed_precondition, .message = "hub " + settings_.name + " has no token configured"};
  }
  HOMEPORT_TRY(const auto token, config::read_secret(*settings_.token).context("token of hub " + settings_.name));
  HOMEPORT_CHECK(check_lists_all(op, token));
  std::map<std::string, std::optional<WallTime>> listed;
  std::size_t offset = 0;
  std::uint64_t total = 0;
  for (std::size_t pages = 0;; ++pages) {
    HOMEPORT_TRY(const auto body, page(op, token, offset));
    for (const auto& item : body["items"]) {
      const auto name = item.is_object() ? text_of(item, "name") : std::string();
      if (name.empty()) return no_hub("its list holds a user without a name");
      listed[name] = created_of(item);
    }
    const auto& place = body["_pagination"];
    total = place["total"].get<std::uint64_t>();
    const auto next = place.find("next");
    if (next == place.end() || next->is_null()) break;
    const auto further = next->is_object() && next->contains("offset") && (*next)["offset"].is_number_unsigned()
                             ? (*next)["offset"].get<std::uint64_t>()
                             : 0;
    if (further <= offset || pages == kMaxPages) return no_hub("its list of users does not go on");
    offset = further;
  }
  // Somebody was added or deleted between two pages, and somebody else may have slipped through.
  if (listed.size() != total) {
    return Error{.code = Errc::unavailable,
                 .message = "the users of hub " + settings_.name + " changed while they were listed (" +
                            std::to_string(listed.size()) + " of " + std::to_string(total) + ")",
                 .hint = "the next look will do"};
  }
  std::vector<core::HubListed> out;
  out.reserve(listed.size());
  for (auto& [name, created] : listed) out.push_back({.name = name, .created = created});
  return out;
}

}  // namespace

std::shared_ptr<core::Hub> make_jupyterhub(const JupyterHubSettings& settings, const Clock& clock) {
  return std::make_shared<JupyterHub>(settings, clock);
}

}  // namespace homeport::drivers::hub
