#include "provisioner/core/home_place.h"

#include <utility>

#include "provisioner/core/snapshot_limits.h"
#include "provisioner/core/space_work.h"

namespace homeport::core {
namespace {

Error precondition(std::string message, std::string hint) {
  return Error{.code = Errc::failed_precondition, .message = std::move(message), .hint = std::move(hint)};
}

std::string first_pool_of(const Backend& backend, const nlohmann::json& section) {
  for (const auto& pool : backend.health().pools) {
    if (pool.writable) return pool.name;
  }
  const auto pools = section.find("pools");
  if (pools != section.end() && pools->is_array() && !pools->empty()) return (*pools)[0].value("name", "");
  return {};
}

Result<std::string> pool_for_new_home(const Catalog& catalog, const Backend& backend, const ClassSpec& klass) {
  const std::string& name = backend.spec().name.str();
  if (backend.spec().mode == BackendMode::observe) {
    return precondition("backend " + name + " is in mode observe: no home is made there",
                        "set mode create or manage, or give this person another class");
  }
  if (const auto record = catalog.backend(name); record && record->drained) {
    return precondition(
        "backend " + name + " is drained: it takes no new homes",
        "`homeport backend undrain " + name + "`, or point class " + klass.name.str() + " to another backend");
  }
  auto pool = klass.pool.empty() ? first_pool_of(backend, backend.spec().section) : klass.pool;
  if (pool.empty()) {
    return precondition("backend " + name + " has no pool to make homes in", "name one under pools: of the backend");
  }
  return pool;
}

Error makes_none(const ClassSpec& klass) {
  const bool looks = klass.existing.has_value();
  return precondition("class " + klass.name.str() + " makes no new homes",
                      std::string(looks ? "make the directory on the server and give it to the person's uid"
                                        : "an admin takes homes over with `homeport home import`") +
                          ", or let class " + klass.name.str() + " say `create: true`");
}

}  // namespace

Result<HomePlace> place_of_home(const Homes::Parts& parts, const ClassSpec& klass, const HomeRequest& request) {
  HomePlace place;
  HOMEPORT_TRY(place.backend, parts.backends.get_serving(klass.backend.str()));
  // A further home of a person (of a named server) is none that stood before.
  if (klass.existing && request.server.str().empty()) {
    HOMEPORT_TRY(place.existing, klass.existing->path_of(request.user.str(), request.hub)
                                     .context("class " + klass.name.str() + ", existing: " + klass.existing->text()));
    HOMEPORT_CHECK(check_nobodys(parts.catalog, klass.backend.str(), *place.existing));
  }
  const bool makes = klass.create.value_or(!klass.existing);
  auto pool = makes ? pool_for_new_home(parts.catalog, *place.backend, klass) : makes_none(klass);
  if (pool) {
    if (auto room = check_snapshot_room(parts.catalog, *place.backend, klass, parts.clock.now()); !room)
      pool = std::move(room).error();
  }
  if (!pool && !place.existing) return std::move(pool).error();
  if (pool && guards_place(klass)) {
    if (auto strangers = noted_strangers(*place.backend, parts.catalog, klass, *pool, parts.clock.mono()))
      return *std::move(strangers);
  }
  if (pool) {
    place.pool = std::move(pool).value();
  } else {
    place.otherwise = std::move(pool).error();
  }
  return place;
}

Result<void> check_nobodys(const Catalog& catalog, const std::string& backend, const AbsolutePath& path) {
  const auto space = catalog.space_around(backend, path);
  if (!space) return {};
  const bool same = space->path == path.str();
  return Error{
      .code = Errc::already_exists,
      .message = path.str() + (same ? " is " : " overlaps ") + space_words(*space, catalog) +
                 (same ? "" : " (" + space->path + ")"),
      .hint = "two people on one directory could read each other's files; `homeport space show " + space->key + "`",
      .pointer = "/path"};
}

Result<std::optional<Preview>> preview_existing(const OpContext& op, const HomePlace& place, const Catalog& catalog,
                                                const Owner& owner, const std::string& class_name) {
  if (!place.existing) return std::optional<Preview>{};
  const auto& backend = place.backend->spec().name.str();
  const drivers::Lookup lookup{.pool = {}, .path = place.existing, .key = SpaceKey::from_random(SpaceKind::home, 0)};
  HOMEPORT_TRY(const auto found, place.backend->driver().find(op, lookup).context("import " + place.existing->str()));
  if (!found && !place.pool.empty()) return std::optional<Preview>{};
  if (!found) return no_such_home(*place.existing, backend, place.otherwise);
  HOMEPORT_CHECK(check_owner(*found, owner.uid, place.existing->str()));
  HOMEPORT_CHECK(check_nobodys(catalog, backend, *place.existing));
  Preview preview;
  preview.steps.push_back("take over " + place.existing->str() + " on backend " + backend + ", class " + class_name);
  preview.notes.push_back("it stands already and belongs to uid " + std::to_string(owner.uid.value) +
                          ": nothing is renamed, chowned or limited");
  return std::optional(std::move(preview));
}

}  // namespace homeport::core
