#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <thread>
#include <vector>

#include "provisioner/base/call_log.h"
#include "provisioner/base/digest.h"
#include "provisioner/base/guarded.h"
#include "provisioner/base/id_source.h"

namespace homeport {
namespace {

// FIPS 180-4 examples.
TEST(Digest, KnownVectors) {
  EXPECT_EQ(sha256_hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256_hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(sha256_hex(std::string(1'000'000, 'a')),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
  EXPECT_EQ(sha256(std::string("a\0b", 3)).size(), 32U);
  EXPECT_NE(sha256_hex(std::string("a\0b", 3)), sha256_hex("a"));
}

TEST(Digest, ConstantTimeEquality) {
  EXPECT_TRUE(equal_constant_time("", ""));
  EXPECT_TRUE(equal_constant_time("token", "token"));
  EXPECT_FALSE(equal_constant_time("token", "tokem"));
  EXPECT_FALSE(equal_constant_time("token", "toke"));
  EXPECT_FALSE(equal_constant_time(std::string_view("a\0b", 3), std::string_view("a\0c", 3)));
}

TEST(Ids, TokensAreUrlSafeAndLongEnough) {
  const auto ids = make_system_ids();
  std::set<std::string> seen;
  for (const auto& [bytes, length] :
       std::vector<std::pair<std::size_t, std::size_t>>{{1, 2}, {2, 3}, {3, 4}, {32, 43}}) {
    const auto token = ids->random_token(bytes);
    EXPECT_EQ(token.size(), length);
    EXPECT_EQ(token.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"),
              std::string::npos);
  }
  for (int i = 0; i < 1000; ++i) EXPECT_TRUE(seen.insert(ids->random_token(16)).second);
  EXPECT_NE(ids->random64(), ids->random64());
}

TEST(Ids, ASeedRepeatsARun) {
  EXPECT_EQ(make_seeded_ids(7)->random64(), make_seeded_ids(7)->random64());
  EXPECT_EQ(make_seeded_ids(7)->random_token(24), make_seeded_ids(7)->random_token(24));
  EXPECT_NE(make_seeded_ids(7)->random64(), make_seeded_ids(8)->random64());
}

TEST(CallLog, IsBoundedAndCountsTheRest) {
  CallLog calls;
  for (std::size_t i = 0; i < CallLog::kMax + 3; ++i) calls.add("MKDIR /x");
  EXPECT_EQ(calls.lines().size(), CallLog::kMax + 1);
  EXPECT_EQ(calls.lines().back(), "… and 3 more");
}

TEST(Guarded, CountsFromManyThreads) {
  Guarded<int> value(0);
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&] {
        for (int i = 0; i < 1000; ++i) value.with([](int& v) { ++v; });
      });
    }
  }
  EXPECT_EQ(value.with([](const int& v) { return v; }), 4000);
}

}  // namespace
}  // namespace homeport
