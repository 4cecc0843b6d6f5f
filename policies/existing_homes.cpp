#include "policies/existing_homes.h"

#include <algorithm>
#include <utility>

namespace homeport::policies {

Result<ExistingHomes> ExistingHomes::parse(std::string_view text) {
  const auto bad = [&](std::string why) {
    return Error{.code = Errc::invalid_argument,
                 .message = "'" + printable(text, 80) + "' " + std::move(why),
                 .hint = "write the whole path with the person in it, for example /export/home/{user}"};
  };
  if (!text.starts_with('/')) return bad("is not an absolute path");
  const auto brace = text.find_first_of("{}");
  if (brace == std::string_view::npos) return bad("names one directory for everybody: the person is not in it");
  const auto slash = text.rfind('/', brace);
  auto base = AbsolutePath::parse(slash == 0 ? "/" : text.substr(0, slash));
  if (!base) return bad("has no usable base: " + base.error().message);
  HOMEPORT_TRY(auto pattern, HomePattern::parse(text.substr(slash + 1)));
  return ExistingHomes(std::string(text), std::move(base).value(), std::move(pattern));
}

Result<AbsolutePath> ExistingHomes::path_of(std::string_view user, std::string_view hub) const {
  HOMEPORT_TRY(const auto relative, pattern_.expand(user, hub));
  return AbsolutePath::parse((base_.str() == "/" ? "" : base_.str()) + "/" + relative);
}

}  // namespace homeport::policies
