#include <algorithm>

#include "api/call.h"
#include "api/handlers.h"
#include "api/lists.h"
#include "api/wire_admin.h"

namespace homeport::api {
namespace {

using nlohmann::json;

Result<core::Tokens::Request> read_token_request(const CallPtr& call) {
  return read_body(call->request, [&](DocReader& in) {
    core::Tokens::Request request{.realm = call->realm};
    const auto scope = in.choice("scope", {"admin", "operator", "auditor", "spawner", "user:self"});
    request.scope = policies::scope_from_name(scope).value_or(policies::Scope::auditor);
    if (const auto hub = in.parsed("hub", &Slug::parse)) request.hub = hub->str();
    if (const auto name = in.parsed("name", &Slug::parse)) request.name = name->str();
    request.expires_in = in.optional_duration("expires");
    if (request.expires_in && request.expires_in->count() <= 0) {
      in.problem("expires", "is no time to come", "give for example 90d");
    }
    return request;
  });
}

// Answers that hold a secret are kept by nobody on the way.
Response secret_response(unsigned status, const core::Tokens::Created& created) {
  return json_response(status, dump(created_token_json(created))).with("Cache-Control", "no-store");
}

}  // namespace

std::optional<Response> list_tokens(Api& api, const Request& request, const policies::Principal&) {
  return json_or_problem(request, [&]() -> Result<json> {
    HOMEPORT_TRY(const auto page, page_params(request));
    auto tokens = api.core().tokens().list();
    std::sort(tokens.begin(), tokens.end(), [](const auto& a, const auto& b) { return a->id < b->id; });
    return page_of(
        tokens, page, [](const auto& token) { return token->id; }, [](const auto&) { return true; },
        [](const auto& token) { return token_json(*token); });
  });
}

void create_token(const CallPtr& call) {
  guarded(call, [&]() -> Result<void> {
    HOMEPORT_TRY(const auto wanted, read_token_request(call));
    HOMEPORT_TRY(const auto created, call->api.core().tokens().create(call->principal.id, wanted));
    call->reply(secret_response(201, created));
    return {};
  });
}

void revoke_token(const CallPtr& call) {
  guarded(call, [&]() -> Result<void> {
    HOMEPORT_CHECK(expect_no_body(call->request));
    HOMEPORT_CHECK(call->api.core().tokens().revoke(call->caller(), std::string(call->request.param("id"))));
    call->reply(Response{.status = 204});
    return {};
  });
}

void rotate_token(const CallPtr& call) {
  guarded(call, [&]() -> Result<void> {
    HOMEPORT_CHECK(expect_no_body(call->request));
    HOMEPORT_TRY(const auto created,
                 call->api.core().tokens().rotate(call->caller(), std::string(call->request.param("id"))));
    call->reply(secret_response(200, created));
    return {};
  });
}

}  // namespace homeport::api
