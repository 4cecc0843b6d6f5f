// One tree made the same as another: content, owners, modes, modification times, links as links. Pure but for the two
// trees: no HTTP, no text for a terminal.
//
// A pass can be stopped, or die, at any point and be repeated: a file gets its modification time last, after it was
// read back, so that one which has the time of its source is whole. The source is only read. The names of one file are
// names of one file again; where the target's server has no such thing, each becomes a file of its own, counted. Not
// kept: times of links, fractions of a millisecond, ACLs and extended attributes, holes smaller than 64 KiB, the owner
// and mode of the root.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
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
  std::uint64_t bytes = 0;           // of content; that of a file with several names once
  std::uint64_t several_names = 0;   // names of files that have more than one
  std::uint64_t separate = 0;        // of these: became files of their own, since the server makes no second name
  std::uint64_t separate_bytes = 0;  // and what that costs; it is in `bytes`
  std::uint64_t copied = 0;          // entries that had to be made or changed in this pass
  std::uint64_t removed = 0;         // entries of the target that the source does not have
  struct Note {
    std::string path;  // below the root, raw bytes
    std::string why;
  };
  // Not copied, and never will be: sockets, pipes, devices, other filesystems mounted there.
  std::vector<Note> left_behind{};
  // Could not be read. The copy is not complete. A thousand at most: with more, the pass fails.
  std::vector<Note> unreadable{};
  // Changed while they were read; the next pass takes them again. The copy is not complete.
  std::vector<Note> changing{};
  [[nodiscard]] bool complete() const { return unreadable.empty() && changing.empty(); }
};

// Is it the fault of the one file or directory that was asked for? Then others can be read. Of errors of a source.
[[nodiscard]] bool is_of_the_entry(const Error& error);

// All of a directory.
struct Listing {
  std::vector<drivers::Entry> entries{};  // each name once
  std::vector<drivers::ListPage::Unseen> unseen{};
};
// `op` is asked for each page: a directory of a million entries takes its time. Errors: those of the tree.
[[nodiscard]] Result<Listing> list_all(const std::function<OpContext()>& op, drivers::Tree& tree,
                                       const drivers::Node& directory, bool with_unseen);

class TreeCopy {
 public:
  // `may_write_until`: nothing is sent to the target that could be done after it; it may move on meanwhile.
  TreeCopy(
      Clock& clock, std::stop_token stop, CopyProgress& progress,
      std::function<MonoTime()> may_write_until = [] { return MonoTime::max(); })
      : clock_(clock), stop_(std::move(stop)), progress_(progress), may_write_until_(std::move(may_write_until)) {}

  // What a pass would find; nothing is read but directories.
  Result<CopyReport> count(drivers::Tree& from);
  // One pass. What stands in `to` and not in `from` is removed: `to` must be ours alone. Errors: those of either
  // server; failed_precondition when the target's does not keep owner, mode, content or time as they were sent.
  Result<CopyReport> pass(drivers::Tree& from, drivers::Tree& to);

 private:
  struct Level;
  class Pass;
  [[nodiscard]] OpContext op() const;       // towards the source
  [[nodiscard]] OpContext writing() const;  // towards the target
  Clock& clock_;
  std::stop_token stop_;
  CopyProgress& progress_;
  std::function<MonoTime()> may_write_until_;
  bool no_links_ = false;  // the target's server makes no second names: learned in one pass, known in the next
};

}  // namespace homeport::cli
