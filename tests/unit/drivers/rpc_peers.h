// Stand-ins between a driver and its server: what other servers than Ganesha do, done to Ganesha's own answers.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace homeport::drivers::testing {

// A TCP listener on one address and port (0: any), with a thread for each connection.
class RpcPeer {
 public:
  virtual ~RpcPeer() = default;
  RpcPeer(const RpcPeer&) = delete;
  RpcPeer& operator=(const RpcPeer&) = delete;
  // 0: it could not listen.
  [[nodiscard]] std::uint16_t port() const { return port_; }

 protected:
  RpcPeer() = default;
  void listen(const std::string& address, std::uint16_t port);
  // Ends all connections and joins. To be called by the destructor of the last class.
  void stop();
  // Runs on a thread of its own until the connection ends; does not close `fd`.
  virtual void serve(int fd) = 0;
  // Ended, and closed, with the rest.
  void keep(int fd);

 private:
  void accept_all();
  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::atomic<bool> stopping_ = false;
  std::mutex mutex_;
  std::vector<int> fds_;
  std::vector<std::thread> threads_;
  std::thread acceptor_;
};

// Forwards NFSv3 to a server on 127.0.0.1 and changes answers on the way. The switches may be turned at any time.
class NfsProxy final : public RpcPeer {
 public:
  explicit NfsProxy(std::uint16_t server_port);
  ~NfsProxy() override { stop(); }

  std::atomic<bool> bare_listings = false;   // READDIRPLUS without attributes and handles (RFC 1813 allows it)
  std::atomic<bool> empty_listings = false;  // READDIRPLUS with no entry that is not the end
  std::atomic<bool> names_only = false;      // READDIRPLUS is NFS3ERR_NOTSUPP
  std::atomic<std::uint32_t> links = 0;      // LINK has this status, when it is not 0
  std::atomic<int> bad_cookies = 0;          // so many READDIRPLUS from a cookie are NFS3ERR_BAD_COOKIE
  std::atomic<int> failing_lookups = 0;      // so many LOOKUP are NFS3ERR_IO
  std::atomic<int> stale_reads = 0;          // so many READ are NFS3ERR_STALE: the file was replaced a moment ago
  std::atomic<int> listings = 0;             // READDIRPLUS calls seen
  std::atomic<int> lookups = 0;

 private:
  enum class Fate { pass, bare, empty, bad_cookie, failed, stale, unsupported, link };
  void serve(int fd) override;
  Fate judge(const std::string& call);
  const std::uint16_t server_port_;
};

// A portmapper (RFC 1833, version 2) that knows TCP ports by program, on port 111 of `address`.
class Portmapper final : public RpcPeer {
 public:
  Portmapper(const std::string& address, std::map<std::uint32_t, std::uint16_t> ports) : ports_(std::move(ports)) {
    listen(address, 111);
  }
  ~Portmapper() override { stop(); }

 private:
  void serve(int fd) override;
  const std::map<std::uint32_t, std::uint16_t> ports_;
};

}  // namespace homeport::drivers::testing
