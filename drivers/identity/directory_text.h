// Text as directories have it: search filters, names in other spellings, lists without repeats.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace homeport::drivers::identity {

// A value inside a search filter (RFC 4515, section 3): '*', '(', ')', '\' and NUL become \XX. Anything may go in.
[[nodiscard]] std::string escaped_filter_value(std::string_view value);

// Why `filter` is not one search filter of RFC 4515 (brackets, operators, escapes); empty: it is one. Whether the
// server knows its attributes is not looked at.
[[nodiscard]] std::string_view filter_trouble(std::string_view filter);

// "uid", "memberOf", "1.3.6.1.1.1.1.0": what may stand in a filter as it is (RFC 4512, section 2.5, without options).
[[nodiscard]] bool is_attribute_name(std::string_view text);

// The same name: compared in Unicode normal form C, letters of either case alike unless `case_sensitive`. Directories
// compare more loosely (blanks folded, full-width letters taken for plain ones): whoever could choose such a name at
// the hub would get somebody else's files.
[[nodiscard]] bool same_name(std::string_view a, std::string_view b, bool case_sensitive);

// A group's name in normal form C, when it can be one of ours (GroupName); no rule could match another.
[[nodiscard]] std::optional<std::string> usable_group_name(std::string_view raw);

template <class T>
void sort_unique(std::vector<T>& list) {
  std::sort(list.begin(), list.end());
  list.erase(std::unique(list.begin(), list.end()), list.end());
}

}  // namespace homeport::drivers::identity
