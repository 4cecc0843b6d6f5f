#include "provisioner/base/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
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

class PrometheusGauge final : public Gauge {
 public:
  explicit PrometheusGauge(prometheus::Gauge& inner) : inner_(inner) {}
  void set(double value) override { inner_.Set(value); }
  prometheus::Gauge& inner() { return inner_; }

 private:
  prometheus::Gauge& inner_;
};

class PrometheusHistogram final : public Histogram {
 public:
  explicit PrometheusHistogram(prometheus::Histogram& inner) : inner_(inner) {}
  void observe(double value) override { inner_.Observe(value); }

 private:
  prometheus::Histogram& inner_;
};

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
  Gauge& gauge(const std::string& name, const std::string& help, const MetricLabels& labels) override {
    const std::lock_guard lock(mutex_);
    auto& slot = gauges_[{name, labels}];
    if (!slot) {
      auto& family = prometheus::BuildGauge().Name(name).Help(help).Register(registry_);
      gauge_families_[name] = &family;
      slot = std::make_unique<PrometheusGauge>(family.Add(labels));
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
  void forget_gauge(const std::string& name, const MetricLabels& labels) override {
    const std::lock_guard lock(mutex_);
    const auto at = gauges_.find({name, labels});
    if (at == gauges_.end()) return;
    gauge_families_.at(name)->Remove(&at->second->inner());
    gauges_.erase(at);
  }
  void on_scrape(std::function<void()> refresh) override {
    const std::lock_guard lock(mutex_);
    refreshers_.push_back(std::move(refresh));
  }
  std::string text() override {
    std::vector<std::function<void()>> refreshers;
    {
      const std::lock_guard lock(mutex_);
      refreshers = refreshers_;
    }
    for (const auto& refresh : refreshers) refresh();
    return prometheus::TextSerializer().Serialize(registry_.Collect());
  }

 private:
  using Id = std::pair<std::string, MetricLabels>;
  std::mutex mutex_;
  prometheus::Registry registry_{prometheus::Registry::InsertBehavior::Merge};
  std::map<Id, std::unique_ptr<PrometheusCounter>> counters_;
  std::map<Id, std::unique_ptr<PrometheusGauge>> gauges_;
  std::map<Id, std::unique_ptr<PrometheusHistogram>> histograms_;
  std::map<std::string, prometheus::Family<prometheus::Gauge>*> gauge_families_;
  std::vector<std::function<void()>> refreshers_;
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
