// Arguments of `docker run`, one per line, to stand before the image's name.
//
// --mount, never -v: the latter cannot hold a ':' and makes missing directories as root. Two layers of quoting: a mount
// is one line of CSV (Docker reads it with Go's encoding/csv), and that line is one word of the shell.
#include <array>

#include "provisioner/render/mount_options.h"
#include "provisioner/render/object_names.h"
#include "provisioner/render/quoting.h"
#include "provisioner/render/render_support.h"

namespace homeport::render {
namespace {

constexpr std::string_view kName = "docker-run";

// What Go's strings.TrimSpace takes away; Docker refuses a value that it would shorten.
bool ends_with_blank(std::string_view text) {
  constexpr std::array<std::string_view, 20> kBlanks{
      " ",      "\u0085", "\u00a0", "\u1680", "\u2000", "\u2001", "\u2002", "\u2003", "\u2004", "\u2005",
      "\u2006", "\u2007", "\u2008", "\u2009", "\u200a", "\u2028", "\u2029", "\u202f", "\u205f", "\u3000"};
  for (const auto blank : kBlanks) {
    if (text.ends_with(blank)) return true;
  }
  return false;
}

Result<void> check_blank(const Mount& mount, std::string_view member, std::string_view value) {
  if (!ends_with_blank(value)) return {};
  return cannot_express(kName, mount, member, "it ends with a blank, which Docker refuses",
                        "rename the directory, or use another format");
}

std::string nfs_fields(const Mount& mount, const NfsMount& nfs) {
  return "type=volume," + csv_field("source=" + object_name(mount)) + "," + csv_field("target=" + mount.target) +
         ",volume-driver=local,volume-opt=type=nfs," +
         csv_field("volume-opt=o=addr=" + nfs.server + "," + mount_option_text(mount)) + "," +
         csv_field("volume-opt=device=:" + nfs.export_path) + ",volume-nocopy";
}

Result<std::string> mount_argument(const Mount& mount) {
  HOMEPORT_CHECK(check_blank(mount, "target", mount.target));
  std::string fields;
  if (const auto* nfs = std::get_if<NfsMount>(&mount.source)) {
    HOMEPORT_CHECK(check_blank(mount, "source.export", nfs->export_path));
    fields = nfs_fields(mount, *nfs);
  } else {
    const auto& local = std::get<LocalMount>(mount.source);
    HOMEPORT_CHECK(check_blank(mount, "source.path", local.path));
    fields = "type=bind," + csv_field("source=" + local.path) + "," + csv_field("target=" + mount.target);
  }
  if (is_read_only(mount)) fields += ",readonly";
  return "--mount " + shell_quote(fields);
}

void add_identity(std::vector<std::string>& lines, const Identity& identity) {
  if (states_ids(identity)) lines.push_back("--user " + docker_user(identity));
  for (const auto gid : identity.supplemental_gids) lines.push_back("--group-add " + std::to_string(gid));
}

}  // namespace

Result<std::string> render_docker_run(const MountSpec& spec, const RenderOptions& /*options*/) {
  std::vector<std::string> lines;
  add_identity(lines, spec.identity);
  for (const auto& [name, value] : spec.environment) lines.push_back("--env " + shell_quote(name + "=" + value));
  for (const auto& mount : spec.mounts) {
    HOMEPORT_TRY(auto line, mount_argument(mount));
    lines.push_back(std::move(line));
  }
  std::string out;
  for (const auto& line : lines) out += (out.empty() ? "" : " \\\n") + line;
  return out.empty() ? out : out + "\n";
}

}  // namespace homeport::render
