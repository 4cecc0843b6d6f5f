#include "cli/copy_source.h"

#include <algorithm>

#include "provisioner/base/digest.h"

namespace homeport::cli {

Result<SourceName> named_source(const std::string& name) {
  constexpr std::size_t kLongest = 100;
  const bool good = !name.empty() && name.size() <= kLongest && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
           c == '.';
  });
  if (good) return SourceName{.label = name + ":", .id = "source " + name};
  return Error{.code = Errc::invalid_argument,
               .message = "'" + printable(name, 60) + "' cannot be the name of a source",
               .hint = "--source-name takes 1 to 100 letters, digits, '-', '_' and '.'"};
}

Result<SourceName> machine_source(const std::string& host, const Result<std::string>& machine_id) {
  constexpr std::size_t kDigits = 32;  // machine-id(5)
  std::string id = machine_id ? *machine_id : std::string();
  while (!id.empty() && id.back() == '\n') id.pop_back();
  const bool good = id.size() == kDigits && id != std::string(kDigits, '0') &&
                    std::ranges::all_of(id, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
  if (good) {
    constexpr std::size_t kShown = 16;
    return SourceName{.label = host + ":",
                      .id = "machine " + sha256_hex("homeport copy source\n" + id).substr(0, kShown)};
  }
  return Error{.code = Errc::failed_precondition,
               .message = "this machine has no id of its own: " +
                          (machine_id ? "/etc/machine-id does not hold one" : machine_id.error().sentence()),
               .hint =
                   "name the source with --source-name, always the same for the same disks; or have an id made by "
                   "systemd-machine-id-setup"};
}

SourceName server_source(const std::string& label, const NfsAddress& address) {
  SourceName out{.label = label + ":", .id = "NFS server " + address.server};
  if (address.port) out.id += " port " + std::to_string(*address.port);
  return out;
}

}  // namespace homeport::cli
