// Counters, gauges and histograms in Prometheus' text form (by prometheus-cpp, which stays behind this header).
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace homeport {

using MetricLabels = std::map<std::string, std::string>;

// Threads: every method from any thread. The objects handed out live as long as the Metrics they came from: keep the
// reference where the path is hot.
class Counter {
 public:
  virtual ~Counter() = default;
  virtual void add(double by = 1) = 0;
};
class Histogram {
 public:
  virtual ~Histogram() = default;
  virtual void observe(double value) = 0;
};

// A state, computed when somebody asks: nothing is kept, so what is gone is not shown any more.
struct GaugeFamily {
  struct Sample {
    MetricLabels labels;
    double value = 0;
  };
  std::string name;
  std::string help;
  std::vector<Sample> samples{};
};

class Metrics {
 public:
  virtual ~Metrics() = default;
  // The same name and labels give the same object. Counters end in _total, durations are in seconds (_seconds).
  virtual Counter& counter(const std::string& name, const std::string& help, const MetricLabels& labels) = 0;
  virtual Histogram& histogram(const std::string& name, const std::string& help, const MetricLabels& labels,
                               const std::vector<double>& buckets) = 0;
  // Called at each text(), for as long as this object lives; different calls name different families.
  virtual void add_gauges(std::function<std::vector<GaugeFamily>()> read) = 0;
  [[nodiscard]] virtual std::string text() = 0;
};

[[nodiscard]] std::unique_ptr<Metrics> make_metrics();
// 1 ms to 60 s: for calls that cross a network.
[[nodiscard]] const std::vector<double>& call_duration_buckets();

}  // namespace homeport
