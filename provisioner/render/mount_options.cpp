#include "provisioner/render/mount_options.h"

#include "provisioner/render/spec_checks.h"

namespace homeport::render {
namespace {

void add_flag(std::vector<std::string>& words, bool set, std::string_view word) {
  if (set) words.emplace_back(word);
}

template <class T>
void add_number(std::vector<std::string>& words, std::string_view key, const std::optional<T>& value) {
  if (value) words.push_back(std::string(key) + "=" + std::to_string(*value));
}

// The netid chooses the address family too (nfs(5), proto=): "tcp" would refuse an IPv6 address.
std::string_view netid(const NfsMount& nfs) {
  return is_ipv6_address(nfs.server) ? "tcp6" : "tcp";
}

}  // namespace

std::vector<std::string> mount_option_words(const Mount& mount) {
  const auto& nfs = std::get<NfsMount>(mount.source);
  const auto options = mount.nfs.value_or(NfsOptions{});
  std::vector<std::string> words{"vers=" + nfs.version, "proto=" + std::string(netid(nfs))};
  add_number(words, "port", nfs.port);
  add_number(words, "mountport", nfs.mount_port);
  words.emplace_back(options.hard ? "hard" : "soft");
  words.push_back("timeo=" + std::to_string(options.timeo));
  words.push_back("retrans=" + std::to_string(options.retrans));
  add_number(words, "rsize", options.rsize);
  add_number(words, "wsize", options.wsize);
  add_number(words, "nconnect", options.nconnect);
  add_flag(words, options.nolock, "nolock");
  add_flag(words, options.noresvport, "noresvport");
  add_flag(words, options.noatime, "noatime");
  add_flag(words, options.nosuid, "nosuid");
  add_flag(words, options.nodev, "nodev");
  add_flag(words, options.noexec, "noexec");
  if (options.sec != "sys") words.push_back("sec=" + options.sec);
  words.emplace_back(mount.access == MountAccess::ro ? "ro" : "rw");
  return words;
}

std::string mount_option_text(const Mount& mount) {
  std::string out;
  for (const auto& word : mount_option_words(mount)) out += (out.empty() ? "" : ",") + word;
  return out;
}

std::string nfs_device(const NfsMount& nfs) {
  return (is_ipv6_address(nfs.server) ? "[" + nfs.server + "]" : nfs.server) + ":" + nfs.export_path;
}

std::vector<std::string> members_unlike_linux(const NfsMount& nfs, const NfsOptions& options) {
  constexpr std::uint32_t kLinuxTimeo = 600;
  constexpr std::uint32_t kLinuxRetrans = 2;
  std::vector<std::string> out;
  add_flag(out, nfs.version != "4.2", "source.version");
  add_flag(out, !options.hard, "nfs.hard");
  add_flag(out, options.timeo != kLinuxTimeo, "nfs.timeo");
  add_flag(out, options.retrans != kLinuxRetrans, "nfs.retrans");
  add_flag(out, options.rsize.has_value(), "nfs.rsize");
  add_flag(out, options.wsize.has_value(), "nfs.wsize");
  add_flag(out, options.nconnect.has_value(), "nfs.nconnect");
  add_flag(out, options.nolock, "nfs.nolock");
  add_flag(out, options.noresvport, "nfs.noresvport");
  add_flag(out, options.noatime, "nfs.noatime");
  add_flag(out, options.nosuid, "nfs.nosuid");
  add_flag(out, options.nodev, "nfs.nodev");
  add_flag(out, options.noexec, "nfs.noexec");
  add_flag(out, options.sec != "sys", "nfs.sec");
  return out;
}

}  // namespace homeport::render
