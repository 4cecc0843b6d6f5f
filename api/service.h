// homeportd: configuration, lease, start, signals and stop around the API. The composition root's working half.
#pragma once

#include <memory>
#include <string>

#include "provisioner/base/clock.h"
#include "provisioner/base/result.h"

namespace homeport::api {

struct ServiceOptions {
  std::string config{};  // file; empty: none
  std::string state{};   // directory; empty: the configuration's, else the default
  std::string listen{};  // HOST:PORT; empty: the configuration's
};

// Exit codes of homeportd. 75 is EX_TEMPFAIL of sysexits.h: start it again.
inline constexpr int kExitOk = 0;
inline constexpr int kExitFailed = 1;
inline constexpr int kExitConfig = 2;
inline constexpr int kExitLeaseLost = 75;

// /var/lib/homeport for root, else $XDG_STATE_HOME/homeport or ~/.local/state/homeport.
[[nodiscard]] std::string default_state_directory();

// Prints "FILE is valid" and its warnings, or every problem with its line. Gives the exit code.
int check_config(const std::string& file);
// Checks a backup and stages it for the next start. Gives the exit code.
int stage_restore(const ServiceOptions& options, const std::string& backup);
// Serves until SIGTERM or SIGINT. Gives the exit code. Only once per process: it takes over the signals.
int serve(const ServiceOptions& options);

}  // namespace homeport::api
