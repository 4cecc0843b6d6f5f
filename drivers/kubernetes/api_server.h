// Requests to a Kubernetes API server: the service account's token, JSON, and what its refusals mean.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "drivers/http/client.h"
#include "provisioner/config/kubernetes_settings.h"

namespace homeport::drivers::kubernetes {

struct ApiAnswer {
  int status = 0;         // 200, 201, 202, 404 or 409
  nlohmann::json body{};  // an object
};

// Threads: every method from any thread.
class ApiServer {
 public:
  ApiServer(const config::KubernetesSettings& settings, const Clock& clock);

  // The token is read each time, because it is rotated. Whatever an admin has to mend (token, rights, certificate,
  // namespace, a policy of the cluster) is unavailable with his hint, so that work waits for it. A changing request is
  // noted in op.calls, and under op.dry_run only there.
  // Errors: unavailable, timed_out, rate_limited, cancelled.
  [[nodiscard]] Result<ApiAnswer> call(const OpContext& op, const std::string& method, const std::string& target,
                                       const nlohmann::json* body = nullptr);

 private:
  [[nodiscard]] Error refusal(const http::Reply& reply, const std::string& what) const;

  const config::SecretRef token_;
  const std::string url_;
  const std::unique_ptr<http::Client> http_;
};

}  // namespace homeport::drivers::kubernetes
