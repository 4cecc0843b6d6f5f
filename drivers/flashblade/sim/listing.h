// GET on a collection: selection, filter, order, pages, totals.
//
// Without `sort` the order is the table's, and a page ends with a token that names the place of its last item: items
// that come and go between two pages neither repeat nor hide others. With `sort` there is only `offset`.
#pragma once

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include "drivers/flashblade/sim/call.h"
#include "drivers/flashblade/sim/filter.h"
#include "drivers/flashblade/sim/table.h"

namespace homeport::fbsim {

struct Page {
  std::optional<Filter> filter{};
  std::vector<std::pair<std::string, bool>> sort{};  // field, descending
  std::size_t limit = 0;
  std::size_t offset = 0;
  std::string after{};  // the order key of the page before
  bool continues = false;
  bool total_only = false;
  bool count_only = false;
};

[[nodiscard]] Or<Page> parse_page(const Call& call, std::size_t max_page);
[[nodiscard]] std::string make_token(std::string_view order_key);
// Less, equal, greater by the page's sort.
[[nodiscard]] bool sorts_before(const Page& page, const Probe& a, const Probe& b);
// {"continuation_token","total_item_count","items"}, with "total" first where there is one.
[[nodiscard]] Json list_envelope(std::optional<Json> total, std::optional<std::string> token, std::size_t count,
                                 Json items);

template <class T>
struct View {
  std::function<bool(const T&)> wanted{};  // empty: all
  std::function<Probe(const T&)> probe;    // of what filters and sorts see
  std::function<Json(const T&)> render;    // an item
  std::function<void(const T&)> count{};   // called for each match, for totals
  std::function<Json()> total{};           // empty: the answer has none
};

template <class T>
struct Found {
  std::vector<T*> objects{};
  bool selected = false;  // by names or ids
};

template <class T>
Answer list_objects(const Call& call, const Table<T>& table, const Found<T>& found, const View<T>& view,
                    std::size_t max_page) {
  HOMEPORT_TRY(const auto page, parse_page(call, max_page));
  std::vector<T*> matches;
  const auto look = [&](T* object) {
    if (view.wanted && !view.wanted(*object)) return;
    if (page.filter && !page.filter->matches(view.probe(*object))) return;
    if (view.count) view.count(*object);
    matches.push_back(object);
  };
  if (found.selected) {
    auto chosen = found.objects;
    std::sort(chosen.begin(), chosen.end(), [&](T* a, T* b) { return table.order_key(*a) < table.order_key(*b); });
    chosen.erase(std::unique(chosen.begin(), chosen.end()), chosen.end());
    for (T* object : chosen) look(object);
  } else {
    matches.reserve(table.size());
    for (const auto& [key, object] : table.order()) look(object);
  }
  const std::size_t count = matches.size();
  std::optional<Json> total;
  if (view.total) total = view.total();
  Json items = Json::array();
  if (page.total_only || page.count_only) return std::optional(list_envelope(total, {}, count, std::move(items)));
  auto first = matches.begin();
  if (!page.sort.empty()) {
    std::stable_sort(matches.begin(), matches.end(),
                     [&](T* a, T* b) { return sorts_before(page, view.probe(*a), view.probe(*b)); });
  } else if (page.continues) {
    first = std::upper_bound(matches.begin(), matches.end(), page.after,
                             [&](const std::string& key, T* object) { return key < table.order_key(*object); });
  }
  first +=
      static_cast<std::ptrdiff_t>(std::min<std::size_t>(page.offset, static_cast<std::size_t>(matches.end() - first)));
  const auto left = static_cast<std::size_t>(matches.end() - first);
  const auto last = first + static_cast<std::ptrdiff_t>(std::min(page.limit, left));
  for (auto at = first; at != last; ++at) items.push_back(view.render(**at));
  std::optional<std::string> token;
  if (last != matches.end() && page.sort.empty() && last != first) {
    token = make_token(table.order_key(**(last - 1)));
  }
  return std::optional(list_envelope(std::move(total), std::move(token), count, std::move(items)));
}

}  // namespace homeport::fbsim
