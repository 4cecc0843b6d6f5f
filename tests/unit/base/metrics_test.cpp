#include "provisioner/base/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdio>
#include <thread>

namespace homeport {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(Metrics, TheSameNameAndLabelsAreTheSameObject) {
  const auto metrics = make_metrics();
  auto& a = metrics->counter("homeport_x_total", "x", {{"backend", "a"}});
  auto& again = metrics->counter("homeport_x_total", "x", {{"backend", "a"}});
  auto& b = metrics->counter("homeport_x_total", "x", {{"backend", "b"}});
  EXPECT_EQ(&a, &again);
  EXPECT_NE(&a, &b);
  a.add();
  again.add(2);
  EXPECT_THAT(metrics->text(), HasSubstr("homeport_x_total{backend=\"a\"} 3"));
  EXPECT_THAT(metrics->text(), HasSubstr("homeport_x_total{backend=\"b\"} 0"));
}

TEST(Metrics, GaugesAreReadAtEachScrapeAndNothingOfThemStays) {
  const auto metrics = make_metrics();
  std::map<std::string, double> homes{{"h-1", 5}, {"h-2", 7}};
  metrics->add_gauges([&] {
    GaugeFamily family{.name = "homeport_usage_bytes", .help = "usage"};
    for (const auto& [home, bytes] : homes) family.samples.push_back({.labels = {{"home", home}}, .value = bytes});
    return std::vector{family};
  });
  EXPECT_THAT(metrics->text(), HasSubstr("homeport_usage_bytes{home=\"h-1\"} 5"));
  homes.erase("h-1");
  homes["h-2"] = 8;
  EXPECT_THAT(metrics->text(), Not(HasSubstr("h-1")));
  EXPECT_THAT(metrics->text(), HasSubstr("homeport_usage_bytes{home=\"h-2\"} 8"));
}

TEST(Metrics, CountsFromManyThreads) {
  const auto metrics = make_metrics();
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&] {
        for (int i = 0; i < 500; ++i) metrics->counter("homeport_n_total", "n", {}).add();
      });
    }
  }
  EXPECT_THAT(metrics->text(), HasSubstr("homeport_n_total 2000"));
}

TEST(Metrics, PromtoolFindsNothingToSay) {
  const auto metrics = make_metrics();
  metrics->counter("homeport_calls_total", "Calls to a backend.", {{"backend", "a \"b\"\n\\c"}, {"code", "ok"}}).add();
  metrics->add_gauges([] {
    return std::vector{
        GaugeFamily{.name = "dirsize_total_size_bytes",
                    .help = "Bytes used.",
                    .samples = {{.labels = {{"namespace", "hub"}, {"directory", "jürgen"}}, .value = 1.5e12}}}};
  });
  auto& seconds =
      metrics->histogram("homeport_call_seconds", "Duration of a call.", {{"backend", "a"}}, call_duration_buckets());
  seconds.observe(0.0005);
  seconds.observe(120);
  FILE* checker = ::popen("promtool check metrics 2>&1", "w");  // NOLINT(cert-env33-c): a fixed command
  ASSERT_NE(checker, nullptr);
  const auto text = metrics->text();
  std::fwrite(text.data(), 1, text.size(), checker);
  const int status = ::pclose(checker);
  EXPECT_EQ(WEXITSTATUS(status), 0) << text;
}

}  // namespace
}  // namespace homeport
