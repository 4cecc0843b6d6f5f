// A class's `existing:`, e.g. "/export/home/{user}": where the home of somebody who logs in for the first time may
// stand already. Pure.
#pragma once

#include <string>
#include <string_view>

#include "policies/home_pattern.h"
#include "provisioner/base/names.h"

namespace homeport::policies {

class ExistingHomes {
 public:
  // An absolute path whose last components are a HomePattern: the base is what stands before the first brace, and
  // `homeport home import --base BASE --match PATTERN` means the same places. Errors: invalid_argument.
  static Result<ExistingHomes> parse(std::string_view text);

  [[nodiscard]] const std::string& text() const { return text_; }
  [[nodiscard]] const AbsolutePath& base() const { return base_; }
  [[nodiscard]] const HomePattern& pattern() const { return pattern_; }
  // The one directory that would be this person's. Errors: invalid_argument when the names make no path of it.
  [[nodiscard]] Result<AbsolutePath> path_of(std::string_view user, std::string_view hub) const;

 private:
  ExistingHomes(std::string text, AbsolutePath base, HomePattern pattern)
      : text_(std::move(text)), base_(std::move(base)), pattern_(std::move(pattern)) {}
  std::string text_;
  AbsolutePath base_;
  HomePattern pattern_;
};

}  // namespace homeport::policies
