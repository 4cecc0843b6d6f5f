#include "provisioner/base/fault_point.h"

#include <fcntl.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <map>
#include <mutex>
#include <string>

namespace homeport::detail {
namespace {

struct Plan {
  std::string die_at;
  int die_on_passage = 1;
  std::string trace_file;
};

const char* environment(const char* name) {
  return std::getenv(name);
}  // NOLINT(concurrency-mt-unsafe): read at start

Plan read_plan() {
  Plan plan;
  if (const char* point = environment("HOMEPORT_FAULT_POINT")) {
    plan.die_at = point;
    // Names may hold colons themselves: only digits after the last one are a passage.
    const auto colon = plan.die_at.rfind(':');
    if (colon != std::string::npos && colon + 1 < plan.die_at.size() &&
        plan.die_at.find_first_not_of("0123456789", colon + 1) == std::string::npos) {
      plan.die_on_passage = std::atoi(plan.die_at.c_str() + colon + 1);
      plan.die_at.resize(colon);
    }
  }
  if (const char* file = environment("HOMEPORT_FAULT_TRACE")) plan.trace_file = file;
  return plan;
}

}  // namespace

const bool fault_points_armed =
    environment("HOMEPORT_FAULT_POINT") != nullptr || environment("HOMEPORT_FAULT_TRACE") != nullptr;

void pass_fault_point(std::string_view name) {
  static const Plan plan = read_plan();
  static std::mutex mutex;
  static std::map<std::string, int, std::less<>> passages;
  const std::lock_guard lock(mutex);
  const int passage = ++passages[std::string(name)];
  if (!plan.trace_file.empty()) {
    const std::string line = std::string(name) + ":" + std::to_string(passage) + "\n";
    const int fd = ::open(plan.trace_file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd >= 0) {
      (void)!::write(fd, line.data(), line.size());
      ::close(fd);
    }
  }
  if (name == plan.die_at && passage == plan.die_on_passage) ::raise(SIGKILL);
}

}  // namespace homeport::detail
