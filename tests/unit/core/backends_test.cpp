// The run-time backends follow the catalog: never backwards, and again after a failure.
#include <gmock/gmock.h>

#include <mutex>
#include <thread>

#include "tests/unit/core/core_fixture.h"

namespace homeport::testing {
namespace {

using ::testing::HasSubstr;

class BackendsTest : public CoreTest {
 protected:
  static std::string lab(const std::string& pool) {
    return R"({"backends":[{"name":"lab","kind":"memory","pools":[{"name":")" + pool + R"("}]}]})";
  }
};

TEST_F(BackendsTest, WhatCouldNotBeMadeIsTriedAgain) {
  factory_.before_make = [](const std::string&, const nlohmann::json&) -> Result<void> {
    return Error{.code = Errc::failed_precondition, .message = "the secret file is missing"};
  };
  apply(lab("homes"));
  EXPECT_THAT(hp().backends().construction_error("lab"), HasSubstr("secret file"));
  factory_.before_make = {};
  hp().backends().follow_catalog();  // what a SIGHUP does
  EXPECT_EQ(hp().backends().construction_error("lab"), "");
  EXPECT_OK(hp().backends().get("lab"));
}

TEST_F(BackendsTest, ABackendThatIsGoneLeavesNoComplaintBehind) {
  factory_.before_make = [](const std::string&, const nlohmann::json&) -> Result<void> {
    return Error{.code = Errc::failed_precondition, .message = "the secret file is missing"};
  };
  apply(lab("homes"));
  apply("{}");
  EXPECT_EQ(hp().backends().construction_error("lab"), "");
  EXPECT_ERRC(hp().backends().get("lab"), Errc::not_found);
}

// Many change the configuration at once, and making a driver takes a while: what was written later is never replaced by
// what was written before it.
TEST_F(BackendsTest, ASlowThreadDoesNotBringBackAnOlderConfiguration) {
  constexpr int kThreads = 4;
  constexpr int kChanges = 15;  // by each
  apply(lab("p0"));
  std::mutex order;
  int written = 0;
  int newest = 0;
  int backwards = 0;
  factory_.before_make = [&](const std::string&, const nlohmann::json& section) -> Result<void> {
    const int number = std::stoi(section["pools"][0]["name"].get<std::string>().substr(1));
    backwards += number < newest ? 1 : 0;
    newest = number;
    for (int i = 0; i < 20; ++i) std::this_thread::yield();
    return {};
  };
  const auto change = [&] {
    {
      const std::lock_guard lock(order);
      ++written;
      EXPECT_OK(store_->write("test", [&](store::WriteTransaction& tx) -> Result<void> {
        HOMEPORT_TRY(auto record, store::get<store::BackendRecord>(tx, "lab"));
        record->section["pools"][0]["name"] = "p" + std::to_string(written);
        record->section["workers"] = 1;
        return store::put(tx, *record);
      }));
    }
    hp().backends().follow_catalog();
    hp().backends().reap();
  };
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < kChanges; ++i) change();
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(backwards, 0);
  EXPECT_EQ(newest, kThreads * kChanges);
}

}  // namespace
}  // namespace homeport::testing
