#include "drivers/flashblade/sim/json.h"

namespace homeport::fbsim {
namespace {

template <class Each>
void each_part(std::string_view path, Each each) {
  for (;;) {
    const auto dot = path.find('.');
    each(path.substr(0, dot), dot == std::string_view::npos);
    if (dot == std::string_view::npos) return;
    path.remove_prefix(dot + 1);
  }
}

}  // namespace

Json reference(std::string_view name, std::string_view id, std::string_view type) {
  return Json{{"name", name}, {"id", id}, {"resource_type", type}};
}

Json null_reference() {
  return Json{{"name", nullptr}, {"id", nullptr}, {"resource_type", nullptr}};
}

bool is_set(const Json& reference) {
  const auto* id = find_path(reference, "id");
  return id != nullptr && id->is_string() && !id->get_ref<const std::string&>().empty();
}

const Json* find_path(const Json& document, std::string_view path) {
  const Json* at = &document;
  each_part(path, [&](std::string_view part, bool) {
    if (at == nullptr) return;
    if (!at->is_object()) {
      at = nullptr;
      return;
    }
    const auto found = at->find(part);
    at = found == at->end() ? nullptr : &*found;
  });
  return at;
}

void set_path(Json& document, std::string_view path, Json value) {
  Json* at = &document;
  each_part(path, [&](std::string_view part, bool last) {
    Json& member = (*at)[std::string(part)];
    if (last) {
      member = std::move(value);
    } else if (!member.is_object()) {
      member = Json::object();
    }
    at = &member;
  });
}

void erase_path(Json& document, std::string_view path) {
  Json* at = &document;
  each_part(path, [&](std::string_view part, bool last) {
    if (at == nullptr || !at->is_object()) return;
    const auto found = at->find(part);
    if (found == at->end()) {
      at = nullptr;
    } else if (last) {
      at->erase(found);
    } else {
      at = &*found;
    }
  });
}

std::string text_of(const Json& object, std::string_view path, std::string_view fallback) {
  const auto* found = find_path(object, path);
  return found != nullptr && found->is_string() ? found->get<std::string>() : std::string(fallback);
}

}  // namespace homeport::fbsim
