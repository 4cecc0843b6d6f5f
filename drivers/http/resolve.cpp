#include "drivers/http/resolve.h"

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>

namespace homeport::drivers::http {
namespace {

namespace net = boost::asio;
using boost::system::error_code;
using net::ip::tcp;

constexpr int kMaxQuestions = 16;

// What asker and caller share; lives until both are done with it.
struct Question {
  std::mutex mutex;
  std::condition_variable_any answered;
  bool done = false;
  error_code failed;
  Addresses found;
};

std::atomic<int>& open_questions() {
  static std::atomic<int> count{0};
  return count;
}

void ask(const std::shared_ptr<Question>& question, const std::string& host, std::uint16_t port) {
  error_code failed;
  Addresses found;
  {
    net::io_context io;
    found = tcp::resolver(io).resolve(host, std::to_string(port), failed);
  }
  --open_questions();
  {
    const std::lock_guard lock(question->mutex);
    question->failed = failed;
    question->found = std::move(found);
    question->done = true;
  }
  question->answered.notify_all();
}

}  // namespace

Result<Addresses> resolve(const OpContext& op, MonoTime limit, const Clock& clock, const std::string& host,
                          std::uint16_t port) {
  error_code not_an_address;
  const auto address = net::ip::make_address(host, not_an_address);
  if (!not_an_address) return Addresses::create(tcp::endpoint(address, port), host, std::to_string(port));
  if (++open_questions() > kMaxQuestions) {
    --open_questions();
    return Error{.code = Errc::unavailable, .message = "name resolution has left too many questions unanswered"};
  }
  const auto question = std::make_shared<Question>();
  try {
    std::thread([question, host, port] { ask(question, host, port); }).detach();
  } catch (const std::system_error& failed) {
    --open_questions();
    return Error{.code = Errc::unavailable, .message = std::string("no thread can be started: ") + failed.what()};
  }
  const auto wait = limit - clock.mono();
  std::unique_lock lock(question->mutex);
  if (!question->answered.wait_for(lock, op.stop, wait, [&] { return question->done; })) {
    if (op.stop.stop_requested()) return Error{.code = Errc::cancelled, .message = "stopped"};
    return Error{.code = Errc::timed_out, .message = "name resolution gave no answer in time"};
  }
  if (question->failed) return Error{.code = Errc::unavailable, .message = question->failed.message()};
  return std::move(question->found);
}

}  // namespace homeport::drivers::http
