// GET on a collection: selection, filter, order, pages, totals. The answer is written as text: a page may hold
// thousands of items.
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
  std::function<bool(const T&)> wanted{};                 // empty: all
  std::function<Probe(const T&)> probe;                   // of what filters and sorts see
  std::function<void(const T&, std::string& out)> write;  // an item, as JSON text
  std::function<void(const T&)> count{};                  // called for each match, for totals
  std::function<Json()> total{};                          // empty: the answer has none
  // What matches changes with the state alone, never with time: counted once and remembered until the next change.
  bool settled = false;
};

template <class T>
struct Found {
  std::vector<T*> objects{};
  bool selected = false;  // by names or ids
};

// How many match, and their totals as JSON text (empty: none).
struct Tally {
  std::size_t count = 0;
  std::string total{};
};
// What was counted before for the same question, and where it is kept. Null: it is not to be remembered.
[[nodiscard]] Tally* remembered_tally(Call& call, bool settled, bool& fresh);
// Puts the envelope around items that are written already: {"continuation_token","total_item_count","items"}, with
// "total" first where there is one.
void write_envelope(Call& call, const Tally& tally, const std::optional<std::string>& token, std::string_view items);

template <class T>
class Lister {
 public:
  Lister(Call& call, const Table<T>& table, const View<T>& view, const Page& page)
      : call_(call), table_(table), view_(view), page_(page) {}

  // Those that were named, or all where they are to be sorted.
  void list(std::vector<T*> objects) {
    std::erase_if(objects, [&](T* object) { return !fits(*object); });
    Tally tally{.count = objects.size()};
    if (view_.count) {
      for (T* object : objects) view_.count(*object);
    }
    if (view_.total) tally.total = view_.total().dump();
    auto first = objects.begin();
    if (!page_.sort.empty()) {
      std::stable_sort(objects.begin(), objects.end(),
                       [&](T* a, T* b) { return sorts_before(page_, view_.probe(*a), view_.probe(*b)); });
    } else if (page_.continues) {
      first = std::upper_bound(objects.begin(), objects.end(), page_.after,
                               [&](const std::string& key, T* object) { return key < table_.order_key(*object); });
    }
    for (; first != objects.end() && !ended_; ++first) take(**first);
    write_envelope(call_, tally, token(), items_);
  }

  // All, in the table's order: only those on the page are looked at once they were counted.
  void list_in_order() {
    bool fresh = false;
    Tally own;
    Tally* tally = remembered_tally(call_, view_.settled, fresh);
    if (tally == nullptr) {
      tally = &own;
      fresh = true;
    }
    if (fresh) count_all(*tally);
    const auto& order = table_.order();
    auto at = page_.continues ? order.upper_bound(page_.after) : order.begin();
    for (; at != order.end() && !ended_; ++at) {
      if (fits(*at->second)) take(*at->second);
    }
    write_envelope(call_, *tally, token(), items_);
  }

 private:
  [[nodiscard]] bool fits(const T& object) const {
    return (!view_.wanted || view_.wanted(object)) && (!page_.filter || page_.filter->matches(view_.probe(object)));
  }
  void count_all(Tally& tally) {
    if (!view_.wanted && !page_.filter && !view_.count) {
      tally.count = table_.size();
    } else {
      for (const auto& [key, object] : table_.order()) {
        if (!fits(*object)) continue;
        ++tally.count;
        if (view_.count) view_.count(*object);
      }
    }
    if (view_.total) tally.total = view_.total().dump();
  }
  // The next match: before the page, on it, or the first one behind it.
  void take(const T& object) {
    const bool count_only = page_.total_only || page_.count_only;
    if (!count_only && skipped_ < page_.offset) {
      ++skipped_;
    } else if (!count_only && taken_ < page_.limit) {
      if (!items_.empty()) items_ += ',';
      view_.write(object, items_);
      ++taken_;
      last_ = &object;
    } else {
      ended_ = true;
    }
  }
  [[nodiscard]] std::optional<std::string> token() const {
    if (!ended_ || last_ == nullptr || !page_.sort.empty()) return std::nullopt;
    return make_token(table_.order_key(*last_));
  }

  Call& call_;
  const Table<T>& table_;
  const View<T>& view_;
  const Page& page_;
  std::string items_{};
  std::size_t skipped_ = 0;
  std::size_t taken_ = 0;
  const T* last_ = nullptr;
  bool ended_ = false;  // something matches behind the page
};

template <class T>
Answer list_objects(Call& call, const Table<T>& table, const Found<T>& found, const View<T>& view,
                    std::size_t max_page) {
  HOMEPORT_TRY(const auto page, parse_page(call, max_page));
  Lister<T> lister(call, table, view, page);
  if (!found.selected && page.sort.empty()) {
    lister.list_in_order();
    return std::optional<Json>();
  }
  std::vector<T*> objects = found.objects;
  if (found.selected) {
    std::sort(objects.begin(), objects.end(), [&](T* a, T* b) { return table.order_key(*a) < table.order_key(*b); });
    objects.erase(std::unique(objects.begin(), objects.end()), objects.end());
  } else {
    objects.reserve(table.size());
    for (const auto& [key, object] : table.order()) objects.push_back(object);
  }
  lister.list(std::move(objects));
  return std::optional<Json>();
}

}  // namespace homeport::fbsim
