#include "drivers/flashblade/probe.h"

#include <algorithm>

#include "drivers/flashblade/export_rules.h"
#include "drivers/flashblade/paging.h"
#include "provisioner/base/log.h"

namespace homeport::drivers::flashblade {
namespace {

constexpr std::size_t kNamed = 5;
constexpr std::chrono::minutes kSkew{2};
constexpr double kNearlyAll = 0.9;

void add(ProbeReport& report, std::string name, CheckStatus status, std::string detail, std::string hint = {}) {
  report.checks.push_back(
      {.name = std::move(name), .status = status, .detail = std::move(detail), .hint = std::move(hint)});
}

void add_failed(ProbeReport& report, std::string name, const Error& error) {
  add(report, std::move(name), CheckStatus::failed, error.sentence(), error.hint);
}

void check_array(const OpContext& op, Backend& backend, const ArrayFacts& array, ProbeReport& report) {
  const auto version = backend.api().version(op);
  add(report, "management: REST version", CheckStatus::ok,
      (version ? version->str() : "?") + ", Purity//FB " + array.purity + ", array " + array.name);
  if (array.as_of) {
    const auto skew = std::chrono::abs(*array.as_of - backend.clock().now());
    const bool far = skew > kSkew;
    add(report, "management: clock", far ? CheckStatus::warning : CheckStatus::ok,
        "differs from ours by " + format_duration(skew), far ? "set both by NTP: ages of snapshots are compared" : "");
  }
  if (array.manual_eradication.empty()) return;
  const bool refused = array.safe_mode() && backend.config().eradicate;
  add(report, "management: eradication", refused ? CheckStatus::warning : CheckStatus::ok,
      "manual eradication " + array.manual_eradication +
          (array.eradication_delay ? ", destroyed file systems stay " + format_duration(*array.eradication_delay) : ""),
      refused ? "eradicate: true cannot work with SafeMode: write eradicate: false, and purge leaves the rest to the "
                "array's timer"
              : "");
}

struct Exports {
  std::vector<std::string> world{};
  std::vector<std::string> without_v3{};
  std::size_t ours = 0;
};

void sort_out(const Backend& backend, const FileSystem& fs, Exports& out) {
  if (fs.destroyed) return;
  const bool ours =
      key_of(backend, fs.name).has_value() || fs.name == backend.admin_name() ||
      std::ranges::any_of(backend.config().pools, [&](const auto& p) { return p.file_system == fs.name; });
  if (ours) ++out.ours;
  if (ours && !fs.nfs_v3) out.without_v3.push_back(fs.name);
  if (fs.exported() && fs.export_policy.empty() && is_world_open(fs.rules)) out.world.push_back(fs.name);
}

std::string some_of(const std::vector<std::string>& names) {
  std::string out;
  for (std::size_t i = 0; i < std::min(names.size(), kNamed); ++i) out += (i > 0 ? ", " : "") + names[i];
  if (names.size() > kNamed) out += " and " + std::to_string(names.size() - kNamed) + " more";
  return out;
}

void check_exports(const OpContext& op, Backend& backend, ProbeReport& report) {
  Exports found;
  std::optional<std::string> from;
  do {
    auto page = backend.api().file_systems(op, "", false, from, kPage);
    if (!page) return add_failed(report, "management: file systems", page.error());
    for (const auto& fs : page->items) sort_out(backend, fs, found);
    from = std::move(page->next);
  } while (from);
  add(report, "management: file systems", CheckStatus::ok, std::to_string(found.ours) + " of Homeport's");
  const bool open = !found.world.empty();
  add(report, "exports: open to the world", open ? CheckStatus::warning : CheckStatus::ok,
      open ? std::to_string(found.world.size()) + " file systems let everybody in: " + some_of(found.world) : "none",
      open ? "the array's own default is *(rw,no_root_squash): give them rules that name networks" : "");
  const bool closed = !found.without_v3.empty();
  add(report, "exports: NFSv3", closed ? CheckStatus::warning : CheckStatus::ok,
      closed ? "switched off on " + some_of(found.without_v3) : "on wherever Homeport needs it",
      closed ? "Homeport sets owners and reads markers over NFSv3: switch it on again for these" : "");
}

void check_policy(const OpContext& op, Backend& backend, ProbeReport& report) {
  const auto& name = backend.config().exports.policy;
  if (name.empty()) return;
  const auto policy = backend.api().export_policy(op, name);
  if (!policy) return add_failed(report, "exports: policy " + name, policy.error());
  if (!*policy || !(*policy)->enabled) {
    return add(report, "exports: policy " + name, CheckStatus::failed,
               *policy ? "it is disabled" : "the array has none",
               "make or enable it on the array, or write exports.clients instead");
  }
  const bool world = std::ranges::any_of((*policy)->rules, [](const auto& r) { return is_everybody(r.client); });
  if (world) {
    return add(report, "exports: policy " + name, CheckStatus::failed, "it lets everybody in",
               "Homeport makes no world-open export: take '*' out of the policy");
  }
  const bool root = std::ranges::any_of((*policy)->rules, [&](const auto& rule) {
    return rule.root && rule.writable &&
           std::ranges::find(backend.config().exports.homeport, rule.client) != backend.config().exports.homeport.end();
  });
  add(report, "exports: policy " + name, root ? CheckStatus::ok : CheckStatus::warning,
      root ? "names Homeport's hosts" : "has no rule (rw, no-squash) for exports.homeport as it is written there",
      root ? "" : "without it Homeport cannot look into homes that are in use");
}

void check_space(const OpContext& op, Backend& backend, ProbeReport& report) {
  const auto count = backend.api().count_snapshots(op);
  if (!count) return add_failed(report, "limits: snapshots", count.error());
  const bool near = static_cast<double>(*count) > kNearlyAll * static_cast<double>(kSnapshotsPerArray);
  add(report, "limits: snapshots", near ? CheckStatus::warning : CheckStatus::ok,
      std::to_string(*count) + " of about " + std::to_string(kSnapshotsPerArray) + " on the array",
      near ? "keep fewer: classes with layout directory need one set of snapshots for the whole pool" : "");
}

// The administrative file system where it stands; else the data address cannot be tried out without making something.
void check_data(const OpContext& op, Backend& backend, ProbeReport& report) {
  const auto address = backend.data_address(op);
  if (!address) return add_failed(report, "data: address", address.error());
  add(report, "data: address", CheckStatus::ok, *address);
  const auto fs = backend.api().file_system(op, backend.admin_name());
  if (!fs || !*fs) {
    // What is not there yet is refused by a server that answers; and management that refuses says nothing of the data.
    const auto answer = backend.mount(op, FileSystem{.id = {}, .name = backend.admin_name(), .nfs_v3 = true}, false);
    const bool answers =
        answer || answer.error().code == Errc::not_found || answer.error().code == Errc::permission_denied;
    if (!answers) return add_failed(report, "data: NFSv3", answer.error());
    report.data_ok = true;
    if (!fs) return add(report, "data: NFSv3", CheckStatus::ok, "answers; more was not looked at");
    return add(report, "data: NFSv3", CheckStatus::ok,
               "answers; the administrative file system " + backend.admin_name() + " is made with the first space");
  }
  if ((*fs)->destroyed) {
    return add(report, "data: NFSv3", CheckStatus::failed, backend.admin_name() + " is destroyed on the array",
               "recover it there: it holds the markers of every home");
  }
  const auto tree = backend.mount(op, **fs, false);
  if (!tree) return add_failed(report, "data: NFSv3", tree.error());
  const auto root = (*tree)->root().attributes;
  const bool safe = root.uid == Uid{0} && (root.mode & 077U) == 0;
  report.data_ok = safe;
  add(report, "data: NFSv3", safe ? CheckStatus::ok : CheckStatus::failed,
      "mounted " + backend.admin_name() + (safe ? "" : ", which does not belong to root alone"),
      safe ? "" : "its root directory must be root's with mode 0700: somebody else could forge markers");
}

}  // namespace

Result<ProbeReport> probe_array(const OpContext& op, Backend& backend) {
  HOMEPORT_CHECK(still_wanted(op, backend.clock(), "the probe"));
  ProbeReport report;
  const auto array = backend.ready(op);
  if (!array) {
    if (array.error().code == Errc::cancelled) return array.error();
    add_failed(report, "management: login", array.error());
    return report;
  }
  check_array(op, backend, *array, report);
  check_exports(op, backend, report);
  check_policy(op, backend, report);
  check_space(op, backend, report);
  report.management_ok = std::none_of(report.checks.begin(), report.checks.end(),
                                      [](const auto& check) { return check.status == CheckStatus::failed; });
  check_data(op, backend, report);
  return report;
}

}  // namespace homeport::drivers::flashblade
