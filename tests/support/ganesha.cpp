#include "tests/support/ganesha.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <fstream>
#include <sstream>
#include <system_error>
#include <tuple>

namespace homeport::testing {
namespace {

namespace fs = std::filesystem;
constexpr const char* kProgram = "/usr/bin/ganesha.nfsd";
constexpr int kStartAttempts = 6;  // a port found free may be taken before the server binds it

class Socket {
 public:
  Socket() : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {}
  ~Socket() { ::close(fd_); }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  [[nodiscard]] int fd() const { return fd_; }

 private:
  int fd_;
};

std::uint16_t bound_port(const Socket& socket) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* raw = reinterpret_cast<sockaddr*>(&address);
  if (::bind(socket.fd(), raw, size) != 0 || ::getsockname(socket.fd(), raw, &size) != 0) return 0;
  return ntohs(address.sin_port);
}

// Both held at once, so that they differ.
std::pair<std::uint16_t, std::uint16_t> two_free_ports() {
  const Socket a;
  const Socket b;
  return {bound_port(a), bound_port(b)};
}

std::string export_block(const GaneshaExport& item, std::size_t id, const fs::path& directory) {
  std::ostringstream out;
  const std::string_view access = item.read_only ? "RO" : "RW";
  out << "EXPORT {\n  Export_Id = " << id << ";\n  Path = " << directory.string() << ";\n  Pseudo = " << item.path
      << ";\n  Squash = " << item.squash << ";\n  Anonymous_uid = " << item.anonymous_uid
      << ";\n  Anonymous_gid = " << item.anonymous_gid
      << ";\n  PrivilegedPort = " << (item.privileged_port ? "true" : "false") << ";\n";
  if (item.clients.empty()) {
    out << "  Access_Type = " << access << ";\n";
  } else {
    out << "  Access_Type = None;\n  CLIENT { Clients = ";
    for (std::size_t i = 0; i < item.clients.size(); ++i) out << (i > 0 ? "," : "") << item.clients[i];
    out << "; Access_Type = " << access << "; Squash = " << item.squash << "; }\n";
  }
  out << "  FSAL { Name = VFS; }\n}\n";
  return out.str();
}

}  // namespace

Ganesha::Ganesha(std::vector<GaneshaExport> exports, GaneshaOptions options)
    : exports_(std::move(exports)), options_(std::move(options)) {}

Ganesha::~Ganesha() {
  stop();
  std::error_code ignored;
  if (!root_.empty()) fs::remove_all(root_, ignored);
}

Result<std::unique_ptr<Ganesha>> Ganesha::start(std::vector<GaneshaExport> exports, GaneshaOptions options) {
  if (::geteuid() != 0) {
    return Error{.code = Errc::failed_precondition,
                 .message = "this test starts a real NFS-Ganesha, which needs root",
                 .hint = "run the tests as root, for example in a container"};
  }
  if (::access(kProgram, X_OK) != 0) {
    return Error{.code = Errc::failed_precondition,
                 .message = std::string("there is no ") + kProgram,
                 .hint = "install nfs-ganesha and nfs-ganesha-vfs (packages.txt)"};
  }
  auto server = std::unique_ptr<Ganesha>(new Ganesha(std::move(exports), std::move(options)));
  HOMEPORT_CHECK(server->prepare());
  for (int attempt = 1;; ++attempt) {
    std::tie(server->port_, server->mount_port_) = two_free_ports();
    auto up = server->launch();
    if (up) return server;
    if (attempt == kStartAttempts) return std::move(up).error();
  }
}

Result<void> Ganesha::prepare() {
  std::string pattern = "/tmp/homeport-ganesha-XXXXXX";
  if (::mkdtemp(pattern.data()) == nullptr) return Error{.message = "cannot make a directory in /tmp"};
  root_ = pattern;
  // Clients other than root must be able to pass on the way to an export.
  fs::permissions(root_, fs::perms(0755));
  fs::create_directories(root_ / "data");
  fs::create_directories(root_ / "recovery");
  fs::create_directories(root_ / "exports.d");
  return write_exports();
}

fs::path Ganesha::directory(const std::string& export_path) const {
  std::string flat = export_path.substr(1);
  for (char& c : flat) {
    if (c == '/') c = '_';
  }
  return root_ / "data" / flat;
}

Result<void> Ganesha::write_exports() {
  std::ofstream out(root_ / "exports.d" / "exports.conf", std::ios::trunc);
  for (const auto& item : exports_) {
    fs::create_directories(directory(item.path));
    // An id stays with its path: the server takes a known id with another path for the old export.
    auto at = std::find(ids_.begin(), ids_.end(), item.path);
    if (at == ids_.end()) at = ids_.insert(ids_.end(), item.path);
    out << export_block(item, static_cast<std::size_t>(at - ids_.begin()) + 1, directory(item.path));
  }
  if (!out.flush()) return Error{.message = "cannot write the exports of the test server"};
  return {};
}

void Ganesha::write_configuration() const {
  std::ofstream out(root_ / "ganesha.conf", std::ios::trunc);
  out << "NFS_CORE_PARAM {\n  NFS_Port = " << port_ << ";\n  MNT_Port = " << mount_port_
      << ";\n  Bind_addr = " << options_.address
      << ";\n  Enable_NLM = false;\n  Enable_RQUOTA = false;\n  Enable_UDP = false;\n"
      << "  Protocols = " << options_.protocols << ";\n  mount_path_pseudo = true;\n}\n"
      << "NFSv4 { Graceless = true; Only_Numeric_Owners = true; RecoveryRoot = " << (root_ / "recovery").string()
      << "; }\nNFS_KRB5 { Active_krb5 = false; }\n"
      << "LOG { Default_Log_Level = EVENT; COMPONENTS { TIRPC = CRIT; DBUS = FATAL; } }\n"
      << "EXPORT_DEFAULTS { SecType = sys; Transports = TCP; Protocols = " << options_.protocols << ";"
      << (options_.attribute_cache ? "" : " Attr_Expiration_Time = 0;") << " }\n%dir \""
      << (root_ / "exports.d").string() << "\"\n";
}

std::string Ganesha::log_text() const {
  return file_text(root_ / "ganesha.log");
}

Result<void> Ganesha::launch() {
  write_configuration();
  std::error_code ignored;
  fs::remove(root_ / "ganesha.log", ignored);
  const std::string config = (root_ / "ganesha.conf").string();
  const std::string log = (root_ / "ganesha.log").string();
  const std::string pid_file = (root_ / "ganesha.pid").string();
  // Nothing of our own environment: a sanitizer's settings are not the server's business.
  return process_.start(
      {.words = {kProgram, "-F", "-f", config, "-L", log, "-p", pid_file, "-N", "EVENT"},
       .environment = {{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", std::string("LD_PRELOAD=") + HOMEPORT_NORPCB}},
       .log = log,
       .limit = std::chrono::seconds(30)},
      [this] { return log_text().find("NFS SERVER INITIALIZED") != std::string::npos; });
}

void Ganesha::stop() {
  process_.kill();
}

Result<void> Ganesha::restart() {
  stop();
  return launch();
}

void Ganesha::pause() {
  process_.signal(SIGSTOP);
}
void Ganesha::resume() {
  process_.signal(SIGCONT);
}

Result<void> Ganesha::reload(std::vector<GaneshaExport> exports) {
  exports_ = std::move(exports);
  HOMEPORT_CHECK(write_exports());
  constexpr std::string_view kDone = "Reread exports complete";
  const auto before = occurrences(log_text(), kDone);
  if (!process_.alive()) return Error{.message = "the test server is not running"};
  process_.signal(SIGHUP);
  if (wait_until(std::chrono::seconds(20), [&] { return occurrences(log_text(), kDone) > before; })) return {};
  return Error{.message = "the test server did not read its exports again"};
}

}  // namespace homeport::testing
