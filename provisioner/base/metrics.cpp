#include "provisioner/base/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <mutex>
#include <utility>

namespace homeport {
namespace {

class PrometheusCounter final : public Counter {
 public:
  explicit PrometheusCounter(prometheus::Counter& inner) : inner_(inner) {}
  void add(double by) override { inner_.Increment(by); }

 private:
  prometheus::Counter& inner_;
};

class PrometheusHistogram final : public Histogram {
 public:
  explicit PrometheusHistogram(prometheus::Histogram& inner) : inner_(inner) {}
  void observe(double value) override { inner_.Observe(value); }

 private:
  prometheus::Histogram& inner_;
};

prometheus::MetricFamily to_prometheus(GaugeFamily family) {
  prometheus::MetricFamily out;
  out.name = std::move(family.name);
  out.help = std::move(family.help);
  out.type = prometheus::MetricType::Gauge;
  for (auto& sample : family.samples) {
    prometheus::ClientMetric metric;
    for (auto& [name, value] : sample.labels) metric.label.push_back({name, std::move(value)});
    metric.gauge.value = sample.value;
    out.metric.push_back(std::move(metric));
  }
  return out;
}

class PrometheusMetrics final : public Metrics {
 public:
  Counter& counter(const std::string& name, const std::string& help, const MetricLabels& labels) override {
    const std::lock_guard lock(mutex_);
    auto& slot = counters_[{name, labels}];
    if (!slot) {
      auto& family = prometheus::BuildCounter().Name(name).Help(help).Register(registry_);
      slot = std::make_unique<PrometheusCounter>(family.Add(labels));
    }
    return *slot;
  }
  Histogram& histogram(const std::string& name, const std::string& help, const MetricLabels& labels,
                       const std::vector<double>& buckets) override {
    const std::lock_guard lock(mutex_);
    auto& slot = histograms_[{name, labels}];
    if (!slot) {
      auto& family = prometheus::BuildHistogram().Name(name).Help(help).Register(registry_);
      slot = std::make_unique<PrometheusHistogram>(family.Add(labels, buckets));
    }
    return *slot;
  }
  void add_gauges(std::function<std::vector<GaugeFamily>()> read) override {
    const std::lock_guard lock(mutex_);
    gauges_.push_back(std::move(read));
  }
  std::string text() override {
    std::vector<std::function<std::vector<GaugeFamily>()>> gauges;
    {
      const std::lock_guard lock(mutex_);
      gauges = gauges_;
    }
    auto families = registry_.Collect();
    for (const auto& read : gauges) {
      for (auto& family : read()) families.push_back(to_prometheus(std::move(family)));
    }
    return prometheus::TextSerializer().Serialize(families);
  }

 private:
  using Id = std::pair<std::string, MetricLabels>;
  std::mutex mutex_;
  prometheus::Registry registry_{prometheus::Registry::InsertBehavior::Merge};
  std::map<Id, std::unique_ptr<PrometheusCounter>> counters_;
  std::map<Id, std::unique_ptr<PrometheusHistogram>> histograms_;
  std::vector<std::function<std::vector<GaugeFamily>()>> gauges_;
};

}  // namespace

std::unique_ptr<Metrics> make_metrics() {
  return std::make_unique<PrometheusMetrics>();
}

const std::vector<double>& call_duration_buckets() {
  static const std::vector<double> buckets{0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 15, 60};
  return buckets;
}

}  // namespace homeport
