// TLS with certificates made for the test.
#include <gmock/gmock.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <sys/socket.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

#include "tests/support/result_matchers.h"
#include "tests/unit/api/loopback.h"

namespace homeport::testing {
namespace {

using namespace std::chrono_literals;

class TempDir {
 public:
  TempDir() {
    std::string pattern = (std::filesystem::temp_directory_path() / "homeport-tls-XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  ~TempDir() { std::filesystem::remove_all(path_); }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  [[nodiscard]] std::string file(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

// Self-signed, for `name`; key and certificate in PEM.
void make_certificate(const std::string& name, const std::string& certificate_file, const std::string& key_file) {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  ASSERT_NE(key, nullptr);
  X509* cert = X509_new();
  X509_set_version(cert, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
  X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
  X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
  X509_set_pubkey(cert, key);
  X509_NAME* subject = X509_get_subject_name(cert);
  X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1,
                             0);
  X509_set_issuer_name(cert, subject);
  ASSERT_NE(X509_sign(cert, key, EVP_sha256()), 0);
  std::FILE* out = std::fopen(certificate_file.c_str(), "w");
  ASSERT_NE(out, nullptr);
  PEM_write_X509(out, cert);
  std::fclose(out);
  out = std::fopen(key_file.c_str(), "w");
  ASSERT_NE(out, nullptr);
  PEM_write_PrivateKey(out, key, nullptr, nullptr, 0, nullptr, nullptr);
  std::fclose(out);
  X509_free(cert);
  EVP_PKEY_free(key);
}

// One blocking TLS connection. Trusts everybody: what is tested is the server.
class TlsClient {
 public:
  explicit TlsClient(std::uint16_t port, int max_version = TLS1_3_VERSION) {
    context_ = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_min_proto_version(context_, TLS1_VERSION);
    SSL_CTX_set_security_level(context_, 0);
    SSL_CTX_set_max_proto_version(context_, max_version);
    fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const timeval limit{.tv_sec = 10, .tv_usec = 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    ssl_ = SSL_new(context_);
    SSL_set_fd(ssl_, fd_);
    connected_ = SSL_connect(ssl_) == 1;
  }
  ~TlsClient() {
    SSL_free(ssl_);
    SSL_CTX_free(context_);
    ::close(fd_);
  }
  TlsClient(const TlsClient&) = delete;
  TlsClient& operator=(const TlsClient&) = delete;

  [[nodiscard]] bool connected() const { return connected_; }
  // Reads until the text ends with `end` and has at least `at_least` bytes, or nothing more comes.
  std::string ask(const std::string& request, const std::string& end, std::size_t at_least = 0) {
    if (!request.empty() && SSL_write(ssl_, request.data(), static_cast<int>(request.size())) <= 0) return {};
    std::string text;
    char buffer[16384];
    while (text.size() < at_least || !text.ends_with(end)) {
      const int count = SSL_read(ssl_, buffer, sizeof buffer);
      if (count <= 0) break;
      text.append(buffer, static_cast<std::size_t>(count));
    }
    return text;
  }
  [[nodiscard]] std::string peer_name() const {
    X509* cert = SSL_get1_peer_certificate(ssl_);
    if (cert == nullptr) return {};
    char name[100] = {};
    X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName, name, sizeof name);
    X509_free(cert);
    return name;
  }

 private:
  SSL_CTX* context_;
  SSL* ssl_ = nullptr;
  int fd_ = -1;
  bool connected_ = false;
};

class Tls : public ::testing::Test {
 protected:
  Tls() {
    make_certificate("one", files_.certificate_file, files_.key_file);
    server_ = std::make_unique<TestServer>(TestServer::quick(),
                                           HttpSettings{.listen = {"127.0.0.1:0"}, .tls = files_, .io_threads = 2});
  }
  TempDir dir_;
  TlsFiles files_{.certificate_file = dir_.file("cert.pem"), .key_file = dir_.file("key.pem")};
  std::unique_ptr<TestServer> server_;
};

const std::string kGet = "GET /fast HTTP/1.1\r\nHost: x\r\n\r\n";

TEST_F(Tls, ServesRequestsBodiesAndLargeAnswers) {
  TlsClient client(server_->port());
  ASSERT_TRUE(client.connected());
  EXPECT_THAT(client.ask(kGet + kGet, "fast\n", 240), ::testing::EndsWith("fast\n"));
  const std::string body(200'000, 'b');
  const auto echoed = client.ask(
      "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body, body);
  EXPECT_THAT(echoed, ::testing::EndsWith("\r\n\r\n" + body));
  EXPECT_GT(client.ask("GET /big HTTP/1.1\r\nHost: x\r\n\r\n", "b", (32U << 20U) + 100).size(), 32U << 20U);
}

TEST_F(Tls, ContinueAndAsynchronousAnswersWork) {
  TlsClient client(server_->port());
  EXPECT_EQ(
      client.ask("POST /slow HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n", "\r\n\r\n"),
      "HTTP/1.1 100 Continue\r\n\r\n");
  std::thread answering([&] {
    auto [request, responder] = server_->shelf().take();
    EXPECT_TRUE(request.is_tls);
    responder.send(Response{.body = "got " + std::string(request.body)});
  });
  EXPECT_THAT(client.ask("ok", "got ok"), ::testing::EndsWith("got ok"));
  answering.join();
}

TEST_F(Tls, OldVersionsAreRefused) {
  EXPECT_FALSE(TlsClient(server_->port(), TLS1_1_VERSION).connected());
  EXPECT_TRUE(TlsClient(server_->port(), TLS1_2_VERSION).connected());
}

TEST_F(Tls, ASilentHandshakeAndPlainTextAreClosed) {
  LoopbackClient silent(server_->port());
  LoopbackClient plain(server_->port());
  plain.send("GET /fast HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_TRUE(plain.closed());
  ASSERT_TRUE(eventually([&] { return server_->http().stats().accepted == 2; }));
  ASSERT_TRUE(eventually([&] {
    server_->clock().advance(11s);
    return server_->http().stats().connections == 0;
  }));
  EXPECT_TRUE(silent.closed());
}

TEST_F(Tls, AReloadIsForNewConnectionsAndABadOneChangesNothing) {
  TlsClient before(server_->port());
  EXPECT_EQ(before.peer_name(), "one");
  make_certificate("two", files_.certificate_file, files_.key_file);
  ASSERT_OK(server_->http().reload_tls());
  EXPECT_EQ(TlsClient(server_->port()).peer_name(), "two");
  EXPECT_THAT(before.ask(kGet, "fast\n"), ::testing::EndsWith("fast\n"));
  std::ofstream(files_.certificate_file) << "nonsense";
  const auto bad = server_->http().reload_tls();
  ASSERT_ERRC(bad, Errc::invalid_argument);
  EXPECT_THAT(bad.error().message, ::testing::HasSubstr(files_.certificate_file));
  EXPECT_EQ(TlsClient(server_->port()).peer_name(), "two");
  make_certificate("three", files_.certificate_file, dir_.file("other-key.pem"));
  EXPECT_ERRC(server_->http().reload_tls(), Errc::invalid_argument);  // a key that does not belong to it
}

}  // namespace
}  // namespace homeport::testing
