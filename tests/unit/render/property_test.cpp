// Properties over seeded random specs. A failure names the number of the spec; the seed is in the test.
#include <gmock/gmock.h>

#include <functional>
#include <nlohmann/json.hpp>

#include "provisioner/render/renderer.h"
#include "tests/support/golden.h"
#include "tests/support/result_matchers.h"
#include "tests/unit/render/outside_programs.h"
#include "tests/unit/render/parsers.h"
#include "tests/unit/render/random_spec.h"

namespace homeport::render {
namespace {

using nlohmann::json;
using testing::random_spec;

std::string rendered(std::string_view format, const MountSpec& spec, const RenderOptions& options = {}) {
  const auto renderer = find_renderer(format);
  EXPECT_OK(renderer);
  const auto text = (*renderer)->render(spec, options);
  EXPECT_OK(text);
  return text ? *text : "";
}

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (const auto& word : words) out += (out.empty() ? "" : ",") + word;
  return out;
}

TEST(Property, JsonIsItsOwnInverse) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 2000; ++i) {
    const auto text = to_json(random_spec(random)).dump();
    const auto back = from_json(text);
    ASSERT_OK(back) << i << " " << text;
    ASSERT_EQ(to_json(*back).dump(), text) << i;
  }
}

struct Change {
  std::string name;
  bool covered;
  std::function<void(MountSpec&)> apply;
};

NfsMount& nfs(MountSpec& s) {
  return std::get<NfsMount>(s.mounts[0].source);
}

std::vector<Change> source_changes() {
  return {
      {"server", true, [](MountSpec& s) { nfs(s).server += "x"; }},
      {"export", true, [](MountSpec& s) { nfs(s).export_path += "x"; }},
      {"version", true, [](MountSpec& s) { nfs(s).version += "x"; }},
      {"port", true, [](MountSpec& s) { nfs(s).port = static_cast<std::uint16_t>(nfs(s).port.value_or(0) + 1); }},
      {"mount_port", true,
       [](MountSpec& s) { nfs(s).mount_port = static_cast<std::uint16_t>(nfs(s).mount_port.value_or(0) + 1); }},
      {"fs_id", true, [](MountSpec& s) { nfs(s).fs_id += "x"; }},
      {"hard", true, [](MountSpec& s) { s.mounts[0].nfs->hard ^= true; }},
      {"timeo", true, [](MountSpec& s) { ++s.mounts[0].nfs->timeo; }},
      {"retrans", true, [](MountSpec& s) { ++s.mounts[0].nfs->retrans; }},
      {"rsize", true, [](MountSpec& s) { s.mounts[0].nfs->rsize = s.mounts[0].nfs->rsize.value_or(0) + 1; }},
      {"wsize", true, [](MountSpec& s) { s.mounts[0].nfs->wsize = s.mounts[0].nfs->wsize.value_or(0) + 1; }},
      {"nconnect", true, [](MountSpec& s) { s.mounts[0].nfs->nconnect = s.mounts[0].nfs->nconnect.value_or(0) + 1; }},
      {"nolock", true, [](MountSpec& s) { s.mounts[0].nfs->nolock ^= true; }},
      {"noresvport", true, [](MountSpec& s) { s.mounts[0].nfs->noresvport ^= true; }},
      {"noatime", true, [](MountSpec& s) { s.mounts[0].nfs->noatime ^= true; }},
      {"nosuid", true, [](MountSpec& s) { s.mounts[0].nfs->nosuid ^= true; }},
      {"nodev", true, [](MountSpec& s) { s.mounts[0].nfs->nodev ^= true; }},
      {"noexec", true, [](MountSpec& s) { s.mounts[0].nfs->noexec ^= true; }},
      {"sec", true, [](MountSpec& s) { s.mounts[0].nfs->sec += "x"; }},
      {"no options", true, [](MountSpec& s) { s.mounts[0].nfs.reset(); }},
      {"local instead", true, [](MountSpec& s) { s.mounts[0].source = LocalMount{.host = "h", .path = "/p"}; }}};
}

std::vector<Change> mount_changes() {
  return {{"id", true, [](MountSpec& s) { s.mounts[0].id += "x"; }},
          {"kind", true,
           [](MountSpec& s) {
             s.mounts[0].kind = s.mounts[0].kind == MountKind::home ? MountKind::group : MountKind::home;
           }},
          {"target", true, [](MountSpec& s) { s.mounts[0].target += "x"; }},
          {"access", true,
           [](MountSpec& s) {
             s.mounts[0].access = s.mounts[0].access == MountAccess::ro ? MountAccess::rw : MountAccess::ro;
           }},
          {"required", true, [](MountSpec& s) { s.mounts[0].required ^= true; }},
          {"parent", true, [](MountSpec& s) { s.mounts[0].parent += "x"; }},
          {"mountpoint_ready", true, [](MountSpec& s) { s.mounts[0].mountpoint_ready ^= true; }},
          {"quota limit", true, [](MountSpec& s) { s.mounts[0].quota->limit_bytes ^= 1U; }},
          {"quota class", true, [](MountSpec& s) { s.mounts[0].quota->quota_class += "x"; }},
          {"no quota", true, [](MountSpec& s) { s.mounts[0].quota.reset(); }},
          {"expires_at", true,
           [](MountSpec& s) {
             s.mounts[0].lifetime->expires_at =
                 s.mounts[0].lifetime->expires_at.value_or(WallTime{}) + std::chrono::seconds(1);
           }},
          {"purge_after_days", true,
           [](MountSpec& s) {
             s.mounts[0].lifetime->purge_after_days = s.mounts[0].lifetime->purge_after_days.value_or(0) + 1;
           }},
          {"snapshot", true, [](MountSpec& s) { s.mounts[0].lifetime->snapshot += "x"; }},
          {"immutable", true, [](MountSpec& s) { s.mounts[0].lifetime->immutable ^= true; }},
          {"no lifetime", true, [](MountSpec& s) { s.mounts[0].lifetime.reset(); }},
          {"one mount fewer", true, [](MountSpec& s) { s.mounts.pop_back(); }},
          {"used_bytes", false,
           [](MountSpec& s) { s.mounts[0].quota->used_bytes = s.mounts[0].quota->used_bytes.value_or(0) ^ 1U; }},
          {"as_of", false, [](MountSpec& s) {
             s.mounts[0].quota->as_of = s.mounts[0].quota->as_of.value_or(WallTime{}) + std::chrono::seconds(1);
           }}};
}

std::vector<Change> spec_changes() {
  return {{"hub", true, [](MountSpec& s) { s.subject.hub += "x"; }},
          {"user", true, [](MountSpec& s) { s.subject.user += "x"; }},
          {"user_key", true, [](MountSpec& s) { s.subject.user_key += "0"; }},
          {"server", true, [](MountSpec& s) { s.subject.server += "x"; }},
          {"server_key", true, [](MountSpec& s) { s.subject.server_key += "0"; }},
          {"groups", true, [](MountSpec& s) { s.subject.groups.emplace_back("x"); }},
          {"purpose", true,
           [](MountSpec& s) {
             s.subject.purpose = s.subject.purpose == Purpose::batch ? Purpose::rescue : Purpose::batch;
           }},
          {"identity mode", true,
           [](MountSpec& s) {
             s.identity.mode = s.identity.mode == IdentityMode::native ? IdentityMode::squash : IdentityMode::native;
           }},
          {"uid", true, [](MountSpec& s) { ++s.identity.uid; }},
          {"gid", true,
           [](MountSpec& s) {
             s.identity.uid = std::max(s.identity.uid, 1U) + 1;
             ++s.identity.gid;
           }},
          {"gids", true, [](MountSpec& s) { s.identity.supplemental_gids.push_back(77); }},
          {"user_name", true, [](MountSpec& s) { s.identity.user_name += "x"; }},
          {"umask", true, [](MountSpec& s) { s.identity.umask += "0"; }},
          {"links", true,
           [](MountSpec& s) {
             s.links.push_back({"/a", "/b"});
           }},
          {"environment", true, [](MountSpec& s) { s.environment["X"] = "y"; }},
          {"spec_id", false, [](MountSpec& s) { s.spec_id += "x"; }},
          {"issued_at", false, [](MountSpec& s) { s.issued_at += std::chrono::seconds(1); }},
          {"valid_until", false, [](MountSpec& s) { s.valid_until += std::chrono::seconds(1); }},
          {"state", false,
           [](MountSpec& s) { s.state = s.state == SpecState::ready ? SpecState::degraded : SpecState::ready; }},
          {"status_hint", false, [](MountSpec& s) { s.status_hint = s.status_hint.value_or(400) + 1; }},
          {"notices", false, [](MountSpec& s) { s.notices.push_back({.code = "x", .text = "y"}); }},
          {"labels", false, [](MountSpec& s) { s.labels["x"] = "y"; }}};
}

// Every change must show in the document; the digest follows exactly the covered ones.
TEST(Property, DigestFollowsTheCoveredFields) {
  std::vector<Change> changes;
  for (const auto& some : {source_changes(), mount_changes(), spec_changes()}) {
    changes.insert(changes.end(), some.begin(), some.end());
  }
  constexpr std::size_t kPerSpec = 3;  // in turn: each change meets about a hundred specs
  std::size_t turn = 0;
  std::mt19937_64 random(2);
  for (int i = 0; i < 2000; ++i) {
    auto spec = random_spec(random, {.local = false});
    auto& first = spec.mounts[0];
    if (!first.quota) first.quota = MountQuota{.limit_bytes = 5};
    if (!first.lifetime) first.lifetime = Lifetime{.purge_after_days = 3};
    const auto before = to_json(spec);
    ASSERT_EQ(before["digest"], digest(spec)) << i;
    for (std::size_t n = 0; n < kPerSpec; ++n, ++turn) {
      const auto& change = changes[turn % changes.size()];
      auto other = spec;
      change.apply(other);
      const auto after = to_json(other);
      ASSERT_NE(after, before) << i << " " << change.name;
      ASSERT_EQ(after["digest"] != before["digest"], change.covered) << i << " " << change.name;
    }
  }
}

TEST(Property, OutputIsByteStable) {
  std::mt19937_64 random(3);
  for (int i = 0; i < 1000; ++i) {
    const auto spec = random_spec(random, {.local = false});
    const auto copy = from_json(to_json(spec).dump());
    ASSERT_OK(copy);
    for (const auto& renderer : renderers()) {
      const RenderOptions options{.kube_namespace =
                                      renderer.name == "kubespawner" || renderer.name == "pv" ? "jhub" : ""};
      const auto once = renderer.render(spec, options);
      const auto again = renderer.render(*copy, options);
      ASSERT_EQ(once.has_value(), again.has_value()) << i << " " << renderer.name;
      if (once) {
        ASSERT_EQ(*once, *again) << i << " " << renderer.name;
      } else {
        ASSERT_EQ(once.error().code, Errc::unsupported) << once.error().to_string();
      }
    }
  }
}

std::vector<testing::FstabEntry> wanted_fstab(const MountSpec& spec) {
  std::vector<testing::FstabEntry> out;
  for (const auto& mount : spec.mounts) {
    const auto target = "/srv/homeport/" + spec.subject.user_key + "/" + mount.id;
    if (const auto* source = std::get_if<NfsMount>(&mount.source)) {
      const bool ipv6 = source->server.find(':') != std::string::npos;
      out.push_back({(ipv6 ? "[" + source->server + "]" : source->server) + ":" + source->export_path, target,
                     source->version == "3" ? "nfs" : "nfs4",
                     joined(mount_option_words(mount)) + ",nofail,_netdev,x-systemd.automount"});
    } else {
      out.push_back({std::get<LocalMount>(mount.source).path, target, "none",
                     mount.access == MountAccess::ro ? "bind,ro,nofail,x-systemd.automount"
                                                     : "bind,rw,nofail,x-systemd.automount"});
    }
  }
  return out;
}

void expect_same(const std::vector<testing::FstabEntry>& got, const std::vector<testing::FstabEntry>& wanted,
                 const std::string& what) {
  ASSERT_EQ(got.size(), wanted.size()) << what;
  for (std::size_t i = 0; i < got.size(); ++i) {
    ASSERT_EQ(got[i].source, wanted[i].source) << what;
    ASSERT_EQ(got[i].target, wanted[i].target) << what;
    ASSERT_EQ(got[i].type, wanted[i].type) << what;
    ASSERT_EQ(got[i].options, wanted[i].options) << what;
  }
}

TEST(Property, FstabParsesBack) {
  std::mt19937_64 random(4);
  const testing::ScratchFolder folder;
  for (int i = 0; i < 2000; ++i) {
    const auto spec = random_spec(random);
    const auto text = rendered("fstab", spec);
    const auto wanted = wanted_fstab(spec);
    expect_same(testing::parse_fstab(text), wanted, "own parser, spec " + std::to_string(i));
    expect_same(testing::parse_with_getmntent(folder.write("fstab", text)), wanted,
                "getmntent, spec " + std::to_string(i));
    if (HasFatalFailure()) return;
  }
}

void expect_mount(const testing::DockerMount& got, const Mount& mount) {
  EXPECT_EQ(got.fields.at("target"), mount.target);
  EXPECT_EQ(got.fields.contains("readonly"), mount.access == MountAccess::ro);
  const auto* source = std::get_if<NfsMount>(&mount.source);
  if (source == nullptr) {
    EXPECT_EQ(got.fields.at("type"), "bind");
    EXPECT_EQ(got.fields.at("source"), std::get<LocalMount>(mount.source).path);
    return;
  }
  EXPECT_EQ(got.fields.at("type"), "volume");
  EXPECT_EQ(got.fields.at("volume-driver"), "local");
  EXPECT_TRUE(got.fields.contains("volume-nocopy"));
  EXPECT_EQ(got.volume_opts.at("type"), "nfs");
  EXPECT_EQ(got.volume_opts.at("device"), ":" + source->export_path);
  EXPECT_EQ(got.volume_opts.at("o"), "addr=" + source->server + "," + joined(mount_option_words(mount)));
}

void expect_arguments(const std::vector<std::string>& words, const MountSpec& spec, int number) {
  std::vector<std::string> simple;
  std::size_t mounts = 0;
  for (std::size_t i = 0; i + 1 < words.size(); i += 2) {
    if (words[i] != "--mount") {
      simple.push_back(words[i] + " " + words[i + 1]);
      continue;
    }
    ASSERT_LT(mounts, spec.mounts.size()) << number;
    expect_mount(testing::parse_docker_mount(words[i + 1]), spec.mounts[mounts++]);
  }
  std::vector<std::string> wanted;
  const auto& who = spec.identity;
  if (who.uid != 0) wanted.push_back("--user " + std::to_string(who.uid) + ":" + std::to_string(who.gid));
  for (const auto gid : who.supplemental_gids) wanted.push_back("--group-add " + std::to_string(gid));
  for (const auto& [name, value] : spec.environment) wanted.push_back("--env " + name + "=" + value);
  EXPECT_EQ(mounts, spec.mounts.size()) << number;
  EXPECT_EQ(simple, wanted) << number;
}

TEST(Property, DockerRunParsesBackThroughAShell) {
  std::mt19937_64 random(5);
  std::vector<MountSpec> specs;
  std::string script;
  for (int i = 0; i < 2000; ++i) {
    specs.push_back(random_spec(random));
    script += "printf '%s\\0' " + rendered("docker-run", specs.back()) + "printf '\\1\\0'\n";
  }
  const testing::ScratchFolder folder;
  const auto got = testing::run_program({"sh", folder.write("script.sh", script)});
  ASSERT_EQ(got.status, 0) << got.output.substr(0, 500);
  std::vector<std::string> words;
  std::size_t number = 0;
  for (std::size_t at = 0; at < got.output.size();) {
    const auto end = got.output.find('\0', at);
    ASSERT_NE(end, std::string::npos);
    const auto word = got.output.substr(at, end - at);
    at = end + 1;
    if (word != "\1") {
      words.push_back(word);
      continue;
    }
    ASSERT_LT(number, specs.size());
    expect_arguments(words, specs[number], static_cast<int>(number));
    ASSERT_FALSE(HasFailure()) << "spec " << number;
    words.clear();
    ++number;
  }
  EXPECT_EQ(number, specs.size());
}

TEST(Property, KubeSpawnerTraitsSurvivePythonsFormat) {
  std::mt19937_64 random(6);
  json batch = json::array();
  for (int i = 0; i < 1000; ++i) {
    const auto spec = random_spec(random, {.local = false, .inline_ok = true});
    const bool inline_nfs = (i % 2) == 0;
    RenderOptions options{.kube_namespace = inline_nfs ? "" : "jhub", .inline_nfs = inline_nfs};
    const auto hook = json::parse(rendered("kubespawner", spec, options));
    options.mode = TemplateMode::trait;
    batch.push_back({{"name", i}, {"hook", hook}, {"trait", json::parse(rendered("kubespawner", spec, options))}});
    for (const auto& mount : spec.mounts) {
      ASSERT_EQ(hook["volume_mounts"][mount.id]["mountPath"], mount.target) << i;
      if (inline_nfs) {
        ASSERT_EQ(hook["volumes"][mount.id]["nfs"]["path"], std::get<NfsMount>(mount.source).export_path) << i;
      }
    }
    for (const auto& [name, value] : spec.environment) {
      ASSERT_EQ(testing::kubernetes_expand(hook["environment"][name].get<std::string>()), value) << i;
    }
  }
  const testing::ScratchFolder folder;
  const auto got =
      testing::run_program({"/usr/bin/python3", homeport::testing::source_path("tests/unit/render/format_check.py"),
                            folder.write("batch.json", batch.dump())});
  EXPECT_EQ(got.status, 0) << got.output.substr(0, 2000);
  EXPECT_EQ(got.output, "checked 1000\n");
}

TEST(Property, RandomBytesNeverGetThrough) {
  // Whatever stands in a path: either it is refused with the member named, or it is printable to every text format.
  std::mt19937_64 random(7);
  int refused = 0;
  for (int i = 0; i < 3000; ++i) {
    auto spec = random_spec(random, {.local = false});
    std::string bytes = "/";
    for (auto n = 1 + random() % 6; n > 0; --n) bytes += static_cast<char>(random() % 256);
    const bool in_target = random() % 2 == 0;
    if (in_target) {
      spec.mounts.resize(1);
      spec.mounts[0].target = bytes;
    } else {
      std::get<NfsMount>(spec.mounts[0].source).export_path = bytes;
    }
    const auto valid = validate(spec);
    if (valid) continue;
    ++refused;
    ASSERT_EQ(valid.error().pointer, in_target ? "/mounts/0/target" : "/mounts/0/source/export") << i;
    for (const auto& renderer : renderers()) {
      const RenderOptions options{.kube_namespace =
                                      renderer.name == "kubespawner" || renderer.name == "pv" ? "jhub" : ""};
      ASSERT_ERRC(renderer.render(spec, options), Errc::invalid_argument) << i;
    }
  }
  EXPECT_GT(refused, 1000);
  EXPECT_LT(refused, 3000);
}

}  // namespace
}  // namespace homeport::render
