// homeport: the command. Wires the process to the command line and nothing else.
#include <sys/ioctl.h>
#include <unistd.h>

#include <charconv>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iostream>

#include "cli/app.h"
#include "cli/tree_doors.h"
#include "drivers/local/local_tree.h"
#include "drivers/nfs/nfs_server.h"

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

using homeport::AbsolutePath;
using homeport::OpContext;
using homeport::Result;
using homeport::drivers::NfsServer;
using homeport::drivers::Tree;

Result<std::string> machine_id() {
  const char* path = "/etc/machine-id";
  std::ifstream file(path);
  std::string id;
  if (std::getline(file, id)) return id;
  return homeport::Error{.code = homeport::Errc::not_found, .message = std::string(path) + " cannot be read"};
}

class LocalDoor final : public homeport::cli::TreeDoor {
 public:
  Result<std::unique_ptr<Tree>> open(const OpContext& /*op*/, const AbsolutePath& path, bool for_writing) override {
    if (!for_writing) return homeport::drivers::open_local_tree(path);
    return homeport::Error{.code = homeport::Errc::unsupported, .message = "local directories are only read"};
  }
};

class NfsDoor final : public homeport::cli::TreeDoor {
 public:
  NfsDoor(const homeport::cli::NfsAddress& at, homeport::Clock& clock)
      : server_({.server = at.server, .nfs_port = at.port, .mount_port = at.mount_port}, clock) {}
  Result<std::unique_ptr<Tree>> open(const OpContext& op, const AbsolutePath& path, bool for_writing) override {
    return server_.open(op, path, for_writing ? NfsServer::For::writing : NfsServer::For::reading);
  }

 private:
  NfsServer server_;
};

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);  // a closed connection is an error of the call, a closed pipe ends the output
  std::ios::sync_with_stdio(false);
  const auto clock = homeport::make_system_clock();
  const auto ids = homeport::make_system_ids();
  const homeport::cli::TreeDoors trees{
      .local = [] { return std::make_unique<LocalDoor>(); },
      .nfs = [&](const homeport::cli::NfsAddress& at) { return std::make_unique<NfsDoor>(at, *clock); },
      .machine_id = machine_id};
  homeport::cli::Host host{.env = variable,
                           .in = std::cin,
                           .out = std::cout,
                           .err = std::cerr,
                           .clock = *clock,
                           .ids = *ids,
                           .in_terminal = isatty(STDIN_FILENO) == 1,
                           .out_terminal = isatty(STDOUT_FILENO) == 1,
                           .err_terminal = isatty(STDERR_FILENO) == 1,
                           .width = width_of_output(),
                           .trees = &trees};
  return homeport::cli::run({argv + 1, argv + argc}, host);
}
