// The backend calls that one piece of work made, or under a dry run would make.
#pragma once

#include <string>
#include <vector>

#include "provisioner/base/guarded.h"

namespace homeport {

// Threads: every method from any thread. Bounded: keeps the first kMax lines and counts the rest.
class CallLog {
 public:
  static constexpr std::size_t kMax = 500;
  void add(std::string line) {
    lines_.with([&](State& s) {
      if (s.lines.size() < kMax) {
        s.lines.push_back(std::move(line));
      } else {
        ++s.left_off;
      }
    });
  }
  [[nodiscard]] std::vector<std::string> lines() const {
    return lines_.with([](const State& s) {
      auto out = s.lines;
      if (s.left_off > 0) out.push_back("… and " + std::to_string(s.left_off) + " more");
      return out;
    });
  }

 private:
  struct State {
    std::vector<std::string> lines;
    std::size_t left_off = 0;
  };
  Guarded<State> lines_;
};

}  // namespace homeport
