// What travels with every call that may block. First parameter everywhere, cheap to copy.
#pragma once

#include <stop_token>
#include <string>

#include "provisioner/base/call_log.h"
#include "provisioner/base/clock.h"

namespace homeport {

struct OpContext {
  std::string request_id;  // logged with every line, sent upstream where the protocol can carry it
  MonoTime deadline;       // absolute; a layer may shorten it, none may extend it
  std::stop_token stop{};
  std::string operation_id{};  // the durable operation this call belongs to; empty for reads and probes
  // Every call that changes a backend is added here in the backend's own words ("MKDIR /export/homes/hp-h-…"). May be
  // null. Must outlive the call.
  CallLog* calls = nullptr;
  // Drivers send no changing call: they add to `calls` what they would send and answer what they expect to result.
  bool dry_run = false;
};

// Errors: timed_out or cancelled, with `what` in the message; nothing when there is still time.
[[nodiscard]] inline Result<void> still_wanted(const OpContext& op, const Clock& clock, std::string_view what) {
  if (op.stop.stop_requested()) return Error{.code = Errc::cancelled, .message = std::string(what) + " was stopped"};
  if (clock.mono() >= op.deadline) {
    return Error{.code = Errc::timed_out, .message = "no time left for " + std::string(what)};
  }
  return {};
}

}  // namespace homeport
