// A real NFS-Ganesha for tests: a process of its own on free loopback ports, serving directories of a temporary place.
//
// Needs root (Ganesha opens files by handle): start() says so in its error, tests fail rather than skip. Each instance
// has its own ports, files and recovery place, so any number run in parallel. The process dies with the thread that
// started it (PR_SET_PDEATHSIG): start it in the test's main thread. Threads: one at a time.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "provisioner/base/result.h"
#include "tests/support/server_process.h"

namespace homeport::testing {

struct GaneshaExport {
  std::string path;                       // what clients mount, e.g. "/export/homes"
  std::string squash = "No_Root_Squash";  // No_Root_Squash | Root_Squash | All_Squash
  std::uint32_t anonymous_uid = 65534;
  std::uint32_t anonymous_gid = 65534;
  bool read_only = false;
  bool privileged_port = false;        // refuse source ports from 1024 on
  std::vector<std::string> clients{};  // empty: everyone; otherwise only these may mount
};

struct GaneshaOptions {
  std::string protocols = "3,4";      // "4": a server without NFSv3
  bool attribute_cache = true;        // false: changes made on its disk behind its back are seen at once
  std::string address = "127.0.0.1";  // where it listens
};

class Ganesha {
 public:
  // Serving when it returns. Errors: failed_precondition without root or without the program; internal with the tail of
  // the server's log when it does not come up.
  static Result<std::unique_ptr<Ganesha>> start(std::vector<GaneshaExport> exports, GaneshaOptions options = {});
  ~Ganesha();
  Ganesha(const Ganesha&) = delete;
  Ganesha& operator=(const Ganesha&) = delete;

  [[nodiscard]] static std::string address() { return "127.0.0.1"; }
  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] std::uint16_t mount_port() const { return mount_port_; }
  // Where an export's files lie on this machine.
  [[nodiscard]] std::filesystem::path directory(const std::string& export_path) const;

  void stop();             // killed; what it had acknowledged is on disk. Harmless when it is not running
  Result<void> restart();  // same ports, same files
  void pause();            // SIGSTOP: connections stand, nothing answers
  void resume();
  // Other exports from now on, without a restart.
  Result<void> reload(std::vector<GaneshaExport> exports);

 private:
  Ganesha(std::vector<GaneshaExport> exports, GaneshaOptions options);
  Result<void> prepare();
  Result<void> launch();
  Result<void> write_exports();
  void write_configuration() const;
  [[nodiscard]] std::string log_text() const;

  std::vector<GaneshaExport> exports_;
  GaneshaOptions options_;
  std::vector<std::string> ids_;  // path of Export_Id 1, 2, …
  std::filesystem::path root_;
  std::uint16_t port_ = 0;
  std::uint16_t mount_port_ = 0;
  ServerProcess process_;
};

}  // namespace homeport::testing
