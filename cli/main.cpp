// homeport: the command. Wires the process to the command line and nothing else.
#include <sys/ioctl.h>
#include <unistd.h>

#include <charconv>
#include <csignal>
#include <cstdlib>
#include <iostream>

#include "cli/app.h"

namespace {

std::optional<std::string> variable(const std::string& name) {
  const char* value = std::getenv(name.c_str());  // NOLINT(concurrency-mt-unsafe): nothing sets variables here
  if (value == nullptr) return std::nullopt;
  return value;
}

std::size_t width_of_output() {
  constexpr std::size_t kUsual = 80;
  constexpr std::size_t kLeast = 40;
  if (const auto columns = variable("COLUMNS")) {
    std::size_t width = 0;
    const auto [at, ec] = std::from_chars(columns->data(), columns->data() + columns->size(), width);
    if (ec == std::errc{} && at == columns->data() + columns->size() && width >= kLeast) return width;
  }
  winsize size{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col >= kLeast) return size.ws_col;
  return kUsual;
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);  // a closed connection is an error of the call, a closed pipe ends the output
  std::ios::sync_with_stdio(false);
  const auto clock = homeport::make_system_clock();
  const auto ids = homeport::make_system_ids();
  homeport::cli::Host host{.env = variable,
                           .in = std::cin,
                           .out = std::cout,
                           .err = std::cerr,
                           .clock = *clock,
                           .ids = *ids,
                           .in_terminal = isatty(STDIN_FILENO) == 1,
                           .out_terminal = isatty(STDOUT_FILENO) == 1,
                           .err_terminal = isatty(STDERR_FILENO) == 1,
                           .width = width_of_output()};
  return homeport::cli::run({argv + 1, argv + argc}, host);
}
