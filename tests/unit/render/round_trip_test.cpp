// Every text format, read back by programs that share nothing with the renderers.
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "provisioner/render/renderer.h"
#include "tests/support/golden.h"
#include "tests/support/result_matchers.h"
#include "tests/unit/render/outside_programs.h"
#include "tests/unit/render/random_spec.h"
#include "tests/unit/render/sample_specs.h"

namespace homeport::render {
namespace {

using nlohmann::json;

class RoundTrip : public ::testing::TestWithParam<const char*> {
 protected:
  // Of what the format cannot express, the refusal must say so; the rest goes into the batch.
  void add(const std::string& name, const MountSpec& spec) {
    const auto renderer = find_renderer(GetParam());
    ASSERT_OK(renderer);
    const RenderOptions options{.kube_namespace = std::string_view(GetParam()) == "pv" ? "jhub" : ""};
    const auto text = (*renderer)->render(spec, options);
    if (!text) {
      ASSERT_EQ(text.error().code, Errc::unsupported) << name << " " << text.error().to_string();
      EXPECT_THAT(text.error().message, ::testing::HasSubstr("cannot be expressed by " + std::string(GetParam())));
      return;
    }
    batch_.push_back({{"name", name}, {"format", GetParam()}, {"spec", to_json(spec)}, {"text", *text}});
  }
  void check(std::size_t at_least) const {
    EXPECT_GE(batch_.size(), at_least);
    const testing::ScratchFolder folder;
    const auto got = testing::run_program({"/usr/bin/python3", "-B",
                                           homeport::testing::source_path("tests/unit/render/round_trip.py"),
                                           folder.write("batch.json", batch_.dump())});
    EXPECT_EQ(got.status, 0) << got.output.substr(0, 3000);
    EXPECT_THAT(got.output, ::testing::HasSubstr("checked " + std::to_string(batch_.size()) + "\n"));
  }
  json batch_ = json::array();
};

TEST_P(RoundTrip, OfTheSamples) {
  for (const auto& [name, spec] : testing::all_samples()) {
    if (spec.state != SpecState::blocked) add(name, spec);
  }
  check(6);
}

TEST_P(RoundTrip, OfRandomSpecs) {
  // A shell for each takes its time.
  const bool slow =
      std::string_view(GetParam()).find("mount") != std::string_view::npos || std::string_view(GetParam()) == "env";
  const int specs = slow ? 100 : 500;
  std::mt19937_64 random(8);
  for (int i = 0; i < specs; ++i) {
    add(std::to_string(i), testing::random_spec(random, {.local = i % 2 == 0}));
    if (HasFatalFailure()) return;
  }
  check(static_cast<std::size_t>(specs / 3));
}

std::string test_name(const ::testing::TestParamInfo<const char*>& info) {
  std::string name = info.param;
  std::erase(name, '-');
  return name;
}

INSTANTIATE_TEST_SUITE_P(Formats, RoundTrip,
                         ::testing::Values("autofs", "compose", "dockerspawner", "env", "env-file", "env-systemd",
                                           "mount", "pv", "swarmspawner", "systemd", "systemdspawner", "umount"),
                         test_name);

// systemd-analyze says nothing of good units, and exits with 0 although a key is unknown: silence is the test.
TEST(SystemdUnits, AreTakenBySystemdWithoutAWord) {
  int units = 0;
  for (const auto& [name, spec] : testing::all_samples()) {
    if (spec.state == SpecState::blocked) continue;
    const testing::ScratchFolder folder;
    const auto text = (*find_renderer("systemd"))->render(spec, {});
    ASSERT_OK(text) << name;
    std::vector<std::string> command{"systemd-analyze", "verify", "--man=no", "--recursive-errors=no"};
    std::vector<std::string> where{"systemd-escape", "--path", "--suffix=mount"};
    for (std::size_t at = 0; at < text->size();) {
      const auto end = text->find('\n', at);
      const auto next = text->find("\n\n# ", end);
      const auto unit = text->substr(at + 2, end - at - 2);
      command.push_back(folder.write(unit, text->substr(end + 1, next == std::string::npos ? next : next - end)));
      at = next == std::string::npos ? text->size() : next + 2;
      ++units;
    }
    for (const auto& mount : spec.mounts) where.push_back("/srv/homeport/" + spec.subject.user_key + "/" + mount.id);
    const auto got = testing::run_program(command);
    EXPECT_EQ(got.status, 0) << name << got.output;
    EXPECT_EQ(got.output, "") << name;
    const auto names = testing::run_program(where);
    ASSERT_EQ(names.status, 0) << names.output;
    for (std::size_t at = 0; at < names.output.size();) {
      const auto end = names.output.find_first_of(" \n", at);
      EXPECT_THAT(*text, ::testing::HasSubstr("# " + names.output.substr(at, end - at) + "\n"));
      at = end + 1;
    }
  }
  EXPECT_GT(units, 20);
}

}  // namespace
}  // namespace homeport::render
