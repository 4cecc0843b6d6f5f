#include "provisioner/base/fault_point.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <vector>

namespace homeport {
namespace {

// Runs in a process of its own: the environment is read once, at start.
TEST(FaultPointChild, DISABLED_PassesThreePoints) {
  fault_point("store.begin");
  fault_point("nfs:mkdir");
  fault_point("nfs:mkdir");
}

class FaultPoint : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "homeport-fault-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  // The child's wait status.
  int run(const std::string& point) {
    std::vector<std::string> arguments{"/proc/self/exe", "--gtest_filter=FaultPointChild.*",
                                       "--gtest_also_run_disabled_tests"};
    std::vector<std::string> variables{"HOMEPORT_FAULT_TRACE=" + trace_file(), "PATH=/usr/bin:/bin"};
    if (!point.empty()) variables.push_back("HOMEPORT_FAULT_POINT=" + point);
    std::vector<char*> argv;
    for (auto& a : arguments) argv.push_back(a.data());
    argv.push_back(nullptr);
    std::vector<char*> envp;
    for (auto& v : variables) envp.push_back(v.data());
    envp.push_back(nullptr);
    posix_spawn_file_actions_t actions{};
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    pid_t child = 0;
    EXPECT_EQ(::posix_spawn(&child, std::filesystem::read_symlink("/proc/self/exe").c_str(), &actions, nullptr,
                            argv.data(), envp.data()),
              0);
    ::posix_spawn_file_actions_destroy(&actions);
    int status = -1;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    return status;
  }
  std::string trace_file() const { return directory_ + "/trace"; }
  std::string trace() const {
    std::ifstream in(trace_file());
    std::ostringstream out;
    out << in.rdbuf();
    return out.str();
  }
  std::string directory_;
};

bool killed(int status) {
  return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

TEST_F(FaultPoint, TheTraceNamesEveryPassage) {
  const int status = run("");
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  EXPECT_EQ(trace(), "store.begin:1\nnfs:mkdir:1\nnfs:mkdir:2\n");
}

TEST_F(FaultPoint, ANameDiesAtItsFirstPassage) {
  EXPECT_TRUE(killed(run("nfs:mkdir")));
  EXPECT_EQ(trace(), "store.begin:1\nnfs:mkdir:1\n");
}

TEST_F(FaultPoint, ALineOfTheTraceDiesThere) {
  EXPECT_TRUE(killed(run("nfs:mkdir:2")));
  EXPECT_EQ(trace(), "store.begin:1\nnfs:mkdir:1\nnfs:mkdir:2\n");
}

TEST_F(FaultPoint, AnotherNameLetsItLive) {
  const int status = run("nobody.passes:1");
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

TEST_F(FaultPoint, UnarmedItIsNothing) {
  EXPECT_FALSE(detail::fault_points_armed);
}

}  // namespace
}  // namespace homeport
