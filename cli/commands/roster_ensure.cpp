#include "cli/commands/roster_ensure.h"

#include <algorithm>
#include <atomic>
#include <fstream>
#include <mutex>
#include <nlohmann/json.hpp>
#include <ostream>
#include <thread>
#include <vector>

#include "cli/commands/registry.h"
#include "cli/roster.h"
#include "cli/views.h"
#include "provisioner/base/bytes.h"

namespace homeport::cli {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kBatch = 200;
constexpr std::size_t kInFlight = 4;
constexpr std::size_t kShownFailures = 20;
constexpr milliseconds kServerWait{20'000};  // how long the service may hold one batch
constexpr milliseconds kPause{250};          // before unfinished homes of a batch are asked for again

struct Counts {
  std::size_t created = 0;
  std::size_t exists = 0;
  std::size_t pending = 0;
  std::size_t failed = 0;
  std::size_t not_sent = 0;
};

Json item_of(const RosterLine& line) {
  Json item{{"user", line.user}};
  if (line.uid != 0) item.update({{"uid", line.uid}, {"gid", line.gid}});
  if (!line.path.empty()) {
    item["existing"] = Json{{"backend", line.backend}, {"path", line.path}};
    if (line.whole) item["existing"]["layout"] = "filesystem";
    if (!line.measure) item["existing"]["measure"] = false;
  }
  if (!line.klass.empty()) item["class"] = line.klass;
  if (!line.quota.empty()) item["quota"] = Bytes::parse(line.quota).value().count();  // checked when it was read
  return item;
}

Json failed_item(const RosterLine& line, const Error& error) {
  return Json{
      {"user", line.user},
      {"outcome", "failed"},
      {"space", nullptr},
      {"error", {{"code", std::string(errc_name(error.code))}, {"message", error.sentence()}, {"hint", error.hint}}}};
}

// Failures that the next batch would meet as well.
bool ends_the_run(Errc code) {
  return code == Errc::unavailable || code == Errc::unauthenticated || code == Errc::forbidden ||
         code == Errc::cancelled || code == Errc::timed_out;
}

class RosterRun {
 public:
  RosterRun(Cli& cli, const std::vector<RosterLine>& lines, bool dry_run, std::optional<milliseconds> limit,
            std::stop_token stop)
      : cli_(cli), lines_(lines), dry_run_(dry_run), limit_(limit), stop_(std::move(stop)), items_(lines.size()) {}

  Result<void> run() {
    const std::size_t batches = (lines_.size() + kBatch - 1) / kBatch;
    std::vector<std::unique_ptr<Api>> apis;
    for (std::size_t i = 0; i < std::min(kInFlight, batches); ++i) {
      HOMEPORT_TRY(auto api, cli_.another_api());
      api->stop_with(stop_);
      apis.push_back(std::move(api));
    }
    HOMEPORT_TRY(ensure_target_, in_realm(cli_, Target("/v1/homes:ensure")));
    {
      std::vector<std::jthread> workers;
      for (auto& api : apis) {
        workers.emplace_back([this, &api] { work(*api); });
      }
    }
    if (progress_shown_) cli_.host().err << "\r\x1b[K" << std::flush;
    return {};
  }

  [[nodiscard]] const std::vector<Json>& items() const { return items_; }  // null: not sent
  [[nodiscard]] const std::optional<Error>& trouble() const { return trouble_; }

 private:
  void work(Api& api) {
    for (;;) {
      const std::size_t first = next_.fetch_add(kBatch);
      if (first >= lines_.size() || given_up_) return;
      const std::size_t last = std::min(first + kBatch, lines_.size());
      if (dry_run_) {
        for (std::size_t i = first; i < last && !given_up_; ++i) preview(api, i);
      } else {
        ensure_batch(api, first, last);
      }
      show_progress();
    }
  }

  void preview(Api& api, std::size_t i) {
    const RosterLine& line = lines_[i];
    Json body = item_of(line);
    body.erase("user");
    auto target = in_realm(cli_, Target("/v1/homes").part(line.user).query("dry_run", "true"));
    if (!target) return fail(i, i + 1, target.error());
    const auto answer = api.json({.method = "PUT", .target = *std::move(target), .body = body.dump()});
    if (!answer) return fail(i, i + 1, answer.error());
    const bool there = items_at(*answer, "steps").empty();
    const std::lock_guard lock(mutex_);
    items_[i] = Json{
        {"user", line.user}, {"outcome", there ? "exists" : "would-create"}, {"space", nullptr}, {"error", nullptr}};
  }

  // Asks until nothing of the batch is pending or the time is over; ensure can be repeated at will.
  void ensure_batch(Api& api, std::size_t first, std::size_t last) {
    const MonoTime end = cli_.host().clock.mono() + limit_.value_or(milliseconds{0});
    std::vector<std::size_t> wanted;
    for (std::size_t i = first; i < last; ++i) wanted.push_back(i);
    for (;;) {
      const auto rest = std::chrono::duration_cast<milliseconds>(end - cli_.host().clock.mono());
      const auto wait = std::clamp(rest, milliseconds{0}, kServerWait);
      if (!send_batch(api, wanted, wait)) return;
      std::erase_if(wanted, [this](std::size_t i) { return outcome(i) != "pending"; });
      if (wanted.empty() || cli_.host().clock.mono() >= end) return;
      if (!cli_.host().clock.sleep_for(kPause, stop_)) return;
    }
  }

  bool send_batch(Api& api, const std::vector<std::size_t>& wanted, milliseconds wait) {
    Json body{{"items", Json::array()}};
    for (const std::size_t i : wanted) body["items"].push_back(item_of(lines_[i]));
    Target target = ensure_target_;
    target.query("wait", std::to_string(wait.count() / 1000));
    auto answer = api.json(
        {.method = "POST", .target = std::move(target), .body = body.dump(), .repeat = Repeat::keyed, .extra = wait});
    if (answer && items_at(*answer, "items").size() != wanted.size()) {
      answer = Error{.code = Errc::internal,
                     .message = "the service answered for another number of users than it was asked for"};
    }
    if (!answer) {
      for (const std::size_t i : wanted) fail(i, i + 1, answer.error());
      return false;
    }
    const std::lock_guard lock(mutex_);
    for (std::size_t n = 0; n < wanted.size(); ++n) items_[wanted[n]] = (*answer)["items"][n];
    return true;
  }

  void fail(std::size_t first, std::size_t last, const Error& error) {
    const std::lock_guard lock(mutex_);
    for (std::size_t i = first; i < last; ++i) items_[i] = failed_item(lines_[i], error);
    if (ends_the_run(error.code)) {
      given_up_ = true;
      if (!trouble_) trouble_ = error;
    }
  }

  std::string outcome(std::size_t i) {
    const std::lock_guard lock(mutex_);
    return text_at(items_[i], "outcome");
  }

  void show_progress() {
    if (cli_.quiet() || !cli_.host().err_terminal) return;
    const std::lock_guard lock(mutex_);
    std::size_t done = 0;
    std::size_t failed = 0;
    for (const auto& item : items_) {
      done += item.is_null() ? 0U : 1U;
      failed += text_at(item, "outcome") == "failed" ? 1U : 0U;
    }
    cli_.host().err << "\r" << done << " of " << items_.size() << " homes, " << failed << " failed\x1b[K" << std::flush;
    progress_shown_ = true;
  }

  Cli& cli_;
  const std::vector<RosterLine>& lines_;
  const bool dry_run_;
  const std::optional<milliseconds> limit_;
  const std::stop_token stop_;
  Target ensure_target_{""};
  std::atomic<std::size_t> next_{0};
  std::atomic<bool> given_up_{false};
  std::mutex mutex_;
  std::vector<Json> items_;
  std::optional<Error> trouble_{};
  bool progress_shown_ = false;
};

Counts count(const std::vector<Json>& items) {
  Counts counts;
  for (const auto& item : items) {
    const std::string outcome = text_at(item, "outcome");
    if (item.is_null()) ++counts.not_sent;
    if (outcome == "created" || outcome == "would-create") ++counts.created;
    if (outcome == "exists") ++counts.exists;
    if (outcome == "pending") ++counts.pending;
    if (outcome == "failed") ++counts.failed;
  }
  return counts;
}

std::string summary(const Counts& counts, std::size_t total, bool dry_run, const std::string& done) {
  std::string out = std::to_string(total) + (total == 1 ? " home: " : " homes: ") + std::to_string(counts.created) +
                    (dry_run ? " would be " : " ") + done + ", " + std::to_string(counts.exists) + " there already, ";
  if (counts.pending > 0) out += std::to_string(counts.pending) + " still being " + done + ", ";
  if (counts.not_sent > 0) out += std::to_string(counts.not_sent) + " not sent, ";
  return out + std::to_string(counts.failed) + " failed";
}

void report_failures(Cli& cli, const std::vector<RosterLine>& lines, const std::vector<Json>& items) {
  std::size_t shown = 0;
  std::size_t more = 0;
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (text_at(items[i], "outcome") != "failed") continue;
    if (shown++ >= kShownFailures) {
      ++more;
      continue;
    }
    std::string text = (lines[i].line > 0 ? "line " + std::to_string(lines[i].line) + ", " : std::string()) +
                       lines[i].user + ": " + text_at(items[i], "error.message");
    if (const auto hint = text_at(items[i], "error.hint"); hint != "-") text += " (" + hint + ")";
    cli.note("  " + safe_text(text));
  }
  if (more > 0) cli.note("  and " + std::to_string(more) + " more; -o json has them all");
}

Result<void> write_failures(Cli& cli, const std::string& file, const std::vector<RosterLine>& lines,
                            const std::vector<Json>& items) {
  std::vector<RosterLine> failed;
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (items[i].is_null() || text_at(items[i], "outcome") == "failed") failed.push_back(lines[i]);
  }
  std::ofstream out(file, std::ios::binary | std::ios::trunc);
  out << roster_text(failed);
  out.close();
  if (!out)
    return Error{.code = Errc::failed_precondition, .message = "cannot write the failed lines to " + safe_text(file)};
  if (!failed.empty()) cli.note("the lines to repeat are in " + safe_text(file));
  return {};
}

ExitCode code_of(const std::vector<Json>& items, const Counts& counts, const std::optional<Error>& trouble) {
  if (trouble) return exit_code(trouble->code);
  for (const auto& item : items) {
    if (text_at(item, "outcome") != "failed") continue;
    return exit_code(errc_from_name(text_at(item, "error.code")).value_or(Errc::internal));
  }
  return counts.pending > 0 ? ExitCode::still_running : ExitCode::ok;
}

}  // namespace

Result<ExitCode> ensure_roster(Cli& cli, const RosterJob& job) {
  HOMEPORT_TRY(const auto text, read_text(cli, job.file));
  HOMEPORT_TRY(const auto lines, parse_roster(text, job.file == "-" ? "standard input" : safe_text(job.file)));
  return ensure_lines(cli, lines, job);
}

Result<ExitCode> ensure_lines(Cli& cli, const std::vector<RosterLine>& lines, const RosterJob& job) {
  HOMEPORT_TRY(const auto limit, wait_limit(job.mutation));
  HOMEPORT_CHECK(cli.settings());  // before threads ask for them
  const InterruptWatch interrupt;
  RosterRun run(cli, lines, job.mutation.dry_run, limit, interrupt.token());
  HOMEPORT_CHECK(run.run());
  const auto& items = run.items();
  const Counts counts = count(items);
  if (cli.wants_table()) {
    cli.print(summary(counts, lines.size(), job.mutation.dry_run, job.done) + "\n");
  } else {
    Json all{{"items", Json::array()}};
    for (std::size_t i = 0; i < items.size(); ++i) {
      all["items"].push_back(
          items[i].is_null() ? failed_item(lines[i], {.code = Errc::cancelled, .message = "not sent"}) : items[i]);
    }
    cli.show(all, ensured_view);
  }
  if (run.trouble()) {
    cli.host().err << error_text(*run.trouble(), cli.color_errors());
    cli.note("giving the same command again goes on where this stopped");
  } else {
    report_failures(cli, lines, items);
  }
  if (!job.failures.empty()) HOMEPORT_CHECK(write_failures(cli, job.failures, lines, items));
  const ExitCode code = code_of(items, counts, run.trouble());
  // Asked not to wait: what is pending is as it should be.
  return code == ExitCode::still_running && !limit ? ExitCode::ok : code;
}

}  // namespace homeport::cli
