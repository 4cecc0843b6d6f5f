// dataset import --from-array: file systems of an array, whoever made them, become datasets where they are.
#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "cli/commands/dataset_imports.h"
#include "cli/views_imports.h"
#include "provisioner/base/names.h"

namespace homeport::cli {
namespace {

constexpr std::chrono::milliseconds kListTime{60'000};

void refuse(Json& entry, const std::string& reason, const std::string& why) {
  entry["verdict"] = "refused";
  entry["reason"] = reason;
  entry["why"] = why;
}

Json entry_of(const Json& item, const std::string& backend) {
  const auto fs = item.value("name", "");
  std::string name = fs;
  std::ranges::transform(name, name.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  Json entry{{"dataset", name},
             {"backend", backend},
             {"file_system", fs},
             {"path", item["path"]},
             {"limit_bytes", item["limit_bytes"]},
             {"used_bytes", item["used_bytes"]},
             {"verdict", "import"},
             {"reason", nullptr},
             {"why", nullptr},
             {"remarks", item["remarks"]}};
  if (member(item, "replaced") != nullptr) {
    refuse(entry, "replaced", text_at(item, "replaced") + "; if that is right, release the space and import it again");
  } else if (member(item, "space_name") != nullptr) {
    entry["verdict"] = "known";
    entry["dataset"] = item["space_name"];
  } else if (member(item, "space") != nullptr) {
    refuse(entry, "overlaps", "it is space " + text_at(item, "space") + " already");
  } else if (member(item, "reason") != nullptr) {
    refuse(entry, text_at(item, "reason"), text_at(item, "why"));
  } else if (!Slug::parse(name)) {
    refuse(entry, "odd-name",
           "no dataset can have its name; give one: homeport dataset import NAME --backend " + backend +
               " --from-array --match '" + printable(fs, 80) + "'");
  }
  return entry;
}

// Two file systems whose names differ in upper and lower case alone.
void refuse_doubles(Json& entries) {
  std::map<std::string, int> names;
  for (const auto& entry : entries) ++names[entry.value("dataset", "")];
  for (auto& entry : entries) {
    if (text_at(entry, "verdict") == "import" && names[entry.value("dataset", "")] > 1)
      refuse(entry, "two-to-one", "another file system here would get the same name; import them one by one");
  }
}

Error nothing_fits(const std::string& backend, const std::string& match) {
  return Error{
      .code = Errc::not_found,
      .message = "backend " + backend + " has no file system '" + printable(match, 80) + "'",
      .hint = "`homeport dataset import --backend " + backend + " --from-array --match '*' --dry-run` shows all"};
}

// NAME was given: exactly one file system.
Result<ExitCode> import_one(Cli& cli, const DatasetImportOptions& o, const std::string& backend) {
  const auto match = o.match.empty() ? o.name : o.match;
  HOMEPORT_TRY(const auto found, file_systems_of(cli, backend, match));
  std::string fitting;
  const Json* one = nullptr;
  std::size_t count = 0;
  for (const auto& item : items_at(found, "items")) {
    if (flag_at(item, "own") && item.value("name", "") != match) continue;
    one = &item;
    if (++count <= 5) fitting += (fitting.empty() ? "" : ", ") + printable(item.value("name", ""), 60);
  }
  if (one == nullptr) return nothing_fits(backend, match);
  if (count > 1) {
    return Error{.code = Errc::invalid_argument,
                 .message = std::to_string(count) + " file systems fit '" + printable(match, 60) + "': " + fitting +
                            (count > 5 ? ", …" : "") + "; one name is for one of them",
                 .hint = "make --match exact, or leave the name out: each is then called as its file system"};
  }
  const auto entry = entry_of(*one, backend);
  const auto reason = text_at(entry, "reason");
  if (text_at(entry, "verdict") == "refused" && reason != "odd-name") {
    return Error{
        .code = Errc::failed_precondition,
        .message = "file system " + text_at(entry, "file_system") + " cannot be a dataset: " + text_at(entry, "why")};
  }
  HOMEPORT_TRY(
      const auto outcome,
      import_dataset(cli, {.name = o.name, .backend = backend, .path = text_at(*one, "path"), .whole = true}, o));
  return show_imported(cli, outcome);
}

void take_error(Json& entry, const Error& error) {
  refuse(entry, std::string(errc_name(error.code)), error.sentence() + (error.hint.empty() ? "" : "; " + error.hint));
}

}  // namespace

Result<Json> file_systems_of(Cli& cli, const std::string& backend, const std::string& match) {
  HOMEPORT_TRY(Api * api, cli.api());
  auto target = Target("/v1/backends").part(backend).literal("file-systems");
  target.query_if("match", match).query("wait", std::to_string(kListTime.count() / 1000));
  return api->json({.method = "GET", .target = std::move(target), .extra = kListTime});
}

Result<ExitCode> import_from_array(Cli& cli, const DatasetImportOptions& o) {
  HOMEPORT_TRY(const auto backend, slug(o.backend));
  if (!o.name.empty()) return import_one(cli, o, backend);
  if (o.match.empty()) {
    return Error{.code = Errc::invalid_argument,
                 .message = "neither a name nor --match says which file systems",
                 .hint = "homeport dataset import --backend " + backend + " --from-array --match 'data-*' --dry-run"};
  }
  HOMEPORT_TRY(const auto found, file_systems_of(cli, backend, o.match));
  Json plan{{"datasets", Json::array()}};
  for (const auto& item : items_at(found, "items")) {
    if (!flag_at(item, "own")) plan["datasets"].push_back(entry_of(item, backend));
  }
  if (plan["datasets"].empty()) return nothing_fits(backend, o.match);
  refuse_doubles(plan["datasets"]);
  for (auto& entry : plan["datasets"]) entry["whole"] = true;
  return carry_out(cli, std::move(plan), o);
}

Result<ExitCode> carry_out(Cli& cli, Json plan, const DatasetImportOptions& o) {
  std::optional<Error> first;
  std::size_t done = 0;
  for (auto& entry : plan["datasets"]) {
    if (text_at(entry, "verdict") != "import") continue;
    auto outcome = import_dataset(cli,
                                  {.name = entry.value("dataset", ""),
                                   .backend = entry.value("backend", ""),
                                   .path = entry.value("path", ""),
                                   .whole = entry.value("whole", false)},
                                  o);
    if (!outcome) {
      if (outcome.error().code == Errc::unavailable || outcome.error().code == Errc::unauthenticated ||
          outcome.error().code == Errc::forbidden)
        return outcome.error();
      take_error(entry, outcome.error());
      if (!first) first = outcome.error();
      continue;
    }
    ++done;
    if (outcome->kind == Outcome::Kind::dry_run) {
      for (const auto& warning : items_at(outcome->body, "preview.warnings")) {
        if (std::ranges::find(entry["remarks"], warning) == entry["remarks"].end()) entry["remarks"].push_back(warning);
      }
    } else {
      entry["verdict"] = outcome->kind == Outcome::Kind::done ? "imported" : "pending";
    }
  }
  for (auto& entry : plan["datasets"]) entry.erase("whole");
  cli.show(plan, datasets_plan_view);
  if (!first) return ExitCode::ok;
  return done > 0 ? ExitCode::partial : exit_code(first->code);
}

}  // namespace homeport::cli
