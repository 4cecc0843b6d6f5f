#include "drivers/flashblade/paging.h"

#include "provisioner/base/names.h"

namespace homeport::drivers::flashblade {
namespace {

constexpr std::string_view kMark = "after:";

}  // namespace

Result<std::optional<std::string>> token_of(const std::optional<Cursor>& from) {
  if (!from) return std::optional<std::string>();
  if (from->starts_with(kMark)) return std::optional<std::string>(from->substr(kMark.size()));
  return Error{.code = Errc::invalid_argument,
               .message = "'" + printable(*from, 60) + "' is not a place in this listing",
               .hint = "list again from the beginning"};
}

std::optional<Cursor> cursor_of(const std::optional<std::string>& token) {
  if (!token) return std::nullopt;
  return std::string(kMark) + *token;
}

}  // namespace homeport::drivers::flashblade
