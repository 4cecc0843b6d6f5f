#include "api/http_loop.h"

#include "api/http_session.h"
#include "api/http_wire.h"

namespace homeport {

IoLoop::IoLoop(HttpShared& shared)
    : shared_(shared),
      work_(boost::asio::make_work_guard(io_)),
      tick_timer_(io_),
      mailbox_(std::make_shared<Mailbox>(io_)) {
  refresh_date();
}

IoLoop::~IoLoop() {
  mailbox_->close();
}

void IoLoop::start() {
  arm_tick();
  thread_ = std::thread([this] {
    mailbox_->set_thread(std::this_thread::get_id());
    io_.run();
    mailbox_->set_thread({});
  });
}

void IoLoop::join() {
  if (thread_.joinable()) thread_.join();
  mailbox_->close();
}

void IoLoop::adopt(const std::shared_ptr<HttpSession>& session) {
  session->set_place(sessions_.insert(sessions_.end(), session));
}

void IoLoop::forget(HttpSession& session) {
  sessions_.erase(session.place());
  end_if_drained();
}

// fn may end the session it is given, and only that one.
template <class Fn>
void IoLoop::for_each_session(Fn fn) {
  for (auto next = sessions_.begin(); next != sessions_.end();) {
    const auto session = *next++;
    fn(*session);
  }
}

void IoLoop::drain(MonoTime cut_at) {
  cut_at_ = cut_at;
  for_each_session([](HttpSession& session) { session.drain(); });
  end_if_drained();
}

void IoLoop::end_if_drained() {
  if (!cut_at_ || !sessions_.empty()) return;
  tick_timer_.cancel();
  work_.reset();
}

void IoLoop::arm_tick() {
  tick_timer_.expires_after(shared_.limits.tick);
  tick_timer_.async_wait([this](const boost::system::error_code& ec) {
    if (ec || !work_) return;
    tick();
    if (work_) arm_tick();
  });
}

void IoLoop::tick() {
  refresh_date();
  const MonoTime now = shared_.clock.mono();
  const bool over = cut_at_ && now >= *cut_at_;
  for_each_session([&](HttpSession& session) {
    if (over) {
      session.cut();
    } else {
      session.tick(now);
    }
  });
}

void IoLoop::refresh_date() {
  const auto now = shared_.clock.now();
  const auto second = std::chrono::floor<std::chrono::seconds>(now).time_since_epoch().count();
  if (second == date_second_) return;
  date_second_ = second;
  date_ = http_date(now);
}

}  // namespace homeport
