#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <fstream>
#include <sstream>

#include "drivers/flashblade/sim/data_path.h"

namespace homeport::fbsim {
namespace {

namespace fs = std::filesystem;
constexpr int kStartAttempts = 5;  // a port found free may be taken before the server binds it
constexpr int kLooks = 600;
constexpr std::chrono::milliseconds kBetween{50};

// Both are held at once, so that they differ.
std::array<std::uint16_t, 2> two_free_ports() {
  std::array<int, 2> sockets{};
  std::array<std::uint16_t, 2> out{};
  for (std::size_t i = 0; i < 2; ++i) {
    sockets.at(i) = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    socklen_t size = sizeof address;
    auto* raw = reinterpret_cast<sockaddr*>(&address);
    if (::bind(sockets.at(i), raw, size) == 0 && ::getsockname(sockets.at(i), raw, &size) == 0)
      out.at(i) = ntohs(address.sin_port);
  }
  for (const int fd : sockets) ::close(fd);
  return out;
}

std::string text_of_file(const fs::path& path) {
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

void write_configuration(const fs::path& root, const GaneshaSettings& settings) {
  std::ofstream out(root / "run" / "ganesha.conf", std::ios::trunc);
  out << "NFS_CORE_PARAM {\n  NFS_Port = " << settings.nfs_port << ";\n  MNT_Port = " << settings.mount_port
      << ";\n  Bind_addr = " << settings.address
      << ";\n  Enable_NLM = false;\n  Enable_RQUOTA = false;\n  Enable_UDP = false;\n  Protocols = 3,4;\n"
      << "  mount_path_pseudo = true;\n}\n"
      << "NFSv4 { Graceless = true; Only_Numeric_Owners = true; RecoveryRoot = " << (root / "run").string() << "; }\n"
      << "NFS_KRB5 { Active_krb5 = false; }\nLOG { Default_Log_Level = EVENT; COMPONENTS { TIRPC = CRIT; DBUS = FATAL; "
         "} }\n"
      // What the array does to a directory must be seen at once.
      << "MDCACHE { Dir_Chunk = 0; Use_Getattr_Directory_Invalidation = true; }\n"
      << "EXPORT_DEFAULTS { SecType = sys; Transports = TCP; Protocols = 3,4; Attr_Expiration_Time = 0; }\n"
      << "EXPORT {\n  Export_Id = 1;\n  Path = " << (root / "fs").string()
      << ";\n  Pseudo = /;\n  Squash = No_Root_Squash;\n  Access_Type = RW;\n  FSAL { Name = VFS; }\n}\n";
}

}  // namespace

Result<void> GaneshaServer::launch(Clock& clock) {
  write_configuration(root_, settings_);
  const fs::path run = root_ / "run";
  const std::string log = run / "ganesha.log";
  std::error_code ignored;
  fs::remove(log, ignored);
  const std::string config = run / "ganesha.conf";
  const std::string pid_file = run / "ganesha.pid";
  // Absent where the simulator was installed without the demonstration: then there has to be a portmapper.
  const std::string preload =
      fs::exists(settings_.preload, ignored) ? "LD_PRELOAD=" + settings_.preload.string() : std::string();
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) return Error{.code = Errc::unavailable, .message = "cannot start another process"};
  if (pid == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(127);
    sigset_t none;
    sigemptyset(&none);
    ::pthread_sigmask(SIG_SETMASK, &none, nullptr);
    const int null = ::open("/dev/null", O_RDWR);
    ::dup2(null, 0);
    ::dup2(null, 1);
    ::dup2(null, 2);
    const char* environment[] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", preload.empty() ? nullptr : preload.c_str(),
                                 nullptr};
    ::execle(settings_.program.c_str(), "ganesha.nfsd", "-F", "-f", config.c_str(), "-L", log.c_str(), "-p",
             pid_file.c_str(), "-N", "EVENT", static_cast<char*>(nullptr), environment);
    ::_exit(127);
  }
  pid_ = pid;
  for (int look = 0; look < kLooks; ++look) {
    if (text_of_file(log).find("NFS SERVER INITIALIZED") != std::string::npos) return {};
    int status = 0;
    if (::waitpid(pid_, &status, WNOHANG) == pid_) {
      pid_ = -1;
      break;
    }
    clock.sleep_for(kBetween, {});
  }
  auto tail = text_of_file(log);
  if (tail.size() > 2000) tail.erase(0, tail.size() - 2000);
  return Error{
      .code = Errc::unavailable, .message = "NFS-Ganesha does not come up", .hint = "its log ends with: " + tail};
}

Result<std::unique_ptr<GaneshaServer>> GaneshaServer::start(const fs::path& root, GaneshaSettings settings,
                                                            Clock& clock) {
  if (::geteuid() != 0 || ::access(settings.program.c_str(), X_OK) != 0) {
    return Error{.code = Errc::failed_precondition,
                 .message = "real files need root and " + settings.program.string(),
                 .hint = "install nfs-ganesha and nfs-ganesha-vfs, and run it as root; or leave out --data"};
  }
  const bool any_nfs = settings.nfs_port == 0;
  const bool any_mount = settings.mount_port == 0;
  auto server = std::unique_ptr<GaneshaServer>(new GaneshaServer(fs::absolute(root), std::move(settings)));
  for (int attempt = 1;; ++attempt) {
    const auto free = two_free_ports();
    if (any_nfs) server->settings_.nfs_port = free[0];
    if (any_mount) server->settings_.mount_port = free[1];
    auto up = server->launch(clock);
    if (up) return server;
    if (attempt == kStartAttempts || (!any_nfs && !any_mount)) return std::move(up).error();
  }
}

GaneshaServer::~GaneshaServer() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  int status = 0;
  ::waitpid(pid_, &status, 0);
}

}  // namespace homeport::fbsim
