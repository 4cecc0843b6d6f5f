// One export, mounted over NFSv3: raw calls by file handle. Never follows a link: no call here resolves a path.
//
// Threads: one at a time. Blocking: until op.deadline or the server's silence. Errors: see nfs_status.h; after
// transport trouble usable() is false for ever. A Node with an empty handle is a directory that is not there (yet): it
// holds nothing, and under a dry run it stands for one that would have been made. Dry run: every changing call goes
// through change(), which records it in op.calls and sends it only when op.dry_run is off; the channel below refuses a
// second time.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "drivers/nfs/mount_client.h"

namespace homeport::drivers::nfs {

// One entry of a directory: where a call acts, with the path for people.
struct Place {
  Node dir;
  std::string dir_path;
  std::string name;
  [[nodiscard]] std::string path() const { return dir_path == "/" ? "/" + name : dir_path + "/" + name; }
};

struct NameRequest {
  Node dir;
  std::string name;
};

struct FsStatus {  // RFC 1813 section 3.3.18
  std::uint64_t total_bytes = 0;
  std::uint64_t free_bytes = 0;  // to anybody but the superuser
  std::uint64_t free_files = 0;
  std::uint64_t total_files = 0;
};

enum class Existing { refuse, take };  // what CREATE does with a file that stands

class Session {
 public:
  static Result<std::unique_ptr<Session>> open(const OpContext& op, const Reach& reach, const std::string& export_path,
                                               Credentials who = {});

  [[nodiscard]] const Entry& root() const { return root_; }
  [[nodiscard]] const std::string& export_path() const { return export_path_; }
  [[nodiscard]] bool usable() const { return channel_->usable(); }
  [[nodiscard]] const RpcChannel& channel() const { return *channel_; }
  [[nodiscard]] std::uint32_t read_size() const { return read_size_; }
  // Learned from the first listing: the server has no READDIRPLUS, so each name costs a LOOKUP.
  [[nodiscard]] bool lists_names_only() const { return names_only_; }
  // Asks for the root handle again: after a STALE, when the export was moved or made anew.
  Result<void> remount(const OpContext& op);
  // From now on the calls are another user's.
  void become(const Credentials& who);

  // --- reads ---
  std::vector<Result<std::optional<Entry>>> lookup(const OpContext& op, std::span<const NameRequest> requests);
  Result<std::optional<Entry>> lookup(const OpContext& op, const Node& dir, const std::string& name);
  Result<EntryAttributes> attributes(const OpContext& op, const Node& node);
  std::vector<Result<ListPage>> list(const OpContext& op, std::span<const ListRequest> requests);
  Result<ListPage> list(const OpContext& op, const ListRequest& request);
  // Whole small files, at most `limit` bytes each; an empty handle reads as empty.
  std::vector<Result<std::string>> read_files(const OpContext& op, std::span<const Node> files, std::uint32_t limit);
  // Fewer bytes than asked for: the end of the file was reached.
  Result<std::size_t> read(const OpContext& op, const Node& file, std::uint64_t offset, std::span<std::byte> into);
  Result<std::string> read_link(const OpContext& op, const Node& link);
  Result<FsStatus> fs_status(const OpContext& op);
  // What of `wanted` (ACCESS3_… bits) the server would grant.
  Result<std::uint32_t> access(const OpContext& op, const Node& node, std::uint32_t wanted);

  // --- changes ---
  Result<Entry> make_directory(const OpContext& op, const Place& place, const AttributeChange& attributes);
  Result<Entry> make_file(const OpContext& op, const Place& place, const AttributeChange& attributes,
                          Existing existing);
  Result<Entry> make_link(const OpContext& op, const Place& place, const std::string& target);
  // One more name of a file: RFC 1813 section 3.3.15.
  Result<void> link(const OpContext& op, const Node& file, const Place& place);
  Result<void> set_attributes(const OpContext& op, const Node& node, const std::string& path,
                              const AttributeChange& change);
  // Modification time := the server's now.
  Result<void> touch(const OpContext& op, const Node& node, const std::string& path);
  // On stable storage when it returns.
  Result<void> write(const OpContext& op, const Node& file, const std::string& path, std::uint64_t offset,
                     std::span<const std::byte> data);
  Result<void> rename(const OpContext& op, const Place& from, const Place& to);
  // An absent name is success. `below` is the path people see.
  std::vector<Result<void>> remove(const OpContext& op, std::span<const Tree::Removal> removals,
                                   const std::string& below);
  Result<void> remove_one(const OpContext& op, const Place& place, bool is_directory);

 private:
  Session(const Reach& reach, std::string export_path, Credentials who)
      : reach_(reach), export_path_(std::move(export_path)), who_(std::move(who)) {}
  Result<void> connect(const OpContext& op);
  Result<void> mount(const OpContext& op);
  // The only way to the wire for a changing call. False: recorded, not sent.
  bool change(const OpContext& op, std::span<RpcCall> calls, const char* fault_before, const char* fault_after);
  Result<Entry> made(const OpContext& op, const Place& place, std::optional<Node> node,
                     std::optional<EntryAttributes> attributes);
  std::vector<Result<ListPage>> list_once(const OpContext& op, std::span<const ListRequest> requests);
  Result<void> complete(const OpContext& op, const Node& dir, std::vector<Entry>& entries, std::vector<bool>& known,
                        std::vector<ListPage::Unseen>* unseen);

  Reach reach_;
  std::string export_path_;
  Credentials who_;
  std::unique_ptr<RpcChannel> channel_;
  Entry root_{};
  std::uint32_t read_size_ = 65536;
  std::uint32_t write_size_ = 65536;
  bool names_only_ = false;  // the server has no READDIRPLUS
};

}  // namespace homeport::drivers::nfs
