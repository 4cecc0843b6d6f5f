#include "drivers/flashblade/sim/faults.h"

#include "drivers/flashblade/sim/filter.h"

namespace homeport::fbsim {
namespace {

When read_when(DocReader& in, std::string_view key) {
  if (!in.has(key)) {
    in.optional_text(key);
    return When::never;
  }
  return in.choice(key, {"before", "after"}) == "after" ? When::after : When::before;
}

BodyFault read_body(DocReader& in) {
  if (!in.has("body")) {
    in.optional_text("body");
    return BodyFault::none;
  }
  const auto name = in.choice("body", {"html", "gateway", "truncated", "broken-json", "wrong-types"});
  if (name == "html") return BodyFault::html;
  if (name == "gateway") return BodyFault::gateway;
  if (name == "truncated") return BodyFault::truncated;
  return name == "broken-json" ? BodyFault::broken_json : BodyFault::wrong_types;
}

double read_probability(DocReader& in) {
  const auto* raw = in.raw("probability");
  if (raw == nullptr) return 1.0;
  if (raw->is_number() && raw->get<double>() >= 0.0 && raw->get<double>() <= 1.0) return raw->get<double>();
  in.problem("probability", "is not a number from 0 to 1");
  return 1.0;
}

constexpr std::uint64_t kAnyCount = 1'000'000'000;

void read_match(DocReader& in, FaultRule& rule) {
  rule.method = in.text("method", "");
  rule.path = in.text("path", "*");
  rule.from = in.number("from", 1, 1, kAnyCount);
  rule.every = in.number("every", 1, 1, kAnyCount);
  rule.times = in.number("times", 0, 0, kAnyCount);
  rule.probability = read_probability(in);
}

FaultRule read_rule(DocReader& in) {
  FaultRule rule;
  rule.id = in.text("id", "");
  read_match(in, rule);
  rule.delay_ms = static_cast<std::int64_t>(in.number("delay_ms", 0, 0, 3'600'000));
  rule.jitter_ms = static_cast<std::int64_t>(in.number("jitter_ms", 0, 0, 3'600'000));
  rule.status = static_cast<unsigned>(in.number("status", 0, 200, 599));
  const auto when = read_when(in, "when");
  rule.status_when = when == When::never ? When::before : when;
  rule.message = in.text("message", "");
  rule.retry_after = in.text("retry_after", "");
  rule.cut = read_when(in, "cut");
  rule.hold = read_when(in, "hold");
  rule.body = read_body(in);
  rule.drop = in.number("drop", 0, 0, kAnyCount);
  rule.repeat = in.number("repeat", 0, 0, kAnyCount);
  rule.stale_ms = static_cast<std::int64_t>(in.number("stale_ms", 0, 0, 86'400'000));
  rule.expire_sessions = in.boolean("expire_sessions", false);
  rule.array_full = in.boolean("array_full", false);
  if (const auto version = in.optional_number("version", 0, 28)) rule.version = static_cast<int>(*version);
  if (const auto* act = in.raw("act"); act != nullptr) rule.act = Json::parse(act->dump());
  const bool does = rule.delay_ms + rule.jitter_ms > 0 || rule.status != 0 || rule.cut != When::never ||
                    rule.hold != When::never || rule.body != BodyFault::none || rule.drop + rule.repeat > 0 ||
                    rule.stale_ms > 0 || rule.expire_sessions || rule.array_full || rule.version || !rule.act.is_null();
  if (!does) in.problem("", "does nothing", "give status, delay_ms, cut, hold, body, drop, repeat, stale_ms, act, …");
  in.finish();
  return rule;
}

}  // namespace

void Faults::reseed(std::uint64_t seed) {
  const std::lock_guard lock(mutex_);
  dice_ = make_seeded_ids(seed);
}

Result<void> Faults::add(const homeport::Document& document) {
  Problems problems(document);
  auto in = DocReader::root(problems);
  const auto seed = in.optional_number("seed", 0, ~std::uint64_t{0} >> 1U);
  std::vector<FaultRule> rules;
  for (auto& item : in.objects("faults")) rules.push_back(read_rule(item));
  in.finish();
  if (!problems.none()) return problems.to_error();
  if (seed) reseed(*seed);
  for (auto& rule : rules) add_rule(std::move(rule));
  return {};
}

void Faults::add_rule(FaultRule rule) {
  const std::lock_guard lock(mutex_);
  if (rule.id.empty()) rule.id = "fault-" + std::to_string(++next_id_);
  std::erase_if(entries_, [&](const Entry& entry) { return entry.rule.id == rule.id; });
  entries_.push_back({std::move(rule)});
}

bool Faults::remove(const std::string& id) {
  const std::lock_guard lock(mutex_);
  return std::erase_if(entries_, [&](const Entry& entry) { return entry.rule.id == id; }) > 0;
}

void Faults::clear() {
  const std::lock_guard lock(mutex_);
  entries_.clear();
}

Json Faults::list() const {
  const std::lock_guard lock(mutex_);
  Json out = Json::array();
  for (const auto& entry : entries_) {
    out.push_back({{"id", entry.rule.id},
                   {"method", entry.rule.method},
                   {"path", entry.rule.path},
                   {"seen", entry.seen},
                   {"hits", entry.hits}});
  }
  return out;
}

double Faults::chance() {
  return static_cast<double>(dice_->random64() >> 11U) / static_cast<double>(std::uint64_t{1} << 53U);
}

std::vector<Hit> Faults::decide(const std::string& method, const std::string& path) {
  const std::lock_guard lock(mutex_);
  std::vector<Hit> out;
  for (auto& entry : entries_) {
    const auto& rule = entry.rule;
    if (!rule.method.empty() && rule.method != method) continue;
    if (!matches_wildcard(rule.path, path)) continue;
    ++entry.seen;
    if (entry.seen < rule.from || (entry.seen - rule.from) % rule.every != 0) continue;
    if (rule.times != 0 && entry.hits >= rule.times) continue;
    if (rule.probability < 1.0 && chance() >= rule.probability) continue;
    ++entry.hits;
    const auto more =
        rule.jitter_ms == 0 ? 0 : static_cast<std::int64_t>(chance() * static_cast<double>(rule.jitter_ms));
    out.push_back({rule, rule.delay_ms + more});
  }
  return out;
}

}  // namespace homeport::fbsim
