// Running the real binary.
#pragma once

#include <sys/types.h>

#include <map>
#include <string>
#include <vector>

namespace homeport::testing {

struct Ran {
  int code = -1;  // 128 + signal when it was killed
  std::string out{};
  std::string err{};
};

// A child with its own environment (nothing is inherited but PATH) and an own empty HOME, removed at the end.
class Cli {
 public:
  Cli();
  ~Cli();
  Cli(const Cli&) = delete;
  Cli& operator=(const Cli&) = delete;

  std::map<std::string, std::string> env{};
  std::string input{};  // standard input
  [[nodiscard]] const std::string& home() const { return home_; }
  // Writes HOME/NAME and gives its path.
  std::string file(const std::string& name, const std::string& text, unsigned mode = 0600) const;
  Ran run(const std::vector<std::string>& args);
  // In two parts, for tests that do something meanwhile.
  void start(const std::vector<std::string>& args);
  void interrupt() const;
  Ran finish();

 private:
  std::string home_;
  pid_t child_ = -1;
};

// Any program, for shells.
[[nodiscard]] Ran run_program(const std::vector<std::string>& command, const std::string& input = "");

}  // namespace homeport::testing
