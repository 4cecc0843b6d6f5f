// One tree made the same as another: content, owners, modes, modification times, links as links. Pure but for the two
// trees: no HTTP, no text for a terminal.
//
// A pass can be stopped, or die, at any point and be repeated: a file gets its modification time last, after it was
// read back, so that one which has the time of its source is whole. The source is only read. Not kept: several names of
// one file (each becomes a file of its own, counted), times of links, fractions of a millisecond, ACLs and extended
// attributes, holes smaller than 64 KiB, the owner and mode of the root.
#pragma once

#include <atomic>
#include <cstdint>
#include <stop_token>
#include <string>
#include <vector>

#include "drivers/core/optional.h"

namespace homeport::cli {

// May be shared by several copies; read by whoever shows progress.
struct CopyProgress {
  std::atomic<std::uint64_t> files{0};
  std::atomic<std::uint64_t> bytes{0};
};

struct CopyReport {
  std::uint64_t files = 0;  // in the source; so are the next three
  std::uint64_t directories = 0;
  std::uint64_t links = 0;
  std::uint64_t bytes = 0;          // of content
  std::uint64_t several_names = 0;  // files that have more than one name
  std::uint64_t copied = 0;         // entries that had to be made or changed in this pass
  std::uint64_t removed = 0;        // entries of the target that the source does not have
  struct Note {
    std::string path;  // below the root, raw bytes
    std::string why;
  };
  // Not copied, and never will be: sockets, pipes, devices, other filesystems mounted there.
  std::vector<Note> left_behind{};
  // Could not be read. The copy is not complete.
  std::vector<Note> unreadable{};
  // Changed while they were read; the next pass takes them again. The copy is not complete.
  std::vector<Note> changing{};
  [[nodiscard]] bool complete() const { return unreadable.empty() && changing.empty(); }
};

class TreeCopy {
 public:
  TreeCopy(Clock& clock, std::stop_token stop, CopyProgress& progress)
      : clock_(clock), stop_(std::move(stop)), progress_(progress) {}

  // What a pass would find; nothing is read but directories.
  Result<CopyReport> count(drivers::Tree& from);
  // One pass. What stands in `to` and not in `from` is removed: `to` must be ours alone. Errors: those of either
  // server; failed_precondition when the target's does not keep owner, mode, content or time as they were sent.
  Result<CopyReport> pass(drivers::Tree& from, drivers::Tree& to);

 private:
  struct Level;
  class Pass;
  [[nodiscard]] OpContext op() const;
  Clock& clock_;
  std::stop_token stop_;
  CopyProgress& progress_;
};

}  // namespace homeport::cli
