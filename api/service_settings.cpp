#include "api/service_settings.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "drivers/identity/sources.h"
#include "provisioner/config/yaml_document.h"

namespace homeport::api {
namespace {

std::string environment(const char* name) {
  const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): before any thread is started
  return value == nullptr ? std::string() : std::string(value);
}

bool stands_in_file(const config::Config& config, const char* pointer) {
  return config.document && config.document->root.contains(nlohmann::json::json_pointer(pointer));
}

}  // namespace

std::string default_state_directory() {
  if (::geteuid() == 0) return "/var/lib/homeport";
  const std::string state = environment("XDG_STATE_HOME");
  if (state.starts_with('/')) return state + "/homeport";
  const std::string home = environment("HOME");
  return (home.empty() ? "/" : home) + "/.local/state/homeport";
}

Result<Settings> read_settings(const std::string& file, const drivers::DriverFactory& factory) {
  Settings settings;
  if (file.empty()) return settings;
  HOMEPORT_TRY(auto loaded, config::load_document(file));
  const auto document = std::make_shared<const Document>(std::move(loaded));
  Problems problems(*document);
  settings.config = config::read_config(document, problems);
  if (settings.config.desired != nullptr) {
    DocReader in(problems, *settings.config.desired, std::string(config::kDesiredPointer));
    settings.desired = core::read_desired(in, factory);
    settings.has_desired = true;
  }
  if (settings.config.identity != nullptr) {
    DocReader in(problems, *settings.config.identity, std::string(config::kIdentityPointer));
    settings.identity = drivers::identity::identity_from_section(std::move(in));
  }
  if (problems.none()) return settings;
  return Error{.code = Errc::invalid_argument,
               .message = problems.text(),
               .hint = "mend the file; 'homeportd --check-config " + file + "' shows what is left"};
}

core::IdentityPolicy identity_policy(const drivers::identity::IdentitySettings& settings, const Clock& clock) {
  using drivers::identity::Origin;
  core::IdentityPolicy policy;
  policy.order.clear();
  policy.system_below = settings.system_below;
  policy.fresh_for = settings.cache.ttl;
  if (settings.assigned) {
    policy.assigned = {.from = settings.assigned->from, .to = settings.assigned->to, .gid = settings.assigned->gid};
  }
  // The sources come in the order's own order.
  auto sources = drivers::identity::make_identity_sources(settings, clock);
  auto next = sources.begin();
  for (const auto origin : settings.order) {
    switch (origin) {
      case Origin::request: policy.order.push_back({.origin = core::IdentityPolicy::Origin::request}); break;
      case Origin::assigned: policy.order.push_back({.origin = core::IdentityPolicy::Origin::assigned}); break;
      case Origin::written:
      case Origin::nss:
      case Origin::ldap:
        if (next != sources.end())
          policy.order.push_back({.origin = core::IdentityPolicy::Origin::source, .source = std::move(*next++)});
        break;
    }
  }
  return policy;
}

Result<void> apply_options(Settings& settings, const ServiceOptions& options) {
  auto& config = settings.config;
  if (!options.state.empty()) {
    config.store.directory = std::filesystem::absolute(options.state).lexically_normal().string();
  } else if (!stands_in_file(config, "/store/directory")) {
    config.store.directory = default_state_directory();
  }
  if (options.listen.empty()) return {};
  HOMEPORT_TRY(const auto address, config::parse_host_port(options.listen));
  config.listen.host = address.host;
  config.listen.port = address.port;
  if (!stands_in_file(config, "/auth/metrics_open")) config.metrics_open = config.listen.loopback();
  return {};
}

Result<HttpSettings> http_settings(const config::Config& config) {
  const auto& listen = config.listen;
  const bool v6 = listen.host.find(':') != std::string::npos;
  const std::string host = v6 ? "[" + listen.host + "]" : listen.host;
  HttpSettings out{.listen = {host + ":" + std::to_string(listen.port)},
                   .io_threads = static_cast<unsigned>(listen.io_threads)};
  out.limits.max_connections = listen.max_connections;
  out.limits.max_body_bytes = listen.max_body.count();
  if (listen.tls) {
    if (listen.tls->key.file.empty()) {
      return Error{.code = Errc::failed_precondition,
                   .message = "the TLS key comes from " + listen.tls->key.describe() + ", but has to be a file",
                   .hint = "write listen.tls.key as {file: PATH}"};
    }
    out.tls = TlsFiles{.certificate_file = listen.tls->certificate, .key_file = listen.tls->key.file};
  }
  return out;
}

Result<void> make_state_directory(const std::string& directory) {
  const auto failed = [&](const std::string& why) {
    return Error{.code = Errc::failed_precondition,
                 .message = "cannot make the state directory " + directory + ": " + why,
                 .hint = "name one that this account may write with --state or store.directory"};
  };
  std::error_code problem;
  if (std::filesystem::is_directory(directory, problem)) return {};
  const std::filesystem::path parent = std::filesystem::path(directory).parent_path();
  std::filesystem::create_directories(parent, problem);
  if (problem) return failed(problem.message());
  if (::mkdir(directory.c_str(), 0700) == 0 || errno == EEXIST) return {};
  return failed(std::strerror(errno));  // NOLINT(concurrency-mt-unsafe)
}

}  // namespace homeport::api
