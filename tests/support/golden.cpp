#include "tests/support/golden.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace homeport::testing {

std::string source_path(const std::string& relative) {
  return std::string(HOMEPORT_SOURCE_DIR) + "/" + relative;
}

std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  EXPECT_TRUE(in.good()) << "cannot read " << path;
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

void expect_golden(const std::string& actual, const std::string& name) {
  const std::string path = source_path("tests/golden/" + name);
  if (std::getenv("HOMEPORT_UPDATE_GOLDEN") !=
      nullptr) {  // NOLINT(concurrency-mt-unsafe): tests are single-threaded here
    std::filesystem::create_directories(std::filesystem::path(path).parent_path());
    std::ofstream(path, std::ios::binary) << actual;
    GTEST_SKIP() << "rewrote " << path;
  }
  EXPECT_EQ(actual, read_file(path)) << "differs from " << path << "; HOMEPORT_UPDATE_GOLDEN=1 rewrites it";
}

}  // namespace homeport::testing
