// Builds a Document from the events of yaml-cpp's parser. Private to this folder.
//
// Working on events, not on yaml-cpp's nodes, keeps the limits honest: an alias costs what it copies, and the parser is
// stopped the moment a limit is passed.
#pragma once

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/mark.h>

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "provisioner/base/doc_reader.h"

namespace homeport::config {

struct YamlProblem {
  int line = 0;    // from 1
  int column = 0;  // from 1
  std::string message;
};

// Throws YAML::ParserException (caught by parse_yaml_document) when a limit is passed.
class YamlBuilder final : public YAML::EventHandler {
 public:
  struct Options {
    std::size_t most_nodes;
    bool keeps_lines;
  };
  // `text` is what the parser reads; it must outlive the builder.
  explicit YamlBuilder(std::string_view text);
  YamlBuilder(std::string_view text, const Options& options) : text_(text), options_(options) {}
  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override;
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override;
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override;
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value style) override;
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value style) override;
  void OnMapEnd() override { close(); }

  [[nodiscard]] nlohmann::json take_root() { return std::move(root_); }
  [[nodiscard]] std::map<std::string, int> take_lines() { return std::move(lines_); }
  [[nodiscard]] std::size_t nodes() const { return nodes_; }
  [[nodiscard]] const std::vector<YamlProblem>& problems() const { return problems_; }

 private:
  struct Open {
    nlohmann::json value;
    YAML::anchor_t anchor = 0;
    std::string pointer;
    bool is_map = false;
    bool wants_key = true;  // maps: the next event is a key
    bool is_key = false;    // this container stands where a key should
    std::string key{};
    std::set<std::string> keys{};
    std::size_t nodes = 1;
  };
  void begin(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, nlohmann::json empty);
  void scalar(const YAML::Mark& mark, nlohmann::json value, YAML::anchor_t anchor, std::size_t nodes);
  void key(const YAML::Mark& mark, const nlohmann::json& value);
  void place(nlohmann::json value, std::size_t nodes);
  void close();
  void count(const YAML::Mark& mark, std::size_t nodes);
  void check_tag(const YAML::Mark& mark, const std::string& tag);
  void check_quotes(const YAML::Mark& mark);
  void problem(const YAML::Mark& mark, std::string message);
  [[nodiscard]] bool key_expected() const { return !open_.empty() && open_.back().is_map && open_.back().wants_key; }
  [[nodiscard]] std::string next_pointer() const;
  void remember_line(std::string pointer, const YAML::Mark& mark);

  struct Anchored {
    nlohmann::json value;
    std::size_t nodes = 1;
    std::size_t depth = 0;
  };
  std::string_view text_;
  Options options_;
  nlohmann::json root_;
  std::map<std::string, int> lines_;
  std::vector<Open> open_;
  std::map<YAML::anchor_t, Anchored> anchors_;
  std::vector<YamlProblem> problems_;
  std::size_t nodes_ = 0;
};

// The core schema for a plain scalar. Nullopt: a number that has no value here (infinite, too large).
[[nodiscard]] std::optional<nlohmann::json> plain_scalar(const std::string& text);

}  // namespace homeport::config
