#include "tests/unit/api/api_fixture.h"

#include <future>

#include "api/http_server.h"
#include "drivers/registry/registry.h"
#include "provisioner/base/digest.h"

namespace homeport::testing {
namespace {

constexpr std::chrono::seconds kPatience{30};

class Catcher final : public Responder::Sink {
 public:
  Catcher(std::shared_ptr<std::promise<Response>> promise, std::shared_ptr<OpenStream> stream)
      : promise_(std::move(promise)), stream_(std::move(stream)) {}
  void answer(Response&& response) override { promise_->set_value(std::move(response)); }
  std::shared_ptr<EventStream::Sink> stream(Response&& head) override {
    promise_->set_value(std::move(head));
    return stream_;
  }

 private:
  std::shared_ptr<std::promise<Response>> promise_;
  std::shared_ptr<OpenStream> stream_;
};

policies::Scope scope_of(const std::string& name) {
  return policies::scope_from_name(name).value_or(policies::Scope::auditor);
}

}  // namespace

ApiTest::ApiTest() {
  factory_ = drivers::make_driver_factory({.clock = clock_.get(), .metrics = metrics_.get()});
  EXPECT_OK(store_->acquire_lease("test", std::chrono::minutes(10)));
  core::HubSettings main{.name = "main", .realm = "default", .address = "http://127.0.0.1:8081/hub/api"};
  main.lists_users = true;
  core_ = std::make_unique<core::Provisioner>(core::Environment{.store = *store_,
                                                                .clock = *clock_,
                                                                .ids = *ids_,
                                                                .metrics = *metrics_,
                                                                .factory = *factory_,
                                                                .hubs = {{.settings = main, .hub = hub_}}});
  EXPECT_OK(core_->load());
  for (const char* scope : {"admin", "operator", "auditor", "spawner"}) {
    const std::string hub = std::string(scope) == "spawner" ? "main" : "";
    const auto created = core_->tokens().create("test", {.scope = scope_of(scope), .hub = hub, .name = scope});
    EXPECT_OK(created);
    if (created) tokens_[scope] = created->token.reveal();
  }
  EXPECT_OK(core_->run());
  workers_ = std::make_unique<WorkerPool>("api", 4, 256);
  api_ = std::make_unique<api::Api>(api::Api::Parts{.core = *core_,
                                                    .store = *store_,
                                                    .clock = *clock_,
                                                    .ids = *ids_,
                                                    .metrics = *metrics_,
                                                    .factory = *factory_,
                                                    .workers = *workers_},
                                    api::Api::Settings{});
  api_->set_phase(api::Phase::ready, "ready");
  auto router = Router::create(api::Api::http_routes());
  EXPECT_OK(router);
  if (router) router_ = std::make_unique<Router>(std::move(router).value());
}

ApiTest::~ApiTest() {
  hub_->let_go();
  workers_->drain(std::chrono::seconds(5));
  core_->stop();
}

std::string ApiTest::standard() {
  return R"({"backends":[{"name":"lab","kind":"memory","pools":[{"name":"homes"}],
                          "exports":[{"path":"/data","files":[{"path":"sets/a.csv","content":"1,2"}]}]}],
             "classes":[{"name":"big","backend":"lab","default_quota":"40GiB"},
                        {"name":"std","backend":"lab","default_quota":"10GiB","max_quota":"50GiB"}],
             "rules":[{"name":"all","match":{"everyone":true},"class":"std"}]})";
}

std::string ApiTest::token(const std::string& scope) const {
  const auto known = tokens_.find(scope);
  return known == tokens_.end() ? scope : known->second;
}

std::string ApiTest::expired_token() {
  const std::string text = "hp_000000000000_expired";
  store::TokenRecord record{.id = "t-000000000000", .scope = "admin", .hash = sha256_hex(text)};
  record.created_at = clock_->now() - std::chrono::hours(2);
  record.expires_at = clock_->now() - std::chrono::hours(1);
  EXPECT_OK(store_->write("token", [&](store::WriteTransaction& tx) -> Result<void> {
    auto copy = record;
    return store::put(tx, copy);
  }));
  return text;
}

Response ApiTest::send(const std::string& method, const std::string& target, const std::string& body,
                       const std::string& token_or_scope, Headers headers) {
  if (!token_or_scope.empty()) headers.emplace_back("Authorization", "Bearer " + token(token_or_scope));
  Request request = make_request(method_from_name(method), target, std::move(headers), body);
  request.received_at = clock_->mono();
  request.deadline = request.received_at + std::chrono::seconds(60);
  const auto match = router_->match(request.method, request.target, request.params);
  if (match.kind != RouteMatch::Kind::found) {
    ADD_FAILURE() << "no route for " << method << " " << target;
    return Response{.status = 0};
  }
  request.route = match.route->id;
  Response response;
  if (auto now = api_->answer_inline(request)) {
    response = std::move(*now);
  } else {
    auto promise = std::make_shared<std::promise<Response>>();
    auto future = promise->get_future();
    stream_ = std::make_shared<OpenStream>();
    api_->answer(std::move(request), Responder(std::make_unique<Catcher>(promise, stream_), "req-test"));
    if (future.wait_for(kPatience) != std::future_status::ready) {
      ADD_FAILURE() << "no answer to " << method << " " << target;
      return Response{.status = 0};
    }
    response = future.get();
  }
  answered_.push_back({.method = method,
                       .pattern = match.route->pattern,
                       .request_body = body,
                       .status = response.status,
                       .content_type = response.content_type,
                       .body = std::string(response.text())});
  return response;
}

nlohmann::json ApiTest::ask(const std::string& method, const std::string& target, const std::string& body,
                            unsigned expected, const std::string& token_or_scope, Headers headers) {
  const auto response = send(method, target, body, token_or_scope, std::move(headers));
  EXPECT_EQ(response.status, expected) << method << " " << target << ": " << response.text();
  auto parsed = nlohmann::json::parse(response.text(), nullptr, false);
  return parsed.is_discarded() ? nlohmann::json() : parsed;
}

std::string ApiTest::header(const Response& response, const std::string& name) {
  for (const auto& [key, value] : response.headers) {
    if (equal_ignoring_case(key, name)) return value;
  }
  return {};
}

}  // namespace homeport::testing
