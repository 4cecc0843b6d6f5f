// A certificate of our own for the HTTPS listener.
#pragma once

#include <filesystem>

#include "drivers/flashblade/sim/http_server.h"
#include "provisioner/base/clock.h"
#include "provisioner/base/result.h"

namespace homeport::fbsim {

// DIRECTORY/certificate.pem and DIRECTORY/key.pem (0600): taken as they are when both are there, else made:
// self-signed, for localhost, 127.0.0.1, ::1 and `address`, ten years. A client that is given the certificate as its CA
// trusts it. Errors: failed_precondition when the files cannot be written.
[[nodiscard]] Result<TlsFiles> ensure_certificate(const std::filesystem::path& directory, const std::string& address);

}  // namespace homeport::fbsim
