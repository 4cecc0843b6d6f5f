#include "api/http_types.h"

#include <algorithm>
#include <array>

#include "api/router.h"

namespace homeport {
namespace {

constexpr std::array<std::pair<Method, std::string_view>, 7> kMethods{{
    {Method::get, "GET"},
    {Method::head, "HEAD"},
    {Method::post, "POST"},
    {Method::put, "PUT"},
    {Method::patch, "PATCH"},
    {Method::del, "DELETE"},
    {Method::options, "OPTIONS"},
}};

constexpr char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

struct OwnedText {
  std::string target;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
};

}  // namespace

std::string_view method_name(Method method) {
  for (const auto& [known, name] : kMethods) {
    if (known == method) return name;
  }
  return "other";
}

Method method_from_name(std::string_view name) {
  for (const auto& [method, known] : kMethods) {
    if (known == name) return method;
  }
  return Method::other;
}

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  return a.size() == b.size() &&
         std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) { return lower(x) == lower(y); });
}

const HeaderField* Request::find_header(std::string_view name) const {
  for (const auto& field : headers) {
    if (equal_ignoring_case(field.name, name)) return &field;
  }
  return nullptr;
}

std::string_view Request::header(std::string_view name) const {
  const auto* field = find_header(name);
  return field == nullptr ? std::string_view() : field->value;
}

std::optional<std::string_view> Request::query(std::string_view name) const {
  for (const auto& item : target.query) {
    if (item.name == name) return item.value;
  }
  return std::nullopt;
}

std::string_view Request::param(std::string_view name) const {
  for (const auto& item : params) {
    if (item.name == name) return item.value;
  }
  return {};
}

void Request::clear() {
  route = -1;
  target.segments.clear();
  target.query.clear();
  target.decoded.clear();
  params.clear();
  headers.clear();
  body = {};
  storage.reset();
}

Request make_request(Method method, std::string target, std::vector<std::pair<std::string, std::string>> headers,
                     std::string body) {
  auto text = std::make_shared<OwnedText>(OwnedText{std::move(target), std::move(headers), std::move(body)});
  Request request;
  request.method = method;
  for (const auto& [name, value] : text->headers) request.headers.push_back({name, value});
  request.body = text->body;
  request.request_id = "req-internal";
  request.remote_address = "127.0.0.1";
  request.is_loopback = true;
  const auto parsed = parse_target(text->target, request.target);
  if (!parsed) request.target.path = text->target;
  request.storage = std::move(text);
  return request;
}

Response json_response(unsigned status, std::string body) {
  return Response{.status = status, .content_type = "application/json", .body = std::move(body)};
}

}  // namespace homeport
