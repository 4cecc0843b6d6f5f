#include "cli/pv_datasets.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <utility>

#include "cli/kubernetes_homes.h"
#include "cli/output.h"
#include "provisioner/base/names.h"

namespace homeport::cli {
namespace {

bool has(const std::vector<std::string>& all, std::string_view one) {
  return std::ranges::find(all, one) != all.end();
}

void check_claim(const DumpedVolume& volume, const std::vector<DumpedClaim>& claims, std::vector<std::string>& out) {
  if (volume.claim.empty()) {
    out.emplace_back(
        "it has no claimRef: any claim of its size and class takes it, in whatever namespace; write claimRef with name "
        "and namespace");
    return;
  }
  const auto& ref = volume.claim.front();
  if (ref.name.empty()) out.emplace_back("its claimRef names no claim; write name and namespace");
  if (!ref.name.empty() && ref.name_space.empty()) {
    out.emplace_back(
        "its claimRef names no namespace: it then means the namespace 'default' or nobody's claim, by "
        "version; write namespace beside name " +
        printable(ref.name, 60));
  }
  const auto claim =
      std::ranges::find_if(claims, [&](const auto& one) { return one.volume == volume.name || one.name == ref.name; });
  if (claim != claims.end() && !ref.name_space.empty() && !claim->name_space.empty() &&
      claim->name_space != ref.name_space) {
    out.push_back("its claimRef says namespace " + printable(ref.name_space, 60) + ", and the claim is in " +
                  printable(claim->name_space, 60) + ": they never meet");
  }
}

void check_capacity(const DumpedVolume& volume, const BehindVolume& behind, std::vector<std::string>& out) {
  if (volume.capacity.empty()) {
    out.emplace_back("it names no capacity, which Kubernetes wants although nothing holds it");
    return;
  }
  const auto said = quantity_bytes(volume.capacity);
  const auto words = printable(volume.capacity, 40);
  if (!said) {
    out.push_back("its capacity '" + words + "' is no quantity");
  } else if (behind.limit && *behind.limit == *said) {
    return;
  } else if (behind.used && *behind.used > *said) {
    out.push_back("its capacity " + words + " is made up: the file system holds " + human_bytes(behind.used) +
                  " already");
  } else if (behind.limit) {
    out.push_back("its capacity " + words + " is made up: the array's limit is " + human_bytes(behind.limit));
  } else {
    out.push_back("its capacity " + words +
                  " is made up: nothing holds it, an NFS volume is as large as what it "
                  "stands on");
  }
}

void check_writing(const DumpedVolume& volume, bool read_only, std::vector<std::string>& out) {
  const bool all_write = has(volume.access_modes, "ReadWriteMany");
  if (read_only && !volume.read_only && all_write) {
    out.emplace_back(
        "it lets everybody who claims it write (ReadWriteMany, not readOnly); the dataset is read-only, and "
        "--read-write is for people who shall write into it");
  }
  if (!all_write && !has(volume.access_modes, "ReadOnlyMany")) {
    out.emplace_back(
        "its accessModes are for one node or pod at a time, and notebooks run on many; ReadOnlyMany is "
        "right for data that many read");
  }
  if (!read_only && volume.read_only) out.emplace_back("it says readOnly, and the dataset is asked for read-write");
}

}  // namespace

std::optional<std::uint64_t> quantity_bytes(const std::string& text) {
  static constexpr std::array<std::pair<std::string_view, double>, 13> kUnits{{{"Ki", 1024.0},
                                                                               {"Mi", 1048576.0},
                                                                               {"Gi", 1073741824.0},
                                                                               {"Ti", 1099511627776.0},
                                                                               {"Pi", 1125899906842624.0},
                                                                               {"Ei", 1152921504606846976.0},
                                                                               {"k", 1e3},
                                                                               {"M", 1e6},
                                                                               {"G", 1e9},
                                                                               {"T", 1e12},
                                                                               {"P", 1e15},
                                                                               {"E", 1e18},
                                                                               {"", 1.0}}};
  double number = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failed != std::errc{} || !std::isfinite(number) || number < 0) return std::nullopt;
  const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  for (const auto& [name, factor] : kUnits) {
    if (unit != name) continue;
    const double bytes = number * factor;
    if (bytes >= 1.8e19) return std::nullopt;
    return static_cast<std::uint64_t>(bytes);
  }
  return std::nullopt;
}

std::vector<std::string> mistakes_in(const DumpedVolume& volume, const std::vector<DumpedClaim>& claims, bool read_only,
                                     const BehindVolume& behind) {
  std::vector<std::string> out;
  if (volume.reclaim_policy == "Delete" || volume.reclaim_policy == "Recycle") {
    out.push_back("its reclaim policy is " + volume.reclaim_policy +
                  ": whoever deletes the claim has Kubernetes remove the data, for everybody; `" +
                  retain_command(volume.name) + "`");
  }
  check_claim(volume, claims, out);
  if (!volume.storage_class) {
    out.emplace_back(
        "it names no storageClassName: a claim without one gets the default class, which makes a new and "
        "empty volume instead; write storageClassName: \"\" in both");
  }
  check_writing(volume, read_only, out);
  const auto version = [](const std::string& one) { return one.starts_with("nfsvers=") || one.starts_with("vers="); };
  if (std::ranges::none_of(volume.mount_options, version)) {
    out.emplace_back(
        "its mountOptions name no nfsvers: each node takes the version it likes best; write nfsvers=3 or "
        "nfsvers=4.1");
  }
  check_capacity(volume, behind, out);
  return out;
}

}  // namespace homeport::cli
