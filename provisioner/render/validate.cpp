#include <algorithm>
#include <set>

#include "provisioner/render/spec_checks.h"
#include "provisioner/render/spec_words.h"

namespace homeport::render {
namespace {

using std::chrono::sys_days;
constexpr std::size_t kMaxNoticeChars = 300;
constexpr std::size_t kMaxUrlBytes = 2048;
constexpr std::size_t kMaxLabelBytes = 1024;
constexpr std::size_t kMaxEnvironmentBytes = 32768;

bool is_lower(char c) {
  return c >= 'a' && c <= 'z';
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_hex(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'f');
}

template <class Fn>
bool all_of(std::string_view text, Fn allowed) {
  return std::all_of(text.begin(), text.end(), allowed);
}

std::size_t code_points(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

template <class T>
Result<void> parses(const Place& at, const Result<T>& parsed) {
  if (parsed) return {};
  return refuse(at, "is refused: " + parsed.error().message, parsed.error().hint);
}

Result<void> check_time(const Place& at, WallTime t) {
  const bool four_digits =
      t >= sys_days(std::chrono::year(1970) / 1 / 1) && t < sys_days(std::chrono::year(9999) / 1 / 1);
  if (four_digits) return {};
  return refuse(at, "is not a time between the years 1970 and 9999");
}

Result<void> check_status(const MountSpec& spec) {
  const Place at{"spec status_hint", "/status_hint"};
  if (word_of(kStateWords, spec.state).empty()) return refuse({"spec state", "/state"}, "is not known");
  if (spec.state != SpecState::blocked) {
    if (spec.status_hint) return refuse(at, "is set, but the spec is not blocked", "only a blocked spec has one");
    return {};
  }
  if (!spec.status_hint)
    return refuse(at, "is missing for a blocked spec", "say why: 507 full, 403 policy, 503 backend away");
  if (*spec.status_hint < 400 || *spec.status_hint > 599) {
    return refuse(at, std::to_string(*spec.status_hint) + " is not an error status", "use 400 to 599");
  }
  if (spec.notices.empty())
    return refuse({"spec notices", "/notices"}, "are missing for a blocked spec", "say why it is blocked");
  return {};
}

Result<void> check_head(const MountSpec& spec) {
  const auto id_char = [](char c) {
    return is_lower(c) || is_digit(c) || (c >= 'A' && c <= 'Z') || c == '.' || c == '_' || c == '-';
  };
  if (spec.spec_id.size() > 64 || !all_of(spec.spec_id, id_char)) {
    return refuse({"spec spec_id", "/spec_id"}, "'" + printable(spec.spec_id, 80) + "' is not an id",
                  "use at most 64 letters, digits, '.', '_' and '-'");
  }
  HOMEPORT_CHECK(check_time({"spec issued_at", "/issued_at"}, spec.issued_at));
  HOMEPORT_CHECK(check_time({"spec valid_until", "/valid_until"}, spec.valid_until));
  if (spec.valid_until < spec.issued_at) return refuse({"spec valid_until", "/valid_until"}, "is before issued_at");
  return check_status(spec);
}

// What a page may link to: this site, or another by http(s). Never a scheme that runs something.
bool is_page_url(std::string_view url) {
  const bool here = url.starts_with("/") && !url.starts_with("//");
  if (!here && !url.starts_with("https://") && !url.starts_with("http://")) return false;
  return all_of(url, [](char c) { return c > 0x20 && c < 0x7F && c != '"' && c != '<' && c != '>' && c != '\\'; });
}

Result<void> check_notice(const Place& at, const Notice& notice) {
  const auto code_char = [](char c) { return is_lower(c) || is_digit(c) || c == '-'; };
  if (notice.code.empty() || notice.code.size() > 64 || !all_of(notice.code, code_char)) {
    return refuse(at.member("code"), "'" + printable(notice.code, 80) + "' is not a code",
                  "use at most 64 lower-case letters, digits and hyphens");
  }
  if (word_of(kLevelWords, notice.level).empty()) return refuse(at.member("level"), "is not known");
  if (notice.text.empty()) return refuse(at.member("text"), "is empty");
  HOMEPORT_CHECK(check_text(at.member("text"), notice.text, 4 * kMaxNoticeChars));
  if (code_points(notice.text) > kMaxNoticeChars) return refuse(at.member("text"), "is longer than 300 characters");
  if (notice.url.size() > kMaxUrlBytes || (!notice.url.empty() && !is_page_url(notice.url))) {
    return refuse(at.member("url"), "'" + printable(notice.url, 80) + "' is not a link",
                  "use a path such as /services/storage/ or an https:// address");
  }
  return {};
}

bool is_key_of(std::string_view key, char letter, std::size_t low, std::size_t high) {
  if (key.size() < 2 || key[0] != letter || key[1] != '-') return false;
  const auto digits = key.substr(2);
  return digits.size() >= low && digits.size() <= high && all_of(digits, is_hex);
}

Result<void> check_subject(const Subject& subject) {
  const Place at{"subject", "/subject"};
  HOMEPORT_CHECK(parses(at.member("hub"), Slug::parse(subject.hub)));
  HOMEPORT_CHECK(parses(at.member("user"), UserName::parse(subject.user)));
  if (!is_key_of(subject.user_key, 'u', 10, 32)) {
    return refuse(at.member("user_key"), "'" + printable(subject.user_key, 60) + "' is not a user key",
                  "a user key is u- and 10 to 32 hex digits");
  }
  HOMEPORT_CHECK(parses(at.member("server"), ServerName::parse(subject.server)));
  const bool fits = subject.server.empty() ? subject.server_key == "s-0" : is_key_of(subject.server_key, 's', 8, 8);
  if (!fits) {
    return refuse(at.member("server_key"), "'" + printable(subject.server_key, 60) + "' does not fit the server name",
                  "it is s-0 for the default server, else s- and 8 hex digits");
  }
  for (std::size_t i = 0; i < subject.groups.size(); ++i) {
    HOMEPORT_CHECK(parses(at.member("groups").item(i), GroupName::parse(subject.groups[i])));
  }
  if (word_of(kPurposeWords, subject.purpose).empty()) return refuse(at.member("purpose"), "is not known");
  return {};
}

// uid 0 stands for "as the image has it", which only squash allows: the server ignores the client's ids then.
Result<void> check_ids(const Place& at, const Identity& identity) {
  if (identity.uid > kMaxId) return refuse(at.member("uid"), "4294967295 is nobody's id");
  if (identity.gid > kMaxId) return refuse(at.member("gid"), "4294967295 is nobody's id");
  if (identity.uid == 0 && identity.mode == IdentityMode::native) {
    return refuse(at.member("uid"), "is 0: a notebook does not run as root", "give the person's own uid");
  }
  if (identity.uid == 0 && identity.gid != 0) {
    return refuse(at.member("gid"), "is set, but uid is not", "squash identity states both or neither");
  }
  return {};
}

Result<void> check_identity(const Identity& identity) {
  const Place at{"identity", "/identity"};
  if (word_of(kIdentityWords, identity.mode).empty()) return refuse(at.member("mode"), "is not known");
  HOMEPORT_CHECK(check_ids(at, identity));
  const auto& groups = identity.supplemental_gids;
  if (groups.size() > kMaxGroups) {
    return refuse(at.member("supplemental_gids"), "has " + std::to_string(groups.size()) + " groups, more than 16",
                  "NFS with sec=sys carries at most 16: choose which ones this session needs");
  }
  for (std::size_t i = 0; i < groups.size(); ++i) {
    const auto place = at.member("supplemental_gids").item(i);
    if (groups[i] > kMaxId) return refuse(place, "4294967295 is nobody's id");
    if (groups[i] == 0) return refuse(place, "is 0: root's group is never given to a person", "leave it out");
    if (std::count(groups.begin(), groups.end(), groups[i]) > 1) return refuse(place, "is listed twice");
  }
  const auto& name = identity.user_name;
  const auto name_char = [](char c) { return is_lower(c) || is_digit(c) || c == '_' || c == '-'; };
  if (name.empty() || name.size() > 32 || !(is_lower(name[0]) || name[0] == '_') || !all_of(name, name_char)) {
    return refuse(at.member("user_name"), "'" + printable(name, 60) + "' is not a Unix account name",
                  "use at most 32 lower-case letters, digits, '_' and '-', starting with a letter or '_'");
  }
  const auto octal = [](char c) { return c >= '0' && c <= '7'; };
  if (identity.umask.size() < 3 || identity.umask.size() > 4 || !all_of(identity.umask, octal)) {
    return refuse(at.member("umask"), "'" + printable(identity.umask, 20) + "' is not a umask",
                  "use octal digits such as 0022");
  }
  return {};
}

Result<void> check_links(const std::vector<Link>& links) {
  std::set<std::string_view> seen;
  for (std::size_t i = 0; i < links.size(); ++i) {
    const auto at = Place{"link " + std::to_string(i), "/links/" + std::to_string(i)};
    HOMEPORT_CHECK(parses(at.member("at"), AbsolutePath::parse(links[i].at)));
    HOMEPORT_CHECK(parses(at.member("to"), AbsolutePath::parse(links[i].to)));
    if (!seen.insert(links[i].at).second) return refuse(at.member("at"), "is used twice");
  }
  return {};
}

bool is_variable_name(std::string_view name) {
  const auto first = [](char c) { return (c >= 'A' && c <= 'Z') || c == '_'; };
  return !name.empty() && name.size() <= 128 && first(name[0]) &&
         all_of(name, [&](char c) { return first(c) || is_digit(c); });
}

Result<void> check_environment(const std::map<std::string, std::string>& environment) {
  for (const auto& [name, value] : environment) {
    const Place at{"environment '" + printable(name, 60) + "'", "/environment/" + printable(name, 60)};
    if (!is_variable_name(name)) {
      return refuse(at, "is not a variable name", "use upper-case letters, digits and '_', not starting with a digit");
    }
    std::string without_tabs = value;
    std::replace(without_tabs.begin(), without_tabs.end(), '\t', ' ');
    HOMEPORT_CHECK(check_text(at, without_tabs, kMaxEnvironmentBytes));
  }
  return {};
}

Result<void> check_labels(const std::map<std::string, std::string>& labels) {
  for (const auto& [name, value] : labels) {
    const Place at{"label '" + printable(name, 60) + "'", "/labels/" + printable(name, 60)};
    if (name.empty()) return refuse(at, "has no name");
    HOMEPORT_CHECK(check_text(at, name, kMaxLabelBytes));
    HOMEPORT_CHECK(check_text(at, value, kMaxLabelBytes));
  }
  return {};
}

Result<void> check_mount_times(const MountSpec& spec) {
  for (std::size_t i = 0; i < spec.mounts.size(); ++i) {
    const auto& mount = spec.mounts[i];
    const Place at{"mount '" + mount.id + "'", "/mounts/" + std::to_string(i)};
    if (mount.quota && mount.quota->as_of) {
      HOMEPORT_CHECK(check_time(at.member("quota").member("as_of"), *mount.quota->as_of));
    }
    if (mount.lifetime && mount.lifetime->expires_at) {
      HOMEPORT_CHECK(check_time(at.member("lifetime").member("expires_at"), *mount.lifetime->expires_at));
    }
  }
  return {};
}

}  // namespace

Place Place::member(std::string_view name) const {
  return {words + " " + std::string(name), pointer + "/" + std::string(name)};
}

Place Place::item(std::size_t index) const {
  return {words + " " + std::to_string(index), pointer + "/" + std::to_string(index)};
}

Error refuse(const Place& at, std::string why, std::string hint) {
  return Error{.code = Errc::invalid_argument,
               .message = at.words + " " + std::move(why),
               .hint = std::move(hint),
               .pointer = at.pointer};
}

Result<void> check_text(const Place& at, std::string_view text, std::size_t max_bytes) {
  if (text.size() > max_bytes) return refuse(at, "is longer than " + std::to_string(max_bytes) + " bytes");
  const auto control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; };
  if (std::any_of(text.begin(), text.end(), control)) return refuse(at, "contains a control character");
  if (!is_valid_utf8(text)) return refuse(at, "is not valid UTF-8");
  return {};
}

Result<void> validate(const Notice& notice) {
  return check_notice({"notice", ""}, notice);
}

Result<void> validate(const MountSpec& spec, const ValidateOptions& options) {
  HOMEPORT_CHECK(check_head(spec));
  for (std::size_t i = 0; i < spec.notices.size(); ++i) {
    HOMEPORT_CHECK(check_notice({"notice " + std::to_string(i), "/notices/" + std::to_string(i)}, spec.notices[i]));
  }
  HOMEPORT_CHECK(check_subject(spec.subject));
  HOMEPORT_CHECK(check_identity(spec.identity));
  HOMEPORT_CHECK(check_mounts(spec, options));
  HOMEPORT_CHECK(check_mount_times(spec));
  HOMEPORT_CHECK(check_links(spec.links));
  HOMEPORT_CHECK(check_environment(spec.environment));
  return check_labels(spec.labels);
}

}  // namespace homeport::render
