// Each record lists its members once (describe); writing and reading are two visitors over that list.
#include "provisioner/store/records.h"

#include <concepts>
#include <type_traits>

#include "provisioner/store/record_text.h"
#include "provisioner/store/row_rules.h"

namespace homeport::store {
namespace {

using nlohmann::json;

template <class T, class R>
concept Is = std::same_as<std::remove_const_t<T>, R>;

template <class T>
struct IsVector : std::false_type {};
template <class T>
struct IsVector<std::vector<T>> : std::true_type {};
template <class T>
struct IsOptional : std::false_type {};
template <class T>
struct IsOptional<std::optional<T>> : std::true_type {};
template <class T>
struct IsOptional<Boxed<T>> : std::true_type {};

template <class T>
json encode(const T& value);

class DocWriter {
 public:
  template <class T>
  void operator()(const char* name, const T& value) {
    if constexpr (IsOptional<T>::value) {
      if (value) doc[name] = encode(*value);
    } else if constexpr (IsVector<T>::value) {
      if (!value.empty()) doc[name] = encode(value);
    } else {
      doc[name] = encode(value);
    }
  }
  json doc = json::object();
};

template <class T>
json encode(const T& value) {
  if constexpr (std::same_as<T, std::string>) {
    return encode_text(value);
  } else if constexpr (std::unsigned_integral<T> || std::same_as<T, json>) {  // bool is one of them
    return value;
  } else if constexpr (std::same_as<T, WallTime>) {
    return value.time_since_epoch().count();
  } else if constexpr (std::is_enum_v<T>) {
    return std::string(word(value));
  } else if constexpr (IsVector<T>::value) {
    json list = json::array();
    for (const auto& element : value) list.push_back(encode(element));
    return list;
  } else {
    DocWriter writer;
    describe(writer, value);
    return writer.doc;
  }
}

template <class T>
bool decode(const json& in, T& out);

// Stops at nothing, remembers the first member that is missing or wrong.
class DocParser {
 public:
  explicit DocParser(const json& in) : doc(in) {}
  template <class T>
  void operator()(const char* name, T& value) {
    const auto member = doc.find(name);
    if constexpr (IsOptional<T>::value) {
      value.reset();
      if (member == doc.end()) return;
      if (!decode(*member, value.emplace())) note(name, "is wrong");
    } else if (member == doc.end()) {
      if constexpr (IsVector<T>::value) {
        value.clear();
      } else {
        note(name, "is missing");
      }
    } else if (!decode(*member, value)) {
      note(name, "is wrong");
    }
  }
  const json& doc;
  std::string problem;

 private:
  void note(const char* name, const char* why) {
    if (problem.empty()) problem = "member '" + std::string(name) + "' " + why;
  }
};

template <std::unsigned_integral T>
bool decode_number(const json& in, T& out) {
  if (!in.is_number_unsigned()) return false;
  const auto value = in.get<std::uint64_t>();
  if (value > std::numeric_limits<T>::max()) return false;
  out = static_cast<T>(value);
  return true;
}

template <class T>
bool decode_list(const json& in, std::vector<T>& out) {
  if (!in.is_array()) return false;
  out.clear();
  for (const auto& element : in) {
    if (!decode(element, out.emplace_back())) return false;
  }
  return true;
}

template <class T>
bool decode(const json& in, T& out) {
  if constexpr (std::same_as<T, std::string>) {
    return decode_text(in, out);
  } else if constexpr (std::same_as<T, bool>) {
    if (!in.is_boolean()) return false;
    out = in.get<bool>();
    return true;
  } else if constexpr (std::unsigned_integral<T>) {
    return decode_number(in, out);
  } else if constexpr (std::same_as<T, json>) {
    out = in;
    return true;
  } else if constexpr (std::same_as<T, WallTime>) {
    if (!in.is_number_integer()) return false;
    out = WallTime(std::chrono::milliseconds(in.get<std::int64_t>()));
    return true;
  } else if constexpr (std::is_enum_v<T>) {
    std::optional<T> known;
    if (in.is_string()) from_word(in.get_ref<const std::string&>(), known);
    if (known) out = *known;
    return known.has_value();
  } else if constexpr (IsVector<T>::value) {
    return decode_list(in, out);
  } else {
    if (!in.is_object()) return false;
    DocParser parser(in);
    describe(parser, out);
    return parser.problem.empty();
  }
}

// --- The members. The revision is the row's, not the document's. -----------------------------------------------------

template <class V, Is<BackendRecord> T>
void describe(V& v, T& r) {
  v("name", r.name);
  v("kind", r.kind);
  v("mode", r.mode);
  v("section", r.section);
  v("provenance", r.provenance);
  v("paused", r.paused);
  v("pause_text", r.pause_text);
  v("drained", r.drained);
}

template <class V, Is<ClassRecord> T>
void describe(V& v, T& r) {
  v("name", r.name);
  v("section", r.section);
  v("provenance", r.provenance);
}

template <class V, Is<RuleRecord> T>
void describe(V& v, T& r) {
  v("name", r.name);
  v("position", r.position);
  v("section", r.section);
  v("provenance", r.provenance);
}

template <class V, Is<GrantRecord> T>
void describe(V& v, T& r) {
  v("space", r.space);
  v("subject_kind", r.subject_kind);
  v("subject", r.subject);
  v("realm", r.realm);
  v("access", r.access);
  v("provenance", r.provenance);
  v("created_at", r.created_at);
}

template <class V, Is<HubAccountRecord> T>
void describe(V& v, T& r) {
  v("hub", r.hub);
  v("name", r.name);
  v("created", r.created);
}

template <class V, Is<RecreatedRecord> T>
void describe(V& v, T& r) {
  v("hub", r.hub);
  v("name", r.name);
  v("seen_at", r.seen_at);
  v("created", r.created);
}

template <class V, Is<UserRecord> T>
void describe(V& v, T& r) {
  v("key", r.key);
  v("realm", r.realm);
  v("uid", r.uid);
  v("gid", r.gid);
  v("identity_source", r.identity_source);
  v("gids", r.gids);
  v("groups", r.groups);
  v("merged_into", r.merged_into);
  v("created_at", r.created_at);
  v("dormant_since", r.dormant_since);
  v("accounts", r.accounts);
  v("recreated", r.recreated);
  v("markers_due", r.markers_due);
}

template <class V, Is<AliasRecord> T>
void describe(V& v, T& r) {
  v("realm", r.realm);
  v("name", r.name);
  v("user", r.user);
  v("similar_allowed", r.similar_allowed);
  v("former_since", r.former_since);
}

template <class V, Is<Rights> T>
void describe(V& v, T& r) {
  v("read", r.read);
  v("snapshot", r.snapshot);
  v("resize", r.resize);
  v("destroy", r.destroy);
}

template <class V, Is<UsageRecord> T>
void describe(V& v, T& r) {
  v("bytes", r.bytes);
  v("files", r.files);
  v("basis", r.basis);
  v("as_of", r.as_of);
}

template <class V, Is<MeasureRecord> T>
void describe(V& v, T& r) {
  v("since", r.since);
  v("entries", r.entries);
  v("position", r.position);
  v("why", r.why);
}

template <class V, Is<CopyClaimRecord> T>
void describe(V& v, T& r) {
  v("run", r.run);
  v("by", r.by);
  v("since", r.since);
  v("renewed", r.renewed);
  v("until", r.until);
}

template <class V, Is<SpaceRecord> T>
void describe(V& v, T& r) {
  v("key", r.key);
  v("kind", r.kind);
  v("state", r.state);
  v("realm", r.realm);
  v("owner", r.owner);
  v("name", r.name);
  v("backend", r.backend);
  v("layout", r.layout);
  v("pool", r.pool);
  v("backend_name", r.backend_name);
  v("backend_id", r.backend_id);
  v("path", r.path);
  v("imported", r.imported);
  v("rights", r.rights);
  v("class", r.klass);
  v("quota_bytes", r.quota_bytes);
  v("quota_class", r.quota_class);
  v("quota_wanted", r.quota_wanted);
  v("quota_reason", r.quota_reason);
  v("uid", r.uid);
  v("gid", r.gid);
  v("mode", r.mode);
  v("read_only", r.read_only);
  v("source", r.source);
  v("usage", r.usage);
  v("measure", r.measure);
  v("created_at", r.created_at);
  v("retired_at", r.retired_at);
  v("purge_after", r.purge_after);
  v("recoverable_until", r.recoverable_until);
  v("note", r.note);
  v("copying", r.copying);
  v("copy_claim", r.copy_claim);
  v("copy_source", r.copy_source);
  v("claims", r.claims);
}

template <class V, Is<SnapshotHold> T>
void describe(V& v, T& r) {
  v("id", r.id);
  v("owner", r.owner);
  v("by", r.by);
  v("reason", r.reason);
  v("since", r.since);
  v("expires", r.expires);
}

template <class V, Is<SnapshotRecord> T>
void describe(V& v, T& r) {
  v("key", r.key);
  v("space", r.space);
  v("backend", r.backend);
  v("pool", r.pool);
  v("of_pool", r.of_pool);
  v("name", r.name);
  v("backend_id", r.backend_id);
  v("label", r.label);
  v("reason", r.reason);
  v("taken_by", r.taken_by);
  v("adopted", r.adopted);
  v("state", r.state);
  v("asked_at", r.asked_at);
  v("taken_at", r.taken_at);
  v("deleted_at", r.deleted_at);
  v("holds", r.holds);
}

template <class V, Is<StepRecord> T>
void describe(V& v, T& r) {
  v("name", r.name);
  v("done", r.done);
  v("at", r.at);
  v("detail", r.detail);
}

template <class V, Is<FailureRecord> T>
void describe(V& v, T& r) {
  v("code", r.code);
  v("message", r.message);
  v("hint", r.hint);
}

template <class V, Is<OperationRecord> T>
void describe(V& v, T& r) {
  v("id", r.id);
  v("kind", r.kind);
  v("state", r.state);
  v("space", r.space);
  v("backend", r.backend);
  v("principal", r.principal);
  v("request_id", r.request_id);
  v("plan", r.plan);
  v("steps", r.steps);
  v("attempts", r.attempts);
  v("next_try", r.next_try);
  v("failure", r.failure);
  v("progress_done", r.progress_done);
  v("progress_total", r.progress_total);
  v("progress_unit", r.progress_unit);
  v("calls", r.calls);
  v("cancel_requested", r.cancel_requested);
  v("created_at", r.created_at);
  v("updated_at", r.updated_at);
  v("finished_at", r.finished_at);
}

template <class V, Is<TokenRecord> T>
void describe(V& v, T& r) {
  v("id", r.id);
  v("name", r.name);
  v("scope", r.scope);
  v("hub", r.hub);
  v("realm", r.realm);
  v("hash", r.hash);
  v("created_by", r.created_by);
  v("created_at", r.created_at);
  v("expires_at", r.expires_at);
  v("revoked", r.revoked);
}

template <class V, Is<SessionRecord> T>
void describe(V& v, T& r) {
  v("hub", r.hub);
  v("user", r.user);
  v("server", r.server);
  v("spec_id", r.spec_id);
  v("digest", r.digest);
  v("request", r.request);
  v("spaces", r.spaces);
  v("issued_at", r.issued_at);
  v("renewed_at", r.renewed_at);
  v("released_at", r.released_at);
}

template <class V, Is<AnswerRecord> T>
void describe(V& v, T& r) {
  v("principal", r.principal);
  v("idempotency_key", r.idempotency_key);
  v("request_hash", r.request_hash);
  v("status", r.status);
  v("body", r.body);
  v("content_type", r.content_type);
  v("created_at", r.created_at);
}

template <class V, Is<CounterRecord> T>
void describe(V& v, T& r) {
  v("name", r.name);
  v("value", r.value);
}

// --- Keys and index columns, in the order of table_defs.cpp ----------------------------------------------------------

using Index = std::array<std::string, kIndexColumns>;
constexpr std::size_t kDayText = 10;  // "2026-11-21"

std::string key_of(const BackendRecord& r) {
  return r.name;
}
std::string key_of(const ClassRecord& r) {
  return r.name;
}
std::string key_of(const RuleRecord& r) {
  return r.name;
}
std::string key_of(const UserRecord& r) {
  return r.key;
}
std::string key_of(const SpaceRecord& r) {
  return r.key;
}
std::string key_of(const SnapshotRecord& r) {
  return r.key;
}
std::string key_of(const OperationRecord& r) {
  return r.id;
}
std::string key_of(const TokenRecord& r) {
  return r.id;
}
std::string key_of(const CounterRecord& r) {
  return r.name;
}
template <class R>
requires requires(const R& r) {
  r.key();
}
std::string key_of(const R& r) {
  return r.key();
}

template <class R>
Index index_of(const R&) {
  return {};
}
Index index_of(const GrantRecord& r) {
  return {r.space};
}
Index index_of(const UserRecord& r) {
  return {r.uid ? r.realm + "/" + std::to_string(*r.uid) : std::string{}};
}
Index index_of(const AliasRecord& r) {
  return {r.user, r.similar_allowed ? std::string{} : r.realm + "/" + name_skeleton(r.name)};
}
Index index_of(const SpaceRecord& r) {
  return {std::string(space_kind_name(r.kind)), r.owner, r.label(), r.backend, r.place()};
}
Index index_of(const SnapshotRecord& r) {
  if (r.state == SnapshotState::deleted)
    return {r.space, r.scope(), "", "", r.deleted_at ? format_time(*r.deleted_at).substr(0, kDayText) : ""};
  return {r.space, r.scope(), r.scope() + "/" + r.name, r.label.empty() ? "" : r.space + "/" + r.label, ""};
}
Index index_of(const OperationRecord& r) {
  const bool open = is_open(r.state);
  return {open ? r.space : std::string{}, open ? "1" : "", std::string(operation_state_name(r.state)), r.backend,
          r.space};
}
Index index_of(const TokenRecord& r) {
  return {r.hash};
}
Index index_of(const SessionRecord& r) {
  return {r.spec_id, r.user};
}
Index index_of(const AnswerRecord& r) {
  return {sortable_time(r.created_at)};
}

Error damaged(Table table, const std::string& key, const std::string& why) {
  return Error{.code = Errc::internal,
               .message = std::string(table_def(table).name) + " row '" + printable(key) + "' is damaged: " + why,
               .hint = "restore the store from a backup made before it was damaged (homeport state restore FILE)"};
}

}  // namespace

template <class R>
Row to_row(const R& record) {
  DocWriter writer;
  describe(writer, record);
  return Row{.key = key_of(record),
             .revision = record.revision,
             .index = index_of(record),
             .doc = writer.doc.dump(-1, ' ', false, json::error_handler_t::replace)};
}

template <class R>
Result<R> from_row(const Row& row) {
  const json doc = json::parse(row.doc, nullptr, false);
  if (!doc.is_object()) return damaged(R::kTable, row.key, "its document is not a JSON object");
  R record{};
  DocParser parser(doc);
  describe(parser, record);
  if (!parser.problem.empty()) return damaged(R::kTable, row.key, parser.problem);
  if constexpr (std::is_same_v<R, OperationRecord>) {
    if (!record.plan.is_object()) return damaged(R::kTable, row.key, "its plan is not a JSON object");
  }
  if (key_of(record) != row.key) return damaged(R::kTable, row.key, "its document belongs to another key");
  record.revision = row.revision;
  return record;
}

#define HOMEPORT_RECORD(R)          \
  template Row to_row<R>(const R&); \
  template Result<R> from_row<R>(const Row&)
HOMEPORT_RECORD(BackendRecord);
HOMEPORT_RECORD(ClassRecord);
HOMEPORT_RECORD(RuleRecord);
HOMEPORT_RECORD(GrantRecord);
HOMEPORT_RECORD(UserRecord);
HOMEPORT_RECORD(AliasRecord);
HOMEPORT_RECORD(SpaceRecord);
HOMEPORT_RECORD(SnapshotRecord);
HOMEPORT_RECORD(OperationRecord);
HOMEPORT_RECORD(TokenRecord);
HOMEPORT_RECORD(SessionRecord);
HOMEPORT_RECORD(AnswerRecord);
HOMEPORT_RECORD(CounterRecord);
#undef HOMEPORT_RECORD

}  // namespace homeport::store
