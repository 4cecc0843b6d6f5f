// The parts below the handlers: cursors, event streams, keys of repeated requests, the file lock.
#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <filesystem>

#include "api/events.h"
#include "api/idempotency.h"
#include "api/leadership.h"
#include "api/params.h"
#include "api/service_settings.h"
#include "provisioner/store/open.h"
#include "tests/support/fake_clock.h"
#include "tests/support/result_matchers.h"

namespace homeport::testing {
namespace {

using ::testing::HasSubstr;

TEST(Cursor, ComesBackUnchanged) {
  for (const std::string key : {"a", "h-0123456789abcdef", "name with / and \n", "\xc3\xa4"}) {
    const auto text = api::make_cursor(key);
    EXPECT_EQ(text.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"),
              std::string::npos);
    const auto back = api::read_cursor(text);
    ASSERT_OK(back);
    EXPECT_EQ(*back, key);
  }
  for (const std::string bad : {"", "=", "MTo", "Mjp4", "a b"}) {
    EXPECT_ERRC(api::read_cursor(bad), Errc::invalid_argument) << bad;
  }
}

class RecordingSink final : public EventStream::Sink {
 public:
  bool send(std::string_view text) override {
    if (!open) return false;
    sent += text;
    return true;
  }
  void on_closed(std::function<void()>) override {}
  void close() override { open = false; }
  [[nodiscard]] bool is_open() const override { return open; }
  std::string sent;
  bool open = true;
};

// Changes `first` to `last`, as the store would give them.
api::EventPump::Source changes(const std::uint64_t& first, const std::uint64_t& last) {
  return [&first, &last](std::uint64_t after, std::size_t limit) -> Result<std::vector<store::Change>> {
    std::vector<store::Change> out;
    for (auto seq = std::max(first, after + 1); seq <= last && out.size() < limit; ++seq) {
      out.push_back({.seq = seq, .table = store::Table::spaces, .key = "k" + std::to_string(seq), .revision = 1});
    }
    return out;
  };
}

bool always() {
  return true;
}

TEST(Events, LatestIsFoundWhereverItLies) {
  std::uint64_t first = 1;
  std::uint64_t last = 0;
  const api::EventPump pump(changes(first, last));
  for (last = 0; last < 70; ++last) {
    const auto found = pump.latest();
    ASSERT_OK(found);
    EXPECT_EQ(*found, last);
  }
  first = 900;
  last = 1000;
  EXPECT_EQ(*pump.latest(), 1000U);
}

TEST(Events, AStreamGoesOnWhereItStopped) {
  std::uint64_t first = 1;
  std::uint64_t last = 3;
  api::EventPump pump(changes(first, last));
  const auto sink = std::make_shared<RecordingSink>();
  pump.add(EventStream(sink), 1, always);
  EXPECT_THAT(sink->sent, HasSubstr("id: 2\nevent: change\n"));
  EXPECT_THAT(sink->sent, HasSubstr("id: 3\n"));
  EXPECT_THAT(sink->sent, ::testing::Not(HasSubstr("id: 1\n")));
  sink->sent.clear();
  pump.pump();
  EXPECT_EQ(sink->sent, "");
  last = 1203;  // more than one batch: the rest comes with the next round
  pump.pump();
  EXPECT_THAT(sink->sent, ::testing::Not(HasSubstr("id: 1203\n")));
  pump.pump();
  pump.pump();
  EXPECT_THAT(sink->sent, HasSubstr("id: 1203\n"));
  EXPECT_EQ(pump.open(), 1U);
  sink->open = false;
  pump.pump();
  EXPECT_EQ(pump.open(), 0U);
}

TEST(Events, AStreamWhoseReaderMayNoLongerReadIsClosedBeforeTheNextEvent) {
  std::uint64_t first = 1;
  std::uint64_t last = 3;
  api::EventPump pump(changes(first, last));
  const auto sink = std::make_shared<RecordingSink>();
  const auto other = std::make_shared<RecordingSink>();
  bool allowed = true;
  pump.add(EventStream(sink), 3, [&] { return allowed; });
  pump.add(EventStream(other), 3, always);
  allowed = false;
  last = 4;
  pump.pump();
  EXPECT_FALSE(sink->open);
  EXPECT_THAT(sink->sent, ::testing::Not(HasSubstr("id: 4\n")));
  EXPECT_THAT(other->sent, HasSubstr("id: 4\n"));
  EXPECT_EQ(pump.open(), 1U);
}

TEST(Events, WhatWasDroppedMeanwhileIsTold) {
  std::uint64_t first = 50;
  std::uint64_t last = 51;
  api::EventPump pump(changes(first, last));
  const auto sink = std::make_shared<RecordingSink>();
  pump.add(EventStream(sink), 10, always);
  EXPECT_THAT(sink->sent, HasSubstr("event: gap\ndata: {\"after\":10,\"first\":50}"));
  EXPECT_THAT(sink->sent, HasSubstr("id: 51\n"));
}

TEST(Events, TooManyStreamsAndAStopAreRefused) {
  std::uint64_t first = 1;
  std::uint64_t last = 0;
  api::EventPump pump(changes(first, last));
  std::vector<std::shared_ptr<RecordingSink>> sinks;
  for (std::size_t i = 0; i < api::EventPump::kMaxStreams; ++i) {
    EXPECT_OK(pump.admits());
    sinks.push_back(std::make_shared<RecordingSink>());
    pump.add(EventStream(sinks.back()), 0, always);
  }
  EXPECT_ERRC(pump.admits(), Errc::unavailable);
  pump.close();
  EXPECT_FALSE(sinks.front()->open);
  EXPECT_ERRC(pump.admits(), Errc::unavailable);
}

class IdempotencyTest : public ::testing::Test {
 protected:
  IdempotencyTest() { EXPECT_OK(store_->acquire_lease("test", std::chrono::hours(1000))); }
  FakeClock clock_;
  std::unique_ptr<store::Store> store_ = store::make_memory_store(clock_);
};

TEST_F(IdempotencyTest, ARequestIsDoneOnceAndKeptForAWeek) {
  api::Idempotency keys(*store_, clock_);
  auto begun = keys.begin("t-1", "k", "hash");
  ASSERT_OK(begun);
  EXPECT_FALSE(begun->has_value());
  const auto running = keys.begin("t-1", "k", "hash");
  ASSERT_ERRC(running, Errc::conflict);
  EXPECT_TRUE(running.error().retry_after.has_value());
  const auto other = keys.begin("t-1", "k", "other");
  ASSERT_ERRC(other, Errc::conflict);
  EXPECT_FALSE(other.error().retry_after.has_value());
  ASSERT_OK(keys.finish("t-1", "k", 201, "body", "application/json"));
  const auto replay = keys.begin("t-1", "k", "hash");
  ASSERT_OK(replay);
  ASSERT_TRUE(replay->has_value());
  EXPECT_EQ((*replay)->status, 201U);
  EXPECT_EQ((*replay)->body, "body");
  clock_.advance(api::Idempotency::kKept + std::chrono::seconds(1));
  const auto later = keys.begin("t-1", "k", "other");
  ASSERT_OK(later);
  EXPECT_FALSE(later->has_value());
}

TEST_F(IdempotencyTest, WhatDiedInTheMiddleIsTakenUpByTheNextProcess) {
  {
    api::Idempotency keys(*store_, clock_);
    ASSERT_OK(keys.begin("t-1", "k", "hash"));
  }
  clock_.advance(std::chrono::seconds(1));
  api::Idempotency keys(*store_, clock_);
  const auto begun = keys.begin("t-1", "k", "hash");
  ASSERT_OK(begun);
  EXPECT_FALSE(begun->has_value());
  ASSERT_OK(keys.abandon("t-1", "k"));
  EXPECT_OK(keys.begin("t-1", "k", "another"));
}

TEST(IdempotencyKey, IsVisibleAscii) {
  EXPECT_OK(api::Idempotency::check_key("0b6f-7"));
  for (const std::string& bad :
       {std::string(), std::string("a b"), std::string("a/b"), std::string("\x01"), std::string(201, 'x')}) {
    EXPECT_ERRC(api::Idempotency::check_key(bad), Errc::invalid_argument);
  }
}

struct TempDirectory {
  TempDirectory() {
    std::string pattern = (std::filesystem::temp_directory_path() / "homeport-api-XXXXXX").string();
    path = ::mkdtemp(pattern.data());
  }
  ~TempDirectory() { std::filesystem::remove_all(path); }
  std::string path;
};

TEST(Leadership, TheFileLockHasOneHolder) {
  const TempDirectory directory;
  auto first = std::make_unique<api::ProcessLock>(directory.path + "/lock");
  api::ProcessLock second(directory.path + "/lock");
  EXPECT_TRUE(*first->try_take());
  EXPECT_TRUE(*first->try_take());
  EXPECT_FALSE(*second.try_take());
  first.reset();
  EXPECT_TRUE(*second.try_take());
}

TEST(Leadership, WaitsWhileSomebodyElseHoldsTheLease) {
  const TempDirectory directory;
  FakeClock clock;
  const auto ids = make_seeded_ids(1);
  auto theirs = store::open_sqlite_store(directory.path, clock);
  ASSERT_OK(theirs);
  ASSERT_OK((*theirs)->acquire_lease("somebody", std::chrono::seconds(2)));
  auto opened = store::open_sqlite_store(directory.path, clock);
  ASSERT_OK(opened);
  const auto store = std::move(opened).value();
  api::Leadership leadership(*store, clock, *ids, directory.path, std::chrono::seconds(3));
  std::string why;
  const auto held = leadership.wait_for_lease({}, [&](std::string text) { why = std::move(text); });
  ASSERT_OK(held);
  EXPECT_TRUE(*held);  // the clock moves with every look, so the other lease runs out
  EXPECT_THAT(why, HasSubstr("somebody"));
  EXPECT_EQ((*store->lease())->holder, leadership.holder());
}

// The lock is ours and the process of that name is gone: nobody has to wait for a lease to run out.
TEST(Leadership, ADeadHoldersLeaseIsTakenAtOnce) {
  const TempDirectory directory;
  FakeClock clock;
  const auto ids = make_seeded_ids(1);
  std::array<char, 256> host{};
  ASSERT_EQ(::gethostname(host.data(), host.size() - 1), 0);
  const pid_t child = ::fork();
  if (child == 0) ::_exit(0);
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  auto theirs = store::open_sqlite_store(directory.path, clock);
  ASSERT_OK(theirs);
  ASSERT_OK(
      (*theirs)->acquire_lease(std::string(host.data()) + ":" + std::to_string(child) + ":0", std::chrono::hours(1)));
  auto opened = store::open_sqlite_store(directory.path, clock);
  ASSERT_OK(opened);
  api::Leadership leadership(**opened, clock, *ids, directory.path, std::chrono::seconds(3));
  bool waited = false;
  const auto held = leadership.wait_for_lease({}, [&](const std::string&) { waited = true; });
  ASSERT_OK(held);
  EXPECT_TRUE(*held);
  EXPECT_FALSE(waited);
}

TEST(Settings, OptionsWinOverTheFile) {
  api::Settings settings;
  ASSERT_OK(api::apply_options(settings, {.state = "/tmp/x/../y", .listen = "0.0.0.0:99"}));
  EXPECT_EQ(settings.config.store.directory, "/tmp/y");
  EXPECT_EQ(settings.config.listen.port, 99);
  EXPECT_FALSE(settings.config.metrics_open);
  ASSERT_OK(api::apply_options(settings, {.state = "/tmp/y", .listen = "[::1]:0"}));
  EXPECT_TRUE(settings.config.metrics_open);
  const auto http = api::http_settings(settings.config);
  ASSERT_OK(http);
  EXPECT_EQ(http->listen.front(), "[::1]:0");
  EXPECT_ERRC(api::apply_options(settings, {.listen = "nonsense"}), Errc::invalid_argument);
}

}  // namespace
}  // namespace homeport::testing
