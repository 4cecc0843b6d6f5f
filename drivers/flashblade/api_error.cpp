#include "drivers/flashblade/api_error.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <nlohmann/json.hpp>

#include "provisioner/base/names.h"

namespace homeport::drivers::flashblade {
namespace {

using nlohmann::json;

constexpr std::size_t kLongest = 300;

std::string text_of(const json& object, const char* key) {
  const auto at = object.find(key);
  return at != object.end() && at->is_string() ? printable(at->get_ref<const std::string&>(), kLongest) : std::string();
}

void add_all(const json& list, std::vector<ApiMessage>& out) {
  for (const auto& item : list) {
    if (!item.is_object()) continue;
    if (auto text = text_of(item, "message"); !text.empty()) {
      out.push_back({.text = std::move(text), .context = text_of(item, "context")});
    }
  }
}

bool looks_like_html(std::string_view body) {
  const auto first = body.find_first_not_of(" \t\r\n");
  return first != std::string_view::npos && body[first] == '<';
}

std::string lower(std::string text) {
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

template <std::size_t N>
bool says(const std::string& text, const std::array<std::string_view, N>& words) {
  return std::ranges::any_of(words, [&](std::string_view word) { return text.find(word) != std::string::npos; });
}

constexpr std::array<std::string_view, 3> kMissing{"does not exist", "not found", "no such"};
constexpr std::array<std::string_view, 4> kExisting{"already exists", "already in use", "already taken",
                                                    "must be unique"};
constexpr std::array<std::string_view, 6> kFull{
    "insufficient space", "no space", "out of space", "not enough space", "insufficient capacity", "maximum number"};
constexpr std::array<std::string_view, 3> kLimit{"limit reached", "limit exceeded", "reached the limit"};
constexpr std::array<std::string_view, 3> kUsage{"current usage", "below usage", "less than the usage"};
constexpr std::array<std::string_view, 4> kMalformed{"invalid body parameter", "query parameter is missing",
                                                     "identifier is required", "must be a string"};

struct Meaning {
  Errc code;
  std::string hint{};
};

// 400 and 409 say everything: only the words tell.
Meaning meaning_of(const std::string& words, int status) {
  if (says(words, kExisting)) return {.code = Errc::already_exists};
  if (says(words, kMissing)) return {.code = Errc::not_found};
  if (says(words, kFull) || says(words, kLimit)) {
    return {.code = Errc::out_of_capacity, .hint = "free or add space or objects on the array, or use another pool"};
  }
  if (says(words, kUsage)) return {.code = Errc::over_quota};
  if (status == 409) return {.code = Errc::conflict};
  if (says(words, kMalformed)) return {.code = Errc::internal};
  return {.code = Errc::failed_precondition};
}

std::optional<std::chrono::milliseconds> seconds_in(const std::string& text) {
  std::uint32_t seconds = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (text.empty() || ec != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return std::min<std::chrono::milliseconds>(std::chrono::seconds(seconds), std::chrono::minutes(1));
}

std::optional<std::chrono::milliseconds> asked_to_wait(const http::Reply& reply) {
  if (auto after = seconds_in(reply.header("retry-after"))) return after;
  return seconds_in(reply.header("ratelimit-reset"));
}

Meaning classify(const http::Reply& reply, const std::string& words, bool in_own_form) {
  switch (reply.status) {
    case 401:
    case 403:
      return {.code = Errc::permission_denied,
              .hint = "the API token's user needs a role that may do this: storage_admin"};
    case 404:
      // Whatever stands between us and the array may say 404 too: only its own words prove that something is gone.
      if (in_own_form) return {.code = Errc::not_found};
      return {.code = Errc::unavailable, .hint = "is management.url the address of the array itself?"};
    case 405: return {.code = Errc::unsupported};
    case 408: return {.code = Errc::unavailable};
    case 412: return {.code = Errc::conflict};
    case 429: return {.code = Errc::rate_limited};
    case 507: return {.code = Errc::out_of_capacity};
    case 400:
    case 409:
    case 422:
      if (in_own_form) return meaning_of(words, reply.status);
      break;
    default: break;
  }
  if (reply.status >= 500) return {.code = Errc::unavailable};
  return {.code = Errc::failed_precondition, .hint = "is management.url the address of the array itself?"};
}

}  // namespace

std::vector<ApiMessage> messages_in(std::string_view body) {
  std::vector<ApiMessage> out;
  const auto document = json::parse(body, nullptr, false);
  if (document.is_object()) {
    for (const char* key : {"errors", "error"}) {
      const auto at = document.find(key);
      if (at != document.end() && at->is_array()) add_all(*at, out);
      if (!out.empty()) return out;
    }
    auto text = text_of(document, "message");
    const auto code = text_of(document, "error");
    const auto description = text_of(document, "error_description");
    if (text.empty()) text = code + (code.empty() || description.empty() ? "" : ": ") + description;
    if (!text.empty()) out.push_back({.text = std::move(text)});
    return out;
  }
  if (document.is_discarded() && !body.empty() && !looks_like_html(body)) {
    out.push_back({.text = printable(body, kLongest)});
  }
  return out;
}

Error refusal(const http::Reply& reply, const std::string& what, bool changing) {
  const auto messages = messages_in(reply.body);
  std::string words;
  for (const auto& message : messages) {
    words += (words.empty() ? "" : "; ") + message.text;
    if (!message.context.empty()) words += " (" + message.context + ")";
  }
  const bool in_own_form = !messages.empty() && json::accept(reply.body);
  auto meaning = classify(reply, lower(words), in_own_form);
  Error error{.code = meaning.code,
              .message = "the array answers " + std::to_string(reply.status) + " to " + what +
                         (words.empty() ? "" : ": " + words),
              .hint = std::move(meaning.hint),
              .upstream = Upstream{.system = std::string(kArraySystem), .status = reply.status, .detail = words},
              .retry_after = asked_to_wait(reply)};
  // "Server is busy" is a refusal; any other 5xx may have come after the effect.
  const bool busy = lower(words).find("server is busy") != std::string::npos;
  error.maybe_applied = changing && !busy && (reply.status >= 500 || (error.code == Errc::unavailable));
  return error;
}

Error garbled(const http::Reply& reply, const std::string& what, const std::string& why, bool changing) {
  const bool page = looks_like_html(reply.body) || !json::accept(reply.body);
  return Error{.code = page ? Errc::unavailable : Errc::internal,
               .message = "the answer to " + what + " is not one that an array gives: " + why,
               .hint = page ? "does something between Homeport and the array answer in its place (a proxy, a login "
                              "page)? Is management.url the array's own address?"
                            : "report this with the array's Purity//FB version",
               .upstream = Upstream{.system = std::string(kArraySystem), .status = reply.status},
               .maybe_applied = changing};
}

}  // namespace homeport::drivers::flashblade
