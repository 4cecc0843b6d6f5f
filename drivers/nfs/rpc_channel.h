// One connection to one RPC program of a server: the only code that turns libnfs's event loop.
//
// libnfs 4.0.0 contexts are for one thread at a time; so is a channel. After silence, loss or a stop the context is
// destroyed at once: a late answer must never be taken for that of another call. It then stays dead; open another one.
// Never reconnects and never repeats a call by itself.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "provisioner/base/clock.h"
#include "provisioner/base/op_context.h"
#include "provisioner/base/result.h"

struct rpc_context;

namespace homeport::drivers::nfs {

using RpcCallback = void (*)(rpc_context*, int, void*, void*);

struct Credentials {  // AUTH_SYS, RFC 5531 appendix A
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::vector<std::uint32_t> groups{};
};

struct RpcTarget {
  std::string host;
  std::uint16_t port;
  int program;
  int version;
  Credentials credentials{};
  bool high_source_port = false;  // from 1024 on even where we could have a lower one
};

struct RpcCall {
  std::string what;                                           // "LOOKUP homes", for messages
  std::function<int(rpc_context*, RpcCallback, void*)> send;  // queues it; below 0: could not
  std::function<Result<void>(const void* answer)> take;       // the answer dies with the call: copy
  bool changing = false;                                      // never sent under op.dry_run
  Result<void> outcome{};
};

class RpcChannel {
 public:
  // Connects and makes the program's NULL call. `silence`: how long the server may say nothing. Resolving a host name
  // blocks as long as the system's resolver does; addresses do not.
  // Errors: unavailable, timed_out, cancelled; failed_precondition with upstream "rpc" when the program or the version
  // is not served there.
  static Result<std::unique_ptr<RpcChannel>> open(const OpContext& op, const Clock& clock,
                                                  std::chrono::milliseconds silence, const RpcTarget& target);
  ~RpcChannel();
  RpcChannel(const RpcChannel&) = delete;
  RpcChannel& operator=(const RpcChannel&) = delete;

  // Makes all calls, up to kWindow at once, and sets each one's outcome.
  static constexpr std::size_t kWindow = 64;
  void run(const OpContext& op, std::span<RpcCall> calls);

  // The calls from now on carry these credentials.
  void become(const Credentials& who);

  // False once it died, or when the server has closed the idle connection.
  [[nodiscard]] bool usable() const;
  [[nodiscard]] std::uint16_t source_port() const;
  [[nodiscard]] std::string source_address() const;

 private:
  struct Destroy {
    void operator()(rpc_context* context) const;
  };
  struct Batch;
  struct Flight;

  RpcChannel(const Clock& clock, std::chrono::milliseconds silence, const RpcTarget& target);
  static Result<std::unique_ptr<RpcChannel>> connect_to(const OpContext& op, const Clock& clock,
                                                        std::chrono::milliseconds silence, const RpcTarget& target,
                                                        const std::string& address);
  Result<void> start_connect(const std::string& address, void* state);
  // Turns the loop once, for at most 100 ms. Errors: the connection is of no more use.
  Result<void> turn(const OpContext& op, MonoTime silent_until, const std::string& what);
  static void on_connected(rpc_context* context, int status, void* data, void* state);
  static void on_answer(rpc_context* context, int status, void* data, void* state);
  [[nodiscard]] Error lost(const std::string& what) const;

  const Clock* clock_;
  std::chrono::milliseconds silence_;
  RpcTarget target_;
  std::unique_ptr<rpc_context, Destroy> context_;
};

}  // namespace homeport::drivers::nfs
