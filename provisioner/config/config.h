// The configuration file of homeportd: what a process needs to start, and an optional `desired:` document that is kept
// as it is for core::read_desired. Every key is optional.
//
//   store:   {directory: /var/lib/homeport}
//   listen:  {address: "127.0.0.1:7717", tls: {certificate: PATH, key: {file: PATH}}, io_threads: 1,
//             max_connections: 1024, max_body: 1MiB}
//   log:     {level: info}
//   realm:   default
//   name_prefix: hp-
//   auth:    {metrics_open: true}
//   lease:   {length: 15s}
//   identity: {order: [request], …}      kept as it is; drivers/identity reads it
//   hubs:    [{name: main, url: "http://127.0.0.1:8081/hub/api", token: {file: PATH}, …}], see hubs.h
//   kubernetes: {server: URL, ca_file: PATH, token: {file: PATH}, namespaces: […]}   see kubernetes_settings.h
//   desired: {backends: […], classes: […], rules: […], grants: […]}
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "provisioner/base/bytes.h"
#include "provisioner/base/doc_reader.h"
#include "provisioner/base/log.h"
#include "provisioner/base/result.h"
#include "provisioner/config/hubs.h"
#include "provisioner/config/kubernetes_settings.h"
#include "provisioner/config/secrets.h"

namespace homeport::config {

struct StoreSettings {
  std::string directory = "/var/lib/homeport";  // absolute; made with mode 0700 when it is not there
};

struct TlsSettings {
  std::string certificate{};  // PEM file, the chain included
  SecretRef key{};            // PEM
};

struct ListenSettings {
  std::string host = "127.0.0.1";  // name or address; IPv6 without brackets
  std::uint16_t port = 7717;       // 0: the kernel chooses
  std::optional<TlsSettings> tls{};
  std::size_t io_threads = 1;  // threads that serve sockets; what may block runs elsewhere
  std::size_t max_connections = 1024;
  Bytes max_body{1U << 20U};
  [[nodiscard]] bool loopback() const;  // 127.0.0.0/8, ::1 or localhost
};

struct Config {
  StoreSettings store{};
  ListenSettings listen{};
  std::string log_level = "info";  // debug | info | warning | error
  std::string realm = "default";
  std::string name_prefix = "hp-";  // of what we create on backends; fixed for the life of an installation
  bool metrics_open = true;         // may /metrics be read without a token? Default: only while listening on loopback
  std::chrono::milliseconds lease_length = std::chrono::seconds(15);
  std::vector<HubSection> hubs{};
  std::optional<KubernetesSettings> kubernetes{};
  // The whole document, for lines; null without a file. `desired` lies in it at kDesiredPointer; null when absent.
  std::shared_ptr<const Document> document{};
  const nlohmann::json* desired = nullptr;
  const nlohmann::json* identity = nullptr;  // at kIdentityPointer; null when absent
  // What is allowed but should be known: one sentence each, for the log and for --check-config.
  std::vector<std::string> warnings{};
};

inline constexpr std::string_view kDesiredPointer = "/desired";
inline constexpr std::string_view kIdentityPointer = "/identity";

// Reads the outer part and adds every problem to `problems`, which was made over `*document`. The caller may read
// `desired` into the same problems, so that one message names all of them:
//   Problems problems(*document);
//   Config config = read_config(document, problems);
//   if (config.desired != nullptr) { DocReader in(problems, *config.desired, std::string(kDesiredPointer)); … }
[[nodiscard]] Config read_config(std::shared_ptr<const Document> document, Problems& problems);

// load_document + read_config. Errors: those of load_document; invalid_argument with all problems and their lines.
[[nodiscard]] Result<Config> load_config(const std::string& file);

// "HOST:PORT", "[::1]:7717", ":7717" (every address). Errors: invalid_argument.
struct HostPort {
  std::string host;
  std::uint16_t port = 0;
};
[[nodiscard]] Result<HostPort> parse_host_port(std::string_view text);

}  // namespace homeport::config
