#include <algorithm>

#include "drivers/exporter/exporter_factory.h"
#include "provisioner/base/doc_reader.h"

namespace homeport::drivers {
namespace {

constexpr std::uint64_t kMaxPort = 65535;

bool is_host(std::string_view text) {
  return !text.empty() && text.size() <= 253 && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' ||
           c == ':' || c == '_';
  });
}

void read_protocols(DocReader& in, ExporterConfig& config) {
  if (!in.has("protocols")) return;
  const auto protocols = in.texts("protocols");
  config.version3 = config.version4 = false;
  for (const auto& protocol : protocols) {
    if (protocol == "3") config.version3 = true;
    if (protocol == "4") config.version4 = true;
    if (protocol != "3" && protocol != "4")
      in.problem("protocols", "'" + printable(protocol, 20) + "' is not served", "write \"3\", \"4\" or both");
  }
  if (protocols.empty()) in.problem("protocols", "is empty: nothing could be mounted", "write [\"4\"]");
}

std::optional<SiteServer> read_site(DocReader& in) {
  if (!in.has("site")) return std::nullopt;
  // The site's own configuration says where it listens.
  if (in.has("address")) in.problem("address", "is the site's own server's to say", "leave it out beside site");
  DocReader site = in.object("site");
  const auto fragments = site.required("fragments", &AbsolutePath::parse);
  const auto pid_file = site.required("pid_file", &AbsolutePath::parse);
  const auto log = site.required("log", &AbsolutePath::parse);
  site.finish();
  if (!fragments || !pid_file || !log) return std::nullopt;
  return SiteServer{.fragments = *fragments, .pid_file = *pid_file, .log = *log};
}

}  // namespace

// Blanks, quotes, braces and semicolons would end the word in a Ganesha configuration; '*' alone would be everybody.
bool is_export_client(std::string_view text) {
  if (text.empty() || text.size() > 253 || text == "0.0.0.0/0" || text == "::/0") return false;
  const auto body = text.front() == '@' ? text.substr(1) : text;
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' ||
           c == ':' || c == '_' || c == '/' || c == '*' || c == '?';
  };
  const auto meant = [](char c) { return c != '*' && c != '?' && c != '.' && c != '/'; };
  return !body.empty() && std::ranges::all_of(body, plain) && std::ranges::any_of(body, meant);
}

ExporterConfig read_exporter_config(DocReader& in) {
  ExporterConfig config;
  config.server = in.text("server");
  if (!config.server.empty() && !is_host(config.server)) {
    in.problem("server", "'" + printable(config.server, 60) + "' is not a host name or address",
               "write what clients mount from: a name or an address alone, IPv6 without brackets");
  }
  config.state = in.required("state", &AbsolutePath::parse);
  config.nfs_port = static_cast<std::uint16_t>(in.number("nfs_port", config.nfs_port, 0, kMaxPort));
  config.mount_port = static_cast<std::uint16_t>(in.number("mount_port", config.mount_port, 0, kMaxPort));
  read_protocols(in, config);
  config.address = in.text("address", "");
  if (!config.address.empty() && !is_host(config.address))
    in.problem("address", "'" + printable(config.address, 60) + "' is not an address");
  config.site = read_site(in);
  if (config.site && (config.nfs_port == 0 || config.mount_port == 0)) {
    in.problem("nfs_port", "0 lets Homeport choose, and the site's own server listens where its configuration says",
               "write the ports it really has");
  }
  return config;
}

}  // namespace homeport::drivers
