// Programs that Homeport starts: given words, never a shell; an environment of their own; no descriptor of ours.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "provisioner/base/descriptor.h"
#include "provisioner/base/result.h"

namespace homeport {

struct ChildSpec {
  std::vector<std::string> words;          // the program's path first
  std::vector<std::string> environment{};  // NAME=value; nothing is inherited
  std::string output{};                    // file that stdout and stderr are appended to; empty: thrown away
};

// Starts it in a process group of its own, so that a terminal's Ctrl-C is for us alone. Whoever calls reaps it.
// Errors: not_found (no such program), unavailable.
Result<pid_t> spawn(const ChildSpec& spec);

// Runs it to its end. Killed when `limit` is over: timed_out. spec.output must be empty.
struct Ended {
  int status = 0;        // of exit; 128 + signal when one ended it
  std::string output{};  // what it said, on either stream; at most 64 KiB
};
Result<Ended> run_to_end(ChildSpec spec, std::chrono::milliseconds limit);

// Waits until the process has ended, whether it is a child of ours or not. False: it runs on when `limit` is over.
// A process that is no more has ended. The pid must not be that of a child which somebody else reaps meanwhile.
Result<bool> wait_for_end(pid_t pid, std::chrono::milliseconds limit);

// When a process started, in the kernel's own units since boot: with the pid it names one process for good. nullopt:
// there is no such process, or only its remains.
std::optional<std::string> start_mark(pid_t pid);

}  // namespace homeport
