// What the catalog keeps of a person; for its own source file.
#pragma once

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "provisioner/core/catalog.h"

namespace homeport::core {

// Few texts in order, nearly always one: there is such a list for every person, and a tree of one costs four times
// that.
class ShortList {
 public:
  void insert(const std::string& text) {
    const auto at = std::lower_bound(texts_.begin(), texts_.end(), text);
    if (at == texts_.end() || *at != text) texts_.insert(at, text);
  }
  void erase(const std::string& text) { std::erase(texts_, text); }
  [[nodiscard]] bool empty() const { return texts_.empty(); }
  [[nodiscard]] auto begin() const { return texts_.begin(); }
  [[nodiscard]] auto end() const { return texts_.end(); }

 private:
  std::vector<std::string> texts_;
};

template <class T>
[[nodiscard]] std::vector<T> values_of(const std::map<std::string, T>& map) {
  std::vector<T> out;
  out.reserve(map.size());
  for (const auto& [key, value] : map) out.push_back(value);
  return out;
}

struct PersonEntry {
  UserPtr record{};              // null: names came before the person, or outlived them
  ShortList names{};             // REALM/NAME
  ShortList former_names{};      // likewise
  ShortList spaces{};            // keys
  std::uint64_t generation = 0;  // changes seen

  void change(const std::string& space, bool has) {
    has ? spaces.insert(space) : spaces.erase(space);
    ++generation;
  }
};

}  // namespace homeport::core
