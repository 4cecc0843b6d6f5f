#include "provisioner/core/class_check.h"

#include <algorithm>
#include <utility>

namespace homeport::core {
namespace {

render::Mount sample_mount(std::string id, render::MountKind kind, std::string target, const std::string& version) {
  render::Mount mount{.id = std::move(id), .kind = kind, .target = std::move(target), .source = {}};
  mount.source = render::NfsMount{.server = "192.0.2.1", .export_path = "/export/sample", .version = version};
  mount.nfs.emplace();
  return mount;
}

// Valid in every member, so that a refusal is about the one member that is then set.
render::MountSpec sample_spec(const std::string& version = "4.1") {
  render::MountSpec spec;
  spec.subject.hub = "sample";
  spec.subject.user = "sample";
  spec.subject.user_key = "u-0123456789abcdef";
  spec.subject.server_key = "s-0";
  spec.identity.uid = 1000;
  spec.identity.gid = 1000;
  spec.mounts.push_back(sample_mount("home", render::MountKind::home, "/home/jovyan", version));
  return spec;
}

// The error without the words that say where in the spec it is: the class's own place is said instead.
void tell(DocReader& in, const std::string& pointer, const Error& error, const std::string& words) {
  const bool known = error.message.starts_with(words + " ");
  in.problems().add(pointer, known ? error.message.substr(words.size() + 1) : error.message, error.hint);
}

void check_targets(DocReader& in, const ClassSpec& klass) {
  auto spec = sample_spec();
  spec.mounts[0].target = klass.home_target;
  if (const auto valid = render::validate(spec); !valid)
    tell(in, in.pointer_to("home_target"), valid.error(), "mount 'home' target");
  spec = sample_spec();
  const std::string target = (klass.dataset_root == "/" ? "" : klass.dataset_root) + "/sample";
  spec.mounts[0] = sample_mount("sample", render::MountKind::dataset, target, "4.1");
  if (const auto valid = render::validate(spec); !valid)
    tell(in, in.pointer_to("dataset_root"), valid.error(), "mount 'sample' target");
}

void check_identity(DocReader& in, const ClassSpec& klass) {
  const auto at = in.pointer_to("identity");
  auto spec = sample_spec();
  spec.identity.user_name = klass.user_name;
  if (const auto valid = render::validate(spec); !valid)
    tell(in, at + "/user_name", valid.error(), "identity user_name");
  spec = sample_spec();
  spec.identity.umask = klass.umask;
  if (const auto valid = render::validate(spec); !valid) tell(in, at + "/umask", valid.error(), "identity umask");
}

void check_texts(DocReader& in, const ClassSpec& klass) {
  if (!klass.environment.empty()) {
    const auto at = in.object("environment");
    for (const auto& [name, value] : klass.environment) {
      auto spec = sample_spec();
      spec.environment.emplace(name, value);
      if (const auto valid = render::validate(spec); !valid)
        tell(in, at.pointer_to(name), valid.error(), "environment '" + printable(name, 60) + "'");
    }
  }
  if (klass.labels.empty()) return;
  const auto at = in.object("labels");
  for (const auto& [name, value] : klass.labels) {
    auto spec = sample_spec();
    spec.labels.emplace(name, value);
    if (const auto valid = render::validate(spec); !valid)
      tell(in, at.pointer_to(name), valid.error(), "label '" + printable(name, 60) + "'");
  }
}

// nullopt: some version takes them. Else what the newest says.
std::optional<Error> refused_everywhere(const render::NfsOptions& options) {
  std::optional<Error> refusal;
  for (const char* version : {"3", "4.1", "4.2"}) {
    auto spec = sample_spec(version);
    spec.mounts[0].nfs = options;
    auto valid = render::validate(spec);
    if (valid) return std::nullopt;
    refusal = std::move(valid).error();
  }
  return refusal;
}

void check_mount_options(DocReader& in, const ClassSpec& klass) {
  const auto at = in.pointer_to("mount_options");
  const render::NfsOptions defaults;
  const auto try_alone = [&](const std::string& name, const auto member) {
    auto options = defaults;
    options.*member = klass.nfs.*member;
    const auto refusal = refused_everywhere(options);
    if (refusal) tell(in, at + "/" + name, *refusal, "mount 'home' nfs " + name);
    return !refusal;
  };
  bool each = true;
  each = try_alone("timeo", &render::NfsOptions::timeo) && each;
  each = try_alone("retrans", &render::NfsOptions::retrans) && each;
  each = try_alone("rsize", &render::NfsOptions::rsize) && each;
  each = try_alone("wsize", &render::NfsOptions::wsize) && each;
  each = try_alone("nconnect", &render::NfsOptions::nconnect) && each;
  each = try_alone("nolock", &render::NfsOptions::nolock) && each;
  each = try_alone("sec", &render::NfsOptions::sec) && each;
  if (!each) return;
  if (const auto refusal = refused_everywhere(klass.nfs))
    tell(in, at, *refusal, "mount 'home' nfs");  // right one by one, but not together
}

}  // namespace

void check_class(DocReader& in, const ClassSpec& klass) {
  check_targets(in, klass);
  check_identity(in, klass);
  check_texts(in, klass);
  check_mount_options(in, klass);
}

void check_snapshots(DocReader& in, const drivers::DriverFactory& factory, const Desired& desired) {
  for (const auto& klass : desired.classes) {
    if (!klass.snapshots) continue;
    const auto layout = drivers::layout_from_name(klass.layout).value_or(drivers::Layout::directory);
    const auto backend = std::find_if(desired.backends.begin(), desired.backends.end(),
                                      [&](const BackendSpec& one) { return one.name.str() == klass.backend.str(); });
    if (backend == desired.backends.end()) continue;
    const auto most = factory.max_snapshots_per_object(backend->kind, layout);
    if (!most || klass.snapshots->kept() <= *most) continue;
    in.problem("classes",
               "class " + klass.name.str() + " keeps " + std::to_string(klass.snapshots->kept()) +
                   " snapshots of each home (" + klass.snapshots->words() + "), and a file system on backend " +
                   klass.backend.str() + " bears " + std::to_string(*most),
               "keep fewer: ages thin out, so 24 hourly, 14 daily and 8 weekly reach two months back with 46");
  }
}

}  // namespace homeport::core
