#include "drivers/flashblade/rest_version.h"

#include <charconv>

#include "provisioner/base/names.h"

namespace homeport::drivers::flashblade {

std::optional<RestVersion> parse_version(std::string_view text) {
  int parts[3] = {0, 0, 0};
  int count = 0;
  const char* at = text.data();
  const char* const end = at + text.size();
  while (count < 3) {
    const auto [next, ec] = std::from_chars(at, end, parts[count]);
    if (ec != std::errc{} || parts[count] < 0) return std::nullopt;
    ++count;
    at = next;
    if (at == end) break;
    if (*at++ != '.') return std::nullopt;
  }
  if (at != end || count < 2) return std::nullopt;
  return RestVersion{parts[0], parts[1]};
}

Result<RestVersion> choose_version(const std::vector<std::string>& offered) {
  std::optional<RestVersion> best;
  std::string all;
  for (const auto& text : offered) {
    all += (all.empty() ? "" : ", ") + printable(text, 12);
    const auto version = parse_version(text);
    if (!version || version->major != 2 || *version > kNewestKnown) continue;
    if (!best || *version > *best) best = version;
  }
  if (best) return *best;
  return Error{.code = Errc::failed_precondition,
               .message = "the array offers no REST version between 2.0 and " + kNewestKnown.str() + " (it offers " +
                          (all.empty() ? "none" : printable(all, 200)) + ")",
               .hint = "REST 2 came with Purity//FB 3: upgrade the array, or this Homeport if the array is newer"};
}

}  // namespace homeport::drivers::flashblade
