// Where SQLite's exceptions end: nothing outside this folder sees one.
#pragma once

#include <SQLiteCpp/Exception.h>

#include <string>
#include <string_view>
#include <type_traits>

#include "provisioner/base/result.h"

namespace homeport::store {

// unavailable: disk full, I/O error, busy, cannot be opened. already_exists: a unique column. failed_precondition: the
// file is damaged or no database. internal: the rest. `what` says what was tried on which file.
[[nodiscard]] Error sqlite_error(const SQLite::Exception& e, std::string_view what);

// Did the disk itself fail? (Not: is it full.)
[[nodiscard]] bool is_io_failure(const Error& error);
[[nodiscard]] bool is_damage(const Error& error);

template <class Fn>
std::invoke_result_t<Fn&> sqlite_guard(std::string_view what, Fn fn) {
  try {
    return fn();
  } catch (const SQLite::Exception& e) {
    return sqlite_error(e, what);
  }
}

}  // namespace homeport::store
