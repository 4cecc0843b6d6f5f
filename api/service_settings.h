// The configuration of one homeportd: file, options and defaults put together.
#pragma once

#include <string>
#include <vector>

#include "api/http_server.h"
#include "api/service.h"
#include "drivers/identity/identity_config.h"
#include "provisioner/config/config.h"
#include "provisioner/core/desired.h"
#include "provisioner/core/people.h"

namespace homeport::api {

struct Settings {
  config::Config config{};
  core::Desired desired{};
  bool has_desired = false;
  drivers::identity::IdentitySettings identity{};
};

// Reads and checks everything that can be checked without touching anything: the outer file and the desired document
// with the drivers' own sections. An empty file name gives the defaults. Errors: those of config::load_document;
// invalid_argument whose message has one line per problem.
[[nodiscard]] Result<Settings> read_settings(const std::string& file, const drivers::DriverFactory& factory);
// The identity sources of `settings`; `clock` must outlive the policy.
[[nodiscard]] core::IdentityPolicy identity_policy(const drivers::identity::IdentitySettings& settings,
                                                   const Clock& clock);
// Options win over the file.
[[nodiscard]] Result<void> apply_options(Settings& settings, const ServiceOptions& options);
// Errors: failed_precondition (a TLS key that is no file).
[[nodiscard]] Result<HttpSettings> http_settings(const config::Config& config);
// Makes it, with mode 0700, when it is not there. Errors: failed_precondition.
[[nodiscard]] Result<void> make_state_directory(const std::string& directory);

}  // namespace homeport::api
