#include "provisioner/core/cluster_volumes.h"

#include <algorithm>
#include <utility>

#include "provisioner/base/fault_point.h"
#include "provisioner/base/log.h"
#include "provisioner/base/stop_loop.h"
#include "provisioner/core/renames.h"
#include "provisioner/core/space_work.h"
#include "provisioner/core/spec_builder.h"
#include "provisioner/render/object_names.h"

namespace homeport::core {

using store::SpaceRecord;
using store::SpaceState;

namespace {

constexpr std::size_t kWorkers = 8;
constexpr std::size_t kQueue = 1024;
constexpr std::chrono::seconds kCallTime{8};
// Deleted at a time; between two pages whoever waits for a claim has a turn.
constexpr std::size_t kPage = 100;
constexpr std::chrono::seconds kRoundEvery{5};
constexpr std::chrono::seconds kLongestPause{60};
constexpr std::chrono::minutes kCompareEvery{5};
constexpr std::chrono::seconds kComeBack{2};
constexpr std::chrono::seconds kStopTime{5};

std::set<std::string> claims_of(const SpaceRecord& space) {
  if (!space.claims) return {};
  return {space.claims->begin(), space.claims->end()};
}

// Somebody's rw grant needs a volume without "ro" beside everybody else's.
bool may_be_written(const Catalog& catalog, const SpaceRecord& dataset) {
  if (dataset.read_only) return false;
  const auto grants = catalog.grants_of(dataset.key);
  return std::any_of(grants.begin(), grants.end(), [](const auto& grant) { return grant.access == "rw"; });
}

std::vector<render::Mount> mounts_of(const Catalog& catalog, const SpaceRecord& space) {
  std::vector<render::Mount> out;
  const auto add = [&out](Result<render::Mount> mount) {
    if (mount && std::holds_alternative<render::NfsMount>(mount->source)) out.push_back(std::move(*mount));
  };
  if (space.source.empty()) return out;
  if (space.kind == SpaceKind::home && space.name.starts_with(kMergedPrefix)) {
    for (const auto& klass : catalog.classes()) add(merged_mount(space, *klass));
  } else if (space.kind == SpaceKind::home) {
    if (const auto klass = catalog.klass(space.klass)) add(home_mount(space, *klass));
  } else if (space.kind == SpaceKind::dataset) {
    const bool rw = may_be_written(catalog, space);
    for (const auto& klass : catalog.classes()) {
      add(dataset_mount(space, *klass, render::MountAccess::ro));
      if (rw) add(dataset_mount(space, *klass, render::MountAccess::rw));
    }
  }
  return out;
}

// A home whose class is gone by mistake keeps what it has until the class is back.
bool is_orphan(const Catalog& catalog, const SpaceRecord& space) {
  return space.kind == SpaceKind::home && space.state == SpaceState::ready && !catalog.klass(space.klass);
}

}  // namespace

std::string claim_word(const ClusterPair& pair) {
  return pair.ns + "/" + pair.claim;
}

std::vector<ClusterVolume> wanted_volumes(const Catalog& catalog, const std::vector<std::string>& namespaces,
                                          const SpaceRecord& space) {
  std::map<std::string, ClusterVolume> out;
  for (const auto& mount : mounts_of(catalog, space)) {
    const auto& nfs = std::get<render::NfsMount>(mount.source);
    for (const auto& ns : namespaces) {
      ClusterVolume volume{.pair = {.ns = ns, .claim = render::object_name(mount), .space = space.key},
                           .kind = std::string(space_kind_name(space.kind)),
                           .server = nfs.server,
                           .path = nfs.export_path,
                           .mount_options = render::mount_option_words(mount),
                           .read_only = mount.access == render::MountAccess::ro,
                           .capacity_bytes = space.quota_bytes};
      out.emplace(claim_word(volume.pair), std::move(volume));
    }
  }
  std::vector<ClusterVolume> list;
  for (auto& [word, volume] : out) list.push_back(std::move(volume));
  return list;
}

ClusterVolumes::ClusterVolumes(Cluster* cluster, store::Store& store, Catalog& catalog, Clock& clock)
    : cluster_(cluster),
      store_(store),
      catalog_(catalog),
      clock_(clock),
      pause_(kRoundEvery),
      guard_(cluster != nullptr ? std::make_unique<ClaimGuard>(*cluster) : nullptr) {
  if (cluster_ != nullptr) workers_ = std::make_unique<WorkerPool>("cluster", kWorkers, kQueue);
}

ClusterVolumes::~ClusterVolumes() {
  stop();
}

void ClusterVolumes::start() {
  if (cluster_ == nullptr) return;
  next_round_ = next_compare_ = clock_.mono();
  thread_ = std::jthread([this](const std::stop_token& stop) { loop(stop); });
}

void ClusterVolumes::stop() {
  stop_loop(mutex_, stopping_, wake_, thread_);
  if (workers_) workers_->drain(kStopTime);
  answer_waiters();
}

void ClusterVolumes::loop(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    answer_waiters();
    start_round();
    std::unique_lock lock(mutex_);
    auto until = at_work_ ? clock_.mono() + kRoundEvery : next_round_;
    for (const auto& waiter : waiters_) until = std::min(until, waiter.deadline);
    const auto pause = std::max(until - clock_.mono(), MonoTime::duration(std::chrono::milliseconds(1)));
    wake_.wait_for(lock, stop, pause, [this] { return asked_ && !at_work_; });
  }
}

void ClusterVolumes::start_round() {
  {
    const std::lock_guard lock(mutex_);
    if (at_work_ || (!asked_ && clock_.mono() < next_round_)) return;
    at_work_ = true;
    asked_ = false;
  }
  const auto queued = workers_->submit([this](const std::stop_token& stop) { round(stop); });
  if (queued) return;
  const std::lock_guard lock(mutex_);
  at_work_ = false;
  next_round_ = clock_.mono() + kRoundEvery;
}

void ClusterVolumes::round(const std::stop_token& stop) {
  const auto done = try_round(stop);
  {
    const std::lock_guard lock(mutex_);
    if (!done && (!state_.trouble || state_.trouble->message != done.error().message)) {
      log::warning("the cluster cannot be brought up to date", {{"why", done.error().to_string()}});
    }
    if (done && state_.trouble) log::info("the cluster is up to date again", {});
    state_ = {.trouble = done ? std::nullopt : std::optional(done.error()), .missing = missing_, .kept = unwanted_};
    pause_ = done ? kRoundEvery : std::min<std::chrono::milliseconds>(pause_ * 2, kLongestPause);
    next_round_ = clock_.mono() + (done && collected_to_ ? std::chrono::milliseconds(0) : pause_);
    at_work_ = false;
  }
  answer_waiters();
  wake_.notify_all();
}

Result<void> ClusterVolumes::try_round(const std::stop_token& stop) {
  if (clock_.mono() >= next_compare_) {
    HOMEPORT_CHECK(compare(stop));
    next_compare_ = clock_.mono() + kCompareEvery;
  }
  HOMEPORT_CHECK(make_missing(stop));
  return collect(stop);
}

OpContext ClusterVolumes::context(const std::stop_token& stop) const {
  const auto time = std::min<std::chrono::milliseconds>(kCallTime, store_.lease_left());
  return OpContext{.request_id = "cluster", .deadline = clock_.mono() + time, .stop = stop};
}

// Nothing can be done now. An answer about one object (it is going, a quota is used up) holds up that object alone.
bool is_of_the_server(const Error& error) {
  if (!is_transient(error.code)) return false;
  if (!error.upstream) return true;
  const auto status = error.upstream->status;
  return status == 401 || status == 429 || status >= 500;
}

// Every space is looked at in every round; what was settled and has not changed since costs one look-up.
Result<void> ClusterVolumes::make_missing(const std::stop_token& stop) {
  if (const auto generation = catalog_.shared_generation(); generation != settled_generation_) {
    settled_.clear();
    settled_generation_ = generation;
  }
  missing_.clear();
  std::optional<Error> trouble;
  for (const auto& space : catalog_.spaces(true)) {
    const auto at = settled_.find(space->key);
    if (at != settled_.end() && at->second == space->revision) continue;
    if (is_orphan(catalog_, *space)) continue;
    const auto there = claims_of(*space);
    std::vector<ClusterVolume> missing;
    auto unwanted = there;
    if (space->state == SpaceState::ready) {
      for (auto& volume : wanted_volumes(catalog_, cluster_->namespaces(), *space)) {
        unwanted.erase(claim_word(volume.pair));
        if (!there.contains(claim_word(volume.pair))) missing.push_back(std::move(volume));
      }
    }
    if (missing.empty() && unwanted.empty()) {
      settled_[space->key] = space->revision;
      continue;
    }
    if (!unwanted.empty()) {
      for (const auto& word : strike(space->key, [&](const auto& claim) { return unwanted.contains(claim); })) {
        const auto slash = word.find('/');
        unwanted_.emplace(ClusterPair{word.substr(0, slash), word.substr(slash + 1), space->key}, "");
      }
    }
    if (missing.empty()) continue;
    missing_.emplace(space->key, "");
    if (trouble) continue;  // counted, and tried in the next round
    if (const auto made = make(*space, missing, stop); made) {
      missing_.erase(space->key);
    } else if (is_of_the_server(made.error())) {
      trouble = made.error();
    } else {
      missing_[space->key] = made.error().sentence();
    }
  }
  if (trouble) return std::move(*trouble);
  return {};
}

Result<void> ClusterVolumes::make(const SpaceRecord& space, const std::vector<ClusterVolume>& missing,
                                  const std::stop_token& stop) {
  std::vector<std::string> made;
  for (const auto& volume : missing) {
    const auto op = context(stop);
    HOMEPORT_CHECK(still_wanted(op, clock_, "making volumes"));
    HOMEPORT_CHECK(cluster_->ensure_volume(op, volume).context(space_words(space, catalog_)));
    fault_point("cluster.volume_made");
    HOMEPORT_CHECK(cluster_->ensure_claim(op, volume).context(space_words(space, catalog_)));
    fault_point("cluster.claim_made");
    made.push_back(claim_word(volume.pair));
  }
  return store_.write("claims", [&](store::WriteTransaction& tx) -> Result<void> {
    HOMEPORT_TRY(auto current, store::get<SpaceRecord>(tx, space.key));
    // Retired or moved meanwhile: what was made is seen by the next comparison, and taken away.
    if (!current || current->state != SpaceState::ready || current->source != space.source) return {};
    auto claims = claims_of(*current);
    claims.insert(made.begin(), made.end());
    current->claims = std::vector<std::string>(claims.begin(), claims.end());
    return store::put(tx, *current);
  });
}

std::vector<std::string> ClusterVolumes::strike(const std::string& space,
                                                const std::function<bool(const std::string&)>& gone) {
  std::vector<std::string> struck;
  const auto written = store_.write("claims", [&](store::WriteTransaction& tx) -> Result<void> {
    struck.clear();
    // Whoever is at work on it writes what it has seen, which was before this.
    HOMEPORT_TRY(const bool busy, work_is_open(tx, space));
    if (busy) return {};
    HOMEPORT_TRY(auto current, store::get<SpaceRecord>(tx, space));
    if (!current || !current->claims) return {};
    std::copy_if(current->claims->begin(), current->claims->end(), std::back_inserter(struck), gone);
    if (struck.empty()) return {};
    std::erase_if(*current->claims, gone);
    return store::put(tx, *current);
  });
  if (written) return struck;
  log::warning("claims stay on their record", {{"space", space}, {"why", written.error().to_string()}});
  return {};
}

bool ClusterVolumes::is_wanted(const ClusterPair& pair) const {
  const auto space = catalog_.space(pair.space);
  if (!space || catalog_.open_operation(pair.space)) return true;  // not ours to judge, or not now
  return is_wanted(pair, *space);
}

bool ClusterVolumes::is_wanted(const ClusterPair& pair, const SpaceRecord& space) const {
  if (is_orphan(catalog_, space)) return true;
  if (space.state != SpaceState::ready) return claims_of(space).contains(claim_word(pair));
  const auto wanted = wanted_volumes(catalog_, cluster_->namespaces(), space);
  return std::any_of(wanted.begin(), wanted.end(), [&](const auto& volume) { return volume.pair == pair; });
}

Result<void> ClusterVolumes::compare(const std::stop_token& stop) {
  auto op = context(stop);
  // A list of ten thousand takes longer than one object.
  op.deadline += kCallTime;
  HOMEPORT_TRY(const auto standing, cluster_->standing(op));
  std::map<std::string, std::set<std::string>> sound;
  for (const auto& [pair, volume, claim, broken] : standing) {
    if (!is_wanted(pair)) {
      unwanted_.emplace(pair, "");
    } else if (volume && claim && !broken) {
      sound[pair.space].insert(claim_word(pair));
    }
  }
  for (const auto& space : catalog_.spaces()) {
    if (!space->claims || space->claims->empty() || space->state != SpaceState::ready) continue;
    const auto& there = sound[space->key];
    const auto lost = strike(space->key, [&](const std::string& claim) { return !there.contains(claim); });
    if (!lost.empty()) {
      log::warning("claims are gone from the cluster and are made again",
                   {{"space", space->key}, {"claim", lost.front()}, {"claims", std::to_string(lost.size())}});
    }
  }
  return {};
}

std::vector<ClusterPair> ClusterVolumes::next_page() {
  std::vector<ClusterPair> page;
  auto at = collected_to_ ? unwanted_.upper_bound(*collected_to_) : unwanted_.begin();
  while (at != unwanted_.end() && page.size() < kPage) {
    if (is_wanted(at->first)) {
      at = unwanted_.erase(at);  // undeleted meanwhile
      continue;
    }
    page.push_back(at->first);
    ++at;
  }
  collected_to_.reset();
  if (at != unwanted_.end()) collected_to_ = page.back();
  return page;
}

Result<std::vector<ClusterPair>> ClusterVolumes::give_up(const std::vector<ClusterPair>& pairs) {
  std::vector<ClusterPair> going;
  HOMEPORT_CHECK(store_.write("claims", [&](store::WriteTransaction& tx) -> Result<void> {
    going.clear();
    for (const auto& pair : pairs) {
      HOMEPORT_TRY(const bool busy, work_is_open(tx, pair.space));
      HOMEPORT_TRY(auto space, store::get<SpaceRecord>(tx, pair.space));
      if (busy || !space || is_wanted(pair, *space)) continue;
      going.push_back(pair);
      // Still on the record of a space that is ready and needs it no more.
      if (space->claims && std::erase(*space->claims, claim_word(pair)) > 0) HOMEPORT_CHECK(store::put(tx, *space));
    }
    return {};
  }));
  return going;
}

Result<void> ClusterVolumes::collect(const std::stop_token& stop) {
  const auto page = next_page();
  if (page.empty()) return {};
  std::set<std::string> spaces;
  for (const auto& pair : page) spaces.insert(pair.space);
  const ClaimGuard::Hold hold(*guard_, std::move(spaces));
  HOMEPORT_TRY(const auto going, give_up(page));
  if (going.empty()) return {};
  fault_point("cluster.claims_given_up");
  auto op = context(stop);
  op.deadline += kCallTime;
  std::vector<CollectedPair> collected;
  const auto done = cluster_->collect(op, going, collected);
  for (const auto& [pair, kept] : collected) {
    if (!kept.empty()) {
      unwanted_[pair] = kept;
      continue;
    }
    unwanted_.erase(pair);
    log::info("a volume and its claim are gone from the cluster; its data is where it was",
              {{"space", pair.space}, {"claim", claim_word(pair)}});
  }
  if (done) return {};
  // The next page begins behind the one that failed: it cannot hold up the others for ever.
  const auto& failed = going[std::min(collected.size(), going.size() - 1)];
  collected_to_ = failed;
  if (!is_of_the_server(done.error())) {
    unwanted_[failed] = done.error().sentence();
    return {};
  }
  return collected.empty() ? done : Result<void>{};  // something was done: the rest goes on at once
}

void ClusterVolumes::when_mountable(const render::MountSpec& spec, std::vector<std::string> spaces,
                                    const std::string& ns, MonoTime deadline, std::function<void(Result<void>)> done) {
  if (cluster_ == nullptr) {
    return done(
        Error{.code = Errc::failed_precondition,
              .message = "there are no claims in namespace '" + printable(ns, 80) + "': this service makes none",
              .hint = "configure kubernetes: (see `homeport kubernetes rbac --help`), or leave the namespace "
                      "out for inline NFS volumes"});
  }
  const auto& known = cluster_->namespaces();
  if (std::find(known.begin(), known.end(), ns) == known.end()) {
    std::string all;
    for (const auto& name : known) all += (all.empty() ? "" : ", ") + name;
    return done(Error{.code = Errc::invalid_argument,
                      .message = "no claims are made in namespace '" + printable(ns, 80) + "'",
                      .hint = "kubernetes.namespaces of the configuration has " + all});
  }
  Waiter waiter{.spaces = std::move(spaces), .claims = {}, .deadline = deadline, .done = std::move(done)};
  for (const auto& mount : spec.mounts) {
    if (std::holds_alternative<render::NfsMount>(mount.source))
      waiter.claims.insert(claim_word({.ns = ns, .claim = render::object_name(mount), .space = {}}));
  }
  if (!verdict(waiter, false)) return waiter.done(Result<void>{});
  {
    const std::lock_guard lock(mutex_);
    asked_ = true;
    wake_.notify_all();
    // While the cluster is known to be in trouble nobody waits for it.
    if (!state_.trouble && !stopping_) {
      waiters_.push_back(std::move(waiter));
      return;
    }
  }
  const auto why = verdict(waiter, true);
  waiter.done(why ? Result<void>(*why) : Result<void>{});
}

// Nothing: all its claims are on the records. Else why not; `last_word` is what a caller is told.
std::optional<Error> ClusterVolumes::verdict(const Waiter& waiter, bool last_word) const {
  auto claims = waiter.claims;
  for (const auto& key : waiter.spaces) {
    const auto space = catalog_.space(key);
    if (!space || !space->claims) continue;
    for (const auto& claim : *space->claims) claims.erase(claim);
  }
  if (claims.empty()) return std::nullopt;
  Error error{.code = Errc::unavailable,
              .message = "the claim " + *claims.begin() + " is not there yet",
              .hint = "ask again in a moment; no pod is to wait for it meanwhile",
              .retry_after = kComeBack};
  if (!last_word) return error;
  const std::lock_guard lock(mutex_);
  for (const auto& key : waiter.spaces) {
    const auto at = state_.missing.find(key);
    if (at == state_.missing.end() || at->second.empty()) continue;
    error.code = Errc::failed_precondition;
    error.message = "the claim " + *claims.begin() + " cannot be made: " + at->second;
    error.hint = "an admin sees it in `homeport doctor`";
    return error;
  }
  if (state_.trouble) error.message += ": " + state_.trouble->sentence();
  return error;
}

void ClusterVolumes::answer_waiters() {
  std::vector<Waiter> looked_at;
  bool over = false;
  {
    const std::lock_guard lock(mutex_);
    looked_at.swap(waiters_);
    over = stopping_ || (!at_work_ && state_.trouble);
  }
  std::vector<Waiter> left;
  for (auto& waiter : looked_at) {
    const auto missing = verdict(waiter, true);
    const bool refused = missing && missing->code == Errc::failed_precondition;
    if (!missing) {
      waiter.done(Result<void>{});
    } else if (refused || over || clock_.mono() >= waiter.deadline) {
      waiter.done(*missing);
    } else {
      left.push_back(std::move(waiter));
    }
  }
  const std::lock_guard lock(mutex_);
  std::move(left.begin(), left.end(), std::back_inserter(waiters_));
}

ClusterVolumes::State ClusterVolumes::state() const {
  const std::lock_guard lock(mutex_);
  return state_;
}

std::vector<Finding> ClusterVolumes::findings() const {
  std::vector<Finding> out;
  if (cluster_ == nullptr) return out;
  const auto now = state();
  if (now.trouble) {
    out.push_back({.level = "error",
                   .what = "the Kubernetes cluster: " + now.trouble->sentence(),
                   .hint = now.trouble->hint.empty() ? "new homes wait until it answers; known ones are served"
                                                     : now.trouble->hint});
  }
  for (const auto& [space, why] : now.missing) {
    if (!why.empty())
      out.push_back({.level = "error",
                     .what = "space " + space + " has no claim in the cluster: " + why,
                     .hint = "mend or remove what is in the way; it is tried again by itself"});
  }
  for (const auto& [pair, why] : now.kept) {
    if (!why.empty())
      out.push_back({.level = "warning",
                     .what = "claim " + claim_word(pair) + " of space " + pair.space + " is no longer wanted: " + why,
                     .hint = "it is deleted as soon as nothing uses it; its data stays in any case"});
  }
  return out;
}

}  // namespace homeport::core
