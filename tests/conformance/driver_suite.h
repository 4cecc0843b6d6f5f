// What every driver must do, whatever is behind it. One suite; all_drivers_test.cpp says over which drivers it runs.
//
// The cases ask info() what the driver can and test both answers. What is peculiar to a backend is a field of
// DriverUnderTest, written where that backend is listed; a case never asks for a driver's name.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "drivers/core/optional.h"
#include "drivers/decorators/forwarding_driver.h"
#include "provisioner/base/guarded.h"
#include "provisioner/base/id_source.h"
#include "tests/support/result_matchers.h"

namespace homeport::conformance {

// One driver ready for use, and what somebody else could do to its backend.
struct Bench {
  std::unique_ptr<drivers::StorageDriver> driver;
  // Puts a directory (or filesystem) of that name and owner into the pool behind the driver's back, with a file
  // theirs.txt of that content and owner (none when empty). Null: cannot be done there.
  std::function<void(const std::string& name, const std::string& content, Owner owner)> plant{};
  std::function<std::optional<std::string>(const std::string& name)> planted_content{};
  std::function<void(const std::string& name)> unplant{};
  // Everything that stands on the backend, by name, in any order; to prove that nothing is left. Null: cannot be seen.
  std::function<std::vector<std::string>()> everything{};
  // Destroys a snapshot of an object behind the driver's back. Null: cannot be done there.
  std::function<void(const drivers::ObjectRef& ref, const std::string& snapshot)> lose_snapshot{};
  // Another backend that is connected, and two policies of this one; empty: there is none.
  std::string replica_target{};
  std::vector<std::string> policies{};
};

struct DriverUnderTest {
  std::string label;                    // letters and digits: becomes the test's name
  std::function<Result<Bench>()> make;  // an error: not available here
  drivers::Layout layout = drivers::Layout::directory;
  std::string pool = "homes";
  Owner owner{Uid{4242}, Gid{4343}};      // whom new objects are given to; everyone's owner where all are squashed
  Owner our_owner{Uid{0}, Gid{0}};        // to whom belongs what Homeport has made and not yet given away
  bool quota_is_kept = true;              // false: what stands behind it here counts nothing, the real one does
  bool ids_may_return = false;            // the backend gives an id again once its object is purged
  std::size_t objects_for_two_pages = 0;  // so many do not fit one page of scan; 0: pages are too large to test
  // A directory below an export, not ours, that holds a.txt ("hello"); empty: nothing can be imported.
  std::string import_path{};
  std::string import_export{};  // the export it belongs to
  friend void PrintTo(const DriverUnderTest& d, std::ostream* out) { *out << d.label; }
};

// Remembers what was made, so that a case that dies leaves nothing behind.
class RecordingDriver final : public drivers::ForwardingDriver {
 public:
  using ForwardingDriver::ForwardingDriver;
  Result<drivers::Object> create(const OpContext& op, const drivers::CreateSpec& spec) override;
  void track(const drivers::ObjectRef& ref);
  [[nodiscard]] std::vector<drivers::ObjectRef> made() const;

 private:
  Guarded<std::vector<drivers::ObjectRef>> made_;
};

class DriverConformance : public ::testing::TestWithParam<DriverUnderTest> {
 protected:
  void SetUp() override;
  void TearDown() override;

  [[nodiscard]] OpContext op(CallLog* calls = nullptr) const;
  [[nodiscard]] OpContext dry(CallLog* calls) const;
  [[nodiscard]] SpaceKey fresh_key(SpaceKind kind = SpaceKind::home);
  [[nodiscard]] drivers::CreateSpec spec_of(const SpaceKey& key) const;
  [[nodiscard]] drivers::CreateSpec fresh_spec() { return spec_of(fresh_key()); }
  drivers::Object make(const drivers::CreateSpec& spec);  // fails the case when it cannot
  drivers::Object make() { return make(fresh_spec()); }
  [[nodiscard]] drivers::Lookup by_name(const std::string& name) const;
  [[nodiscard]] drivers::Lookup by_id(const drivers::ObjectRef& ref) const;
  std::optional<drivers::Object> look(const drivers::Lookup& lookup);
  std::vector<drivers::Object> scan_all(drivers::ObjectState state);
  [[nodiscard]] bool listed(const drivers::ObjectRef& ref, drivers::ObjectState state);
  // Steps taken.
  int purge_all(const drivers::ObjectRef& ref);
  void destroy(const drivers::ObjectRef& ref);

  [[nodiscard]] drivers::Capabilities can() const;
  [[nodiscard]] drivers::StorageDriver& driver() { return *driver_; }
  [[nodiscard]] bool has_trees() { return drivers::find<drivers::TreeAccess>(*driver_) != nullptr; }
  std::unique_ptr<drivers::Tree> tree_of(const drivers::ObjectRef& ref,
                                         const std::optional<std::string>& snapshot = {});
  Result<drivers::Entry> put(drivers::Tree& tree, const drivers::Node& dir, const std::string& name,
                             std::string_view text);
  Result<drivers::Entry> put_in(const drivers::ObjectRef& ref, const std::string& name, std::string_view text);
  Result<std::string> text_of(drivers::Tree& tree, const drivers::Node& file);
  // Text of a file of the object's root directory; nullopt: not there.
  std::optional<std::string> text_in(const drivers::ObjectRef& ref, const std::string& name);
  std::vector<std::string> names_in(drivers::Tree& tree, const drivers::Node& dir);

  std::unique_ptr<Clock> clock_ = make_system_clock();
  std::unique_ptr<IdSource> ids_ = make_system_ids();
  Bench bench_;
  std::unique_ptr<RecordingDriver> driver_;
  std::vector<std::string> planted_;
  void plant(const std::string& name, const std::string& content, Owner owner);
};

// A case with an object whose tree is open; drivers without trees have none of these cases.
class TreeConformance : public DriverConformance {
 protected:
  void SetUp() override;
  Result<drivers::Entry> mkdir(const std::string& name);
  Result<void> remove(const drivers::Node& dir, const std::string& name, bool directory);
  std::optional<drivers::Entry> entry(const std::string& name);  // in the root directory

  std::optional<drivers::Object> object_;
  std::unique_ptr<drivers::Tree> tree_;
  drivers::Node root_;
};

[[nodiscard]] std::span<const std::byte> bytes_of(std::string_view text);

// `a` and `b` show the same thing: usage apart, which may be fresher.
void expect_same(const drivers::Object& a, const drivers::Object& b);

}  // namespace homeport::conformance
