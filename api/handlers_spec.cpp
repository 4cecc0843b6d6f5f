#include <charconv>

#include "api/auth.h"
#include "api/call.h"
#include "api/handlers.h"
#include "api/lists.h"
#include "api/wire_operation.h"
#include "api/wire_spec.h"
#include "provisioner/render/renderer.h"

namespace homeport::api {
namespace {

using nlohmann::json;
using std::chrono::seconds;

constexpr seconds kDefaultWait{10};
constexpr seconds kMostWait{120};
constexpr seconds kClaimsWait{4};  // less than what a hub's hook waits for a rendering

// May this credential speak for this hub and this person? A refusal is audited.
Result<void> may_ask(Api& api, const policies::Principal& principal, const core::SpecRequest& wanted) {
  policies::Resource about{.hub = wanted.hub, .realm = wanted.realm.empty() ? api.settings().realm : wanted.realm};
  if (bound_to(principal)) {
    if (principal.user_key.empty()) return no_home_yet(principal);
    about.user_key = user_key_of(api.catalog(), about.realm, wanted.user);
  }
  auto allowed = policies::authorize(principal, policies::Action::issue_spec, about);
  if (!allowed) api.audit_refusal(principal, "issue_spec", "hub/" + wanted.hub, allowed.error());
  return allowed;
}

// A person's groups are what their hub says, and their ids what is pinned: neither is theirs to claim. What they ask
// for makes no home: that is for the hub, when a server starts.
Result<void> keep_to_self(const policies::Principal& person, Api& api, core::SpecRequest& wanted) {
  const auto refused = [](std::string what, std::string pointer) {
    return Error{.code = Errc::forbidden,
                 .message = "a person's own token does not say " + std::move(what),
                 .hint = "leave it out: it is known",
                 .pointer = std::move(pointer)};
  };
  if (!wanted.groups.empty()) return refused("which groups the person is in", "/groups");
  if (wanted.uid || wanted.gid || !wanted.gids.empty()) return refused("which ids the person has", "/identity");
  if (wanted.account_created) return refused("when the account was made", "/account_created");
  if (!api.catalog().home(person.realm, person.user_key)) return no_home_yet(person);
  wanted.groups = person.groups;
  return {};
}

Result<core::SpecRequest> wanted_spec(const Request& request, const policies::Principal& principal, Api& api) {
  HOMEPORT_TRY(auto wanted, read_spec_request(request.body));
  HOMEPORT_TRY(wanted.realm, realm_of(request, principal, api.settings().realm));
  if (bound_to(principal)) HOMEPORT_CHECK(keep_to_self(principal, api, wanted));
  return wanted;
}

Response spec_response(Api& api, const core::SpecAnswer& answer) {
  api.count_spec(static_cast<unsigned>(answer.status), answer.degraded);
  Response response{.status = static_cast<unsigned>(answer.status), .content_type = "application/json"};
  response.body.reserve(answer.volatile_part.size() + (answer.prepared ? answer.prepared->size() : 0));
  response.body = answer.volatile_part;
  if (answer.prepared) response.body += *answer.prepared;
  if (!answer.digest.empty()) response.with("ETag", '"' + answer.digest + '"');
  return response;
}

Result<seconds> spec_wait(const Request& request) {
  HOMEPORT_TRY(auto wait, wait_param(request, kDefaultWait, kMostWait));
  // RFC 7240 section 4.3; a preference that cannot be read is not an error (section 2).
  const std::string_view prefer = request.header("Prefer");
  if (request.query("wait") || prefer.empty()) return wait;
  const auto at = prefer.find("wait=");
  if (at == std::string_view::npos) return wait;
  std::int64_t wanted = 0;
  const auto parsed = std::from_chars(prefer.data() + at + 5, prefer.data() + prefer.size(), wanted);
  if (parsed.ec == std::errc() && wanted >= 0) wait = std::min(seconds(wanted), kMostWait);
  return wait;
}

void issue_until(const CallPtr& call, const core::SpecRequest& wanted, MonoTime deadline);

// The operation a spec waits for has ended, or the caller's time has.
void after_operation(const CallPtr& call, const core::SpecRequest& wanted, MonoTime deadline,
                     const store::OperationRecord& operation) {
  if (operation.state == store::OperationState::succeeded) {
    // Off the engine's thread: issuing may write.
    auto queued = call->api.parts().workers.submit(
        [call, wanted, deadline](const std::stop_token&) { issue_until(call, wanted, deadline); });
    if (!queued) call->fail(queued.error());
    return;
  }
  if (store::is_open(operation.state) && operation.state != store::OperationState::parked) {
    call->api.count_spec(202);
    return call->reply(pending_response(operation));
  }
  call->api.count_spec(0);
  call->fail(error_of(operation));
}

void give_answer(const CallPtr& call, const core::SpecRequest& wanted, MonoTime deadline,
                 const Result<core::SpecAnswer>& answer) {
  if (!answer) {
    call->api.count_spec(0);
    return call->fail(answer.error());
  }
  if (answer->status != 202 || !answer->operation) return call->reply(spec_response(call->api, *answer));
  call->api.core().operations().await(*answer->operation, deadline,
                                      [call, wanted, deadline](Result<store::OperationRecord> operation) {
                                        if (!operation) return call->fail(operation.error());
                                        after_operation(call, wanted, deadline, *operation);
                                      });
}

void issue_until(const CallPtr& call, const core::SpecRequest& wanted, MonoTime deadline) {
  core::Caller caller = call->caller();
  caller.deadline = deadline;
  call->api.core().logins().issue(caller, wanted, [call, wanted, deadline](const Result<core::SpecAnswer>& answer) {
    give_answer(call, wanted, deadline, answer);
  });
}

struct Rendering {
  const render::Renderer* renderer = nullptr;  // null: the document itself
  render::RenderOptions options{};
};

Result<Rendering> rendering_of(const Request& request) {
  Rendering out;
  if (const auto format = request.query("format")) {
    HOMEPORT_TRY(out.renderer, render::find_renderer(*format));
  }
  const auto mode = request.query("mode").value_or("hook");
  if (mode != "hook" && mode != "trait") {
    return Error{.code = Errc::invalid_argument,
                 .message = "the parameter mode is not usable: '" + printable(mode, 40) + "'",
                 .hint = "give hook or trait"};
  }
  if (mode == "trait") out.options.mode = render::TemplateMode::trait;
  out.options.kube_namespace = std::string(request.query("namespace").value_or(""));
  if (const auto service = request.query("service")) out.options.compose_service = *service;
  if (const auto root = request.query("host_root")) out.options.host_root = *root;
  return out;
}

Result<Response> rendered(const render::MountSpec& spec, const Rendering& how) {
  if (how.renderer == nullptr) {
    return json_response(200, dump(render::to_json(spec))).with("ETag", '"' + render::digest(spec) + '"');
  }
  HOMEPORT_TRY(auto text, how.renderer->render(spec, how.options));
  return Response{.status = 200, .content_type = std::string(how.renderer->content_type), .body = std::move(text)};
}

// The spec behind {id}, for somebody who may see it.
Result<core::Logins::Reissued> spec_of(const CallPtr& call) {
  const std::string id(call->request.param("id"));
  auto found = call->api.core().logins().reissue(id);
  if (const auto only = bound_to(call->principal)) {
    const auto owner = found ? user_key_of(call->api.catalog(), found->request.realm, found->request.user) : "";
    if (found && !only->empty() && owner == *only) return std::move(*found);
    // Somebody else's is as unknown as one that never was.
    return Error{.code = Errc::not_found,
                 .message = "you have no spec " + printable(id, 40) + ", or it has changed since",
                 .hint = "`homeport spec get` asks for the present one"};
  }
  if (!found) {
    // Whether an id exists is not told to somebody who may not ask for any spec of that kind.
    if (!policies::authorize(call->principal, policies::Action::issue_spec, {.hub = call->principal.hub})) {
      HOMEPORT_CHECK(may_ask(call->api, call->principal, {.hub = call->principal.hub, .user = {}}));
    }
    return std::move(found).error();
  }
  HOMEPORT_CHECK(may_ask(call->api, call->principal, found->request));
  return std::move(*found);
}

// Where pods mount claims, they are there before anybody is told of them; elsewhere volumes are inline.
void render_for(const CallPtr& call, Rendering how, const core::Logins::Reissued& found) {
  auto& volumes = call->api.core().cluster_volumes();
  const bool pods = how.renderer != nullptr && how.renderer->name == "kubespawner";
  if (pods && how.options.kube_namespace.empty()) {
    if (volumes.cluster() == nullptr) {
      how.options.inline_nfs = true;  // the answer says what that loses
    } else if (volumes.cluster()->namespaces().size() == 1) {
      how.options.kube_namespace = volumes.cluster()->namespaces().front();
    } else {
      return call->fail(Error{.code = Errc::invalid_argument,
                              .message = "the namespace is not named, and claims are made in several",
                              .hint = "name the one that the pod runs in (?namespace=)"});
    }
  }
  const auto answer = [call, how, spec = found.spec](const Result<void>& mountable) {
    if (!mountable) return call->fail(mountable.error());
    auto response = rendered(spec, how);
    if (!response) return call->fail(response.error());
    call->reply(std::move(*response));
  };
  if (!pods || how.options.kube_namespace.empty()) return answer(Result<void>{});
  const auto deadline = call->api.parts().clock.mono() + kClaimsWait;
  volumes.when_mountable(found.spec, found.spaces, how.options.kube_namespace, deadline, answer);
}

}  // namespace

std::optional<Response> issue_spec_now(Api& api, const Request& request, const policies::Principal& principal) {
  const auto wanted = wanted_spec(request, principal, api);
  if (!wanted) return problem_response(wanted.error(), request.request_id);
  if (const auto allowed = may_ask(api, principal, *wanted); !allowed) {
    return problem_response(allowed.error(), request.request_id);
  }
  const core::Caller caller{.principal = principal, .request_id = request.request_id, .deadline = request.deadline};
  const auto answer = api.core().logins().try_issue(caller, *wanted);
  if (!answer) return std::nullopt;  // there is work to do first
  if (!*answer) {
    api.count_spec(0);
    return problem_response(answer->error(), request.request_id);
  }
  if ((*answer)->status == 202) return std::nullopt;
  return spec_response(api, **answer);
}

void issue_spec_later(const CallPtr& call) {
  guarded(call, [&]() -> Result<void> {
    HOMEPORT_TRY(const auto wanted, wanted_spec(call->request, call->principal, call->api));
    HOMEPORT_CHECK(may_ask(call->api, call->principal, wanted));
    HOMEPORT_TRY(const auto wait, spec_wait(call->request));
    issue_until(call, wanted, call->api.parts().clock.mono() + wait);
    return {};
  });
}

void get_spec(const CallPtr& call) {
  guarded(call, [&]() -> Result<void> {
    HOMEPORT_TRY(const auto how, rendering_of(call->request));
    HOMEPORT_TRY(const auto found, spec_of(call));
    render_for(call, how, found);
    return {};
  });
}

void release_spec(const CallPtr& call) {
  guarded(call, [&]() -> Result<void> {
    HOMEPORT_CHECK(expect_no_body(call->request));
    const auto& principal = call->principal;
    const policies::Resource own{.hub = principal.hub, .realm = principal.realm};
    if (const auto may = policies::authorize(principal, policies::Action::release_spec, own); !may) {
      call->api.audit_refusal(principal, "release_spec", "hub/" + principal.hub, may.error());
      return may.error();
    }
    // A spec that has changed since, or is gone, can still be released; whose it is is known while it can be shown.
    const auto spec = spec_of(call);
    if (!spec && spec.error().code == Errc::forbidden) return spec.error();
    HOMEPORT_CHECK(call->api.core().logins().release(call->caller(), std::string(call->request.param("id"))));
    call->reply(Response{.status = 204});
    return {};
  });
}

std::optional<Response> render_spec(Api&, const Request& request, const policies::Principal&) {
  const auto answer = [&]() -> Result<Response> {
    HOMEPORT_TRY(const auto how, rendering_of(request));
    HOMEPORT_TRY(const auto spec, render::from_json(request.body));
    return rendered(spec, how);
  }();
  if (!answer) return problem_response(answer.error(), request.request_id);
  return *answer;
}

std::optional<Response> list_renderers(Api&, const Request&, const policies::Principal&) {
  json items = json::array();
  for (const auto& renderer : render::renderers()) {
    items.push_back({{"name", renderer.name}, {"summary", renderer.summary}, {"content_type", renderer.content_type}});
  }
  return json_response(200, dump({{"items", std::move(items)}}));
}

}  // namespace homeport::api
