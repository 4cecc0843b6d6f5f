// The parts of validate() that are also asked for on their own. Internal to this folder.
#pragma once

#include <string>
#include <string_view>

#include "provisioner/render/mount_spec.h"

namespace homeport::render {

// Where in the document a check stands, in words and as a JSON pointer.
struct Place {
  std::string words;    // "mount 'home'"
  std::string pointer;  // "/mounts/0"
  [[nodiscard]] Place member(std::string_view name) const;
  [[nodiscard]] Place item(std::size_t index) const;
};

[[nodiscard]] Error refuse(const Place& at, std::string why, std::string hint = {});
// Valid UTF-8, no control characters, at most `max_bytes` bytes.
[[nodiscard]] Result<void> check_text(const Place& at, std::string_view text, std::size_t max_bytes);
[[nodiscard]] Result<void> check_source(const Place& at, const Source& source);
[[nodiscard]] Result<void> check_nfs_options(const Place& at, const NfsOptions& options, std::string_view version,
                                             const ValidateOptions& site);
[[nodiscard]] Result<void> check_mounts(const MountSpec& spec, const ValidateOptions& site);

// An IPv6 address as mount specs write it: no brackets, no zone.
[[nodiscard]] bool is_ipv6_address(std::string_view server);

}  // namespace homeport::render
