#include "drivers/flashblade/sim/filter.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <vector>

#include "drivers/flashblade/sim/table.h"

namespace homeport::fbsim {

struct Filter::Node {
  enum class Kind { all, any, negation, compare, contains, is_set };
  Kind kind = Kind::all;
  std::vector<std::shared_ptr<const Node>> children{};
  std::string field{};
  std::string op{};
  std::vector<Json> values{};
};

namespace {

using Node = Filter::Node;
using NodePtr = std::shared_ptr<const Node>;

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Or<NodePtr> whole() {
    HOMEPORT_TRY(auto node, either());
    skip();
    if (at_ != text_.size()) return problem("an operator");
    return node;
  }

 private:
  static constexpr int kMaxDepth = 64;

  Or<NodePtr> either() {
    return chain("or", Node::Kind::any, [this] { return both(); });
  }
  Or<NodePtr> both() {
    return chain("and", Node::Kind::all, [this] { return one(); });
  }

  template <class Next>
  Or<NodePtr> chain(std::string_view word, Node::Kind kind, Next next) {
    HOMEPORT_TRY(auto first, next());
    if (!word_ahead(word)) return first;
    auto out = std::make_shared<Node>();
    out->kind = kind;
    out->children.push_back(std::move(first));
    while (take_word(word)) {
      HOMEPORT_TRY(auto more, next());
      out->children.push_back(std::move(more));
    }
    return NodePtr(out);
  }

  Or<NodePtr> one() {
    if (++depth_ > kMaxDepth) return problem("less nesting");
    auto out = one_at_depth();
    --depth_;
    return out;
  }

  Or<NodePtr> one_at_depth() {
    if (take('(')) return inside();
    if (take_word("not")) {
      if (!take('(')) return problem("'(' after not");
      HOMEPORT_TRY(auto inner, inside());
      auto out = std::make_shared<Node>();
      out->kind = Node::Kind::negation;
      out->children.push_back(std::move(inner));
      return NodePtr(out);
    }
    if (call_ahead("contains")) return contains();
    return comparison();
  }

  Or<NodePtr> inside() {
    HOMEPORT_TRY(auto inner, either());
    if (!take(')')) return problem("')'");
    return inner;
  }

  Or<NodePtr> contains() {
    take_word("contains");
    take('(');
    auto out = std::make_shared<Node>();
    out->kind = Node::Kind::contains;
    HOMEPORT_TRY(out->field, field());
    if (!take(',')) return problem("','");
    HOMEPORT_TRY(auto value, literal());
    out->values.push_back(std::move(value));
    if (!take(')')) return problem("')'");
    return NodePtr(out);
  }

  Or<NodePtr> comparison() {
    auto out = std::make_shared<Node>();
    HOMEPORT_TRY(out->field, field());
    skip();
    for (const std::string_view op : {"!=", "<=", ">=", "=", "<", ">"}) {
      if (text_.substr(at_).starts_with(op)) {
        out->op = op;
        at_ += op.size();
        break;
      }
    }
    if (out->op.empty()) {
      out->kind = Node::Kind::is_set;
      return NodePtr(out);
    }
    out->kind = Node::Kind::compare;
    const bool list = take('(');
    do {
      HOMEPORT_TRY(auto value, literal());
      out->values.push_back(std::move(value));
    } while (list && take(','));
    if (list && !take(')')) return problem("')'");
    return NodePtr(out);
  }

  Or<std::string> field() {
    skip();
    const auto start = at_;
    while (at_ < text_.size() && (std::isalnum(static_cast<unsigned char>(text_[at_])) != 0 || text_[at_] == '_' ||
                                  text_[at_] == '.' || text_[at_] == '[' || text_[at_] == ']')) {
      ++at_;
    }
    if (at_ == start) return problem("a field");
    std::string out(text_.substr(start, at_ - start));
    // All our lists are searched for any match; [all] differs only where elements disagree.
    for (const std::string_view index : {"[any]", "[all]"}) {
      for (auto found = out.find(index); found != std::string::npos; found = out.find(index)) {
        if (index == "[all]") out.insert(0, "all:");
        out.erase(out.find(index), index.size());
      }
    }
    return out;
  }

  Or<Json> literal() {
    skip();
    if (at_ < text_.size() && (text_[at_] == '\'' || text_[at_] == '"')) return quoted(text_[at_]);
    const auto start = at_;
    while (at_ < text_.size() && std::string_view(" ,()").find(text_[at_]) == std::string_view::npos) ++at_;
    const auto word = text_.substr(start, at_ - start);
    if (word.empty()) return problem("a value");
    if (word == "true" || word == "True") return Json(true);
    if (word == "false" || word == "False") return Json(false);
    double number = 0;
    const auto [end, bad] = std::from_chars(word.data(), word.data() + word.size(), number);
    if (bad == std::errc() && end == word.data() + word.size()) return Json(number);
    at_ = start;
    return problem("a quoted text, a number, true or false");
  }

  Or<Json> quoted(char quote) {
    std::string out;
    for (++at_; at_ < text_.size(); ++at_) {
      if (text_[at_] == '\\' && at_ + 1 < text_.size()) {
        out += text_[++at_];
      } else if (text_[at_] == quote) {
        ++at_;
        return Json(out);
      } else {
        out += text_[at_];
      }
    }
    return problem("the end of a quoted text");
  }

  void skip() {
    while (at_ < text_.size() && text_[at_] == ' ') ++at_;
  }
  bool take(char c) {
    skip();
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  bool word_ahead(std::string_view word) {
    skip();
    const auto rest = text_.substr(at_);
    if (folded(rest.substr(0, word.size())) != word) return false;
    if (rest.size() == word.size()) return true;
    const auto next = static_cast<unsigned char>(rest[word.size()]);
    return std::isalnum(next) == 0 && next != '_' && next != '.';
  }
  bool take_word(std::string_view word) {
    if (!word_ahead(word)) return false;
    at_ += word.size();
    return true;
  }
  bool call_ahead(std::string_view word) {
    if (!word_ahead(word)) return false;
    auto rest = text_.substr(at_ + word.size());
    while (rest.starts_with(' ')) rest.remove_prefix(1);
    return rest.starts_with('(');
  }
  [[nodiscard]] Refusal problem(std::string_view wanted) const {
    return Refusal{"Invalid filter: expected " + std::string(wanted) + " at position " + std::to_string(at_ + 1) + ".",
                   std::string(text_)};
  }

  std::string_view text_;
  std::size_t at_ = 0;
  int depth_ = 0;
};

std::string as_text(const Json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

bool equals(const Json& have, const Json& wanted) {
  if (have.is_null()) return false;
  if (have.is_number() && wanted.is_number()) return have.get<double>() == wanted.get<double>();
  // Clients ask for policy_type='nfs' where "NFS" is answered, and the default order ignores case as well.
  return matches_wildcard(folded(as_text(wanted)), folded(as_text(have)));
}

bool ordered(const Json& have, std::string_view op, const Json& wanted) {
  if (have.is_null()) return false;
  int sign = 0;
  if (have.is_number() && wanted.is_number()) {
    const auto a = have.get<double>();
    const auto b = wanted.get<double>();
    sign = a < b ? -1 : (a > b ? 1 : 0);
  } else {
    sign = as_text(have).compare(as_text(wanted));
  }
  if (op == "<") return sign < 0;
  if (op == "<=") return sign <= 0;
  if (op == ">") return sign > 0;
  return sign >= 0;
}

bool compares(const Json& have, const Node& node) {
  if (node.op == "=" || node.op == "!=") {
    const bool any = std::ranges::any_of(node.values, [&](const Json& wanted) { return equals(have, wanted); });
    return any == (node.op == "=");
  }
  return ordered(have, node.op, node.values.front());
}

bool holds(const Json& have, const Node& node) {
  if (node.kind == Node::Kind::contains) {
    return folded(as_text(have)).find(folded(as_text(node.values.front()))) != std::string::npos;
  }
  return compares(have, node);
}

bool evaluate(const Node& node, const Probe& probe) {
  switch (node.kind) {
    case Node::Kind::all:
      return std::ranges::all_of(node.children, [&](const NodePtr& child) { return evaluate(*child, probe); });
    case Node::Kind::any:
      return std::ranges::any_of(node.children, [&](const NodePtr& child) { return evaluate(*child, probe); });
    case Node::Kind::negation: return !evaluate(*node.children.front(), probe);
    case Node::Kind::compare:
    case Node::Kind::contains:
    case Node::Kind::is_set: break;
  }
  const bool every = node.field.starts_with("all:");
  const auto have = probe(every ? node.field.substr(node.field.rfind(':') + 1) : node.field);
  if (node.kind == Node::Kind::is_set) return !have.is_null() && !(have.is_array() && have.empty());
  if (!have.is_array()) return holds(have, node);
  const auto test = [&](const Json& element) { return holds(element, node); };
  // "!=" on a list: none of its elements.
  return every || node.op == "!=" ? std::ranges::all_of(have, test) : std::ranges::any_of(have, test);
}

}  // namespace

bool matches_wildcard(std::string_view pattern, std::string_view text) {
  std::size_t p = 0;
  std::size_t t = 0;
  std::size_t star = std::string_view::npos;
  std::size_t from = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      from = t;
    } else if (p < pattern.size() && pattern[p] == text[t]) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++from;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

Json probe_json(const Json& document, std::string_view path) {
  if (path.empty()) return document;
  if (document.is_array()) {
    Json out = Json::array();
    for (const auto& element : document) {
      auto found = probe_json(element, path);
      if (!found.is_null()) out.push_back(std::move(found));
    }
    return out;
  }
  if (!document.is_object()) return nullptr;
  const auto dot = path.find('.');
  const auto member = document.find(path.substr(0, dot));
  if (member == document.end()) return nullptr;
  return probe_json(*member, dot == std::string_view::npos ? std::string_view() : path.substr(dot + 1));
}

Or<Filter> Filter::parse(std::string_view text) {
  HOMEPORT_TRY(auto root, Parser(text).whole());
  return Filter(std::move(root));
}

bool Filter::matches(const Probe& probe) const {
  return evaluate(*root_, probe);
}

}  // namespace homeport::fbsim
