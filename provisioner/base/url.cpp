#include "provisioner/base/url.h"

#include <charconv>

#include "provisioner/base/names.h"

namespace homeport {
namespace {

bool is_unreserved(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
         c == '_' || c == '~';
}

Error refuse(std::string_view text, std::string_view why) {
  return Error{.code = Errc::invalid_argument,
               .message = "URL '" + printable(text) + "' " + std::string(why),
               .hint = "give it as http://HOST:PORT or https://HOST[:PORT], for example http://127.0.0.1:7717"};
}

}  // namespace

Result<Url> Url::parse(std::string_view text) {
  Url url{.host = {}};
  std::string_view rest = text;
  if (rest.starts_with("https://")) {
    url.tls = true;
    rest.remove_prefix(8);
  } else if (rest.starts_with("http://")) {
    rest.remove_prefix(7);
  } else {
    return refuse(text, "has no scheme http or https");
  }
  for (const char c : rest) {
    if (static_cast<unsigned char>(c) <= 0x20 || c == 0x7f)
      return refuse(text, "contains a blank or a control character");
  }
  if (rest.find_first_of("?#") != std::string_view::npos) return refuse(text, "has a query or a fragment");
  const auto slash = rest.find('/');
  std::string_view host = rest.substr(0, slash);
  if (slash != std::string_view::npos) url.base_path = rest.substr(slash);
  while (!url.base_path.empty() && url.base_path.back() == '/') url.base_path.pop_back();
  if (host.find('@') != std::string_view::npos)
    return refuse("…", "holds a user name or password; tokens go into a file");
  std::string_view port;
  if (host.starts_with('[')) {
    const auto close = host.find(']');
    if (close == std::string_view::npos) return refuse(text, "has a '[' without ']'");
    port = host.substr(close + 1);
    host = host.substr(1, close - 1);
  } else if (const auto colon = host.find(':'); colon != std::string_view::npos) {
    port = host.substr(colon);
    host = host.substr(0, colon);
  }
  if (host.empty()) return refuse(text, "has no host");
  url.host = host;
  url.port = url.tls ? 443 : 80;
  if (!port.empty()) {
    const auto* end = port.data() + port.size();
    const auto [at, ec] = std::from_chars(port.data() + 1, end, url.port);
    if (port.front() != ':' || ec != std::errc{} || at != end || url.port == 0)
      return refuse(text, "has no valid port");
  }
  return url;
}

std::string Url::authority() const {
  const std::string name = host.find(':') == std::string::npos ? host : "[" + host + "]";
  return name + ":" + std::to_string(port);
}

std::string Url::to_string() const {
  return (tls ? "https://" : "http://") + authority() + base_path;
}

bool Url::is_loopback() const {
  return host == "localhost" || host == "::1" || host.starts_with("127.");
}

std::string percent_encode(std::string_view part) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  const bool only_dots = part.find_first_not_of('.') == std::string_view::npos;
  std::string out;
  out.reserve(part.size());
  for (const char c : part) {
    if (is_unreserved(c) && !only_dots) {
      out += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      out += '%';
      out += kHex[byte >> 4U];
      out += kHex[byte & 15U];
    }
  }
  return out;
}

Target& Target::part(std::string_view value) & {
  path_ += "/" + percent_encode(value);
  return *this;
}

Target& Target::literal(std::string_view text) & {
  path_ += "/";
  path_ += text;
  return *this;
}

Target& Target::query(std::string_view key, std::string_view value) & {
  query_ += query_.empty() ? '?' : '&';
  query_ += percent_encode(key) + "=" + percent_encode(value);
  return *this;
}

Target& Target::query_if(std::string_view key, std::string_view value) & {
  return value.empty() ? *this : query(key, value);
}

}  // namespace homeport
