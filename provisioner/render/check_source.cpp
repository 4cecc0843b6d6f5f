#include <arpa/inet.h>

#include <algorithm>
#include <array>

#include "provisioner/base/nfs_versions.h"
#include "provisioner/render/spec_checks.h"
#include "provisioner/render/spec_words.h"

namespace homeport::render {
namespace {

bool is_alnum(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

// Host names as people have them: RFC 1123 and underscores, a trailing dot allowed.
std::string_view reject_host(std::string_view host) {
  if (host.empty()) return "is empty";
  if (host.size() > 255) return "is longer than 255 bytes";
  for (const char c : host) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) return "contains a control character";
    if (c == ',') return "contains a comma, which would start another mount option";
    if (c == '[' || c == ']') return "has brackets; an IPv6 address is written without them";
    if (c == '%') return "contains '%'; an address with an interface is not the same on every host";
    if (c == ':') return "is neither a host name nor an IPv6 address";
    if (!is_alnum(c) && c != '.' && c != '-' && c != '_') return "has a character that no host name has";
  }
  if (!is_alnum(host.front())) return "must start with a letter or a digit";
  if (!is_alnum(host.back()) && host.back() != '.') return "must end with a letter or a digit";
  return {};
}

Result<void> check_host(const Place& at, std::string_view host) {
  if (is_ipv6_address(host)) return {};
  const auto why = reject_host(host);
  if (why.empty()) return {};
  return refuse(at, "'" + printable(host, 80) + "' " + std::string(why),
                "give a host name, or an address such as 192.0.2.10");
}

Result<void> check_path(const Place& at, std::string_view path) {
  if (const auto parsed = AbsolutePath::parse(path); !parsed) {
    return refuse(at, "is no usable path: " + parsed.error().message, parsed.error().hint);
  }
  return {};
}

Result<void> check_nfs(const Place& at, const NfsMount& nfs) {
  HOMEPORT_CHECK(check_host(at.member("server"), nfs.server));
  HOMEPORT_CHECK(check_path(at.member("export"), nfs.export_path));
  if (std::find(kNfsVersions.begin(), kNfsVersions.end(), nfs.version) == kNfsVersions.end()) {
    return refuse(at.member("version"), "'" + printable(nfs.version, 20) + "' is not known", "use 3, 4.1 or 4.2");
  }
  if (nfs.port == 0) return refuse(at.member("port"), "is 0", "leave it out for the protocol's own port");
  if (nfs.mount_port == 0)
    return refuse(at.member("mount_port"), "is 0", "leave it out to ask the server's port mapper");
  if (nfs.mount_port && nfs.version != "3") {
    return refuse(at.member("mount_port"), "is set, but version " + nfs.version + " has no mount protocol",
                  "leave mount_port out, or use version 3");
  }
  return check_text(at.member("fs_id"), nfs.fs_id, 255);
}

Result<void> check_local(const Place& at, const LocalMount& local) {
  constexpr std::array<std::string_view, 5> kNever{"/", "/proc", "/sys", "/dev", "/etc"};
  HOMEPORT_CHECK(check_host(at.member("host"), local.host));
  HOMEPORT_CHECK(check_path(at.member("path"), local.path));
  for (const auto never : kNever) {
    if (local.path == never || (never != "/" && local.path.starts_with(std::string(never) + "/"))) {
      return refuse(at.member("path"), "'" + printable(local.path, 80) + "' belongs to the host's system");
    }
  }
  return {};
}

Result<void> check_range(const Place& at, std::uint32_t value, std::uint32_t low, std::uint32_t high) {
  if (value >= low && value <= high) return {};
  return refuse(at, std::to_string(value) + " is out of range",
                "use a number from " + std::to_string(low) + " to " + std::to_string(high));
}

Result<void> check_transfer(const Place& at, const std::optional<std::uint32_t>& size) {
  if (!size) return {};
  HOMEPORT_CHECK(check_range(at, *size, kMinTransfer, kMaxTransfer));
  if (*size % 1024 != 0) {
    return refuse(at, std::to_string(*size) + " is not a multiple of 1024", "NFS clients would silently round it down");
  }
  return {};
}

}  // namespace

bool is_ipv6_address(std::string_view server) {
  std::array<unsigned char, 16> bytes{};
  return inet_pton(AF_INET6, std::string(server).c_str(), bytes.data()) == 1 &&
         server.find('\0') == std::string_view::npos;
}

Result<void> check_source(const Place& at, const Source& source) {
  if (const auto* nfs = std::get_if<NfsMount>(&source)) return check_nfs(at, *nfs);
  return check_local(at, std::get<LocalMount>(source));
}

Result<void> check_nfs_options(const Place& at, const NfsOptions& options, std::string_view version,
                               const ValidateOptions& site) {
  HOMEPORT_CHECK(check_range(at.member("timeo"), options.timeo, 1, kMaxTimeo));
  HOMEPORT_CHECK(check_range(at.member("retrans"), options.retrans, 0, kMaxRetrans));
  HOMEPORT_CHECK(check_transfer(at.member("rsize"), options.rsize));
  HOMEPORT_CHECK(check_transfer(at.member("wsize"), options.wsize));
  if (options.nconnect) HOMEPORT_CHECK(check_range(at.member("nconnect"), *options.nconnect, 1, kMaxNconnect));
  if (options.nolock && version != "3") {
    return refuse(at.member("nolock"), "has no meaning for version " + std::string(version),
                  "only version 3 locks apart");
  }
  if (std::find(kSecurityFlavors.begin(), kSecurityFlavors.end(), options.sec) == kSecurityFlavors.end()) {
    return refuse(at.member("sec"), "'" + printable(options.sec, 20) + "' is not known",
                  "use sys, krb5, krb5i or krb5p");
  }
  if (options.sec != "sys" && version == "3" && !site.allow_v3_kerberos) {
    return refuse(at.member("sec"),
                  "'" + options.sec + "' with version 3 leaves the mount protocol and locks unprotected",
                  "use version 4.1 or 4.2, or allow it for the site");
  }
  return {};
}

}  // namespace homeport::render
