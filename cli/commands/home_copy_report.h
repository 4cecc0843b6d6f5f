// What came of copying homes, and how it looks.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "cli/copy_plan.h"
#include "cli/json.h"
#include "cli/output.h"
#include "provisioner/trees/tree_copy.h"

namespace homeport::cli {

using trees::CopyReport;

struct CopiedHome {
  enum class Outcome {
    waiting,  // its home is not there yet
    half,     // its home is there, and withheld
    copied,
    exists,  // copied by an earlier command
    failed
  };
  CopySource source;
  std::string from;  // "host:/home/alice"
  std::string identity{};
  Outcome outcome = Outcome::waiting;
  nlohmann::ordered_json space{};
  nlohmann::ordered_json decided{};  // a dry run: class, backend, quota of the new home
  CopyReport report{};
  std::optional<Error> error{};

  void fail(Error why) {
    outcome = Outcome::failed;
    error = std::move(why);
  }
};

struct CopyResult {
  std::vector<CopiedHome> homes{};
  std::vector<NotCopied> refused{};
  std::size_t unmatched = 0;
  // Of a home, or of what could be one and cannot be looked at.
  [[nodiscard]] std::optional<Errc> first_failure() const;
  [[nodiscard]] bool some_done() const;
};

[[nodiscard]] Json copy_json(const CopyResult& result, bool dry_run);
[[nodiscard]] std::string copy_view(const Json& result, const Look& look, WallTime now);

}  // namespace homeport::cli
