#include "provisioner/core/home_copies.h"

#include "provisioner/core/space_work.h"

namespace homeport::core {

using store::CopyClaimRecord;
using store::SpaceRecord;
using store::SpaceState;

namespace {

std::string copied_note(const std::string& from) {
  return "copied from " + from;
}

// The words may change with a host's name, the source stays. What an older Homeport began has words only.
bool same_source(const SpaceRecord& known, const HomeRequest::Copying& wanted) {
  if (known.copy_source && !wanted.source.empty()) return *known.copy_source == wanted.source;
  if (known.copying) return known.copying == wanted.from;
  return known.note == copied_note(wanted.from);
}

std::string source_words(const std::string& from, const std::string& source) {
  if (from.empty() || source.empty()) return from + source;
  return from + " (" + source + ")";
}

Result<void> check_ready(const SpaceRecord& space, const std::string& words, const char* hint) {
  if (space.state == SpaceState::ready) return {};
  return Error{.code = Errc::failed_precondition,
               .message = words + " is " + std::string(store::space_state_name(space.state)) + ", not ready",
               .hint = hint};
}

bool held_by_another(const SpaceRecord& space, const std::string& run, WallTime now) {
  return space.copy_claim && space.copy_claim->run != run && now < space.copy_claim->until;
}

Error held(const SpaceRecord& space, const std::string& words) {
  const auto& claim = *space.copy_claim;
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(claim.until - claim.renewed).count();
  return Error{.code = Errc::conflict,
               .message = words + " is being copied from " + space.copying.value_or("elsewhere") + " by " + claim.by +
                          " since " + format_time(claim.since),
               .hint = "wait for that run or stop it; " + std::to_string(seconds) + " s after its last word (" +
                       format_time(claim.renewed) + ") another one can go on"};
}

}  // namespace

Result<void> check_copy(const SpaceRecord& known, const std::string& words, const HomeRequest::Copying& wanted) {
  if (same_source(known, wanted)) return {};
  if (!known.copying && !known.copy_source) {
    return Error{.code = Errc::already_exists,
                 .message = words + " exists already",
                 .hint = "nothing is copied over a home that is in use; copy by hand what is missing in it",
                 .pointer = "/copying"};
  }
  const auto present = source_words(known.copying.value_or(""), known.copy_source.value_or(""));
  return Error{.code = Errc::already_exists,
               .message = words + (known.copying ? " is being copied from " : " was copied from ") + present +
                          ", not from " + source_words(wanted.from, wanted.source),
               .hint = known.copying
                           ? "go on from there, or retire and purge the home first; if both are the same "
                             "source, give both runs one --source-name"
                           : "nothing is copied over a home that is in use; copy by hand what is missing in it",
               .pointer = "/copying"};
}

Result<SpaceRecord> Homes::change_copy(
    const std::string& key, const char* what,
    const std::function<Result<bool>(store::WriteTransaction& tx, SpaceRecord& space)>& change) {
  HOMEPORT_TRY(auto done, resolve("", key));
  if (!done.copying) return done;
  HOMEPORT_CHECK(p_.store.write(what, [&](store::WriteTransaction& tx) -> Result<void> {
    HOMEPORT_TRY(auto space, store::get<SpaceRecord>(tx, key));
    if (!space) return Error{.code = Errc::not_found, .message = "there is no space " + key};
    done = *space;
    if (!space->copying) return {};
    HOMEPORT_TRY(const bool changed, change(tx, *space));
    if (changed) HOMEPORT_CHECK(store::put(tx, *space));
    done = *space;
    return {};
  }));
  return done;
}

Result<SpaceRecord> Homes::claim_copy(const Caller& caller, const std::string& key, const CopyRun& run) {
  if (run.run.empty()) {
    return Error{.code = Errc::invalid_argument,
                 .message = "a run without an id cannot have a home for itself",
                 .hint = "draw one and give it with every call",
                 .pointer = "/run"};
  }
  return change_copy(key, "claim-copy", [&](store::WriteTransaction& tx, SpaceRecord& space) -> Result<bool> {
    const auto words = space_words(space, p_.catalog);
    HOMEPORT_CHECK(check_ready(space, words, "files are copied into a home that is ready"));
    const auto now = p_.clock.now();
    if (held_by_another(space, run.run, now)) return held(space, words);
    const bool renewed = space.copy_claim && space.copy_claim->run == run.run;
    space.copy_claim = CopyClaimRecord{.run = run.run,
                                       .by = run.by.empty() ? caller.principal.id : run.by,
                                       .since = renewed ? space.copy_claim->since : now,
                                       .renewed = now,
                                       .until = now + p_.copy_claim};
    if (renewed) return true;
    HOMEPORT_CHECK(tx.append_audit(
        {.at = now, .principal = caller.principal.id, .action = "home.copying", .subject = key, .outcome = "ok"}));
    return true;
  });
}

Result<SpaceRecord> Homes::leave_copy(const Caller& /*caller*/, const std::string& key, const std::string& run) {
  return change_copy(key, "leave-copy", [&](store::WriteTransaction&, SpaceRecord& space) -> Result<bool> {
    const bool ours = space.copy_claim && space.copy_claim->run == run;
    if (ours) space.copy_claim.reset();
    return ours;
  });
}

Result<SpaceRecord> Homes::finish_copy(const Caller& caller, const std::string& key, const CopyEnd& end) {
  return change_copy(key, "copied", [&](store::WriteTransaction& tx, SpaceRecord& space) -> Result<bool> {
    const auto words = space_words(space, p_.catalog);
    HOMEPORT_CHECK(check_ready(space, words, "a copy is finished in a home that is ready"));
    if (held_by_another(space, end.run, p_.clock.now())) return held(space, words);
    space.note = copied_note(*space.copying);
    space.copying.reset();
    space.copy_claim.reset();
    if (end.bytes) {
      space.usage =
          store::UsageRecord{.bytes = *end.bytes, .files = end.files, .basis = "exact", .as_of = p_.clock.now()};
      if (space.quota_bytes) raise_above_use(space, "copied");
    }
    HOMEPORT_CHECK(tx.append_audit({.at = p_.clock.now(),
                                    .principal = caller.principal.id,
                                    .action = "home.copied",
                                    .subject = key,
                                    .outcome = "ok"}));
    return true;
  });
}

}  // namespace homeport::core
