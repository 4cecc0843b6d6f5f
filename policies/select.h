// Which class and which datasets a person gets: the rules, read in order. Pure; asked at every login.
//
// A rule is about a person when it names them, one of their groups, or everyone; and, where it lists hubs, the hub is
// one of them. The first such rule that names a class decides the class. Datasets add up over all of them.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

namespace homeport::policies {

struct RuleFacts {
  std::string name;
  std::vector<std::string> users{};  // an empty list names nobody
  std::vector<std::string> groups{};
  std::vector<std::string> hubs{};  // empty: every hub
  bool everyone = false;
  std::optional<std::string> klass{};
  std::vector<std::string> datasets{};
};

struct PersonFacts {
  std::string user;
  std::vector<std::string> groups{};
  std::string hub{};
};

struct ChosenDataset {
  std::string name;
  std::string rule;  // the first that shows it
  friend bool operator==(const ChosenDataset&, const ChosenDataset&) = default;
};

struct Selection {
  std::optional<std::string> klass{};     // nullopt: no rule gives one
  std::string class_rule{};               // the rule that decided; empty: none
  std::vector<ChosenDataset> datasets{};  // in the order of the rules, each once
};

// `rules` in the order in which they are to be tried. Names are compared byte by byte.
[[nodiscard]] Selection select(std::span<const RuleFacts> rules, const PersonFacts& person);

// The same decision in words, one entry per rule, for `policy explain`.
struct RuleVerdict {
  std::string rule;
  bool matches = false;
  std::string why;  // "group 'course-a'", "hub 'other' is not listed", …
  bool decides_class = false;
};
[[nodiscard]] std::vector<RuleVerdict> explain(std::span<const RuleFacts> rules, const PersonFacts& person);

}  // namespace homeport::policies
