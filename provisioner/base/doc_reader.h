// Strict reading of JSON and YAML documents: missing, wrong and unknown members are problems that name the place.
//
// All problems of a document are collected, so that a person mends a file once. A Document is JSON with, when it came
// from YAML, the line of each member.
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "provisioner/base/bytes.h"
#include "provisioner/base/clock.h"
#include "provisioner/base/names.h"
#include "provisioner/base/result.h"

namespace homeport {

struct Document {
  nlohmann::json root;
  std::map<std::string, int> lines{};  // JSON pointer -> line (from 1); empty for JSON
  std::string source{};                // "config.yaml", "request body": for messages
};

// Errors: invalid_argument for what is not JSON (with line and column), is not UTF-8, nests deeper than 64 or has a key
// twice in one object.
[[nodiscard]] Result<Document> parse_json_document(std::string_view text, std::string source);

struct Problem {
  std::string pointer;
  int line = 0;  // 0: not known
  std::string message;
  std::string hint{};
};

class Problems {
 public:
  explicit Problems(const Document& document) : document_(&document) {}
  void add(const std::string& pointer, std::string message, std::string hint = {});
  [[nodiscard]] const std::vector<Problem>& list() const { return problems_; }
  [[nodiscard]] bool none() const { return problems_.empty(); }
  // "config.yaml line 12: /backends/0/kind: …", one line each, in the order of the document.
  [[nodiscard]] std::string text() const;
  // One problem: its own message, hint and pointer. Several: all of them in one message. Precondition: !none().
  [[nodiscard]] Error to_error() const;
  [[nodiscard]] const Document& document() const { return *document_; }

 private:
  const Document* document_;
  std::vector<Problem> problems_;
};

// Reads the members of one object. Each accessor marks its key as known; the destructor of no object checks anything:
// call finish() at the end. Every accessor returns the fallback (or an empty value) after adding a problem, so reading
// goes on. The reader must not outlive the document.
class DocReader {
 public:
  // `value` at `pointer`; a value that is not an object is a problem and reads as empty.
  DocReader(Problems& problems, const nlohmann::json& value, std::string pointer);
  static DocReader root(Problems& problems) { return DocReader(problems, problems.document().root, ""); }

  [[nodiscard]] bool has(std::string_view key);  // present and not null
  // Required: absent is a problem. Optional forms take a fallback or give nullopt.
  std::string text(std::string_view key);
  std::string text(std::string_view key, std::string_view fallback);
  std::optional<std::string> optional_text(std::string_view key);
  bool boolean(std::string_view key, bool fallback);
  std::uint64_t number(std::string_view key, std::uint64_t fallback, std::uint64_t low, std::uint64_t high);
  std::optional<std::uint64_t> optional_number(std::string_view key, std::uint64_t low, std::uint64_t high);
  std::optional<Bytes> optional_bytes(std::string_view key);  // "20GiB" or a number of bytes
  std::optional<std::chrono::milliseconds> optional_duration(std::string_view key);
  // One of `allowed`, or a problem that lists them.
  std::string choice(std::string_view key, const std::vector<std::string_view>& allowed,
                     std::optional<std::string_view> fallback = std::nullopt);
  std::vector<std::string> texts(std::string_view key);  // absent: empty
  std::map<std::string, std::string> text_map(std::string_view key);
  // Parsed names: a problem when parse() refuses. parse is e.g. &Slug::parse.
  template <class T>
  std::optional<T> parsed(std::string_view key, Result<T> (*parse)(std::string_view)) {
    const auto raw = optional_text(key);
    if (!raw) return std::nullopt;
    auto value = parse(*raw);
    if (value) return std::move(value).value();
    problem(key, value.error().message, value.error().hint);
    return std::nullopt;
  }
  template <class T>
  std::optional<T> required(std::string_view key, Result<T> (*parse)(std::string_view)) {
    if (!has(key)) {
      missing(key);
      return std::nullopt;
    }
    return parsed(key, parse);
  }

  DocReader object(std::string_view key);                         // absent reads as empty, without a problem
  std::vector<DocReader> objects(std::string_view key);           // a list of objects; absent: empty
  [[nodiscard]] const nlohmann::json* raw(std::string_view key);  // null when absent

  void problem(std::string_view key, std::string message, std::string hint = {});
  void missing(std::string_view key);
  // Every member that no accessor asked for is a problem, with the nearest known key as a hint.
  void finish();

  [[nodiscard]] const std::string& pointer() const { return pointer_; }
  [[nodiscard]] Problems& problems() { return *problems_; }
  [[nodiscard]] std::string pointer_to(std::string_view key) const;

 private:
  const nlohmann::json* take(std::string_view key);
  void wrong_type(std::string_view key, std::string_view wanted);

  Problems* problems_;
  const nlohmann::json* value_;
  std::string pointer_;
  std::set<std::string, std::less<>> known_;
};

}  // namespace homeport
