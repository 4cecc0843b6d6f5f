// Real directories behind file systems (--data): DIR/fs/NAME is what clients mount, DIR/destroyed/ID what they no
// longer see, DIR/snapshots/ID holds snapshots that are not shown. A snapshot that is shown is
// DIR/fs/NAME/.snapshot/SUFFIX.
#pragma once

#include <filesystem>
#include <map>
#include <memory>

#include "drivers/flashblade/sim/world.h"

namespace homeport::fbsim {

// Needs the rights to give files any owner. Errors: failed_precondition when the directories cannot be made.
[[nodiscard]] Result<std::unique_ptr<DataPath>> open_data_path(const std::filesystem::path& root, const Clock& clock);

struct GaneshaSettings {
  std::filesystem::path program = "/usr/bin/ganesha.nfsd";
  std::filesystem::path preload{};  // registers with no portmapper (examples/demo-nfs)
  std::string address = "127.0.0.1";
  std::uint16_t nfs_port = 0;    // 0: any free one
  std::uint16_t mount_port = 0;  // likewise
};

// An NFS-Ganesha that serves DIR/fs as "/", so that "/NAME" mounts. Ended with the object, and with the thread that
// started it.
class GaneshaServer {
 public:
  // Serving when it returns. Errors: failed_precondition without the program or root, unavailable with the end of its
  // log.
  static Result<std::unique_ptr<GaneshaServer>> start(const std::filesystem::path& root, GaneshaSettings settings,
                                                      Clock& clock);
  ~GaneshaServer();
  GaneshaServer(const GaneshaServer&) = delete;
  GaneshaServer& operator=(const GaneshaServer&) = delete;
  [[nodiscard]] std::uint16_t nfs_port() const { return settings_.nfs_port; }
  [[nodiscard]] std::uint16_t mount_port() const { return settings_.mount_port; }

 private:
  GaneshaServer(std::filesystem::path root, GaneshaSettings settings)
      : root_(std::move(root)), settings_(std::move(settings)) {}
  [[nodiscard]] Result<void> launch(Clock& clock);

  std::filesystem::path root_;
  GaneshaSettings settings_;
  int pid_ = -1;
};

}  // namespace homeport::fbsim
