#include "drivers/identity/identity_config.h"

#include <algorithm>
#include <array>
#include <utility>

#include "drivers/identity/directory_text.h"
#include "drivers/identity/ldap_config.h"
#include "provisioner/config/yaml_document.h"

namespace homeport::drivers::identity {
namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

constexpr std::uint64_t kMaxId = 0xFFFFFFFEU;  // the last one means "no change" to chown(2)
constexpr std::uint32_t kNobody = 65534;
constexpr std::uint32_t kNoId16 = 65535;  // "no change" to systems with 16 bits

constexpr std::array<Origin, 5> kOrigins{Origin::request, Origin::written, Origin::nss, Origin::ldap, Origin::assigned};

bool named(const IdentitySettings& settings, Origin origin) {
  return std::find(settings.order.begin(), settings.order.end(), origin) != settings.order.end();
}

void read_order(DocReader& in, IdentitySettings& settings) {
  if (!in.has("order")) return;
  settings.order.clear();
  std::string known;
  for (const auto origin : kOrigins) known += (known.empty() ? "" : ", ") + std::string(origin_name(origin));
  for (const auto& word : in.texts("order")) {
    const auto* const at =
        std::find_if(kOrigins.begin(), kOrigins.end(), [&](Origin origin) { return origin_name(origin) == word; });
    if (at == kOrigins.end()) {
      in.problem("order", "'" + printable(word, 40) + "' is not known", "use some of: " + known);
    } else if (named(settings, *at)) {
      in.problem("order", "'" + word + "' is named twice");
    } else {
      settings.order.push_back(*at);
    }
  }
  if (settings.order.empty()) in.problem("order", "names nothing to ask", "use some of: " + known);
  if (named(settings, Origin::assigned) && settings.order.back() != Origin::assigned) {
    in.problem("order", "'assigned' always has an answer: what comes after it is never asked", "put it last");
  }
}

std::vector<std::uint32_t> read_gids(DocReader& in) {
  std::vector<std::uint32_t> gids;
  const auto* raw = in.raw("gids");
  if (raw == nullptr) return gids;
  if (!raw->is_array()) {
    in.problem("gids", "must be a list of numbers");
    return gids;
  }
  for (const auto& item : *raw) {
    if (item.is_number_unsigned() && item.get<std::uint64_t>() <= kMaxId) {
      gids.push_back(item.get<std::uint32_t>());
    } else {
      in.problem("gids", "must be a list of whole numbers from 0 to " + std::to_string(kMaxId));
      break;
    }
  }
  return gids;
}

core::Identity read_person(DocReader in, std::uint32_t system_below) {
  core::Identity person;
  if (const auto uid = in.optional_number("uid", 0, kMaxId)) person.uid = static_cast<std::uint32_t>(*uid);
  if (const auto gid = in.optional_number("gid", 0, kMaxId)) person.gid = static_cast<std::uint32_t>(*gid);
  if (person.uid && *person.uid < system_below) {
    in.problem("uid",
               std::to_string(*person.uid) + " is below identity.system_below (" + std::to_string(system_below) + ")",
               "uids of the system are refused: give another");
  }
  if (person.gid && !in.has("uid")) in.problem("gid", "has no meaning without 'uid'", "name both, or neither");
  person.gids = read_gids(in);
  std::erase_if(person.gids, [&](std::uint32_t gid) { return gid == person.gid; });
  sort_unique(person.gids);
  person.groups = in.texts("groups");
  for (const auto& group : person.groups) {
    if (const auto name = GroupName::parse(group); !name) in.problem("groups", name.error().message, name.error().hint);
  }
  sort_unique(person.groups);
  if (!in.has("uid") && !in.has("gids") && !in.has("groups"))
    in.problem("", "says nothing of this person", "give uid and gid, gids or groups");
  in.finish();
  return person;
}

// `people` reads a mapping of names; `values` is that mapping.
StaticPeople read_people(DocReader& people, const nlohmann::json& values, std::uint32_t system_below) {
  StaticPeople out;
  if (!values.is_object()) return out;  // reported by the reader
  std::map<std::uint32_t, std::string> owners;
  for (const auto& [name, value] : values.items()) {
    if (const auto user = UserName::parse(name); !user) people.problem(name, user.error().message, user.error().hint);
    auto person = read_person(DocReader(people.problems(), value, people.pointer_to(name)), system_below);
    if (person.uid) {
      if (const auto [at, is_new] = owners.emplace(*person.uid, name); !is_new) {
        people.problem(name, "has the uid " + std::to_string(*person.uid) + " of '" + printable(at->second) + "'",
                       "a uid belongs to one person");
      }
    }
    out.emplace(name, std::move(person));
  }
  return out;
}

void read_static(DocReader& in, IdentitySettings& settings) {
  if (const auto* raw = in.raw("static")) {
    DocReader people = in.object("static");
    settings.people.people = read_people(people, *raw, settings.system_below);
  }
  const auto file = in.parsed("static_file", &AbsolutePath::parse);
  if (!file) return;
  settings.people.file = file->str();
  if (const auto people = read_static_file(file->str(), settings.system_below); !people)
    in.problem("static_file", people.error().sentence(), people.error().hint);
}

void read_assigned(DocReader& in, IdentitySettings& settings) {
  if (!in.has("assigned")) return;
  DocReader range = in.object("assigned");
  AssignedRange assigned;
  const auto from = range.optional_number("from", 1, kMaxId);
  const auto to = range.optional_number("to", 1, kMaxId);
  if (!range.has("from")) range.missing("from");
  if (!range.has("to")) range.missing("to");
  if (const auto gid = range.optional_number("gid", 1, kMaxId)) assigned.gid = static_cast<std::uint32_t>(*gid);
  if (from && to) {
    assigned.from = static_cast<std::uint32_t>(*from);
    assigned.to = static_cast<std::uint32_t>(*to);
    if (assigned.from > assigned.to) range.problem("to", "is smaller than 'from'");
    if (assigned.from < settings.system_below) {
      range.problem("from", "is below identity.system_below (" + std::to_string(settings.system_below) + ")");
    }
    if (assigned.from <= kNoId16 && assigned.to >= kNobody) {
      range.problem("from", "the range holds 65534 (nobody) and 65535 (no uid at all to some systems)",
                    "begin above 65535, for example at 200000");
    }
  }
  range.finish();
  settings.assigned = assigned;
}

void read_cache(DocReader& in, CacheSettings& cache) {
  DocReader section = in.object("cache");
  read_duration(section, "ttl", 1s, 24h, cache.ttl);
  read_duration(section, "negative_ttl", 0s, 1h, cache.negative_ttl);
  read_duration(section, "stale", 0s, 24h * 30, cache.stale);
  cache.entries = section.number("entries", cache.entries, 1, 1'000'000);
  section.finish();
}

// What is set up is asked, and what is asked is set up.
void check_order(DocReader& in, const IdentitySettings& settings) {
  const auto must_be_named = [&](std::string_view key, Origin origin) {
    if (in.has(key) && !named(settings, origin)) {
      in.problem(key, "is set up, but 'order' does not name '" + std::string(origin_name(origin)) + "'",
                 "add it to identity.order, in the place where it is to be asked");
    }
  };
  must_be_named("static", Origin::written);
  must_be_named("static_file", Origin::written);
  must_be_named("nss", Origin::nss);
  must_be_named("ldap", Origin::ldap);
  must_be_named("assigned", Origin::assigned);
  const auto must_be_there = [&](Origin origin, bool there, std::string_view what) {
    if (named(settings, origin) && !there)
      in.problem("order", "names '" + std::string(origin_name(origin)) + "', but there is no " + std::string(what));
  };
  must_be_there(Origin::written, in.has("static") || in.has("static_file"), "identity.static or identity.static_file");
  must_be_there(Origin::ldap, in.has("ldap"), "identity.ldap");
  must_be_there(Origin::assigned, in.has("assigned"), "identity.assigned");
  if (in.has("cache") && !named(settings, Origin::nss) && !named(settings, Origin::ldap))
    in.problem("cache", "has nothing to keep: 'order' names neither 'nss' nor 'ldap'");
}

}  // namespace

std::string_view origin_name(Origin origin) {
  switch (origin) {
    case Origin::request: return "request";
    case Origin::written: return "static";
    case Origin::nss: return "nss";
    case Origin::ldap: return "ldap";
    case Origin::assigned: return "assigned";
  }
  return "request";
}

IdentitySettings identity_from_section(DocReader in) {
  IdentitySettings settings;
  read_order(in, settings);
  settings.system_below = static_cast<std::uint32_t>(in.number("system_below", settings.system_below, 1, kMaxId));
  read_static(in, settings);
  DocReader nss = in.object("nss");
  read_duration(nss, "timeout", 100ms, 1min, settings.nss.timeout);
  nss.finish();
  if (in.has("ldap")) settings.ldap = read_ldap_section(in.object("ldap"));
  read_assigned(in, settings);
  read_cache(in, settings.cache);
  check_order(in, settings);
  in.finish();
  return settings;
}

Result<StaticPeople> read_static_file(const std::string& file, std::uint32_t system_below) {
  HOMEPORT_TRY(const auto document, config::load_document(file));
  Problems problems(document);
  DocReader people = DocReader::root(problems);
  auto read = read_people(people, document.root, system_below);
  if (!problems.none()) return problems.to_error();
  return read;
}

}  // namespace homeport::drivers::identity
