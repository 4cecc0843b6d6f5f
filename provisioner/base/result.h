// Result<T>: a value or an Error. Dropping one does not compile.
#pragma once

#include <cassert>
#include <type_traits>
#include <utility>
#include <variant>

#include "provisioner/base/error.h"

namespace homeport {

template <class T>
class [[nodiscard]] Result {
 public:
  using value_type = T;

  // Implicit on purpose: `return value;` and `return Error{...};` are the two ways out of a function.
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}      // NOLINT(google-explicit-constructor)
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT(google-explicit-constructor)

  [[nodiscard]] bool has_value() const noexcept { return state_.index() == 0; }
  explicit operator bool() const noexcept { return has_value(); }

  [[nodiscard]] T& value() & {
    assert(has_value());
    return *std::get_if<0>(&state_);
  }
  [[nodiscard]] const T& value() const& {
    assert(has_value());
    return *std::get_if<0>(&state_);
  }
  [[nodiscard]] T&& value() && {
    assert(has_value());
    return std::move(*std::get_if<0>(&state_));
  }
  [[nodiscard]] T& operator*() & { return value(); }
  [[nodiscard]] const T& operator*() const& { return value(); }
  [[nodiscard]] T&& operator*() && { return std::move(*this).value(); }
  [[nodiscard]] T* operator->() { return &value(); }
  [[nodiscard]] const T* operator->() const { return &value(); }

  [[nodiscard]] const Error& error() const& {
    assert(!has_value());
    return *std::get_if<1>(&state_);
  }
  [[nodiscard]] Error&& error() && {
    assert(!has_value());
    return std::move(*std::get_if<1>(&state_));
  }

  // Adds one frame on failure, nothing on success.
  [[nodiscard]] Result&& context(std::string frame) && {
    if (!has_value()) std::get_if<1>(&state_)->context.push_back(std::move(frame));
    return std::move(*this);
  }

 private:
  static_assert(!std::is_same_v<std::remove_cv_t<T>, Error>);
  std::variant<T, Error> state_;  // always built by index: a conversion must never choose the alternative
};

template <>
class [[nodiscard]] Result<void> {
 public:
  using value_type = void;

  Result() = default;
  Result(Error error) : error_(std::move(error)), failed_(true) {}  // NOLINT(google-explicit-constructor)

  [[nodiscard]] bool has_value() const noexcept { return !failed_; }
  explicit operator bool() const noexcept { return !failed_; }
  void value() const { assert(!failed_); }

  [[nodiscard]] const Error& error() const& {
    assert(failed_);
    return error_;
  }
  [[nodiscard]] Error&& error() && {
    assert(failed_);
    return std::move(error_);
  }

  [[nodiscard]] Result&& context(std::string frame) && {
    if (failed_) error_.context.push_back(std::move(frame));
    return std::move(*this);
  }

 private:
  Error error_{};
  bool failed_ = false;
};

}  // namespace homeport

#define HOMEPORT_CAT_(a, b) a##b
#define HOMEPORT_CAT(a, b) HOMEPORT_CAT_(a, b)
#define HOMEPORT_TRY_(tmp, decl, expr)     \
  auto tmp = (expr);                       \
  if (!tmp) return std::move(tmp).error(); \
  decl = std::move(tmp).value()
// HOMEPORT_TRY(auto x, f()): x is the value, or the error is returned. Numbered by a counter, not by line: inside a
// macro argument (a lambda in another check) every line is the same.
#define HOMEPORT_TRY(decl, expr) HOMEPORT_TRY_(HOMEPORT_CAT(homeport_try_, __COUNTER__), decl, expr)
#define HOMEPORT_CHECK_(tmp, expr)           \
  do {                                       \
    auto tmp = (expr);                       \
    if (!tmp) return std::move(tmp).error(); \
  } while (false)
// HOMEPORT_CHECK(f()): goes on, or returns the error.
#define HOMEPORT_CHECK(expr) HOMEPORT_CHECK_(HOMEPORT_CAT(homeport_check_, __COUNTER__), expr)
