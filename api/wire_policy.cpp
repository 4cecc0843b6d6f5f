#include "api/wire_policy.h"

#include "api/wire_common.h"

namespace homeport::api {

using nlohmann::json;
using std::chrono::seconds;

json class_json(const core::ClassSpec& klass) {
  return {{"name", klass.name.str()},
          {"layout", klass.layout},
          {"backend", klass.backend.str()},
          {"pool", text_or_null(klass.pool)},
          {"existing", klass.existing ? json(klass.existing->text()) : json()},
          {"create", klass.create ? json(*klass.create) : json()},
          {"default_quota_bytes", bytes_json(klass.default_quota)},
          {"max_quota_bytes", bytes_json(klass.max_quota)},
          {"home_target", klass.home_target},
          {"home_mode", mode_text(klass.home_mode)},
          {"identity", klass.identity == render::IdentityMode::squash ? "squash" : "native"},
          {"squash_uid", klass.squash_uid},
          {"squash_gid", klass.squash_gid},
          {"user_name", klass.user_name},
          {"umask", klass.umask},
          {"dataset_root", klass.dataset_root},
          {"spec_valid_seconds", seconds(klass.spec_valid).count()},
          {"trash_seconds", seconds(klass.trash).count()},
          {"notice_percent", klass.notice_percent},
          {"accept_one_uid", klass.accept_one_uid},
          {"environment", klass.environment},
          {"labels", klass.labels},
          {"section", klass.section.is_object() ? klass.section : json::object()}};
}

json rule_json(const policies::RuleFacts& rule) {
  return {{"name", rule.name},         {"users", rule.users},          {"groups", rule.groups},    {"hubs", rule.hubs},
          {"everyone", rule.everyone}, {"class", or_null(rule.klass)}, {"datasets", rule.datasets}};
}

}  // namespace homeport::api
