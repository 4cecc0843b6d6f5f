// Refusals of how a command was given.
#pragma once

#include <string>
#include <utility>

#include "provisioner/base/error.h"

namespace homeport::cli {

[[nodiscard]] inline Error usage_error(std::string message, std::string hint) {
  return Error{.code = Errc::invalid_argument, .message = std::move(message), .hint = std::move(hint)};
}

}  // namespace homeport::cli
