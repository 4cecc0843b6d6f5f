#include "provisioner/core/spec_request.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

using homeport::core::request_from_json;
using homeport::core::request_from_text;
using homeport::core::SpecRequest;
using homeport::core::to_json;
using homeport::core::to_text;

namespace {

SpecRequest full() {
  return {.realm = "r",
          .hub = "main",
          .user = "alice",
          .groups = {"staff", "", "3:a", std::string("n\0l", 3)},
          .server = "gpu",
          .purpose = "batch",
          .wanted_datasets = std::vector<std::string>{"imagenet", "12:x"},
          .wanted_snapshot = "daily-1",
          .gids = {7, 4294967294U}};
}

}  // namespace

TEST(SpecRequestText, TellsEverythingButTheIds) {
  for (const auto& request : {full(), SpecRequest{.hub = "main", .user = "bob"},
                              SpecRequest{.hub = "main", .user = "bob", .wanted_datasets = std::vector<std::string>{}}})
    EXPECT_EQ(request_from_text(to_text(request)), request);
}

TEST(SpecRequestText, DiffersWithEveryPart) {
  const SpecRequest base{.hub = "a", .user = "b", .groups = {"x", "y"}};
  auto other = base;
  other.groups = {"x"};
  other.server = "y";
  EXPECT_NE(to_text(base), to_text(other));
  other = base;
  other.groups = {"x1:y"};
  EXPECT_NE(to_text(base), to_text(other));
  other = base;
  other.wanted_datasets.emplace();
  EXPECT_NE(to_text(base), to_text(other));
  other = base;
  other.wanted_snapshot = "";
  EXPECT_NE(to_text(base), to_text(other));
  other = base;
  other.gids = {1};
  EXPECT_NE(to_text(base), to_text(other));
}

TEST(SpecRequestJson, IsReadBack) {
  auto request = full();
  request.groups.pop_back();
  request.wanted_snapshot.reset();  // a spec that names one is refused as yet
  EXPECT_EQ(request_from_json(to_json(request)), request);
}
