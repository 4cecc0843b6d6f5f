// /array-connections and /targets.
#include <algorithm>

#include "drivers/flashblade/sim/family.h"
#include "drivers/flashblade/sim/replication.h"

namespace homeport::fbsim {
namespace {

constexpr std::string_view kType = "array-connections";
constexpr std::string_view kWhat = "Array connection";
const Fields kThrottle = {{"throttle.default_limit", Kind::number, 3},
                          {"throttle.window_limit", Kind::number, 3},
                          {"throttle.window.start", Kind::number, 3},
                          {"throttle.window.end", Kind::number, 3}};

Fields with_throttle(Fields fields) {
  fields.insert(fields.end(), kThrottle.begin(), kThrottle.end());
  return fields;
}

Json render(World& world, const Document& connection, int minor) {
  Json out = {{"id", connection.id}};
  out.update(connection.fields);
  refresh_references(world, out);
  if (minor < 3) out.erase("throttle");
  if (minor < 17) out.erase("type");
  if (minor < 17) out.erase("os");
  if (minor >= 17) out["context"] = world.array_reference();
  return out;
}

Or<Found<Document>> find(Call& call) {
  auto& table = call.world.table(kType);
  if (call.has("ids")) return select(call, table, kWhat, "-", "ids");
  return select(call, table, kWhat, "remote_names", "remote_ids");
}

Answer get(Call& call) {
  HOMEPORT_TRY(const auto found, find(call));
  return list_documents(call, call.world.table(kType), found, {},
                        [&](const Document& connection) { return render(call.world, connection, call.minor); });
}

// A key made here ends in the array's name, so that the other side knows it by that, as between real arrays.
constexpr std::string_view kNamed = ".";

std::string remote_name(World& world, const std::string& address, const std::string& key) {
  std::string name = "array-" + address;
  std::ranges::replace_if(
      name, [](char c) { return c == '.' || c == ':'; }, '-');
  if (const auto at = key.find(kNamed); at != std::string::npos && at + 1 < key.size()) name = key.substr(at + 1);
  return world.table(kType).by_name(name) == nullptr ? name : std::string();
}

Answer post(Call& call) {
  World& world = call.world;
  const auto address = text_of(call.body, "management_address");
  if (address.empty()) return Refusal{"Management address is required."};
  const auto key = text_of(call.body, "connection_key");
  if (key.empty()) return Refusal{"Connection key is required."};
  const auto name = remote_name(world, address, key);
  if (name.empty()) return world.exists(kWhat, address);
  const auto& remote =
      insert_document(world, "remote-arrays", name,
                      Json{{"os", "Purity//FB"}, {"version", world.settings.purity_version}, {"is_local", false}});
  Document connection;
  connection.id = remote.id;  // one connection for each remote: `remote_ids` and `ids` find the same
  connection.name = name;
  connection.fields = {
      {"status", "connected"},
      {"remote", Json{{"name", name}, {"id", remote.id}}},
      {"ca_certificate_group", null_reference()},
      {"os", "Purity//FB"},
      {"management_address", address},
      {"replication_addresses", Json::array({address})},
      {"encrypted", false},
      {"version", world.settings.purity_version},
      {"type", "async-replication"},
      {"throttle",
       {{"default_limit", nullptr}, {"window", {{"start", nullptr}, {"end", nullptr}}}, {"window_limit", nullptr}}}};
  Json body = call.body;
  body.erase("connection_key");
  merge_body(connection.fields, body);
  const auto& placed = world.table(kType).insert(std::move(connection));
  return std::optional(items_of(Json::array({render(world, placed, call.minor)})));
}

bool has_links(World& world, const Document& connection) {
  return std::ranges::any_of(world.table("file-system-replica-links").order(), [&](const auto& entry) {
    return text_of(entry.second->fields, "remote.id") == connection.id;
  });
}

Answer patch(Call& call) {
  HOMEPORT_TRY(const auto found, find(call));
  if (found.objects.empty()) return Refusal{"Remote names or ids query parameter is missing"};
  for (const auto* connection : found.objects) {
    const bool encrypts = call.body.value("encrypted", false) && !connection->fields.value("encrypted", false);
    if (encrypts && has_links(call.world, *connection)) {
      return Refusal{"Encryption cannot be enabled while replica links exist.", connection->name};
    }
  }
  Json items = Json::array();
  for (auto* connection : found.objects) {
    merge_body(connection->fields, call.body);
    items.push_back(render(call.world, *connection, call.minor));
  }
  return std::optional(items_of(std::move(items)));
}

Answer remove(Call& call) {
  HOMEPORT_TRY(const auto found, find(call));
  if (found.objects.empty()) return Refusal{"Remote names or ids query parameter is missing"};
  for (const auto* connection : found.objects) {
    if (has_links(call.world, *connection)) return Refusal{"Array connection has replica links.", connection->name};
  }
  for (auto* connection : found.objects) {
    if (auto* remote = call.world.table("remote-arrays").by_id(connection->id); remote != nullptr) {
      call.world.table("remote-arrays").erase(*remote);
    }
    call.world.table(kType).erase(*connection);
  }
  return std::optional<Json>();
}

// Of this array, for another one: short-lived, shown once.
Answer post_key(Call& call) {
  const auto now = call.world.now();
  return std::optional(
      items_of(Json::array({Json{{"connection_key", call.world.new_id() + std::string(kNamed) + call.world.array.name},
                                 {"created", now},
                                 {"expires", now + 3'600'000}}})));
}

Family targets() {
  Family family{.type = "targets", .what = "Target", .has_context = false};
  family.post_fields = {{"address", Kind::text}};
  family.patch_fields = {{"address", Kind::text}, {"name", Kind::text}};
  family.renames = true;
  family.defaults = [](World&) {
    return Json{{"address", nullptr},
                {"ca_certificate_group", null_reference()},
                {"status", "connected"},
                {"status_details", nullptr}};
  };
  family.on_create = [](Call&, Document& next) -> Or<void> {
    if (text_of(next.fields, "address").empty()) return Refusal{"Address is required.", next.name};
    return {};
  };
  return family;
}

}  // namespace

void add_connections(Operations& operations) {
  const Params remotes = {{"ids"}, {"remote_names"}, {"remote_ids"}};
  operations.add(std::string(kType), "GET", {0, remotes, {}, get});
  operations.add(std::string(kType), "POST",
                 {0,
                  {},
                  with_throttle({{"management_address", Kind::text},
                                 {"connection_key", Kind::text},
                                 {"replication_addresses", Kind::texts},
                                 {"encrypted", Kind::boolean}}),
                  post});
  operations.add(
      std::string(kType), "PATCH",
      {0, remotes,
       with_throttle(
           {{"management_address", Kind::text}, {"replication_addresses", Kind::texts}, {"encrypted", Kind::boolean}}),
       patch});
  operations.add(std::string(kType), "DELETE", {0, remotes, {}, remove});
  operations.add("array-connections/connection-key", "POST", {0, {}, {}, post_key});
  add_family(operations, Family{.type = "remote-arrays",
                                .what = "Remote array",
                                .get = 17,
                                .post = kNever,
                                .patch = kNever,
                                .remove = kNever,
                                .has_context = false});
  add_family(operations, targets());
}

}  // namespace homeport::fbsim
