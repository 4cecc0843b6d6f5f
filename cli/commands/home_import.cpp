// homeport home import: look at a base of homes, say what would be done, then take them over one by one.
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "cli/commands/home_copy.h"
#include "cli/commands/kubernetes_import.h"
#include "cli/commands/registry.h"
#include "cli/commands/roster_ensure.h"
#include "cli/usage.h"
#include "cli/views.h"
#include "provisioner/base/bytes.h"
#include "provisioner/base/names.h"

namespace homeport::cli {
namespace {

constexpr std::chrono::milliseconds kPlanTime{3'600'000};  // it goes on as long as the backend answers

struct ImportOptions {
  std::string backend{};
  std::string base{};
  std::string match{};
  std::string map{};
  std::string names{};
  std::string klass{};
  std::string hub{};
  bool from_array = false;
  bool allow_similar = false;
  std::optional<std::uint32_t> system_below{};
  std::string failures{};
  bool no_measure = false;
  KubernetesOptions kubernetes{};
  CopyOptions copy{};
  Mutation mutation{};
};

std::string source_name(const std::string& file) {
  return file == "-" ? "standard input" : safe_text(file);
}

// One name a line; empty lines and those that begin with # are left out.
Result<std::vector<std::string>> read_names(Cli& cli, const std::string& file) {
  HOMEPORT_TRY(const auto text, read_text(cli, file));
  std::vector<std::string> names;
  std::size_t line = 0;
  for (std::size_t at = 0; at < text.size();) {
    const auto end = std::min(text.find('\n', at), text.size());
    std::string name = text.substr(at, end - at);
    at = end + 1;
    ++line;
    if (name.ends_with('\r')) name.pop_back();
    if (name.empty() || name.starts_with('#')) continue;
    const auto parsed = UserName::parse(name);
    if (!parsed)
      return usage_error(source_name(file) + ", line " + std::to_string(line) + ": " + parsed.error().message, {});
    names.push_back(std::move(name));
  }
  return names;
}

// What belongs to one way of saying where the homes are and is given with another is refused, not ignored.
Result<void> check_options(const ImportOptions& o) {
  const int ways = (o.map.empty() ? 0 : 1) + (o.match.empty() ? 0 : 1) + (o.kubernetes.dump.empty() ? 0 : 1);
  if (ways != 1) {
    return usage_error("one of --match, --map and --from-kubernetes is needed",
                       "--match '{user}' finds homes by their names, --map users.csv says whose each one is, "
                       "--from-kubernetes dump.yaml reads it from volumes and claims");
  }
  if (o.from_array && !o.base.empty())
    return usage_error("--base has no meaning with --from-array", "file systems of an array lie in no directory");
  if (o.base.empty() && !o.match.empty() && !o.from_array)
    return usage_error("--base is needed with --match", "for example --base /export/home");
  if (o.kubernetes.dump.empty() && o.kubernetes.any())
    return usage_error("--namespace, --server, --slug-scheme and --only-retained go with --from-kubernetes", {});
  if (!o.kubernetes.dump.empty() && !o.base.empty())
    return usage_error("--base has no meaning with --from-kubernetes",
                       "volumes say where they are, from the server's root");
  return {};
}

Result<ExitCode> import_by_copy(Cli& cli, const ImportOptions& o) {
  if (!o.base.empty() || o.kubernetes.any() || !o.failures.empty() || o.from_array || o.no_measure)
    return usage_error(
        "--base, --from-kubernetes, --from-array, --failures and --no-measure have no meaning with --copy",
        "--from says where the homes are, --match how they are named there, or --map whose each one is");
  if (!o.map.empty() && (!o.match.empty() || !o.names.empty()))
    return usage_error("--match and --names have no meaning with --map", "the map says whose each home is");
  CopyJob job{.backend = o.backend, .match = o.match, .klass = o.klass, .hub = o.hub};
  if (!o.names.empty()) {
    HOMEPORT_TRY(job.names, read_names(cli, o.names));
  }
  if (!o.map.empty()) {
    HOMEPORT_TRY(const auto text, read_text(cli, o.map));
    HOMEPORT_TRY(job.map, parse_home_map(text, source_name(o.map)));
  }
  job.allow_similar = o.allow_similar;
  job.system_below = o.system_below.value_or(job.system_below);
  job.options = o.copy;
  job.mutation = o.mutation;
  return copy_homes(cli, job);
}

Json body_of(const ImportOptions& o) {
  Json body{{"backend", o.backend}};
  if (o.from_array) {
    body["from_array"] = true;
  } else {
    body["base"] = o.base.empty() ? "/" : o.base;
  }
  if (!o.match.empty()) body["match"] = o.match;
  if (!o.klass.empty()) body["class"] = o.klass;
  if (!o.hub.empty()) body["hub"] = o.hub;
  if (o.allow_similar) body["allow_similar"] = true;
  if (o.system_below) body["system_below"] = *o.system_below;
  return body;
}

Result<Json> plan_body(Cli& cli, const ImportOptions& o) {
  Json body = body_of(o);
  if (!o.names.empty()) {
    HOMEPORT_TRY(body["names"], read_names(cli, o.names));
  }
  if (o.map.empty()) return body;
  HOMEPORT_TRY(const auto text, read_text(cli, o.map));
  HOMEPORT_TRY(const auto lines, parse_home_map(text, source_name(o.map)));
  body["map"] = Json::array();
  for (const auto& line : lines) {
    if (!line.path.starts_with('/') && o.base.empty() && !o.from_array) {
      return usage_error(source_name(o.map) + ", line " + std::to_string(line.line) + ": the path '" +
                             printable(line.path, 60) + "' is relative",
                         "give --base, or write absolute paths");
    }
    Json item{{"user", line.user}, {"path", line.path}};
    if (line.uid != 0) item["uid"] = line.uid;
    if (line.gid != 0) item["gid"] = line.gid;
    if (!line.klass.empty()) item["class"] = line.klass;
    if (!line.quota.empty()) item["quota"] = Bytes::parse(line.quota).value().count();  // checked when it was read
    body["map"].push_back(std::move(item));
  }
  return body;
}

std::vector<RosterLine> lines_of(const Json& plan, const ImportOptions& o) {
  std::vector<RosterLine> lines;
  for (const auto& entry : items_at(plan, "entries")) {
    if (text_at(entry, "verdict") != "import") continue;
    const auto text = [&](const char* name) {
      const auto* found = member(entry, name);  // null: it has none
      return found != nullptr && found->is_string() ? found->get<std::string>() : std::string();
    };
    RosterLine line{
        .user = text("user"), .uid = entry.value("uid", std::uint32_t{0}), .gid = entry.value("gid", std::uint32_t{0})};
    line.klass = text("class");
    if (const auto* quota = member(entry, "quota_bytes"); quota != nullptr && quota->is_number())
      line.quota = std::to_string(quota->get<std::uint64_t>());
    line.path = text("path");
    line.backend = o.backend;
    line.measure = !o.no_measure;
    line.whole = o.from_array;
    lines.push_back(std::move(line));
  }
  return lines;
}

Result<Json> ask_plan(Cli& cli, const Json& body) {
  HOMEPORT_TRY(Api * api, cli.api());
  HOMEPORT_TRY(const auto target, in_realm(cli, Target("/v1/homes:plan-import")));
  return api->json({.method = "POST", .target = target, .body = body.dump(), .extra = kPlanTime});
}

// Said before anything is taken over: what becomes of the limits.
Json with_measure(Json plan, const ImportOptions& o) {
  plan["measure"] = !o.no_measure;
  return plan;
}

std::string kubernetes_view(const Json& plan, const Look& look, WallTime now) {
  return fleet_plan_view(plan, look, now) + left_out_view(plan, look);
}

Result<ExitCode> import_from_kubernetes(Cli& cli, const ImportOptions& o) {
  std::vector<std::string> names;
  if (!o.names.empty()) {
    HOMEPORT_TRY(names, read_names(cli, o.names));
  }
  auto options = o.kubernetes;
  options.from_array = o.from_array;
  HOMEPORT_TRY(const auto found, read_kubernetes(cli, options, o.backend, std::move(names)));
  Json body = body_of(o);
  body["map"] = Json::array();
  for (const auto& home : found.homes) body["map"].push_back({{"user", home.user}, {"path", home.path}});
  HOMEPORT_TRY(auto plan, ask_plan(cli, body));
  add_to_plan(found, plan);
  plan = with_measure(std::move(plan), o);
  const bool goes_on = found.to_patch.empty() && !o.mutation.dry_run;
  if (!goes_on) {
    cli.show(plan, kubernetes_view);
    if (!found.to_patch.empty()) return would_be_deleted(found);
    return ExitCode::ok;
  }
  if (cli.wants_table()) cli.print(kubernetes_view(plan, cli.look(), cli.now()) + "\n");
  const auto lines = lines_of(plan, o);
  return ensure_lines(cli, lines, {.file = {}, .failures = o.failures, .mutation = o.mutation, .done = "taken over"});
}

Result<ExitCode> import(Cli& cli, const ImportOptions& o) {
  if (o.copy.copy) return import_by_copy(cli, o);
  if (o.copy.any())
    return usage_error("--from, --source-name, --nfs-server, --nfs-port and --mount-port go with --copy", {});
  HOMEPORT_CHECK(check_options(o));
  if (!o.kubernetes.dump.empty()) return import_from_kubernetes(cli, o);
  HOMEPORT_TRY(const auto body, plan_body(cli, o));
  HOMEPORT_TRY(auto answer, ask_plan(cli, body));
  const auto plan = with_measure(std::move(answer), o);
  if (o.mutation.dry_run) {
    cli.show(plan, fleet_plan_view);
    return ExitCode::ok;
  }
  if (cli.wants_table()) cli.print(fleet_plan_view(plan, cli.look(), cli.now()) + "\n");
  const auto lines = lines_of(plan, o);
  return ensure_lines(cli, lines, {.file = {}, .failures = o.failures, .mutation = o.mutation, .done = "taken over"});
}

}  // namespace

void add_import_command(const Noun& noun) {
  const auto verb = add_verb<ImportOptions>(
      noun,
      {.name = "import",
       .description =
           "Take over homes that stand already, where they are: nothing is renamed, chowned or limited below its use. "
           "Where the backend does not tell what a home uses, it is counted afterwards by walking each home once, and "
           "until then there is no limit. "
           "--dry-run looks and changes nothing. What is imported is left out when the command is given again, so it "
           "goes on where it stopped.\n\n"
           "--match says where a home lies below the base and how the person's name is written there: {user} as it is, "
           "{escaped_user} (KubeSpawner's older and DockerSpawner's way), {legacy_escaped_user} (DockerSpawner before "
           "12), {safe_user} (KubeSpawner 7), {tljh_user}, and {hub}. --map names a CSV file with the columns "
           "user,path[,uid][,gid][,class][,quota] instead. --from-kubernetes reads the volumes and claims of a cluster "
           "(nfs, csi-driver-nfs, nfs-subdir-external-provisioner, pure-csi; others are named and left out); each "
           "belongs to whom the hub wrote on the claim. As long as Kubernetes would remove one of them with its claim, "
           "nothing is imported, and the commands that change it are printed.\n\n"
           "--from-array takes file systems of an array in the place of directories, made by hand or by Pure Service "
           "Orchestrator: --match is then of their names ('pso-{user}'), --map gives /NAME as the path, and "
           "--from-kubernetes says whose the volumes of PSO are. Each becomes a home of layout filesystem where it is, "
           "with the limit it has; its rules stay as they are, and those that let everybody in are named. What proves "
           "it later is its name and its immutable id: another file system of the same name is refused.\n\n"
           "--copy --from moves homes from this machine's disks, or from another backend, into new homes: content, "
           "owners, modes, times and links, each file read back and compared. Run it as root, on a machine that the "
           "export lets be root. The source is only read. Logins wait until a home is whole; killed or interrupted, "
           "the "
           "same command goes on. Two runs never work in one home: the second one says who has it, and since when; "
           "what a killed run had is free half a minute later. --map says whose each directory below --from is. A "
           "home of which something cannot be read stays withheld and is named, the others are copied, and the exit "
           "code is 21. Which source a copy comes from is known by a digest of this machine's /etc/machine-id, or by "
           "the server's address and the path; nothing goes on from another source. --source-name names it instead: "
           "for disks that moved to another machine, and for machines that were cloned with their id. Not copied: "
           "sockets, pipes, devices and other filesystems mounted in a home (each is named), ACLs and extended "
           "attributes. Hard links within a home are kept; where the server makes none, each name becomes a file of "
           "its own and what that costs is shown.",
       .example = "homeport home import --backend nas --base /home --match '{user}' --dry-run\n"
                  "homeport home import --backend nas --base /home --match 'jupyter-{tljh_user}'\n"
                  "homeport home import --backend nas --map users.csv --failures failed.csv\n"
                  "homeport home import --backend fb1 --from-array --match 'pso-{user}' --dry-run\n"
                  "homeport home import --backend nas --copy --from /home --dry-run\n"
                  "homeport home import --backend nas --copy --from old:/export/home\n"
                  "homeport home import --backend nas --copy --from /home --map users.csv\n"
                  "kubectl get pv,pvc -A -o yaml > dump.yaml\n"
                  "homeport home import --backend nas --from-kubernetes dump.yaml --dry-run",
       .takes_realm = true},
      import);
  auto& o = verb.options;
  add(verb.app, "--backend", o.backend, "BACKEND", "where the homes are")->required();
  add(verb.app, "--base", o.base, "/PATH", "the directory that holds them, as the server names it");
  add(verb.app, "--match", o.match, "PATTERN", "where a home lies below the base, for example {user}");
  verb.app->add_flag("--from-array", o.from_array, "homes are whole file systems of an array");
  add(verb.app, "--map", o.map, "FILE", "whose each home is, as CSV; - is standard input");
  add_kubernetes_options(verb.app, o.kubernetes);
  add_copy_options(verb.app, o.copy);
  add(verb.app, "--names", o.names, "FILE", "people's names, one a line, to recognise hashed names by");
  add(verb.app, "--class", o.klass, "CLASS", "class of the homes; the rules decide otherwise");
  add(verb.app, "--hub", o.hub, "HUB", "the hub the rules are asked for");
  verb.app->add_flag("--allow-similar", o.allow_similar, "names that look the same are different people");
  verb.app->add_option("--system-below", o.system_below, "directories of lower uids are no homes (1000)")
      ->type_name("UID");
  verb.app->add_flag(
      "--no-measure", o.no_measure,
      "do not count afterwards what each home uses; where the backend does not tell it, they get no limit");
  add(verb.app, "--failures", o.failures, "FILE", "write the homes that could not be taken over here, as a map again");
  add_dry_run(verb.app, o.mutation);
  add_wait(verb.app, o.mutation);
}

}  // namespace homeport::cli
