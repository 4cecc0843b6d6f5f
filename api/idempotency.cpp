#include "api/idempotency.h"

#include <algorithm>
#include <utility>

#include "provisioner/base/digest.h"

namespace homeport::api {
namespace {

Error used_for_another(const std::string& key) {
  return Error{.code = Errc::conflict,
               .message = "the idempotency key '" + printable(key) + "' was used for another request",
               .hint = "send a new key with a new request, or the same body with the same key"};
}

Error still_running(const std::string& key) {
  return Error{.code = Errc::conflict,
               .message = "the request with the idempotency key '" + printable(key) + "' is still being worked on",
               .hint = "send the same request again in a moment",
               .retry_after = std::chrono::seconds(1)};
}

}  // namespace

std::string Idempotency::hash(std::string_view method, std::string_view target, std::string_view body) {
  std::string text;
  text.reserve(method.size() + target.size() + body.size() + 2);
  text.append(method).append("\n").append(target).append("\n").append(body);
  return sha256_hex(text);
}

Result<void> Idempotency::check_key(std::string_view key) {
  const bool visible = std::all_of(key.begin(), key.end(), [](char c) { return c > ' ' && c < '\x7f' && c != '/'; });
  if (!key.empty() && key.size() <= kMaxKey && visible) return {};
  return Error{.code = Errc::invalid_argument,
               .message = "the header Idempotency-Key is not usable: '" + printable(key, 60) + "'",
               .hint = "send 1 to 200 visible ASCII characters without '/', such as a UUID"};
}

Result<std::optional<store::AnswerRecord>> Idempotency::begin(const std::string& principal, const std::string& key,
                                                              const std::string& hash) {
  std::optional<store::AnswerRecord> replay;
  const WallTime now = clock_.now();
  HOMEPORT_CHECK(store_.write("answer.begin", [&](store::WriteTransaction& tx) -> Result<void> {
    replay.reset();
    store::AnswerRecord fresh{.principal = principal, .idempotency_key = key, .request_hash = hash, .created_at = now};
    HOMEPORT_TRY(auto known, store::get<store::AnswerRecord>(tx, fresh.key()));
    if (known && known->created_at + kKept > now) {
      if (known->request_hash != hash) return used_for_another(key);
      if (known->status != 0) {
        replay = std::move(known);
        return {};
      }
      if (known->created_at >= started_) return still_running(key);
    }
    if (known) fresh.revision = known->revision;
    return store::put(tx, fresh);
  }));
  return replay;
}

Result<void> Idempotency::finish(const std::string& principal, const std::string& key, std::uint32_t status,
                                 std::string body, std::string content_type) {
  return store_.write("answer.finish", [&](store::WriteTransaction& tx) -> Result<void> {
    const store::AnswerRecord name{.principal = principal, .idempotency_key = key, .request_hash = {}};
    HOMEPORT_TRY(auto record, store::get<store::AnswerRecord>(tx, name.key()));
    if (!record) return Result<void>{};
    record->status = status;
    record->body = body;
    record->content_type = content_type;
    return store::put(tx, *record);
  });
}

Result<void> Idempotency::abandon(const std::string& principal, const std::string& key) {
  const store::AnswerRecord name{.principal = principal, .idempotency_key = key, .request_hash = {}};
  return store_.write("answer.abandon", [&](store::WriteTransaction& tx) {
    return tx.erase(store::Table::answers, name.key(), store::Expect::any());
  });
}

}  // namespace homeport::api
