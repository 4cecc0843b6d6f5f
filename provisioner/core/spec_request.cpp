#include "provisioner/core/spec_request.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

namespace homeport::core {

namespace {

// Each part as LENGTH:PART, so that no byte in it has a meaning.
void append(std::string& text, std::string_view part) {
  text.append(std::to_string(part.size())).push_back(':');
  text.append(part);
}

void append(std::string& text, const std::vector<std::string>& list) {
  append(text, std::to_string(list.size()));
  for (const auto& part : list) append(text, part);
}

std::string_view take(std::string_view& text) {
  std::size_t length = 0;
  const auto* colon = std::from_chars(text.data(), text.data() + text.size(), length).ptr;
  text.remove_prefix(std::min(static_cast<std::size_t>(colon - text.data()) + 1, text.size()));
  const auto part = text.substr(0, length);
  text.remove_prefix(part.size());
  return part;
}

std::uint32_t take_number(std::string_view& text) {
  const auto part = take(text);
  std::uint32_t number = 0;
  std::from_chars(part.data(), part.data() + part.size(), number);
  return number;
}

std::vector<std::string> take_list(std::string_view& text) {
  std::vector<std::string> list;
  for (auto left = take_number(text); left > 0; --left) list.emplace_back(take(text));
  return list;
}

}  // namespace

std::string to_text(const SpecRequest& request) {
  std::string text;
  text.reserve(96);
  for (const auto* part : {&request.realm, &request.hub, &request.user, &request.server, &request.purpose})
    append(text, *part);
  append(text, request.groups);
  append(text, request.wanted_datasets ? "some" : "all");
  if (request.wanted_datasets) append(text, *request.wanted_datasets);
  append(text, request.wanted_snapshot ? "then" : "now");
  if (request.wanted_snapshot) append(text, *request.wanted_snapshot);
  append(text, std::to_string(request.gids.size()));
  for (const auto gid : request.gids) append(text, std::to_string(gid));
  return text;
}

SpecRequest request_from_text(std::string_view text) {
  SpecRequest request;
  for (auto* part : {&request.realm, &request.hub, &request.user, &request.server, &request.purpose})
    *part = take(text);
  request.groups = take_list(text);
  if (take(text) == "some") request.wanted_datasets = take_list(text);
  if (take(text) == "then") request.wanted_snapshot = std::string(take(text));
  for (auto left = take_number(text); left > 0; --left) request.gids.push_back(take_number(text));
  return request;
}

nlohmann::json to_json(const SpecRequest& r) {
  nlohmann::json out{{"realm", r.realm},           {"hub", r.hub},       {"user", r.user},
                     {"groups", r.groups},         {"server", r.server}, {"purpose", r.purpose},
                     {"wanted_datasets", nullptr}, {"gids", r.gids}};
  if (r.wanted_datasets) out["wanted_datasets"] = *r.wanted_datasets;
  return out;
}

SpecRequest request_from_json(const nlohmann::json& in) {
  SpecRequest r;
  r.realm = in.value("realm", "");
  r.hub = in.value("hub", "");
  r.user = in.value("user", "");
  r.groups = in.value("groups", std::vector<std::string>{});
  r.server = in.value("server", "");
  r.purpose = in.value("purpose", "interactive");
  r.gids = in.value("gids", std::vector<std::uint32_t>{});
  if (const auto at = in.find("wanted_datasets"); at != in.end() && at->is_array())
    r.wanted_datasets = at->get<std::vector<std::string>>();
  return r;
}

}  // namespace homeport::core
