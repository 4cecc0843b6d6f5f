// The nfs section of a backend's configuration.
//
//   service: {server: 10.0.0.9, nfs_port: 2049, mount_port: 20048, admin_directory: .homeport, timeout: 10s,
//   connections: 8} client:  {server: nas.example.org, version: "4.1", port: 2049, mount_port: 20048, path_prefix:
//   /pseudo} or client: {local: {host: nas1, paths: [{export: /export, path: /srv/export}]}} pools:   [{name: homes,
//   export: /export/homes, directory: homes}] squash:  none | all, with squash_uid and squash_gid
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "provisioner/base/names.h"

namespace homeport {
class DocReader;
}

namespace homeport::drivers::nfs {

// What Homeport itself talks to.
struct ServiceConfig {
  std::string server{};
  std::optional<std::uint16_t> nfs_port{};    // nullopt: ask the portmapper, else 2049
  std::optional<std::uint16_t> mount_port{};  // nullopt: ask the portmapper
  std::string admin_directory = ".homeport";  // in each pool's export; root-only
  std::chrono::milliseconds timeout{10'000};  // longest silence of the server within one call
  std::uint32_t connections = 8;              // at once, per export
};

// Notebooks run on the server itself: they get directories of it as binds and mount nothing over the network. An export
// lies at the path of its own name unless `paths` says otherwise.
struct LocalClient {
  struct Path {
    AbsolutePath export_path;
    AbsolutePath path;
  };
  std::string host;
  std::vector<Path> paths{};
  // Where what the server exports as `path` lies on the host.
  [[nodiscard]] std::string path_of(const std::string& path) const;
};

// What notebooks mount.
struct ClientConfig {
  std::optional<LocalClient> local{};  // then nothing below has a meaning
  std::string server{};
  std::string version = "4.1";
  std::optional<std::uint16_t> port{};
  std::optional<std::uint16_t> mount_port{};
  std::string path_prefix{};  // before the export's path; empty or absolute
};

struct PoolConfig {
  std::string name;
  AbsolutePath export_path;
  std::vector<std::string> directory{};  // components below the export
};

// What the export does to our requests. The probe and each creation find the truth; this is what is assumed before.
struct SquashConfig {
  bool all = false;
  std::optional<Uid> uid{};
  std::optional<Gid> gid{};
};

struct NfsConfig {
  ServiceConfig service{};
  ClientConfig client{};
  std::vector<PoolConfig> pools{};
  SquashConfig squash{};
};

// Strict: adds every problem it finds. Does not call finish(): the section has members that are not ours.
[[nodiscard]] NfsConfig read_nfs_config(DocReader& section);

}  // namespace homeport::drivers::nfs
