// How names and paths are spelled, and how they are looked up.
#include "provisioner/trees/tree_path.h"

#include "tests/unit/trees/tree_copy_fixture.h"

namespace homeport::trees {
namespace {

TEST(TreePath, WhatIsRefused) {
  struct Row {
    const char* name;
    std::string text;
    const char* says;
  };
  const std::vector<Row> rows{
      {"absolute", "/etc/passwd", "absolute"},
      {"root", "/", "absolute"},
      {"up", "..", "'..'"},
      {"up in the middle", "work/../../other", "'..'"},
      {"here", "./work", "'.'"},
      {"two slashes", "work//a", "empty part"},
      {"slash at the end", "work/", "empty part"},
      {"newline", "a\nb", "control"},
      {"escape character", "a\x1b[2J", "control"},
      {"delete", "a\x7f", "control"},
      {"zero byte", std::string("a\0b", 3), "control"},
      {"up, spelled out", "work/\\x2e\\x2e/secret", "'..'"},
      {"a slash, spelled out", "a\\x2fb", "slash"},
      {"a zero, spelled out", "a\\x00b", "zero byte"},
      {"half an escape", "a\\x4", "backslash"},
      {"unknown escape", "a\\n", "backslash"},
      {"lone backslash", "a\\", "backslash"},
      {"long name", std::string(256, 'a'), "255"},
      {"long path",
       [] {
         std::string out = "a";
         for (int i = 0; i < 2100; ++i) out += "/a";
         return out;
       }(),
       "4096"},
  };
  for (const auto& row : rows) {
    const auto path = TreePath::parse(row.text);
    ASSERT_ERRC(path, Errc::invalid_argument) << row.name;
    EXPECT_NE(path.error().message.find(row.says), std::string::npos) << row.name << ": " << path.error().message;
    EXPECT_FALSE(path.error().hint.empty()) << row.name;
  }
}

TEST(TreePath, EveryNameHasASpellingThatLeadsBack) {
  const std::vector<std::pair<std::string, std::string>> rows{
      {"plain.txt", "plain.txt"},
      {"-rf", "-rf"},
      {"caf\xc3\xa9 \xe2\x9c\x93", "caf\xc3\xa9 \xe2\x9c\x93"},
      {"caf\xe9", "caf\\xe9"},
      {"\xff\xfe", "\\xff\\xfe"},
      {"new\nline", "new\\x0aline"},
      {"back\\slash", "back\\\\slash"},
      {"\\x41", "\\\\x41"},
      {"right\xe2\x80\xaeto left", "right\\xe2\\x80\\xaeto left"},
      {"half \xe2\x82", "half \\xe2\\x82"},
  };
  for (const auto& [name, text] : rows) {
    EXPECT_EQ(name_text(name), text);
    const auto path = TreePath::parse("work/" + text);
    ASSERT_OK(path) << text;
    EXPECT_EQ(path->name(), name);
    EXPECT_EQ(path->text(), "work/" + text);
    EXPECT_EQ(path->parent().text(), "work");
  }
  for (int byte = 1; byte < 256; ++byte) {
    if (byte == '/') continue;
    const std::string name = "a" + std::string(1, static_cast<char>(byte)) + "b";
    const auto path = TreePath::parse(name_text(name));
    ASSERT_OK(path) << byte;
    EXPECT_EQ(path->name(), name) << byte;
  }
  EXPECT_TRUE(TreePath::parse("").value().is_root());
}

TEST(Viewer, MayDoWhatTheModeSays) {
  const Viewer alice{.uid = Uid{1001}, .gids = {Gid{1001}, Gid{50}}};
  const auto of = [](std::uint32_t uid, std::uint32_t gid, std::uint32_t mode) {
    return EntryAttributes{.type = EntryType::directory, .mode = mode, .uid = Uid{uid}, .gid = Gid{gid}};
  };
  EXPECT_TRUE(alice.may(of(1001, 1001, 0700), Viewer::read | Viewer::write | Viewer::search));
  EXPECT_FALSE(alice.may(of(1001, 1001, 0077), Viewer::read)) << "the owner's bits count, and no others";
  EXPECT_TRUE(alice.may(of(0, 50, 0750), Viewer::read | Viewer::search));
  EXPECT_FALSE(alice.may(of(0, 50, 0705), Viewer::read));
  EXPECT_FALSE(alice.may(of(0, 0, 0700), Viewer::search));
  EXPECT_TRUE(alice.may(of(0, 0, 0701), Viewer::search));
  EXPECT_FALSE(alice.may(of(0, 0, 0755), Viewer::write | Viewer::search));
}

TEST_F(TreeCopyTest, NoLinkIsFollowedOnTheWay) {
  fill();
  const auto tree = local();
  const auto find = [&](const char* text) { return find_entry(op(), *tree, TreePath::parse(text).value(), {}); };
  const auto there = find("deep/er/big");
  ASSERT_OK(there);
  ASSERT_TRUE(*there);
  EXPECT_EQ((*there)->name, "big");
  EXPECT_TRUE(*find("\\xff\\xfe"));
  EXPECT_FALSE(*find("deep/er/none"));
  EXPECT_FALSE(*find("none/at/all"));
  for (const char* path : {"deep/inside/big", "outside/x", "deep/up/x"}) {
    const auto linked = find(path);
    ASSERT_ERRC(linked, Errc::failed_precondition) << path;
    EXPECT_NE(linked.error().message.find("link"), std::string::npos) << linked.error().message;
  }
  ASSERT_ERRC(find("notes.txt/x"), Errc::failed_precondition);
  EXPECT_TRUE(*find("deep/inside")) << "the link itself can be named";
  const Viewer nobody{.uid = Uid{4711}, .gids = {}};
  EXPECT_ERRC(find_entry(op(), *tree, TreePath::parse("locked/kept").value(), nobody), Errc::forbidden);
}

}  // namespace
}  // namespace homeport::trees
