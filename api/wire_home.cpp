#include "api/wire_home.h"

#include <algorithm>

#include "api/wire_common.h"

namespace homeport::api {
namespace {

constexpr std::uint64_t kMostId = 4'294'967'294U;  // 2^32 - 1 is "no id" to the kernel

constexpr std::size_t kLongestSource = 1200;  // of what a home is copied from

std::optional<std::uint32_t> narrow(std::optional<std::uint64_t> value) {
  if (!value) return std::nullopt;
  return static_cast<std::uint32_t>(*value);
}

template <class T>
Result<T> at(Result<T> parsed, const std::string& pointer) {
  if (parsed) return parsed;
  Error error = std::move(parsed).error();
  error.pointer = pointer;
  return error;
}

}  // namespace

drivers::Layout read_layout(DocReader& in) {
  const auto word = in.choice("layout", {"directory", "filesystem"}, "directory");
  return drivers::layout_from_name(word).value_or(drivers::Layout::directory);
}

HomeWish read_home_wish(DocReader& in) {
  HomeWish wish;
  wish.uid = narrow(in.optional_number("uid", 0, kMostId));
  wish.gid = narrow(in.optional_number("gid", 0, kMostId));
  wish.klass = in.optional_text("class");
  wish.quota = in.optional_bytes("quota");
  wish.server = in.text("server", "");
  wish.groups = in.texts("groups");
  wish.hub = in.text("hub", "");
  if (in.has("copying")) {
    auto copying = in.object("copying");
    wish.copying = HomeWish::Copying{
        .from = copying.text("from"), .backend = copying.text("backend"), .source = copying.text("source", "")};
    if (printable(wish.copying->source, kLongestSource) != wish.copying->source)
      copying.problem("source", "must be one line of at most 1200 characters", "leave it out, or name the source");
    if (wish.copying->from.empty() || printable(wish.copying->from, kLongestSource) != wish.copying->from)
      copying.problem("from", "must be one line of at most 1200 characters",
                      "name the source, for example host:/home/alice");
    copying.finish();
    if (in.has("existing"))
      in.problem("copying", "goes with a new home, not with one that stands already", "leave one of the two out");
  }
  wish.allow_similar = in.boolean("allow_similar", false);
  if (in.has("existing")) {
    auto existing = in.object("existing");
    wish.existing = HomeWish::Existing{.backend = existing.text("backend"),
                                       .path = existing.text("path"),
                                       .layout = read_layout(existing),
                                       .measure = existing.boolean("measure", true)};
    existing.finish();
  }
  return wish;
}

core::CopyEnd read_copy_end(DocReader& in) {
  constexpr std::uint64_t kMost = std::uint64_t{1} << 60U;
  return {.run = in.text("run", ""),
          .bytes = in.optional_number("bytes", 0, kMost),
          .files = in.optional_number("files", 0, kMost)};
}

CopyRunWish read_copy_run(DocReader& in) {
  constexpr std::size_t kLongest = 200;
  CopyRunWish wish{.run = {.run = in.text("run"), .by = in.text("by", "")}, .leave = in.boolean("leave", false)};
  if (wish.run.run.empty() || printable(wish.run.run, kLongest) != wish.run.run)
    in.problem("run", "must be one line of 1 to 200 characters", "draw a random id for each run");
  if (printable(wish.run.by, kLongest) != wish.run.by)
    in.problem("by", "must be one line of at most 200 characters", "name the host and the process");
  return wish;
}

Result<core::HomeRequest> home_request(const HomeWish& wish, const std::string& realm, std::string_view user,
                                       const std::string& pointer) {
  HOMEPORT_TRY(auto name, at(UserName::parse(user), pointer.empty() ? "" : pointer + "/user"));
  HOMEPORT_TRY(auto server, at(ServerName::parse(wish.server), pointer + "/server"));
  core::HomeRequest request{.realm = realm, .user = std::move(name), .server = std::move(server)};
  if (wish.klass) {
    HOMEPORT_TRY(request.klass, at(Slug::parse(*wish.klass), pointer + "/class"));
  }
  if (!wish.hub.empty()) {
    HOMEPORT_TRY(const auto hub, at(Slug::parse(wish.hub), pointer + "/hub"));
    request.hub = hub.str();
  }
  for (const auto& group : wish.groups) {
    HOMEPORT_TRY(const auto parsed, at(GroupName::parse(group), pointer + "/groups"));
    request.groups.push_back(parsed.str());
  }
  if (wish.existing) {
    HOMEPORT_TRY(auto backend, at(Slug::parse(wish.existing->backend), pointer + "/existing/backend"));
    HOMEPORT_TRY(auto path, at(AbsolutePath::parse(wish.existing->path), pointer + "/existing/path"));
    request.existing = core::HomeRequest::Existing{.backend = std::move(backend),
                                                   .path = std::move(path),
                                                   .layout = wish.existing->layout,
                                                   .measure = wish.existing->measure};
  }
  request.uid = wish.uid;
  request.gid = wish.gid;
  request.quota = wish.quota;
  if (wish.copying) {
    HOMEPORT_TRY(auto backend, at(Slug::parse(wish.copying->backend), pointer + "/copying/backend"));
    request.copying = core::HomeRequest::Copying{
        .from = wish.copying->from, .backend = std::move(backend), .source = wish.copying->source};
  }
  request.allow_similar = wish.allow_similar;
  return request;
}

void identify(core::People& people, const core::Caller& caller, core::HomeRequest request,
              std::function<void(Result<core::HomeRequest>)> done) {
  const core::PersonQuestion question{.realm = request.realm,
                                      .user = request.user,
                                      .uid = request.uid,
                                      .gid = request.gid,
                                      .by_admin = caller.principal.scope != policies::Scope::spawner,
                                      .stands = request.existing.has_value()};
  people.identify(caller, question,
                  [request = std::move(request), done = std::move(done)](Result<core::Person> person) mutable {
                    if (!person) return done(std::move(person).error());
                    request.person = std::move(person).value();
                    done(std::move(request));
                  });
}

namespace {

std::optional<core::FleetLine> read_fleet_line(DocReader& in) {
  auto user = in.required<UserName>("user", UserName::parse);
  auto path = in.text("path");
  auto klass = in.parsed<Slug>("class", Slug::parse);
  const auto uid = narrow(in.optional_number("uid", 0, kMostId));
  const auto gid = narrow(in.optional_number("gid", 0, kMostId));
  const auto quota = in.optional_bytes("quota");
  in.finish();
  if (!user) return std::nullopt;
  return core::FleetLine{.user = std::move(*user),
                         .path = std::move(path),
                         .uid = uid,
                         .gid = gid,
                         .klass = std::move(klass),
                         .quota = quota};
}

}  // namespace

core::FleetRequest read_fleet_request(DocReader& in) {
  const auto backend = in.required<Slug>("backend", Slug::parse);
  const bool from_array = in.boolean("from_array", false);
  const auto base = from_array ? in.parsed<AbsolutePath>("base", AbsolutePath::parse)
                               : in.required<AbsolutePath>("base", AbsolutePath::parse);
  core::FleetRequest out{.backend = backend.value_or(*Slug::parse("none")),
                         .base = base.value_or(*AbsolutePath::parse("/"))};
  out.from_array = from_array;
  if (from_array && out.base.str() != "/")
    in.problem("base", "has no meaning with from_array: file systems lie in no directory", "leave it out");
  out.pattern = in.parsed<policies::HomePattern>("match", policies::HomePattern::parse);
  constexpr std::size_t kMostLines = 100'000;
  auto lines = in.objects("map");
  if (lines.size() > kMostLines) {
    in.problem("map", "holds more than 100000 lines", "import in parts");
    lines.clear();
  }
  for (auto& line : lines) {
    if (auto read = read_fleet_line(line)) out.map.push_back(std::move(*read));
  }
  if (from_array && out.pattern && out.pattern->depth() != 1)
    in.problem("match", "names more than a file system", "write one component, for example pso-{user}");
  if (from_array && std::ranges::any_of(out.map, [](const auto& line) { return line.quota.has_value(); }))
    in.problem("map", "gives limits, and a file system that stands keeps its own", "leave the quotas out");
  if (in.has("match") == in.has("map")) {
    in.problem("match", "either match or map is needed, not both", "match a pattern such as {user}, or give a map");
  }
  out.names = in.texts("names");
  out.klass = in.parsed<Slug>("class", Slug::parse);
  out.hub = in.text("hub", "");
  out.allow_similar = in.boolean("allow_similar", false);
  out.system_below = static_cast<std::uint32_t>(in.number("system_below", out.system_below, 1, kMostId));
  return out;
}

namespace {

void append_text(std::string& out, std::string_view name, std::string_view text, std::string_view nothing = "null") {
  out.append(name);
  const bool plain =
      std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c < 0x7F && c != '"' && c != '\\'; });
  if (text.empty()) {
    out.append(nothing);
  } else if (plain) {
    out.append("\"").append(text).append("\"");
  } else {
    out.append(dump(nlohmann::json(text)));
  }
}

}  // namespace

// Written as text: a document of objects for each of thousands of homes would cost more than looking at them did.
std::string fleet_plan_text(const core::FleetPlan& plan) {
  nlohmann::json summary;
  for (const auto verdict : {core::FleetVerdict::import, core::FleetVerdict::known, core::FleetVerdict::unmatched,
                             core::FleetVerdict::refused})
    summary[std::string(core::fleet_verdict_name(verdict))] = plan.count(verdict);
  std::string out;
  out.reserve(64 + plan.entries.size() * 200);
  out.append(R"({"summary":)").append(summary.dump());
  out.append(R"(,"measure_rate":)").append(std::to_string(plan.measure_rate)).append(R"(,"entries":[)");
  for (const auto& entry : plan.entries) {
    if (&entry != &plan.entries.front()) out.push_back(',');
    append_text(out, R"({"path":)", entry.path, R"("")");
    append_text(out, R"(,"user":)", entry.user);
    out.append(R"(,"uid":)").append(std::to_string(entry.uid));
    out.append(R"(,"gid":)").append(std::to_string(entry.gid));
    append_text(out, R"(,"mode":)", mode_text(entry.mode));
    append_text(out, R"(,"class":)", entry.klass);
    out.append(R"(,"quota_bytes":)").append(entry.quota ? std::to_string(entry.quota->count()) : "null");
    append_text(out, R"(,"verdict":)", core::fleet_verdict_name(entry.verdict));
    append_text(out, R"(,"reason":)", entry.reason);
    append_text(out, R"(,"why":)", entry.why);
    out.append(R"(,"remarks":)").append(entry.remarks.empty() ? "[]" : dump(nlohmann::json(entry.remarks)));
    out.push_back('}');
  }
  out.append("]}");
  return out;
}

}  // namespace homeport::api
