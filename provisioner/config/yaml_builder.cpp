#include "provisioner/config/yaml_builder.h"

#include <yaml-cpp/exceptions.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <utility>

#include "provisioner/config/yaml_document.h"

namespace homeport::config {
namespace {

constexpr std::size_t kMaxProblems = 50;

bool one_of(std::string_view text, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), text) != words.end();
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

std::size_t digits_at(std::string_view text, std::size_t at) {
  std::size_t n = 0;
  while (at + n < text.size() && is_digit(text[at + n])) ++n;
  return n;
}

// [-+]? [0-9]+, without leading zeros: 0123 is octal to some readers and decimal to others, so here it is text.
bool looks_like_int(std::string_view text) {
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) text.remove_prefix(1);
  return !text.empty() && digits_at(text, 0) == text.size() && (text.size() == 1 || text[0] != '0');
}

// [-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )?, which is not an int and has no leading zeros.
bool looks_like_float(std::string_view text) {
  std::size_t at = !text.empty() && (text[0] == '-' || text[0] == '+') ? 1 : 0;
  const std::size_t whole = digits_at(text, at);
  if (whole > 1 && text[at] == '0') return false;
  at += whole;
  std::size_t fraction = 0;
  bool point = false;
  if (at < text.size() && text[at] == '.') {
    point = true;
    fraction = digits_at(text, at + 1);
    at += 1 + fraction;
  }
  if (whole + fraction == 0) return false;
  if (at == text.size()) return point;
  if (text[at] != 'e' && text[at] != 'E') return false;
  ++at;
  if (at < text.size() && (text[at] == '-' || text[at] == '+')) ++at;
  const std::size_t exponent = digits_at(text, at);
  return exponent > 0 && at + exponent == text.size();
}

std::optional<nlohmann::json> integer(std::string_view text) {
  const bool negative = text[0] == '-';
  if (text[0] == '+') text.remove_prefix(1);
  if (negative) {
    std::int64_t value = 0;
    if (std::from_chars(text.data(), text.data() + text.size(), value).ec != std::errc{}) return std::nullopt;
    if (value == 0) return nlohmann::json(std::uint64_t{0});
    return nlohmann::json(value);
  }
  std::uint64_t value = 0;
  if (std::from_chars(text.data(), text.data() + text.size(), value).ec != std::errc{}) return std::nullopt;
  return nlohmann::json(value);
}

std::optional<nlohmann::json> floating(std::string_view text) {
  if (text[0] == '+') text.remove_prefix(1);
  double value = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  if (parsed.ec != std::errc{} || parsed.ptr != text.data() + text.size() || !std::isfinite(value)) return std::nullopt;
  return nlohmann::json(value);
}

std::string escape(std::string_view key) {
  std::string out;
  for (const char c : key) out += c == '~' ? "~0" : c == '/' ? "~1" : std::string(1, c);
  return out;
}

std::size_t depth_of(const nlohmann::json& value) {
  if (!value.is_structured()) return 0;
  std::size_t deepest = 0;
  for (const auto& item : value) deepest = std::max(deepest, depth_of(item));
  return deepest + 1;
}

}  // namespace

std::optional<nlohmann::json> plain_scalar(const std::string& text) {
  if (one_of(text, {"", "~", "null", "Null", "NULL"})) return nlohmann::json(nullptr);
  if (one_of(text, {"true", "True", "TRUE"})) return nlohmann::json(true);
  if (one_of(text, {"false", "False", "FALSE"})) return nlohmann::json(false);
  if (looks_like_int(text)) return integer(text);
  if (looks_like_float(text)) return floating(text);
  const std::string_view unsigned_part =
      !text.empty() && (text[0] == '-' || text[0] == '+') ? std::string_view(text).substr(1) : text;
  if (one_of(unsigned_part, {".inf", ".Inf", ".INF"}) || one_of(text, {".nan", ".NaN", ".NAN"})) return std::nullopt;
  return nlohmann::json(text);
}

YamlBuilder::YamlBuilder(std::string_view text)
    : YamlBuilder(text, {.most_nodes = kMaxYamlNodes, .keeps_lines = true}) {}

void YamlBuilder::problem(const YAML::Mark& mark, std::string message) {
  if (problems_.size() >= kMaxProblems) throw YAML::ParserException(mark, "too many problems to go on");
  problems_.push_back({mark.line + 1, mark.column + 1, std::move(message)});
}

void YamlBuilder::count(const YAML::Mark& mark, std::size_t nodes) {
  nodes_ += nodes;
  if (nodes_ > options_.most_nodes) {
    throw YAML::ParserException(
        mark, "more than " + std::to_string(options_.most_nodes) + " values (aliases count as what they copy)");
  }
}

void YamlBuilder::check_tag(const YAML::Mark& mark, const std::string& tag) {
  if (tag.empty() || tag == "?" || tag == "!" || tag == "tag:yaml.org,2002:str") return;
  problem(mark, "tag '" + printable(tag, 60) + "' is not supported: write the value without it");
}

// yaml-cpp 0.7 takes the end of the text for the missing quote, and with it swallows every line that follows.
void YamlBuilder::check_quotes(const YAML::Mark& mark) {
  if (mark.pos < 0 || static_cast<std::size_t>(mark.pos) >= text_.size()) return;
  const std::string_view rest = text_.substr(static_cast<std::size_t>(mark.pos));
  const char quote = rest.front();
  if (quote != '"' && quote != '\'') return;  // block text
  for (std::size_t i = 1; i < rest.size(); ++i) {
    if (quote == '"' && rest[i] == '\\') {
      ++i;
    } else if (rest[i] == quote) {
      if (quote == '"' || i + 1 == rest.size() || rest[i + 1] != quote) return;
      ++i;
    }
  }
  throw YAML::ParserException(mark, "the quote that opens here is never closed");
}

void YamlBuilder::remember_line(std::string pointer, const YAML::Mark& mark) {
  if (options_.keeps_lines) lines_.emplace(std::move(pointer), mark.line + 1);
}

std::string YamlBuilder::next_pointer() const {
  if (open_.empty()) return {};
  const Open& top = open_.back();
  return top.pointer + "/" + (top.is_map ? escape(top.key) : std::to_string(top.value.size()));
}

void YamlBuilder::OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) {
  scalar(mark, nullptr, anchor, 1);
}

void YamlBuilder::OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                           const std::string& value) {
  check_tag(mark, tag);
  if (tag != "?") {  // "?" is a plain scalar; "!" stands for quotes and for block text
    check_quotes(mark);
    scalar(mark, value, anchor, 1);
    return;
  }
  auto typed = plain_scalar(value);
  if (!typed) problem(mark, "'" + printable(value, 40) + "' is not a number that can be used here");
  scalar(mark, typed ? std::move(*typed) : nlohmann::json(nullptr), anchor, 1);
}

void YamlBuilder::OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) {
  const auto at = anchors_.find(anchor);
  if (at == anchors_.end()) {  // the only unfinished anchors are those around us
    problem(mark, "an alias refers to what contains it");
    scalar(mark, nullptr, 0, 1);
    return;
  }
  if (open_.size() + at->second.depth > kMaxYamlDepth) {
    throw YAML::ParserException(mark, "nests deeper than " + std::to_string(kMaxYamlDepth) + " levels");
  }
  count(mark, at->second.nodes - 1);  // before the copy is made
  scalar(mark, at->second.value, 0, at->second.nodes);
}

// Also for a whole value that an alias copies.
void YamlBuilder::scalar(const YAML::Mark& mark, nlohmann::json value, YAML::anchor_t anchor, std::size_t nodes) {
  count(mark, 1);
  if (anchor != 0) anchors_[anchor] = {value, nodes, depth_of(value)};
  if (key_expected()) {
    key(mark, value);
    return;
  }
  // A key's own line is where people look for the member.
  if (open_.empty() || !open_.back().is_map) remember_line(next_pointer(), mark);
  place(std::move(value), nodes);
}

void YamlBuilder::key(const YAML::Mark& mark, const nlohmann::json& value) {
  Open& top = open_.back();
  top.wants_key = false;
  if (value.is_string()) {
    top.key = value.get<std::string>();
    if (top.key == "<<") problem(mark, "merge keys ('<<') are not supported: write the members out");
  } else {
    problem(mark, "a key must be text: put it in quotes");
    top.key = value.dump();
  }
  if (!top.keys.insert(top.key).second) {
    const auto first = lines_.find(next_pointer());
    problem(mark, "key '" + printable(top.key, 60) + "' stands here twice" +
                      (first == lines_.end() ? "" : " (first on line " + std::to_string(first->second) + ")"));
  }
  remember_line(next_pointer(), mark);
}

void YamlBuilder::place(nlohmann::json value, std::size_t nodes) {
  if (open_.empty()) {
    root_ = std::move(value);
    return;
  }
  Open& top = open_.back();
  top.nodes += nodes;
  if (top.is_map) {
    top.value[top.key] = std::move(value);
    top.wants_key = true;
  } else {
    top.value.push_back(std::move(value));
  }
}

void YamlBuilder::OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                                  YAML::EmitterStyle::value) {
  begin(mark, tag, anchor, nlohmann::json::array());
}

void YamlBuilder::OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                             YAML::EmitterStyle::value) {
  begin(mark, tag, anchor, nlohmann::json::object());
}

void YamlBuilder::begin(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, nlohmann::json empty) {
  count(mark, 1);
  check_tag(mark, tag);
  if (open_.size() >= kMaxYamlDepth) {
    throw YAML::ParserException(mark, "nests deeper than " + std::to_string(kMaxYamlDepth) + " levels");
  }
  const bool is_key = key_expected();
  if (is_key) problem(mark, "a key must be text, not a list or a mapping");
  const std::string pointer = is_key ? open_.back().pointer : next_pointer();
  if (!is_key && (open_.empty() || !open_.back().is_map)) remember_line(pointer, mark);
  const bool is_map = empty.is_object();
  open_.push_back(
      {.value = std::move(empty), .anchor = anchor, .pointer = pointer, .is_map = is_map, .is_key = is_key});
}

void YamlBuilder::close() {
  Open done = std::move(open_.back());
  open_.pop_back();
  if (done.anchor != 0) anchors_[done.anchor] = {done.value, done.nodes, depth_of(done.value)};
  if (done.is_key) {  // already a problem; the value that follows needs a place to go
    open_.back().key = "?";
    open_.back().wants_key = false;
    return;
  }
  place(std::move(done.value), done.nodes);
}

}  // namespace homeport::config
