// What the catalog is made of; for its own source files.
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "provisioner/core/catalog.h"

namespace homeport::core {

// Heterogeneous look-up: no string is made for a find. `noexcept` is left out on purpose: the library then keeps each
// entry's hash and does not compute it again along a chain.
struct TextHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const noexcept(false) { return std::hash<std::string_view>{}(text); }
};
template <class V>
using TextMap = std::unordered_map<std::string, V, TextHash, std::equal_to<>>;

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

// Which spaces have file systems of their own on their backends: every new home of such a class asks how many.
class OwnFileSystems {
 public:
  void add(const SpacePtr& space) {
    if (lives(*space)) ++living_[space->backend][space->klass];
    if (space->recoverable_until) kept_[space->key] = space;
  }
  void remove(const SpacePtr& space) {
    if (lives(*space)) --living_[space->backend][space->klass];
    kept_.erase(space->key);
  }
  // Catalog::own_file_systems()
  [[nodiscard]] std::map<std::string, std::uint64_t> count(std::string_view backend, WallTime now) const;
  // Catalog::kept_by_backend()
  [[nodiscard]] SpacePtr last_kept(std::string_view user_key, std::string_view name, WallTime now) const;

 private:
  [[nodiscard]] static bool is_own(const store::SpaceRecord& space) {
    return !space.imported && space.layout == "filesystem";
  }
  [[nodiscard]] static bool lives(const store::SpaceRecord& space) { return is_own(space) && !space.label().empty(); }

  std::map<std::string, std::map<std::string, std::uint64_t>, std::less<>> living_;  // backend -> class -> how many
  std::map<std::string, SpacePtr> kept_;  // purged, and the backend keeps or kept them for a while; by key
};

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
