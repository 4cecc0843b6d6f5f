// What the array answers when it refuses, and Or<T>: a value or a refusal. Works with HOMEPORT_TRY and HOMEPORT_CHECK.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "provisioner/base/result.h"

namespace homeport::fbsim {

struct Refusal {
  std::string message;
  std::optional<std::string> context{};  // the object's name, where there is one
  unsigned status = 400;
};

template <class T>
class [[nodiscard]] Or {
 public:
  // Implicit on purpose, as in Result.
  Or(T value) : state_(std::in_place_index<0>, std::move(value)) {}            // NOLINT(google-explicit-constructor)
  Or(Refusal refusal) : state_(std::in_place_index<1>, std::move(refusal)) {}  // NOLINT(google-explicit-constructor)

  explicit operator bool() const noexcept { return state_.index() == 0; }
  [[nodiscard]] T& value() & { return *std::get_if<0>(&state_); }
  [[nodiscard]] const T& value() const& { return *std::get_if<0>(&state_); }
  [[nodiscard]] T&& value() && { return std::move(*std::get_if<0>(&state_)); }
  [[nodiscard]] T& operator*() & { return value(); }
  [[nodiscard]] T* operator->() { return &value(); }
  [[nodiscard]] const Refusal& error() const& { return *std::get_if<1>(&state_); }
  [[nodiscard]] Refusal&& error() && { return std::move(*std::get_if<1>(&state_)); }

 private:
  std::variant<T, Refusal> state_;
};

template <>
class [[nodiscard]] Or<void> {
 public:
  Or() = default;
  Or(Refusal refusal) : refusal_(std::move(refusal)) {}  // NOLINT(google-explicit-constructor)
  explicit operator bool() const noexcept { return !refusal_; }
  [[nodiscard]] const Refusal& error() const& { return *refusal_; }
  [[nodiscard]] Refusal&& error() && { return *std::move(refusal_); }

 private:
  std::optional<Refusal> refusal_{};
};

}  // namespace homeport::fbsim
