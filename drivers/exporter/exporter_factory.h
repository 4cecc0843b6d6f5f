// NFS-Ganesha as the exporter of this host: the door to this folder.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "drivers/core/exporter.h"

namespace homeport {
class Clock;
class DocReader;
}  // namespace homeport

namespace homeport::drivers {

// A Ganesha that the site runs itself: exports are written as fragments that its configuration includes with %dir.
struct SiteServer {
  AbsolutePath fragments;
  AbsolutePath pid_file;
  AbsolutePath log;  // where it says that it has read its exports again
};

//   exporter:
//     server: lab1.example.org             # what clients mount
//     state: /var/lib/homeport/exporter    # ids, fragments, logs, the places where spaces are bound
//     nfs_port: 2049                       # 0: a free one, chosen once and kept
//     mount_port: 20048                    # with protocols 3; 0 as above
//     protocols: ["4"]                     # "3" needs rpcbind on this host
//     address: 10.0.0.9                    # where it listens; left out: everywhere
//     site: {fragments: /etc/ganesha/homeport.d, pid_file: /run/ganesha.pid, log: /var/log/ganesha/ganesha.log}
struct ExporterConfig {
  std::string server{};
  std::optional<AbsolutePath> state{};  // always set by a section without problems
  std::uint16_t nfs_port = 2049;
  std::uint16_t mount_port = 20048;
  bool version3 = false;
  bool version4 = true;
  std::string address{};
  std::optional<SiteServer> site{};  // nullopt: Homeport runs one of its own
};

// Strict: adds every problem it finds; does not call finish().
[[nodiscard]] ExporterConfig read_exporter_config(DocReader& in);

// An address, a network, a host name or "@netgroup": what can stand in a rule without breaking it.
[[nodiscard]] bool is_export_client(std::string_view text);

// Starts nothing before the first call that needs it. With a server of our own: it is started, watched and started
// again, and ended when the exporter goes; one that an earlier process left behind is taken over. Needs root. `clock`
// must outlive it.
[[nodiscard]] std::unique_ptr<Exporter> make_ganesha_exporter(ExporterConfig config, Clock& clock);

}  // namespace homeport::drivers
