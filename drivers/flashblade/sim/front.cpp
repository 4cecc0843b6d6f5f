#include "drivers/flashblade/sim/front.h"

#include <algorithm>

#include "drivers/flashblade/sim/acts.h"
#include "drivers/flashblade/sim/listing.h"
#include "provisioner/base/log.h"

namespace homeport::fbsim {
namespace {

constexpr std::size_t kMaxRequests = 5'000;
constexpr std::size_t kMaxStale = 5'000;

HttpAnswer error_answer(const HttpRequest& request, const FaultRule& rule) {
  const auto path = request.target.substr(0, request.target.find('?'));
  HttpAnswer out;
  std::string message = rule.message;
  const char* key = "errors";
  if (rule.status == 401 && message.empty()) message = "Invalid session token.";
  if (rule.status == 403) {
    key = "error";
    if (message.empty()) message = "Access Denied";
  }
  if (rule.status == 429 && message.empty()) message = "Too many requests";
  if (rule.status == 500 && message.empty()) message = "Server is busy";
  if (rule.status == 503 && message.empty()) message = "Service unavailable";
  if (message.empty()) message = "Fault " + rule.id;
  if (rule.body == BodyFault::gateway) {
    out = json_answer(rule.status, Json{{"message", message}});
  } else {
    out = json_answer(rule.status,
                      Json{{key, Json::array({Json{{"code", rule.status}, {"context", path}, {"message", message}}})}});
  }
  if (!rule.retry_after.empty()) out.headers.emplace_back("Retry-After", rule.retry_after);
  if (rule.status == 429) {
    out.headers.emplace_back("X-RateLimit-Limit-second", "10");
    out.headers.emplace_back("X-RateLimit-Remaining-second", "0");
  }
  return out;
}

HttpAnswer html_answer(unsigned status) {
  HttpAnswer out;
  out.status = status == 0 ? 502 : status;
  out.content_type = "text/html";
  out.body =
      "<html><head><title>" + std::to_string(out.status) + "</title></head><body><h1>Bad Gateway</h1></body></html>\n";
  return out;
}

// Numbers become texts, texts lists, truths numbers: whatever a careless reader would trip over.
void twist(Json& value) {
  if (value.is_structured()) {
    for (auto& member : value) twist(member);
  } else if (value.is_number()) {
    value = value.dump();
  } else if (value.is_boolean()) {
    value = value.get<bool>() ? 1 : 0;
  } else if (value.is_string()) {
    value = Json::array({value});
  }
}

void spoil_page(const FaultRule& rule, Json& body) {
  if (!body.contains("items") || !body["items"].is_array()) return;
  auto& items = body["items"];
  const bool continues = body.contains("continuation_token") && body["continuation_token"].is_string();
  if (rule.repeat > 0 && continues && items.size() > rule.repeat) {
    // The next page begins before the end of this one.
    const auto& last = items[items.size() - 1 - rule.repeat];
    body["continuation_token"] = make_token(folded(text_of(last, "name")) + '\n' + text_of(last, "id"));
  }
  for (std::uint64_t i = 0; i < rule.drop && !items.empty(); ++i) items.erase(items.size() - 1);
}

}  // namespace

std::string path_without_version(std::string_view target) {
  auto path = target.substr(0, target.find('?'));
  if (!path.starts_with("/api/")) return std::string(path);
  path.remove_prefix(5);
  if (path.starts_with("2.") && path.find('/') != std::string_view::npos) path.remove_prefix(path.find('/') + 1);
  return std::string(path);
}

void Front::prepare(const Hit& hit) {
  const auto& rule = hit.rule;
  if (!rule.expire_sessions && !rule.version && rule.act.is_null()) return;
  array_.with([&](World& world, Sessions& sessions) {
    if (rule.expire_sessions) sessions.close_all();
    if (rule.version) world.settings.max_minor = *rule.version;
    if (rule.act.is_null()) return;
    if (const auto done = act(world, rule.act); !done) {
      log::warning("fault_act_refused", {{"fault", rule.id}, {"why", done.error().message}});
    }
  });
}

std::optional<HttpAnswer> Front::instead(const HttpRequest& request, const Hit& hit, When when) {
  const auto& rule = hit.rule;
  if (rule.cut == when) return HttpAnswer{.status = 0, .delivery = Delivery::cut};
  if (rule.hold == when) return HttpAnswer{.status = 0, .delivery = Delivery::hold};
  const bool creates = request.method == "POST" && request.target.starts_with("/api/2.");
  if (rule.array_full && when == When::before && creates) {
    return json_answer(400,
                       Json{{"errors", Json::array({Json{{"message", "The array is full."}, {"context", nullptr}}})}});
  }
  if (rule.status == 0 || rule.status_when != when) return std::nullopt;
  return rule.body == BodyFault::html ? html_answer(rule.status) : error_answer(request, rule);
}

void Front::grow_stale(const HttpRequest& request, std::int64_t ms, HttpAnswer& answer) {
  const auto now = array_.with([](World& world, Sessions&) { return world.now(); });
  const std::lock_guard lock(mutex_);
  const auto known = first_answers_.find(request.target);
  if (known != first_answers_.end() && now - known->second.at <= ms) {
    answer = known->second.answer;
    return;
  }
  if (first_answers_.size() >= kMaxStale) first_answers_.clear();
  // What is younger than that is not seen yet either.
  auto body = Json::parse(answer.body, nullptr, false);
  if (answer.status == 200 && body.is_object() && body.contains("items")) {
    auto& items = body["items"];
    Json seen = Json::array();
    for (auto& item : items) {
      if (item.value("created", Millis{0}) + ms <= now) seen.push_back(std::move(item));
    }
    items = std::move(seen);
    answer = json_answer(200, body);
  }
  first_answers_.insert_or_assign(request.target, Stale{now, answer});
}

void Front::spoil(const HttpRequest& request, const Hit& hit, HttpAnswer& answer) {
  const auto& rule = hit.rule;
  if (rule.stale_ms > 0 && request.method == "GET") grow_stale(request, rule.stale_ms, answer);
  if (rule.drop + rule.repeat > 0 || rule.body == BodyFault::wrong_types) {
    auto body = Json::parse(answer.body, nullptr, false);
    if (!body.is_object()) return;
    spoil_page(rule, body);
    if (rule.body == BodyFault::wrong_types) twist(body);
    answer.body = body.dump();
  }
  if (rule.body == BodyFault::broken_json) answer.body.resize(answer.body.size() / 2);
  if (rule.body == BodyFault::truncated) answer.delivery = Delivery::truncated;
  if (rule.body == BodyFault::html) answer = html_answer(rule.status);
}

HttpAnswer Front::decided(const HttpRequest& request, const std::vector<Hit>& hits, const std::stop_token& stop) {
  for (const auto& hit : hits) {
    if (hit.delay_ms > 0) clock_.sleep_for(std::chrono::milliseconds(hit.delay_ms), stop);
  }
  for (const auto& hit : hits) {
    prepare(hit);
    if (auto other = instead(request, hit, When::before)) return *std::move(other);
  }
  auto answer = array_.answer(request);
  for (const auto& hit : hits) {
    if (auto other = instead(request, hit, When::after)) return *std::move(other);
    spoil(request, hit, answer);
  }
  return answer;
}

HttpAnswer Front::answer(const HttpRequest& request, const std::stop_token& stop) {
  auto out = decided(request, faults_.decide(request.method, path_without_version(request.target)), stop);
  record(request, out);
  return out;
}

void Front::record(const HttpRequest& request, const HttpAnswer& answer) {
  const auto question = request.target.find('?');
  Json entry = {{"method", request.method},
                {"path", request.target.substr(0, question)},
                {"query", question == std::string::npos ? std::string() : request.target.substr(question + 1)},
                {"status", answer.delivery == Delivery::whole ? answer.status : 0}};
  const std::lock_guard lock(mutex_);
  requests_.push_back(std::move(entry));
  if (requests_.size() > kMaxRequests) requests_.pop_front();
}

Json Front::requests() const {
  const std::lock_guard lock(mutex_);
  return Json(requests_);
}

void Front::forget_requests() {
  const std::lock_guard lock(mutex_);
  requests_.clear();
}

}  // namespace homeport::fbsim
