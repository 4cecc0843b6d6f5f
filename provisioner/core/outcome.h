// What a use case answers.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "provisioner/store/records.h"

namespace homeport::core {

// A change of one space: finished at once (no operation), or an operation to wait for.
struct SpaceOutcome {
  store::SpaceRecord space;
  std::optional<std::string> operation{};  // open: Operations::await it, then read the space again
  bool created = false;                    // the intent was written by this call
};

// The answer to a dry run.
struct Preview {
  std::vector<std::string> steps{};  // what would be done, for people
  std::vector<std::string> calls{};  // the exact backend calls
  std::vector<std::string> notes{};  // what to know before doing it
  // What would be decided for a home.
  struct Home {
    std::string klass;
    std::string backend;
    std::string pool{};            // empty: none of ours
    std::optional<Owner> owner{};  // not set: the uid would be drawn
    std::optional<Bytes> quota{};
  };
  std::optional<Home> home{};
};

}  // namespace homeport::core
