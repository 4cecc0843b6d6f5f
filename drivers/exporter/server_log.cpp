#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sstream>

#include "drivers/exporter/server.h"
#include "provisioner/base/descriptor.h"

namespace homeport::drivers::exporter {
namespace {

constexpr std::chrono::milliseconds kLook{10};
constexpr const char* kDone = "Reread exports complete";

// The first line that says that an export was not taken.
std::string complaint(const std::string& text) {
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) {
    const bool bad = line.find(":CRIT :") != std::string::npos || line.find(":MAJ :") != std::string::npos;
    if (bad && (line.find("CONFIG") != std::string::npos || line.find("EXPORT") != std::string::npos)) return line;
  }
  return {};
}

}  // namespace

std::string log_from(const std::string& path, std::uint64_t offset) {
  const Descriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (fd.get() < 0) return {};
  std::string out;
  constexpr std::size_t kMost = std::size_t{4} << 20U;
  std::string block(std::size_t{64} * 1024, '\0');
  while (out.size() < kMost) {
    const auto got = ::pread(fd.get(), block.data(), block.size(), static_cast<off_t>(offset + out.size()));
    if (got <= 0) break;
    out.append(block, 0, static_cast<std::size_t>(got));
  }
  return out;
}

std::uint64_t log_size(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 ? static_cast<std::uint64_t>(status.st_size) : 0;
}

Result<void> wait_for_reread(const OpContext& op, Clock& clock, const std::string& log, std::uint64_t offset) {
  for (;;) {
    const auto text = log_from(log, offset);
    const auto done = text.find(kDone);
    if (done != std::string::npos) {
      const auto wrong = complaint(text.substr(0, done));
      if (wrong.empty()) return {};
      return Error{.code = Errc::unavailable,
                   .message = "the NFS server did not take an export: " + printable(wrong, 300),
                   .hint = "its log " + log + " says more"};
    }
    HOMEPORT_CHECK(still_wanted(op, clock, "the NFS server to read its exports again"));
    (void)clock.sleep_for(kLook, op.stop);
  }
}

}  // namespace homeport::drivers::exporter
