// The desired document: backends, classes, rules and grants as an admin writes them. The same schema in the
// configuration's `desired:` and in `homeport apply -f`.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "drivers/core/factory.h"
#include "policies/existing_homes.h"
#include "provisioner/base/doc_reader.h"
#include "provisioner/render/mount_spec.h"

namespace homeport::core {

enum class BackendMode { observe, create, manage };
[[nodiscard]] std::string_view backend_mode_name(BackendMode mode);

struct DailyCaps {
  std::optional<std::uint64_t> objects{};   // new objects a day
  std::optional<Bytes> bytes{};             // promised by new quotas and enlargements a day
  std::optional<std::uint64_t> destroys{};  // purges a day
};

struct BackendSpec {
  Slug name;
  std::string kind;
  BackendMode mode = BackendMode::manage;
  DailyCaps caps{};
  std::size_t workers = 16;
  std::uint64_t measure_rate = 5000;  // entries a second when homes are measured by walking them (measures.h); 0: never
  nlohmann::json section{};           // the whole mapping
};

// How many snapshots of each space are kept, by age: the newest of that many hours, days, weeks, months.
struct SnapshotSchedule {
  std::uint32_t hourly = 0;
  std::uint32_t daily = 0;
  std::uint32_t weekly = 0;
  std::uint32_t monthly = 0;
  [[nodiscard]] std::uint32_t kept() const { return hourly + daily + weekly + monthly; }  // at most, at any time
  [[nodiscard]] std::string words() const;  // "24 hourly, 14 daily, 8 weekly"
};

// Which homes a class gives, and how.
struct ClassSpec {
  Slug name;
  std::string layout = "directory";
  Slug backend;
  std::string pool{};  // empty: the backend's first writable pool
  // Looked for at the first login of somebody without a home, and taken over where the owner fits.
  std::optional<policies::ExistingHomes> existing{};
  // true: new homes are made whatever else stands there. false: none are made. Left out: with `existing` none; else
  // only where nothing stands that Homeport does not know (home_guard.h).
  std::optional<bool> create{};
  std::optional<Bytes> default_quota{};
  std::optional<Bytes> max_quota{};
  // What homes are to be protected by; counted against what the backend bears (snapshot_limits.h).
  std::optional<SnapshotSchedule> snapshots{};
  std::string home_target = "/home/jovyan";  // where a home appears
  std::uint32_t home_mode = 0700;
  render::IdentityMode identity = render::IdentityMode::native;
  std::uint32_t squash_uid = 1000;  // identity squash: everybody is this
  std::uint32_t squash_gid = 100;
  std::string user_name = "jovyan";
  std::string umask = "0022";
  std::string dataset_root = "/data";  // datasets appear at ROOT/NAME
  render::NfsOptions nfs{};
  std::chrono::hours spec_valid{12};
  std::chrono::hours trash{24 * 30};  // retired homes are kept this long at least
  std::vector<std::uint32_t> notice_percent{80, 90, 95};
  bool accept_one_uid = false;  // `directory` with everyone squashed to one uid: accepted by name
  std::map<std::string, std::string> environment{};
  std::map<std::string, std::string> labels{};
  nlohmann::json section{};
};

struct RuleSpec {
  Slug name;
  std::vector<std::string> users{};  // any of these (empty lists match nobody of that kind)
  std::vector<std::string> groups{};
  std::vector<std::string> hubs{};  // empty: every hub
  bool everyone = false;
  std::optional<Slug> klass{};   // the class this rule gives
  std::vector<Slug> datasets{};  // datasets this rule shows
  nlohmann::json section{};
};

struct GrantSpec {
  Slug dataset;
  std::string subject_kind;  // user | group | everyone
  std::string subject{};
  std::string access = "ro";
  [[nodiscard]] std::string words() const;  // "imagenet to group staff"
};

struct Desired {
  std::vector<BackendSpec> backends{};
  std::vector<ClassSpec> classes{};
  std::vector<RuleSpec> rules{};                   // in the order they are tried, among those of this document
  std::optional<std::vector<GrantSpec>> grants{};  // nullopt: the document says nothing of grants and changes none
};

// Strict; adds every problem it finds to in.problems(). Drivers validate their own part through `factory`.
[[nodiscard]] Desired read_desired(DocReader& in, const drivers::DriverFactory& factory);
// One part of it, for API bodies and for rows read back from the store.
[[nodiscard]] std::optional<BackendSpec> read_backend(DocReader& in, const drivers::DriverFactory& factory);
// A class that could never give a valid mount spec is a problem too (class_check.h).
[[nodiscard]] std::optional<ClassSpec> read_class(DocReader& in);
[[nodiscard]] std::optional<RuleSpec> read_rule(DocReader& in);

}  // namespace homeport::core
