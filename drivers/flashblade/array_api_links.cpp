// ArrayApi, second part: links to copies on other arrays.
#include "drivers/flashblade/answers.h"

namespace homeport::drivers::flashblade {
namespace {

using nlohmann::json;

constexpr const char* kLinks = "file-system-replica-links";
constexpr const char* kLinkPolicies = "file-system-replica-links/policies";

std::vector<std::pair<std::string, std::string>> pair_of(const FileSystem& of, const std::string& remote) {
  return {{"local_file_system_names", of.name}, {"remote_names", remote}};
}

}  // namespace

Result<std::vector<ReplicaLinkItem>> ArrayApi::replica_links(const OpContext& op, const FileSystem& of) {
  std::vector<ReplicaLinkItem> out;
  std::optional<std::string> from;
  do {
    ApiCall call{.method = "GET", .endpoint = kLinks, .query = {{"local_file_system_names", of.name}}};
    if (from) call.query.emplace_back("continuation_token", *from);
    const auto body = session_.call(op, call);
    if (!body && body.error().code == Errc::not_found) return out;
    if (!body) return body.error();
    HOMEPORT_TRY(auto page, listing_of<ReplicaLinkItem>(*body, call.words(), &replica_link_from));
    for (auto& link : page.items) {
      if (link.name == of.name && (link.local_id.empty() || link.local_id == of.id)) out.push_back(std::move(link));
    }
    from = std::move(page.next);
  } while (from);
  return out;
}

Result<void> ArrayApi::make_replica_link(const OpContext& op, const FileSystem& of, const std::string& remote,
                                         const std::string& policy) {
  HOMEPORT_TRY(const auto version, session_.version(op));
  ApiCall call{.method = "POST",
               .endpoint = kLinks,
               .query = pair_of(of, remote),
               .body = json{{"policies", json::array({json{{"name", policy}}})}}};
  // Else the copy is open to everybody once it is promoted.
  if (version.has(since::kCopies)) call.query.emplace_back("remote_default_exports", "");
  const auto done = change(op, call);
  if (done) return {};
  const bool taken = done.error().code == Errc::already_exists;
  if (!taken && !done.error().maybe_applied) return done.error();
  HOMEPORT_TRY(const auto standing, replica_links(op, of));
  for (const auto& link : standing) {
    if (link.remote == remote) return attach_link_policy(op, of, remote, policy);
  }
  return done.error();
}

Result<void> ArrayApi::attach_link_policy(const OpContext& op, const FileSystem& of, const std::string& remote,
                                          const std::string& policy) {
  ApiCall call{.method = "POST", .endpoint = kLinkPolicies, .query = pair_of(of, remote)};
  call.query.emplace_back("policy_names", policy);
  const auto done = change(op, call);
  if (!done && done.error().code != Errc::already_exists) return done.error();
  return {};
}

Result<void> ArrayApi::detach_link_policy(const OpContext& op, const FileSystem& of, const std::string& remote,
                                          const std::string& policy) {
  ApiCall call{.method = "DELETE", .endpoint = kLinkPolicies, .query = pair_of(of, remote)};
  call.query.emplace_back("policy_names", policy);
  const auto done = change(op, call);
  if (!done && done.error().code != Errc::not_found) return done.error();
  return {};
}

}  // namespace homeport::drivers::flashblade
