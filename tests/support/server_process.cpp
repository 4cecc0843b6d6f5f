#include "tests/support/server_process.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <sstream>
#include <thread>

namespace homeport::testing {
namespace {

// Null-terminated, for exec. They live as long as `words`.
std::vector<char*> pointers(const std::vector<std::string>& words) {
  std::vector<char*> out;
  out.reserve(words.size() + 1);
  for (const auto& word : words) out.push_back(const_cast<char*>(word.c_str()));
  out.push_back(nullptr);
  return out;
}

}  // namespace

std::string file_text(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

std::size_t occurrences(const std::string& text, std::string_view what) {
  std::size_t count = 0;
  for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++count;
  return count;
}

bool wait_until(std::chrono::milliseconds limit, const std::function<bool()>& condition) {
  constexpr std::chrono::milliseconds kStep{5};
  for (std::chrono::milliseconds waited{0}; waited < limit; waited += kStep) {
    if (condition()) return true;
    std::this_thread::sleep_for(kStep);
  }
  return condition();
}

Result<void> ServerProcess::start(const Program& program, const std::function<bool()>& up) {
  const auto arguments = pointers(program.words);
  const std::vector<std::string> variables = program.environment.value_or(std::vector<std::string>{});
  const auto environment = pointers(variables);
  const std::string output = program.output.string();
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child < 0) return Error{.message = "cannot fork the test server"};
  if (child == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(1);
    const int in = ::open("/dev/null", O_RDONLY);
    const int out = ::open(output.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    ::dup2(in, 0);
    ::dup2(out, 1);
    ::dup2(out, 2);
    ::execve(arguments[0], arguments.data(), program.environment ? environment.data() : environ);
    ::_exit(127);
  }
  pid_ = child;
  bool serves = false;
  wait_until(program.limit, [&] {
    serves = up();
    return serves || !alive();
  });
  if (serves && alive()) return {};
  kill();
  std::string tail = file_text(program.log);
  if (tail.size() > 1500) tail.erase(0, tail.size() - 1500);
  return Error{.message = "the test server did not come up; its log ends: " + tail};
}

bool ServerProcess::alive() {
  if (pid_ <= 0) return false;
  if (::waitpid(pid_, nullptr, WNOHANG) == 0) return true;
  pid_ = -1;
  return false;
}

void ServerProcess::kill() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

void ServerProcess::signal(int number) const {
  if (pid_ > 0) ::kill(pid_, number);
}

}  // namespace homeport::testing
