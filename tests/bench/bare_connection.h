// A bare libnfs connection for the benchmarks' floors: calls are queued, then one loop takes all answers.
#pragma once

#include <netinet/in.h>
#include <nfsc/libnfs.h>
#include <poll.h>
// After libnfs.h, which they need.
#include <nfsc/libnfs-raw-mount.h>
#include <nfsc/libnfs-raw-nfs.h>
#include <nfsc/libnfs-raw.h>
#include <nfsc/libnfs-zdr.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>

namespace homeport::bench {

inline constexpr int kNfsProgram = 100003;
inline constexpr int kNfsVersion = 3;
using Handle = std::string;

// One libnfs context. Answers are taken while finish() turns the loop.
class Connection {
 public:
  Connection(const std::string& server, std::uint16_t port, int program, int version) : rpc_(rpc_init_context()) {
    if (!rpc_) throw std::runtime_error("no memory for a connection");
    rpc_set_auth(rpc_.get(), libnfs_authunix_create("bare", 0, 0, 0, nullptr));
    expect("connecting", [](const void*) { return true; });
    if (rpc_connect_port_async(rpc_.get(), server.c_str(), port, program, version, &on_answer, &waiting_.back()) != 0) {
      throw std::runtime_error(std::string("connecting: ") + rpc_get_error(rpc_.get()));
    }
    finish();
  }

  // Queues one call. `take` sees the answer and says whether it is good.
  template <class Arguments>
  void send(const char* what, int (*call)(rpc_context*, rpc_cb, Arguments*, void*), Arguments arguments,
            std::function<bool(const void*)> take) {
    expect(what, std::move(take));
    if (call(rpc_.get(), &on_answer, &arguments, &waiting_.back()) != 0) {
      throw std::runtime_error(std::string(what) + ": " + rpc_get_error(rpc_.get()));
    }
  }
  void send_mount(const std::string& path, std::function<bool(const void*)> take) {
    expect("MNT", std::move(take));
    std::string argument = path;
    if (rpc_mount3_mnt_async(rpc_.get(), &on_answer, argument.data(), &waiting_.back()) != 0) {
      throw std::runtime_error(std::string("MNT: ") + rpc_get_error(rpc_.get()));
    }
  }

  // Until everything sent is answered.
  void finish() {
    while (answered_ < waiting_.size()) {
      pollfd watched{
          .fd = rpc_get_fd(rpc_.get()), .events = static_cast<short>(rpc_which_events(rpc_.get())), .revents = 0};
      if (::poll(&watched, 1, -1) < 0) throw std::runtime_error("poll");
      if (rpc_service(rpc_.get(), watched.revents) < 0) {
        throw std::runtime_error(std::string("connection lost: ") + rpc_get_error(rpc_.get()));
      }
      if (trouble_) throw std::runtime_error(*trouble_);
    }
    calls_ += waiting_.size();
    waiting_.clear();
    answered_ = 0;
  }
  [[nodiscard]] std::uint64_t calls() const { return calls_; }

 private:
  struct Waiting {
    Connection* connection;
    const char* what;
    std::function<bool(const void*)> take;
  };
  struct Destroy {
    void operator()(rpc_context* rpc) const { rpc_destroy_context(rpc); }
  };

  void expect(const char* what, std::function<bool(const void*)> take) {
    waiting_.push_back({.connection = this, .what = what, .take = std::move(take)});
  }
  // Called from C: nothing may be thrown here.
  static void on_answer(rpc_context* rpc, int status, void* data, void* state) {
    if (status == RPC_STATUS_CANCEL) return;  // the context is going
    auto& waiting = *static_cast<Waiting*>(state);
    auto& self = *waiting.connection;
    ++self.answered_;
    if (status != RPC_STATUS_SUCCESS) {
      self.trouble_ = std::string(waiting.what) + ": " + rpc_get_error(rpc);
    } else if (!waiting.take(data)) {
      self.trouble_ = std::string(waiting.what) + ": the answer is not what it should be";
    }
  }

  std::deque<Waiting> waiting_;  // its elements keep their addresses
  std::size_t answered_ = 0;
  std::uint64_t calls_ = 0;
  std::optional<std::string> trouble_;
  std::unique_ptr<rpc_context, Destroy> rpc_;  // last: destroying it calls back
};

inline nfs_fh3 to_wire(const Handle& handle) {
  nfs_fh3 wire{};
  wire.data.data_len = static_cast<u_int>(handle.size());
  wire.data.data_val = const_cast<char*>(handle.data());
  return wire;
}
inline Handle handle_from(const nfs_fh3& wire) {
  return {wire.data.data_val, wire.data.data_len};
}
inline Handle mount_export(const std::string& server, std::uint16_t mount_port, const std::string& path) {
  Connection connection(server, mount_port, MOUNT_PROGRAM, MOUNT_V3);
  Handle root;
  connection.send_mount(path, [&root](const void* answer) {
    const auto& result = *static_cast<const mountres3*>(answer);
    if (result.fhs_status != MNT3_OK) return false;
    const auto& handle = result.mountres3_u.mountinfo.fhandle;
    root.assign(handle.fhandle3_val, handle.fhandle3_len);
    return true;
  });
  connection.finish();
  return root;
}

}  // namespace homeport::bench
