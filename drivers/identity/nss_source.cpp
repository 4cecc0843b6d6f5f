#include "drivers/identity/nss_source.h"

#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>
#include <vector>

#include "drivers/identity/directory_text.h"

namespace homeport::drivers::identity {
namespace {

constexpr std::size_t kFirstBuffer = 1024;
// A group's entry holds the names of all its members: 100,000 of them fit.
constexpr std::size_t kLargestBuffer = std::size_t{16} << 20U;
constexpr std::size_t kMostGroups = 65'536;  // NGROUPS_MAX of Linux

Error unavailable(const std::string& what, int error) {
  return Error{
      .code = Errc::unavailable,
      .message = "this host's user database cannot be asked: " + what + ": " + std::generic_category().message(error),
      .hint = "look at the services that nsswitch.conf names, for example sssd",
      .upstream = Upstream{.system = "nss", .status = error}};
}

// Calls get(buffer, size, &result) with growing buffers. nullptr in the end: there is no such entry.
template <class Entry, class Get>
Result<const Entry*> with_room(std::vector<char>& buffer, const std::string& what, Get get) {
  for (buffer.resize(kFirstBuffer);;) {
    Entry* found = nullptr;
    const int error = get(buffer, &found);
    if (error == EINTR) continue;
    if (error == 0) return static_cast<const Entry*>(found);
    if (error != ERANGE || buffer.size() >= kLargestBuffer) return unavailable(what, error);
    buffer.resize(buffer.size() * 4);
  }
}

Result<std::vector<gid_t>> groups_of(const std::string& user, gid_t primary) {
  std::vector<gid_t> gids(64);
  while (true) {
    int count = static_cast<int>(gids.size());
    if (::getgrouplist(user.c_str(), primary, gids.data(), &count) >= 0) {
      gids.resize(static_cast<std::size_t>(count));
      return gids;
    }
    if (gids.size() >= kMostGroups) return unavailable("more than 65536 groups of " + printable(user), E2BIG);
    // The C library says how many there are; another may have come since.
    gids.resize(std::min(kMostGroups, std::max(static_cast<std::size_t>(count), gids.size()) * 2));
  }
}

Result<std::optional<std::string>> group_name(gid_t gid) {
  std::vector<char> buffer;
  group entry{};
  const auto get = [&](std::vector<char>& room, group** found) {
    return ::getgrgid_r(gid, &entry, room.data(), room.size(), found);
  };
  HOMEPORT_TRY(const group* found, with_room<group>(buffer, "group " + std::to_string(gid), get));
  if (found == nullptr) return std::optional<std::string>();
  return usable_group_name(found->gr_name);
}

}  // namespace

Result<std::optional<core::Identity>> NssSource::find(const OpContext&, const UserName& user) {
  std::vector<char> buffer;
  passwd entry{};
  const auto get = [&](std::vector<char>& room, passwd** found) {
    return ::getpwnam_r(user.str().c_str(), &entry, room.data(), room.size(), found);
  };
  HOMEPORT_TRY(const passwd* found, with_room<passwd>(buffer, "user " + printable(user.str()), get));
  if (found == nullptr) return std::optional<core::Identity>();
  core::Identity identity{.uid = found->pw_uid, .gid = found->pw_gid};
  HOMEPORT_TRY(auto gids, groups_of(user.str(), found->pw_gid));
  for (const gid_t gid : gids) {
    if (gid != found->pw_gid) identity.gids.push_back(gid);
    HOMEPORT_TRY(auto name, group_name(gid));
    if (name) identity.groups.push_back(*std::move(name));
  }
  sort_unique(identity.gids);
  sort_unique(identity.groups);
  return std::optional(std::move(identity));
}

Result<std::string> NssSource::check(const OpContext&) {
  std::vector<char> buffer;
  passwd entry{};
  // Whoever this process is: every database before the one that knows it is asked.
  const auto get = [&](std::vector<char>& room, passwd** found) {
    return ::getpwnam_r("homeport-no-such-user", &entry, room.data(), room.size(), found);
  };
  HOMEPORT_CHECK(with_room<passwd>(buffer, "a name nobody has", get));
  return std::string("this host's user databases answer");
}

}  // namespace homeport::drivers::identity
