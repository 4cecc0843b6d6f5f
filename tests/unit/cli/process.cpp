#include "tests/unit/cli/process.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace homeport::testing {
namespace {

std::string text_of(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// Output goes to files: no pipe can fill up and no reader has to be waited for.
pid_t spawn(const std::vector<std::string>& command, const std::map<std::string, std::string>& env,
            const std::string& folder, const std::string& input) {
  std::ofstream(folder + "/.in", std::ios::binary) << input;
  std::vector<std::string> variables;
  for (const auto& [name, value] : env) variables.push_back(name + "=" + value);
  std::vector<char*> argv;
  std::vector<char*> envp;
  for (const auto& word : command) argv.push_back(const_cast<char*>(word.c_str()));
  for (const auto& variable : variables) envp.push_back(const_cast<char*>(variable.c_str()));
  argv.push_back(nullptr);
  envp.push_back(nullptr);
  const std::string in = folder + "/.in";
  const std::string out = folder + "/.out";
  const std::string err = folder + "/.err";
  const pid_t child = fork();
  if (child != 0) return child;
  const int in_fd = open(in.c_str(), O_RDONLY);
  const int out_fd = open(out.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  const int err_fd = open(err.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  dup2(in_fd, 0);
  dup2(out_fd, 1);
  dup2(err_fd, 2);
  execve(argv[0], argv.data(), envp.data());
  _exit(127);
}

Ran collect(pid_t child, const std::string& folder) {
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  return {.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
          .out = text_of(folder + "/.out"),
          .err = text_of(folder + "/.err")};
}

std::string fresh_folder() {
  std::string name = (std::filesystem::temp_directory_path() / "homeport-cli-XXXXXX").string();
  EXPECT_NE(mkdtemp(name.data()), nullptr);
  return name;
}

}  // namespace

Cli::Cli() : home_(fresh_folder()) {
  env = {{"HOME", home_}, {"PATH", "/usr/bin:/bin"}, {"ASAN_OPTIONS", "detect_leaks=0"}};
}

Cli::~Cli() {
  if (child_ > 0) {
    kill(child_, SIGKILL);
    waitpid(child_, nullptr, 0);
  }
  std::error_code ignored;
  std::filesystem::remove_all(home_, ignored);
}

std::string Cli::file(const std::string& name, const std::string& text, unsigned mode) const {
  const std::string path = home_ + "/" + name;
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  std::ofstream(path, std::ios::binary) << text;
  chmod(path.c_str(), mode);
  return path;
}

void Cli::start(const std::vector<std::string>& args) {
  std::vector<std::string> command{HOMEPORT_CLI};
  command.insert(command.end(), args.begin(), args.end());
  child_ = spawn(command, env, home_, input);
}

void Cli::interrupt() const {
  kill(child_, SIGINT);
}

Ran Cli::finish() {
  const pid_t child = std::exchange(child_, -1);
  return collect(child, home_);
}

Ran Cli::run(const std::vector<std::string>& args) {
  start(args);
  return finish();
}

Ran run_program(const std::vector<std::string>& command, const std::string& input) {
  const std::string folder = fresh_folder();
  const auto ran = collect(spawn(command, {{"HOME", folder}, {"PATH", "/usr/bin:/bin"}}, folder, input), folder);
  std::error_code ignored;
  std::filesystem::remove_all(folder, ignored);
  return ran;
}

}  // namespace homeport::testing
