#include "drivers/flashblade/inventory.h"

#include <algorithm>

#include "drivers/flashblade/export_rules.h"
#include "drivers/flashblade/paging.h"

namespace homeport::drivers::flashblade {
namespace {

bool is_own(const Backend& backend, const std::string& name) {
  return key_of(backend, name).has_value() || name == backend.admin_name() ||
         std::ranges::any_of(backend.config().pools, [&](const auto& pool) { return pool.file_system == name; });
}

void refuse(ArrayFileSystem& out, std::string reason, std::string why) {
  if (!out.refusal.empty()) return;
  out.refusal = std::move(reason);
  out.why = std::move(why);
}

void judge(const Backend& backend, const FileSystem& fs, ArrayFileSystem& out) {
  if (out.own) {
    return refuse(out, "own", "it was made by Homeport, by its name; what it holds is known already or is a pool's");
  }
  if (!AbsolutePath::parse(out.path) || fs.name.find('/') != std::string::npos) {
    return refuse(out, "odd-name", "its name cannot be part of a path");
  }
  if (fs.destroyed) {
    refuse(out, "destroyed", "it is destroyed, and its timer runs: recover it on the array first");
  } else if (fs.promotion_status == "demoted") {
    refuse(out, "replica",
           "it is the target of a replica link, which the next transfer overwrites; import its source, or promote it");
  } else if (!fs.exported()) {
    refuse(out, "no-nfs", "NFS is switched off for it on the array: nobody can mount it");
  } else if (!fs.nfs_v3) {
    refuse(out, "no-nfsv3",
           "NFSv3 is switched off for it; Homeport reads owners over NFSv3, so switch it on (nfs.v3_enabled)");
  } else if (!fs.nfs_v4 && backend.config().client.version != "3") {
    refuse(out, "no-nfsv4",
           "NFSv4.1, which notebooks mount (client.version), is switched off for it: switch it on (nfs.v4_1_enabled)");
  }
}

void remark(const FileSystem& fs, ArrayFileSystem& out) {
  if (fs.provisioned && !fs.hard_limit) {
    out.remarks.push_back("its limit of " + Bytes{*fs.provisioned}.to_string() + " is not enforced by the array");
  }
  if (!fs.provisioned) out.remarks.emplace_back("it has no limit on the array");
  if (!fs.writable) out.remarks.emplace_back("the array holds it read-only");
  if (fs.smb) out.remarks.emplace_back("SMB is on for it too: who writes there may leave other owners");
  if (!out.open_to_all.empty()) out.remarks.push_back("everybody on the network gets in: " + out.open_to_all);
}

// Does the policy let everybody write, or be root? Each policy is asked for once.
using Policies = std::map<std::string, bool>;
Result<bool> policy_opens(const OpContext& op, Backend& backend, const std::string& name, Policies& known) {
  if (const auto at = known.find(name); at != known.end()) return at->second;
  HOMEPORT_TRY(const auto policy, backend.api().export_policy(op, name));
  const bool open = policy && policy->enabled && std::ranges::any_of(policy->rules, [](const ExportRule& rule) {
                      return is_everybody(rule.client) && (rule.writable || rule.root);
                    });
  known.emplace(name, open);
  return open;
}

Result<ArrayFileSystem> describe(const OpContext& op, Backend& backend, const FileSystem& fs, Policies& policies) {
  ArrayFileSystem out{.name = fs.name, .id = fs.id, .path = Backend::path_of(fs.name)};
  if (fs.provisioned) out.limit = Bytes{*fs.provisioned};
  out.limit_holds = fs.hard_limit;
  if (fs.used) out.used = Bytes{*fs.used};
  out.own = is_own(backend, fs.name);
  if (fs.exported() && !fs.export_policy.empty()) {
    HOMEPORT_TRY(const bool open, policy_opens(op, backend, fs.export_policy, policies));
    if (open) {
      out.open_to_all = "export policy " + fs.export_policy;
      out.how_to_close = "take the rule for '*' out of export policy " + fs.export_policy +
                         " on the array, or make it ro with root squashed; the policy is for all its members";
    }
  } else if (fs.exported() && opens_to_all(fs.rules)) {
    out.open_to_all = "rules " + fs.rules;
    const auto better = backend.open_rules();
    out.how_to_close = "set the rules of " + fs.name + " on the array to the networks that need it" +
                       (better && !better->empty() ? ", for example: " + *better : std::string());
  }
  judge(backend, fs, out);
  remark(fs, out);
  return out;
}

}  // namespace

Result<std::optional<Cursor>> list_array(const OpContext& op, Backend& backend, const std::optional<Cursor>& from,
                                         std::vector<ArrayFileSystem>& page) {
  HOMEPORT_TRY(const auto token, token_of(from));
  HOMEPORT_CHECK(backend.ready(op));
  // Who lists file systems is about to ask where clients mount them: info() tells from here on. Listing works without.
  (void)backend.client_address(op).has_value();
  HOMEPORT_TRY(const auto listed, backend.api().file_systems(op, "", false, token, kPage));
  Policies policies;
  for (const auto& fs : listed.items) {
    HOMEPORT_TRY(auto item, describe(op, backend, fs, policies));
    page.push_back(std::move(item));
  }
  return cursor_of(listed.next);
}

Result<std::optional<Object>> find_standing(const OpContext& op, Backend& backend, const Lookup& lookup) {
  const auto& pools = backend.config().pools;
  const auto pool = std::ranges::find(pools, Layout::filesystem, &PoolConfig::layout);
  if (pool == pools.end()) HOMEPORT_CHECK(backend.pool(Layout::filesystem, lookup.pool));  // says what is missing
  const auto name = lookup.path->str().substr(1);
  if (name.empty() || name.find('/') != std::string::npos) {
    return Error{.code = Errc::invalid_argument,
                 .message = lookup.path->str() + " is no whole file system of the array",
                 .hint = "write /NAME; a directory of one is imported without --from-array"};
  }
  HOMEPORT_CHECK(backend.ready(op));
  HOMEPORT_TRY(auto fs, backend.api().file_system(op, name));
  if (!fs || (lookup.id && fs->id != *lookup.id)) return std::optional<Object>();
  Policies policies;
  HOMEPORT_TRY(const auto item, describe(op, backend, *fs, policies));
  if (!item.refusal.empty()) {
    return Error{.code = Errc::failed_precondition,
                 .message = "file system " + printable(name, 80) + " cannot be taken over: " + item.why};
  }
  const auto key = lookup.key.value_or(SpaceKey::from_random(SpaceKind::dataset, 0));
  Standing standing{.fs = *std::move(fs)};
  if (lookup.key) {
    HOMEPORT_TRY(standing.record, backend.admin().read(op, *lookup.key));
  }
  HOMEPORT_TRY(auto object, to_object(op, backend, pool->name, key, standing));
  return std::optional<Object>(std::move(object));
}

Result<void> must_be_made_here(const ObjectRef& ref, const std::string& verb) {
  if (!ref.imported) return {};
  return Error{.code = Errc::unsupported,
               .message = "file system " + ref.name + " was imported: Homeport never " + verb + " it",
               .hint = "change it on the array, or release the space, which touches nothing"};
}

}  // namespace homeport::drivers::flashblade
