#include "drivers/registry/registry.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "drivers/core/optional.h"
#include "drivers/decorators/breaker_driver.h"
#include "provisioner/base/doc_reader.h"
#include "tests/unit/drivers/driver_fixtures.h"

namespace homeport::drivers {
namespace {

using ::homeport::testing::FakeClock;
using ::homeport::testing::key_number;
using ::homeport::testing::op_within;
using ::homeport::testing::spec_for;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using namespace std::chrono_literals;

struct RegistryTest : ::testing::Test {
  FakeClock clock;
  std::unique_ptr<DriverFactory> factory = make_driver_factory({.clock = &clock});

  std::string problems_of(const std::string& kind, const std::string& section) {
    const auto document = parse_json_document(section, "test").value();
    Problems problems(document);
    auto in = DocReader::root(problems);
    factory->validate(kind, in);
    in.finish();
    return problems.none() ? "" : problems.to_error().message + " — " + problems.to_error().hint;
  }
};

TEST_F(RegistryTest, KnowsItsKinds) {
  EXPECT_THAT(factory->kinds(), ElementsAre("btrfs", "flashblade", "memory", "nfs"));
}

TEST_F(RegistryTest, UnknownKindNamesTheKnownOnes) {
  EXPECT_THAT(problems_of("zfs", "{}"), HasSubstr("known kinds: btrfs, flashblade, memory, nfs"));
  const auto made = factory->make("zfs", "b", nlohmann::json::object());
  ASSERT_ERRC(made, Errc::invalid_argument);
  EXPECT_THAT(made.error().hint, HasSubstr("memory, nfs"));
}

TEST_F(RegistryTest, MemoryIsValidatedAndMadeWrapped) {
  EXPECT_EQ(problems_of("memory", R"({"quota":"hard"})"), "");
  EXPECT_THAT(problems_of("memory", R"({"quota":"soft"})"), HasSubstr("quota"));
  const auto made = factory->make("memory", "lab", nlohmann::json{{"name", "lab"}, {"kind", "memory"}});
  ASSERT_OK(made);
  EXPECT_NE(find<BreakerStatus>(**made), nullptr);
  EXPECT_NE(find<TreeAccess>(**made), nullptr);
  EXPECT_OK((*made)->create(op_within(clock, 10s), spec_for(key_number(1))));
}

TEST_F(RegistryTest, NamePrefixReachesTheDriver) {
  const auto other = make_driver_factory({.clock = &clock, .name_prefix = "lab-"});
  const auto made = other->make("memory", "lab", nlohmann::json::object());
  ASSERT_OK(made);
  EXPECT_ERRC((*made)->create(op_within(clock, 10s), spec_for(key_number(1))), Errc::invalid_argument);
}

TEST_F(RegistryTest, NfsIsValidatedWithoutContact) {
  EXPECT_THAT(problems_of("nfs", "{}"), HasSubstr("service"));
  const nlohmann::json section{{"service", {{"server", "192.0.2.1"}}},
                               {"pools", {{{"name", "homes"}, {"export", "/export/homes"}}}}};
  EXPECT_EQ(problems_of("nfs", section.dump()), "");
  const auto made = factory->make("nfs", "nas", section);
  ASSERT_OK(made);
  EXPECT_FALSE((*made)->info()->known);
}

}  // namespace
}  // namespace homeport::drivers
