#include "api/params.h"

#include <algorithm>
#include <charconv>

#include "api/lists.h"

namespace homeport::api {
namespace {

constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr std::string_view kCursorVersion = "1:";
constexpr std::size_t kMaxCursor = 2048;

std::string encode_base64url(std::string_view data) {
  std::string out;
  std::uint32_t buffer = 0;
  unsigned bits = 0;
  for (const char c : data) {
    buffer = (buffer << 8U) | static_cast<unsigned char>(c);
    bits += 8;
    while (bits >= 6) {
      bits -= 6;
      out += kAlphabet[(buffer >> bits) & 63U];
    }
  }
  if (bits > 0) out += kAlphabet[(buffer << (6 - bits)) & 63U];
  return out;
}

std::optional<std::string> decode_base64url(std::string_view text) {
  std::string out;
  std::uint32_t buffer = 0;
  unsigned bits = 0;
  for (const char c : text) {
    const auto at = kAlphabet.find(c);
    if (at == std::string_view::npos) return std::nullopt;
    buffer = (buffer << 6U) | static_cast<std::uint32_t>(at);
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      out += static_cast<char>((buffer >> bits) & 0xFFU);
    }
  }
  return out;
}

Error bad_param(std::string_view name, std::string_view value, std::string wanted) {
  return Error{.code = Errc::invalid_argument,
               .message = "the parameter " + std::string(name) + " is not usable: '" + printable(value, 60) + "'",
               .hint = "give " + std::move(wanted)};
}

bool listed(std::string_view names, std::string_view name) {
  while (!names.empty()) {
    const auto end = std::min(names.find(' '), names.size());
    if (names.substr(0, end) == name) return true;
    names.remove_prefix(std::min(end + 1, names.size()));
  }
  return false;
}

}  // namespace

Result<void> check_query(const Request& request, std::string_view allowed) {
  const auto& query = request.target.query;
  for (auto at = query.begin(); at != query.end(); ++at) {
    const bool waits = at->name == "wait" && request.method != Method::get;  // every change takes it
    if (!waits && !listed(allowed, at->name)) {
      const std::string known = allowed.empty() ? "it takes none" : "it takes: " + std::string(allowed);
      return Error{.code = Errc::invalid_argument,
                   .message = "the parameter '" + printable(at->name, 60) + "' is not known here",
                   .hint = known};
    }
    if (std::any_of(query.begin(), at, [&](const QueryParam& other) { return other.name == at->name; })) {
      return Error{.code = Errc::invalid_argument,
                   .message = "the parameter '" + std::string(at->name) + "' stands twice",
                   .hint = "give it once"};
    }
  }
  return {};
}

Result<bool> flag_param(const Request& request, std::string_view name) {
  const auto value = request.query(name);
  if (!value || *value == "false") return false;
  if (*value == "true") return true;
  return bad_param(name, *value, "true or false");
}

Result<std::optional<std::uint64_t>> number_param(const Request& request, std::string_view name, std::uint64_t low,
                                                  std::uint64_t high) {
  const auto value = request.query(name);
  if (!value) return std::optional<std::uint64_t>{};
  std::uint64_t number = 0;
  const auto* end = value->data() + value->size();
  const auto [stop, problem] = std::from_chars(value->data(), end, number);
  if (problem != std::errc() || stop != end || number < low || number > high) {
    return bad_param(name, *value, "a number from " + std::to_string(low) + " to " + std::to_string(high));
  }
  return std::optional<std::uint64_t>{number};
}

Result<std::chrono::seconds> wait_param(const Request& request, std::chrono::seconds fallback,
                                        std::chrono::seconds most) {
  HOMEPORT_TRY(const auto given, number_param(request, "wait", 0, static_cast<std::uint64_t>(most.count())));
  return given ? std::chrono::seconds(*given) : fallback;
}

Result<Page> page_params(const Request& request) {
  Page page;
  HOMEPORT_TRY(const auto limit, number_param(request, "limit", 1, 1000));
  if (limit) page.limit = *limit;
  if (const auto cursor = request.query("cursor"); cursor && !cursor->empty()) {
    HOMEPORT_TRY(page.after, read_cursor(*cursor));
  }
  return page;
}

Result<std::optional<store::SpaceState>> state_param(const Request& request) {
  const auto name = request.query("state");
  if (!name) return std::optional<store::SpaceState>{};
  const auto state = store::space_state_from_name(*name);
  if (state) return state;
  return bad_param("state", *name,
                   "creating, ready, retiring, retired, undeleting, purging, purged, failed or released");
}

std::string make_cursor(std::string_view key) {
  return encode_base64url(std::string(kCursorVersion) + std::string(key));
}

Result<std::string> read_cursor(std::string_view cursor) {
  const auto text = cursor.size() <= kMaxCursor ? decode_base64url(cursor) : std::nullopt;
  if (text && text->starts_with(kCursorVersion) && text->size() > kCursorVersion.size()) {
    return text->substr(kCursorVersion.size());
  }
  return bad_param("cursor", cursor, "the 'next' of the page before, unchanged");
}

Result<std::optional<std::uint64_t>> if_match(const Request& request) {
  std::string_view value = request.header("If-Match");
  if (value.empty() || value == "*") return std::optional<std::uint64_t>{};
  const std::string_view given = value;
  if (value.size() > 2 && value.front() == '"' && value.back() == '"') value = value.substr(1, value.size() - 2);
  std::uint64_t revision = 0;
  const auto [stop, problem] = std::from_chars(value.data(), value.data() + value.size(), revision);
  if (problem == std::errc() && stop == value.data() + value.size()) return std::optional<std::uint64_t>{revision};
  return Error{.code = Errc::invalid_argument,
               .message = "the header If-Match is not an ETag of ours: '" + printable(given, 60) + "'",
               .hint = "send the ETag of the answer you read, such as \"7\""};
}

std::string revision_etag(std::uint64_t revision) {
  return '"' + std::to_string(revision) + '"';
}

Result<void> expect_no_body(const Request& request) {
  const auto is_blank = [](char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; };
  std::string text;
  std::remove_copy_if(request.body.begin(), request.body.end(), std::back_inserter(text), is_blank);
  if (text.empty() || text == "{}") return {};
  return Error{.code = Errc::invalid_argument, .message = "this request takes no body", .hint = "send it without one"};
}

}  // namespace homeport::api
