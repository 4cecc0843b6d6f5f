// Against glibc's own switch with a database of ours behind it. nsswitch.conf is replaced in a mount namespace of this
// process alone, which needs root.
#include "drivers/identity/nss_source.h"

#include <dlfcn.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <fstream>

#include <gmock/gmock.h>

#include "drivers/identity/bounded_source.h"
#include "tests/support/result_matchers.h"

namespace homeport::drivers::identity {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

UserName user(std::string_view name) {
  return UserName::parse(name).value();
}

class NssSourceTest : public ::testing::Test {
 protected:
  // Before anything of this process asks the C library for users: it reads the file once.
  static void SetUpTestSuite() {
    if (::geteuid() != 0) return;
    std::string conf = "/tmp/homeport-nsswitch-XXXXXX";
    const int fd = ::mkstemp(conf.data());
    ASSERT_GE(fd, 0);
    ::close(fd);
    std::ofstream(conf) << "passwd: files homeporttest\ngroup: files homeporttest\ninitgroups: files homeporttest\n";
    // glibc finds a module that is loaded already by its name.
    module_ = ::dlopen(HOMEPORT_NSS_MODULE, RTLD_NOW);
    ASSERT_NE(module_, nullptr) << ::dlerror();
    ready_ = ::unshare(CLONE_NEWNS) == 0 && ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
             ::mount(conf.c_str(), "/etc/nsswitch.conf", nullptr, MS_BIND, nullptr) == 0;
    ::unlink(conf.c_str());
  }
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "replacing nsswitch.conf for this process needs root";
    ASSERT_TRUE(ready_) << "a mount namespace of its own is refused to this process";
  }
  static void release() {
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): that is how dlsym gives functions
    reinterpret_cast<void (*)()>(::dlsym(module_, "homeporttest_release"))();
  }
  [[nodiscard]] OpContext op() const { return {.request_id = "test", .deadline = clock_->mono() + 1min}; }

  inline static void* module_ = nullptr;
  inline static bool ready_ = false;
  std::unique_ptr<Clock> clock_ = make_system_clock();
  NssSource nss_;
};

TEST_F(NssSourceTest, uid_gid_and_groups) {
  const auto found = nss_.find(op(), user("alice"));
  ASSERT_OK(found);
  ASSERT_TRUE(found->has_value());
  EXPECT_EQ((*found)->uid, 70001U);
  EXPECT_EQ((*found)->gid, 70000U);
  EXPECT_THAT((*found)->gids, ElementsAre(70011U, 70012U));
  EXPECT_THAT((*found)->groups, ElementsAre("g70000", "g70012")) << "70011 has no name";
  const auto root = nss_.find(op(), user("root"));
  ASSERT_OK(root);
  EXPECT_EQ((*root)->uid, 0U) << "whether that may be is the core's business";
  EXPECT_OK(nss_.check(op()));
}

TEST_F(NssSourceTest, unknown_is_not_an_error) {
  for (const auto* name : {"nobody-of-that-name", "a:b", "é", "*"}) {
    const auto found = nss_.find(op(), user(name));
    ASSERT_OK(found);
    EXPECT_FALSE(found->has_value()) << name;
  }
}

TEST_F(NssSourceTest, a_database_that_fails_is_not_unknown) {
  for (const auto* name : {"down", "later", "endless", "brokengroup"}) {
    SCOPED_TRACE(name);
    const auto found = nss_.find(op(), user(name));
    ASSERT_ERRC(found, Errc::unavailable);
    EXPECT_THAT(found.error().hint, HasSubstr("nsswitch.conf"));
  }
}

TEST_F(NssSourceTest, large_entries_and_many_groups) {
  EXPECT_OK(nss_.find(op(), user("large")));
  const auto found = nss_.find(op(), user("many"));
  ASSERT_OK(found);
  EXPECT_EQ((*found)->gids.size(), 3000U);
  EXPECT_TRUE(std::is_sorted((*found)->gids.begin(), (*found)->gids.end()));
}

TEST_F(NssSourceTest, a_database_that_hangs_holds_nobody_up) {
  const auto source = std::make_shared<NssSource>();
  {
    BoundedSource bounded(source, {.timeout = 100ms, .max_calls = 2, .farewell = 0ms}, *clock_);
    EXPECT_ERRC(bounded.find(op(), user("hangs")), Errc::timed_out);
    EXPECT_OK(bounded.find(op(), user("root"))) << "others are answered meanwhile";
  }
  release();
  while (source.use_count() > 1) clock_->sleep_for(1ms, {});
}

}  // namespace
}  // namespace homeport::drivers::identity
