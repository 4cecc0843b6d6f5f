// What the store tests share: a directory that goes away, records, a raw look into the file.
#pragma once

#include <gtest/gtest.h>
#include <sqlite3.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "provisioner/store/open.h"
#include "provisioner/store/records.h"
#include "tests/support/fake_clock.h"
#include "tests/support/result_matchers.h"

namespace homeport::store::testing {

using homeport::testing::FakeClock;
using namespace std::chrono_literals;

class TempDir {
 public:
  TempDir() {
    std::string pattern = ::testing::TempDir() + "/homeport-store-XXXXXX";
    path_ = ::mkdtemp(pattern.data());
  }
  ~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string file(const std::string& name) const { return path_ + "/" + name; }
  [[nodiscard]] std::string db() const { return file("homeport.db"); }
  // Names that start with `prefix`.
  [[nodiscard]] std::vector<std::string> names(const std::string& prefix) const {
    std::vector<std::string> out;
    for (const auto& entry : std::filesystem::directory_iterator(path_)) {
      if (entry.path().filename().string().starts_with(prefix)) out.push_back(entry.path().filename().string());
    }
    return out;
  }

 private:
  std::string path_;
};

// A connection past all our code, as somebody with a SQLite shell would have.
class RawDatabase {
 public:
  explicit RawDatabase(const std::string& file) {
    EXPECT_EQ(sqlite3_open(file.c_str(), &handle_), SQLITE_OK);
    sqlite3_busy_timeout(handle_, 5000);
  }
  ~RawDatabase() { sqlite3_close(handle_); }
  RawDatabase(const RawDatabase&) = delete;
  RawDatabase& operator=(const RawDatabase&) = delete;
  void run(const std::string& sql) {
    char* message = nullptr;
    EXPECT_EQ(sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, &message), SQLITE_OK) << (message ? message : "");
    sqlite3_free(message);
  }
  // First column of every row.
  std::vector<std::string> column(const std::string& sql) {
    std::vector<std::string> out;
    const auto add = [](void* rows, int, char** values, char**) {
      static_cast<std::vector<std::string>*>(rows)->emplace_back(values[0] == nullptr ? "" : values[0]);
      return 0;
    };
    EXPECT_EQ(sqlite3_exec(handle_, sql.c_str(), add, &out, nullptr), SQLITE_OK) << sqlite3_errmsg(handle_);
    return out;
  }

 private:
  sqlite3* handle_ = nullptr;
};

inline std::string bytes_of(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

inline CounterRecord counter(const std::string& name, std::uint64_t value) {
  return CounterRecord{.name = name, .value = value};
}
inline Result<void> put_counter(Store& store, const std::string& name, std::uint64_t value) {
  return store.write("test.counter", [&](WriteTransaction& tx) -> Result<void> {
    auto record = counter(name, value);
    return put(tx, record, Expect::any());
  });
}
// nullopt: not there.
inline std::optional<CounterRecord> counter_in(Store& store, const std::string& name) {
  std::optional<CounterRecord> found;
  EXPECT_OK(store.read([&](ReadTransaction& tx) -> Result<void> {
    HOMEPORT_TRY(found, get<CounterRecord>(tx, name));
    return {};
  }));
  return found;
}

inline SpaceRecord home(const std::string& key, const std::string& owner) {
  return SpaceRecord{.key = key,
                     .kind = SpaceKind::home,
                     .realm = "default",
                     .owner = owner,
                     .backend = "filer",
                     .layout = "directory",
                     .pool = "homes",
                     .backend_name = "hp-" + key};
}
inline OperationRecord operation(const std::string& id, const std::string& space, OperationState state) {
  return OperationRecord{
      .id = id, .kind = "home.ensure", .state = state, .space = space, .backend = "filer", .principal = "t-1"};
}
template <class R>
Result<void> put_one(Store& store, R record) {
  return store.write("test.put", [&](WriteTransaction& tx) -> Result<void> { return put(tx, record, Expect::any()); });
}

inline constexpr auto kLeaseLength = 30s;

}  // namespace homeport::store::testing
