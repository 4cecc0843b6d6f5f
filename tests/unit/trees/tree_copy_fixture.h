// Copies from a real directory of this machine into the memory backend, and a tree that a test looks into.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>

#include "drivers/local/local_tree.h"
#include "drivers/memory/memory_driver.h"
#include "provisioner/trees/tree_copy.h"
#include "tests/unit/drivers/driver_fixtures.h"

namespace homeport::trees {

// NOLINTBEGIN(google-global-names-in-headers): the tests' own header
using namespace drivers;
using namespace std::chrono_literals;
namespace fs = std::filesystem;
// NOLINTEND(google-global-names-in-headers)

// Forwards; a test looks in before each call that changes, and after each that reads.
class WatchedTree final : public Tree {
 public:
  explicit WatchedTree(Tree& inner) : inner_(inner) {}
  std::function<Result<void>()> before_change = [] { return Result<void>{}; };
  std::function<Result<void>(std::span<std::byte>)> after_read = [](auto) { return Result<void>{}; };
  std::function<Result<void>(const OpContext&, ListPage&)> after_list = [](auto&, auto&) { return Result<void>{}; };
  // As if the command was killed once so many changes were made.
  void kill_after(int changes) {
    before_change = [left = changes]() mutable -> Result<void> {
      if (left-- > 0) return {};
      return Error{.code = Errc::cancelled, .message = "killed"};
    };
  }
  bool links = true;  // false: a server that makes no second names

  [[nodiscard]] Entry root() const override { return inner_.root(); }
  Result<std::optional<Entry>> lookup(const OpContext& op, const Node& dir, std::string_view name) override {
    return inner_.lookup(op, dir, name);
  }
  Result<EntryAttributes> stat(const OpContext& op, const Node& node) override { return inner_.stat(op, node); }
  std::vector<Result<ListPage>> list(const OpContext& op, std::span<const ListRequest> requests) override {
    auto pages = inner_.list(op, requests);
    for (auto& page : pages) {
      if (!page) continue;
      if (auto good = after_list(op, *page); !good) page = std::move(good).error();
    }
    return pages;
  }
  Result<std::size_t> read(const OpContext& op, const Node& file, std::uint64_t offset,
                           std::span<std::byte> into) override {
    HOMEPORT_TRY(const auto got, inner_.read(op, file, offset, into));
    HOMEPORT_CHECK(after_read(into.first(got)));
    return got;
  }
  Result<std::string> read_link(const OpContext& op, const Node& link) override { return inner_.read_link(op, link); }
  Result<Entry> make_directory(const OpContext& op, const Node& dir, std::string_view name,
                               const AttributeChange& attributes) override {
    HOMEPORT_CHECK(before_change());
    return inner_.make_directory(op, dir, name, attributes);
  }
  Result<Entry> make_file(const OpContext& op, const Node& dir, std::string_view name,
                          const AttributeChange& attributes) override {
    HOMEPORT_CHECK(before_change());
    return inner_.make_file(op, dir, name, attributes);
  }
  Result<Entry> make_link(const OpContext& op, const Node& dir, std::string_view name, std::string_view target,
                          Owner owner) override {
    HOMEPORT_CHECK(before_change());
    return inner_.make_link(op, dir, name, target, owner);
  }
  Result<void> link(const OpContext& op, const Node& file, const Node& dir, std::string_view name) override {
    HOMEPORT_CHECK(before_change());
    if (!links) return Error{.code = Errc::failed_precondition, .message = "NFS3ERR_NOTSUPP"};
    return inner_.link(op, file, dir, name);
  }
  Result<void> write(const OpContext& op, const Node& file, std::uint64_t offset,
                     std::span<const std::byte> data) override {
    HOMEPORT_CHECK(before_change());
    return inner_.write(op, file, offset, data);
  }
  Result<void> set_attributes(const OpContext& op, const Node& node, const AttributeChange& change) override {
    HOMEPORT_CHECK(before_change());
    return inner_.set_attributes(op, node, change);
  }
  Result<void> rename(const OpContext& op, const Node& from_dir, std::string_view from, const Node& to_dir,
                      std::string_view to) override {
    HOMEPORT_CHECK(before_change());
    return inner_.rename(op, from_dir, from, to_dir, to);
  }
  std::vector<Result<void>> remove(const OpContext& op, std::span<const Removal> removals) override {
    if (auto good = before_change(); !good) return {removals.size(), good};
    return inner_.remove(op, removals);
  }

 private:
  Tree& inner_;
};

class TreeCopyTest : public ::testing::Test {
 protected:
  TreeCopyTest() {
    std::string pattern = (fs::temp_directory_path() / "homeport-copy-XXXXXX").string();
    root_ = ::mkdtemp(pattern.data());
    auto made = driver_.create(op(), testing::spec_for(testing::key_number(1)));
    EXPECT_OK(made);
    object_ = std::move(made).value().ref;
  }
  ~TreeCopyTest() override {
    std::error_code ignored;
    fs::permissions(root_ / "locked", fs::perms::owner_all, ignored);
    fs::remove_all(root_, ignored);
  }

  OpContext op() { return testing::op_within(clock_, 60s); }
  void file(const std::string& name, const std::string& text) const {
    std::ofstream(root_ / name, std::ios::binary) << text;
  }
  // Another moment than now, so that a time which was not set shows.
  void age(const std::string& name, long seconds, long nanoseconds = 123'456'789) const {
    const std::array<timespec, 2> times{
        {{.tv_sec = seconds, .tv_nsec = nanoseconds}, {.tv_sec = seconds, .tv_nsec = nanoseconds}}};
    ASSERT_EQ(::utimensat(AT_FDCWD, (root_ / name).c_str(), times.data(), AT_SYMLINK_NOFOLLOW), 0);
  }
  void fill() const {
    file("notes.txt", "hello");
    file("empty", "");
    file("-rf", "dash");
    file("new\nline", "odd");
    file("\xff\xfe", "no text");
    fs::create_directories(root_ / "deep/er");
    file("deep/er/big", std::string(1'500'000, 'b') + "end");
    file("sparse", "start");
    fs::resize_file(root_ / "sparse", 5'000'000);
    fs::create_symlink("/etc/passwd", root_ / "outside");
    fs::create_symlink("../..", root_ / "deep/up");
    fs::create_directory_symlink("er", root_ / "deep/inside");
    fs::create_directory(root_ / "locked");
    file("locked/kept", "k");
    ::chmod((root_ / "locked").c_str(), 0500);
    ::chmod((root_ / "notes.txt").c_str(), 0640);
    for (const char* name : {"notes.txt", "empty", "sparse", "deep/er/big", "locked"}) age(name, 1'600'000'000);
  }

  std::unique_ptr<Tree> local() {
    auto tree = open_local_tree(AbsolutePath::parse(root_.string()).value());
    EXPECT_OK(tree);
    return std::move(tree).value();
  }
  std::unique_ptr<Tree> home() {
    auto tree = driver_.open_tree(op(), object_, {});
    EXPECT_OK(tree);
    return std::move(tree).value();
  }
  Result<CopyReport> pass(Tree& from, Tree& to) {
    return TreeCopy(clock_, stop_.get_token(), progress_).pass(from, to);
  }

  // path -> everything that must be the same, in words.
  void picture(Tree& tree, const Node& dir, const std::string& path, std::map<std::string, std::string>& out) {
    const std::array<ListRequest, 1> wanted{{{.directory = dir, .from = {}}}};
    std::vector<Entry> entries;
    auto request = wanted;
    for (;;) {
      auto page = std::move(tree.list(op(), request).front());
      ASSERT_OK(page);
      for (auto& one : page->entries) entries.push_back(one);
      if (!page->next) break;
      request[0].from = page->next;
    }
    for (const auto& one : entries) {
      const auto& a = one.attributes;
      const auto name = path + "/" + one.name;
      std::string words = std::to_string(static_cast<int>(a.type)) + " " + std::to_string(a.uid.value) + ":" +
                          std::to_string(a.gid.value);
      if (a.type != EntryType::symlink) words += " " + std::to_string(a.mode) + " " + format_time(a.modified);
      if (a.type == EntryType::symlink) words += " -> " + tree.read_link(op(), one.node).value();
      if (a.type == EntryType::file) {
        std::vector<std::byte> data(a.size + 1);
        const auto got = tree.read(op(), one.node, 0, data);
        ASSERT_OK(got);
        words += " " + std::to_string(*got) + " " +
                 std::to_string(std::hash<std::string_view>{}({reinterpret_cast<const char*>(data.data()), *got}));
      }
      if (a.type != EntryType::other) out[name] = words;
      if (a.type == EntryType::directory) picture(tree, one.node, name, out);
    }
  }
  std::map<std::string, std::string> picture(Tree& tree) {
    std::map<std::string, std::string> out;
    picture(tree, tree.root().node, "", out);
    return out;
  }
  void expect_same() {
    const auto from = local();
    const auto to = home();
    EXPECT_EQ(picture(*from), picture(*to));
  }

  fs::path root_;
  testing::FakeClock clock_;
  MemoryDriver driver_{{}, clock_};
  ObjectRef object_{.pool = {}, .key = testing::key_number(1), .name = {}, .id = {}};
  std::stop_source stop_;
  CopyProgress progress_;
};

inline Error input_output(const std::string& what) {
  return Error{.code = Errc::unavailable,
               .message = what + ": Input/output error",
               .upstream = Upstream{.system = "local", .status = 5}};
}

}  // namespace homeport::trees
