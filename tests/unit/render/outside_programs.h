// Real parsers that are programs of their own: a shell and Python. Files lie in a folder that goes away with the
// object.
#pragma once

#include <string>
#include <vector>

namespace homeport::render::testing {

class ScratchFolder {
 public:
  ScratchFolder();
  ~ScratchFolder();
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  [[nodiscard]] std::string file(const std::string& name) const { return path_ + "/" + name; }
  // Writes the file and answers its path.
  std::string write(const std::string& name, const std::string& text) const;

 private:
  std::string path_;
};

struct ProgramResult {
  int status = -1;
  std::string output;  // standard output and error together
};
// argv[0] is looked up in PATH. The child gets no shell of ours in between.
[[nodiscard]] ProgramResult run_program(const std::vector<std::string>& argv);

}  // namespace homeport::render::testing
