// A Ganesha that the site runs: told to read its exports again, never started and never ended.
#include <signal.h>

#include <cerrno>
#include <fstream>
#include <system_error>

#include "drivers/exporter/server.h"

namespace homeport::drivers::exporter {
namespace {

class SiteOwnServer final : public Server {
 public:
  SiteOwnServer(SiteServer site, Clock& clock) : site_(std::move(site)), clock_(clock) {}

  Result<void> ready(const OpContext& /*op*/) override {
    HOMEPORT_TRY(const pid_t pid, process());
    if (::kill(pid, 0) == 0) return {};
    return Error{.code = Errc::unavailable,
                 .message = "the site's NFS server (pid " + std::to_string(pid) + " in " + site_.pid_file.str() +
                            "): " + std::generic_category().message(errno),
                 .hint = "start it, or correct pid_file"};
  }
  Result<void> reload(const OpContext& op) override {
    HOMEPORT_CHECK(ready(op));
    HOMEPORT_TRY(const pid_t pid, process());
    const auto offset = log_size(site_.log.str());
    if (::kill(pid, SIGHUP) != 0) {
      return Error{.code = Errc::unavailable,
                   .message = "cannot tell the site's NFS server to read its exports again: " +
                              std::generic_category().message(errno)};
    }
    return wait_for_reread(op, clock_, site_.log.str(), offset);
  }
  [[nodiscard]] std::string describe() const override {
    const auto pid = process();
    return pid ? "the site's own, pid " + std::to_string(*pid) : pid.error().sentence();
  }
  [[nodiscard]] bool ends_with_us() const override { return false; }

 private:
  [[nodiscard]] Result<pid_t> process() const {
    std::ifstream in(site_.pid_file.str());
    pid_t pid = 0;
    if (in >> pid && pid > 1) return pid;
    return Error{.code = Errc::unavailable,
                 .message = "no process is named in " + site_.pid_file.str(),
                 .hint = "start the site's NFS server, or correct pid_file"};
  }
  const SiteServer site_;
  Clock& clock_;
};

}  // namespace

std::unique_ptr<Server> make_site_server(const SiteServer& site, Clock& clock) {
  return std::make_unique<SiteOwnServer>(site, clock);
}

}  // namespace homeport::drivers::exporter
