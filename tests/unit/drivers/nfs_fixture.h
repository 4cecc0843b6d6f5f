// A driver over a real NFS-Ganesha, and the server's own disk beside it.
#pragma once

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "drivers/core/factory.h"
#include "drivers/core/optional.h"
#include "drivers/nfs/nfs_driver_factory.h"
#include "tests/support/ganesha.h"
#include "tests/support/result_matchers.h"

namespace homeport::drivers::testing {

using homeport::testing::Ganesha;
using homeport::testing::GaneshaExport;
using homeport::testing::GaneshaOptions;
using homeport::testing::has_errc;
using homeport::testing::is_ok;

inline constexpr const char* kExport = "/export/homes";

class NfsFixture : public ::testing::Test {
 protected:
  // Starts the server and makes a driver for it. Call with ASSERT_NO_FATAL_FAILURE.
  void serve(std::vector<GaneshaExport> exports = {{.path = kExport}},
             GaneshaOptions options = {.attribute_cache = false}) {
    auto started = Ganesha::start(std::move(exports), std::move(options));
    ASSERT_OK(started);
    server_ = std::move(started).value();
    driver_ = make(section());
    ASSERT_NE(driver_, nullptr);
  }
  [[nodiscard]] nlohmann::json section() const {
    return {{"service",
             {{"server", Ganesha::address()},
              {"nfs_port", server_->port()},
              {"mount_port", server_->mount_port()},
              {"timeout", "5s"}}},
            {"pools", {{{"name", "main"}, {"export", kExport}}}}};
  }
  [[nodiscard]] std::unique_ptr<StorageDriver> make(const nlohmann::json& config) {
    auto made = make_nfs_driver("nas", config, {.clock = clock_.get()});
    EXPECT_OK(made);
    return made ? std::move(made).value() : nullptr;
  }
  [[nodiscard]] OpContext op(std::chrono::milliseconds limit = std::chrono::seconds(30)) const {
    return {.request_id = "test", .deadline = clock_->mono() + limit};
  }
  [[nodiscard]] static SpaceKey key(std::uint64_t number) { return SpaceKey::from_random(SpaceKind::home, number); }
  [[nodiscard]] static CreateSpec spec(std::uint64_t number, std::uint32_t uid = 1001) {
    const auto k = key(number);
    return {.pool = "main",
            .key = k,
            .name = "hp-" + k.str(),
            .owner = Owner{Uid{uid}, Gid{100}},
            .marker = Marker{.key = k, .id = {}, .aliases = {"alice"}, .owner = "u-0000000000000001"}};
  }
  // On the server's disk.
  [[nodiscard]] std::filesystem::path disk(const std::string& below = "") const {
    return server_->directory(kExport) / below;
  }
  [[nodiscard]] std::filesystem::path home(std::uint64_t number) const { return disk("homes/hp-" + key(number).str()); }
  [[nodiscard]] std::filesystem::path marker_file(std::uint64_t number) const {
    return disk(".homeport/markers/" + key(number).str() + ".json");
  }
  [[nodiscard]] std::filesystem::path trashed(std::uint64_t number) const {
    return disk(".homeport/trash/hp-" + key(number).str());
  }
  static struct ::stat attributes(const std::filesystem::path& path) {
    struct ::stat found {};
    EXPECT_EQ(::lstat(path.c_str(), &found), 0) << path;
    return found;
  }
  static void put(const std::filesystem::path& path, const std::string& text = "text") {
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << text;
  }
  // Every name below a directory of the server's disk, sorted.
  static std::vector<std::string> names_below(const std::filesystem::path& root) {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root))
      names.push_back(entry.path().string());
    std::sort(names.begin(), names.end());
    return names;
  }
  // Purges to the end; the number of steps, 0 after a failure.
  int purge_all(const ObjectRef& ref) {
    std::optional<Cursor> cursor;
    for (int steps = 1; steps < 1000; ++steps) {
      auto step = driver_->purge(op(), ref, cursor);
      EXPECT_OK(step);
      if (!step) return 0;
      cursor = step->next;
      if (!cursor) return steps;
    }
    return 0;
  }

  std::unique_ptr<Clock> clock_ = make_system_clock();
  std::unique_ptr<Ganesha> server_;
  std::unique_ptr<StorageDriver> driver_;
};

}  // namespace homeport::drivers::testing
