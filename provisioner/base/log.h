// Structured log lines: one event per line, key=value, to standard error (journald adds the rest).
//
// Levels: error (a person must act), warning (we coped), info (state changed), debug. No secrets, no bodies. Values are
// escaped, so no user name can forge a line. Threads: every function from any thread.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

namespace homeport::log {

struct Field {
  std::string_view key;
  std::string value;
};
using Fields = std::initializer_list<Field>;

enum class Level { debug, info, warning, error };

void set_level(Level level);
// False: `name` is none of debug, info, warning, error.
bool set_level(std::string_view name);
// Tests: every line goes to `file` as well (empty: no longer).
void also_to_file(const std::string& file);

void write(Level level, std::string_view event, Fields fields);
inline void debug(std::string_view event, Fields fields = {}) {
  write(Level::debug, event, fields);
}
inline void info(std::string_view event, Fields fields = {}) {
  write(Level::info, event, fields);
}
inline void warning(std::string_view event, Fields fields = {}) {
  write(Level::warning, event, fields);
}
inline void error(std::string_view event, Fields fields = {}) {
  write(Level::error, event, fields);
}

}  // namespace homeport::log
