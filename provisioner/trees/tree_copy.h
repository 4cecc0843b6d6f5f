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

namespace homeport::trees {

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
  // Stayed as they are although the source has something else there: see CopyPart::keep_others.
  std::vector<Note> in_the_way{};
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

// How a copy calls the two trees. Asked for before each call.
struct CopyCalls {
  std::function<OpContext()> reading;  // towards the source
  std::function<OpContext()> writing;  // towards the target
  // Before each entry and after each piece of a file: an error ends the pass.
  std::function<Result<void>()> each_piece = [] { return Result<void>{}; };
};

// A pass into a place that others use meanwhile.
struct CopyPart {
  // Set: this one entry of the source, into the directory `into` of the target, with its own attributes. Not set: all
  // that is below the source's root, to below the target's.
  std::optional<drivers::Entry> only{};
  drivers::Node into{};
  // A directory of the target that nobody else writes into: files and links are made there, and renamed over what
  // stands under their name once they are whole. Not set: they are made under their name.
  std::optional<drivers::Node> staging{};
  // What the source does not have stays, and so does what is a directory on one side only.
  bool keep_others = false;
  // Right below the two roots: is neither copied nor removed.
  std::string spared_prefix{};
  // A file that was changed after this moment is compared by content before it counts as the same.
  std::optional<WallTime> unchanged_since{};
};

class TreeCopy {
 public:
  // `may_write_until`: nothing is sent to the target that could be done after it; it may move on meanwhile.
  TreeCopy(
      Clock& clock, std::stop_token stop, CopyProgress& progress,
      std::function<MonoTime()> may_write_until = [] { return MonoTime::max(); });
  TreeCopy(CopyCalls calls, CopyProgress& progress) : calls_(std::move(calls)), progress_(progress) {}

  // What a pass would find; nothing is read but directories.
  Result<CopyReport> count(drivers::Tree& from);
  Result<CopyReport> count(drivers::Tree& from, const CopyPart& part);
  // One pass. What stands in `to` and not in `from` is removed: `to` must be ours alone. Errors: those of either
  // server; failed_precondition when the target's does not keep owner, mode, content or time as they were sent.
  Result<CopyReport> pass(drivers::Tree& from, drivers::Tree& to);
  Result<CopyReport> pass(drivers::Tree& from, drivers::Tree& to, const CopyPart& part);

 private:
  struct Level;
  class Pass;
  CopyCalls calls_;
  CopyProgress& progress_;
  bool no_links_ = false;  // the target's server makes no second names: learned in one pass, known in the next
};

// An entry of `dir` and everything below it. Links are removed, never followed. Returns how many were.
[[nodiscard]] Result<std::uint64_t> remove_all(const std::function<OpContext()>& op, drivers::Tree& tree,
                                               const drivers::Node& dir, const drivers::Entry& entry);

}  // namespace homeport::trees
