// What the simulator is started with; most of it can be changed through the control port.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace homeport::fbsim {

struct Settings {
  std::string array_name = "flashblade-sim";
  int max_minor = 28;                       // serves REST 2.0 to 2.max_minor
  std::vector<std::string> api_versions{};  // what api_version answers; empty: 2.0 to 2.max_minor
  std::string api_token = "T-00000000-0000-4000-8000-000000000000";
  std::string user = "pureuser";
  std::string purity_version = "4.8.2";
  std::uint64_t capacity = std::uint64_t{100} << 40U;

  // Where arrays differ, or nobody has seen one yet.
  unsigned unauthorized_status = 403;  // or 401: missing, wrong and expired sessions
  unsigned missing_status = 400;       // or 404, or 200: an empty list
  unsigned exists_status = 400;        // or 409
  bool strict_parameters = false;      // refuse unknown query parameters instead of ignoring them
  bool nfs_default_on = false;         // protocols of a new file system that names none
  std::size_t max_page = 10'000;       // a larger limit is clipped
  std::int64_t session_ms = 1'800'000;

  std::int64_t eradication_delay_ms = 86'400'000;
  std::string manual_eradication = "all-enabled";
  std::int64_t copy_ms = 3'000;                           // a clone is promoted after this time
  std::uint64_t replication_bytes_per_s = 100ULL << 20U;  // per transfer
  std::size_t max_snapshots_per_file_system = 512;
  std::size_t max_snapshots = 50'000;
  std::size_t max_performance_names = 10;
  std::vector<std::string> data_addresses{"10.0.0.10"};  // data interfaces at the start
};

}  // namespace homeport::fbsim
