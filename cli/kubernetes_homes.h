// Which volumes of a Kubernetes dump are people's homes on one backend, whose, and what speaks against each other one.
// Pure. Facts: kubespawner/spawner.py (annotations, labels and names of claims), csi-driver-nfs pkg/nfs/nodeserver.go
// (server, share, subdir), nfs-subdir-external-provisioner (in-tree volumes), PSO's volume import (driver pure-csi).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/kubernetes_dump.h"

namespace homeport::cli {

// How the hub's KubeSpawner wrote people's names into labels and claims: its trait slug_scheme.
enum class SlugScheme { escape, safe };

struct HomesInDump {
  std::vector<std::string> servers{};  // the names that the backend's server has in volumes
  std::string path_prefix{};           // what clients put before the server's paths
  std::vector<std::string> exports{};  // of the server: an array's filesystem is found among them by its name
  std::vector<std::string> names{};    // people that may be meant where a name is hashed or can be read in two ways
  std::string name_space{};            // only claims of this namespace; empty: of all
  std::optional<SlugScheme> slugs{};   // unset: told from the name where that is possible
};

struct DumpedHome {
  std::string volume;
  std::string claim;  // "namespace/name"
  std::string user{};
  std::string path{};   // as the server names it
  bool retains = true;  // false: Kubernetes removes the data when the claim goes
};
struct LeftOut {
  std::string volume;  // empty: a claim without one
  std::string claim;   // empty: nobody claims it
  std::string reason;  // a word to sort by
  std::string why;     // for people, with what to do
};
struct DumpedFleet {
  std::vector<DumpedHome> homes{};  // by path
  std::vector<LeftOut> left_out{};
};

[[nodiscard]] DumpedFleet homes_in(const KubernetesDump& dump, const HomesInDump& settings);
// Where one volume's data is, as the server names it; or why it cannot be told (the reasons of LeftOut).
struct VolumePlace {
  std::string path{};
  std::string reason{};
  std::string why{};
};
[[nodiscard]] VolumePlace place_of(const DumpedVolume& volume, const HomesInDump& settings);
// A file system or volume of an array, named by a handle: it needs HomesInDump::exports.
[[nodiscard]] bool is_of_array(const DumpedVolume& volume);
// Does a volume of the dump need HomesInDump::exports?
[[nodiscard]] bool needs_exports(const KubernetesDump& dump);
// What keeps Kubernetes from removing the data of this volume; one line of shell.
[[nodiscard]] std::string retain_command(const std::string& volume);

}  // namespace homeport::cli
