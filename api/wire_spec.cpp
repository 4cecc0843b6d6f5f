#include "api/wire_spec.h"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>

#include "provisioner/base/doc_reader.h"

namespace homeport::api {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxGroups = 1000;

Error wrong(const std::string& pointer, const std::string& wanted) {
  return Error{.code = Errc::invalid_argument,
               .message = pointer + " must be " + wanted,
               .hint = "see POST /v1/mountspecs in GET /v1/openapi.json",
               .pointer = pointer};
}

Error unknown(const std::string& pointer, const char* known) {
  return Error{.code = Errc::invalid_argument,
               .message = printable(pointer) + " is not known",
               .hint = std::string("known here: ") + known,
               .pointer = printable(pointer)};
}

Result<void> text(const json& value, const char* pointer, std::string& into) {
  if (value.is_null()) return {};
  if (!value.is_string()) return wrong(pointer, "a text");
  into = value.get_ref<const std::string&>();
  return {};
}

Result<void> texts(const json& value, const char* pointer, std::vector<std::string>& into) {
  if (!value.is_array() || value.size() > kMaxGroups) return wrong(pointer, "a list of at most 1000 texts");
  into.reserve(value.size());
  for (const auto& item : value) {
    if (!item.is_string()) return wrong(pointer, "a list of texts");
    into.push_back(item.get_ref<const std::string&>());
  }
  return {};
}

Result<std::uint32_t> number(const json& value, const char* pointer) {
  constexpr auto kMost = std::numeric_limits<std::uint32_t>::max();
  if (value.is_number_unsigned() && value.get<std::uint64_t>() < kMost) {
    return static_cast<std::uint32_t>(value.get<std::uint64_t>());
  }
  return wrong(pointer, "a number from 0 to 4294967294");
}

Result<void> read_time(const json& value, const char* pointer, std::optional<WallTime>& into) {
  if (value.is_null()) return {};
  auto time =
      value.is_string() ? parse_time(value.get_ref<const std::string&>()) : Result<WallTime>(wrong(pointer, "a time"));
  if (!time) return wrong(pointer, "a time in UTC, like 2026-11-20T08:00:00Z");
  into = *time;
  return {};
}

Result<void> read_wanted(const json& value, core::SpecRequest& out) {
  if (value.is_null()) return {};
  if (!value.is_object()) return wrong("/wanted", "an object");
  for (const auto& [key, item] : value.items()) {
    if (item.is_null() && (key == "datasets" || key == "snapshot")) continue;
    if (key == "datasets") {
      auto& names = out.wanted_datasets.emplace();
      HOMEPORT_CHECK(texts(item, "/wanted/datasets", names));
      std::sort(names.begin(), names.end());
      names.erase(std::unique(names.begin(), names.end()), names.end());
    } else if (key == "snapshot") {
      HOMEPORT_CHECK(text(item, "/wanted/snapshot", out.wanted_snapshot.emplace()));
    } else {
      return unknown("/wanted/" + key, "datasets, snapshot");
    }
  }
  return {};
}

Result<void> read_gids(const json& value, core::SpecRequest& out) {
  if (!value.is_array() || value.size() > kMaxGroups) return wrong("/identity/gids", "a list of at most 1000 numbers");
  for (const auto& item : value) {
    HOMEPORT_TRY(const auto gid, number(item, "/identity/gids"));
    if (gid == 0) {
      return Error{.code = Errc::invalid_argument,
                   .message = "gid 0 is never given to a person",
                   .hint = "root's group could read and change what is not theirs; leave 0 out of the list",
                   .pointer = "/identity/gids"};
    }
    out.gids.push_back(gid);
  }
  return {};
}

Result<void> read_identity(const json& value, core::SpecRequest& out) {
  if (value.is_null()) return {};
  if (!value.is_object()) return wrong("/identity", "an object");
  for (const auto& [key, item] : value.items()) {
    if (item.is_null() && (key == "uid" || key == "gid" || key == "gids" || key == "user_name")) continue;
    if (key == "uid") {
      HOMEPORT_TRY(out.uid, number(item, "/identity/uid"));
    } else if (key == "gid") {
      HOMEPORT_TRY(out.gid, number(item, "/identity/gid"));
    } else if (key == "gids") {
      HOMEPORT_CHECK(read_gids(item, out));
    } else if (key == "user_name") {
      return Error{.code = Errc::unsupported,
                   .message = "the user name inside the server cannot be chosen per request",
                   .hint = "set user_name in the class, and leave /identity/user_name out",
                   .pointer = "/identity/user_name"};
    } else {
      return unknown("/identity/" + key, "uid, gid, gids");
    }
  }
  return {};
}

Result<void> read_member(const std::string& key, const json& value, core::SpecRequest& out) {
  if (key == "hub") return text(value, "/hub", out.hub);
  if (key == "user") return text(value, "/user", out.user);
  if (key == "server") return text(value, "/server", out.server);
  if (key == "purpose") return text(value, "/purpose", out.purpose);
  if (key == "wanted") return read_wanted(value, out);
  if (key == "identity") return read_identity(value, out);
  if (key == "account_created") return read_time(value, "/account_created", out.account_created);
  if (key != "groups")
    return unknown("/" + key, "hub, user, groups, server, purpose, wanted, identity, account_created");
  if (value.is_null()) return {};
  return texts(value, "/groups", out.groups);
}

// Names are parsed once, here: what comes out is safe to compare, to store and to show.
Result<void> check_names(const core::SpecRequest& request) {
  const auto at = [](Error error, const char* pointer) {
    error.pointer = pointer;
    return error;
  };
  if (request.hub.empty()) return wrong("/hub", "the name of the hub");
  if (request.user.empty()) return wrong("/user", "the person's name");
  if (auto hub = Slug::parse(request.hub); !hub) return at(hub.error(), "/hub");
  if (auto user = UserName::parse(request.user); !user) return at(user.error(), "/user");
  if (auto server = ServerName::parse(request.server); !server) return at(server.error(), "/server");
  for (const auto& group : request.groups) {
    if (auto name = GroupName::parse(group); !name) return at(name.error(), "/groups");
  }
  for (const auto& dataset : request.wanted_datasets.value_or(std::vector<std::string>{})) {
    if (auto name = Slug::parse(dataset); !name) return at(name.error(), "/wanted/datasets");
  }
  for (const std::string_view purpose : {"interactive", "dashboard", "batch", "rescue"}) {
    if (request.purpose == purpose) return {};
  }
  return wrong("/purpose", "interactive, dashboard, batch or rescue");
}

}  // namespace

Result<core::SpecRequest> read_spec_request(std::string_view body) {
  HOMEPORT_TRY(const auto document, parse_json_document(body, "request body"));
  if (!document.root.is_object()) return wrong("", "an object");
  core::SpecRequest out;
  for (const auto& [key, value] : document.root.items()) HOMEPORT_CHECK(read_member(key, value, out));
  HOMEPORT_CHECK(check_names(out));
  return out;
}

}  // namespace homeport::api
