#include <array>
#include <limits>
#include <utility>

#include "provisioner/base/doc_reader.h"
#include "provisioner/render/spec_checks.h"
#include "provisioner/render/spec_words.h"

namespace homeport::render {
namespace {

constexpr std::uint64_t kMax32 = std::numeric_limits<std::uint32_t>::max();
constexpr std::uint64_t kMax64 = std::numeric_limits<std::uint64_t>::max();

template <class E, std::size_t N>
E read_word(DocReader& in, std::string_view key, const std::array<Word<E>, N>& words,
            std::optional<E> fallback = std::nullopt) {
  const auto fallback_text = fallback ? std::optional(word_of(words, *fallback)) : std::nullopt;
  return value_of(words, in.choice(key, texts_of(words), fallback_text)).value_or(words.front().value);
}

std::optional<std::uint32_t> read_u32(DocReader& in, std::string_view key) {
  const auto number = in.optional_number(key, 0, kMax32);
  return number ? std::optional(static_cast<std::uint32_t>(*number)) : std::nullopt;
}

std::optional<std::uint16_t> read_port(DocReader& in, std::string_view key) {
  const auto number = in.optional_number(key, 1, 65535);
  return number ? std::optional(static_cast<std::uint16_t>(*number)) : std::nullopt;
}

std::optional<WallTime> read_time(DocReader& in, std::string_view key) {
  return in.parsed(key, &parse_time);
}

WallTime read_required_time(DocReader& in, std::string_view key) {
  return in.required(key, &parse_time).value_or(WallTime{});
}

// A member that must be there. Absent is one problem, not one for each member inside.
template <class T>
T read_required(DocReader& in, std::string_view key, T (*read)(DocReader)) {
  if (in.has(key)) return read(in.object(key));
  in.missing(key);
  return T{};
}

Notice read_notice(DocReader& in) {
  Notice out{.code = in.text("code"), .level = read_word(in, "level", kLevelWords), .text = in.text("text")};
  out.url = in.text("url", "");
  in.finish();
  return out;
}

Subject read_subject(DocReader in) {
  Subject out{.hub = in.text("hub"), .user = in.text("user"), .user_key = in.text("user_key")};
  out.server = in.text("server", "");
  out.server_key = in.text("server_key", out.server.empty() ? "s-0" : "");
  out.groups = in.texts("groups");
  out.purpose = read_word(in, "purpose", kPurposeWords, std::optional(Purpose::interactive));
  in.finish();
  return out;
}

std::vector<std::uint32_t> read_gids(DocReader& in) {
  std::vector<std::uint32_t> out;
  const auto* list = in.raw("supplemental_gids");
  if (list == nullptr) return out;
  if (!list->is_array()) in.problem("supplemental_gids", "must be a list of group ids");
  for (const auto& item : *list) {
    if (item.is_number_unsigned() && item.get<std::uint64_t>() <= kMax32) {
      out.push_back(item.get<std::uint32_t>());
    } else {
      in.problem("supplemental_gids", "has an entry that is not a group id", "use whole numbers");
      return out;
    }
  }
  return out;
}

Identity read_identity(DocReader in) {
  Identity out;
  out.mode = read_word(in, "mode", kIdentityWords);
  const auto uid = read_u32(in, "uid");
  const auto gid = read_u32(in, "gid");
  if (uid.has_value() != gid.has_value()) in.problem("", "needs both 'uid' and 'gid', or neither");
  out.uid = uid.value_or(0);
  out.gid = gid.value_or(0);
  out.supplemental_gids = read_gids(in);
  out.user_name = in.text("user_name", out.user_name);
  out.umask = in.text("umask", out.umask);
  in.finish();
  return out;
}

NfsOptions read_nfs_options(DocReader in) {
  NfsOptions out;
  in.choice("transport", {"tcp"}, "tcp");
  out.hard = in.boolean("hard", out.hard);
  out.timeo = read_u32(in, "timeo").value_or(out.timeo);
  out.retrans = read_u32(in, "retrans").value_or(out.retrans);
  out.rsize = read_u32(in, "rsize");
  out.wsize = read_u32(in, "wsize");
  out.nconnect = read_u32(in, "nconnect");
  out.nolock = in.boolean("nolock", out.nolock);
  out.noresvport = in.boolean("noresvport", out.noresvport);
  out.noatime = in.boolean("noatime", out.noatime);
  out.nosuid = in.boolean("nosuid", out.nosuid);
  out.nodev = in.boolean("nodev", out.nodev);
  out.noexec = in.boolean("noexec", out.noexec);
  out.sec = in.text("sec", out.sec);
  in.finish();
  return out;
}

Source read_source(DocReader in) {
  const auto type = in.choice("type", {"nfs", "local"});
  if (type == "local") {
    LocalMount out{.host = in.text("host"), .path = in.text("path")};
    in.finish();
    return out;
  }
  NfsMount out{.server = in.text("server"), .export_path = in.text("export"), .version = in.text("version")};
  out.port = read_port(in, "port");
  out.mount_port = read_port(in, "mount_port");
  out.fs_id = in.text("fs_id", "");
  in.finish();
  return out;
}

MountQuota read_quota(DocReader in) {
  MountQuota out;
  if (const auto limit = in.optional_number("limit_bytes", 1, kMax64)) out.limit_bytes = *limit;
  out.used_bytes = in.optional_number("used_bytes", 0, kMax64);
  out.quota_class = in.text("class");
  const bool hard = out.quota_class == "hard";
  if (in.boolean("hard", hard) != hard)
    in.problem("hard", "contradicts class '" + printable(out.quota_class, 40) + "'");
  out.as_of = read_time(in, "as_of");
  in.finish();
  return out;
}

Lifetime read_lifetime(DocReader in) {
  Lifetime out;
  out.expires_at = read_time(in, "expires_at");
  out.purge_after_days = read_u32(in, "purge_after_days");
  out.snapshot = in.text("snapshot", "");
  out.immutable = in.boolean("immutable", false);
  in.finish();
  return out;
}

Mount read_mount(DocReader& in) {
  Mount out{.id = in.text("id"),
            .kind = read_word(in, "kind", kKindWords),
            .target = in.text("target"),
            .access = read_word(in, "access", kAccessWords),
            .required = in.boolean("required", true),
            .source = read_required(in, "source", &read_source)};
  if (in.has("nfs")) out.nfs = read_nfs_options(in.object("nfs"));
  out.parent = in.text("parent", "");
  out.mountpoint_ready = in.boolean("mountpoint_ready", false);
  if (in.has("quota")) out.quota = read_quota(in.object("quota"));
  if (in.has("lifetime")) out.lifetime = read_lifetime(in.object("lifetime"));
  in.finish();
  return out;
}

void read_schema(DocReader& in) {
  const auto schema = in.text("schema");
  if (schema.empty() || schema == kSchema) return;
  in.problem("schema", "'" + printable(schema, 40) + "' is not known here",
             "this release reads " + std::string(kSchema));
}

MountSpec read_spec(DocReader& in) {
  read_schema(in);
  MountSpec out{.subject = read_required(in, "subject", &read_subject),
                .identity = read_required(in, "identity", &read_identity)};
  out.spec_id = in.text("spec_id", "");
  out.issued_at = read_required_time(in, "issued_at");
  out.valid_until = read_required_time(in, "valid_until");
  out.state = read_word(in, "state", kStateWords);
  if (const auto status = in.optional_number("status_hint", 400, 599)) out.status_hint = static_cast<int>(*status);
  for (auto& notice : in.objects("notices")) out.notices.push_back(read_notice(notice));
  for (auto& mount : in.objects("mounts")) out.mounts.push_back(read_mount(mount));
  for (auto& link : in.objects("links")) {
    out.links.push_back({link.text("at"), link.text("to")});
    link.finish();
  }
  out.environment = in.text_map("environment");
  out.labels = in.text_map("labels");
  return out;
}

// The author of a document is asked to say what it is for: a digest that is there must be right.
Result<void> check_digest(const std::optional<std::string>& stated, const MountSpec& spec) {
  if (!stated) return {};
  const auto actual = digest(spec);
  if (*stated == actual) return {};
  return Error{.code = Errc::invalid_argument,
               .message = "digest '" + printable(*stated, 80) + "' is not that of this document, which is " + actual,
               .hint = "the document was changed after it was issued; ask for a new one, or leave digest out",
               .pointer = "/digest"};
}

}  // namespace

Result<Source> source_from_json(const nlohmann::json& value) {
  const Document document{.root = value, .source = "source"};
  Problems problems(document);
  if (!value.is_object()) problems.add("", "must be a mapping of keys to values");
  auto source = read_source(DocReader::root(problems));
  if (!problems.none()) return problems.to_error();
  HOMEPORT_CHECK(check_source({"source", ""}, source));
  return source;
}

Result<MountSpec> from_json(std::string_view text, const ValidateOptions& options) {
  HOMEPORT_TRY(const auto document, parse_json_document(text, "mount spec"));
  Problems problems(document);
  auto in = DocReader::root(problems);
  if (document.root.is_null()) problems.add("", "must be a mapping of keys to values");
  auto spec = read_spec(in);
  const auto stated_digest = in.optional_text("digest");
  in.finish();
  if (!problems.none()) return problems.to_error();
  HOMEPORT_CHECK(validate(spec, options));
  HOMEPORT_CHECK(check_digest(stated_digest, spec));
  return spec;
}

}  // namespace homeport::render
