// The plan of a restore: `from` (the snapshot's name on the backend), `taken_at` (ms), `path`, `way`, `to`, `stamp`;
// `viewer` {uid, gids} where a person asked for their own; `state` as the copy goes on; `counted` once the source was
// looked through; `notes` (what could not be brought back); `safety` (the snapshot that was taken
// before); `result` at the end.
#include "provisioner/core/restore_steps.h"

#include <algorithm>
#include <map>
#include <utility>

#include "provisioner/core/long_step.h"
#include "provisioner/core/snapshot_files.h"
#include "provisioner/core/space_work.h"

namespace homeport::core {

using nlohmann::json;
using trees::Restore;
using trees::RestoreJob;
using trees::RestoreState;
using trees::RestoreWay;
using trees::TreePath;

namespace {

constexpr std::size_t kMostNotes = 20;
constexpr std::chrono::seconds kBeat{1};
// A copy holds a thread of the backend's for as long as it takes; the others are for logins.
constexpr std::uint32_t kMostAtOnce = 4;

Result<RestoreJob> job_from(const json& plan) {
  RestoreJob job;
  HOMEPORT_TRY(job.path, TreePath::parse(plan.value("path", "")));
  HOMEPORT_TRY(job.into, TreePath::parse(plan.value("to", "")));
  const auto way = trees::restore_way_from_name(plan.value("way", ""));
  if (!way) return Error{.code = Errc::internal, .message = "the plan names no way to restore"};
  job.way = *way;
  job.stamp = plan.value("stamp", "");
  if (plan.contains("taken_at"))
    job.taken_at = WallTime(std::chrono::milliseconds(plan["taken_at"].get<std::int64_t>()));
  if (const auto at = plan.find("viewer"); at != plan.end()) {
    trees::Viewer viewer{.uid = Uid{at->value("uid", 0U)}};
    for (const auto& gid : at->value("gids", json::array())) viewer.gids.push_back(Gid{gid.get<std::uint32_t>()});
    job.viewer = std::move(viewer);
  }
  return job;
}

// A file name may be any bytes, the journal takes text.
std::string raw_name(const std::string& text) {
  const auto path = TreePath::parse(text);
  return path && !path->is_root() ? path->name() : std::string();
}

RestoreState state_from(const store::OperationRecord& op) {
  const auto at = op.plan.find("state");
  if (at == op.plan.end()) return {.staging = std::string(trees::kStagingPrefix) + op.id};
  return {.staging = at->value("staging", ""),
          .staging_id = at->value("staging_id", std::uint64_t{0}),
          .name = raw_name(at->value("name", "")),
          .restored_id = at->value("restored_id", std::uint64_t{0}),
          .merged = at->value("merged", false)};
}

json state_json(const RestoreState& state) {
  return {{"staging", state.staging},
          {"staging_id", state.staging_id},
          {"name", trees::name_text(state.name)},
          {"restored_id", state.restored_id},
          {"merged", state.merged}};
}

// One of the few that may copy on a backend at a time.
class Turn {
 public:
  static Result<Turn> take(const Backend& backend) {
    const bool free = running().with([&](auto& counts) {
      auto& count = counts[&backend];
      if (count == kMostAtOnce) return false;
      ++count;
      return true;
    });
    if (free) return Turn(backend);
    return Error{.code = Errc::unavailable,
                 .message = std::to_string(kMostAtOnce) + " restores are at work on backend " +
                            backend.spec().name.str() + "; this one waits for its turn",
                 .retry_after = std::chrono::seconds(2)};
  }
  Turn(Turn&& other) noexcept : backend_(std::exchange(other.backend_, nullptr)) {}
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;
  Turn& operator=(Turn&&) = delete;
  ~Turn() {
    if (backend_ == nullptr) return;
    running().with([&](auto& counts) {
      if (--counts[backend_] == 0) counts.erase(backend_);
    });
  }

 private:
  explicit Turn(const Backend& backend) : backend_(&backend) {}
  static Guarded<std::map<const Backend*, std::uint32_t>>& running() {
    static Guarded<std::map<const Backend*, std::uint32_t>> counts;
    return counts;
  }
  const Backend* backend_;
};

// What both steps work with: two open trees, and the state that is written whenever it changes.
class Work {
 public:
  explicit Work(StepContext& c) : c_(long_step(c)), state_(state_from(c.operation)) {}

  Result<void> open() {
    HOMEPORT_TRY(job_, job_from(c_.operation.plan));
    HOMEPORT_TRY(auto* access, trees_of(c_.backend));
    HOMEPORT_TRY(const auto ref, object_ref(c_.space));
    HOMEPORT_TRY(to_, access->open_tree(fresh(), ref, {}));
    trees::CopyCalls calls{.reading = [this] { return fresh(); },
                           .writing = [this] { return fresh(); },
                           .each_piece = [this] { return beat(); }};
    restore_.emplace(std::move(calls), progress_, job_, state_, [this] { return keep(); });
    last_beat_ = c_.clock.mono();
    HOMEPORT_TRY(from_, access->open_tree(fresh(), ref, {.snapshot = c_.operation.plan.value("from", "")}));
    return {};
  }

  Result<trees::CopyReport> copy() {
    if (!c_.operation.plan.contains("counted")) {
      HOMEPORT_TRY(const auto counted, restore_->check(*from_, *to_));
      c_.operation.progress_total = counted.bytes;
      c_.operation.progress_unit = "bytes";
      c_.operation.plan["counted"] = {{"files", counted.files}, {"bytes", counted.bytes}};
      progress_.files = 0;
      progress_.bytes = 0;
      HOMEPORT_CHECK(keep());
    }
    auto copied = restore_->copy(*from_, *to_);
    c_.operation.progress_done = progress_.bytes.load();
    return copied;
  }
  Result<TreePath> place() { return restore_->place(*from_, *to_); }
  Result<void> clean_up() { return restore_ ? restore_->clean_up(*to_) : Result<void>{}; }
  // What was begun out of sight is taken away again before the operation ends for good.
  Error after_refusal(Error error) {
    if (is_transient(error.code) && !(error.code == Errc::cancelled && c_.operation.cancel_requested)) return error;
    if (auto cleaned = clean_up(); !cleaned && is_transient(cleaned.error().code)) return std::move(cleaned).error();
    const bool partly = state_.merged || job_.way == RestoreWay::whole;
    if (partly && progress_.files.load() > 0) {
      error.message += "; until then " + std::to_string(progress_.files.load()) +
                       " files were looked at and put back, each of them whole";
      if (error.hint.empty()) error.hint = "remove the cause and restore again: it goes on from there";
    }
    return error;
  }

 private:
  OpContext fresh() const {
    OpContext op = c_.op;
    op.deadline = c_.may_act_until();
    return op;
  }
  Result<void> keep() {
    c_.operation.plan["state"] = state_json(state_);
    return c_.keep("restore");
  }
  Result<void> beat() {
    if (c_.op.stop.stop_requested()) return Error{.code = Errc::cancelled, .message = "the service is stopping"};
    const auto now = c_.clock.mono();
    if (now - last_beat_ < kBeat) return {};
    last_beat_ = now;
    c_.operation.progress_done = progress_.bytes.load();
    HOMEPORT_CHECK(c_.keep("beat"));
    if (c_.operation.cancel_requested) return Error{.code = Errc::cancelled, .message = "cancelled on request"};
    return {};
  }

  LongStep& c_;
  RestoreState state_;
  RestoreJob job_{};
  trees::CopyProgress progress_{};
  std::unique_ptr<drivers::Tree> from_{};
  std::unique_ptr<drivers::Tree> to_{};
  std::optional<Restore> restore_{};
  MonoTime last_beat_{};
};

json notes_of(const trees::CopyReport& report) {
  json notes = json::array();
  std::size_t more = 0;
  for (const auto* list : {&report.unreadable, &report.changing, &report.left_behind, &report.in_the_way}) {
    for (const auto& note : *list) {
      if (notes.size() < kMostNotes) {
        notes.push_back(trees::name_text(note.path) + ": " + note.why);
      } else {
        ++more;
      }
    }
  }
  if (more > 0) notes.push_back("and " + std::to_string(more) + " more");
  return notes;
}

// A single file that is not there in the end was not restored; of a folder, the rest was.
Result<void> check_whole(const json& plan, const trees::CopyReport& report) {
  if (report.complete() || report.files + report.directories + report.links > 1) return {};
  const auto& first = report.unreadable.empty() ? report.changing.front() : report.unreadable.front();
  return Error{.code = Errc::failed_precondition,
               .message = "'" + plan.value("path", "") + "' cannot be read from the snapshot: " + first.why,
               .hint = "another snapshot may have it: `homeport snapshot versions`"};
}

}  // namespace

json restore_plan(const RestoreJob& job, const std::string& from) {
  json plan{{"from", from},
            {"path", job.path.text()},
            {"way", std::string(trees::restore_way_name(job.way))},
            {"to", job.into.text()},
            {"stamp", job.stamp}};
  if (job.taken_at) plan["taken_at"] = job.taken_at->time_since_epoch().count();
  if (job.viewer) {
    json gids = json::array();
    for (const auto gid : job.viewer->gids) gids.push_back(gid.value);
    plan["viewer"] = {{"uid", job.viewer->uid.value}, {"gids", std::move(gids)}};
  }
  return plan;
}

Result<std::string> copy_back_step(StepContext& c) {
  HOMEPORT_TRY(const auto turn, Turn::take(c.backend));
  Work work(c);
  if (auto opened = work.open(); !opened)
    return work.after_refusal(std::move(opened).context(space_words(c.space, c.catalog)).error());
  auto report = work.copy();
  if (!report) return work.after_refusal(std::move(report).context(space_words(c.space, c.catalog)).error());
  if (auto whole = check_whole(c.operation.plan, *report); !whole) return work.after_refusal(std::move(whole).error());
  auto notes = notes_of(*report);
  const auto missing = notes.size();
  if (missing > 0) c.operation.plan["notes"] = std::move(notes);
  return std::to_string(report->files) + " files, " + Bytes{report->bytes}.to_string() +
         (missing > 0 ? "; " + std::to_string(missing) + " notes" : "");
}

Result<std::string> place_back_step(StepContext& c) {
  Work work(c);
  if (auto opened = work.open(); !opened)
    return work.after_refusal(std::move(opened).context(space_words(c.space, c.catalog)).error());
  auto placed = work.place();
  if (!placed) return work.after_refusal(std::move(placed).context(space_words(c.space, c.catalog)).error());
  HOMEPORT_CHECK(work.clean_up().context(space_words(c.space, c.catalog)));
  c.operation.plan["result"] = placed->text();
  return placed->is_root() ? "all of it is as it was" : "restored to " + placed->text();
}

}  // namespace homeport::core
