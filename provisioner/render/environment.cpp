// Where things are, as variables, for programs that do not read the document. The document's own environment goes
// first: what it sets is not set again.
#include "provisioner/render/quoting.h"
#include "provisioner/render/render_support.h"

namespace homeport::render {
namespace {

using Variables = std::map<std::string, std::string>;

void append_target(Variables& all, const char* name, const Mount& mount) {
  auto& list = all[name];
  list += (list.empty() ? "" : ":") + mount.target;  // a target has no ':'
}

// NB_HOME, and lists for the other kinds. Only what the digest covers: no use, no times.
Variables variables_of(const MountSpec& spec) {
  Variables all;
  for (const auto& mount : spec.mounts) {
    switch (mount.kind) {
      case MountKind::home:
        all.try_emplace("NB_HOME", mount.target);
        if (mount.quota && mount.quota->limit_bytes > 0)
          all.try_emplace("NB_HOME_LIMIT_BYTES", std::to_string(mount.quota->limit_bytes));
        break;
      case MountKind::dataset: append_target(all, "NB_DATASETS", mount); break;
      case MountKind::group: append_target(all, "NB_GROUPS", mount); break;
      case MountKind::scratch: append_target(all, "NB_SCRATCH", mount); break;
      case MountKind::snapshot: append_target(all, "NB_SNAPSHOTS", mount); break;
    }
  }
  for (const auto& [name, value] : spec.environment) all[name] = value;
  return all;
}

}  // namespace

Result<std::string> render_env(const MountSpec& spec, const RenderOptions& /*options*/) {
  std::string out;
  for (const auto& [name, value] : variables_of(spec)) out += "export " + name + "=" + shell_quote(value) + "\n";
  return out;
}

// Docker's own dialect: everything after '=' is the value, to the end of the line.
Result<std::string> render_env_file(const MountSpec& spec, const RenderOptions& /*options*/) {
  std::string out;
  for (const auto& [name, value] : variables_of(spec)) out += name + "=" + value + "\n";
  return out;
}

Result<std::string> render_env_systemd(const MountSpec& spec, const RenderOptions& /*options*/) {
  std::string out;
  for (const auto& [name, value] : variables_of(spec)) out += name + "=" + systemd_env_value(value) + "\n";
  return out;
}

}  // namespace homeport::render
