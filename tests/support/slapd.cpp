#include "tests/support/slapd.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <stop_token>
#include <system_error>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace homeport::testing {
namespace {

namespace fs = std::filesystem;
constexpr const char* kProgram = "/usr/sbin/slapd";
constexpr const char* kAdmin = "cn=admin,dc=example,dc=org";
constexpr int kStartAttempts = 6;  // a port found free may be taken before the server binds it

int listener(std::uint16_t& port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* raw = reinterpret_cast<sockaddr*>(&address);
  if (::bind(fd, raw, size) != 0 || ::getsockname(fd, raw, &size) != 0) return -1;
  port = ntohs(address.sin_port);
  return fd;
}

void write_file(const fs::path& path, const std::string& text) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << text;
}

// Runs a program with its output in `log`.
Result<void> run(const std::vector<std::string>& words, const fs::path& log, const std::string& input = "/dev/null") {
  const pid_t pid = ::fork();
  if (pid == 0) {
    const int in = ::open(input.c_str(), O_RDONLY);
    const int out = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    ::dup2(in, 0);
    ::dup2(out, 1);
    ::dup2(out, 2);
    std::vector<char*> argv;
    for (const auto& word : words) argv.push_back(const_cast<char*>(word.c_str()));
    argv.push_back(nullptr);
    ::execvp(argv[0], argv.data());
    ::_exit(127);
  }
  int status = 0;
  if (pid < 0 || ::waitpid(pid, &status, 0) != pid || status != 0)
    return Error{.message = words.front() + " failed: " + file_text(log)};
  return {};
}

bool answers(std::uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const bool up = ::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  ::close(fd);
  return up;
}

constexpr const char* kBase =
    "dn: dc=example,dc=org\nobjectClass: domain\ndc: example\n\n"
    "dn: cn=homeport,dc=example,dc=org\nobjectClass: organizationalRole\nobjectClass: simpleSecurityObject\n"
    "cn: homeport\nuserPassword: s3cret-in-a-test\n\n";

}  // namespace

Slapd::~Slapd() {
  kill();
  std::error_code ignored;
  if (!root_.empty()) fs::remove_all(root_, ignored);
}

Result<std::unique_ptr<Slapd>> Slapd::start(SlapdOptions options) {
  if (::access(kProgram, X_OK) != 0) {
    return Error{.code = Errc::failed_precondition,
                 .message = std::string("there is no ") + kProgram,
                 .hint = "install slapd and ldap-utils (packages.txt)"};
  }
  auto server = std::unique_ptr<Slapd>(new Slapd(std::move(options)));
  HOMEPORT_CHECK(server->prepare());
  for (int attempt = 1;; ++attempt) {
    {
      const int a = listener(server->port_);  // both held at once, so that they differ
      const int b = listener(server->tls_port_);
      ::close(a);
      ::close(b);
    }
    auto up = server->launch();
    if (up) return server;
    if (attempt == kStartAttempts) return std::move(up).error();
  }
}

Result<void> Slapd::make_certificates() {
  const auto at = [this](const char* name) { return (root_ / name).string(); };
  const auto log = root_ / "openssl.log";
  for (const auto* ca : {"ca", "other-ca"}) {
    HOMEPORT_CHECK(run({"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                        "-nodes", "-days", "2", "-subj", std::string("/CN=test ") + ca, "-keyout",
                        at((std::string(ca) + ".key").c_str()), "-out", at((std::string(ca) + ".pem").c_str())},
                       log));
  }
  HOMEPORT_CHECK(run({"openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj",
                      "/CN=test slapd", "-keyout", at("server.key"), "-out", at("server.csr")},
                     log));
  write_file(root_ / "names", "subjectAltName=" + options_.names + "\n");
  return run({"openssl", "x509", "-req", "-in", at("server.csr"), "-CA", at("ca.pem"), "-CAkey", at("ca.key"),
              "-CAcreateserial", "-days", "2", "-extfile", at("names"), "-out", at("server.pem")},
             log);
}

Result<void> Slapd::prepare() {
  std::string pattern = "/tmp/homeport-slapd-XXXXXX";
  if (::mkdtemp(pattern.data()) == nullptr) return Error{.message = "cannot make a directory in /tmp"};
  root_ = pattern;
  fs::create_directories(root_ / "db");
  if (options_.tls) HOMEPORT_CHECK(make_certificates());
  write_configuration();
  write_file(root_ / "seed.ldif", kBase + options_.ldif);
  return run({"/usr/sbin/slapadd", "-q", "-f", (root_ / "slapd.conf").string(), "-l", (root_ / "seed.ldif").string()},
             root_ / "slapadd.log");
}

void Slapd::write_configuration() const {
  std::ostringstream out;
  for (const auto* schema : {"core", "cosine", "inetorgperson"})
    out << "include /etc/ldap/schema/" << schema << ".schema\n";
  if (options_.global.find("posixGroup") == std::string::npos) out << "include /etc/ldap/schema/nis.schema\n";
  out << options_.global << "modulepath /usr/lib/ldap\nmoduleload back_mdb\npidfile " << (root_ / "pid").string()
      << "\n";
  if (options_.tls) {
    out << "TLSCACertificateFile " << (root_ / "ca.pem").string() << "\nTLSCertificateFile "
        << (root_ / "server.pem").string() << "\nTLSCertificateKeyFile " << (root_ / "server.key").string() << "\n";
  }
  out << "database mdb\nsuffix " << kSuffix << "\nrootdn " << kAdmin << "\nrootpw admin\ndirectory "
      << (root_ / "db").string() << "\nmaxsize 268435456\nindex objectClass,uid,memberUid eq\n"
      << "access to attrs=userPassword by anonymous auth by * none\naccess to * by dn.exact=" << kBindDn
      << " read by anonymous auth by * none\n"
      << options_.settings;
  write_file(root_ / "slapd.conf", out.str());
}

Result<void> Slapd::launch() {
  const std::string config = (root_ / "slapd.conf").string();
  const std::string log = (root_ / "slapd.log").string();
  const std::string urls = ldap_url() + (options_.tls ? " " + ldaps_url() : "");
  return process_.start({.words = {kProgram, "-f", config, "-h", urls, "-d", "stats"}, .output = log, .log = log},
                        // One listener opens after the other.
                        [this] { return answers(port_) && (!options_.tls || answers(tls_port_)); });
}

void Slapd::kill() {
  process_.kill();
}

Result<void> Slapd::restart() {
  kill();
  return launch();
}

bool Slapd::stopped() const {
  std::error_code failed;
  for (const auto& task : fs::directory_iterator("/proc/" + std::to_string(process_.pid()) + "/task", failed)) {
    const auto stat = file_text(task.path() / "stat");
    const auto name_end = stat.rfind(')');
    if (name_end == std::string::npos || stat.compare(name_end, 3, ") T") != 0) return false;
  }
  return !failed;
}

void Slapd::pause() {
  if (!process_.alive()) return;
  process_.signal(SIGSTOP);
  EXPECT_TRUE(wait_until(std::chrono::seconds(20), [this] { return stopped(); }));
}
void Slapd::resume() {
  process_.signal(SIGCONT);
}

void Slapd::set_password(const std::string& password) {
  write_file(
      root_ / "change.ldif",
      std::string("dn: ") + kBindDn + "\nchangetype: modify\nreplace: userPassword\nuserPassword: " + password + "\n");
  const auto done =
      run({"ldapmodify", "-x", "-H", ldap_url(), "-D", kAdmin, "-w", "admin", "-f", (root_ / "change.ldif").string()},
          root_ / "ldapmodify.log");
  if (!done) ADD_FAILURE() << done.error().to_string();
}

void Slapd::remove(const std::string& dn) {
  const auto done =
      run({"ldapdelete", "-x", "-H", ldap_url(), "-D", kAdmin, "-w", "admin", dn}, root_ / "ldapdelete.log");
  if (!done) ADD_FAILURE() << done.error().to_string();
}

std::string Slapd::log_text() const {
  return file_text(root_ / "slapd.log");
}

std::size_t Slapd::logged(const std::string& what) const {
  return occurrences(log_text(), what);
}

bool Slapd::logs(const std::string& what, std::size_t count) const {
  return wait_until(std::chrono::seconds(20), [&] { return logged(what) >= count; });
}

struct SilentServer::State {
  int fd = -1;
  std::vector<int> clients{};
  std::jthread thread{};
};

SilentServer::SilentServer(std::string says) : state_(std::make_unique<State>()) {
  state_->fd = listener(port_);
  ::listen(state_->fd, 64);
  state_->thread = std::jthread([state = state_.get(), says = std::move(says)](const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      pollfd waited{.fd = state->fd, .events = POLLIN, .revents = 0};
      if (::poll(&waited, 1, 20) <= 0) continue;
      const int client = ::accept4(state->fd, nullptr, nullptr, SOCK_CLOEXEC);
      if (client < 0) continue;
      state->clients.push_back(client);
      if (!says.empty()) (void)!::write(client, says.data(), says.size());
    }
  });
}

SilentServer::~SilentServer() {
  state_->thread.request_stop();
  state_->thread.join();
  for (const int client : state_->clients) ::close(client);
  ::close(state_->fd);
}

}  // namespace homeport::testing
