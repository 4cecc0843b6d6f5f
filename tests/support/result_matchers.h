// ASSERT_OK(r), EXPECT_OK(r), EXPECT_ERRC(r, Errc::x): on failure the whole error chain is printed.
#pragma once

#include <gtest/gtest.h>

#include "provisioner/base/result.h"

namespace homeport::testing {

template <class T>
::testing::AssertionResult is_ok(const Result<T>& result) {
  if (result) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << result.error().to_string()
                                       << (result.error().hint.empty() ? "" : " — " + result.error().hint);
}

template <class T>
::testing::AssertionResult has_errc(const Result<T>& result, Errc code) {
  if (result) return ::testing::AssertionFailure() << "succeeded, expected " << errc_name(code);
  if (result.error().code == code) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << "expected " << errc_name(code) << ", got " << result.error().to_string();
}

}  // namespace homeport::testing

#define ASSERT_OK(expr) ASSERT_TRUE(::homeport::testing::is_ok(expr))
#define EXPECT_OK(expr) EXPECT_TRUE(::homeport::testing::is_ok(expr))
#define EXPECT_ERRC(expr, code) EXPECT_TRUE(::homeport::testing::has_errc(expr, code))
#define ASSERT_ERRC(expr, code) ASSERT_TRUE(::homeport::testing::has_errc(expr, code))
