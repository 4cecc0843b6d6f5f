#include "tests/unit/render/sample_specs.h"

namespace homeport::render::testing {

WallTime at(const char* rfc3339) {
  return parse_time(rfc3339).value();
}

Mount home_mount() {
  return {
      .id = "home",
      .kind = MountKind::home,
      .target = "/home/jovyan",
      .access = MountAccess::rw,
      .required = true,
      .source =
          NfsMount{
              .server = "192.0.2.10", .export_path = "/homes/h-00000000000000a1", .version = "4.1", .fs_id = "fs-101"},
      .nfs = NfsOptions{}};
}

Mount dataset_mount(const std::string& name) {
  return {
      .id = "ds-" + name,
      .kind = MountKind::dataset,
      .target = "/data/" + name,
      .access = MountAccess::ro,
      .required = false,
      .source = NfsMount{.server = "192.0.2.10", .export_path = "/datasets/" + name, .version = "4.1", .fs_id = "fs-7"},
      .nfs = NfsOptions{.noatime = true, .noexec = true}};
}

MountSpec home_only() {
  MountSpec out{.subject = {.hub = "main", .user = "bob@example.org", .user_key = "u-7f3a9c21d0aa55ee"},
                .identity = {.uid = 1000, .gid = 100, .supplemental_gids = {5001}, .umask = "0002"}};
  out.spec_id = "ms-01";
  out.issued_at = at("2026-11-20T08:00:00Z");
  out.valid_until = at("2026-11-20T20:00:00Z");
  out.subject.server_key = "s-0";
  out.subject.groups = {"course-a"};
  out.mounts = {home_mount()};
  out.environment = {{"NB_UMASK", "0002"}};
  return out;
}

MountSpec home_and_datasets() {
  auto out = home_only();
  out.mounts[0].quota = MountQuota{.limit_bytes = 10737418240,
                                   .used_bytes = 8697308774,
                                   .quota_class = "measured",
                                   .as_of = at("2026-11-20T07:59:40Z")};
  out.mounts.push_back(dataset_mount("cifar10"));
  out.mounts.push_back(dataset_mount("openimages"));
  out.links = {{"/home/jovyan/data", "/data"}};
  out.environment["STORAGE_SCRATCH"] = "/scratch";
  return out;
}

MountSpec hostile() {
  constexpr auto kOdd = "a b,c{d}%e $HOME $(id) \"q\" 'p' \\w #h `x` é";
  auto out = home_only();
  out.subject.user = "o'brien \"{x}\" $(id)";
  auto dataset = dataset_mount("odd");
  dataset.target = std::string("/data/") + kOdd;
  std::get<NfsMount>(dataset.source).export_path = std::string("/datasets/") + kOdd + ":more";
  out.mounts.push_back(dataset);
  auto braces = dataset_mount("braces");
  braces.target = "/data/{username}}{";
  std::get<NfsMount>(braces.source).export_path = "/datasets/#first {0} \\040 =x";
  out.mounts.push_back(braces);
  out.environment["ODD"] = "{not} $(PATH) $$(PATH) $$ $HOME 'q' \"d\" \\ , # % $";
  return out;
}

MountSpec ipv6_server() {
  auto out = home_only();
  std::get<NfsMount>(out.mounts[0].source).server = "2001:db8::10";
  return out;
}

MountSpec v3_with_ports() {
  auto out = home_only();
  auto& source = std::get<NfsMount>(out.mounts[0].source);
  source.server = "filer_1.example.org";
  source.version = "3";
  source.port = 12049;
  source.mount_port = 12048;
  out.mounts[0].nfs = NfsOptions{.hard = false,
                                 .timeo = 50,
                                 .retrans = 0,
                                 .rsize = 65536,
                                 .wsize = 1048576,
                                 .nconnect = 4,
                                 .nolock = true,
                                 .noresvport = true,
                                 .nosuid = false,
                                 .nodev = false};
  return out;
}

MountSpec local_sources() {
  auto out = home_only();
  out.mounts[0].source = LocalMount{.host = "nas1", .path = "/srv/pool/h-00000000000000a1"};
  out.mounts[0].nfs.reset();
  Mount dataset = dataset_mount("local");
  dataset.source = LocalMount{.host = "nas1", .path = "/srv/pool/data sets, {old} #1"};
  dataset.nfs.reset();
  out.mounts.push_back(dataset);
  return out;
}

MountSpec every_kind() {
  auto out = home_and_datasets();
  out.state = SpecState::degraded;
  out.notices = {
      {.code = "home-80", .level = NoticeLevel::warn, .text = "Home is 81 % full.", .url = "/services/storage/"},
      {.code = "no-mnist", .level = NoticeLevel::info, .text = "Dataset mnist is away <b>today</b>."}};
  out.subject.server = "gpu box";
  out.subject.server_key = "s-0a1b2c3d";
  out.subject.purpose = Purpose::dashboard;
  Mount group = dataset_mount("group");
  group.id = "grp-course-a";
  group.kind = MountKind::group;
  group.access = MountAccess::rw;
  group.target = "/home/jovyan/groups/course-a";
  group.parent = "home";
  group.mountpoint_ready = true;
  out.mounts.push_back(group);
  Mount scratch = home_mount();
  scratch.id = "scratch";
  scratch.kind = MountKind::scratch;
  scratch.target = "/scratch";
  scratch.required = false;
  scratch.lifetime = Lifetime{.purge_after_days = 14};
  out.mounts.push_back(scratch);
  Mount snapshot = dataset_mount("snap");
  snapshot.id = "snap-daily";
  snapshot.kind = MountKind::snapshot;
  snapshot.target = "/snapshots/daily-2026-11-19";
  snapshot.lifetime =
      Lifetime{.expires_at = at("2026-11-26T00:00:00.250Z"), .snapshot = "daily-2026-11-19", .immutable = true};
  out.mounts.push_back(snapshot);
  out.labels = {{"display", "Bob's storage"}, {"cost-centre", "42"}};
  return out;
}

MountSpec blocked() {
  auto out = home_only();
  out.state = SpecState::blocked;
  out.status_hint = 507;
  out.mounts.clear();
  out.notices = {{.code = "hint", .level = NoticeLevel::info, .text = "A scratch session is possible."},
                 {.code = "home-full", .level = NoticeLevel::error, .text = "Home is full (10GiB of 10GiB)."}};
  return out;
}

MountSpec squashed_without_ids() {
  auto out = home_only();
  out.identity = {.mode = IdentityMode::squash};
  return out;
}

std::vector<Sample> all_samples() {
  return {{"home_only", home_only()},
          {"home_and_datasets", home_and_datasets()},
          {"hostile", hostile()},
          {"ipv6_server", ipv6_server()},
          {"v3_with_ports", v3_with_ports()},
          {"local_sources", local_sources()},
          {"every_kind", every_kind()},
          {"blocked", blocked()},
          {"squashed_without_ids", squashed_without_ids()}};
}

}  // namespace homeport::render::testing
