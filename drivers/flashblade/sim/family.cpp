#include "drivers/flashblade/sim/family.h"

#include <memory>

#include "drivers/flashblade/sim/file_system_changes.h"
#include "drivers/flashblade/sim/json_writer.h"

namespace homeport::fbsim {
namespace {

Answer get_all(const Family& family, Call& call) {
  auto& table = call.world.table(family.type);
  HOMEPORT_TRY(const auto found, select(call, table, family.what));
  return list_documents(call, table, found, {}, [&](const Document& document) {
    return render_document(call.world, family, document, call.minor);
  });
}

Or<Document> build(const Family& family, Call& call, const std::string& name) {
  Document document;
  document.id = call.world.new_id();
  document.name = name;
  if (family.defaults) document.fields = family.defaults(call.world);
  merge_body(document.fields, call.body);
  if (family.on_create) HOMEPORT_CHECK(family.on_create(call, document));
  return document;
}

Answer post(const Family& family, Call& call) {
  auto& table = call.world.table(family.type);
  const auto names = call.list("names");
  if (names.empty()) return Refusal{"Names query parameter is missing"};
  if (names.size() > 1) return Refusal{"Cannot process more than one name at a time"};
  if (table.by_name(names.front()) != nullptr) return call.world.exists(family.what, names.front());
  HOMEPORT_TRY(auto document, build(family, call, names.front()));
  const auto& placed = table.insert(std::move(document));
  return std::optional(items_of(Json::array({render_document(call.world, family, placed, call.minor)})));
}

Answer patch(const Family& family, Call& call) {
  auto& table = call.world.table(family.type);
  if (family.only_one && table.size() == 1 && !call.has("names") && !call.has("ids"))
    call.query["names"] = table.order().begin()->second->name;
  HOMEPORT_TRY(const auto chosen, select_some(call, table, family.what));
  const auto name = family.renames ? text_of(call.body, "name") : std::string();
  if (!name.empty() && (chosen.size() > 1 || (name != chosen.front()->name && table.by_name(name) != nullptr))) {
    return call.world.exists(family.what, name);
  }
  std::vector<Document> next;
  for (const auto* document : chosen) {
    next.push_back(*document);
    Json body = call.body;
    if (family.renames) body.erase("name");
    merge_body(next.back().fields, body);
    if (family.on_change) HOMEPORT_CHECK(family.on_change(call, next.back(), *document));
  }
  Json items = Json::array();
  for (std::size_t i = 0; i < chosen.size(); ++i) {
    chosen[i]->fields = std::move(next[i].fields);
    if (!name.empty()) table.rename(*chosen[i], name);
    items.push_back(render_document(call.world, family, *chosen[i], call.minor));
  }
  return std::optional(items_of(std::move(items)));
}

Answer remove(const Family& family, Call& call) {
  auto& table = call.world.table(family.type);
  HOMEPORT_TRY(const auto chosen, select_some(call, table, family.what));
  if (family.on_remove) {
    for (auto* document : chosen) HOMEPORT_CHECK(family.on_remove(call, *document));
  }
  for (auto* document : chosen) table.erase(*document);
  return std::optional<Json>();
}

}  // namespace

void refresh_references(const World& world, Json& item) {
  if (item.is_array()) {
    for (auto& element : item) refresh_references(world, element);
    return;
  }
  if (!item.is_object()) return;
  for (auto& [name, member] : item.items()) {
    if (member.is_structured()) refresh_references(world, member);
  }
  const auto type = text_of(item, "resource_type");
  const auto id = text_of(item, "id");
  if (type.empty() || id.empty() || !item.contains("name")) return;
  const auto current = world.reference_to(type, id);
  if (is_set(current)) item["name"] = current["name"];
}

Json render_document(World& world, const Family& family, const Document& document, int minor) {
  Json out = {{"name", document.name}, {"id", document.id}};
  out.update(document.fields);
  refresh_references(world, out);
  if (minor >= 17 && family.has_context && !out.contains("context")) out["context"] = world.array_reference();
  if (family.finish) family.finish(world, document, minor, out);
  for (const auto& newer : family.newer) {
    if (newer.since > minor) erase_path(out, newer.path);
  }
  return out;
}

Or<void> complete_reference(World& world, Json& fields, std::string_view path, std::string_view type,
                            std::string_view what) {
  const auto* given = find_path(fields, path);
  if (given == nullptr || given->is_null()) {
    set_path(fields, path, null_reference());
    return {};
  }
  HOMEPORT_TRY(const auto id, resolve(world, *given, type, what));
  set_path(fields, path, world.reference_to(type, id));
  return {};
}

void merge_body(Json& fields, const Json& body) {
  for (const auto& [name, value] : body.items()) {
    if (value.is_null()) continue;
    const bool is_reference = value.is_object() && (value.contains("name") || value.contains("id"));
    if (value.is_object() && !is_reference && fields.contains(name) && fields[name].is_object()) {
      merge_body(fields[name], value);
    } else {
      fields[name] = value;
    }
  }
}

Document& insert_document(World& world, std::string_view type, std::string name, Json fields) {
  Document document;
  document.id = world.new_id();
  document.name = std::move(name);
  document.fields = std::move(fields);
  return world.table(type).insert(std::move(document));
}

Answer list_documents(Call& call, const Table<Document>& table, const Found<Document>& found,
                      const std::function<bool(const Document&)>& wanted,
                      const std::function<Json(const Document&)>& render) {
  View<Document> view;
  view.wanted = wanted;
  view.write = [&](const Document& document, std::string& out) { JsonWriter(out).value(render(document)); };
  view.probe = [&](const Document& document) -> Probe {
    auto whole = std::make_shared<Json>(render(document));
    return [whole](const std::string& path) { return probe_json(*whole, path); };
  };
  return list_objects(call, table, found, view, call.world.settings.max_page);
}

void add_family(Operations& operations, const Family& family) {
  const auto shared = std::make_shared<const Family>(family);
  Params params = {{"names"}, {"ids"}};
  params.insert(params.end(), family.params.begin(), family.params.end());
  const auto bind = [&](Answer (*fn)(const Family&, Call&)) {
    return [shared, fn](Call& call) { return fn(*shared, call); };
  };
  operations.add(family.type, "GET", {family.get, family.get_params, {}, bind(get_all)});
  operations.add(family.type, "POST", {family.post, params, family.post_fields, bind(post)});
  operations.add(family.type, "PATCH", {family.patch, params, family.patch_fields, bind(patch)});
  operations.add(family.type, "DELETE", {family.remove, params, {}, bind(remove)});
}

}  // namespace homeport::fbsim
