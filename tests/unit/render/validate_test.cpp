#include <gmock/gmock.h>

#include <functional>

#include "tests/support/result_matchers.h"
#include "tests/unit/render/sample_specs.h"

namespace homeport::render {
namespace {

using ::testing::HasSubstr;

// Mounts of every_kind(): 0 home, 1 ds-cifar10, 2 ds-openimages, 3 grp-course-a (in home), 4 scratch, 5 snap-daily.
struct Refusal {
  std::string name;
  std::function<void(MountSpec&)> spoil;
  std::string pointer;
  std::string words;  // part of the message
};

void PrintTo(const Refusal& r, std::ostream* out) {
  *out << r.name;
}

class Refused : public ::testing::TestWithParam<Refusal> {};

TEST_P(Refused, NamesThePlace) {
  const auto& row = GetParam();
  auto spec = testing::every_kind();
  ASSERT_OK(validate(spec));
  row.spoil(spec);
  const auto got = validate(spec);
  ASSERT_ERRC(got, Errc::invalid_argument);
  EXPECT_EQ(got.error().pointer, row.pointer) << got.error().message;
  EXPECT_THAT(got.error().message, HasSubstr(row.words));
  for (const char c : got.error().message)
    EXPECT_GE(static_cast<unsigned char>(c), 0x20) << "control character in message";
}

std::string name_of(const ::testing::TestParamInfo<Refusal>& row) {
  return row.param.name;
}

NfsMount& nfs(MountSpec& s, std::size_t i) {
  return std::get<NfsMount>(s.mounts[i].source);
}

INSTANTIATE_TEST_SUITE_P(
    Head, Refused,
    ::testing::Values(
        Refusal{"spec_id_blank", [](MountSpec& s) { s.spec_id = "ms 1"; }, "/spec_id", "spec_id"},
        Refusal{"spec_id_long", [](MountSpec& s) { s.spec_id = std::string(65, 'a'); }, "/spec_id", "spec_id"},
        Refusal{"ends_before_it_starts", [](MountSpec& s) { s.valid_until = testing::at("2026-11-20T07:00:00Z"); },
                "/valid_until", "before issued_at"},
        Refusal{"year_12000", [](MountSpec& s) { s.valid_until += std::chrono::hours(24 * 365 * 10000); },
                "/valid_until", "9999"},
        Refusal{"status_without_blocked", [](MountSpec& s) { s.status_hint = 507; }, "/status_hint", "not blocked"},
        Refusal{"blocked_without_status", [](MountSpec& s) { s.state = SpecState::blocked; }, "/status_hint",
                "missing"},
        Refusal{"blocked_with_200",
                [](MountSpec& s) {
                  s.state = SpecState::blocked;
                  s.status_hint = 200;
                },
                "/status_hint", "200"},
        Refusal{"blocked_without_notice",
                [](MountSpec& s) {
                  s.state = SpecState::blocked;
                  s.status_hint = 507;
                  s.notices.clear();
                },
                "/notices", "blocked"},
        Refusal{"notice_code", [](MountSpec& s) { s.notices[0].code = "Home Full"; }, "/notices/0/code", "notice 0"},
        Refusal{"notice_empty", [](MountSpec& s) { s.notices[1].text = ""; }, "/notices/1/text", "empty"},
        Refusal{"notice_301_characters", [](MountSpec& s) { s.notices[0].text = std::string(301, 'x'); },
                "/notices/0/text", "300"},
        Refusal{"notice_newline", [](MountSpec& s) { s.notices[0].text = "a\nb"; }, "/notices/0/text", "control"},
        Refusal{"notice_broken_utf8", [](MountSpec& s) { s.notices[0].text = "\xff"; }, "/notices/0/text", "UTF-8"},
        Refusal{"notice_script_link", [](MountSpec& s) { s.notices[0].url = "javascript:alert(1)"; }, "/notices/0/url",
                "link"},
        Refusal{"notice_other_site_by_slashes", [](MountSpec& s) { s.notices[0].url = "//evil.example"; },
                "/notices/0/url", "link"},
        Refusal{"hub", [](MountSpec& s) { s.subject.hub = "Main Hub"; }, "/subject/hub", "subject hub"},
        Refusal{"user_empty", [](MountSpec& s) { s.subject.user = ""; }, "/subject/user", "subject user"},
        Refusal{"user_newline", [](MountSpec& s) { s.subject.user = "a\nb"; }, "/subject/user", "subject user"},
        Refusal{"user_key_short", [](MountSpec& s) { s.subject.user_key = "u-123456789"; }, "/subject/user_key",
                "user_key"},
        Refusal{"user_key_path", [](MountSpec& s) { s.subject.user_key = "u-../../../../etc"; }, "/subject/user_key",
                "user_key"},
        Refusal{"server_key_missing", [](MountSpec& s) { s.subject.server_key = ""; }, "/subject/server_key",
                "server_key"},
        Refusal{"server_key_of_the_default", [](MountSpec& s) { s.subject.server_key = "s-0"; }, "/subject/server_key",
                "server_key"},
        Refusal{"group_control", [](MountSpec& s) { s.subject.groups.emplace_back("a\tb"); }, "/subject/groups/1",
                "groups 1"}),
    name_of);

INSTANTIATE_TEST_SUITE_P(
    Identity, Refused,
    ::testing::Values(
        Refusal{"root",
                [](MountSpec& s) {
                  s.identity.uid = 0;
                  s.identity.gid = 0;
                },
                "/identity/uid", "root"},
        Refusal{"uid_minus_one", [](MountSpec& s) { s.identity.uid = 4294967295U; }, "/identity/uid", "4294967295"},
        Refusal{"gid_minus_one", [](MountSpec& s) { s.identity.gid = 4294967295U; }, "/identity/gid", "4294967295"},
        Refusal{"squash_gid_only",
                [](MountSpec& s) {
                  s.identity.mode = IdentityMode::squash;
                  s.identity.uid = 0;
                },
                "/identity/gid", "uid is not"},
        Refusal{"seventeen_groups",
                [](MountSpec& s) {
                  s.identity.supplemental_gids.clear();
                  for (std::uint32_t i = 1; i <= 17; ++i) s.identity.supplemental_gids.push_back(i);
                },
                "/identity/supplemental_gids", "17 groups"},
        Refusal{"group_twice",
                [](MountSpec& s) {
                  s.identity.supplemental_gids = {7, 8, 7};
                },
                "/identity/supplemental_gids/0", "twice"},
        Refusal{"group_root",
                [](MountSpec& s) {
                  s.identity.supplemental_gids = {7, 0};
                },
                "/identity/supplemental_gids/1", "root"},
        Refusal{"user_name_capital", [](MountSpec& s) { s.identity.user_name = "Jovyan"; }, "/identity/user_name",
                "user_name"},
        Refusal{"user_name_option", [](MountSpec& s) { s.identity.user_name = "-x"; }, "/identity/user_name",
                "user_name"},
        Refusal{"user_name_long", [](MountSpec& s) { s.identity.user_name = std::string(33, 'a'); },
                "/identity/user_name", "user_name"},
        Refusal{"umask_words", [](MountSpec& s) { s.identity.umask = "u=rwx"; }, "/identity/umask", "umask"},
        Refusal{"umask_9", [](MountSpec& s) { s.identity.umask = "0092"; }, "/identity/umask", "umask"}),
    name_of);

Refusal target(std::string name, std::string value, std::string words) {
  return {std::move(name), [value](MountSpec& s) { s.mounts[1].target = value; }, "/mounts/1/target",
          "mount 'ds-cifar10' target " + words};
}

INSTANTIATE_TEST_SUITE_P(
    Targets, Refused,
    ::testing::Values(target("empty", "", "is no"), target("relative", "data", "is no"),
                      target("dot", "/data/./x", "is no"), target("dot_dot", "/data/../etc", "is no"),
                      target("double_slash", "/data//x", "is no"), target("trailing_slash", "/data/", "is no"),
                      target("newline", "/data/a\nb", "is no"), target("nul", std::string("/data/a\0b", 9), "is no"),
                      target("delete", "/data/\x7f", "is no"), target("broken_utf8", "/data/\xc3\x28", "is no"),
                      target("too_long",
                             "/" + std::string(200, 'a') + "/" + std::string(200, 'a') + "/" + std::string(200, 'a') +
                                 "/" + std::string(200, 'a') + "/" + std::string(221, 'a'),
                             "is no"),
                      target("colon", "/data/a:b", "'/data/a:b' contains ':'"), target("root", "/", "'/' belongs"),
                      target("etc", "/etc", "'/etc' belongs"), target("below_etc", "/etc/ssh", "'/etc/ssh' belongs"),
                      target("proc", "/proc", "'/proc' belongs"),
                      target("below_proc", "/proc/1/root", "'/proc/1/root' belongs"),
                      target("sys", "/sys", "'/sys' belongs"), target("dev", "/dev", "'/dev' belongs"),
                      target("dev_shm", "/dev/shm", "'/dev/shm' belongs"), target("run", "/run", "'/run' belongs"),
                      target("usr", "/usr", "'/usr' belongs"), target("bin", "/bin", "'/bin' belongs"),
                      target("lib", "/lib", "'/lib' belongs"), target("sbin", "/sbin", "'/sbin' belongs"),
                      target("same_as_another", "/home/jovyan", "'/home/jovyan' is also that of mount 'home'")),
    name_of);

Refusal server(std::string name, std::string value) {
  return {std::move(name), [value](MountSpec& s) { nfs(s, 1).server = value; }, "/mounts/1/source/server",
          "mount 'ds-cifar10' source server"};
}

INSTANTIATE_TEST_SUITE_P(
    Sources, Refused,
    ::testing::Values(
        server("empty", ""), server("comma", "192.0.2.10,sec=none"), server("blank", "192.0.2.10 -o"),
        server("brackets", "[2001:db8::1]"), server("zone", "fe80::1%eth0"), server("with_port", "nas:2049"),
        server("newline", "nas\n"), server("nul", std::string("::1\0", 4)), server("slash", "nas/x"),
        server("option", "-oexec"), server("not_ascii", "n\xc3\xa4s"), server("long", std::string(256, 'a')),
        server("quote", "nas'"),
        Refusal{"export_relative", [](MountSpec& s) { nfs(s, 1).export_path = "x"; }, "/mounts/1/source/export",
                "mount 'ds-cifar10' source export"},
        Refusal{"export_dot_dot", [](MountSpec& s) { nfs(s, 1).export_path = "/a/../b"; }, "/mounts/1/source/export",
                "'.' or '..'"},
        Refusal{"export_trailing_slash", [](MountSpec& s) { nfs(s, 1).export_path = "/a/"; }, "/mounts/1/source/export",
                "ends with"},
        Refusal{"export_newline", [](MountSpec& s) { nfs(s, 1).export_path = "/a\n/b"; }, "/mounts/1/source/export",
                "control"},
        Refusal{"version_4", [](MountSpec& s) { nfs(s, 1).version = "4"; }, "/mounts/1/source/version", "'4'"},
        Refusal{"version_text", [](MountSpec& s) { nfs(s, 1).version = "4.1,sec=none"; }, "/mounts/1/source/version",
                "not known"},
        Refusal{"port_0", [](MountSpec& s) { nfs(s, 1).port = 0; }, "/mounts/1/source/port", "is 0"},
        Refusal{"mount_port_0",
                [](MountSpec& s) {
                  nfs(s, 1).version = "3";
                  nfs(s, 1).mount_port = 0;
                },
                "/mounts/1/source/mount_port", "is 0"},
        Refusal{"mount_port_of_v4", [](MountSpec& s) { nfs(s, 1).mount_port = 20048; }, "/mounts/1/source/mount_port",
                "4.1"},
        Refusal{"fs_id_control", [](MountSpec& s) { nfs(s, 1).fs_id = "a\nb"; }, "/mounts/1/source/fs_id", "control"},
        Refusal{"local_host",
                [](MountSpec& s) {
                  s.mounts[1].source = LocalMount{.host = "a b", .path = "/srv/x"};
                  s.mounts[1].nfs.reset();
                },
                "/mounts/1/source/host", "source host"},
        Refusal{"local_root",
                [](MountSpec& s) {
                  s.mounts[1].source = LocalMount{.host = "nas", .path = "/"};
                  s.mounts[1].nfs.reset();
                },
                "/mounts/1/source/path", "system"},
        Refusal{"local_below_etc",
                [](MountSpec& s) {
                  s.mounts[1].source = LocalMount{.host = "nas", .path = "/etc/x"};
                  s.mounts[1].nfs.reset();
                },
                "/mounts/1/source/path", "system"},
        Refusal{"local_dot_dot",
                [](MountSpec& s) {
                  s.mounts[1].source = LocalMount{.host = "nas", .path = "/srv/.."};
                  s.mounts[1].nfs.reset();
                },
                "/mounts/1/source/path", "source path"},
        Refusal{"local_with_nfs_options",
                [](MountSpec& s) { s.mounts[1].source = LocalMount{.host = "nas", .path = "/srv/x"}; }, "/mounts/1/nfs",
                "local"},
        Refusal{"nfs_without_options", [](MountSpec& s) { s.mounts[1].nfs.reset(); }, "/mounts/1/nfs", "missing"}),
    name_of);

Refusal option(std::string name, std::function<void(NfsOptions&)> spoil, std::string words) {
  return {name, [spoil](MountSpec& s) { spoil(*s.mounts[1].nfs); }, "/mounts/1/nfs/" + name.substr(0, name.find("_is")),
          "mount 'ds-cifar10' nfs " + words};
}

INSTANTIATE_TEST_SUITE_P(
    Options, Refused,
    ::testing::Values(option(
                          "timeo_is_0", [](NfsOptions& o) { o.timeo = 0; }, "timeo 0"),
                      option(
                          "timeo_is_6001", [](NfsOptions& o) { o.timeo = 6001; }, "timeo 6001"),
                      option(
                          "retrans_is_101", [](NfsOptions& o) { o.retrans = 101; }, "retrans 101"),
                      option(
                          "rsize_is_512", [](NfsOptions& o) { o.rsize = 512; }, "rsize 512"),
                      option(
                          "rsize_is_odd", [](NfsOptions& o) { o.rsize = 65537; }, "rsize 65537"),
                      option(
                          "wsize_is_2M", [](NfsOptions& o) { o.wsize = 2097152; }, "wsize 2097152"),
                      option(
                          "nconnect_is_0", [](NfsOptions& o) { o.nconnect = 0; }, "nconnect 0"),
                      option(
                          "nconnect_is_17", [](NfsOptions& o) { o.nconnect = 17; }, "nconnect 17"),
                      option(
                          "nolock_is_for_v3", [](NfsOptions& o) { o.nolock = true; }, "nolock"),
                      option(
                          "sec_is_none", [](NfsOptions& o) { o.sec = "none"; }, "sec 'none'"),
                      option(
                          "sec_is_empty", [](NfsOptions& o) { o.sec = ""; }, "sec ''"),
                      Refusal{"krb5_with_v3",
                              [](MountSpec& s) {
                                nfs(s, 1).version = "3";
                                s.mounts[1].nfs->sec = "krb5p";
                              },
                              "/mounts/1/nfs/sec", "mount 'ds-cifar10' nfs sec 'krb5p' with version 3"}),
    name_of);

INSTANTIATE_TEST_SUITE_P(
    Mounts, Refused,
    ::testing::Values(
        Refusal{"id_empty", [](MountSpec& s) { s.mounts[1].id = ""; }, "/mounts/1/id", "id"},
        Refusal{"id_capital", [](MountSpec& s) { s.mounts[1].id = "DS"; }, "/mounts/1/id", "'DS'"},
        Refusal{"id_hyphen_end", [](MountSpec& s) { s.mounts[1].id = "ds-"; }, "/mounts/1/id", "'ds-'"},
        Refusal{"id_33", [](MountSpec& s) { s.mounts[1].id = std::string(33, 'a'); }, "/mounts/1/id", "aaa"},
        Refusal{"id_path", [](MountSpec& s) { s.mounts[1].id = "../x"; }, "/mounts/1/id", "'../x'"},
        Refusal{"id_twice", [](MountSpec& s) { s.mounts[1].id = "home"; }, "/mounts/1/id",
                "mount 'home' id is used twice"},
        Refusal{"sixty_five", [](MountSpec& s) { s.mounts.resize(65, s.mounts[1]); }, "/mounts", "65"},
        Refusal{"rw_snapshot",
                [](MountSpec& s) {
                  s.mounts[5].access = MountAccess::rw;
                  s.mounts[5].lifetime.reset();
                },
                "/mounts/5/access", "mount 'snap-daily' access is rw"},
        Refusal{"rw_immutable", [](MountSpec& s) { s.mounts[4].lifetime->immutable = true; }, "/mounts/4/access",
                "mount 'scratch' access is rw"},
        Refusal{"under_read_only", [](MountSpec& s) { s.mounts[4].target = "/data/cifar10/mine"; }, "/mounts/4/target",
                "mount 'scratch' target lies in mount 'ds-cifar10', which is read-only"},
        Refusal{"under_read_only_even_with_a_directory",
                [](MountSpec& s) {
                  s.mounts[4].target = "/data/cifar10/mine";
                  s.mounts[4].parent = "ds-cifar10";
                  s.mounts[4].mountpoint_ready = true;
                },
                "/mounts/4/target", "read-only"},
        Refusal{"no_directory_in_the_parent", [](MountSpec& s) { s.mounts[3].mountpoint_ready = false; },
                "/mounts/3/mountpoint_ready", "mount 'grp-course-a' mountpoint_ready"},
        Refusal{"parent_not_said", [](MountSpec& s) { s.mounts[3].parent = ""; }, "/mounts/3/parent", "'home'"},
        Refusal{"wrong_parent", [](MountSpec& s) { s.mounts[3].parent = "scratch"; }, "/mounts/3/parent", "'scratch'"},
        Refusal{"parent_of_nothing", [](MountSpec& s) { s.mounts[4].parent = "home"; }, "/mounts/4/parent", "'home'"},
        Refusal{"not_the_nearest_parent",
                [](MountSpec& s) {
                  s.mounts[4].target = "/home/jovyan/groups/course-a/x";
                  s.mounts[4].parent = "home";
                  s.mounts[4].mountpoint_ready = true;
                },
                "/mounts/4/parent", "'home'"},
        Refusal{"child_before_parent", [](MountSpec& s) { std::swap(s.mounts[0], s.mounts[3]); }, "/mounts/0/target",
                "comes later"},
        Refusal{"quota_class", [](MountSpec& s) { s.mounts[0].quota->quota_class = "soft"; }, "/mounts/0/quota/class",
                "mount 'home' quota class"},
        Refusal{"purge_after_0_days", [](MountSpec& s) { s.mounts[4].lifetime->purge_after_days = 0; },
                "/mounts/4/lifetime/purge_after_days", "mount 'scratch'"},
        Refusal{"snapshot_path", [](MountSpec& s) { s.mounts[5].lifetime->snapshot = "../x"; },
                "/mounts/5/lifetime/snapshot", "'/'"},
        Refusal{"snapshot_control", [](MountSpec& s) { s.mounts[5].lifetime->snapshot = "a\nb"; },
                "/mounts/5/lifetime/snapshot", "control"},
        Refusal{"link_relative", [](MountSpec& s) { s.links[0].at = "data"; }, "/links/0/at", "link 0"},
        Refusal{"link_to_nowhere", [](MountSpec& s) { s.links[0].to = "/a/../b"; }, "/links/0/to", "link 0"},
        Refusal{"link_twice", [](MountSpec& s) { s.links.push_back(s.links[0]); }, "/links/1/at", "twice"},
        Refusal{"variable_lower_case", [](MountSpec& s) { s.environment["path"] = "x"; }, "/environment/path",
                "'path'"},
        Refusal{"variable_digit", [](MountSpec& s) { s.environment["1A"] = "x"; }, "/environment/1A", "'1A'"},
        Refusal{"variable_equals", [](MountSpec& s) { s.environment["A=B"] = "x"; }, "/environment/A=B", "'A=B'"},
        Refusal{"variable_value_newline", [](MountSpec& s) { s.environment["A"] = "x\ny"; }, "/environment/A",
                "control"},
        Refusal{"variable_value_nul", [](MountSpec& s) { s.environment["A"] = std::string("x\0y", 3); },
                "/environment/A", "control"},
        Refusal{"variable_value_utf8", [](MountSpec& s) { s.environment["A"] = "\xff"; }, "/environment/A", "UTF-8"},
        Refusal{"label_without_name", [](MountSpec& s) { s.labels[""] = "x"; }, "/labels/", "label"},
        Refusal{"label_control", [](MountSpec& s) { s.labels["a"] = "\x1b[2J"; }, "/labels/a", "control"}),
    name_of);

class Accepted : public ::testing::TestWithParam<Refusal> {};

TEST_P(Accepted, IsFine) {
  auto spec = testing::every_kind();
  GetParam().spoil(spec);
  EXPECT_OK(validate(spec));
}

INSTANTIATE_TEST_SUITE_P(
    Odd, Accepted,
    ::testing::Values(
        Refusal{"notice_300_umlauts",
                [](MountSpec& s) {
                  s.notices[0].text.clear();
                  for (int i = 0; i < 300; ++i) s.notices[0].text += "\xc3\xa4";
                },
                "", ""},
        Refusal{"colon_in_export", [](MountSpec& s) { nfs(s, 1).export_path = "/a:b"; }, "", ""},
        Refusal{"export_root", [](MountSpec& s) { nfs(s, 1).export_path = "/"; }, "", ""},
        Refusal{"ipv6", [](MountSpec& s) { nfs(s, 1).server = "2001:db8::1"; }, "", ""},
        Refusal{"ipv4_in_ipv6", [](MountSpec& s) { nfs(s, 1).server = "::ffff:192.0.2.1"; }, "", ""},
        Refusal{"sibling_is_no_parent", [](MountSpec& s) { s.mounts[4].target = "/home/jovyan2"; }, "", ""},
        Refusal{"target_with_everything", [](MountSpec& s) { s.mounts[4].target = "/x y,{}%$HOME\"'\\#"; }, "", ""},
        Refusal{"below_usr", [](MountSpec& s) { s.mounts[4].target = "/usr/local/data"; }, "", ""},
        Refusal{"sixteen_groups",
                [](MountSpec& s) {
                  s.identity.supplemental_gids.clear();
                  for (std::uint32_t i = 1; i <= 16; ++i) s.identity.supplemental_gids.push_back(i);
                },
                "", ""},
        Refusal{"tab_in_variable", [](MountSpec& s) { s.environment["A"] = "x\ty"; }, "", ""},
        Refusal{"nolock_with_v3",
                [](MountSpec& s) {
                  nfs(s, 1).version = "3";
                  s.mounts[1].nfs->nolock = true;
                },
                "", ""},
        Refusal{"no_mounts", [](MountSpec& s) { s.mounts.clear(); }, "", ""},
        Refusal{"sixty_four",
                [](MountSpec& s) {
                  while (s.mounts.size() < 64) {
                    s.mounts.push_back(s.mounts[1]);
                    s.mounts.back().id = "x" + std::to_string(s.mounts.size());
                    s.mounts.back().target = "/x/" + std::to_string(s.mounts.size());
                  }
                },
                "", ""}),
    name_of);

TEST(Validate, TheSiteMayAllowKerberosWithVersion3) {
  auto spec = testing::home_only();
  nfs(spec, 0).version = "3";
  spec.mounts[0].nfs->sec = "krb5";
  EXPECT_ERRC(validate(spec), Errc::invalid_argument);
  EXPECT_OK(validate(spec, {.allow_v3_kerberos = true}));
}

TEST(Validate, EverySampleIsValid) {
  for (const auto& sample : testing::all_samples()) EXPECT_OK(validate(sample.spec)) << sample.name;
}

}  // namespace
}  // namespace homeport::render
