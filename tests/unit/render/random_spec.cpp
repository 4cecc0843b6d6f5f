#include "tests/unit/render/random_spec.h"

#include <array>

#include "provisioner/base/names.h"
#include "tests/unit/render/sample_specs.h"

namespace homeport::render::testing {
namespace {

using Random = std::mt19937_64;

std::uint64_t below(Random& random, std::uint64_t n) {
  return random() % n;
}
bool coin(Random& random) {
  return (random() & 1U) != 0;
}

template <class T, std::size_t N>
T pick(Random& random, const std::array<T, N>& list) {
  return list[below(random, N)];
}

std::string random_path(Random& random, bool target) {
  std::string out = target ? "/data" : "";
  const auto parts = 1 + below(random, 3);
  for (std::uint64_t i = 0; i < parts; ++i) out += "/" + random_part(random, target);
  return out;
}

std::optional<std::uint32_t> maybe_size(Random& random) {
  if (coin(random)) return std::nullopt;
  return static_cast<std::uint32_t>((1 + below(random, 1024)) * 1024);
}

NfsOptions random_options(Random& random, const std::string& version) {
  constexpr std::array<const char*, 4> kFlavors{"sys", "krb5", "krb5i", "krb5p"};
  return {.hard = coin(random),
          .timeo = static_cast<std::uint32_t>(1 + below(random, 6000)),
          .retrans = static_cast<std::uint32_t>(below(random, 101)),
          .rsize = maybe_size(random),
          .wsize = maybe_size(random),
          .nconnect = coin(random) ? std::optional(static_cast<std::uint32_t>(1 + below(random, 16))) : std::nullopt,
          .nolock = version == "3" && coin(random),
          .noresvport = coin(random),
          .noatime = coin(random),
          .nosuid = coin(random),
          .nodev = coin(random),
          .noexec = coin(random),
          .sec = version == "3" ? "sys" : pick(random, kFlavors)};
}

std::optional<std::uint16_t> maybe_port(Random& random) {
  return coin(random) ? std::optional(static_cast<std::uint16_t>(1 + below(random, 65535))) : std::nullopt;
}

void random_source(Random& random, const RandomOptions& options, Mount& mount) {
  constexpr std::array<const char*, 6> kServers{"192.0.2.10", "2001:db8::1", "filer_1.example.org",
                                                "nas",        "::1",         "nas.example.org."};
  constexpr std::array<const char*, 3> kVersions{"3", "4.1", "4.2"};
  if (options.local && below(random, 4) == 0) {
    mount.source = LocalMount{.host = "nas1", .path = "/srv" + random_path(random, false)};
    return;
  }
  NfsMount nfs{
      .server = pick(random, kServers), .export_path = random_path(random, false), .version = pick(random, kVersions)};
  if (!options.inline_ok) {
    nfs.port = maybe_port(random);
    if (nfs.version == "3") nfs.mount_port = maybe_port(random);
  }
  if (coin(random)) nfs.fs_id = "fs-" + std::to_string(below(random, 1000));
  mount.nfs = random_options(random, nfs.version);
  mount.source = std::move(nfs);
}

void random_extras(Random& random, Mount& mount) {
  constexpr std::array<const char*, 4> kClasses{"hard", "cooperative", "measured", "none"};
  if (coin(random)) {
    mount.quota = MountQuota{.limit_bytes = random(), .quota_class = pick(random, kClasses)};
    if (coin(random)) mount.quota->used_bytes = random();
    if (coin(random)) mount.quota->as_of = WallTime(std::chrono::milliseconds(below(random, 4'000'000'000'000)));
  }
  if (coin(random)) {
    mount.lifetime = Lifetime{.immutable = mount.access == MountAccess::ro && coin(random)};
    if (coin(random)) mount.lifetime->purge_after_days = static_cast<std::uint32_t>(1 + below(random, 400));
    if (coin(random)) mount.lifetime->snapshot = "daily-" + std::to_string(below(random, 100));
    if (coin(random))
      mount.lifetime->expires_at = WallTime(std::chrono::milliseconds(below(random, 4'000'000'000'000)));
  }
}

Mount random_mount(Random& random, const RandomOptions& options, std::size_t index) {
  constexpr std::array kKinds{MountKind::home, MountKind::dataset, MountKind::group, MountKind::scratch,
                              MountKind::snapshot};
  Mount out = home_mount();
  out.nfs.reset();
  out.id = "m" + std::to_string(index) + (coin(random) ? "-" + std::to_string(below(random, 100000)) : "");
  out.kind = pick(random, kKinds);
  // The number in front keeps random targets apart and out of one another.
  out.target = "/t" + std::to_string(index) + random_path(random, true);
  out.access = out.kind == MountKind::snapshot || coin(random) ? MountAccess::ro : MountAccess::rw;
  out.required = coin(random);
  random_source(random, options, out);
  random_extras(random, out);
  return out;
}

// A mount inside the first one of those that can hold it.
void maybe_nest(Random& random, MountSpec& spec) {
  for (std::size_t i = 0; i + 1 < spec.mounts.size(); ++i) {
    if (spec.mounts[i].access != MountAccess::rw || coin(random)) continue;
    auto& child = spec.mounts.back();
    child.parent = spec.mounts[i].id;
    child.mountpoint_ready = true;
    child.target = spec.mounts[i].target + "/" + random_part(random, true);
    return;
  }
}

void random_people(Random& random, MountSpec& spec) {
  constexpr std::array kPurposes{Purpose::interactive, Purpose::dashboard, Purpose::batch, Purpose::rescue};
  spec.subject.user = "user " + std::to_string(below(random, 1000)) + " {'\"$é";
  spec.subject.user_key = "u-" + hex16(random());
  spec.subject.purpose = pick(random, kPurposes);
  if (coin(random)) {
    spec.subject.server = "box " + std::to_string(below(random, 10));
    spec.subject.server_key = "s-" + hex16(random()).substr(0, 8);
  }
  auto& who = spec.identity;
  who.mode = coin(random) ? IdentityMode::native : IdentityMode::squash;
  const bool stated = who.mode == IdentityMode::native || coin(random);
  who.uid = stated ? static_cast<std::uint32_t>(1 + below(random, 4294967294)) : 0;
  who.gid = stated ? static_cast<std::uint32_t>(below(random, 4294967295)) : 0;
  who.supplemental_gids.clear();
  for (std::uint64_t i = below(random, 17); i > 0; --i)
    who.supplemental_gids.push_back(static_cast<std::uint32_t>(i * 1000));
}

}  // namespace

std::string random_part(Random& random, bool target) {
  static const std::array<std::string, 40> kAlphabet{"a", "b", "Z",  "0",  "9",     "-", "_",  ".x", " ",     "  ",
                                                     ",", ";", "{",  "}",  "{}",    "%", "%s", "$",  "$HOME", "$(id)",
                                                     "`", "'", "\"", "\\", "\\040", "#", "*",  "&",  "|",     "<",
                                                     ">", "=", "~",  "!",  "?",     "[", "]",  "é",  "日本",  "\\n"};
  std::string out;
  for (auto n = 1 + below(random, 12); n > 0; --n) out += pick(random, kAlphabet);
  if (!target && below(random, 4) == 0) out += ":";
  return out + "x";
}

MountSpec random_spec(Random& random, const RandomOptions& options) {
  MountSpec out = home_only();
  out.spec_id = coin(random) ? "ms-" + std::to_string(below(random, 100000)) : "";
  out.issued_at = WallTime(std::chrono::milliseconds(below(random, 4'000'000'000'000)));
  out.valid_until = out.issued_at + std::chrono::milliseconds(below(random, 100'000'000));
  out.state = coin(random) ? SpecState::ready : SpecState::degraded;
  if (coin(random))
    out.notices.push_back({.code = "n-" + std::to_string(below(random, 9)), .text = random_part(random, false)});
  random_people(random, out);
  out.mounts.clear();
  const auto mounts = 1 + below(random, 5);
  for (std::size_t i = 0; i < mounts; ++i) out.mounts.push_back(random_mount(random, options, i));
  maybe_nest(random, out);
  if (coin(random)) out.links.push_back({random_path(random, true), random_path(random, false)});
  for (auto n = below(random, 4); n > 0; --n)
    out.environment["VAR_" + std::to_string(n)] = random_part(random, false) + "\t$$(X)";
  out.environment["ON"] = "no";  // YAML would take either for a boolean
  for (auto n = below(random, 3); n > 0; --n) out.labels["label " + std::to_string(n)] = random_part(random, false);
  return out;
}

}  // namespace homeport::render::testing
