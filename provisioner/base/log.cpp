#include "provisioner/base/log.h"

#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/dist_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <memory>

#include "provisioner/base/names.h"

namespace homeport::log {
namespace {

std::shared_ptr<spdlog::sinks::dist_sink_mt> sinks() {
  static const auto all = [] {
    auto made = std::make_shared<spdlog::sinks::dist_sink_mt>();
    made->add_sink(std::make_shared<spdlog::sinks::stderr_sink_mt>());
    return made;
  }();
  return all;
}

spdlog::logger& logger() {
  static const auto instance = [] {
    auto made = std::make_shared<spdlog::logger>("homeport", sinks());
    made->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %^%l%$ %v", spdlog::pattern_time_type::utc);
    made->set_level(spdlog::level::info);
    made->flush_on(spdlog::level::info);
    return made;
  }();
  return *instance;
}

spdlog::level::level_enum to_spdlog(Level level) {
  switch (level) {
    case Level::debug: return spdlog::level::debug;
    case Level::info: return spdlog::level::info;
    case Level::warning: return spdlog::level::warn;
    case Level::error: return spdlog::level::err;
  }
  return spdlog::level::info;
}

std::string quoted(std::string_view value) {
  constexpr std::size_t kMaxValue = 2000;
  const bool plain = !value.empty() && value.find_first_of(" =\"\\") == std::string_view::npos;
  if (plain) {
    if (std::string clean = printable(value, kMaxValue); clean == value) return clean;
  }
  // Backslashes are doubled before the unprintable becomes \xNN, so that no value can close its quotes.
  std::string escaped;
  for (const char c : value.substr(0, kMaxValue + 4)) {
    if (c == '"' || c == '\\') escaped += '\\';
    escaped += c;
  }
  return "\"" + printable(escaped, kMaxValue) + "\"";
}

}  // namespace

void set_level(Level level) {
  logger().set_level(to_spdlog(level));
}

bool set_level(std::string_view name) {
  constexpr std::pair<std::string_view, Level> kNames[] = {
      {"debug", Level::debug}, {"info", Level::info}, {"warning", Level::warning}, {"error", Level::error}};
  for (const auto& [known, level] : kNames) {
    if (known == name) {
      set_level(level);
      return true;
    }
  }
  return false;
}

void also_to_file(const std::string& file) {
  static std::shared_ptr<spdlog::sinks::sink> current;
  if (current) sinks()->remove_sink(current);
  current.reset();
  if (file.empty()) return;
  current = std::make_shared<spdlog::sinks::basic_file_sink_mt>(file);
  sinks()->add_sink(current);
  logger().set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %^%l%$ %v", spdlog::pattern_time_type::utc);
}

void write(Level level, std::string_view event, Fields fields) {
  if (!logger().should_log(to_spdlog(level))) return;
  std::string line(event);
  for (const auto& field : fields) {
    line += ' ';
    line += field.key;
    line += '=';
    line += quoted(field.value);
  }
  logger().log(to_spdlog(level), "{}", line);
}

}  // namespace homeport::log
