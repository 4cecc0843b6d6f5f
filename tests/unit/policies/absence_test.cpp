#include "policies/absence.h"

#include <gmock/gmock.h>

namespace homeport::policies {
namespace {

struct Row {
  const char* name;
  AbsenceFacts facts;
  bool hold;
};

TEST(Absence, WhatOneLookMeans) {
  const Row rows[] = {
      {"nobody is missing", {.listed = 5, .known = 5, .missing = 0}, false},
      {"nobody is known, nobody listed", {.listed = 0, .known = 0, .missing = 0}, false},
      {"an empty list", {.listed = 0, .known = 1, .missing = 1}, true},
      {"an empty list and any share", {.listed = 0, .known = 1, .missing = 1, .most_gone_percent = 100}, true},
      {"one of a few", {.listed = 2, .known = 3, .missing = 1}, false},
      {"the only one", {.listed = 2, .known = 1, .missing = 1}, false},
      {"two of a few", {.listed = 2, .known = 3, .missing = 2}, true},
      {"just the share", {.listed = 180, .known = 200, .missing = 20}, false},
      {"one above the share", {.listed = 179, .known = 200, .missing = 21}, true},
      {"the share is rounded down", {.listed = 27, .known = 29, .missing = 3}, true},
      {"another share", {.listed = 1, .known = 4, .missing = 3, .most_gone_percent = 75}, false},
      {"none may go but one", {.listed = 99, .known = 100, .missing = 1, .most_gone_percent = 0}, false},
      {"none may go, two did", {.listed = 98, .known = 100, .missing = 2, .most_gone_percent = 0}, true},
      {"everybody, and that is allowed", {.listed = 1, .known = 9, .missing = 9, .most_gone_percent = 100}, false},
  };
  for (const auto& row : rows) {
    const auto verdict = judge_absence(row.facts);
    EXPECT_EQ(verdict.hold, row.hold) << row.name;
    EXPECT_EQ(verdict.why.empty(), !row.hold) << row.name;
  }
}

TEST(Absence, AHoldSaysTheNumbers) {
  const auto verdict = judge_absence({.listed = 50, .known = 80, .missing = 30, .most_gone_percent = 10});
  EXPECT_EQ(verdict.why,
            "30 of 80 people who came from this hub are missing on its list, and at most 8 may be at once "
            "(most_gone: 10)");
}

}  // namespace
}  // namespace homeport::policies
