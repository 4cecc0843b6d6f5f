#include "provisioner/config/secrets.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "provisioner/config/yaml_document.h"
#include "tests/support/result_matchers.h"

namespace homeport::config {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class SecretFile : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "homeport-secret-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }
  SecretRef write(const std::string& text, mode_t mode = 0600) {
    const std::string path = directory_ + "/secret";
    std::ofstream(path, std::ios::binary) << text;
    EXPECT_EQ(::chmod(path.c_str(), mode), 0);
    return SecretRef{.file = path};
  }
  std::string directory_;
};

TEST_F(SecretFile, LosesOneNewlineAtTheEnd) {
  for (const auto& [text, want] : std::map<std::string, std::string>{
           {"abc\n", "abc"}, {"abc", "abc"}, {"abc\r\n", "abc"}, {"abc\n\n", "abc\n"}, {" abc ", " abc "}}) {
    const auto secret = read_secret(write(text));
    ASSERT_OK(secret);
    EXPECT_EQ(secret->reveal(), want);
  }
}

TEST_F(SecretFile, IsReadAgainEachTime) {
  const auto ref = write("one\n");
  EXPECT_EQ(read_secret(ref)->reveal(), "one");
  write("two\n");
  EXPECT_EQ(read_secret(ref)->reveal(), "two");
}

TEST_F(SecretFile, MustBePrivate) {
  for (const mode_t mode : {0644U, 0640U, 0606U, 0620U}) {
    const auto secret = read_secret(write("hunter2\n", mode));
    ASSERT_ERRC(secret, Errc::failed_precondition);
    EXPECT_EQ(secret.error().hint, "run: chmod 600 '" + directory_ + "/secret'");
    EXPECT_THAT(secret.error().to_string(), Not(HasSubstr("hunter2")));
  }
  EXPECT_OK(read_secret(write("hunter2\n", 0400)));
}

TEST_F(SecretFile, RefusesWhatIsNoSecret) {
  EXPECT_ERRC(read_secret(write("\n")), Errc::failed_precondition);
  EXPECT_ERRC(read_secret(write(std::string(kMaxSecretBytes + 1, 'x'))), Errc::failed_precondition);
  EXPECT_OK(read_secret(write(std::string(kMaxSecretBytes, 'x') + "\n")));
  EXPECT_ERRC(read_secret(SecretRef{.file = directory_ + "/absent"}), Errc::not_found);
  EXPECT_ERRC(read_secret(SecretRef{.file = directory_}), Errc::failed_precondition);
  const std::string fifo = directory_ + "/fifo";
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  EXPECT_ERRC(read_secret(SecretRef{.file = fifo}), Errc::failed_precondition);  // and does not wait for a writer
}

TEST(SecretInEnvironment, IsRead) {
  ASSERT_EQ(::setenv("HOMEPORT_TEST_SECRET", "from-env", 1), 0);
  const auto secret = read_secret(SecretRef{.env = "HOMEPORT_TEST_SECRET"});
  ASSERT_OK(secret);
  EXPECT_EQ(secret->reveal(), "from-env");
  ::unsetenv("HOMEPORT_TEST_SECRET");
  EXPECT_ERRC(read_secret(SecretRef{.env = "HOMEPORT_TEST_SECRET"}), Errc::not_found);
}

struct Case {
  std::string name;
  std::string yaml;
  std::string problem;  // empty: a good reference
  friend void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }
};
class SecretReference : public ::testing::TestWithParam<Case> {};

TEST_P(SecretReference, IsCheckedAndNeverRepeated) {
  const auto document = parse_yaml_document("s: " + GetParam().yaml + "\n", "t");
  ASSERT_OK(document);
  Problems problems(*document);
  DocReader in = DocReader::root(problems);
  const auto ref = read_secret_ref(in, "s");
  if (GetParam().problem.empty()) {
    EXPECT_TRUE(problems.none()) << problems.text();
    EXPECT_TRUE(ref.has_value());
    return;
  }
  EXPECT_FALSE(ref.has_value());
  EXPECT_THAT(problems.text(), HasSubstr(GetParam().problem));
  EXPECT_THAT(problems.text(), Not(HasSubstr("hunter2")));
}

INSTANTIATE_TEST_SUITE_P(Table, SecretReference,
                         ::testing::Values(Case{"file", "{file: /etc/x}", ""}, Case{"env", "{env: A_B1}", ""},
                                           Case{"inPlace", "hunter2", "must say where the secret is"},
                                           Case{"list", "[hunter2]", "must say where"},
                                           Case{"both", "{file: /x, env: A}", "exactly one"},
                                           Case{"neither", "{}", "exactly one"},
                                           Case{"unknownKey", "{file: /x, mode: 1}", "'mode' is not known"},
                                           Case{"relative", "{file: x/y}", "is not absolute"},
                                           Case{"dots", "{file: /x/../y}", "'..'"},
                                           Case{"badName", "{env: 'A B'}", "not the name of an environment variable"},
                                           Case{"digitFirst", "{env: 1A}", "not the name of an environment variable"}),
                         [](const auto& row) { return row.param.name; });

}  // namespace
}  // namespace homeport::config
