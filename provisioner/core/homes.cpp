#include "provisioner/core/homes.h"

#include <utility>

#include "policies/select.h"
#include "provisioner/base/fault_point.h"
#include "provisioner/core/array_look.h"
#include "provisioner/core/home_copies.h"
#include "provisioner/core/home_place.h"
#include "provisioner/core/space_work.h"
#include "provisioner/render/quoting.h"

namespace homeport::core {

using store::SpaceRecord;
using store::SpaceState;

namespace {

Error precondition(std::string message, std::string hint) {
  return Error{.code = Errc::failed_precondition, .message = std::move(message), .hint = std::move(hint)};
}

Error limit_is_the_arrays() {
  return Error{.code = Errc::invalid_argument,
               .message = "a limit goes with a home that is made, not with a file system that stands: it keeps its own",
               .hint = "import it, allow it by `homeport home rights`, then `homeport home resize`",
               .pointer = "/quota"};
}

Result<void> check_ids(std::uint32_t uid, std::uint32_t gid) {
  if (uid == 0 || gid == 0) {
    return Error{.code = Errc::invalid_argument,
                 .message = std::string(uid == 0 ? "uid" : "gid") + " 0 is never given to a person",
                 .hint = "root could read and change every home; name the person's own uid and gid",
                 .pointer = uid == 0 ? "/uid" : "/gid"};
  }
  for (const auto id : {uid, gid}) {
    if (is_nobodys_id(id)) {
      return Error{.code = Errc::invalid_argument,
                   .message = "id " + std::to_string(id) + " means nobody and cannot own a home",
                   .hint = "name the person's own uid and gid"};
    }
  }
  return {};
}

Result<void> check_quota(const ClassSpec& klass, const std::optional<Bytes>& asked) {
  if (asked && klass.max_quota && *asked > *klass.max_quota) {
    return Error{.code = Errc::invalid_argument,
                 .message = "a quota of " + asked->to_string() + " is over class " + klass.name.str() +
                            "'s maximum of " + klass.max_quota->to_string(),
                 .hint = "ask for less, or raise max_quota of the class",
                 .pointer = "/quota"};
  }
  if (asked && asked->count() == 0) {
    return Error{.code = Errc::invalid_argument,
                 .message = "a quota of 0 would let nobody write",
                 .hint = "leave quota out for the class's default",
                 .pointer = "/quota"};
  }
  return {};
}

}  // namespace

struct Homes::Decision {
  UserPtr user;  // null: a new person
  ClassPtr klass;
  HomePlace place;
  Owner owner{Uid{0}, Gid{0}};
  bool assign = false;  // the owner is drawn from the range when the intent is written
  std::optional<Bytes> quota{};
};

namespace {

// For the rules: what the request says and what the sources say.
std::vector<std::string> all_groups(const HomeRequest& request) {
  auto groups = request.groups;
  if (request.person) groups.insert(groups.end(), request.person->groups.begin(), request.person->groups.end());
  return groups;
}

}  // namespace

// Sets owner and assign. The order: what the request names, what is pinned, what the sources say, the class's squash.
Result<void> Homes::decide_owner(const HomeRequest& request, Decision& d) const {
  const auto& name = request.user.str();
  const bool squash = d.klass->identity == render::IdentityMode::squash;
  const bool pinned = d.user && d.user->uid;
  const Person said = request.person.value_or(Person{});
  const auto uid = request.uid ? request.uid
                   : pinned    ? d.user->uid
                   : said.uid  ? said.uid
                   : squash    ? std::optional(d.klass->squash_uid)
                               : std::nullopt;
  d.assign = !uid && said.assign;
  if (d.assign) return {};
  const auto gid = request.gid             ? request.gid
                   : d.user && d.user->gid ? d.user->gid
                   : said.gid              ? said.gid
                   : squash                ? std::optional(d.klass->squash_gid)
                                           : uid;
  if (!uid) {
    return Error{.code = Errc::invalid_argument,
                 .message = "the uid of " + printable(name, 60) + " is not known",
                 .hint =
                     "name uid and gid with the request (they are remembered from then on), or let `identity:` in "
                     "the configuration find or assign them",
                 .pointer = "/uid"};
  }
  HOMEPORT_CHECK(check_ids(*uid, *gid));
  if (pinned && request.uid && *d.user->uid != *request.uid) {
    return not_the_pinned_uid(name, *d.user->uid, *request.uid, "/uid");
  }
  if (!squash && !pinned) HOMEPORT_CHECK(check_free_uid(request, *uid));
  d.owner = {Uid{squash ? d.klass->squash_uid : *uid}, Gid{squash ? d.klass->squash_gid : *gid}};
  return {};
}

// A new name with the uid of somebody known is most likely that person, renamed: an empty home beside the real one
// would be the wrong answer, and so would somebody else's.
Result<void> Homes::check_free_uid(const HomeRequest& request, std::uint32_t uid) const {
  const auto other = p_.catalog.user_with_uid(request.realm, uid);
  if (!other) return {};
  const auto names = p_.catalog.names_of(*other);
  const auto who = names.empty() ? *other : printable(names.front(), 60);
  const auto name = printable(request.user.str(), 60);
  Error error{.code = Errc::already_exists,
              .message = "uid " + std::to_string(uid) + " belongs to " + who + ": " + name +
                         " gets no home until an admin says whether this is the same person",
              .hint = "renamed: `homeport user rename " + render::shell_quote(who) + " " + render::shell_quote(name) +
                      "`; two people: give one of them another uid (with one uid they could read each other's homes)",
              .pointer = "/uid"};
  p_.people.note_held({.realm = request.realm, .user = request.user.str(), .uid = uid, .why = error.message});
  return error;
}

Result<Homes::Decision> Homes::decide(const HomeRequest& request) const {
  Decision d;
  const auto& name = request.user.str();
  d.user = p_.catalog.user_by_name(request.realm, name);
  if (!d.user && !request.allow_similar) {
    if (const auto similar = p_.catalog.similar_name(request.realm, name); !similar.empty()) {
      return Error{
          .code = Errc::already_exists,
          .message = "'" + printable(name, 60) + "' looks like '" + printable(similar, 60) + "', who is known already",
          .hint = "use the known name, or say that these are two people (--allow-similar)",
          .pointer = "/user"};
    }
  }
  std::string klass;
  if (request.klass) {
    klass = request.klass->str();
  } else {
    const auto rules = p_.catalog.rules();
    klass =
        policies::select(*rules, {.user = name, .groups = all_groups(request), .hub = request.hub}).klass.value_or("");
    if (klass.empty()) {
      return precondition("no rule gives " + printable(name, 60) + " a class",
                          "name a class, or add a rule that matches by user, group or hub (or everyone: true)");
    }
  }
  d.klass = p_.catalog.klass(klass);
  if (!d.klass) {
    return Error{.code = Errc::not_found,
                 .message = "there is no class '" + printable(klass, 60) + "'",
                 .hint = "`homeport class list` shows the classes",
                 .pointer = "/class"};
  }
  HOMEPORT_CHECK(decide_owner(request, d));
  HOMEPORT_CHECK(check_quota(*d.klass, request.quota));
  d.quota = request.quota ? request.quota : d.klass->default_quota;
  if (request.existing) {
    HOMEPORT_TRY(d.place.backend, p_.backends.get_serving(request.existing->backend.str()));
    HOMEPORT_CHECK(check_nobodys(p_.catalog, request.existing->backend.str(), request.existing->path));
    d.place.existing = request.existing->path;
    d.place.existing_layout = request.existing->layout;
    if (d.place.existing_layout == drivers::Layout::filesystem) {
      HOMEPORT_CHECK(inventory_of(*d.place.backend));
      if (request.quota) return limit_is_the_arrays();
    }
    return d;
  }
  if (request.copying && request.copying->backend != d.klass->backend) {
    return precondition("class " + d.klass->name.str() + " of " + printable(name, 60) + " puts homes on backend " +
                            d.klass->backend.str() + ", not on " + request.copying->backend.str(),
                        "name a class of that backend");
  }
  HOMEPORT_TRY(d.place, place_of_home(p_, *d.klass, request));
  if (request.copying && d.place.existing) {
    return precondition("class " + d.klass->name.str() + " takes over homes that stand already, at " +
                            d.place.existing->str() + " that of " + printable(name, 60) + "; a copy needs a new one",
                        "name a class without existing:, or import what stands there");
  }
  return d;
}

Result<SpaceOutcome> Homes::ensure(const Caller& caller, const HomeRequest& request) {
  return until_no_race([&] { return try_ensure(caller, request); });
}

Result<std::optional<SpaceOutcome>> Homes::known_home(const HomeRequest& request) const {
  const auto user = p_.catalog.user_by_name(request.realm, request.user.str());
  if (!user) return std::optional<SpaceOutcome>{};
  if (request.uid && user->uid && *request.uid != *user->uid) HOMEPORT_CHECK(decide(request));
  const auto known = p_.catalog.home(request.realm, user->key, request.server.str());
  if (!known) return std::optional<SpaceOutcome>{};
  const auto words = space_words(*known, p_.catalog);
  if (known->state != SpaceState::ready && known->state != SpaceState::creating) {
    return precondition(words + " is " + std::string(store::space_state_name(known->state)),
                        "`homeport home undelete` brings it back; after a purge a new one can be made");
  }
  if (request.existing && (known->path != request.existing->path.str() || !known->imported)) {
    return Error{.code = Errc::already_exists,
                 .message = words + " is " + (known->path.empty() ? "being made" : known->path) + " already",
                 .hint = "one person has one home; `homeport home release` forgets the present one",
                 .pointer = "/path"};
  }
  if (request.copying) HOMEPORT_CHECK(check_copy(*known, words, *request.copying));
  if (request.klass && request.klass->str() != known->klass) {
    return Error{.code = Errc::already_exists,
                 .message = words + " exists with class " + known->klass + ", not " + request.klass->str(),
                 .hint = "leave the class out to use the home as it is",
                 .pointer = "/class"};
  }
  if (request.quota && known->quota_bytes != request.quota->count() && !known->imported) {
    return Error{.code = Errc::already_exists,
                 .message = words + " exists with " +
                            (known->quota_bytes ? "a quota of " + Bytes{*known->quota_bytes}.to_string() : "no quota"),
                 .hint = "`homeport home resize` changes a quota",
                 .pointer = "/quota"};
  }
  const auto open = known->state == SpaceState::ready ? std::nullopt : p_.catalog.open_operation(known->key);
  return std::optional(SpaceOutcome{.space = *known, .operation = open});
}

Result<SpaceOutcome> Homes::try_ensure(const Caller& caller, const HomeRequest& request) {
  HOMEPORT_TRY(auto known, known_home(request));
  if (known) return std::move(*known);
  HOMEPORT_TRY(const auto d, decide(request));
  const auto now = p_.clock.now();
  store::UserRecord user =
      d.user ? *d.user
             : store::UserRecord{.key = UserKey::from_random(p_.ids.random64()).str(), .realm = request.realm};
  // Whether a number is needed is known when it was looked whether the home stands.
  const bool draws_later = d.assign && d.place.existing.has_value();
  const bool pins = !user.uid && d.klass->identity == render::IdentityMode::native && !draws_later;
  if (pins) {
    user.uid = d.owner.uid.value;
    user.gid = d.owner.gid.value;
    user.identity_source = d.assign                                            ? "assigned"
                           : request.person && !request.person->source.empty() ? request.person->source
                                                                               : "request";
  }
  if (!d.user && request.person) {
    user.gids = request.person->gids;
    user.groups = request.person->groups;
  }
  const auto& place = d.place;
  if (d.assign && place.existing && place.pool.empty()) {
    return Error{.code = Errc::failed_precondition,
                 .message = "nobody names the uid of " + printable(request.user.str(), 60) + ", and class " +
                            d.klass->name.str() + " takes over homes that stand: a number drawn now would own none",
                 .hint =
                     "let a source of identity.order before `assigned` name it, or `homeport home ensure` with the "
                     "uid that " +
                     place.existing->str() + " belongs to",
                 .pointer = "/uid"};
  }
  const auto key = SpaceKey::from_random(SpaceKind::home, p_.ids.random64());
  const bool import = place.existing && place.pool.empty();  // else a new one is made when nothing stands there
  SpaceRecord space{.key = key.str(),
                    .backend = place.backend->spec().name.str(),
                    .layout = import ? std::string(drivers::layout_name(place.existing_layout)) : d.klass->layout,
                    .pool = place.pool,
                    .backend_name = import ? place.existing->str() : p_.name_prefix + key.str()};
  if (import) {
    space.imported = true;
    space.rights = kImportedRights;
    space.path = place.existing->str();
  }
  space.realm = request.realm;
  space.owner = user.key;
  space.name = request.server.str();
  space.klass = d.klass->name.str();
  if (d.quota) space.quota_bytes = d.quota->count();
  space.uid = d.owner.uid.value;
  space.gid = d.owner.gid.value;
  space.mode = d.klass->home_mode;
  if (request.copying) {
    space.copying = request.copying->from;
    if (!request.copying->source.empty()) space.copy_source = request.copying->source;
  }
  space.created_at = now;
  const auto* kind = import ? "home.import" : place.existing ? "home.find-or-create" : "home.ensure";
  auto op = p_.operations.prepare(kind, space, caller,
                                  {{"backend_name", space.backend_name},
                                   {"pool", space.pool},
                                   {"layout", space.layout},
                                   {"uid", space.uid},
                                   {"gid", space.gid},
                                   {"quota_bytes", nullptr},
                                   {"class", space.klass}});
  if (d.quota) op.plan["quota_bytes"] = d.quota->count();
  if (place.existing) op.plan["path"] = place.existing->str();
  if (request.existing && !request.existing->measure) op.plan["measure"] = false;
  if (draws_later) op.plan["assign"] = true;
  if (!place.otherwise.message.empty())
    op.plan["otherwise"] = {{"message", place.otherwise.message}, {"hint", place.otherwise.hint}};

  SpaceOutcome outcome{.space = space};
  auto stored_op = op;
  const auto written = p_.store.write("intent", [&](store::WriteTransaction& tx) -> Result<void> {
    auto new_space = space;
    auto new_op = op;
    auto new_user = user;
    if (d.assign && !draws_later) {
      HOMEPORT_TRY(const auto owner, p_.people.take_assigned(tx, request.realm));
      new_user.uid = new_space.uid = owner.uid.value;
      new_user.gid = new_space.gid = owner.gid.value;
      new_op.plan["uid"] = new_space.uid;
      new_op.plan["gid"] = new_space.gid;
    }
    if (!place.existing) HOMEPORT_CHECK(count_new_home(tx, place.backend->spec(), space.quota_bytes, now));
    if (!d.user) {
      new_user.created_at = now;
      HOMEPORT_CHECK(store::put(tx, new_user, store::Expect::none()));
      store::AliasRecord alias{.realm = request.realm,
                               .name = request.user.str(),
                               .user = user.key,
                               .similar_allowed = request.allow_similar};
      HOMEPORT_CHECK(store::put(tx, alias, store::Expect::none()));
    } else if (pins) {
      HOMEPORT_CHECK(store::put(tx, new_user));
    }
    HOMEPORT_CHECK(store::put(tx, new_space, store::Expect::none()));
    HOMEPORT_CHECK(store::put(tx, new_op, store::Expect::none()));
    stored_op = new_op;
    outcome.space = new_space;
    return {};
  });
  if (!written) return written.error();
  fault_point(op.kind + ".intent_written");
  outcome.operation = op.id;
  outcome.created = true;
  p_.operations.start_new(stored_op);
  return outcome;
}

void Homes::preview_ensure(const Caller& caller, const HomeRequest& request,
                           std::function<void(Result<Preview>)> done) {
  Preview preview;
  const auto known = known_home(request);
  if (!known) return done(known.error());
  if (*known) {
    const auto& space = (*known)->space;
    preview.notes.push_back(space_words(space, p_.catalog) + " exists (" + space.key + ", " +
                            std::string(store::space_state_name(space.state)) + "); nothing would be done");
    return done(std::move(preview));
  }
  auto decided = decide(request);
  if (!decided) {
    done(std::move(decided).error());
    return;
  }
  const auto& d = *decided;
  preview.home = Preview::Home{.klass = d.klass->name.str(),
                               .backend = d.place.backend->spec().name.str(),
                               .pool = d.place.pool,
                               .owner = d.assign ? std::nullopt : std::optional(d.owner),
                               .quota = d.quota};
  if (request.existing) {
    preview.steps.push_back("take over " + request.existing->path.str() + " on backend " +
                            request.existing->backend.str() + " as the home of " + printable(request.user.str(), 60) +
                            ", class " + d.klass->name.str());
    preview.notes.push_back(
        "nothing is renamed, chowned or limited; the import is refused unless the directory belongs "
        "to uid " +
        std::to_string(d.owner.uid.value));
    done(std::move(preview));
    return;
  }
  // The real key is drawn when the home is made; this one only shows its shape.
  const auto key = SpaceKey::from_random(SpaceKind::home, 0);
  preview.steps.push_back("make a home of class " + d.klass->name.str() + " on backend " + d.klass->backend.str() +
                          ", pool " + d.place.pool);
  const SpaceRecord space{.key = key.str(),
                          .backend = d.klass->backend.str(),
                          .layout = d.klass->layout,
                          .pool = d.place.pool,
                          .backend_name = p_.name_prefix + key.str()};
  if (p_.operations.prepare("home.ensure", space, caller, nlohmann::json::object()).steps.size() > 1)
    preview.steps.push_back("make its PersistentVolume and claim in the cluster, before it is ready");
  if (d.assign) {
    const auto range = p_.people.policy().assigned.value_or(IdentityPolicy::Range{});
    preview.notes.push_back("the uid is the next free one from " + std::to_string(range.from) + " to " +
                            std::to_string(range.to) + "; the calls show 0 in its place");
  }
  preview.notes.push_back("the zeros in the key stand for digits drawn at random when it is done");
  const drivers::CreateSpec spec{
      .layout = drivers::layout_from_name(d.klass->layout).value_or(drivers::Layout::directory),
      .pool = d.place.pool,
      .key = key,
      .name = p_.name_prefix + key.str(),
      .owner = d.owner,
      .mode = d.klass->home_mode,
      .marker = {.key = key, .id = ""}};
  p_.backends.run<Preview>(
      d.place.backend, caller,
      [spec, preview, d, this](const OpContext& op) mutable -> Result<Preview> {
        auto& backend = *d.place.backend;
        HOMEPORT_TRY(auto found, preview_existing(op, d.place, p_.catalog, d.owner, d.klass->name.str()));
        if (found) return *std::move(found);
        if (d.place.existing)
          preview.notes.push_back("there is no directory " + d.place.existing->str() + " to take over");
        if (guards_place(*d.klass)) {
          HOMEPORT_CHECK(
              check_place_of_homes(op, backend, p_.catalog, *d.klass, d.place.pool, p_.name_prefix, p_.clock.mono()));
        }
        const DryRun dry(op);
        HOMEPORT_CHECK(backend.driver().create(dry.op(), spec));
        preview.calls = dry.calls();
        return preview;
      },
      std::move(done));
}

Result<SpaceRecord> Homes::get(std::string_view realm, std::string_view user, std::string_view server) const {
  if (SpaceKey::parse(user)) return resolve(realm, user);
  const auto person = p_.catalog.person(realm, user);
  const auto space = person ? p_.catalog.home(person->realm, person->key, server) : nullptr;
  if (space) return *space;
  const auto kept = person ? p_.catalog.kept_by_backend(person->key, server, p_.clock.now()) : nullptr;
  if (kept) {
    return Error{.code = Errc::not_found,
                 .message = "the home of " + printable(user, 60) + " (" + kept->key +
                            ") was purged; its backend itself keeps it until " + format_time(*kept->recoverable_until),
                 .hint = "`homeport home undelete " + kept->key + "` brings it back until then"};
  }
  return Error{.code = Errc::not_found,
               .message = person ? printable(user, 60) + " has no home" +
                                       (server.empty() ? std::string() : " for server '" + printable(server, 40) + "'")
                                 : "nobody called '" + printable(user, 60) + "' is known",
               .hint = "`homeport home list` shows the homes, `homeport home ensure` makes one"};
}

Result<SpaceRecord> Homes::resolve(std::string_view realm, std::string_view text) const {
  if (SpaceKey::parse(text)) {
    if (const auto space = p_.catalog.space(text)) return *space;
    return Error{.code = Errc::not_found,
                 .message = "there is no space " + std::string(text),
                 .hint = "`homeport space list` shows them"};
  }
  const auto slash = text.find('/');
  const auto kind = slash == std::string_view::npos ? std::nullopt : space_kind_from_name(text.substr(0, slash));
  if (!kind) {
    return Error{.code = Errc::invalid_argument,
                 .message = "'" + printable(text, 60) + "' does not name a space",
                 .hint = "write home/NAME, dataset/NAME, group/NAME, scratch/NAME or a key such as h-0123456789abcdef"};
  }
  const auto name = text.substr(slash + 1);
  if (*kind == SpaceKind::home) {
    const auto server = name.find('/');  // home/NAME/SERVER: no name of a person has a slash
    if (server == std::string_view::npos) return get(realm, name, "");
    return get(realm, name.substr(0, server), name.substr(server + 1));
  }
  if (const auto space = p_.catalog.space_by_label(text)) return *space;
  return Error{.code = Errc::not_found,
               .message = "there is no " + std::string(space_kind_name(*kind)) + " '" + printable(name, 60) + "'",
               .hint = "`homeport " + std::string(space_kind_name(*kind)) + " list` shows them"};
}

Result<store::UserRecord> Homes::set_uid(const Caller& caller, std::string_view realm, std::string_view user,
                                         std::uint32_t uid, std::uint32_t gid) {
  HOMEPORT_CHECK(check_ids(uid, gid));
  const auto person = p_.catalog.person(realm, user);
  if (!person) {
    return Error{.code = Errc::not_found,
                 .message = "nobody called '" + printable(user, 60) + "' is known",
                 .hint = "`homeport user list` shows who is"};
  }
  if (person->merged_into) {
    return precondition(person->key + " was merged into " + *person->merged_into + " and stands for nobody any more",
                        "name the person who is left");
  }
  if (const auto other = p_.catalog.user_with_uid(person->realm, uid); other && *other != person->key) {
    return Error{.code = Errc::already_exists,
                 .message = "uid " + std::to_string(uid) + " belongs to somebody else",
                 .hint = "two people with one uid could read each other's homes"};
  }
  store::UserRecord changed;
  HOMEPORT_CHECK(p_.store.write("set-uid", [&](store::WriteTransaction& tx) -> Result<void> {
    // As it is now: work of our own (markers, dormancy) changes the record too, and nobody should hear of that.
    HOMEPORT_TRY(auto now, store::get<store::UserRecord>(tx, person->key));
    if (!now || now->merged_into) {
      return Error{
          .code = Errc::conflict, .message = person->key + " was merged or forgotten meanwhile", .hint = "ask again"};
    }
    changed = *std::move(now);
    changed.uid = uid;
    changed.gid = gid;
    HOMEPORT_CHECK(store::put(tx, changed));
    return tx.append_audit({.at = p_.clock.now(),
                            .principal = caller.principal.id,
                            .action = "user.set-uid",
                            .subject = person->key,
                            .outcome = "ok",
                            .detail = nlohmann::json{{"uid", uid}, {"gid", gid}}.dump()});
  }));
  return changed;
}

}  // namespace homeport::core
