#include "provisioner/base/doc_reader.h"

#include <algorithm>

namespace homeport {
namespace {

const nlohmann::json kEmptyObject = nlohmann::json::object();

std::string escape_pointer_part(std::string_view key) {
  std::string out;
  for (const char c : key) {
    if (c == '~') {
      out += "~0";
    } else if (c == '/') {
      out += "~1";
    } else {
      out += c;
    }
  }
  return out;
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t above = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0U : 1U)});
      diagonal = above;
    }
  }
  return row[b.size()];
}

constexpr std::size_t kMaxDepth = 64;
constexpr std::size_t kMaxHintedKey = 64;
constexpr std::size_t kMaxShownPointer = 300;

// Builds the value itself, for three things the library's own builder does not give: the place of a mistake, a limit on
// depth before anything deep exists, and doubled keys (RFC 8259 section 4 leaves them open; to take the last one would
// silently drop what somebody wrote).
class StrictBuilder final : public nlohmann::json_sax<nlohmann::json> {
 public:
  bool null() override { return put(nullptr); }
  bool boolean(bool value) override { return put(value); }
  bool number_integer(number_integer_t value) override { return put(value); }
  bool number_unsigned(number_unsigned_t value) override { return put(value); }
  bool number_float(number_float_t value, const string_t&) override { return put(value); }
  bool string(string_t& value) override { return put(std::move(value)); }
  bool binary(binary_t&) override { return false; }
  bool start_object(std::size_t) override { return open(nlohmann::json::object()); }
  bool start_array(std::size_t) override { return open(nlohmann::json::array()); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool key(string_t& key) override {
    if (open_.back().value.contains(key)) {
      trouble_ = "has the key '" + printable(key, 60) + "' twice in one object";
      return false;
    }
    open_.back().key = std::move(key);
    return true;
  }
  bool parse_error(std::size_t position, const std::string&, const nlohmann::json::exception&) override {
    position_ = position;
    return false;
  }

  [[nodiscard]] nlohmann::json take() { return std::move(root_); }
  [[nodiscard]] const std::string& trouble() const { return trouble_; }
  [[nodiscard]] std::size_t position() const { return position_; }

 private:
  struct Open {
    nlohmann::json value;
    std::string key{};
  };
  bool put(nlohmann::json value) {
    if (open_.empty()) {
      root_ = std::move(value);
    } else if (auto& top = open_.back(); top.value.is_object()) {
      top.value[std::move(top.key)] = std::move(value);
    } else {
      top.value.push_back(std::move(value));
    }
    return true;
  }
  bool open(nlohmann::json empty) {
    if (open_.size() >= kMaxDepth) {
      trouble_ = "nests deeper than " + std::to_string(kMaxDepth) + " levels";
      return false;
    }
    open_.push_back({std::move(empty)});
    return true;
  }
  bool close() {
    auto done = std::move(open_.back().value);
    open_.pop_back();
    return put(std::move(done));
  }

  nlohmann::json root_;
  std::vector<Open> open_;
  std::string trouble_;
  std::size_t position_ = 0;  // one after the last character that was read
};

std::string place_of(std::string_view text, std::size_t position) {
  const auto before = text.substr(0, std::min(position == 0 ? 0 : position - 1, text.size()));
  const auto line = 1 + std::count(before.begin(), before.end(), '\n');
  const auto start = before.rfind('\n') == std::string_view::npos ? 0 : before.rfind('\n') + 1;
  return "line " + std::to_string(line) + ", column " + std::to_string(before.size() - start + 1);
}

}  // namespace

Result<Document> parse_json_document(std::string_view text, std::string source) {
  if (!is_valid_utf8(text)) {
    return Error{
        .code = Errc::invalid_argument, .message = source + " is not valid UTF-8", .hint = "send JSON in UTF-8"};
  }
  StrictBuilder builder;
  if (nlohmann::json::sax_parse(text, &builder)) {
    return Document{.root = builder.take(), .source = std::move(source)};
  }
  if (!builder.trouble().empty())
    return Error{.code = Errc::invalid_argument, .message = source + " " + builder.trouble()};
  return Error{.code = Errc::invalid_argument,
               .message = source + " is not JSON: broken at " + place_of(text, builder.position()),
               .hint = "check for missing quotes, commas or brackets"};
}

void Problems::add(const std::string& pointer, std::string message, std::string hint) {
  // The nearest line we know: of the member itself, else of what contains it.
  int line = 0;
  std::string at = pointer;
  while (true) {
    if (const auto found = document_->lines.find(at); found != document_->lines.end()) {
      line = found->second;
      break;
    }
    const auto slash = at.rfind('/');
    if (slash == std::string::npos) break;
    at.resize(slash);
  }
  problems_.push_back({pointer, line, std::move(message), std::move(hint)});
}

std::string Problems::text() const {
  auto sorted = problems_;
  std::stable_sort(sorted.begin(), sorted.end(), [](const Problem& a, const Problem& b) { return a.line < b.line; });
  std::string out;
  for (const auto& p : sorted) {
    if (!out.empty()) out += '\n';
    if (!document_->source.empty()) out += document_->source + " ";
    if (p.line > 0) out += "line " + std::to_string(p.line) + ": ";
    if (!p.pointer.empty()) out += printable(p.pointer, kMaxShownPointer) + ": ";
    out += p.message;
    if (!p.hint.empty()) out += " (" + p.hint + ")";
  }
  return out;
}

Error Problems::to_error() const {
  if (problems_.size() == 1) {
    const auto& p = problems_.front();
    std::string where = p.line > 0 ? document_->source + " line " + std::to_string(p.line) + ": " : "";
    if (!p.pointer.empty()) where += printable(p.pointer, kMaxShownPointer) + ": ";
    return Error{.code = Errc::invalid_argument, .message = where + p.message, .hint = p.hint, .pointer = p.pointer};
  }
  return Error{.code = Errc::invalid_argument,
               .message = std::to_string(problems_.size()) + " problems:\n" + text(),
               .pointer = problems_.front().pointer};
}

DocReader::DocReader(Problems& problems, const nlohmann::json& value, std::string pointer)
    : problems_(&problems), value_(&value), pointer_(std::move(pointer)) {
  if (value.is_object()) return;
  if (!value.is_null()) problems.add(pointer_, "must be a mapping of keys to values");
  value_ = &kEmptyObject;
}

std::string DocReader::pointer_to(std::string_view key) const {
  return pointer_ + "/" + escape_pointer_part(key);
}

const nlohmann::json* DocReader::take(std::string_view key) {
  known_.emplace(key);
  const auto at = value_->find(key);
  return at == value_->end() || at->is_null() ? nullptr : &*at;
}

const nlohmann::json* DocReader::raw(std::string_view key) {
  return take(key);
}
bool DocReader::has(std::string_view key) {
  return take(key) != nullptr;
}

void DocReader::problem(std::string_view key, std::string message, std::string hint) {
  problems_->add(key.empty() ? pointer_ : pointer_to(key), std::move(message), std::move(hint));
}

void DocReader::missing(std::string_view key) {
  problem("", "'" + std::string(key) + "' is missing");
}

void DocReader::wrong_type(std::string_view key, std::string_view wanted) {
  problem(key, "must be " + std::string(wanted));
}

std::string DocReader::text(std::string_view key) {
  if (!has(key)) {
    missing(key);
    return {};
  }
  return optional_text(key).value_or("");
}

std::string DocReader::text(std::string_view key, std::string_view fallback) {
  return optional_text(key).value_or(std::string(fallback));
}

std::optional<std::string> DocReader::optional_text(std::string_view key) {
  const auto* value = take(key);
  if (value == nullptr) return std::nullopt;
  if (!value->is_string()) {
    problem(key, "must be text", value->is_primitive() ? "put it in quotes" : "");
    return std::nullopt;
  }
  return value->get<std::string>();
}

bool DocReader::boolean(std::string_view key, bool fallback) {
  const auto* value = take(key);
  if (value == nullptr) return fallback;
  if (!value->is_boolean()) {
    wrong_type(key, "true or false");
    return fallback;
  }
  return value->get<bool>();
}

std::optional<std::uint64_t> DocReader::optional_number(std::string_view key, std::uint64_t low, std::uint64_t high) {
  const auto* value = take(key);
  if (value == nullptr) return std::nullopt;
  const std::string range = "a whole number from " + std::to_string(low) + " to " + std::to_string(high);
  const bool negative = value->is_number_integer() && !value->is_number_unsigned() && value->get<std::int64_t>() < 0;
  if (!value->is_number_integer() || negative) {
    wrong_type(key, range);
    return std::nullopt;
  }
  const auto number = value->get<std::uint64_t>();
  if (number < low || number > high) {
    wrong_type(key, range);
    return std::nullopt;
  }
  return number;
}

std::uint64_t DocReader::number(std::string_view key, std::uint64_t fallback, std::uint64_t low, std::uint64_t high) {
  return optional_number(key, low, high).value_or(fallback);
}

std::optional<Bytes> DocReader::optional_bytes(std::string_view key) {
  const auto* value = take(key);
  if (value == nullptr) return std::nullopt;
  if (value->is_number_unsigned() || (value->is_number_integer() && value->get<std::int64_t>() >= 0))
    return Bytes{value->get<std::uint64_t>()};
  if (value->is_string()) {
    auto parsed = Bytes::parse(value->get_ref<const std::string&>());
    if (parsed) return *parsed;
    problem(key, parsed.error().message, parsed.error().hint);
    return std::nullopt;
  }
  wrong_type(key, "a size such as 20GiB");
  return std::nullopt;
}

std::optional<std::chrono::milliseconds> DocReader::optional_duration(std::string_view key) {
  const auto raw_text = optional_text(key);
  if (!raw_text) return std::nullopt;
  auto parsed = parse_duration(*raw_text);
  if (parsed) return *parsed;
  problem(key, parsed.error().message, parsed.error().hint);
  return std::nullopt;
}

std::string DocReader::choice(std::string_view key, const std::vector<std::string_view>& allowed,
                              std::optional<std::string_view> fallback) {
  if (!has(key)) {
    if (!fallback) missing(key);
    return std::string(fallback.value_or(""));
  }
  const auto value = optional_text(key);
  if (!value) return std::string(fallback.value_or(""));
  if (std::find(allowed.begin(), allowed.end(), *value) != allowed.end()) return *value;
  std::string list;
  for (const auto word : allowed) list += (list.empty() ? "" : ", ") + std::string(word);
  problem(key, "'" + printable(*value, 40) + "' is not known", "use one of: " + list);
  return std::string(fallback.value_or(""));
}

std::vector<std::string> DocReader::texts(std::string_view key) {
  const auto* value = take(key);
  std::vector<std::string> out;
  if (value == nullptr) return out;
  if (!value->is_array()) {
    wrong_type(key, "a list of texts");
    return out;
  }
  for (std::size_t i = 0; i < value->size(); ++i) {
    if ((*value)[i].is_string()) {
      out.push_back((*value)[i].get<std::string>());
    } else {
      problems_->add(pointer_to(key) + "/" + std::to_string(i), "must be text");
    }
  }
  return out;
}

std::map<std::string, std::string> DocReader::text_map(std::string_view key) {
  const auto* value = take(key);
  std::map<std::string, std::string> out;
  if (value == nullptr) return out;
  if (!value->is_object()) {
    wrong_type(key, "a mapping of texts");
    return out;
  }
  for (const auto& [name, item] : value->items()) {
    if (item.is_string()) {
      out.emplace(name, item.get<std::string>());
    } else {
      problems_->add(pointer_to(key) + "/" + escape_pointer_part(name), "must be text");
    }
  }
  return out;
}

DocReader DocReader::object(std::string_view key) {
  const auto* value = take(key);
  return DocReader(*problems_, value == nullptr ? kEmptyObject : *value, pointer_to(key));
}

std::vector<DocReader> DocReader::objects(std::string_view key) {
  const auto* value = take(key);
  std::vector<DocReader> out;
  if (value == nullptr) return out;
  if (!value->is_array()) {
    wrong_type(key, "a list");
    return out;
  }
  for (std::size_t i = 0; i < value->size(); ++i) {
    out.emplace_back(*problems_, (*value)[i], pointer_to(key) + "/" + std::to_string(i));
  }
  return out;
}

void DocReader::finish() {
  for (const auto& [key, value] : value_->items()) {
    if (known_.contains(key)) continue;
    std::string nearest;
    // A third of a key may be wrong; in a short one that is one letter, or every key would be near every other.
    std::size_t best = std::min<std::size_t>(3, 1 + key.size() / 4) + 1;
    for (const auto& candidate : known_) {
      if (key.size() > kMaxHintedKey) break;
      if (const auto distance = edit_distance(candidate, key); distance < best) {
        best = distance;
        nearest = candidate;
      }
    }
    problems_->add(pointer_to(key), "'" + printable(key, 60) + "' is not known",
                   nearest.empty() ? "" : "did you mean '" + nearest + "'?");
  }
}

}  // namespace homeport
