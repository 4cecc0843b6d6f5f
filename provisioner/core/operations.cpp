#include "provisioner/core/operations.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <utility>

#include "provisioner/base/fault_point.h"
#include "provisioner/base/log.h"
#include "provisioner/base/stop_loop.h"
#include "provisioner/core/long_step.h"
#include "provisioner/core/operation_rows.h"
#include "provisioner/core/space_work.h"

namespace homeport::core {

using store::OperationRecord;
using store::OperationState;
using store::SpaceRecord;
using store::SpaceState;

namespace {

constexpr std::chrono::seconds kLongestCall{20};
constexpr std::chrono::seconds kLongestClusterCall{8};
constexpr std::chrono::milliseconds kFirstDelay{500};
constexpr std::chrono::seconds kQueueFullDelay{1};
constexpr std::chrono::seconds kUnreadableDelay{5};
constexpr std::chrono::milliseconds kFreshFor{500};
constexpr std::chrono::milliseconds kLongestDelay{60'000};
// What is left of the lease after a call's deadline: time to notice and write.
constexpr std::chrono::milliseconds kLeaseMargin{500};

// Nothing more happens to it by itself.
bool is_settled(const OperationRecord& op) {
  return !store::is_open(op.state) || op.state == OperationState::parked;
}

std::chrono::milliseconds delay_after(std::uint32_t attempts, const Error& error) {
  auto delay = kFirstDelay;
  for (std::uint32_t i = 1; i < attempts && delay < kLongestDelay; ++i) delay *= 2;
  delay = std::min(delay, kLongestDelay);
  return error.retry_after ? std::max(delay, *error.retry_after) : delay;
}

}  // namespace

Operations::Operations(store::Store& store, Catalog& catalog, Backends& backends, Clock& clock, IdSource& ids,
                       Metrics& metrics)
    : store_(store), catalog_(catalog), backends_(backends), clock_(clock), ids_(ids), metrics_(metrics) {}

Operations::~Operations() {
  stop();
}

OperationRecord Operations::prepare(std::string_view kind, const SpaceRecord& space, const Caller& caller,
                                    nlohmann::json plan) const {
  const auto now = clock_.now();
  std::array<char, 16> stamp{};
  std::snprintf(stamp.data(), stamp.size(), "%011llx", static_cast<unsigned long long>(now.time_since_epoch().count()));
  OperationRecord op{.id = std::string("op-") + stamp.data() + hex16(ids_.random64()).substr(0, 8),
                     .kind = std::string(kind),
                     .space = space.key,
                     .backend = space.backend,
                     .principal = caller.principal.id};
  op.request_id = caller.request_id;
  op.plan = std::move(plan);
  op.plan["state_before"] = space.revision == 0 ? "" : std::string(store::space_state_name(space.state));
  for (const auto& step : operation_kind(kind).steps) {
    if (!step.on_cluster || cluster_ != nullptr) op.steps.push_back({.name = std::string(step.name)});
  }
  op.created_at = op.updated_at = now;
  return op;
}

void Operations::start(const std::string& operation_id) {
  hand_out(operation_id);
}

void Operations::start_new(const OperationRecord& op) {
  if (claim(op.id)) queue(op);
}

std::chrono::milliseconds Operations::call_time() const {
  return std::min<std::chrono::milliseconds>(kLongestCall, store_.lease_left() - kLeaseMargin);
}

bool Operations::claim(const std::string& id) {
  const std::lock_guard lock(mutex_);
  if (stopping_) return false;
  if (running_.insert(id).second) return true;
  once_more_.insert(id);  // asked for while it is being worked on: looked at again right after
  return false;
}

void Operations::hand_out(const std::string& id) {
  if (!claim(id)) return;
  const auto op = read_operation(store_, id);
  if (!op || is_settled(*op)) {
    if (!op && is_transient(op.error().code)) look_again(id, kUnreadableDelay);
    release(id);
    if (op) wake_waiters(*op);
    return;
  }
  queue(*op);
}

void Operations::queue(const OperationRecord& op) {
  const auto backend = backends_.get_serving(op.backend);
  if (!backend) {
    (void)postpone(op, backend.error());
    release(op.id);
    return;
  }
  const auto* next = next_step(op);
  auto& workers =
      next != nullptr && next->on_cluster && cluster_ != nullptr ? *cluster_workers_ : (*backend)->workers();
  auto queued = workers.submit([this, op, since = clock_.mono()](const std::stop_token& stop) {
    const auto& id = op.id;
    // Just read or written, it need not be read again; after a wait somebody may have asked for its end.
    const bool fresh = op.revision != 0 && clock_.mono() - since < kFreshFor;
    const auto left = fresh ? execute(op, stop) : execute(id, stop);
    release(id);
    // Only now: who is told that it has ended may ask for the next thing at once.
    if (left && is_settled(*left)) wake_waiters(*left);
  });
  if (queued) return;
  look_again(op.id, kQueueFullDelay);
  release(op.id);
}

void Operations::look_again(const std::string& id, std::chrono::milliseconds delay) {
  const std::lock_guard lock(mutex_);
  due_.emplace(clock_.mono() + delay, id);
  wake_.notify_all();
}

void Operations::release(const std::string& id) {
  const std::lock_guard lock(mutex_);
  running_.erase(id);
  if (once_more_.erase(id) == 0) return;
  due_.emplace(clock_.mono(), id);
  wake_.notify_all();
}

std::optional<OperationRecord> Operations::execute(const std::string& id, const std::stop_token& stop) {
  auto op = read_operation(store_, id);
  if (!op) {
    log::error("operation cannot be read", {{"operation", id}, {"why", op.error().to_string()}});
    if (is_transient(op.error().code)) look_again(id, kUnreadableDelay);
    return std::nullopt;
  }
  return execute(*op, stop);
}

OperationRecord Operations::execute(const OperationRecord& op, const std::stop_token& stop) {
  if (is_settled(op)) return op;
  try {
    return walk(op, stop);
  } catch (const std::exception& e) {
    // A fault of ours or of a library. One operation stands still and is seen; the service and the rest go on.
    return park(op,
                Error{.code = Errc::internal, .message = std::string("a step ended with an exception: ") + e.what()});
  }
}

OperationRecord Operations::walk(OperationRecord op, const std::stop_token& stop) {
  const auto& kind = operation_kind(op.kind);
  std::optional<SpaceRecord> space;
  const auto read = [&]() -> Result<void> {
    if (const auto known = catalog_.space(op.space)) {
      space = *known;
      return {};
    }
    return store_.read([&](store::ReadTransaction& tx) -> Result<void> {
      HOMEPORT_TRY(space, store::get<SpaceRecord>(tx, op.space));
      return {};
    });
  }();
  if (!read && is_transient(read.error().code)) return postpone(std::move(op), read.error());
  if (!read || !space) {
    const Error lost{.code = Errc::internal, .message = "the space of this operation cannot be read"};
    return park(std::move(op), read ? lost : read.error());
  }
  const auto backend = backends_.get_serving(op.backend);
  if (!backend) return postpone(std::move(op), backend.error());
  if (kind.changes_backend && (*backend)->spec().mode == BackendMode::observe) {
    const Error observed{.code = Errc::unavailable,
                         .message = "backend " + op.backend + " is in mode observe: nothing is changed",
                         .hint = "set mode create or manage, or `homeport operation give-up " + op.id + "`"};
    return postpone(std::move(op), observed);
  }
  const bool untouched = std::none_of(op.steps.begin(), op.steps.end(), [](const auto& s) { return s.done; });
  if (op.cancel_requested && untouched && kind.cancellable) {
    return on_failure(std::move(op), Error{.code = Errc::cancelled, .message = "cancelled on request"}, **backend);
  }
  const auto* first = next_step(op);
  for (std::size_t i = 0; i < op.steps.size(); ++i) {
    if (op.steps[i].done) continue;
    const auto* step = next_step(op);
    if (step == nullptr) {
      const Error foreign{.message = "step " + op.steps[i].name + " is of another version of Homeport"};
      return park(std::move(op), foreign);
    }
    if (step->on_cluster != first->on_cluster) {
      look_again(op.id, std::chrono::milliseconds(0));  // on the other side's workers
      return op;
    }
    const auto done = run_step(op, *space, i, **backend, stop);
    if (done) continue;
    if (!step->on_cluster) (*backend)->note_failure(done.error(), clock_.now());
    return on_failure(std::move(op), done.error(), **backend);
  }
  keep_source_current(*space, **backend);
  return op;
}

void Operations::keep_source_current(const SpaceRecord& space, const Backend& used) {
  const auto now = backends_.get(space.backend);
  if (!now || now->get() == &used) return;
  const auto source = mount_source_text((*now)->driver(), clock_, space);
  if (!source || *source == space.source) return;
  const auto written = store_.write("sources", [&](store::WriteTransaction& tx) -> Result<void> {
    HOMEPORT_TRY(auto current, store::get<SpaceRecord>(tx, space.key));
    if (!current) return {};
    current->source = *source;
    return store::put(tx, *current);
  });
  if (!written)
    log::warning("a mount source was not renewed", {{"space", space.key}, {"why", written.error().to_string()}});
}

Result<void> Operations::run_step(OperationRecord& op, SpaceRecord& space, std::size_t index, Backend& backend,
                                  const std::stop_token& stop) {
  const auto& step = *next_step(op);
  const std::string point = "operation." + op.kind + "." + std::string(step.name);
  while (true) {
    const auto time =
        step.on_cluster ? std::min<std::chrono::milliseconds>(call_time(), kLongestClusterCall) : call_time();
    if (time.count() <= 0) {
      return Error{.code = Errc::unavailable, .message = "the lease has too little life left for a backend call"};
    }
    CallLog calls;
    const OpContext context{.request_id = op.request_id,
                            .deadline = clock_.mono() + time,
                            .stop = stop,
                            .operation_id = op.id,
                            .calls = &calls};
    LongStep step_context{{.op = context,
                           .clock = clock_,
                           .backend = backend,
                           .driver = backend.driver(),
                           .backend_mode = backend.spec().mode,
                           .catalog = catalog_,
                           .cluster = cluster_,
                           .operation = op,
                           .space = space,
                           .assign = assign_},
                          [this] { return clock_.mono() + call_time(); },
                          [this, &op](std::string_view what) -> Result<void> {
                            op.updated_at = clock_.now();
                            return store_.write(what, [&](store::WriteTransaction& tx) { return put_own(tx, op); });
                          }};
    fault_point(point + ".before");
    auto seen = step.run(step_context);
    fault_point(point + ".after");
    for (auto& line : calls.lines()) {
      if (op.calls.size() < CallLog::kMax) op.calls.push_back(std::move(line));
    }
    if (!seen) return std::move(seen).error();
    if (!step.on_cluster) backend.note_success(clock_.now());
    if (!step_context.again) return write_step(op, space, index, *seen, step_context.also_write);
    if (stop.stop_requested()) return Error{.code = Errc::cancelled, .message = "the service is stopping"};
    // A piece is done: its progress is kept, so that a restart does not begin anew.
    HOMEPORT_CHECK(step_context.keep("progress"));
  }
}

Result<void> Operations::put_own(store::WriteTransaction& tx, OperationRecord& op) {
  // Nearly always nobody has written it since it was read.
  auto written = store::put(tx, op, store::Expect::at(op.revision));
  if (written || written.error().code != Errc::conflict) return written;
  HOMEPORT_TRY(const auto current, store::get<OperationRecord>(tx, op.id));
  if (!current || !store::is_open(current->state)) {
    return Error{.code = Errc::cancelled, .message = "operation " + op.id + " was ended by somebody else"};
  }
  op.cancel_requested = current->cancel_requested;
  return store::put(tx, op, store::Expect::at(current->revision));
}

Result<void> Operations::write_step(
    OperationRecord& op, SpaceRecord& space, std::size_t index, const std::string& detail,
    const std::function<Result<void>(store::WriteTransaction&, SpaceRecord&)>& also_write) {
  const auto& kind = operation_kind(op.kind);
  const bool last = index + 1 == op.steps.size();
  const auto now = clock_.now();
  OperationRecord next_op = op;
  SpaceRecord next_space = space;
  next_op.steps[index].done = true;
  next_op.steps[index].at = now;
  next_op.steps[index].detail = detail;
  next_op.updated_at = now;
  next_op.state = OperationState::running;
  next_op.next_try.reset();
  next_op.failure.reset();
  if (last) {
    next_op.state = OperationState::succeeded;
    next_op.finished_at = now;
    next_space.state = kind.success.value_or(next_space.state);
  }
  OperationRecord stored_op = next_op;
  SpaceRecord stored_space = next_space;
  HOMEPORT_CHECK(store_.write("step", [&](store::WriteTransaction& tx) -> Result<void> {
    stored_op = next_op;
    stored_space = next_space;
    if (also_write) HOMEPORT_CHECK(also_write(tx, stored_space));
    HOMEPORT_CHECK(put_own(tx, stored_op));
    if (kind.success) HOMEPORT_CHECK(store::put(tx, stored_space, store::Expect::any()));
    if (last) HOMEPORT_CHECK(tx.append_audit(audit_of(stored_op, "ok", now)));
    return {};
  }));
  op = std::move(stored_op);
  space = std::move(stored_space);
  if (last) count_outcome(op.kind, "ok");
  return {};
}

OperationRecord Operations::on_failure(OperationRecord op, const Error& error, Backend& backend) {
  log::warning("operation step failed", {{"operation", op.id},
                                         {"kind", op.kind},
                                         {"space", op.space},
                                         {"backend", op.backend},
                                         {"why", error.to_string()}});
  const bool cancelled = error.code == Errc::cancelled && op.cancel_requested;
  if (is_transient(error.code) && !cancelled) return postpone(std::move(op), error);
  if (error.code == Errc::internal) return park(std::move(op), error);
  const bool touched = has_touched(op);
  const bool makes_something = !operation_kind(op.kind).restored;
  if (makes_something && error.code != Errc::already_exists) {
    // Refused for good. Only when nothing of ours stands may the record be closed; what stands is reported.
    const auto standing = something_stands(op, backend);
    if (!standing) return postpone(std::move(op), standing.error());
    if (*standing || touched) return park(std::move(op), error);
  } else if (!makes_something && touched) {
    return park(std::move(op), error);
  }
  const auto end = cancelled ? OperationState::cancelled : OperationState::failed;
  auto closed = refuse(op, error, end);
  if (closed) return std::move(closed).value();
  log::error("operation could not be closed", {{"operation", op.id}, {"why", closed.error().to_string()}});
  return postpone(std::move(op), closed.error());
}

OperationRecord Operations::postpone(OperationRecord op, const Error& error) {
  ++op.attempts;
  const auto delay = delay_after(op.attempts, error);
  op.state = OperationState::waiting;
  op.failure = failure_of(error);
  op.next_try = clock_.now() + delay;
  op.updated_at = clock_.now();
  auto stored = op;
  const auto written = store_.write("postpone", [&](store::WriteTransaction& tx) -> Result<void> {
    stored = op;
    return put_own(tx, stored);
  });
  if (!written) {
    // The journal holds the step before this one, which is as good a place to go on from.
    log::warning("a delay was not recorded", {{"operation", op.id}, {"why", written.error().to_string()}});
  }
  const std::lock_guard lock(mutex_);
  due_.emplace(clock_.mono() + delay, op.id);
  wake_.notify_all();
  return written ? stored : op;
}

OperationRecord Operations::park(OperationRecord op, const Error& error) {
  op.state = OperationState::parked;
  op.failure = failure_of(error);
  op.next_try.reset();
  op.updated_at = clock_.now();
  auto stored = op;
  const auto written = store_.write("park", [&](store::WriteTransaction& tx) -> Result<void> {
    stored = op;
    HOMEPORT_CHECK(put_own(tx, stored));
    return tx.append_audit(audit_of(op, "parked", op.updated_at));
  });
  log::error("operation is parked", {{"operation", op.id},
                                     {"kind", op.kind},
                                     {"space", op.space},
                                     {"why", error.to_string()},
                                     {"see", "homeport operation show " + op.id}});
  if (!written) {
    log::error("parking was not recorded", {{"operation", op.id}, {"why", written.error().to_string()}});
    return postpone(std::move(op), error);
  }
  count_outcome(op.kind, "parked");
  return stored;
}

Result<OperationRecord> Operations::refuse(const OperationRecord& refused, const Error& error, OperationState end,
                                           bool keep_state) {
  const auto& kind = operation_kind(refused.kind);
  const auto now = clock_.now();
  OperationRecord wanted = refused;
  wanted.state = end;
  wanted.failure = failure_of(error);
  wanted.finished_at = wanted.updated_at = now;
  wanted.next_try.reset();
  OperationRecord stored = wanted;
  HOMEPORT_CHECK(store_.write("refuse", [&](store::WriteTransaction& tx) -> Result<void> {
    stored = wanted;
    HOMEPORT_CHECK(put_own(tx, stored));
    HOMEPORT_TRY(auto space, store::get<SpaceRecord>(tx, wanted.space));
    if (kind.refused != nullptr) HOMEPORT_CHECK(kind.refused(tx, wanted, keep_state));
    if (space && kind.success && !(kind.restored && keep_state)) {
      const auto before = store::space_state_from_name(wanted.plan.value("state_before", ""));
      space->state = kind.restored ? before.value_or(*kind.restored) : SpaceState::failed;
      HOMEPORT_CHECK(store::put(tx, *space));
    }
    return tx.append_audit(audit_of(wanted, errc_name(error.code), now));
  }));
  count_outcome(wanted.kind, errc_name(error.code));
  return stored;
}

void Operations::wake_waiters(const OperationRecord& op) {
  std::vector<Waiter> ready;
  {
    const std::lock_guard lock(mutex_);
    const auto [first, last] = waiters_.equal_range(op.id);
    for (auto at = first; at != last; ++at) ready.push_back(std::move(at->second));
    waiters_.erase(first, last);
  }
  for (auto& waiter : ready) waiter.done(op);
}

void Operations::await(const std::string& operation_id, MonoTime deadline,
                       std::function<void(Result<OperationRecord>)> done) {
  {
    const std::lock_guard lock(mutex_);
    waiters_.emplace(operation_id, Waiter{.deadline = deadline, .done = std::move(done)});
    if (deadline < next_look_) {
      next_look_ = deadline;
      wake_.notify_all();
    }
    // Whoever has it in hand lets it go under this mutex and wakes us after that.
    if (running_.contains(operation_id)) return;
  }
  // It may have ended before we were entered: then nobody else would wake us. Seen in the store, but not yet in the
  // catalog, it is just being ended, and whoever does so will: who is told must find the catalog up to date.
  const auto op = read_operation(store_, operation_id);
  if (!op || !is_settled(*op)) return;
  if (store::is_open(op->state)) {
    const std::lock_guard lock(mutex_);
    if (running_.contains(operation_id)) return;
  } else if (catalog_.open_operation(op->space) == operation_id) {
    return;
  }
  wake_waiters(*op);
}

void Operations::loop(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    fire_timers();
    std::unique_lock lock(mutex_);
    next_look_ = clock_.mono() + std::chrono::seconds(1);
    if (!due_.empty()) next_look_ = std::min(next_look_, due_.begin()->first);
    for (const auto& [id, waiter] : waiters_) next_look_ = std::min(next_look_, waiter.deadline);
    const auto planned = next_look_;
    const auto pause = std::max(planned - clock_.mono(), MonoTime::duration(std::chrono::milliseconds(1)));
    // Woken early for something that is due before what was planned.
    wake_.wait_for(lock, stop, pause,
                   [&] { return next_look_ < planned || (!due_.empty() && due_.begin()->first < planned); });
  }
}

void Operations::fire_timers() {
  std::vector<std::string> due;
  std::vector<std::pair<std::string, Waiter>> late;
  {
    const std::lock_guard lock(mutex_);
    const auto now = clock_.mono();
    while (!due_.empty() && due_.begin()->first <= now) {
      due.push_back(due_.begin()->second);
      due_.erase(due_.begin());
    }
    for (auto at = waiters_.begin(); at != waiters_.end();) {
      if (at->second.deadline > now) {
        ++at;
        continue;
      }
      late.emplace_back(at->first, std::move(at->second));
      at = waiters_.erase(at);
    }
  }
  for (const auto& id : due) hand_out(id);
  for (auto& [id, waiter] : late) waiter.done(read_operation(store_, id));
}

Result<void> Operations::recover_and_run() {
  std::vector<OperationRecord> open;
  HOMEPORT_CHECK(store_.read([&](store::ReadTransaction& tx) -> Result<void> {
    open.clear();
    HOMEPORT_TRY(const auto rows, tx.list(store::Table::operations, {.column = "open", .value = "1"}));
    for (const auto& row : rows) {
      auto op = store::from_row<OperationRecord>(row);
      if (op) {
        open.push_back(std::move(*op));
      } else {
        log::error("operation cannot be read and stays as it is",
                   {{"operation", row.key}, {"why", op.error().to_string()}});
      }
    }
    return {};
  }));
  std::size_t resumed = 0;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& op : open) {
      if (op.state == OperationState::parked) continue;
      due_.emplace(clock_.mono(), op.id);
      ++resumed;
    }
  }
  if (!open.empty()) {
    log::info("open operations found",
              {{"resumed", std::to_string(resumed)}, {"parked", std::to_string(open.size() - resumed)}});
  }
  thread_ = std::jthread([this](const std::stop_token& stop) { loop(stop); });
  return {};
}

void Operations::stop() {
  stop_loop(mutex_, stopping_, wake_, thread_);
  std::vector<std::pair<std::string, Waiter>> left;
  {
    const std::lock_guard lock(mutex_);
    for (auto& [id, waiter] : waiters_) left.emplace_back(id, std::move(waiter));
    waiters_.clear();
  }
  for (auto& [id, waiter] : left) waiter.done(read_operation(store_, id));
}

}  // namespace homeport::core
