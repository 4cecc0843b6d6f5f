#include "provisioner/config/yaml_document.h"

#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "provisioner/config/yaml_builder.h"

namespace homeport::config {
namespace {

std::string place(const std::string& source, int line, int column) {
  return source + " line " + std::to_string(line) + ", column " + std::to_string(column) + ": ";
}

Error all_of(const std::string& source, const std::vector<YamlProblem>& problems) {
  std::string text;
  for (const auto& p : problems) text += (text.empty() ? "" : "\n") + place(source, p.line, p.column) + p.message;
  if (problems.size() > 1) text = std::to_string(problems.size()) + " problems:\n" + text;
  return Error{.code = Errc::invalid_argument, .message = text};
}

std::size_t indent_of(std::string_view line) {
  return std::min(line.find_first_not_of(' '), line.size());
}

// Does `line` end by opening a block of literal text ("key: |", "- >-")?
bool opens_block_text(std::string_view line) {
  if (const auto comment = line.find(" #"); comment != std::string_view::npos) line = line.substr(0, comment);
  while (!line.empty() && (line.back() == ' ' || line.back() == '\r')) line.remove_suffix(1);
  while (!line.empty() && (line.back() == '+' || line.back() == '-' || (line.back() >= '1' && line.back() <= '9'))) {
    line.remove_suffix(1);
  }
  if (line.size() < 2 || (line.back() != '|' && line.back() != '>')) return false;
  const char before = line[line.size() - 2];
  return before == ' ';
}

std::size_t valid_prefix(std::string_view line) {
  std::size_t good = 0;
  while (good < line.size()) {
    std::size_t step = 1;
    while (step <= 4 && good + step <= line.size() && !is_valid_utf8(line.substr(good, step))) ++step;
    if (step > 4 || good + step > line.size()) break;
    good += step;
  }
  return good;
}

// What yaml-cpp lets pass, or reports without a place.
class LineCheck {
 public:
  std::optional<YamlProblem> operator()(std::string_view line) {
    ++number_;
    if (!is_valid_utf8(line)) return at(valid_prefix(line), "is not valid UTF-8");
    for (std::size_t i = 0; i < line.size(); ++i) {
      const auto c = static_cast<unsigned char>(line[i]);
      const bool line_end = c == '\r' && i + 1 == line.size();
      if ((c < 0x20 && c != '\t' && !line_end) || c == 0x7F) return at(i, "contains a control character");
    }
    const std::size_t indent = indent_of(line);
    const bool blank = line.find_first_not_of(" \t\r") == std::string_view::npos;
    if (in_text_ && (blank || indent > text_indent_)) return std::nullopt;
    in_text_ = false;
    if (!blank && line[indent] == '\t') return at(indent, "a tab indents this line: use blanks");
    if (opens_block_text(line)) {
      in_text_ = true;
      text_indent_ = indent;
    }
    return std::nullopt;
  }

 private:
  YamlProblem at(std::size_t column, std::string message) const {
    return {number_, static_cast<int>(column) + 1, std::move(message)};
  }
  int number_ = 0;
  bool in_text_ = false;
  std::size_t text_indent_ = 0;
};

std::optional<YamlProblem> check_lines(std::string_view text) {
  LineCheck check;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    if (auto bad = check(text.substr(0, end))) return bad;
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  return std::nullopt;
}

YamlProblem from_yaml(const YAML::Exception& e) {
  if (e.mark.is_null()) return {1, 1, e.msg};
  return {e.mark.line + 1, e.mark.column + 1, e.msg};
}

// What must hold before the parser looks at the text.
Result<void> check_text(std::string_view& text, const std::string& source, std::size_t most) {
  if (text.size() > most)
    return Error{.code = Errc::too_large, .message = source + " is larger than " + Bytes{most}.to_string()};
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  if (const auto bad = check_lines(text)) return all_of(source, {*bad});
  return {};
}

}  // namespace

// This function and the next are the place where exceptions of yaml-cpp become errors.
Result<Document> parse_yaml_document(std::string_view text, std::string source) {
  HOMEPORT_CHECK(check_text(text, source, kMaxDocumentBytes));
  YamlBuilder builder(text);
  auto problems = [&](std::optional<YamlProblem> last) {
    auto list = builder.problems();
    if (last) list.push_back(std::move(*last));
    return all_of(source, list);
  };
  try {
    std::istringstream in{std::string(text)};
    YAML::Parser parser(in);
    if (parser.HandleNextDocument(builder) && parser) {
      YamlBuilder second(text);
      if (parser.HandleNextDocument(second))
        return problems(YamlProblem{1, 1, "holds more than one document: keep one"});
    }
  } catch (const YAML::Exception& e) {
    return problems(from_yaml(e));
  }
  if (!builder.problems().empty()) return problems(std::nullopt);
  return Document{.root = builder.take_root(), .lines = builder.take_lines(), .source = std::move(source)};
}

Result<std::vector<nlohmann::json>> parse_yaml_stream(std::string_view text, const std::string& source,
                                                      const YamlLimits& limits) {
  HOMEPORT_CHECK(check_text(text, source, limits.bytes));
  std::vector<nlohmann::json> documents;
  std::vector<YamlProblem> problems;
  std::size_t nodes = 0;
  try {
    std::istringstream in{std::string(text)};
    YAML::Parser parser(in);
    while (parser) {
      YamlBuilder builder(text, {.most_nodes = limits.nodes - nodes, .keeps_lines = false});
      const bool more = parser.HandleNextDocument(builder);
      nodes += builder.nodes();
      problems.insert(problems.end(), builder.problems().begin(), builder.problems().end());
      if (!more) break;
      if (auto root = builder.take_root(); !root.is_null()) documents.push_back(std::move(root));
    }
  } catch (const YAML::Exception& e) {
    problems.push_back(from_yaml(e));
  }
  if (!problems.empty()) return all_of(source, problems);
  return documents;
}

Result<Document> load_document(const std::string& path) {
  std::error_code ec;
  const auto status = std::filesystem::status(path, ec);
  if (status.type() == std::filesystem::file_type::not_found) {
    return Error{.code = Errc::not_found, .message = "no file " + printable(path), .hint = "check the path"};
  }
  if (status.type() == std::filesystem::file_type::directory) {
    return Error{.code = Errc::failed_precondition, .message = printable(path) + " is a directory, not a file"};
  }
  std::ifstream in(path, std::ios::binary);
  if (!in) {
    return Error{.code = Errc::failed_precondition,
                 .message = "cannot read " + printable(path) + ": " + std::generic_category().message(errno),
                 .hint = "let the user that homeportd runs as read it"};
  }
  std::string text(kMaxDocumentBytes + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(in.gcount()));
  if (text.size() > kMaxDocumentBytes) {
    return Error{.code = Errc::too_large,
                 .message = printable(path) + " is larger than " + Bytes{kMaxDocumentBytes}.to_string()};
  }
  if (path.ends_with(".json")) return parse_json_document(text, path);
  return parse_yaml_document(text, path);
}

}  // namespace homeport::config
