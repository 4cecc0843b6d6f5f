#include "drivers/flashblade/array_session.h"

#include <algorithm>

#include "drivers/flashblade/api_error.h"
#include "provisioner/base/log.h"
#include "provisioner/base/names.h"

namespace homeport::drivers::flashblade {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxAnswer = std::size_t{64} << 20U;  // a page of a thousand items is about 2 MB
constexpr std::chrono::seconds kAfterRefusal{30};           // an account must not be locked by a wrong token
constexpr std::chrono::seconds kForbidden{60};              // before a call is thought to be allowed now
constexpr std::chrono::milliseconds kGoodbye{2000};
constexpr std::chrono::milliseconds kSlice{200};  // between looks at the test clock while waiting

bool is_success(int status) {
  return status >= 200 && status < 300;
}
bool is_refused(int status) {
  return status == 401 || status == 403;
}

// An array that was upgraded or downgraded may no longer have the version that a session began with. How it says so is
// not written anywhere.
bool may_mean_version(const http::Reply& reply) {
  if (reply.status == 404) return true;
  if (reply.status != 400) return false;
  const auto messages = messages_in(reply.body);
  return std::ranges::any_of(messages, [](const auto& m) { return m.text.find("version") != std::string::npos; });
}

std::string encoded_target(const std::string& base, const ApiCall& call) {
  Target target(base);
  for (const auto& [key, value] : call.query) target.query(key, value);
  return target.str();
}

// What an admin can look at when nothing answers as an array would.
Error with_hint(Error error, const Url& url) {
  const bool lost = error.code == Errc::unavailable || error.code == Errc::timed_out || error.code == Errc::internal;
  if (!lost || !error.hint.empty()) return error;
  error.hint = url.tls
                   ? "management.url is the address of the array's management interface, as in a browser; is its port "
                     "open to this host?"
                   : "does that port speak HTTPS? Then write https:// in management.url, and leave plain_http out";
  return error;
}

}  // namespace

std::string ApiCall::words() const {
  return method + " " + endpoint;
}

std::string ApiCall::line() const {
  std::string text = method + " /" + endpoint;
  char join = '?';
  for (const auto& [key, value] : query) {
    text += join + key + "=" + value;
    join = '&';
  }
  if (body) text += " " + body->dump(-1, ' ', false, json::error_handler_t::replace);
  return text;
}

ArraySession::ArraySession(ManagementConfig config, Clock& clock)
    : config_(std::move(config)),
      clock_(clock),
      client_(http::make_client({.url = config_.url,
                                 .name = "the array " + config_.url.authority(),
                                 .ca_file = config_.ca_file,
                                 .max_body = kMaxAnswer,
                                 .max_idle = config_.connections},
                                clock)),
      pace_(clock),
      slots_(clock) {}

ArraySession::~ArraySession() {
  if (!login_) return;
  const OpContext op{.request_id = "logout", .deadline = clock_.mono() + kGoodbye};
  const auto said = client_->send(
      op, {.method = "POST", .target = "/api/logout", .headers = {{"x-auth-token", login_->token.reveal()}}});
  if (!said) log::debug("array session left to expire", {{"array", config_.url.authority()}});
}

OpContext ArraySession::bounded(const OpContext& op) const {
  OpContext out = op;
  out.deadline = std::min(op.deadline, clock_.mono() + config_.timeout);
  return out;
}

// One request at the array's pace, one of so many at once; a 429 was not acted upon, so it is sent again as long as
// there is time.
Result<http::Reply> ArraySession::exchange(const OpContext& op, const http::Request& request) {
  for (;;) {
    HOMEPORT_CHECK(pace_.wait(op));
    auto slot = slots_.take(op, config_.connections, "the array");
    if (!slot) return std::move(slot).error();
    auto reply = client_->send(bounded(op), request);
    if (!reply) {
      auto error = std::move(reply).error();
      if (request.method == "GET") error.maybe_applied = false;
      return error;
    }
    if (reply->status != 429) {
      pace_.fine();
      return reply;
    }
    const auto error = refusal(*reply, request.method, false);
    pace_.too_fast(error.retry_after);
  }
}

Result<RestVersion> ArraySession::negotiate(const OpContext& op) {
  const http::Request request{
      .method = "GET", .target = "/api/api_version", .headers = {{"Accept", "application/json"}}};
  auto first = exchange(op, request);
  if (!first) return with_hint(std::move(first).error(), config_.url);
  const auto reply = std::move(first).value();
  if (!is_success(reply.status)) {
    auto error = refusal(reply, "GET api_version", false);
    if (reply.status >= 500) return error;
    return Error{.code = Errc::failed_precondition,
                 .message = config_.url.to_string() + " is no FlashBlade: " + error.message,
                 .hint = "management.url is the address of the array's management interface, as in a browser",
                 .upstream = error.upstream};
  }
  const auto body = json::parse(reply.body, nullptr, false);
  const auto at = body.is_object() ? body.find("versions") : body.end();
  if (!body.is_object() || at == body.end() || !at->is_array()) {
    return Error{.code = Errc::failed_precondition,
                 .message = config_.url.to_string() + " is no FlashBlade: it does not say which REST versions it has",
                 .hint = "management.url is the address of the array's management interface, as in a browser"};
  }
  std::vector<std::string> offered;
  for (const auto& item : *at) {
    if (item.is_string()) offered.push_back(item.get<std::string>());
  }
  return choose_version(offered);
}

Result<ArraySession::Login> ArraySession::log_in(const OpContext& op, std::uint64_t number) {
  HOMEPORT_TRY(const auto api_token, config::read_secret(config_.api_token).context("API token of the array"));
  {
    const std::lock_guard lock(mutex_);
    if (refused_ && refused_->api_token == api_token.reveal() && clock_.mono() < refused_->until)
      return refused_->error;
  }
  HOMEPORT_TRY(const auto version, negotiate(op));
  const http::Request request{.method = "POST",
                              .target = "/api/login",
                              .headers = {{"api-token", api_token.reveal()}, {"Accept", "application/json"}}};
  HOMEPORT_TRY(const auto reply, exchange(op, request));
  auto session = reply.header("x-auth-token");
  if (is_success(reply.status) && !session.empty()) return Login{Secret(std::move(session)), version, number};
  if (is_success(reply.status)) return garbled(reply, "POST login", "it carries no x-auth-token", false);
  auto error = refusal(reply, "POST login", false);
  // An array that answers 400 to a login means the token, too.
  if (!is_refused(reply.status) && reply.status != 400) return error;
  error.code = Errc::permission_denied;
  error.message = without_secrets("the array " + config_.url.authority() + " does not accept the API token in " +
                                  config_.api_token.describe() +
                                  (error.upstream->detail.empty() ? "" : ": " + error.upstream->detail));
  error.upstream->detail = without_secrets(error.upstream->detail);
  error.hint = "make one with `pureadmin create --api-token USER` on the array and put it there; it may have expired";
  const std::lock_guard lock(mutex_);
  refused_ = Refused{.api_token = api_token.reveal(), .error = error, .until = clock_.mono() + kAfterRefusal};
  return error;
}

Result<ArraySession::Login> ArraySession::current(const OpContext& op) {
  {
    const std::lock_guard lock(mutex_);
    if (login_) return *login_;
  }
  return renew(op, 0);
}

Result<ArraySession::Login> ArraySession::renew(const OpContext& op, std::uint64_t stale) {
  std::unique_lock lock(mutex_);
  for (;;) {
    if (login_ && login_->number != stale) return *login_;
    if (!logging_in_) break;
    const auto waited_for = attempts_;
    while (attempts_ == waited_for) {
      HOMEPORT_CHECK(still_wanted(op, clock_, "logging in to the array"));
      changed_.wait_for(lock, op.stop, kSlice, [&] { return attempts_ != waited_for; });
    }
    // A caller in a greater hurry gave up: that says nothing about the array.
    const bool says_nothing =
        !last_failure_ || last_failure_->code == Errc::cancelled || last_failure_->code == Errc::timed_out;
    if (!says_nothing) return *last_failure_;
  }
  logging_in_ = true;
  const std::uint64_t number = logins_ + 1;
  lock.unlock();
  auto made = log_in(op, number);
  lock.lock();
  logging_in_ = false;
  ++attempts_;
  last_failure_.reset();
  login_.reset();
  if (made) {
    logins_ = number;
    login_ = *made;
    refused_.reset();
  } else {
    last_failure_ = made.error();
  }
  changed_.notify_all();
  return made;
}

Result<http::Reply> ArraySession::send_once(const OpContext& op, const ApiCall& call, const Login& login) {
  http::Request request{.method = call.method,
                        .target = encoded_target("/api/" + login.version.str() + "/" + call.endpoint, call),
                        .headers = {{"x-auth-token", login.token.reveal()}, {"Accept", "application/json"}}};
  if (call.body) {
    request.headers.emplace_back("Content-Type", "application/json");
    request.body = call.body->dump(-1, ' ', false, json::error_handler_t::replace);
  }
  return exchange(op, request);
}

bool ArraySession::forbidden_before(const ApiCall& call) {
  const std::lock_guard lock(mutex_);
  const auto at = forbidden_.find(call.words());
  return at != forbidden_.end() && clock_.mono() < at->second;
}

void ArraySession::remember_forbidden(const ApiCall& call) {
  const std::lock_guard lock(mutex_);
  forbidden_[call.words()] = clock_.mono() + kForbidden;
}

Result<http::Reply> ArraySession::send(const OpContext& op, const ApiCall& call) {
  HOMEPORT_TRY(auto login, current(op));
  HOMEPORT_TRY(auto reply, send_once(op, call, login));
  // Real arrays answer 403 for an expired session, others 401; a 403 may as well mean that the role does not suffice.
  if (is_refused(reply.status) && !forbidden_before(call)) {
    HOMEPORT_TRY(login, renew(op, login.number));
    HOMEPORT_TRY(reply, send_once(op, call, login));
    if (is_refused(reply.status)) remember_forbidden(call);
    return reply;
  }
  if (!may_mean_version(reply)) return reply;
  HOMEPORT_TRY(const auto now, negotiate(op));
  if (now == login.version) return reply;
  log::info("the array speaks another REST version now",
            {{"array", config_.url.authority()}, {"was", login.version.str()}, {"is", now.str()}});
  HOMEPORT_TRY(login, renew(op, login.number));
  return send_once(op, call, login);
}

Result<json> ArraySession::call(const OpContext& op, const ApiCall& call) {
  if (call.changing() && op.calls != nullptr) op.calls->add(call.line());
  HOMEPORT_TRY(const auto reply, send(op, call));
  if (reply.status == 207) return garbled(reply, call.words(), "only part of it was answered", call.changing());
  if (!is_success(reply.status)) {
    auto error = refusal(reply, call.words(), call.changing());
    error.message = without_secrets(std::move(error.message));
    error.upstream->detail = without_secrets(std::move(error.upstream->detail));
    return error;
  }
  if (reply.body.find_first_not_of(" \t\r\n") == std::string::npos) {
    if (call.method == "DELETE") return json();
    return garbled(reply, call.words(), "it is empty", call.changing());
  }
  auto body =
      call.members == nullptr ? json::parse(reply.body, nullptr, false) : picked_listing(reply.body, *call.members);
  if (!body.is_object()) return garbled(reply, call.words(), "it is no JSON object", call.changing());
  return body;
}

Result<RestVersion> ArraySession::version(const OpContext& op) {
  HOMEPORT_TRY(const auto login, current(op));
  return login.version;
}

std::uint64_t ArraySession::logins() const {
  const std::lock_guard lock(mutex_);
  return logins_;
}

// An array, or what stands before it, may repeat in its error what it was sent.
std::string ArraySession::without_secrets(std::string text) const {
  const auto blank = [&](const std::string& secret) {
    for (auto at = secret.empty() ? std::string::npos : text.find(secret); at != std::string::npos;
         at = text.find(secret)) {
      text.replace(at, secret.size(), "(secret)");
    }
  };
  if (const auto token = config::read_secret(config_.api_token)) blank(token->reveal());
  const std::lock_guard lock(mutex_);
  if (login_) blank(login_->token.reveal());
  return text;
}

}  // namespace homeport::drivers::flashblade
