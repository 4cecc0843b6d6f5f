// The whole driver over a fake array for management and a real NFS-Ganesha for data.
#pragma once

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "drivers/core/optional.h"
#include "drivers/decorators/wrap.h"
#include "drivers/flashblade/flashblade_driver_factory.h"
#include "tests/support/ganesha.h"
#include "tests/support/result_matchers.h"
#include "tests/unit/drivers/flashblade/fake_array.h"

namespace homeport::drivers {
namespace fs = std::filesystem;
using ::homeport::testing::ArrayCall;
using ::homeport::testing::error_body;
using ::homeport::testing::FakeArray;
using ::homeport::testing::Ganesha;
using ::homeport::testing::http_answer;
using ::homeport::testing::PeerAnswer;
using nlohmann::json;
using ::testing::HasSubstr;
using namespace homeport::literals;

constexpr const char* kOurs = "127.0.0.1(rw,no_root_squash)";

class ArrayDriverTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    auto started = Ganesha::start({{.path = "/array"}}, {.attribute_cache = false});
    ASSERT_OK(started);
    server_ = std::move(started).value();
  }
  static void TearDownTestSuite() { server_.reset(); }

  void SetUp() override {
    ASSERT_NE(server_, nullptr);
    serve({});
  }
  void TearDown() override {
    // The hooks of a case know its variables, which are gone; the driver still says goodbye to the array.
    if (array_) array_->before(nullptr);
    if (array_) array_->lose(nullptr);
    driver_.reset();
    fs::remove(token_);
  }
  void serve(FakeArray::Options options, const json& more = json::object()) {
    driver_.reset();
    // A directory of its own each time: a server remembers for a while what a path was.
    name_ = "array" + std::to_string(++arrays_);
    fs::create_directories(disk());
    options.disk = disk();
    array_ = std::make_unique<FakeArray>(std::move(options));
    make(more);
  }
  void make(const json& more = json::object()) {
    token_ = fs::temp_directory_path() / ("homeport-fb-token-" + std::to_string(::getpid()));
    std::ofstream(token_) << FakeArray::kToken;
    fs::permissions(token_, fs::perms::owner_read | fs::perms::owner_write);
    json section{
        {"management", {{"url", array_->url()}, {"plain_http", true}, {"api_token", {{"file", token_.string()}}}}},
        {"data",
         {{"address", Ganesha::address()},
          {"nfs_port", server_->port()},
          {"mount_port", server_->mount_port()},
          {"path_prefix", "/array/" + name_}}},
        {"exports", {{"homeport", {"127.0.0.1"}}, {"clients", {"10.20.0.0/16"}}}},
        {"pools", {{{"name", "homes"}}}}};
    section.merge_patch(more);
    auto made = make_flashblade_driver("fb", section, {.clock = clock_.get()});
    ASSERT_OK(made);
    driver_ = wrap(std::move(made).value(),
                   {.backend = "fb", .clock = *clock_, .retry = {.first = std::chrono::milliseconds(1)}});
  }
  [[nodiscard]] fs::path disk() const { return server_->directory("/array") / name_; }
  [[nodiscard]] OpContext op() const {
    return {.request_id = "t", .deadline = clock_->mono() + std::chrono::seconds(30)};
  }
  [[nodiscard]] static CreateSpec spec(std::uint64_t number) {
    const auto key = SpaceKey::from_random(SpaceKind::home, number);
    return {.layout = Layout::filesystem,
            .pool = "homes",
            .key = key,
            .name = "hp-" + key.str(),
            .owner = {Uid{4242}, Gid{4343}},
            .quota = 1_GiB,
            .marker = {.key = key, .id = {}, .owner = "u-0123456789abcdef"}};
  }
  // The one object that is wanted stands, whole, and nothing else does.
  void expect_whole(const CreateSpec& wanted, const Object& object) {
    const auto item = array_->look(wanted.name);
    ASSERT_TRUE(item.has_value());
    EXPECT_EQ((*item)["id"], object.ref.id);
    EXPECT_EQ((*item)["nfs"]["rules"], std::string(kOurs) + " 10.20.0.0/16(rw,root_squash)");
    EXPECT_EQ((*item)["provisioned"], (1_GiB).count());
    EXPECT_EQ((*item)["hard_limit_enabled"], true);
    struct ::stat root {};
    ASSERT_EQ(::stat((disk() / wanted.name).c_str(), &root), 0);
    EXPECT_EQ(root.st_uid, 4242U);
    EXPECT_EQ(root.st_mode & 07777U, 0700U);
    EXPECT_TRUE(fs::exists(disk() / "hp-admin" / "markers" / (wanted.key.str() + ".json")));
    EXPECT_THAT(array_->names(), ::testing::ElementsAre("hp-admin", wanted.name));
  }

  static inline std::unique_ptr<Ganesha> server_;
  static inline int arrays_ = 0;
  std::string name_;
  const std::unique_ptr<Clock> clock_ = make_system_clock();
  fs::path token_;
  std::unique_ptr<FakeArray> array_;
  std::unique_ptr<StorageDriver> driver_;
};

}  // namespace homeport::drivers
