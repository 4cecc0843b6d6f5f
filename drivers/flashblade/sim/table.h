// Objects of one type, found by id, by name, and in the array's default order.
//
// Addresses of objects are stable while they live. Iterators of order() are not invalidated by inserting.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace homeport::fbsim {

struct Resource {
  std::string id{};
  std::string name{};
};

enum class Order { by_name, by_id };  // names ignoring case; recorded policies stand in the order of their ids

[[nodiscard]] inline std::string folded(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

template <class T>
class Table {
 public:
  explicit Table(Order order = Order::by_name) : order_kind_(order) {}

  [[nodiscard]] T* by_id(std::string_view id) const {
    const auto found = ids_.find(id);
    return found == ids_.end() ? nullptr : found->second.get();
  }
  [[nodiscard]] T* by_name(std::string_view name) const {
    const auto found = names_.find(name);
    return found == names_.end() ? nullptr : found->second;
  }
  // Precondition: neither its id nor its name is taken.
  T& insert(T object) {
    auto owned = std::make_unique<T>(std::move(object));
    T& out = *owned;
    ids_.emplace(out.id, std::move(owned));
    link(out);
    return out;
  }
  void erase(T& object) {
    unlink(object);
    ids_.erase(ids_.find(std::string_view(object.id)));
  }
  void rename(T& object, std::string name) {
    unlink(object);
    object.name = std::move(name);
    link(object);
  }
  void clear() {
    ordered_.clear();
    names_.clear();
    ids_.clear();
  }
  [[nodiscard]] std::size_t size() const { return ids_.size(); }
  [[nodiscard]] const std::map<std::string, T*>& order() const { return ordered_; }
  // What its place in the order is known by: the place of a page's end outlives the object.
  [[nodiscard]] std::string order_key(const T& object) const {
    return order_kind_ == Order::by_id ? object.id : folded(object.name) + '\n' + object.id;
  }

 private:
  void link(T& object) {
    names_.emplace(object.name, &object);
    ordered_.emplace(order_key(object), &object);
  }
  void unlink(T& object) {
    ordered_.erase(order_key(object));
    const auto found = names_.find(object.name);
    if (found != names_.end() && found->second == &object) names_.erase(found);
  }

  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
  };
  template <class V>
  using Index = std::unordered_map<std::string, V, Hash, std::equal_to<>>;

  Order order_kind_;
  Index<std::unique_ptr<T>> ids_{};
  Index<T*> names_{};
  std::map<std::string, T*> ordered_{};
};

}  // namespace homeport::fbsim
