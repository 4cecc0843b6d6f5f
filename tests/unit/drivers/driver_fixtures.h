// Small things that the driver tests share.
#pragma once

#include <string>

#include "drivers/core/storage_driver.h"
#include "tests/support/fake_clock.h"
#include "tests/support/result_matchers.h"

namespace homeport::testing {

inline OpContext op_within(const Clock& clock, std::chrono::milliseconds time, CallLog* calls = nullptr) {
  return OpContext{.request_id = "test", .deadline = clock.mono() + time, .calls = calls};
}

inline SpaceKey key_number(std::uint64_t n) {
  return SpaceKey::from_random(SpaceKind::home, n);
}

inline drivers::CreateSpec spec_for(const SpaceKey& key, const std::string& pool = "homes",
                                    drivers::Layout layout = drivers::Layout::directory) {
  return {.layout = layout,
          .pool = pool,
          .key = key,
          .name = "hp-" + key.str(),
          .owner = Owner{Uid{1000}, Gid{1000}},
          .marker = {.key = key, .id = {}, .aliases = {"alice"}}};
}

inline std::string case_name(const auto& info) {
  return info.param.name;
}

}  // namespace homeport::testing
