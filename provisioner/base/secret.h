// A string that cannot be printed, compared or put into JSON by accident.
#pragma once

#include <string>
#include <utility>

namespace homeport {

class Secret {
 public:
  explicit Secret(std::string value) : value_(std::move(value)) {}
  [[nodiscard]] const std::string& reveal() const { return value_; }  // the one word to search for in a review

 private:
  std::string value_;
};

}  // namespace homeport
