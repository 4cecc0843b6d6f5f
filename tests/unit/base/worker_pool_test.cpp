#include "provisioner/base/worker_pool.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <latch>
#include <memory>
#include <new>
#include <semaphore>
#include <stdexcept>

#include "tests/support/result_matchers.h"

namespace homeport {
namespace {

using std::chrono::milliseconds;
constexpr auto kLong = std::chrono::seconds(30);  // a limit, never a wait

TEST(WorkerPool, RunsEverythingItAccepted) {
  std::atomic<int> done = 0;
  WorkerPool pool("backend main", 4, 1000);
  for (int i = 0; i < 500; ++i) ASSERT_OK(pool.submit([&](std::stop_token) { ++done; }));
  pool.drain(kLong);
  EXPECT_EQ(done, 500);
  EXPECT_EQ(pool.queued(), 0U);
}

TEST(WorkerPool, RefusesWhenTheQueueIsFull) {
  WorkerPool pool("backend main", 1, 2);
  std::latch started(1);
  std::binary_semaphore go(0);
  ASSERT_OK(pool.submit([&](std::stop_token) {
    started.count_down();
    go.acquire();
  }));
  started.wait();
  ASSERT_OK(pool.submit([](std::stop_token) {}));
  ASSERT_OK(pool.submit([](std::stop_token) {}));
  const auto refused = pool.submit([](std::stop_token) {});
  ASSERT_ERRC(refused, Errc::unavailable);
  EXPECT_TRUE(refused.error().retry_after.has_value());
  EXPECT_THAT(refused.error().message, ::testing::HasSubstr("backend main"));
  EXPECT_EQ(pool.queued(), 3U);
  go.release();
  pool.drain(kLong);
}

TEST(WorkerPool, AJobThatThrowsHarmsNobodyElse) {
  const auto before = WorkerPool::failed_jobs();
  std::atomic<int> done = 0;
  const auto held = std::make_shared<int>(1);
  WorkerPool pool("backend main", 1, 1000);
  ASSERT_OK(pool.submit([held](std::stop_token) { throw std::runtime_error("a library threw"); }));
  ASSERT_OK(pool.submit([held](std::stop_token) { throw std::bad_alloc(); }));
  ASSERT_OK(pool.submit([&](std::stop_token) { ++done; }));
  pool.drain(kLong);
  EXPECT_EQ(done, 1);
  EXPECT_EQ(pool.queued(), 0U);
  EXPECT_EQ(WorkerPool::failed_jobs(), before + 2);
  EXPECT_EQ(held.use_count(), 1);  // what a failed job held is released
}

TEST(WorkerPool, NeverRunsMoreThanItsThreads) {
  std::atomic<int> now = 0;
  std::atomic<int> most = 0;
  WorkerPool pool("p", 3, 1000);
  for (int i = 0; i < 200; ++i) {
    ASSERT_OK(pool.submit([&](std::stop_token) {
      const int here = ++now;
      int seen = most;
      while (here > seen && !most.compare_exchange_weak(seen, here)) {
      }
      --now;
    }));
  }
  pool.drain(kLong);
  EXPECT_LE(most, 3);
}

TEST(WorkerPool, DrainTakesNoMoreWork) {
  WorkerPool pool("p", 1, 10);
  pool.drain(milliseconds(0));
  EXPECT_ERRC(pool.submit([](std::stop_token) {}), Errc::cancelled);
}

TEST(WorkerPool, DrainStopsWhatTakesTooLong) {
  WorkerPool pool("p", 1, 10);
  std::latch started(1);
  std::atomic<bool> stopped = false;
  std::atomic<bool> second_ran = false;
  ASSERT_OK(pool.submit([&](std::stop_token stop) {
    started.count_down();
    std::binary_semaphore asked(0);
    const std::stop_callback wake(stop, [&] { asked.release(); });
    stopped = asked.try_acquire_for(kLong);
  }));
  ASSERT_OK(pool.submit([&](std::stop_token) { second_ran = true; }));
  started.wait();
  pool.drain(milliseconds(1));
  EXPECT_TRUE(stopped);
  EXPECT_FALSE(second_ran);
}

TEST(WorkerPool, DestructionDropsTheQueueAndStopsTheRest) {
  std::atomic<bool> second_ran = false;
  {
    WorkerPool pool("p", 1, 10);
    std::latch started(1);
    ASSERT_OK(pool.submit([&](std::stop_token stop) {
      started.count_down();
      std::binary_semaphore asked(0);
      const std::stop_callback wake(stop, [&] { asked.release(); });
      EXPECT_TRUE(asked.try_acquire_for(kLong));
    }));
    ASSERT_OK(pool.submit([&](std::stop_token) { second_ran = true; }));
    started.wait();
  }
  EXPECT_FALSE(second_ran);
}

// Runs code when it goes, as a session does that a job holds.
struct OnGone {
  std::function<void()> what;
  ~OnGone() { what(); }
};

TEST(WorkerPool, DroppedJobsMayComeBackToThePool) {
  std::promise<Errc> answer;
  {
    WorkerPool pool("p", 1, 10);
    std::latch started(1);
    ASSERT_OK(pool.submit([&](std::stop_token stop) {
      started.count_down();
      std::binary_semaphore asked(0);
      const std::stop_callback wake(stop, [&] { asked.release(); });
      (void)asked.try_acquire_for(kLong);
    }));
    auto held = std::make_shared<OnGone>([&] { answer.set_value(pool.submit([](std::stop_token) {}).error().code); });
    ASSERT_OK(pool.submit([held](std::stop_token) {}));
    held.reset();
    started.wait();
  }
  EXPECT_EQ(answer.get_future().get(), Errc::cancelled);
}

TEST(WorkerPool, AFinishedJobIsReleased) {
  WorkerPool pool("p", 1, 10);
  std::promise<void> gone;
  ASSERT_OK(pool.submit([held = std::make_shared<OnGone>([&] { gone.set_value(); })](std::stop_token) {}));
  EXPECT_EQ(gone.get_future().wait_for(kLong), std::future_status::ready);
}

TEST(WorkerPool, JobsMaySubmitJobs) {
  WorkerPool pool("p", 1, 10);
  std::promise<int> result;
  ASSERT_OK(
      pool.submit([&](std::stop_token) { EXPECT_OK(pool.submit([&](std::stop_token) { result.set_value(7); })); }));
  EXPECT_EQ(result.get_future().get(), 7);
}

}  // namespace
}  // namespace homeport
