#include "provisioner/core/renames.h"

#include <set>
#include <utility>

#include "provisioner/base/fault_point.h"
#include "provisioner/core/markers.h"
#include "provisioner/core/space_work.h"

namespace homeport::core {

using store::AliasRecord;
using store::SpaceRecord;
using store::SpaceState;
using store::UserRecord;

namespace {

Result<UserPtr> person(const Catalog& catalog, std::string_view realm, std::string_view name) {
  if (auto user = catalog.person(realm, name)) return user;
  return Error{.code = Errc::not_found,
               .message = "nobody called '" + printable(name, 60) + "' is known",
               .hint = "`homeport user list` shows who is"};
}

Result<UserRecord> read_user(store::ReadTransaction& tx, const std::string& key) {
  HOMEPORT_TRY(auto user, store::get<UserRecord>(tx, key));
  if (user) return std::move(*user);
  return Error{.code = Errc::conflict, .message = key + " was changed meanwhile", .hint = "ask again"};
}

store::AuditEntry entry(const Caller& caller, const char* action, const std::string& subject, WallTime now,
                        const nlohmann::json& detail) {
  return {.at = now,
          .principal = caller.principal.id,
          .action = action,
          .subject = subject,
          .outcome = "ok",
          .detail = detail.dump()};
}

// A name that looks like one of the same person's names is no mistake.
Result<void> check_similar(const Catalog& catalog, const UserRecord& user, const Renames::Rename& rename) {
  const auto similar = catalog.similar_name(user.realm, rename.to.str());
  if (similar.empty() || rename.allow_similar) return {};
  if (const auto whose = catalog.user_by_name(user.realm, similar); whose && whose->key == user.key) return {};
  return Error{.code = Errc::already_exists,
               .message = "'" + printable(rename.to.str(), 60) + "' looks like '" + printable(similar, 60) +
                          "', who is somebody else",
               .hint = "use another name, or say that these are two people (--allow-similar)",
               .pointer = "/name"};
}

// Every name of the person but `keep` becomes a former one, or is given up.
Result<void> leave_names(store::WriteTransaction& tx, const std::string& user_key, const std::string& keep,
                         const std::string& freed, WallTime now) {
  HOMEPORT_TRY(auto aliases, store::list<AliasRecord>(tx, {.column = "user", .value = user_key}));
  for (auto& alias : aliases) {
    if (alias.name == keep) continue;
    if (alias.name == freed) {
      HOMEPORT_CHECK(tx.erase(store::Table::aliases, alias.key(), store::Expect::at(alias.revision)));
    } else if (!alias.former_since) {
      alias.former_since = now;
      HOMEPORT_CHECK(store::put(tx, alias));
    }
  }
  return {};
}

Result<void> show_name(store::WriteTransaction& tx, const UserRecord& user, const Renames::Rename& rename,
                       bool similar) {
  const auto key = user.realm + "/" + rename.to.str();
  HOMEPORT_TRY(auto alias, store::get<AliasRecord>(tx, key));
  if (alias && alias->user != user.key) {
    return Error{.code = Errc::already_exists,
                 .message = "'" + printable(rename.to.str(), 60) + "' is somebody else already",
                 .hint = "if both are one person, `homeport user merge` says so",
                 .pointer = "/name"};
  }
  if (!alias) alias = AliasRecord{.realm = user.realm, .name = rename.to.str(), .user = user.key};
  alias->former_since.reset();
  alias->similar_allowed = alias->similar_allowed || similar;
  return store::put(tx, *alias);
}

// What one may see, both may see; the wider access wins.
Result<void> move_grants(store::WriteTransaction& tx, const std::string& from, const std::string& to) {
  HOMEPORT_TRY(auto grants, store::list<store::GrantRecord>(tx));
  for (auto& grant : grants) {
    if (grant.subject_kind != "user" || grant.subject != from) continue;
    HOMEPORT_CHECK(tx.erase(store::Table::grants, grant.key(), store::Expect::at(grant.revision)));
    grant.subject = to;
    HOMEPORT_TRY(const auto present, store::get<store::GrantRecord>(tx, grant.key()));
    if (present && (present->access == "rw" || grant.access == "ro")) continue;
    grant.revision = present ? present->revision : 0;
    HOMEPORT_CHECK(store::put(tx, grant));
  }
  return {};
}

Result<void> check_not_merged(const UserRecord& user) {
  if (!user.merged_into) return {};
  return Error{.code = Errc::failed_precondition,
               .message = user.key + " was merged into " + *user.merged_into + " and stands for nobody any more",
               .hint = "name the person who is left"};
}

Error not_beside(const SpaceRecord& home, const UserRecord& into, const std::string& words) {
  return Error{.code = Errc::failed_precondition,
               .message = words + " belongs to uid " + std::to_string(home.uid) + ", and " +
                          (into.uid ? "uid " + std::to_string(*into.uid) : std::string("the other person")) +
                          " could not read it",
               .hint = "retire it (its data is kept), or copy its files into the other home first",
               .pointer = "/other_home"};
}

Result<void> check_beside(const Catalog& catalog, const SpaceRecord& home, const UserRecord& into) {
  const auto words = space_words(home, catalog);
  // In the trash it stays, and comes back beside; but it cannot be all that "beside" was asked for.
  if (home.state == SpaceState::retired && !home.name.empty()) return {};
  if (home.state != SpaceState::ready) {
    return Error{.code = Errc::failed_precondition,
                 .message = words + " is " + std::string(store::space_state_name(home.state)),
                 .hint = "wait until its work is done, or bring it back with `homeport home undelete`"};
  }
  const auto target = catalog.home(into.realm, into.key);
  const auto uid = target ? std::optional(target->uid) : into.uid;
  return uid == home.uid ? Result<void>{} : not_beside(home, into, words);
}

// What the home is called where it is one of several that came by merges.
std::string merged_name(const SpaceRecord& home, const std::string& name, const std::set<std::string>& taken) {
  std::string wanted = home.name;
  if (!wanted.starts_with(kMergedPrefix)) {
    wanted = std::string(kMergedPrefix) + name;
    if (!home.name.empty()) wanted.append("/").append(home.name);
  }
  return taken.contains(wanted) ? std::string(kMergedPrefix) + home.key : wanted;
}

Result<void> move_homes(store::WriteTransaction& tx, const std::string& from, const std::string& to,
                        const std::string& name) {
  HOMEPORT_TRY(const auto present, store::list<SpaceRecord>(tx, {.column = "owner", .value = to}));
  std::set<std::string> taken;
  for (const auto& space : present) {
    if (!space.label().empty()) taken.insert(space.name);
  }
  HOMEPORT_TRY(auto homes, store::list<SpaceRecord>(tx, {.column = "owner", .value = from}));
  for (auto& home : homes) {
    if (home.kind != SpaceKind::home || home.label().empty()) continue;
    HOMEPORT_TRY(const bool busy, work_is_open(tx, home.key));
    if (busy || (home.state != SpaceState::ready && home.state != SpaceState::retired)) {
      return Error{.code = Errc::conflict,
                   .message = "work is open on a home (" + home.key + "), or it was changed meanwhile",
                   .hint = "`homeport operation list` shows it; ask again when it is done"};
    }
    home.owner = to;
    home.name = merged_name(home, name, taken);
    taken.insert(home.name);
    HOMEPORT_CHECK(store::put(tx, home));
  }
  return {};
}

Result<void> move_names(store::WriteTransaction& tx, const std::string& from, const std::string& to, WallTime now) {
  HOMEPORT_TRY(auto aliases, store::list<AliasRecord>(tx, {.column = "user", .value = from}));
  for (auto& alias : aliases) {
    alias.user = to;
    if (!alias.former_since) alias.former_since = now;
    HOMEPORT_CHECK(store::put(tx, alias));
  }
  return {};
}

}  // namespace

Result<UserRecord> Renames::rename(const Caller& caller, std::string_view realm, std::string_view user,
                                   const Rename& rename) {
  HOMEPORT_TRY(const auto known, person(p_.catalog, realm, user));
  HOMEPORT_CHECK(check_similar(p_.catalog, *known, rename));
  const std::string old_name = UserKey::parse(user) ? std::string() : std::string(user);
  if (rename.free_old_name && (old_name.empty() || old_name == rename.to.str())) {
    return Error{.code = Errc::invalid_argument,
                 .message = "which name is to be given up is not said",
                 .hint = "name the person by that name, and give another new one",
                 .pointer = "/free_old_name"};
  }
  const auto similar = !p_.catalog.similar_name(known->realm, rename.to.str()).empty();
  UserRecord changed = *known;
  HOMEPORT_CHECK(p_.store.write("rename", [&](store::WriteTransaction& tx) -> Result<void> {
    HOMEPORT_TRY(changed, read_user(tx, known->key));
    // First what is left, so that the new name may look like the one that is given up.
    HOMEPORT_CHECK(leave_names(tx, changed.key, rename.to.str(), rename.free_old_name ? old_name : "", p_.clock.now()));
    HOMEPORT_CHECK(show_name(tx, changed, rename, similar));
    make_markers_due(changed);
    // Whoever has the freed name now is somebody new: that has been said with it.
    if (rename.free_old_name) {
      std::erase_if(changed.accounts, [&](const auto& account) { return account.name == old_name; });
      if (changed.recreated && changed.recreated->name == old_name) changed.recreated.reset();
    }
    HOMEPORT_CHECK(store::put(tx, changed));
    return tx.append_audit(
        entry(caller, "user.rename", changed.key, p_.clock.now(), {{"old_name_freed", rename.free_old_name}}));
  }));
  fault_point("user.rename.written");
  return changed;
}

struct Renames::Pair {
  UserPtr from;
  UserPtr survivor;
  std::vector<std::string> carried;  // keys of those who were merged into `from`
};

Result<Renames::Pair> Renames::pair_of(std::string_view realm, std::string_view user, std::string_view into) const {
  HOMEPORT_TRY(auto from, person(p_.catalog, realm, user));
  HOMEPORT_TRY(auto survivor, person(p_.catalog, realm, into));
  if (from->key == survivor->key) {
    return Error{.code = Errc::failed_precondition,
                 .message = printable(user, 60) + " and " + printable(into, 60) + " are one person already",
                 .hint = "`homeport user show " + survivor->key + "` shows the names"};
  }
  HOMEPORT_CHECK(check_not_merged(*from));
  HOMEPORT_CHECK(check_not_merged(*survivor));
  if (from->realm != survivor->realm) {
    return Error{.code = Errc::invalid_argument, .message = "the two are of different realms", .pointer = "/into"};
  }
  auto carried = merged_into(p_.catalog, from->key);
  return Pair{.from = std::move(from), .survivor = std::move(survivor), .carried = std::move(carried)};
}

// Before the names move: a refusal (one is in use, its rights do not allow it) then leaves two people as they were.
Result<std::vector<SpaceOutcome>> Renames::retire_all(const Caller& caller, const std::vector<SpacePtr>& homes) {
  for (const auto& home : homes) {
    if (home->state == SpaceState::ready) HOMEPORT_CHECK(homes_.may_retire(home->key));
  }
  std::vector<SpaceOutcome> out;
  for (const auto& home : homes) {
    if (home->state == SpaceState::retired) continue;
    auto retiring = homes_.retire(caller, home->key);
    if (!retiring && out.empty()) return std::move(retiring).error();
    if (!retiring) {
      auto error = std::move(retiring).error();
      error.message += " (" + std::to_string(out.size()) + " of the homes are being retired already)";
      error.hint += "; ask again to go on, or bring them back with `homeport home undelete`";
      return error;
    }
    out.push_back(std::move(retiring).value());
  }
  return out;
}

Result<UserRecord> Renames::write_merge(const Caller& caller, const Pair& pair, const std::string& name, bool beside) {
  const auto& from = pair.from;
  const auto& survivor = pair.survivor;
  const auto& carried = pair.carried;
  UserRecord left = *survivor;
  HOMEPORT_CHECK(p_.store.write("merge", [&](store::WriteTransaction& tx) -> Result<void> {
    HOMEPORT_TRY(auto old, read_user(tx, from->key));
    HOMEPORT_TRY(left, read_user(tx, survivor->key));
    HOMEPORT_CHECK(check_not_merged(old));
    HOMEPORT_CHECK(check_not_merged(left));
    // Whoever is merged into somebody changes that record: `carried` is all there are.
    if (old.revision != from->revision) {
      return Error{.code = Errc::conflict, .message = from->key + " was changed meanwhile", .hint = "ask again"};
    }
    HOMEPORT_CHECK(move_names(tx, from->key, survivor->key, p_.clock.now()));
    HOMEPORT_CHECK(move_grants(tx, from->key, survivor->key));
    if (beside) HOMEPORT_CHECK(move_homes(tx, from->key, survivor->key, name));
    for (const auto& key : carried) {
      HOMEPORT_TRY(auto earlier, read_user(tx, key));
      earlier.merged_into = survivor->key;
      HOMEPORT_CHECK(store::put(tx, earlier));
    }
    make_markers_due(left);
    old.merged_into = survivor->key;
    HOMEPORT_CHECK(store::put(tx, old));
    HOMEPORT_CHECK(store::put(tx, left));
    return tx.append_audit(
        entry(caller, "user.merge", from->key, p_.clock.now(),
              {{"into", survivor->key}, {"other_home", beside ? "beside" : "retire"}, {"carried", carried}}));
  }));
  return left;
}

Result<Renames::Merged> Renames::try_merge(const Caller& caller, const Pair& pair, const std::string& name,
                                           bool beside) {
  const auto homes = p_.catalog.homes_of(pair.from->key);
  std::vector<SpaceOutcome> retiring;
  if (beside) {
    for (const auto& home : homes) HOMEPORT_CHECK(check_beside(p_.catalog, *home, *pair.survivor));
  } else {
    HOMEPORT_TRY(retiring, retire_all(caller, homes));
  }
  HOMEPORT_TRY(auto left, write_merge(caller, pair, name, beside));
  fault_point("user.merge.written");
  return Merged{.user = std::move(left), .retiring = std::move(retiring)};
}

Result<Renames::Merged> Renames::merge(const Caller& caller, std::string_view realm, std::string_view user,
                                       std::string_view into, OtherHome other_home) {
  HOMEPORT_TRY(auto pair, pair_of(realm, user, into));
  const auto names = p_.catalog.names_of(pair.from->key);
  const auto name = !UserKey::parse(user) ? std::string(user) : names.empty() ? pair.from->key : names.front();
  constexpr int kRounds = 3;
  for (int round = 1;; ++round) {
    auto merged = try_merge(caller, pair, name, other_home == OtherHome::beside);
    if (merged || merged.error().code != Errc::conflict || round == kRounds) return merged;
    HOMEPORT_TRY(pair, pair_of(realm, pair.from->key, pair.survivor->key));
  }
}

std::string merged_target(const SpaceRecord& home) {
  const auto rest = std::string_view(home.name).substr(kMergedPrefix.size());
  const auto slash = rest.find('/');
  const auto name = rest.substr(0, slash);
  const auto server = slash == std::string_view::npos ? std::string_view() : rest.substr(slash + 1);
  std::string last = home.key;
  if (Slug::parse(name) && (server.empty() || Slug::parse(server)))
    last = std::string(name) + (server.empty() ? "" : "+") + std::string(server);
  return std::string(kMergedRoot) + "/" + last;
}

}  // namespace homeport::core
