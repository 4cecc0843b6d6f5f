#include "cli/commands/home_copy.h"

#include <algorithm>
#include <atomic>
#include <charconv>
#include <nlohmann/json.hpp>
#include <ostream>
#include <thread>

#include "cli/commands/home_copy_report.h"
#include "cli/copy_claims.h"
#include "cli/copy_plan.h"
#include "cli/copy_source.h"
#include "cli/tree_doors.h"
#include "cli/usage.h"
#include "provisioner/base/bytes.h"

namespace homeport::cli {
namespace {

using trees::CopyProgress;
using trees::TreeCopy;

using std::chrono::milliseconds;

constexpr std::size_t kBatch = 200;
constexpr std::size_t kAtOnce = 4;  // homes that are copied at the same time
constexpr int kMostClaims = 2;
constexpr int kMostPasses = 5;  // a home that still changes then has to wait until nobody works in it
constexpr milliseconds kServerWait{20'000};
constexpr milliseconds kPause{250};

std::optional<std::uint16_t> port_of(const Json& facts, const char* name) {
  const auto text = facts.value(name, "");
  std::uint16_t port = 0;
  const auto [at, ec] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (text.empty() || ec != std::errc{} || at != text.data() + text.size()) return std::nullopt;
  return port;
}

// How this machine reaches the files of a backend: as those who mount it do.
Result<NfsAddress> address_of(Cli& cli, const std::string& backend) {
  HOMEPORT_TRY(const auto name, slug(backend));
  HOMEPORT_TRY(Api * api, cli.api());
  HOMEPORT_TRY(const auto shown, api->get(Target("/v1/backends").part(name)));
  const auto* facts = member(shown, "facts");
  const auto server = facts != nullptr && facts->is_object() ? facts->value("client server", "") : "";
  if (server.empty()) {
    return Error{.code = Errc::unsupported,
                 .message = "backend " + name + " (" + safe_text(text_at(shown, "kind")) + ") is no NFS server",
                 .hint = "files are copied over NFS; name a backend of kind nfs"};
  }
  return NfsAddress{
      .server = server, .port = port_of(*facts, "client port"), .mount_port = port_of(*facts, "client mount port")};
}

// Entries that cannot be read are in the report: what is refused otherwise is refused by the target.
Error with_advice(Error error) {
  if (error.code == Errc::permission_denied && error.hint.empty())
    error.hint = "the export must let root of this machine give files away (no_root_squash)";
  return error;
}

class CopyRun {
 public:
  CopyRun(Cli& cli, const CopyJob& job, std::stop_token stop) : cli_(cli), job_(job), stop_(std::move(stop)) {}

  // Where from, where to, and which homes.
  Result<void> prepare() {
    const auto* doors = cli_.host().trees;
    if (doors == nullptr) return Error{.code = Errc::unsupported, .message = "this program cannot reach files"};
    HOMEPORT_TRY(auto address, address_of(cli_, job_.backend));
    if (!job_.options.nfs_server.empty()) address = {.server = job_.options.nfs_server};
    if (job_.options.nfs_port) address.port = job_.options.nfs_port;
    if (job_.options.mount_port) address.mount_port = job_.options.mount_port;
    target_ = doors->nfs(address);
    HOMEPORT_CHECK(open_source(*doors));
    HOMEPORT_TRY(const auto tree, source_->open(op(), *base_, false).context("open " + name_.words(base_->str())));
    HOMEPORT_TRY(auto plan, plan_homes(*tree));
    for (auto& home : plan.homes) {
      const auto path = (base_->str() == "/" ? "" : base_->str()) + "/" + home.path;
      result_.homes.push_back({.source = std::move(home), .from = name_.words(path), .identity = name_.identity(path)});
    }
    result_.refused = std::move(plan.refused);
    result_.unmatched = plan.unmatched;
    return {};
  }

  // A dry run: asks the service what it would decide for each person, by the checks of the real run, and counts.
  Result<void> count() {
    HOMEPORT_TRY(Api * api, cli_.api());
    for (auto& home : result_.homes) {
      if (stop_.stop_requested()) return Error{.code = Errc::cancelled, .message = "interrupted"};
      auto asked = ask(*api, home);
      if (!asked && ends_the_run(asked.error().code)) return asked;
      if (!asked) home.fail(std::move(asked).error());
      if (home.outcome == CopiedHome::Outcome::failed || home.outcome == CopiedHome::Outcome::exists) continue;
      auto counted = count_one(home);
      if (!counted && counted.error().code == Errc::cancelled) return std::move(counted).error();
      if (!counted) {
        home.fail(std::move(counted).error());
        continue;
      }
      home.report = std::move(counted).value();
      if (auto whole = check_readable(home); !whole) home.fail(std::move(whole).error());
    }
    return {};
  }

  // Everybody's home is there and withheld before the first file is copied: nobody logs in to an empty one meanwhile.
  Result<void> make_homes(std::optional<milliseconds> limit) {
    HOMEPORT_TRY(Api * api, cli_.api());
    api->stop_with(stop_);
    const auto end = cli_.host().clock.mono() + limit.value_or(kServerWait);
    for (std::size_t first = 0; first < result_.homes.size(); first += kBatch) {
      std::vector<CopiedHome*> waiting;
      for (std::size_t i = first; i < std::min(first + kBatch, result_.homes.size()); ++i)
        waiting.push_back(&result_.homes[i]);
      while (!waiting.empty()) {
        HOMEPORT_CHECK(make_batch(*api, waiting));
        std::erase_if(waiting, [](const CopiedHome* home) { return home->outcome != CopiedHome::Outcome::waiting; });
        if (waiting.empty()) break;
        if (cli_.host().clock.mono() >= end || !cli_.host().clock.sleep_for(kPause, stop_)) {
          for (auto* home : waiting)
            home->fail(Error{.code = Errc::timed_out, .message = "its home is still being made"});
          break;
        }
      }
    }
    return {};
  }

  Result<void> copy() {
    HOMEPORT_TRY(auto renewing, cli_.another_api());
    claims_ = std::make_unique<CopyClaims>(cli_, std::move(renewing), stop_);
    std::vector<std::unique_ptr<Api>> apis;
    for (std::size_t i = 0; i < std::min(kAtOnce, result_.homes.size()); ++i) {
      HOMEPORT_TRY(auto api, cli_.another_api());
      apis.push_back(std::move(api));
    }
    std::vector<std::jthread> workers;
    for (auto& api : apis) workers.emplace_back([this, &api] { work(*api); });
    while (done_ < result_.homes.size() && !stop_.stop_requested()) {
      show_progress();
      if (!cli_.host().clock.sleep_for(kPause, stop_)) break;
    }
    workers.clear();  // joins
    if (progress_shown_) cli_.host().err << "\r\x1b[K" << std::flush;
    return {};
  }

  [[nodiscard]] const CopyResult& result() const { return result_; }

 private:
  [[nodiscard]] OpContext op() const {
    return {.request_id = "copy", .deadline = cli_.host().clock.mono() + std::chrono::minutes(2), .stop = stop_};
  }

  Result<void> open_source(const TreeDoors& doors) {
    const auto& from = job_.options.from;
    const auto colon = from.find(":/");
    std::string path = from;
    if (from.starts_with('/')) {
      source_ = doors.local();
      if (job_.options.source_name.empty()) {
        HOMEPORT_TRY(name_, machine_source(this_host(), doors.machine_id()));
      }
    } else if (colon != std::string::npos) {
      HOMEPORT_TRY(const auto address, address_of(cli_, from.substr(0, colon)));
      source_ = doors.nfs(address);
      name_ = server_source(from.substr(0, colon), address);
      path = from.substr(colon + 1);
    } else {
      return usage_error(
          "'" + safe_text(from) + "' names no source",
          "--from /home is a directory of this machine, --from BACKEND:/export/home one of another backend");
    }
    if (!job_.options.source_name.empty()) {
      HOMEPORT_TRY(name_, named_source(job_.options.source_name));
    }
    while (path.size() > 1 && path.ends_with('/')) path.pop_back();
    HOMEPORT_TRY(base_, AbsolutePath::parse(path));
    return {};
  }

  Result<CopyPlan> plan_homes(drivers::Tree& tree) {
    const EachOp each = [this] { return op(); };
    if (job_.map)
      return plan_mapped_copy(each, tree, {.base = *base_, .lines = *job_.map, .system_below = job_.system_below});
    HOMEPORT_TRY(auto pattern, policies::HomePattern::parse(job_.match.empty() ? "{user}" : job_.match));
    return plan_copy(each, tree,
                     {.pattern = std::move(pattern), .names = job_.names, .system_below = job_.system_below});
  }

  // Failures that the next home would meet as well.
  static bool ends_the_run(Errc code) {
    return is_transient(code) || code == Errc::unauthenticated || code == Errc::forbidden;
  }

  Result<void> ask(Api& api, CopiedHome& home) {
    Json body = item_of(home);
    body.erase("user");
    HOMEPORT_TRY(auto target, in_realm(cli_, Target("/v1/homes").part(home.source.user).query("dry_run", "true")));
    HOMEPORT_TRY(const auto answer, api.json({.method = "PUT", .target = std::move(target), .body = body.dump()}));
    if (const auto* known = member(answer, "result")) {
      home.space = *known;
      const bool over = member(*known, "copying") == nullptr;
      home.outcome = over ? CopiedHome::Outcome::exists : CopiedHome::Outcome::half;
    }
    if (const auto* decided = member(answer, "home")) home.decided = *decided;
    return {};
  }

  Json item_of(const CopiedHome& home) const {
    const auto& source = home.source;
    Json item{{"user", source.user},
              {"uid", source.uid},
              {"gid", source.gid},
              {"copying", {{"from", home.from}, {"source", home.identity}, {"backend", job_.backend}}}};
    const auto& klass = source.klass.empty() ? job_.klass : source.klass;
    if (!klass.empty()) item["class"] = klass;
    if (!source.quota.empty()) item["quota"] = Bytes::parse(source.quota).value().count();  // checked when it was read
    if (!job_.hub.empty()) item["hub"] = job_.hub;
    if (job_.allow_similar) item["allow_similar"] = true;
    return item;
  }

  static Result<void> check_readable(const CopiedHome& home) {
    if (home.report.unreadable.empty()) return {};
    const auto& first = home.report.unreadable.front();
    const auto count = home.report.unreadable.size();
    return Error{.code = Errc::permission_denied,
                 .message = std::to_string(count) + (count == 1 ? " entry of " : " entries of ") + home.from +
                            " cannot be read; the first: " + printable(first.path, 200) + ": " + first.why,
                 .hint =
                     "mend them, read them as root, or take them out, and give the command again; the home is "
                     "withheld until all is copied"};
  }

  Result<std::unique_ptr<drivers::Tree>> open_home(const CopiedHome& home) {
    const auto path = (base_->str() == "/" ? "" : base_->str()) + "/" + home.source.path;
    HOMEPORT_TRY(const auto parsed, AbsolutePath::parse(path));
    HOMEPORT_TRY(auto tree, source_->open(op(), parsed, false).context("open " + home.from));
    if (const auto uid = tree->root().attributes.uid.value; uid != home.source.uid) {
      return Error{.code = Errc::conflict,
                   .message = home.from + " belongs to uid " + std::to_string(uid) + " now, it was uid " +
                              std::to_string(home.source.uid) + " a moment ago"};
    }
    return tree;
  }

  Result<CopyReport> count_one(const CopiedHome& home) {
    HOMEPORT_TRY(const auto tree, open_home(home));
    return TreeCopy(cli_.host().clock, stop_, progress_).count(*tree);
  }

  Result<void> make_batch(Api& api, const std::vector<CopiedHome*>& homes) {
    Json body{{"items", Json::array()}};
    for (const auto* home : homes) body["items"].push_back(item_of(*home));
    HOMEPORT_TRY(auto target, in_realm(cli_, Target("/v1/homes:ensure")));
    target.query("wait", std::to_string(kServerWait.count() / 1000));
    HOMEPORT_TRY(const auto answer, api.json({.method = "POST",
                                              .target = std::move(target),
                                              .body = body.dump(),
                                              .repeat = Repeat::keyed,
                                              .extra = kServerWait}));
    const auto& items = items_at(answer, "items");
    if (items.size() != homes.size())
      return Error{.code = Errc::internal, .message = "the service answered for another number of users"};
    for (std::size_t i = 0; i < homes.size(); ++i) take_answer(*homes[i], items[i]);
    return {};
  }

  static void take_answer(CopiedHome& home, const Json& item) {
    const auto outcome = text_at(item, "outcome");
    if (outcome == "pending") return;
    const auto* space = member(item, "space");
    if (outcome == "failed" || space == nullptr) {
      home.fail(Error{.code = errc_from_name(text_at(item, "error.code")).value_or(Errc::internal),
                      .message = text_at(item, "error.message"),
                      .hint = text_at(item, "error.hint") == "-" ? "" : text_at(item, "error.hint")});
      return;
    }
    home.space = *space;
    const bool over = member(*space, "copying") == nullptr;
    home.outcome = over ? CopiedHome::Outcome::exists : CopiedHome::Outcome::half;
  }

  void work(Api& api) {
    for (std::size_t i = next_++; i < result_.homes.size(); i = next_++) {
      auto& home = result_.homes[i];
      if (home.outcome == CopiedHome::Outcome::half) {
        auto copied = stop_.stop_requested() ? Result<void>(Error{.code = Errc::cancelled, .message = "not begun"})
                                             : copy_one(api, home);
        if (!copied) home.fail(std::move(copied).error());
      }
      ++done_;
    }
  }

  Result<void> copy_one(Api& api, CopiedHome& home) {
    const auto key = text_at(home.space, "key");
    HOMEPORT_TRY(auto claim, claims_->take(api, key, home.space));
    Result<void> copied;
    // The service did not answer for a while, so that the claim ran out: it is asked for once more, or twice.
    for (int again = 0; claim != nullptr; ++again) {
      copied = copy_claimed(api, home, *claim);
      claims_->leave(api, claim);
      if (const auto lost = claim->lost()) copied = *lost;
      const bool ran_out = !copied && copied.error().code == Errc::timed_out && !claim->lost() &&
                           cli_.host().clock.mono() >= claim->until();
      if (!ran_out || again == kMostClaims) break;
      HOMEPORT_TRY(claim, claims_->take(api, key, home.space));
    }
    if (claim == nullptr) home.outcome = CopiedHome::Outcome::exists;
    return copied;
  }

  Result<void> copy_claimed(Api& api, CopiedHome& home, const CopyClaim& claim) {
    HOMEPORT_TRY(const auto from, open_home(home));
    HOMEPORT_TRY(const auto path, AbsolutePath::parse(text_at(home.space, "path")));
    HOMEPORT_TRY(const auto to, target_->open(op(), path, true).context("open " + path.str() + " of " + job_.backend));
    TreeCopy copy(cli_.host().clock, claim.stop(), progress_, [&claim] { return claim.until(); });
    for (int pass = 0;; ++pass) {
      if (pass == kMostPasses) {
        return Error{.code = Errc::conflict,
                     .message = home.from + " changes while it is copied",
                     .hint = "stop what works in it, then give the command again; what is copied stays"};
      }
      const auto before = home.report.copied;
      auto report = copy.pass(*from, *to);
      if (!report) return with_advice(std::move(report).error());
      home.report = std::move(report).value();
      home.report.copied += before;
      HOMEPORT_CHECK(check_readable(home));
      if (home.report.copied == before && home.report.removed == 0 && home.report.complete()) break;
    }
    HOMEPORT_TRY(
        home.space,
        api.json(
            {.method = "POST",
             .target = Target("/v1/homes").part(text_at(home.space, "key")).literal("copied"),
             .body = Json{{"run", claims_->run()}, {"bytes", home.report.bytes}, {"files", home.report.files}}.dump(),
             .repeat = Repeat::keyed}));
    home.outcome = CopiedHome::Outcome::copied;
    return {};
  }

  void show_progress() {
    if (cli_.quiet() || !cli_.host().err_terminal) return;
    cli_.host().err << "\r" << done_ << " of " << result_.homes.size() << " homes, " << progress_.files << " files, "
                    << human_bytes(progress_.bytes) << "\x1b[K" << std::flush;
    progress_shown_ = true;
  }

  Cli& cli_;
  const CopyJob& job_;
  const std::stop_token stop_;
  std::unique_ptr<TreeDoor> source_{};
  std::unique_ptr<TreeDoor> target_{};
  SourceName name_{};
  std::optional<AbsolutePath> base_{};
  CopyProgress progress_{};
  std::unique_ptr<CopyClaims> claims_{};
  CopyResult result_{};
  std::atomic<std::size_t> next_{0};
  std::atomic<std::size_t> done_{0};
  bool progress_shown_ = false;
};

}  // namespace

void add_copy_options(CLI::App* app, CopyOptions& options) {
  app->add_flag("--copy", options.copy, "copy the homes of --from into new ones instead of taking over what stands");
  add(app, "--from", options.from, "SOURCE", "with --copy: /DIRECTORY of this machine, or BACKEND:/PATH");
  add(app, "--source-name", options.source_name, "NAME",
      "with --copy: what tells this source from others, in place of this machine's id or the server's address");
  add(app, "--nfs-server", options.nfs_server, "HOST",
      "with --copy: how this machine reaches the backend's server, if not as its clients do");
  app->add_option("--nfs-port", options.nfs_port, "with --copy: its NFS port")->type_name("PORT");
  app->add_option("--mount-port", options.mount_port, "with --copy: the port of its MOUNT service")->type_name("PORT");
}

Result<ExitCode> copy_homes(Cli& cli, const CopyJob& job) {
  if (job.options.from.empty())
    return usage_error("--copy needs --from", "for example --from /home, or --from nas2:/export/home");
  HOMEPORT_TRY(const auto limit, wait_limit(job.mutation));
  HOMEPORT_CHECK(cli.settings());  // before threads ask for them
  const InterruptWatch interrupt;
  CopyRun run(cli, job, interrupt.token());
  HOMEPORT_CHECK(run.prepare());
  if (job.mutation.dry_run) {
    HOMEPORT_CHECK(run.count());
  } else {
    HOMEPORT_CHECK(run.make_homes(limit));
    HOMEPORT_CHECK(run.copy());
  }
  cli.show(copy_json(run.result(), job.mutation.dry_run), copy_view);
  const auto failed = run.result().first_failure();
  if (failed && !job.mutation.dry_run && (is_transient(*failed) || *failed == Errc::cancelled))
    cli.note("giving the same command again goes on where this stopped");
  if (!failed) return ExitCode::ok;
  return run.result().some_done() ? ExitCode::partial : exit_code(*failed);
}

}  // namespace homeport::cli
