#include "api/wire_admin.h"

#include "api/wire_common.h"

namespace homeport::api {

using nlohmann::json;

json token_json(const store::TokenRecord& token) {
  return {{"id", token.id},
          {"name", text_or_null(token.name)},
          {"scope", token.scope},
          {"hub", text_or_null(token.hub)},
          {"realm", text_or_null(token.realm)},
          {"created_by", text_or_null(token.created_by)},
          {"created_at", time_json(token.created_at)},
          {"expires_at", time_json(token.expires_at)},
          {"revoked", token.revoked}};
}

json created_token_json(const core::Tokens::Created& created) {
  json out = token_json(created.record);
  out["token"] = created.token.reveal();
  return out;
}

json audit_row_json(const store::AuditRow& row) {
  const auto& entry = row.entry;
  // The detail was written by this program; text that is no JSON is shown as the text it is.
  json detail = entry.detail.empty() ? json(nullptr) : json::parse(entry.detail, nullptr, false);
  if (detail.is_discarded()) detail = entry.detail;
  return {{"seq", row.seq},
          {"at", time_json(entry.at)},
          {"principal", entry.principal},
          {"action", entry.action},
          {"subject", text_or_null(entry.subject)},
          {"outcome", entry.outcome},
          {"detail", std::move(detail)},
          {"operation", text_or_null(entry.operation)},
          {"hash", row.hash}};
}

json audit_check_json(const store::AuditCheck& check) {
  return {{"rows", check.rows},
          {"ok", !check.first_bad.has_value()},
          {"first_bad", or_null(check.first_bad)},
          {"detail", text_or_null(check.detail)}};
}

json event_json(const store::Change& change) {
  return {{"seq", change.seq},
          {"at", time_json(change.at)},
          {"table", std::string(store::table_def(change.table).name)},
          {"key", change.key},
          {"revision", change.revision}};
}

json finding_json(const core::Finding& finding) {
  return {{"level", finding.level}, {"what", finding.what}, {"hint", text_or_null(finding.hint)}};
}

}  // namespace homeport::api
