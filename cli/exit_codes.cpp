#include "cli/exit_codes.h"

#include <array>
#include <string_view>
#include <utility>

namespace homeport::cli {
namespace {

constexpr std::array<std::pair<ExitCode, std::string_view>, 20> kMeanings{{
    {ExitCode::ok, "done"},
    {ExitCode::internal, "a bug, here or in the service"},
    {ExitCode::usage, "the command or a value in it cannot be right"},
    {ExitCode::not_found, "no such thing"},
    {ExitCode::already_exists, "the name is taken by something else"},
    {ExitCode::conflict, "somebody changed it meanwhile; look again, then repeat"},
    {ExitCode::failed_precondition,
     "not in its present state; the hint says what to change.\n"
     "    Also: 'doctor' and 'audit verify' found something wrong"},
    {ExitCode::unauthenticated, "no valid token was shown"},
    {ExitCode::forbidden, "the token may not do this"},
    {ExitCode::unavailable, "the service or a backend cannot be reached"},
    {ExitCode::timed_out, "no answer in time"},
    {ExitCode::unsupported, "this backend, layout or format cannot do it"},
    {ExitCode::out_of_capacity, "a backend is full, or a daily cap is reached"},
    {ExitCode::over_quota, "a person's quota forbids it"},
    {ExitCode::backend_permission_denied, "a backend refuses the service's own credentials"},
    {ExitCode::rate_limited, "told to come back later"},
    {ExitCode::cancelled, "stopped on request"},
    {ExitCode::too_large, "over a size limit of the service"},
    {ExitCode::still_running, "the time of --wait is over; the operation goes on"},
    {ExitCode::partial,
     "'home import --copy', 'dataset import': some are done, some are not; the report\n    names them"},
}};

}  // namespace

ExitCode exit_code(Errc code) {
  switch (code) {
    case Errc::invalid_argument: return ExitCode::usage;
    case Errc::not_found: return ExitCode::not_found;
    case Errc::already_exists: return ExitCode::already_exists;
    case Errc::failed_precondition: return ExitCode::failed_precondition;
    case Errc::permission_denied: return ExitCode::backend_permission_denied;
    case Errc::out_of_capacity: return ExitCode::out_of_capacity;
    case Errc::unsupported: return ExitCode::unsupported;
    case Errc::rate_limited: return ExitCode::rate_limited;
    case Errc::unavailable: return ExitCode::unavailable;
    case Errc::timed_out: return ExitCode::timed_out;
    case Errc::cancelled: return ExitCode::cancelled;
    case Errc::internal: return ExitCode::internal;
    case Errc::unauthenticated: return ExitCode::unauthenticated;
    case Errc::forbidden: return ExitCode::forbidden;
    case Errc::conflict: return ExitCode::conflict;
    case Errc::too_large: return ExitCode::too_large;
    case Errc::over_quota: return ExitCode::over_quota;
  }
  return ExitCode::internal;
}

Errc errc_from_status(int status) {
  switch (status) {
    case 400: return Errc::invalid_argument;
    case 401: return Errc::unauthenticated;
    case 403: return Errc::forbidden;
    case 404: return Errc::not_found;
    case 409:
    case 412: return Errc::conflict;
    case 413: return Errc::too_large;
    case 422: return Errc::failed_precondition;
    case 429: return Errc::rate_limited;
    case 501: return Errc::unsupported;
    case 502:
    case 503: return Errc::unavailable;
    case 504: return Errc::timed_out;
    case 507: return Errc::over_quota;
    default: return Errc::internal;
  }
}

std::string exit_code_help() {
  std::string out = "The exit code says what kind of failure it was.\n\n";
  for (const auto& [code, meaning] : kMeanings) {
    const auto number = std::to_string(static_cast<int>(code));
    out += (number.size() < 2 ? " " : "") + number + "  ";
    out += meaning;
    out += "\n";
  }
  return out;
}

}  // namespace homeport::cli
