#include "provisioner/core/desired.h"

#include <algorithm>
#include <charconv>
#include <set>
#include <utility>

#include "provisioner/core/class_check.h"

namespace homeport::core {
namespace {

constexpr std::uint64_t kMaxId = 0xFFFFFFFE;

std::optional<std::uint32_t> octal_mode(DocReader& in, std::string_view key) {
  const auto text = in.optional_text(key);
  if (!text) return std::nullopt;
  std::uint32_t mode = 0;
  const auto [end, ec] = std::from_chars(text->data(), text->data() + text->size(), mode, 8);
  if (ec == std::errc{} && end == text->data() + text->size() && mode <= 07777 && text->size() >= 3) return mode;
  in.problem(key, "'" + printable(*text, 20) + "' is not an octal mode", "write it quoted, for example \"0700\"");
  return std::nullopt;
}

DailyCaps read_caps(DocReader in) {
  DailyCaps caps;
  caps.objects = in.optional_number("objects", 0, 1ULL << 40U);
  caps.bytes = in.optional_bytes("bytes");
  caps.destroys = in.optional_number("destroys", 0, 1ULL << 40U);
  in.finish();
  return caps;
}

render::NfsOptions read_nfs_options(DocReader in) {
  render::NfsOptions nfs;
  nfs.hard = in.boolean("hard", nfs.hard);
  nfs.timeo = static_cast<std::uint32_t>(in.number("timeo", nfs.timeo, 1, 6000));
  nfs.retrans = static_cast<std::uint32_t>(in.number("retrans", nfs.retrans, 0, 100));
  const auto small = [&in](std::string_view key, std::uint64_t low, std::uint64_t high) {
    const auto value = in.optional_number(key, low, high);
    return value ? std::optional(static_cast<std::uint32_t>(*value)) : std::nullopt;
  };
  nfs.rsize = small("rsize", 1024, 16U << 20U);
  nfs.wsize = small("wsize", 1024, 16U << 20U);
  nfs.nconnect = small("nconnect", 1, 16);
  nfs.nolock = in.boolean("nolock", nfs.nolock);
  nfs.noresvport = in.boolean("noresvport", nfs.noresvport);
  nfs.noatime = in.boolean("noatime", nfs.noatime);
  nfs.nosuid = in.boolean("nosuid", nfs.nosuid);
  nfs.nodev = in.boolean("nodev", nfs.nodev);
  nfs.noexec = in.boolean("noexec", nfs.noexec);
  nfs.sec = in.choice("sec", {"sys", "krb5", "krb5i", "krb5p"}, "sys");
  in.finish();
  return nfs;
}

void read_path(DocReader& in, std::string_view key, std::string& into) {
  if (const auto path = in.parsed(key, &AbsolutePath::parse)) into = path->str();
}

void read_identity(DocReader in, ClassSpec& klass) {
  klass.identity = in.choice("mode", {"native", "squash"}, "native") == "squash" ? render::IdentityMode::squash
                                                                                 : render::IdentityMode::native;
  klass.squash_uid = static_cast<std::uint32_t>(in.number("uid", klass.squash_uid, 1, kMaxId));
  klass.squash_gid = static_cast<std::uint32_t>(in.number("gid", klass.squash_gid, 1, kMaxId));
  klass.user_name = in.text("user_name", klass.user_name);
  klass.umask = in.text("umask", klass.umask);
  klass.accept_one_uid = in.boolean("accept_one_uid", false);
  in.finish();
}

void read_percents(DocReader& in, ClassSpec& klass) {
  const auto* raw = in.raw("notice_percent");
  if (raw == nullptr) return;
  std::vector<std::uint32_t> percents;
  bool good = raw->is_array();
  if (good) {
    for (const auto& item : *raw) {
      if (!item.is_number_unsigned() || item.get<std::uint64_t>() < 1 || item.get<std::uint64_t>() > 99) {
        good = false;
        break;
      }
      percents.push_back(item.get<std::uint32_t>());
    }
  }
  if (!good) {
    in.problem("notice_percent", "must be a list of whole numbers from 1 to 99", "for example [80, 90, 95]");
    return;
  }
  std::sort(percents.begin(), percents.end());
  klass.notice_percent = std::move(percents);
}

// How many of each age; what a backend bears is checked where it is known (check_snapshots, snapshot_limits.h).
SnapshotSchedule read_snapshots(DocReader in) {
  constexpr std::uint64_t kMost = 10'000;
  SnapshotSchedule out;
  for (const auto& [key, into] :
       {std::pair{"hourly", &out.hourly}, {"daily", &out.daily}, {"weekly", &out.weekly}, {"monthly", &out.monthly}}) {
    *into = static_cast<std::uint32_t>(in.number(key, 0, 0, kMost));
  }
  in.finish();
  if (out.kept() == 0) in.problem("", "keeps no snapshot", "give hourly, daily, weekly or monthly, or leave it out");
  return out;
}

std::optional<GrantSpec> read_grant(DocReader& in) {
  const auto dataset = in.required("dataset", &Slug::parse);
  const bool everyone = in.boolean("everyone", false);
  const auto user = in.parsed("user", &UserName::parse);
  const auto group = in.parsed("group", &GroupName::parse);
  const auto access = in.choice("access", {"ro", "rw"}, "ro");
  in.finish();
  if (static_cast<int>(everyone) + static_cast<int>(user.has_value()) + static_cast<int>(group.has_value()) != 1) {
    in.problem("", "a grant names exactly one of user, group or everyone: true");
    return std::nullopt;
  }
  if (!dataset) return std::nullopt;
  GrantSpec grant{.dataset = *dataset,
                  .subject_kind = everyone ? "everyone"
                                  : user   ? "user"
                                           : "group",
                  .access = access};
  if (user) grant.subject = user->str();
  if (group) grant.subject = group->str();
  return grant;
}

template <class T, class Name>
void refuse_doubles(DocReader& in, std::string_view list, const std::vector<T>& items, Name name) {
  std::set<std::string> seen;
  for (const auto& item : items) {
    if (!seen.insert(name(item)).second) in.problem(list, "'" + name(item) + "' stands there twice");
  }
}

}  // namespace

std::string GrantSpec::words() const {
  return dataset.str() + " to " + subject_kind + (subject.empty() ? "" : " " + subject);
}

std::string SnapshotSchedule::words() const {
  std::string out;
  for (const auto& [count, word] :
       {std::pair{hourly, "hourly"}, {daily, "daily"}, {weekly, "weekly"}, {monthly, "monthly"}}) {
    if (count > 0) out += (out.empty() ? "" : ", ") + std::to_string(count) + " " + word;
  }
  return out;
}

std::string_view backend_mode_name(BackendMode mode) {
  switch (mode) {
    case BackendMode::observe: return "observe";
    case BackendMode::create: return "create";
    case BackendMode::manage: return "manage";
  }
  return "observe";
}

std::optional<BackendSpec> read_backend(DocReader& in, const drivers::DriverFactory& factory) {
  const auto name = in.required("name", &Slug::parse);
  const auto kinds = factory.kinds();
  const auto kind = in.text("kind");
  const auto mode = in.choice("mode", {"observe", "create", "manage"}, "manage");
  const auto caps = read_caps(in.object("caps"));
  const auto workers = in.number("workers", 16, 1, 64);
  const auto measure_rate = in.number("measure_rate", 5000, 0, 1'000'000);
  if (std::find(kinds.begin(), kinds.end(), kind) == kinds.end()) {
    if (!kind.empty()) {
      std::string known;
      for (const auto& k : kinds) known += (known.empty() ? "" : ", ") + k;
      in.problem("kind", "'" + printable(kind, 40) + "' is not a kind of backend this Homeport has",
                 "use one of: " + known);
    }
    return std::nullopt;  // whose members could we check?
  }
  factory.validate(kind, in);
  in.finish();
  if (!name) return std::nullopt;
  BackendSpec spec{.name = *name, .kind = kind, .caps = caps, .workers = workers, .measure_rate = measure_rate};
  spec.mode = mode == "observe" ? BackendMode::observe : mode == "create" ? BackendMode::create : BackendMode::manage;
  return spec;
}

std::optional<ClassSpec> read_class(DocReader& in) {
  const auto name = in.required("name", &Slug::parse);
  const auto backend = in.required("backend", &Slug::parse);
  static const Slug unnamed = Slug::parse("unnamed").value();  // the rest is read anyway: every problem at once
  ClassSpec klass{.name = name.value_or(unnamed), .backend = backend.value_or(unnamed)};
  klass.layout = in.choice("layout", {"directory", "filesystem"}, "directory");
  klass.pool = in.text("pool", "");
  klass.existing = in.parsed("existing", &policies::ExistingHomes::parse);
  if (in.has("create")) klass.create = in.boolean("create", false);
  klass.default_quota = in.optional_bytes("default_quota");
  klass.max_quota = in.optional_bytes("max_quota");
  if (klass.default_quota && klass.max_quota && *klass.default_quota > *klass.max_quota) {
    in.problem("default_quota", "is larger than max_quota");
  }
  if (in.has("snapshots")) klass.snapshots = read_snapshots(in.object("snapshots"));
  read_path(in, "home_target", klass.home_target);
  read_path(in, "dataset_root", klass.dataset_root);
  const auto home = AbsolutePath::parse(klass.home_target);
  const auto datasets = AbsolutePath::parse(klass.dataset_root);
  if (home && datasets && home->contains(*datasets)) {
    in.problem("dataset_root", "lies in home_target, where nothing makes the directories to mount on",
               "use a root of its own, such as /data");
  }
  klass.home_mode = octal_mode(in, "home_mode").value_or(klass.home_mode);
  read_identity(in.object("identity"), klass);
  if (klass.layout == "directory" && klass.identity == render::IdentityMode::squash && !klass.accept_one_uid) {
    in.problem("identity",
               "with layout directory and identity squash every home belongs to one uid: nothing but the mount keeps "
               "people apart",
               "use mode native, layout filesystem, or accept it by name with accept_one_uid: true");
  }
  klass.nfs = read_nfs_options(in.object("mount_options"));
  if (const auto valid = in.optional_duration("spec_valid")) {
    klass.spec_valid = std::chrono::duration_cast<std::chrono::hours>(*valid);
    if (klass.spec_valid < std::chrono::hours(1)) in.problem("spec_valid", "must be at least 1h");
  }
  if (const auto trash = in.optional_duration("trash"))
    klass.trash = std::chrono::duration_cast<std::chrono::hours>(*trash);
  read_percents(in, klass);
  klass.environment = in.text_map("environment");
  klass.labels = in.text_map("labels");
  check_class(in, klass);
  in.finish();
  if (!name || !backend) return std::nullopt;
  return klass;
}

std::optional<RuleSpec> read_rule(DocReader& in) {
  const auto name = in.required("name", &Slug::parse);
  const auto klass = in.parsed("class", &Slug::parse);
  auto match = in.object("match");
  auto users = match.texts("users");
  auto groups = match.texts("groups");
  auto hubs = match.texts("hubs");
  const bool everyone = match.boolean("everyone", false);
  match.finish();
  std::vector<Slug> datasets;
  for (const auto& text : in.texts("datasets")) {
    auto slug = Slug::parse(text);
    if (slug) {
      datasets.push_back(*slug);
    } else {
      in.problem("datasets", slug.error().message, slug.error().hint);
    }
  }
  in.finish();
  if (!everyone && users.empty() && groups.empty() && hubs.empty()) {
    in.problem("match", "matches nobody", "name users, groups or hubs, or say everyone: true");
  }
  if (!klass && datasets.empty()) in.problem("", "gives nothing", "name a class or datasets");
  if (!name) return std::nullopt;
  return RuleSpec{.name = *name,
                  .users = std::move(users),
                  .groups = std::move(groups),
                  .hubs = std::move(hubs),
                  .everyone = everyone,
                  .klass = klass,
                  .datasets = std::move(datasets)};
}

Desired read_desired(DocReader& in, const drivers::DriverFactory& factory) {
  Desired out;
  const auto section_of = [&in](std::string_view list, std::size_t i) { return (*in.raw(list))[i]; };
  std::size_t i = 0;
  for (auto& item : in.objects("backends")) {
    if (auto spec = read_backend(item, factory)) {
      spec->section = section_of("backends", i);
      out.backends.push_back(std::move(*spec));
    }
    ++i;
  }
  i = 0;
  for (auto& item : in.objects("classes")) {
    if (auto spec = read_class(item)) {
      spec->section = section_of("classes", i);
      out.classes.push_back(std::move(*spec));
    }
    ++i;
  }
  i = 0;
  for (auto& item : in.objects("rules")) {
    if (auto spec = read_rule(item)) {
      spec->section = section_of("rules", i);
      out.rules.push_back(std::move(*spec));
    }
    ++i;
  }
  check_snapshots(in, factory, out);
  if (in.has("grants")) out.grants.emplace();
  for (auto& item : in.objects("grants")) {
    if (auto spec = read_grant(item)) out.grants->push_back(std::move(*spec));
  }
  in.finish();
  refuse_doubles(in, "backends", out.backends, [](const BackendSpec& b) { return b.name.str(); });
  refuse_doubles(in, "classes", out.classes, [](const ClassSpec& c) { return c.name.str(); });
  refuse_doubles(in, "rules", out.rules, [](const RuleSpec& r) { return r.name.str(); });
  if (out.grants) refuse_doubles(in, "grants", *out.grants, [](const GrantSpec& g) { return g.words(); });
  return out;
}

}  // namespace homeport::core
