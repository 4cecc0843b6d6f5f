#include "api/auth.h"
#include "api/call.h"
#include "api/handlers.h"
#include "api/lists.h"
#include "api/wire_operation.h"
#include "api/wire_space.h"

namespace homeport::api {
namespace {

using nlohmann::json;

Result<store::UserRecord> find_user(Api& api, const std::string& realm, std::string_view user) {
  if (!UserKey::parse(user)) HOMEPORT_CHECK(UserName::parse(user));
  if (const auto known = api.catalog().person(realm, user)) return *known;
  return Error{.code = Errc::not_found,
               .message = "nobody called '" + printable(user, 60) + "' is known",
               .hint = "GET /v1/users lists the people who have or had a home"};
}

core::Renames::Rename read_rename(DocReader& in) {
  const auto name = in.required<UserName>("name", UserName::parse);
  core::Renames::Rename out{.to = name.value_or(*UserName::parse("nobody"))};
  out.free_old_name = in.boolean("free_old_name", false);
  out.allow_similar = in.boolean("allow_similar", false);
  return out;
}

struct MergeWish {
  std::string into;
  core::Renames::OtherHome other_home = core::Renames::OtherHome::retire;
};

MergeWish read_merge(DocReader& in) {
  MergeWish out{.into = in.text("into")};
  const auto word = in.choice("other_home", {"retire", "beside"}, "");
  if (word.empty() && !in.has("other_home")) in.missing("other_home");
  if (word == "beside") out.other_home = core::Renames::OtherHome::beside;
  return out;
}

}  // namespace

std::optional<Response> list_users(Api& api, const Request& request, const policies::Principal& principal) {
  return json_or_problem(request, [&]() -> Result<json> {
    HOMEPORT_TRY(const auto page, page_params(request));
    HOMEPORT_TRY(const auto realm, realm_of(request, principal, api.settings().realm));
    const bool one_realm = request.query("realm").has_value();
    return page_of(
        api.catalog().users(), page, [](const auto& user) { return user->key; },
        [&](const auto& user) { return !one_realm || user->realm == realm; },
        [&](const auto& user) { return user_json(*user, api.catalog()); });
  });
}

std::optional<Response> get_user(Api& api, const Request& request, const policies::Principal& principal) {
  return json_or_problem(request, [&]() -> Result<json> {
    HOMEPORT_TRY(const auto realm, realm_of(request, principal, api.settings().realm));
    HOMEPORT_TRY(const auto user, find_user(api, realm, request.param("user")));
    return user_json(user, api.catalog());
  });
}

void set_uid(const CallPtr& call) {
  struct Ids {
    std::optional<std::uint64_t> uid;
    std::optional<std::uint64_t> gid;
  };
  guarded(call, [&]() -> Result<void> {
    constexpr std::uint64_t kMostId = 4'294'967'294U;
    HOMEPORT_TRY(const auto ids, read_body(call->request, [](DocReader& in) {
                   for (const char* key : {"uid", "gid"}) {
                     if (!in.has(key)) in.missing(key);
                   }
                   return Ids{in.optional_number("uid", 1, kMostId), in.optional_number("gid", 0, kMostId)};
                 }));
    HOMEPORT_CHECK(find_user(call->api, call->realm, call->request.param("user")));
    HOMEPORT_TRY(const auto user,
                 call->api.core().homes().set_uid(call->caller(), call->realm, call->request.param("user"),
                                                  static_cast<std::uint32_t>(ids.uid.value_or(0)),
                                                  static_cast<std::uint32_t>(ids.gid.value_or(0))));
    call->reply_json(200, user_json(user, call->api.catalog()));
    return {};
  });
}

void rename_user(const CallPtr& call) {
  guarded(call, [&]() -> Result<void> {
    HOMEPORT_TRY(const auto wanted, read_body(call->request, read_rename));
    HOMEPORT_CHECK(find_user(call->api, call->realm, call->request.param("user")));
    HOMEPORT_TRY(const auto user,
                 call->api.core().renames().rename(call->caller(), call->realm, call->request.param("user"), wanted));
    call->reply_json(200, user_json(user, call->api.catalog()));
    return {};
  });
}

void keep_user(const CallPtr& call) {
  guarded(call, [&]() -> Result<void> {
    HOMEPORT_CHECK(expect_no_body(call->request));
    HOMEPORT_CHECK(find_user(call->api, call->realm, call->request.param("user")));
    HOMEPORT_TRY(const auto user,
                 call->api.core().keep_account(call->caller(), call->realm, call->request.param("user")));
    call->reply_json(200, user_json(user, call->api.catalog()));
    return {};
  });
}

void merge_user(const CallPtr& call) {
  guarded(call, [&]() -> Result<void> {
    HOMEPORT_TRY(const auto wanted, read_body(call->request, read_merge));
    HOMEPORT_CHECK(find_user(call->api, call->realm, call->request.param("user")));
    HOMEPORT_TRY(const auto merged,
                 call->api.core().renames().merge(call->caller(), call->realm, call->request.param("user"), wanted.into,
                                                  wanted.other_home));
    auto answer = user_json(merged.user, call->api.catalog());
    auto operations = json::array();
    for (const auto& retiring : merged.retiring) {
      if (retiring.operation) operations.push_back(*retiring.operation);
    }
    answer["operation"] = operations.empty() ? json() : operations.front();
    answer["operations"] = std::move(operations);
    call->reply_json(200, answer);
    return {};
  });
}

}  // namespace homeport::api
