#include "provisioner/render/renderer.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>
#include <set>

#include "tests/support/golden.h"
#include "tests/support/result_matchers.h"
#include "tests/unit/render/sample_specs.h"

namespace homeport::render {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

Result<std::string> rendered(std::string_view format, const MountSpec& spec, const RenderOptions& options = {}) {
  HOMEPORT_TRY(const Renderer* renderer, find_renderer(format));
  return renderer->render(spec, options);
}

struct GoldenCase {
  std::string format;
  std::string file;
  MountSpec spec;
  RenderOptions options{};
};

void PrintTo(const GoldenCase& c, std::ostream* out) {
  *out << c.format << "/" << c.file;
}

class Golden : public ::testing::TestWithParam<GoldenCase> {};

TEST_P(Golden, IsByteForByte) {
  const auto& c = GetParam();
  const auto got = rendered(c.format, c.spec, c.options);
  ASSERT_OK(got);
  homeport::testing::expect_golden(*got, "render/" + c.format + "/" + c.file);
}

const RenderOptions kClaims{.kube_namespace = "jhub"};
const RenderOptions kClaimTraits{.mode = TemplateMode::trait, .kube_namespace = "jhub"};
const RenderOptions kInline{.inline_nfs = true};
const RenderOptions kInlineTraits{.mode = TemplateMode::trait, .inline_nfs = true};

INSTANTIATE_TEST_SUITE_P(
    Files, Golden,
    ::testing::Values(GoldenCase{"kubespawner", "home.json", testing::home_only(), kClaims},
                      GoldenCase{"kubespawner", "datasets.json", testing::home_and_datasets(), kClaims},
                      GoldenCase{"kubespawner", "datasets-inline.json", testing::home_and_datasets(), kInline},
                      GoldenCase{"kubespawner", "hostile-inline.json", testing::hostile(), kInline},
                      GoldenCase{"kubespawner", "hostile-inline-trait.json", testing::hostile(), kInlineTraits},
                      GoldenCase{"kubespawner", "hostile-trait.json", testing::hostile(), kClaimTraits},
                      GoldenCase{"kubespawner", "ipv6-inline.json", testing::ipv6_server(), kInline},
                      GoldenCase{"kubespawner", "v3-ports.json", testing::v3_with_ports(), kClaims},
                      GoldenCase{"kubespawner", "squash.json", testing::squashed_without_ids(), kClaims},
                      GoldenCase{"docker-run", "home.txt", testing::home_only()},
                      GoldenCase{"docker-run", "datasets.txt", testing::home_and_datasets()},
                      GoldenCase{"docker-run", "hostile.txt", testing::hostile()},
                      GoldenCase{"docker-run", "ipv6.txt", testing::ipv6_server()},
                      GoldenCase{"docker-run", "v3-ports.txt", testing::v3_with_ports()},
                      GoldenCase{"docker-run", "local.txt", testing::local_sources()},
                      GoldenCase{"docker-run", "squash.txt", testing::squashed_without_ids()},
                      GoldenCase{"fstab", "home.txt", testing::home_only()},
                      GoldenCase{"fstab", "datasets.txt", testing::home_and_datasets()},
                      GoldenCase{"fstab", "hostile.txt", testing::hostile()},
                      GoldenCase{"fstab", "ipv6.txt", testing::ipv6_server()},
                      GoldenCase{"fstab", "v3-ports.txt", testing::v3_with_ports()},
                      GoldenCase{"fstab", "local.txt", testing::local_sources()},
                      GoldenCase{"fstab", "other-root.txt", testing::home_only(), {.host_root = "/mnt/home port#1"}}));

std::vector<GoldenCase> of_every_other_format() {
  std::vector<GoldenCase> out;
  for (const char* format : {"autofs", "compose", "dockerspawner", "env", "env-file", "env-systemd", "mount", "pv",
                             "swarmspawner", "systemd", "systemdspawner", "umount"}) {
    const std::string name = format;
    const std::string ending = name == "compose" || name == "pv" ? ".yaml"
                               : name.ends_with("spawner")       ? ".json"
                                                                 : ".txt";
    const auto options = name == "pv" ? kClaims : RenderOptions{};
    for (const auto& [file, spec] : {std::pair{"datasets", testing::home_and_datasets()},
                                     {"hostile", testing::hostile()},
                                     {"ipv6", testing::ipv6_server()},
                                     {"v3-ports", testing::v3_with_ports()},
                                     {"local", testing::local_sources()}}) {
      if (std::string_view(file) == "local" && (name == "pv" || name == "swarmspawner")) continue;
      out.push_back({name, file + ending, spec, options});
    }
  }
  out.push_back({"compose", "other-service.yaml", testing::squashed_without_ids(), {.compose_service = "lab-1"}});
  out.push_back({"systemd", "other-root.txt", testing::home_only(), {.host_root = "/mnt/home port#1"}});
  return out;
}
INSTANTIATE_TEST_SUITE_P(Others, Golden, ::testing::ValuesIn(of_every_other_format()));

// Options with which a renderer takes every NFS spec.
RenderOptions usual_options(std::string_view format) {
  return format == "kubespawner" || format == "pv" ? kClaims : RenderOptions{};
}

TEST(Renderers, AreSortedNamedAndFound) {
  std::string_view before;
  for (const auto& renderer : renderers()) {
    EXPECT_LT(before, renderer.name);
    before = renderer.name;
    EXPECT_FALSE(renderer.summary.empty());
    EXPECT_FALSE(renderer.content_type.empty());
    const auto found = find_renderer(renderer.name);
    ASSERT_OK(found);
    EXPECT_EQ((*found)->name, renderer.name);
  }
  const auto unknown = find_renderer("nomad");
  ASSERT_ERRC(unknown, Errc::invalid_argument);
  EXPECT_THAT(unknown.error().message + unknown.error().hint,
              AllOf(HasSubstr("nomad"), HasSubstr("autofs, compose, docker-run, "), HasSubstr("fstab, kubespawner")));
}

TEST(Renderers, AllRefuseABlockedSpecWithItsNotice) {
  for (const auto& renderer : renderers()) {
    const auto got = renderer.render(testing::blocked(), usual_options(renderer.name));
    ASSERT_ERRC(got, Errc::failed_precondition) << renderer.name;
    EXPECT_THAT(got.error().message, AllOf(HasSubstr("Home is full (10GiB of 10GiB)."), HasSubstr("507")))
        << renderer.name;
  }
}

TEST(Renderers, AllRefuseWhatValidateRefuses) {
  auto spec = testing::home_only();
  spec.mounts[0].target = "/home/a\nb";
  for (const auto& renderer : renderers()) {
    const auto got = renderer.render(spec, usual_options(renderer.name));
    ASSERT_ERRC(got, Errc::invalid_argument) << renderer.name;
    EXPECT_THAT(got.error().message, HasSubstr("mount 'home' target")) << renderer.name;
  }
}

TEST(Renderers, AllTakeADegradedSpecOfEveryKindAndOneWithoutMounts) {
  for (const auto& renderer : renderers()) {
    EXPECT_OK(renderer.render(testing::every_kind(), usual_options(renderer.name))) << renderer.name;
    auto bare = testing::squashed_without_ids();
    bare.mounts.clear();
    bare.environment.clear();
    EXPECT_OK(renderer.render(bare, usual_options(renderer.name))) << renderer.name;
  }
}

TEST(Renderers, PrintOnlyWhatTheDigestCovers) {
  auto other = testing::every_kind();
  other.spec_id = "ms-99";
  other.issued_at += std::chrono::hours(1);
  other.valid_until += std::chrono::hours(2);
  other.state = SpecState::ready;
  other.notices.clear();
  other.labels = {{"x", "y"}};
  other.mounts[0].quota->used_bytes = 1;
  other.mounts[0].quota->as_of.reset();
  ASSERT_EQ(digest(other), digest(testing::every_kind()));
  for (const auto& renderer : renderers()) {
    const auto one = renderer.render(testing::every_kind(), usual_options(renderer.name));
    const auto two = renderer.render(other, usual_options(renderer.name));
    ASSERT_OK(one);
    ASSERT_OK(two);
    EXPECT_EQ(*one, *two) << renderer.name;
  }
}

TEST(Renderers, OptionsWithoutAMeaningAreRefused) {
  for (const auto* format : {"fstab", "docker-run"}) {
    EXPECT_ERRC(rendered(format, testing::home_only(), {.mode = TemplateMode::trait}), Errc::invalid_argument);
    EXPECT_ERRC(rendered(format, testing::home_only(), kClaims), Errc::invalid_argument);
    EXPECT_ERRC(rendered(format, testing::home_only(), kInline), Errc::invalid_argument);
  }
}

TEST(HostFormats, RefuseABadRootAndOthersRefuseAnyRoot) {
  for (const auto& renderer : renderers()) {
    const bool for_hosts =
        std::set<std::string_view>{"autofs", "fstab", "mount", "systemd", "systemdspawner", "umount"}.contains(
            renderer.name);
    for (const auto* root : {"", "srv", "/srv/", "/srv/../etc", "/srv\n/x"}) {
      auto options = usual_options(renderer.name);
      options.host_root = root;
      EXPECT_ERRC(renderer.render(testing::home_only(), options), Errc::invalid_argument) << renderer.name << root;
    }
    auto options = usual_options(renderer.name);
    options.host_root = "/mnt";
    EXPECT_EQ(renderer.render(testing::home_only(), options).has_value(), for_hosts) << renderer.name;
  }
}

TEST(Systemd, RefusesWhatAUnitFileLoses) {
  for (const std::string end : {"\\", " "}) {
    auto spec = testing::home_only();
    std::get<NfsMount>(spec.mounts[0].source).export_path = "/homes/x" + end;
    const auto got = rendered("systemd", spec);
    ASSERT_ERRC(got, Errc::unsupported);
    EXPECT_THAT(got.error().message, HasSubstr("backslash or a blank"));
  }
  const auto deep = rendered("systemd", testing::home_only(), {.host_root = "/" + std::string(240, 'x')});
  ASSERT_ERRC(deep, Errc::unsupported);
  EXPECT_THAT(deep.error().hint, HasSubstr("shorter host root"));
}

TEST(ClusterFormats, RefuseLocalSourcesAndWantANamespace) {
  for (const char* format : {"pv", "swarmspawner"}) {
    const auto got = rendered(format, testing::local_sources(), usual_options(format));
    ASSERT_ERRC(got, Errc::unsupported);
    EXPECT_THAT(got.error().message, HasSubstr("source.path"));
  }
  EXPECT_ERRC(rendered("pv", testing::home_only()), Errc::invalid_argument);
  EXPECT_ERRC(rendered("pv", testing::home_only(), {.kube_namespace = "Hub_1"}), Errc::invalid_argument);
  EXPECT_ERRC(rendered("pv", testing::home_only(), {.kube_namespace = "jhub", .inline_nfs = true}),
              Errc::invalid_argument);
}

TEST(Compose, RefusesAServiceThatIsNone) {
  for (const auto* name : {"", "a b", "a:", "a\nb", "$X"})
    EXPECT_ERRC(rendered("compose", testing::home_only(), {.compose_service = name}), Errc::invalid_argument) << name;
  EXPECT_ERRC(rendered("fstab", testing::home_only(), {.compose_service = "lab"}), Errc::invalid_argument);
}

TEST(Fstab, OwnsOnlyWhatIsBetweenItsMarkers) {
  const auto got = rendered("fstab", testing::home_and_datasets());
  ASSERT_OK(got);
  EXPECT_THAT(*got, ::testing::StartsWith("# BEGIN homeport u-7f3a9c21d0aa55ee "));
  EXPECT_THAT(*got, ::testing::EndsWith("\n# END homeport u-7f3a9c21d0aa55ee\n"));
}

TEST(DockerRun, RefusesWhatDockerWouldShorten) {
  for (const std::string blank : {" ", "\u00a0", "\u3000"}) {
    auto spec = testing::home_only();
    spec.mounts[0].target = "/home/jovyan" + blank;
    auto got = rendered("docker-run", spec);
    ASSERT_ERRC(got, Errc::unsupported);
    EXPECT_THAT(got.error().message, HasSubstr("mount 'home' target"));
    spec = testing::home_only();
    std::get<NfsMount>(spec.mounts[0].source).export_path = "/homes/x" + blank;
    got = rendered("docker-run", spec);
    ASSERT_ERRC(got, Errc::unsupported);
    EXPECT_THAT(got.error().message, HasSubstr("source.export"));
    spec = testing::local_sources();
    std::get<LocalMount>(spec.mounts[0].source).path = "/srv/x" + blank;
    got = rendered("docker-run", spec);
    ASSERT_ERRC(got, Errc::unsupported);
    EXPECT_THAT(got.error().message, HasSubstr("source.path"));
  }
}

TEST(DockerRun, SetsAUserOnlyWhereOneIsStated) {
  EXPECT_THAT(*rendered("docker-run", testing::home_only()), HasSubstr("--user 1000:100 "));
  EXPECT_THAT(*rendered("docker-run", testing::squashed_without_ids()), Not(HasSubstr("--user")));
  auto squash = testing::squashed_without_ids();
  squash.identity.uid = 1000;
  squash.identity.gid = 100;
  EXPECT_THAT(*rendered("docker-run", squash), HasSubstr("--user 1000:100 "));
}

// Exactly what a Linux client does by itself.
MountSpec plain_nfs() {
  auto spec = testing::home_only();
  std::get<NfsMount>(spec.mounts[0].source).version = "4.2";
  spec.mounts[0].nfs = NfsOptions{.nosuid = false, .nodev = false};
  return spec;
}

struct LostCase {
  std::string name;
  void (*change)(NfsMount&, NfsOptions&);
  std::string member;
};

void PrintTo(const LostCase& c, std::ostream* out) {
  *out << c.name;
}

class InlineLoses : public ::testing::TestWithParam<LostCase> {};

TEST_P(InlineLoses, AndSaysWhat) {
  auto spec = plain_nfs();
  ASSERT_OK(rendered("kubespawner", spec));
  GetParam().change(std::get<NfsMount>(spec.mounts[0].source), *spec.mounts[0].nfs);
  const auto got = rendered("kubespawner", spec);
  ASSERT_ERRC(got, Errc::unsupported);
  EXPECT_THAT(got.error().message, HasSubstr("mount 'home' " + GetParam().member + " cannot"));
  EXPECT_THAT(got.error().hint, HasSubstr("namespace"));
  const auto said = rendered("kubespawner", spec, kInline);
  ASSERT_OK(said);
  const auto lost = nlohmann::json::parse(*said)["lost_options"]["home"].get<std::vector<std::string>>();
  std::string listed;
  for (const auto& member : lost) listed += (listed.empty() ? "" : ", ") + member;
  EXPECT_EQ(listed, GetParam().member);
  const auto claims = rendered("kubespawner", spec, kClaims);
  ASSERT_OK(claims);
  EXPECT_TRUE(nlohmann::json::parse(*claims)["lost_options"].empty());
}

INSTANTIATE_TEST_SUITE_P(
    Members, InlineLoses,
    ::testing::Values(LostCase{"version", [](NfsMount& s, NfsOptions&) { s.version = "4.1"; }, "source.version"},
                      LostCase{"soft", [](NfsMount&, NfsOptions& o) { o.hard = false; }, "nfs.hard"},
                      LostCase{"timeo", [](NfsMount&, NfsOptions& o) { o.timeo = 50; }, "nfs.timeo"},
                      LostCase{"retrans", [](NfsMount&, NfsOptions& o) { o.retrans = 3; }, "nfs.retrans"},
                      LostCase{"rsize", [](NfsMount&, NfsOptions& o) { o.rsize = 65536; }, "nfs.rsize"},
                      LostCase{"wsize", [](NfsMount&, NfsOptions& o) { o.wsize = 65536; }, "nfs.wsize"},
                      LostCase{"nconnect", [](NfsMount&, NfsOptions& o) { o.nconnect = 4; }, "nfs.nconnect"},
                      LostCase{"nolock",
                               [](NfsMount& s, NfsOptions& o) {
                                 s.version = "3";
                                 o.nolock = true;
                               },
                               "source.version, nfs.nolock"},
                      LostCase{"noresvport", [](NfsMount&, NfsOptions& o) { o.noresvport = true; }, "nfs.noresvport"},
                      LostCase{"noatime", [](NfsMount&, NfsOptions& o) { o.noatime = true; }, "nfs.noatime"},
                      LostCase{"nosuid", [](NfsMount&, NfsOptions& o) { o.nosuid = true; }, "nfs.nosuid"},
                      LostCase{"nodev", [](NfsMount&, NfsOptions& o) { o.nodev = true; }, "nfs.nodev"},
                      LostCase{"noexec", [](NfsMount&, NfsOptions& o) { o.noexec = true; }, "nfs.noexec"},
                      LostCase{"sec", [](NfsMount&, NfsOptions& o) { o.sec = "krb5"; }, "nfs.sec"}),
    [](const auto& row) { return row.param.name; });

TEST(KubeSpawner, NeverTakesAPortInline) {
  auto spec = plain_nfs();
  auto& source = std::get<NfsMount>(spec.mounts[0].source);
  source.port = 2049;  // the protocol's own
  EXPECT_OK(rendered("kubespawner", spec, kInline));
  source.port = 12049;
  for (const auto& options : {kInline, RenderOptions{}}) {
    const auto got = rendered("kubespawner", spec, options);
    ASSERT_ERRC(got, Errc::unsupported);
    EXPECT_THAT(got.error().message, HasSubstr("source.port"));
  }
  EXPECT_OK(rendered("kubespawner", spec, kClaims));
  source = {.server = "nas", .export_path = "/x", .version = "3", .mount_port = 20048};
  const auto got = rendered("kubespawner", spec, kInline);
  ASSERT_ERRC(got, Errc::unsupported);
  EXPECT_THAT(got.error().message, HasSubstr("source.mount_port"));
}

TEST(KubeSpawner, TakesNoLocalSource) {
  for (const auto& options : {kInline, kClaims, RenderOptions{}}) {
    const auto got = rendered("kubespawner", testing::local_sources(), options);
    ASSERT_ERRC(got, Errc::unsupported);
    EXPECT_THAT(got.error().message, HasSubstr("mount 'home' source.path"));
  }
}

TEST(KubeSpawner, RefusesABadNamespace) {
  for (const auto* name : {"J", "a_b", "-a", "a-", "a b", "a.b", "{username}"}) {
    EXPECT_ERRC(rendered("kubespawner", testing::home_only(), {.kube_namespace = name}), Errc::invalid_argument)
        << name;
  }
}

TEST(KubeSpawner, ReadOnlyIsSaidInBothPlaces) {
  const auto got = rendered("kubespawner", testing::home_and_datasets(), kClaims);
  ASSERT_OK(got);
  const auto document = nlohmann::json::parse(*got);
  for (const auto& mount : testing::home_and_datasets().mounts) {
    const bool ro = mount.access == MountAccess::ro;
    EXPECT_EQ(document["volumes"][mount.id]["persistentVolumeClaim"]["readOnly"], ro) << mount.id;
    EXPECT_EQ(document["volume_mounts"][mount.id]["readOnly"], ro) << mount.id;
    EXPECT_EQ(document["volumes"][mount.id]["name"], document["volume_mounts"][mount.id]["name"]) << mount.id;
  }
}

}  // namespace
}  // namespace homeport::render
