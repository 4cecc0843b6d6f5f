// What the real servers that tests start have in common: one child process, its log, waiting.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "provisioner/base/result.h"

namespace homeport::testing {

[[nodiscard]] std::string file_text(const std::filesystem::path& path);
[[nodiscard]] std::size_t occurrences(const std::string& text, std::string_view what);
// Looks every few milliseconds. The last look's answer.
bool wait_until(std::chrono::milliseconds limit, const std::function<bool()>& condition);

// It dies with the thread that started it (PR_SET_PDEATHSIG): start it in the test's main thread. Threads: one at a
// time.
class ServerProcess {
 public:
  struct Program {
    std::vector<std::string> words;                         // the first is its path
    std::optional<std::vector<std::string>> environment{};  // NAME=VALUE; empty: ours
    std::filesystem::path output = "/dev/null";             // appended to
    std::filesystem::path log{};                            // its end is told when it does not come up
    std::chrono::seconds limit{20};                         // for coming up
  };
  ServerProcess() = default;
  ~ServerProcess() { kill(); }
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;

  // `up`: whether it serves. Killed when it does not within the limit. Errors: internal with the end of its log.
  Result<void> start(const Program& program, const std::function<bool()>& up);
  [[nodiscard]] bool alive();
  [[nodiscard]] pid_t pid() const { return pid_; }  // -1: not running
  void kill();                                      // SIGKILL, and reaped. Harmless when it is not running
  void signal(int number) const;                    // likewise

 private:
  pid_t pid_ = -1;
};

}  // namespace homeport::testing
