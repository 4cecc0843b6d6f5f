// /file-systems/sessions, /open-files, /locks: who is using a file system. The REST side cannot see that; whoever tests
// says it through the control port ("open", "close").
#include <algorithm>

#include "drivers/flashblade/sim/clients.h"
#include "drivers/flashblade/sim/family.h"

namespace homeport::fbsim {
namespace {

constexpr std::string_view kSessions = "file-system-sessions";
constexpr std::string_view kFiles = "file-system-open-files";
constexpr std::string_view kLocks = "file-system-locks";

// What each query parameter compares with.
struct Selector {
  const char* param;
  const char* field;
};
using Selectors = std::vector<Selector>;

bool fits(Call& call, const Document& document, const Selectors& selectors) {
  return std::ranges::all_of(selectors, [&](const Selector& selector) {
    if (!call.has(selector.param)) return true;
    const auto wanted = call.list(selector.param);
    return std::ranges::find(wanted, text_of(document.fields, selector.field)) != wanted.end();
  });
}

std::size_t given(const Call& call, const Selectors& selectors) {
  return static_cast<std::size_t>(
      std::ranges::count_if(selectors, [&](const Selector& selector) { return call.has(selector.param); }));
}

Answer get(Call& call, std::string_view type, const Selectors& selectors) {
  auto& table = call.world.table(type);
  HOMEPORT_TRY(const auto found, select(call, table, "Object"));
  const auto wanted = [&](const Document& document) { return fits(call, document, selectors); };
  return list_documents(call, table, found, wanted, [&](const Document& document) {
    Json out = {{"name", document.name}, {"id", document.id}};
    if (type == kFiles) out.erase("name");
    if (type != kFiles) out.erase("id");
    out.update(document.fields);
    out.erase("#fs");
    refresh_references(call.world, out);
    if (call.minor >= 17) out["context"] = call.world.array_reference();
    return out;
  });
}

Answer remove(Call& call, std::string_view type, const Selectors& selectors) {
  auto& table = call.world.table(type);
  HOMEPORT_TRY(const auto found, select(call, table, "Object"));
  if (!found.selected && given(call, selectors) == 0) return Refusal{"A selector is required."};
  HOMEPORT_TRY(const bool disruptive, call.flag("disruptive"));
  if (type == kSessions && !found.selected && given(call, selectors) == 1 && !disruptive) {
    return Refusal{"Deleting by a single criterion requires disruptive=true."};
  }
  std::vector<Document*> gone = found.objects;
  for (const auto& [key, document] : table.order()) {
    if (!found.selected && fits(call, *document, selectors)) gone.push_back(document);
  }
  for (auto* document : gone) table.erase(*document);
  return std::optional<Json>();
}

void add(Operations& operations, const std::string& path, std::string_view type, int since, const Selectors& selectors,
         const Params& more) {
  Params params = more;
  for (const auto& selector : selectors) params.push_back({selector.param});
  operations.add(path, "GET", {since, params, {}, [=](Call& call) -> Answer {
                                 // The vendor's text makes it required here alone.
                                 if (type == kFiles && !call.has("protocols"))
                                   return Refusal{"protocols query parameter is missing"};
                                 return get(call, type, selectors);
                               }});
  params.insert(params.end(), {{"names"}, {"ids"}, {"disruptive"}});
  operations.add(path, "DELETE", {since, params, {}, [=](Call& call) { return remove(call, type, selectors); }});
}

Json address_of(const Json& order) {
  const auto name = text_of(order, "client");
  return {{"name", name}, {"id", nullptr}, {"resource_type", nullptr}};
}

}  // namespace

Or<void> open_by_client(World& world, const FileSystem& fs, const Json& order) {
  const auto client = text_of(order, "client");
  const auto protocol = text_of(order, "protocol", "nfs");
  if (client.empty() || (protocol != "nfs" && protocol != "smb"))
    return Refusal{"'client' and 'protocol' nfs or smb are needed"};
  const auto user = text_of(order, "user");
  const Json who = {{"name", user.empty() ? Json(nullptr) : Json(user)}, {"id", nullptr}};
  const auto source = reference(fs.name, fs.id, "file-systems");
  const auto session = std::to_string(++world.last_sequence);
  insert_document(world, kSessions, session,
                  Json{{"authentication", protocol == "nfs" ? "sys" : "ntlm"},
                       {"client", address_of(order)},
                       {"connection_time", 0},
                       {"idle_time", 0},
                       {"opens", 1},
                       {"port", 0},
                       {"protocol", protocol},
                       {"time", world.now()},
                       {"user", who},
                       {"#fs", fs.id}});
  const auto path = text_of(order, "path", "/");
  insert_document(world, kFiles, session,
                  Json{{"client", address_of(order)},
                       {"lock_count", order.value("lock", false) ? 1 : 0},
                       {"mode", "rw"},
                       {"path", path},
                       {"protocol", protocol},
                       {"session", Json{{"name", session}}},
                       {"source", source},
                       {"user", who},
                       {"#fs", fs.id}});
  if (!order.value("lock", false)) return {};
  insert_document(world, kLocks, session,
                  Json{{"access_type", "exclusive"},
                       {"client", address_of(order)},
                       {"created_at", world.now()},
                       {"inode", 1},
                       {"path", path},
                       {"protocol", protocol == "nfs" ? "NFSv4.1" : "SMB"},
                       {"range", {{"offset", 0}, {"length", 0}}},
                       {"source", source},
                       {"#fs", fs.id}});
  return {};
}

void close_by_clients(World& world, const FileSystem& fs) {
  for (const auto type : {kSessions, kFiles, kLocks}) {
    auto& table = world.table(type);
    std::vector<Document*> gone;
    for (const auto& [key, document] : table.order()) {
      if (text_of(document->fields, "#fs") == fs.id) gone.push_back(document);
    }
    for (auto* document : gone) table.erase(*document);
  }
}

void add_clients(Operations& operations) {
  add(operations, "file-systems/sessions", kSessions, 10,
      {{"client_names", "client.name"}, {"protocols", "protocol"}, {"user_names", "user.name"}}, {});
  add(operations, "file-systems/open-files", kFiles, 17,
      {{"client_names", "client.name"},
       {"paths", "path"},
       {"protocols", "protocol"},
       {"session_names", "session.name"},
       {"user_names", "user.name"}},
      {});
  add(operations, "file-systems/locks", kLocks, 8,
      {{"client_names", "client.name"}, {"file_system_names", "source.name"}, {"paths", "path"}}, {{"recursive", 10}});
}

void furnish_clients(World& world) {
  world.on_eradicate.push_back([&world](FileSystem& fs) { close_by_clients(world, fs); });
}

}  // namespace homeport::fbsim
