// A JupyterHub's REST API, versions 2 to 6: who a token belongs to (GET /user) and who its users are (GET /users).
//
// A token speaks for its person here only if it may also open that person's servers, as the token of a notebook server
// does (scope access:servers!server=NAME/… or !user=NAME). A token that somebody else's server or a service got when
// the person visited it knows the person's name just as well, but holds no such right, and is refused.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "drivers/http/client.h"
#include "provisioner/config/secrets.h"
#include "provisioner/core/ports/hub.h"

namespace homeport::drivers::hub {

struct JupyterHubSettings {
  std::string name;
  Url url;                                   // ends in /hub/api
  std::string ca_file{};                     // https: PEM; empty: the machine's own
  std::optional<config::SecretRef> token{};  // of a service with the scope list:users; read for each list
};

// The clock must outlive it.
[[nodiscard]] std::shared_ptr<core::Hub> make_jupyterhub(const JupyterHubSettings& settings, const Clock& clock);

}  // namespace homeport::drivers::hub
