#include <algorithm>
#include <nlohmann/json.hpp>

#include "cli/commands/registry.h"
#include "cli/views.h"

namespace homeport::cli {
namespace {

struct ListOptions {
  std::uint64_t after = 0;
  std::size_t last = 50;
  std::string subject{};
};

// All rows behind `after`, of which the newest `last` are kept.
Result<Json> rows(Cli& cli, std::uint64_t after, const std::string& subject, std::size_t last) {
  HOMEPORT_TRY(Api * api, cli.api());
  Target target("/v1/audit");
  target.query("limit", "1000").query_if("subject", subject);
  if (after > 0) target.query("after", std::to_string(after));
  HOMEPORT_TRY(auto all, api->list(target));
  if (auto& items = all["items"]; items.is_array() && items.size() > last) {
    items.erase(items.begin(), items.end() - static_cast<std::ptrdiff_t>(last));
  }
  return all;
}

Result<ExitCode> list(Cli& cli, const ListOptions& o) {
  std::string subject = o.subject;
  if (subject.find('/') != std::string::npos) {
    HOMEPORT_TRY(subject, space_key(cli, subject));
  }
  HOMEPORT_TRY(const auto found, rows(cli, o.after, subject, o.last));
  cli.show(found, audit_view);
  return ExitCode::ok;
}

Result<ExitCode> verify(Cli& cli, const NoOptions&) {
  HOMEPORT_TRY(Api * api, cli.api());
  HOMEPORT_TRY(const auto check,
               api->json({.method = "GET", .target = Target("/v1/audit/verify"), .extra = std::chrono::minutes(5)}));
  const bool well = flag_at(check, "ok");
  cli.show(check, [well](const Json& c, const Look& look, WallTime) {
    if (well) return "The chain of " + text_at(c, "rows") + " rows is whole.\n";
    return painted("The chain is broken", Tone::bad, look.color) + " at row " + text_at(c, "first_bad") + ": " +
           safe_text(text_at(c, "detail")) + "\n";
  });
  return well ? ExitCode::ok : ExitCode::failed_precondition;
}

// Who did something with a space: one line per principal, the newest last.
std::string who_view(const Json& list, const Look& look, WallTime now) {
  struct Person {
    std::string name;
    std::size_t times = 0;
    std::vector<std::string> actions{};
    std::string last{};
  };
  std::vector<Person> people;
  for (const auto& row : items_at(list, "items")) {
    const std::string name = text_at(row, "principal");
    auto found = std::ranges::find(people, name, &Person::name);
    if (found == people.end()) found = people.insert(found, Person{.name = name});
    ++found->times;
    found->last = text_at(row, "at");
    const std::string action =
        text_at(row, "action") + (text_at(row, "outcome") == "ok" ? "" : " (" + text_at(row, "outcome") + ")");
    if (std::ranges::find(found->actions, action) == found->actions.end()) found->actions.push_back(action);
  }
  std::ranges::stable_sort(people, {}, &Person::last);
  Table table(
      {{"WHO", Align::left, true}, {"TIMES", Align::right}, {"LAST", Align::right}, {"DID", Align::left, true}});
  for (const auto& person : people) {
    std::string did;
    for (const auto& action : person.actions) did += (did.empty() ? "" : ", ") + action;
    table.add({{person.name}, {std::to_string(person.times)}, {human_age(person.last, now)}, {did}});
  }
  return table.empty() ? "Nobody did anything with it.\n" : table.text(look);
}

Result<ExitCode> who(Cli& cli, const NameOption& o) {
  HOMEPORT_TRY(const auto key, space_key(cli, o.name));
  HOMEPORT_TRY(const auto found, rows(cli, 0, key, std::string::npos));
  cli.show(found, who_view);
  return ExitCode::ok;
}

}  // namespace

void add_audit_commands(const Noun& noun) {
  const auto listing = add_verb<ListOptions>(noun,
                                             {.name = "list",
                                              .description = "List the audit trail, the newest row last.",
                                              .example = "homeport audit list --subject home/alice",
                                              .takes_realm = true},
                                             list);
  add(listing.app, "--subject", listing.options.subject, "SUBJECT", "only rows about this space or key");
  listing.app->add_option("--after", listing.options.after, "only rows behind this sequence number")->type_name("SEQ");
  listing.app->add_option("--last", listing.options.last, "at most so many rows, the newest (50)")->type_name("N");
  add_verb<NoOptions>(
      noun,
      {.name = "verify",
       .description = "Check that no row of the audit trail was changed or taken out. Ends with code 6 when one was.",
       .example = "homeport audit verify"},
      verify);
  const auto asking = add_verb<NameOption>(noun,
                                           {.name = "who",
                                            .description = "Tell who did what with a space.",
                                            .example = "homeport audit who home/alice",
                                            .takes_realm = true},
                                           who);
  add(asking.app, "space", asking.options.name, "SPACE", "home/NAME, dataset/NAME, group/NAME, scratch/NAME or a key")
      ->required();
}

}  // namespace homeport::cli
