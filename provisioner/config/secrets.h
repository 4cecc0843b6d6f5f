// Secrets by reference. A secret never stands in a configuration file, in the database or in a process list: what
// stands there says where it is, and it is read again whenever it is needed (SIGHUP, re-login).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "provisioner/base/doc_reader.h"
#include "provisioner/base/result.h"
#include "provisioner/base/secret.h"

namespace homeport::config {

inline constexpr std::size_t kMaxSecretBytes = std::size_t{64} << 10U;

// Exactly one of the two is set.
struct SecretRef {
  std::string file{};                          // absolute path
  std::string env{};                           // name of an environment variable
  [[nodiscard]] std::string describe() const;  // "file /etc/homeport/token", for messages
};

// {file: PATH} or {env: NAME} at `key` of `in`. Absent: nullopt. Text in its place is a problem that does not repeat
// it.
[[nodiscard]] std::optional<SecretRef> read_secret_ref(DocReader& in, std::string_view key);

// Reads it now; one newline at the end is dropped.
// Errors: not_found; failed_precondition when it is empty, larger than kMaxSecretBytes, not a regular file, unreadable,
// or when group or others may read or write the file (the hint is the chmod to run). Never contains the secret.
[[nodiscard]] Result<Secret> read_secret(const SecretRef& ref);

}  // namespace homeport::config
