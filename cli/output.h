// What people read: tables, details, sizes, ages, errors. Pure functions: text in, text out.
//
// Everything that came from outside goes through safe_text(), so that no name can move a cursor or forge a line.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "provisioner/base/clock.h"
#include "provisioner/base/error.h"

namespace homeport::cli {

// Control and invisible characters and broken UTF-8 become \xNN.
[[nodiscard]] std::string safe_text(std::string_view text);
// Columns of a terminal, by Unicode's width classes.
[[nodiscard]] std::size_t display_width(std::string_view text);
// At most `width` columns; what is cut ends with an ellipsis.
[[nodiscard]] std::string shortened(std::string_view text, std::size_t width);

enum class Align { left, right };
enum class Tone { plain, good, warn, bad, faint };
// For words that say how something is: "ready", "failed", "paused", ...
[[nodiscard]] Tone tone_of(std::string_view word);

struct Look {
  std::size_t width = 80;
  bool color = false;
};

struct Column {
  std::string title;
  Align align = Align::left;
  bool shrinks = false;  // gives way first when the table is too wide
};
struct Cell {
  std::string text;  // raw; the table makes it safe
  Tone tone = Tone::plain;
};

// Fits look.width: the widest columns that may shrink give way first, then the others, never below 6 columns each.
class Table {
 public:
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}
  void add(std::vector<Cell> row);  // as many cells as columns
  [[nodiscard]] bool empty() const { return rows_.empty(); }
  [[nodiscard]] std::size_t rows() const { return rows_.size(); }
  [[nodiscard]] std::string text(const Look& look) const;

 private:
  [[nodiscard]] std::vector<std::size_t> widths(std::size_t limit) const;
  std::vector<Column> columns_;
  std::vector<std::vector<Cell>> rows_{};
};

// "label:  value" with aligned values; long values wrap under themselves. A word that does not fit beside its
// label stands on a line of its own, whole.
struct Detail {
  std::string label;
  std::string value;
  Tone tone = Tone::plain;
};
[[nodiscard]] std::string details_text(const std::vector<Detail>& details, const Look& look);

// Words of `text` in lines of at most `width` columns, each after `indent`. Line ends of the text are kept.
[[nodiscard]] std::string wrapped(std::string_view text, std::size_t width, std::string_view indent = "");

// The same with another beginning of the first line, as wide as the indent of the others. Never empty.
[[nodiscard]] std::string hanging(std::string_view first, std::string_view text, std::size_t width,
                                  std::string_view indent);

[[nodiscard]] std::string human_bytes(std::optional<std::uint64_t> bytes);    // "1.5GiB", "-"
[[nodiscard]] std::string human_age(std::string_view rfc3339, WallTime now);  // "5m", "3d", "-"
// "2026-11-20 08:00:00Z (5m ago)", "-"; what is no time is shown as it is.
[[nodiscard]] std::string human_time(std::string_view rfc3339, WallTime now);

[[nodiscard]] std::string painted(std::string_view text, Tone tone, bool color);
// "homeport: error: …", "  hint: …", "  request: …".
[[nodiscard]] std::string error_text(const Error& error, bool color);

// An Error that came over HTTP keeps the request's id as upstream {"homeport", status, id}.
[[nodiscard]] std::string request_id_of(const Error& error);

}  // namespace homeport::cli
