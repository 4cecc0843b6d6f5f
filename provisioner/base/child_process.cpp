#include "provisioner/base/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <fstream>
#include <iterator>
#include <sstream>
#include <system_error>

namespace homeport {
namespace {

std::vector<char*> pointers(const std::vector<std::string>& words) {
  std::vector<char*> out;
  out.reserve(words.size() + 1);
  for (const auto& word : words) out.push_back(const_cast<char*>(word.c_str()));  // posix_spawn does not write to them
  out.push_back(nullptr);
  return out;
}

Error trouble(int code, const std::string& what) {
  return Error{.code = code == ENOENT ? Errc::not_found : Errc::unavailable,
               .message = what + ": " + std::generic_category().message(code)};
}

// What posix_spawn is given, freed with it.
struct Preparation {
  posix_spawn_file_actions_t actions{};
  posix_spawnattr_t attributes{};
  Preparation() {
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawnattr_init(&attributes);
  }
  ~Preparation() {
    ::posix_spawn_file_actions_destroy(&actions);
    ::posix_spawnattr_destroy(&attributes);
  }
  Preparation(const Preparation&) = delete;
  Preparation& operator=(const Preparation&) = delete;
};

}  // namespace

Result<pid_t> spawn(const ChildSpec& spec) {
  Preparation prepared;
  const std::string output = spec.output.empty() ? "/dev/null" : spec.output;
  ::posix_spawn_file_actions_addopen(&prepared.actions, 0, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_addopen(&prepared.actions, 1, output.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  ::posix_spawn_file_actions_adddup2(&prepared.actions, 1, 2);
  sigset_t none;
  sigset_t all;
  ::sigemptyset(&none);
  ::sigfillset(&all);
  ::posix_spawnattr_setsigmask(&prepared.attributes, &none);
  ::posix_spawnattr_setsigdefault(&prepared.attributes, &all);
  ::posix_spawnattr_setpgroup(&prepared.attributes, 0);
  ::posix_spawnattr_setflags(&prepared.attributes,
                             POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  pid_t pid = -1;
  auto words = pointers(spec.words);
  auto environment = pointers(spec.environment);
  const int code =
      ::posix_spawn(&pid, words.front(), &prepared.actions, &prepared.attributes, words.data(), environment.data());
  if (code != 0) return trouble(code, "starting " + spec.words.front());
  return pid;
}

Result<bool> wait_for_end(pid_t pid, std::chrono::milliseconds limit) {
  const Descriptor handle(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (handle.get() < 0) {
    if (errno == ESRCH) return true;
    return trouble(errno, "watching process " + std::to_string(pid));
  }
  pollfd watched{.fd = handle.get(), .events = POLLIN, .revents = 0};
  const int ready = ::poll(&watched, 1, static_cast<int>(limit.count()));
  if (ready < 0 && errno != EINTR) return trouble(errno, "watching process " + std::to_string(pid));
  return ready > 0;
}

Result<Ended> run_to_end(ChildSpec spec, std::chrono::milliseconds limit) {
  const Descriptor said(::memfd_create("output", MFD_CLOEXEC));
  if (said.get() < 0) return trouble(errno, "starting " + spec.words.front());
  spec.output = "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(said.get());
  HOMEPORT_TRY(const pid_t pid, spawn(spec));
  const auto ended = wait_for_end(pid, limit);
  const bool over = ended && *ended;
  if (!over) ::kill(pid, SIGKILL);
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (!ended) return ended.error();
  if (!over) return Error{.code = Errc::timed_out, .message = spec.words.front() + " did not end in time"};
  constexpr int kSignalBase = 128;
  Ended out{.status = WIFEXITED(status) ? WEXITSTATUS(status) : kSignalBase + WTERMSIG(status)};
  out.output.resize(std::size_t{64} * 1024);
  const auto got = ::pread(said.get(), out.output.data(), out.output.size(), 0);
  out.output.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  return out;
}

std::optional<std::string> start_mark(pid_t pid) {
  std::ifstream in("/proc/" + std::to_string(pid) + "/stat");
  const std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  // The name in parentheses may hold anything; after it come the state and numbers, the 20th of which is the start.
  const auto end = text.rfind(')');
  if (end == std::string::npos) return std::nullopt;
  std::istringstream rest(text.substr(end + 1));
  const std::vector<std::string> fields{std::istream_iterator<std::string>(rest), {}};
  constexpr std::size_t kStart = 19;
  if (fields.size() <= kStart || fields.front() == "Z" || fields.front() == "X") return std::nullopt;
  return fields[kStart];
}

}  // namespace homeport
