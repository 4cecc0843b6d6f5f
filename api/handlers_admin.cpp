#include "api/call.h"
#include "api/handlers.h"
#include "api/lists.h"
#include "api/wire_admin.h"
#include "api/wire_operation.h"
#include "api/wire_policy.h"
#include "provisioner/config/yaml_document.h"

namespace homeport::api {
namespace {

using nlohmann::json;

constexpr std::uint64_t kMostSeq = 1ULL << 62U;

bool says_yaml(const Request& request) {
  const auto type = request.header("Content-Type");
  return type.find("yaml") != std::string_view::npos;
}

// The body as a desired document: all problems at once, with their lines where it is YAML.
Result<core::Desired> read_desired_body(const CallPtr& call) {
  const Request& request = call->request;
  HOMEPORT_TRY(const Document document, says_yaml(request) ? config::parse_yaml_document(request.body, "request body")
                                                           : parse_json_document(request.body, "request body"));
  Problems problems(document);
  DocReader in = DocReader::root(problems);
  auto desired = core::read_desired(in, call->api.parts().factory);
  if (!problems.none()) return problems.to_error();
  return desired;
}

// `after` counts in sequence numbers; the cursor holds one.
Result<std::uint64_t> audit_start(const Request& request, const Page& page) {
  HOMEPORT_TRY(const auto after, number_param(request, "after", 0, kMostSeq));
  if (page.after.empty()) return after.value_or(0);
  std::uint64_t seq = 0;
  for (const char c : page.after) {
    if (c < '0' || c > '9' || seq > kMostSeq / 10) {
      return Error{.code = Errc::invalid_argument,
                   .message = "the parameter cursor is not of this list",
                   .hint = "give the 'next' of the page before, unchanged"};
    }
    seq = seq * 10 + static_cast<std::uint64_t>(c - '0');
  }
  return seq;
}

}  // namespace

void list_audit(const CallPtr& call) {
  guarded(call, [&]() -> Result<void> {
    HOMEPORT_TRY(const auto page, page_params(call->request));
    HOMEPORT_TRY(const auto after, audit_start(call->request, page));
    const auto subject = call->request.query("subject").value_or("");
    HOMEPORT_TRY(const auto rows, call->api.core().administration().audit(after, page.limit, subject));
    json items = json::array();
    for (const auto& row : rows) items.push_back(audit_row_json(row));
    json next = nullptr;
    if (rows.size() == page.limit) next = make_cursor(std::to_string(rows.back().seq));
    call->reply_json(200, {{"items", std::move(items)}, {"next", std::move(next)}});
    return {};
  });
}

void verify_audit(const CallPtr& call) {
  guarded(call, [&]() -> Result<void> {
    HOMEPORT_TRY(const auto check, call->api.core().administration().verify_audit());
    call->reply_json(200, audit_check_json(check));
    return {};
  });
}

std::optional<Response> list_classes(Api& api, const Request& request, const policies::Principal&) {
  return json_or_problem(request, [&]() -> Result<json> {
    HOMEPORT_TRY(const auto page, page_params(request));
    return page_of(
        api.catalog().classes(), page, [](const auto& klass) { return klass->name.str(); },
        [](const auto&) { return true; }, [](const auto& klass) { return class_json(*klass); });
  });
}

std::optional<Response> list_rules(Api& api, const Request&, const policies::Principal&) {
  json items = json::array();
  if (const auto rules = api.catalog().rules()) {
    for (const auto& rule : *rules) items.push_back(rule_json(rule));
  }
  return json_response(200, dump({{"items", std::move(items)}}));
}

void plan_desired(const CallPtr& call) {
  guarded(call, [&]() -> Result<void> {
    HOMEPORT_TRY(const auto desired, read_desired_body(call));
    HOMEPORT_TRY(const auto changes, call->api.core().administration().plan(desired, store::Provenance::api));
    call->reply_json(200, changes_json(changes));
    return {};
  });
}

void apply_desired(const CallPtr& call) {
  guarded(call, [&]() -> Result<void> {
    HOMEPORT_TRY(const bool dry_run, flag_param(call->request, "dry_run"));
    if (dry_run) {
      plan_desired(call);
      return {};
    }
    HOMEPORT_TRY(const auto desired, read_desired_body(call));
    HOMEPORT_TRY(const auto changes,
                 call->api.core().administration().apply(call->caller(), desired, store::Provenance::api));
    call->reply_json(200, changes_json(changes));
    return {};
  });
}

}  // namespace homeport::api
