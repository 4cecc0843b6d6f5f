// A whole Provisioner over the memory store and a memory backend whose faults a test plans. No sockets.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <future>
#include <memory>
#include <string>

#include "drivers/decorators/faulty_driver.h"
#include "drivers/memory/memory_driver.h"
#include "provisioner/core/provisioner.h"
#include "provisioner/store/open.h"
#include "tests/support/result_matchers.h"

namespace homeport::testing {

// Kind "memory" only; every driver it makes shares one world per backend name and one fault plan.
class FaultyFactory final : public drivers::DriverFactory {
 public:
  explicit FaultyFactory(Clock& clock) : clock_(clock) {}
  [[nodiscard]] std::vector<std::string> kinds() const override { return {"memory"}; }
  void validate(const std::string& kind, DocReader& section) const override;
  Result<std::unique_ptr<drivers::StorageDriver>> make(const std::string& kind, const std::string& backend,
                                                       const nlohmann::json& section) const override;

  std::shared_ptr<drivers::FaultPlan> plan = std::make_shared<drivers::FaultPlan>();
  // What its backends are said to be able to do, changed by a test; read at each look.
  std::shared_ptr<std::function<void(drivers::DriverInfo&)>> adjust =
      std::make_shared<std::function<void(drivers::DriverInfo&)>>();
  std::optional<std::uint32_t> max_snapshots{};  // of one space of layout filesystem
  [[nodiscard]] std::optional<std::uint32_t> max_snapshots_per_object(const std::string& kind,
                                                                      drivers::Layout layout) const override;
  // Asked before a driver is made; an error of it is make()'s.
  std::function<Result<void>(const std::string& backend, const nlohmann::json& section)> before_make{};
  // Puts a layer of the test's own around each driver that is made.
  std::function<std::unique_ptr<drivers::StorageDriver>(std::unique_ptr<drivers::StorageDriver>)> around{};
  // The memory driver of that backend; null before it was made.
  [[nodiscard]] drivers::MemoryDriver* memory(const std::string& backend) const;

 private:
  Clock& clock_;
  mutable std::map<std::string, std::shared_ptr<drivers::MemoryDriver>> worlds_;
};

class CoreTest : public ::testing::Test {
 protected:
  CoreTest();
  ~CoreTest() override;

  void start();  // a Provisioner over the store as it is: also what a restart does
  void restart();
  // Applies a desired document; fails the test when it is refused.
  void apply(const std::string& json);
  Result<std::vector<core::PlannedChange>> try_apply(const std::string& json,
                                                     store::Provenance provenance = store::Provenance::api);
  [[nodiscard]] Result<core::Desired> read(const std::string& json) const;
  static std::string standard();  // one backend "lab", class "std" (10GiB), a rule for everyone

  [[nodiscard]] core::Caller caller(policies::Scope scope = policies::Scope::admin, const std::string& hub = "") const;
  core::Provisioner& hp() { return *provisioner_; }
  // Ensures and waits until the operation has ended.
  Result<store::SpaceRecord> ensure(const std::string& user, std::optional<std::uint32_t> uid,
                                    const std::function<void(core::HomeRequest&)>& tune = {});
  Result<store::OperationRecord> wait(const std::string& operation,
                                      std::chrono::seconds limit = std::chrono::seconds(20));
  // The space after its operation has ended; the operation's failure as an error.
  Result<store::SpaceRecord> settled(Result<core::SpaceOutcome> outcome);
  // Logins::issue, waited for; without the home's operation.
  Result<core::SpecAnswer> issue(const core::Caller& who, const core::SpecRequest& request);
  [[nodiscard]] static core::SpecRequest login(const std::string& user, std::vector<std::string> groups = {});
  template <class T>
  static Result<T> blocking(const std::function<void(std::function<void(Result<T>)>)>& ask) {
    auto promise = std::make_shared<std::promise<Result<T>>>();
    auto answer = promise->get_future();
    ask([promise](Result<T> result) { promise->set_value(std::move(result)); });
    if (answer.wait_for(std::chrono::seconds(20)) != std::future_status::ready) {
      return Error{.code = Errc::timed_out, .message = "the test waited 20 s"};
    }
    return answer.get();
  }

  std::unique_ptr<Clock> clock_ = make_system_clock();
  std::unique_ptr<IdSource> ids_ = make_seeded_ids(7);
  std::unique_ptr<Metrics> metrics_ = make_metrics();
  FaultyFactory factory_{*clock_};
  std::unique_ptr<store::Store> store_ = store::make_memory_store(*clock_);
  std::string realm_ = "default";    // of the next start
  core::IdentityPolicy identity_{};  // likewise
  std::chrono::milliseconds copy_claim_ = core::kCopyClaim;
  core::Cluster* cluster_ = nullptr;  // likewise
  std::unique_ptr<core::Provisioner> provisioner_;
};

}  // namespace homeport::testing
