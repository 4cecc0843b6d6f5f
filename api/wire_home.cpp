#include "api/wire_home.h"

namespace homeport::api {
namespace {

constexpr std::uint64_t kMostId = 4'294'967'294U;  // 2^32 - 1 is "no id" to the kernel

std::optional<std::uint32_t> narrow(std::optional<std::uint64_t> value) {
  if (!value) return std::nullopt;
  return static_cast<std::uint32_t>(*value);
}

template <class T>
Result<T> at(Result<T> parsed, const std::string& pointer) {
  if (parsed) return parsed;
  Error error = std::move(parsed).error();
  error.pointer = pointer;
  return error;
}

}  // namespace

HomeWish read_home_wish(DocReader& in) {
  HomeWish wish;
  wish.uid = narrow(in.optional_number("uid", 0, kMostId));
  wish.gid = narrow(in.optional_number("gid", 0, kMostId));
  wish.klass = in.optional_text("class");
  wish.quota = in.optional_bytes("quota");
  wish.server = in.text("server", "");
  wish.groups = in.texts("groups");
  wish.hub = in.text("hub", "");
  wish.allow_similar = in.boolean("allow_similar", false);
  return wish;
}

Result<core::HomeRequest> home_request(const HomeWish& wish, const std::string& realm, std::string_view user,
                                       const std::string& pointer) {
  HOMEPORT_TRY(auto name, at(UserName::parse(user), pointer.empty() ? "" : pointer + "/user"));
  HOMEPORT_TRY(auto server, at(ServerName::parse(wish.server), pointer + "/server"));
  core::HomeRequest request{.realm = realm, .user = std::move(name), .server = std::move(server)};
  if (wish.klass) {
    HOMEPORT_TRY(request.klass, at(Slug::parse(*wish.klass), pointer + "/class"));
  }
  if (!wish.hub.empty()) {
    HOMEPORT_TRY(const auto hub, at(Slug::parse(wish.hub), pointer + "/hub"));
    request.hub = hub.str();
  }
  for (const auto& group : wish.groups) {
    HOMEPORT_TRY(const auto parsed, at(GroupName::parse(group), pointer + "/groups"));
    request.groups.push_back(parsed.str());
  }
  request.uid = wish.uid;
  request.gid = wish.gid;
  request.quota = wish.quota;
  request.allow_similar = wish.allow_similar;
  return request;
}

}  // namespace homeport::api
