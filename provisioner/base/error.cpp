#include "provisioner/base/error.h"

#include <array>
#include <utility>

namespace homeport {
namespace {

constexpr std::array<std::pair<Errc, std::string_view>, 17> kNames{{
    {Errc::invalid_argument, "invalid-argument"},
    {Errc::not_found, "not-found"},
    {Errc::already_exists, "already-exists"},
    {Errc::failed_precondition, "failed-precondition"},
    {Errc::permission_denied, "backend-permission-denied"},
    {Errc::out_of_capacity, "out-of-capacity"},
    {Errc::unsupported, "unsupported"},
    {Errc::rate_limited, "rate-limited"},
    {Errc::unavailable, "unavailable"},
    {Errc::timed_out, "timed-out"},
    {Errc::cancelled, "cancelled"},
    {Errc::internal, "internal"},
    {Errc::unauthenticated, "unauthenticated"},
    {Errc::forbidden, "forbidden"},
    {Errc::conflict, "conflict"},
    {Errc::too_large, "too-large"},
    {Errc::over_quota, "over-quota"},
}};

}  // namespace

std::string_view errc_name(Errc code) {
  for (const auto& [known, name] : kNames) {
    if (known == code) return name;
  }
  return "internal";
}

std::optional<Errc> errc_from_name(std::string_view name) {
  for (const auto& [code, known] : kNames) {
    if (known == name) return code;
  }
  return std::nullopt;
}

bool is_transient(Errc code) {
  switch (code) {
    case Errc::rate_limited:
    case Errc::unavailable:
    case Errc::timed_out:
    case Errc::cancelled: return true;
    case Errc::invalid_argument:
    case Errc::not_found:
    case Errc::already_exists:
    case Errc::failed_precondition:
    case Errc::permission_denied:
    case Errc::out_of_capacity:
    case Errc::unsupported:
    case Errc::internal:
    case Errc::unauthenticated:
    case Errc::forbidden:
    case Errc::conflict:
    case Errc::too_large:
    case Errc::over_quota: return false;
  }
  return false;
}

std::string Error::sentence() const {
  std::string text;
  for (auto frame = context.rbegin(); frame != context.rend(); ++frame) {
    text += *frame;
    text += ": ";
  }
  text += message;
  return text;
}

std::string Error::to_string() const {
  std::string text = sentence();
  text += " (";
  text += errc_name(code);
  if (upstream) {
    text += ", " + upstream->system + " " + std::to_string(upstream->status);
    if (!upstream->detail.empty()) text += ": " + upstream->detail;
  }
  text += ")";
  return text;
}

}  // namespace homeport
