// One I/O thread: its event loop, the connections that live on it, and the letter box through which other threads reach
// it. Internal to the server; includes Asio, so only the server's own sources include it.
#pragma once

#include <array>
#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "api/http_limits.h"
#include "api/responder.h"
#include "api/router.h"
#include "provisioner/base/clock.h"
#include "provisioner/base/id_source.h"

namespace homeport {

class HttpSession;

// What all connections of one server share: constant but for the counters.
struct HttpShared {
  HttpLimits limits;
  Router router;
  HttpHandlers handlers;
  const Clock& clock;
  IdSource& ids;
  std::atomic<bool> draining{false};
  std::atomic<std::size_t> connections{0};
  std::atomic<std::size_t> refusing{0};  // connections that are only being told 503
  std::atomic<std::size_t> streams{0};
  std::atomic<std::uint64_t> accepted{0};
  std::atomic<std::uint64_t> refused{0};
  std::atomic<std::uint64_t> cut{0};  // for being too slow
  // Outlives the server in responders that are still held by handlers.
  std::shared_ptr<std::atomic<std::size_t>> in_flight = std::make_shared<std::atomic<std::size_t>>(0);
};

// Counts one while it lives.
class CountGuard {
 public:
  explicit CountGuard(std::atomic<std::size_t>& counter) : counter_(&counter) { ++*counter_; }
  CountGuard(CountGuard&& other) noexcept : counter_(std::exchange(other.counter_, nullptr)) {}
  CountGuard& operator=(CountGuard&&) = delete;
  CountGuard(const CountGuard&) = delete;
  CountGuard& operator=(const CountGuard&) = delete;
  ~CountGuard() {
    if (counter_ != nullptr) --*counter_;
  }

 private:
  std::atomic<std::size_t>* counter_;
};

// Threads: every method from any thread. Outlives its loop: what is posted after close() is dropped.
class Mailbox {
 public:
  explicit Mailbox(boost::asio::io_context& io) : io_(&io) {}
  template <class Fn>
  void post(Fn fn) {
    const std::lock_guard lock(mutex_);
    if (io_ != nullptr) boost::asio::post(*io_, std::move(fn));
  }
  void close() {
    const std::lock_guard lock(mutex_);
    io_ = nullptr;
  }
  void set_thread(std::thread::id id) { thread_ = id; }
  [[nodiscard]] bool on_loop_thread() const { return thread_ == std::this_thread::get_id(); }

 private:
  std::mutex mutex_;
  boost::asio::io_context* io_;
  std::atomic<std::thread::id> thread_{};
};

// Threads: only its own, but for the constructor, start() and join().
class IoLoop {
 public:
  explicit IoLoop(HttpShared& shared);
  ~IoLoop();
  IoLoop(const IoLoop&) = delete;
  IoLoop& operator=(const IoLoop&) = delete;

  void start();
  void join();  // returns when the loop was drained

  // Keeps the session alive until forget().
  void adopt(const std::shared_ptr<HttpSession>& session);
  void forget(HttpSession& session);
  // Asks every session to end, and cuts the rest at `cut_at`. The loop ends with its last session.
  void drain(MonoTime cut_at);

  [[nodiscard]] HttpShared& shared() { return shared_; }
  [[nodiscard]] boost::asio::io_context& io() { return io_; }
  [[nodiscard]] const std::shared_ptr<Mailbox>& mailbox() { return mailbox_; }
  [[nodiscard]] const std::string& date() const { return date_; }  // for the Date field, at most one tick old

 private:
  void arm_tick();
  void tick();
  void refresh_date();
  void end_if_drained();
  template <class Fn>
  void for_each_session(Fn fn);

  HttpShared& shared_;
  boost::asio::io_context io_{1};
  std::optional<boost::asio::executor_work_guard<boost::asio::io_context::executor_type>> work_;
  boost::asio::steady_timer tick_timer_;
  std::shared_ptr<Mailbox> mailbox_;
  std::list<std::shared_ptr<HttpSession>> sessions_;
  std::string date_;
  std::int64_t date_second_ = -1;
  std::optional<MonoTime> cut_at_{};
  std::thread thread_;
};

}  // namespace homeport
