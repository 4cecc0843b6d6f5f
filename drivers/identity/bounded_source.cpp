#include "drivers/identity/bounded_source.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <stop_token>
#include <system_error>
#include <thread>
#include <utility>

namespace homeport::drivers::identity {

struct BoundedSource::Places {
  std::mutex mutex;
  std::condition_variable_any changed;
  std::size_t taken = 0;
};

namespace {

// What asker and caller share; lives until both are done with it.
template <class T>
struct Call {
  std::mutex mutex;
  std::condition_variable_any answered;
  std::optional<Result<T>> answer;
};

}  // namespace

BoundedSource::BoundedSource(std::shared_ptr<core::IdentitySource> source, BoundedSettings settings, const Clock& clock)
    : source_(std::move(source)), settings_(settings), clock_(clock), places_(std::make_shared<Places>()) {}

BoundedSource::~BoundedSource() {
  std::unique_lock lock(places_->mutex);
  (void)places_->changed.wait_for(lock, settings_.farewell, [this] { return places_->taken == 0; });
}

std::string_view BoundedSource::name() const {
  return source_->name();
}

std::chrono::milliseconds BoundedSource::left(const OpContext& op) const {
  const auto now = clock_.mono();
  if (op.deadline <= now) return std::chrono::milliseconds(0);
  return std::min(settings_.timeout, std::chrono::ceil<std::chrono::milliseconds>(op.deadline - now));
}

template <class T, class Ask>
Result<T> BoundedSource::bounded(const OpContext& op, Ask ask) {
  const std::string what = "asking " + std::string(name());
  HOMEPORT_CHECK(still_wanted(op, clock_, what));
  {
    std::unique_lock lock(places_->mutex);
    const bool free =
        places_->changed.wait_for(lock, op.stop, left(op), [this] { return places_->taken < settings_.max_calls; });
    if (!free) {
      if (op.stop.stop_requested()) return Error{.code = Errc::cancelled, .message = what + " was stopped"};
      return Error{.code = Errc::unavailable,
                   .message = std::to_string(settings_.max_calls) + " questions to " + std::string(name()) +
                              " are unanswered already",
                   .hint = "see what it waits for: the directory's daemon, its servers, name resolution"};
    }
    ++places_->taken;
  }
  const auto call = std::make_shared<Call<T>>();
  // The caller may be gone before the question is answered: nothing of its own goes along.
  OpContext inner = op;
  inner.calls = nullptr;
  // A little less time for the source than for us, so that its own words about what it waited for arrive.
  const auto wait = left(op);
  inner.deadline = clock_.mono() + wait - std::min(wait / 10, std::chrono::milliseconds(100));
  auto run = [call, source = source_, places = places_, inner, ask = std::move(ask)]() mutable {
    auto answer = ask(*source, inner);
    source.reset();  // before the place is free: whoever sees no place taken may take down what the source uses
    {
      const std::lock_guard lock(places->mutex);
      --places->taken;
    }
    places->changed.notify_all();
    {
      const std::lock_guard lock(call->mutex);
      call->answer.emplace(std::move(answer));
    }
    call->answered.notify_all();
  };
  try {
    std::thread(std::move(run)).detach();
  } catch (const std::system_error& failed) {
    const std::lock_guard lock(places_->mutex);
    --places_->taken;
    return Error{.code = Errc::unavailable, .message = what + ": no thread can be started: " + failed.what()};
  }
  std::unique_lock lock(call->mutex);
  if (call->answered.wait_for(lock, op.stop, wait, [&call] { return call->answer.has_value(); }))
    return std::move(*call->answer);
  if (op.stop.stop_requested()) return Error{.code = Errc::cancelled, .message = what + " was stopped"};
  return Error{.code = Errc::timed_out,
               .message = std::string(name()) + " gave no answer within " + format_duration(wait)};
}

Result<std::optional<core::Identity>> BoundedSource::find(const OpContext& op, const UserName& user) {
  return bounded<std::optional<core::Identity>>(
      op, [user](core::IdentitySource& source, const OpContext& inner) { return source.find(inner, user); });
}

Result<std::string> BoundedSource::check(const OpContext& op) {
  return bounded<std::string>(op,
                              [](core::IdentitySource& source, const OpContext& inner) { return source.check(inner); });
}

}  // namespace homeport::drivers::identity
