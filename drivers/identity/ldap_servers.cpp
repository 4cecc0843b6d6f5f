#include "drivers/identity/ldap_servers.h"

#include <algorithm>
#include <utility>

#include "provisioner/base/log.h"

namespace homeport::drivers::identity {
namespace {

constexpr std::chrono::seconds kFirstPause{1};
// Firewalls forget connections without a word; a question on such a one would wait for its whole time.
constexpr std::chrono::seconds kMostIdle{60};
// A server that did not answer within less than this is not called down for it: the asker was in a hurry.
constexpr std::chrono::seconds kFairTime{1};

bool another_may_answer(Errc code) {
  return code == Errc::unavailable || code == Errc::timed_out;
}

}  // namespace

LdapServers::LdapServers(LdapServerSettings settings, ReadPassword read_password, const Clock& clock)
    : settings_(std::move(settings)),
      read_password_(std::move(read_password)),
      clock_(clock),
      servers_(settings_.urls.size()) {}

std::vector<std::size_t> LdapServers::candidates() {
  const auto now = clock_.mono();
  const std::lock_guard lock(mutex_);
  const bool one_is_well =
      std::any_of(servers_.begin(), servers_.end(), [](const Server& server) { return server.failures == 0; });
  std::vector<std::size_t> due;
  for (std::size_t i = 0; i < servers_.size(); ++i) {
    auto& server = servers_[i];
    if (server.failures > 0 && now < server.retry_at) continue;
    // This question tries it again; the others go on with one that is well.
    if (server.failures > 0 && one_is_well) server.retry_at = now + settings_.timeout;
    due.push_back(i);
  }
  return due;
}

std::unique_ptr<LdapConnection> LdapServers::take_idle(std::size_t server) {
  const auto now = clock_.mono();
  std::vector<Idle> too_old;  // closed outside the lock
  const std::lock_guard lock(mutex_);
  auto& idle = servers_[server].idle;
  while (!idle.empty()) {
    Idle last = std::move(idle.back());
    idle.pop_back();
    if (now - last.since < kMostIdle) return std::move(last.connection);
    too_old.push_back(std::move(last));
  }
  return nullptr;
}

void LdapServers::give_back(std::size_t server, std::unique_ptr<LdapConnection> connection) {
  if (!connection->usable()) return;
  const auto now = clock_.mono();
  const std::lock_guard lock(mutex_);
  auto& idle = servers_[server].idle;
  if (idle.size() < settings_.connections) idle.push_back({.connection = std::move(connection), .since = now});
}

void LdapServers::note_success(std::size_t server) {
  const std::lock_guard lock(mutex_);
  auto& state = servers_[server];
  if (state.failures > 0) log::info("ldap_server_back", {{"server", url(server)}});
  state.failures = 0;
  state.why.clear();
}

void LdapServers::note_failure(std::size_t server, const Error& why) {
  std::vector<Idle> dropped;
  const auto now = clock_.mono();
  const std::lock_guard lock(mutex_);
  auto& state = servers_[server];
  dropped.swap(state.idle);
  if (state.failures == 0) log::warning("ldap_server_down", {{"server", url(server)}, {"why", why.to_string()}});
  // Many questions may fail together: that is one failure.
  if (state.failures > 0 && now < state.retry_at && state.why == why.message) return;
  state.failures = std::min(state.failures + 1, 16U);
  const auto pause =
      std::min<std::chrono::milliseconds>(settings_.retry_after, kFirstPause * (1U << (state.failures - 1)));
  state.retry_at = now + pause;
  state.why = why.message;
}

Error LdapServers::nobody_answers() {
  const auto now = clock_.mono();
  const std::lock_guard lock(mutex_);
  std::string reasons;
  MonoTime soonest = MonoTime::max();
  for (const auto& server : servers_) {
    reasons += (reasons.empty() ? "" : "; ") + server.why;
    soonest = std::min(soonest, server.retry_at);
  }
  const auto wait = std::max(std::chrono::ceil<std::chrono::milliseconds>(soonest - now), std::chrono::milliseconds(0));
  return Error{.code = Errc::unavailable,
               .message = "no LDAP server can be asked: " + reasons,
               .hint = "look at the servers of identity.ldap.urls and at the way to them",
               .retry_after = wait};
}

Result<void> LdapServers::run(const OpContext& op, const Work& work) {
  const auto due = candidates();
  std::optional<Error> last;
  for (std::size_t i = 0; i < due.size(); ++i) {
    HOMEPORT_CHECK(still_wanted(op, clock_, "asking LDAP"));
    // What is left is shared, so that the second server is asked even when the first one hangs.
    const auto share = (op.deadline - clock_.mono()) / static_cast<MonoTime::rep>(due.size() - i);
    const auto mine = std::min<MonoTime::duration>(share, settings_.timeout);
    OpContext own = op;
    own.deadline = clock_.mono() + mine;
    auto done = attempt(own, due[i], work);
    if (done) {
      note_success(due[i]);
      return {};
    }
    if (!another_may_answer(done.error().code)) return done;
    if (done.error().code == Errc::unavailable || mine >= std::min<MonoTime::duration>(settings_.timeout, kFairTime))
      note_failure(due[i], done.error());
    last = std::move(done).error();
  }
  if (last && servers_.size() == 1) return std::move(*last);
  if (last && last->code == Errc::timed_out && clock_.mono() >= op.deadline) return std::move(*last);
  return nobody_answers();
}

Result<void> LdapServers::run_on(const OpContext& op, std::size_t server, const Work& work) {
  HOMEPORT_TRY(auto connection, connect(op, server));
  return work(*connection, op);
}

Result<void> LdapServers::attempt(const OpContext& op, std::size_t server, const Work& work) {
  if (auto connection = take_idle(server)) {
    auto done = work(*connection, op);
    const bool lost = !connection->usable() && !done && done.error().code == Errc::unavailable;
    give_back(server, std::move(connection));
    if (!lost) return done;
    // The server closed it while it lay idle, or went away: a new connection tells which.
  }
  HOMEPORT_TRY(auto connection, connect(op, server));
  auto done = work(*connection, op);
  give_back(server, std::move(connection));
  return done;
}

Result<std::unique_ptr<LdapConnection>> LdapServers::connect(const OpContext& op, std::size_t server) {
  OpContext own = op;
  own.deadline = std::min(op.deadline, clock_.mono() + settings_.connect_timeout);
  HOMEPORT_TRY(auto connection, LdapConnection::open(own, clock_, settings_.urls[server], settings_.tls));
  HOMEPORT_CHECK(bind(own, *connection));
  return connection;
}

Result<void> LdapServers::bind(const OpContext& op, LdapConnection& connection) {
  if (settings_.bind_dn.empty()) return connection.bind(op, "", nullptr);
  const auto password = read_password_();
  if (!password) {
    Error error = password.error();
    error.code = Errc::permission_denied;
    error.context.emplace_back("password for " + settings_.bind_dn);
    return error;
  }
  {
    const std::lock_guard lock(mutex_);
    if (refusal_ && refusal_->password.reveal() == password->reveal() && clock_.mono() < refusal_->until)
      return refusal_->error;
  }
  auto bound = connection.bind(op, settings_.bind_dn, &*password);
  const std::lock_guard lock(mutex_);
  if (bound) {
    refusal_.reset();
  } else if (bound.error().code == Errc::permission_denied) {
    refusal_.emplace(
        Refusal{.password = *password, .until = clock_.mono() + settings_.retry_after, .error = bound.error()});
  }
  return bound;
}

}  // namespace homeport::drivers::identity
