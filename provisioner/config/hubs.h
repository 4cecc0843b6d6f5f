// The `hubs:` of the configuration: the JupyterHubs whose people Homeport serves, and how their API is reached.
//
//   - name: main                       as in spawner tokens and mount spec requests
//     url: http://127.0.0.1:8081/hub/api   what the hub's services have as JUPYTERHUB_API_URL
//     realm: default                   of its people; the service's own where it is left out
//     ca_file: /etc/homeport/hub-ca.pem    for https; the machine's own where it is left out
//     token: {file: /etc/homeport/hub-token}   of a service of the hub with the scopes list:users and read:users; only
//                                      needed to see who has left, and which accounts were made again
//     timeout: 5s                      for one question about a person's token
//     cache: 5m                        how long its answer holds; 1 s to 5 min
//     new_per_second: 20               questions about tokens not seen before
//     reconcile: {every: 6h, most_gone: 10}    how often the users are listed; percent of the people known from
//                                      this hub that may be missing at once
//     recreated: hold                  an account that was deleted and made again, and for whom no uid vouches, gets no
//                                      home until an admin has said who it is; same: it is the same person's
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "provisioner/base/url.h"
#include "provisioner/config/secrets.h"

namespace homeport::config {

struct HubSection {
  std::string name;
  Url url;
  std::string realm{};
  std::string ca_file{};
  std::optional<SecretRef> token{};
  std::chrono::milliseconds timeout = std::chrono::seconds(5);
  std::chrono::milliseconds cache = std::chrono::minutes(5);
  unsigned new_per_second = 20;
  std::chrono::milliseconds reconcile_every = std::chrono::hours(6);
  unsigned most_gone_percent = 10;
  bool recreated_is_same = false;
};

// `hubs` of the outer document. Problems are added to `in`; what should be known but is allowed, to `warnings`.
[[nodiscard]] std::vector<HubSection> read_hubs(DocReader& in, const std::string& realm,
                                                std::vector<std::string>& warnings);

}  // namespace homeport::config
