#include "cli/output.h"

#include <utf8proc.h>

#include <algorithm>
#include <limits>
#include <numeric>

#include "provisioner/base/bytes.h"
#include "provisioner/base/names.h"

namespace homeport::cli {
namespace {

constexpr std::size_t kGap = 2;
constexpr std::size_t kNarrowest = 6;

// Bytes of the character at `at` and its width; broken bytes count as one column each.
std::pair<std::size_t, std::size_t> step_at(std::string_view text, std::size_t at) {
  const std::string bytes(text.substr(at, 4));
  utf8proc_int32_t c = 0;
  const auto used = utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t*>(bytes.data()),
                                     static_cast<utf8proc_ssize_t>(bytes.size()), &c);
  if (used <= 0) return {1, 1};
  return {static_cast<std::size_t>(used), static_cast<std::size_t>(std::max(0, utf8proc_charwidth(c)))};
}

std::string padded(const std::string& text, std::size_t width, Align align) {
  const std::size_t used = display_width(text);
  const std::string blank(width > used ? width - used : 0, ' ');
  return align == Align::left ? text + blank : blank + text;
}

std::string_view escape_of(Tone tone) {
  switch (tone) {
    case Tone::plain: return "";
    case Tone::good: return "\x1b[32m";
    case Tone::warn: return "\x1b[33m";
    case Tone::bad: return "\x1b[31m";
    case Tone::faint: return "\x1b[2m";
  }
  return "";
}

std::size_t widest_word(std::string_view text) {
  std::size_t widest = 0;
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t end = std::min(text.find(' ', at), text.size());
    widest = std::max(widest, display_width(text.substr(at, end - at)));
    at = end + 1;
  }
  return widest;
}

std::string one_line(const std::string& text) {
  std::string out = text;
  std::ranges::replace(out, '\n', ' ');
  return safe_text(out);
}

}  // namespace

std::string safe_text(std::string_view text) {
  return printable(text, std::numeric_limits<std::size_t>::max());
}

std::size_t display_width(std::string_view text) {
  std::size_t width = 0;
  for (std::size_t at = 0; at < text.size();) {
    const auto [bytes, columns] = step_at(text, at);
    at += bytes;
    width += columns;
  }
  return width;
}

std::string shortened(std::string_view text, std::size_t width) {
  if (display_width(text) <= width) return std::string(text);
  if (width == 0) return {};
  std::size_t at = 0;
  std::size_t used = 0;
  while (at < text.size()) {
    const auto [bytes, columns] = step_at(text, at);
    if (used + columns > width - 1) break;
    at += bytes;
    used += columns;
  }
  return std::string(text.substr(0, at)) + "…";
}

Tone tone_of(std::string_view word) {
  for (const std::string_view good : {"ok", "ready", "succeeded", "created", "exists", "yes"}) {
    if (word == good) return Tone::good;
  }
  for (const std::string_view bad : {"failed", "unreachable", "parked", "blocked", "error", "bad", "refused"}) {
    if (word == bad) return Tone::bad;
  }
  for (const std::string_view faint : {"purged", "released", "cancelled", "info", "keep"}) {
    if (word == faint) return Tone::faint;
  }
  for (const std::string_view plain : {"-", "no", "none", "home", "dataset"}) {
    if (word == plain) return Tone::plain;
  }
  return Tone::warn;
}

std::string painted(std::string_view text, Tone tone, bool color) {
  if (!color || tone == Tone::plain) return std::string(text);
  return std::string(escape_of(tone)) + std::string(text) + "\x1b[0m";
}

void Table::add(std::vector<Cell> row) {
  row.resize(columns_.size());
  for (auto& cell : row) cell.text = cell.text.empty() ? "-" : one_line(cell.text);
  rows_.push_back(std::move(row));
}

std::vector<std::size_t> Table::widths(std::size_t limit) const {
  std::vector<std::size_t> out;
  for (std::size_t c = 0; c < columns_.size(); ++c) {
    std::size_t widest = display_width(columns_[c].title);
    for (const auto& row : rows_) widest = std::max(widest, display_width(row[c].text));
    out.push_back(widest);
  }
  const auto total = [&] { return std::accumulate(out.begin(), out.end(), kGap * (columns_.size() - 1)); };
  for (const bool any : {false, true}) {
    while (total() > limit) {
      std::size_t widest = columns_.size();
      for (std::size_t c = 0; c < columns_.size(); ++c) {
        if ((any || columns_[c].shrinks) && out[c] > kNarrowest &&
            (widest == columns_.size() || out[c] > out[widest])) {
          widest = c;
        }
      }
      if (widest == columns_.size()) break;
      --out[widest];
    }
  }
  return out;
}

std::string Table::text(const Look& look) const {
  const auto fit = widths(look.width);
  std::string out;
  const auto line = [&](const auto& cell_at) {
    std::string text;
    for (std::size_t c = 0; c < columns_.size(); ++c) {
      if (c > 0) text.append(kGap, ' ');
      const Cell cell = cell_at(c);
      std::string cut = padded(shortened(cell.text, fit[c]), fit[c], columns_[c].align);
      if (c + 1 == columns_.size()) cut.erase(cut.find_last_not_of(' ') + 1);
      text += painted(cut, cell.tone, look.color);
    }
    text.erase(text.find_last_not_of(' ') + 1);
    out += text + "\n";
  };
  line([&](std::size_t c) { return Cell{columns_[c].title, Tone::faint}; });
  for (const auto& row : rows_) line([&](std::size_t c) { return row[c]; });
  return out;
}

std::string wrapped(std::string_view text, std::size_t width, std::string_view indent) {
  std::string out;
  std::string line;
  std::size_t used = 0;
  const auto flush = [&] {
    out += line.empty() ? "\n" : std::string(indent) + line + "\n";
    line.clear();
    used = 0;
  };
  std::size_t at = 0;
  while (at <= text.size()) {
    const std::size_t end = std::min(text.find_first_of(" \n", at), text.size());
    const std::string_view word = text.substr(at, end - at);
    const std::size_t columns = display_width(word);
    if (!line.empty() && indent.size() + used + 1 + columns > width) flush();
    if (!word.empty()) {
      if (!line.empty()) {
        line += ' ';
        ++used;
      }
      line += word;
      used += columns;
    }
    if (end < text.size() && text[end] == '\n') flush();
    at = end + 1;
  }
  if (!line.empty()) flush();
  return out;
}

std::string hanging(std::string_view first, std::string_view text, std::size_t width, std::string_view indent) {
  const std::string lines = wrapped(text, width, indent);
  return std::string(first) + (lines.size() > indent.size() ? lines.substr(indent.size()) : "\n");
}

std::string details_text(const std::vector<Detail>& details, const Look& look) {
  std::size_t label_width = 0;
  for (const auto& detail : details) label_width = std::max(label_width, display_width(detail.label));
  const std::string indent(label_width + 3, ' ');
  std::string out;
  for (const auto& detail : details) {
    const std::string value = detail.value.empty() ? "-" : one_line(detail.value);
    const std::string label = padded(detail.label + ":", label_width + 3, Align::left);
    if (widest_word(value) + indent.size() > look.width) {  // a path or digest: not cut, so that it can be copied
      out += detail.label + ":\n" + wrapped(value, look.width, "  ");
      continue;
    }
    std::string lines = hanging("", value, look.width, indent);
    lines.pop_back();
    out += label + painted(lines, detail.tone, look.color) + "\n";
  }
  return out;
}

std::string human_bytes(std::optional<std::uint64_t> bytes) {
  if (!bytes) return "-";
  if (*bytes == 0) return "0";
  constexpr std::string_view kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  std::size_t unit = 0;
  std::uint64_t scale = 1;
  while (unit < 6 && *bytes / scale >= 1024) {
    scale <<= 10U;
    ++unit;
  }
  const std::uint64_t whole = *bytes / scale;
  const std::uint64_t tenth = (*bytes % scale) / (scale / 10 + (scale < 10 ? 1 : 0));
  std::string out = std::to_string(whole);
  if (whole < 100 && unit > 0 && tenth > 0) out += "." + std::to_string(std::min<std::uint64_t>(tenth, 9));
  return out + std::string(kUnits[unit]);
}

std::string human_age(std::string_view rfc3339, WallTime now) {
  const auto then = parse_time(rfc3339);
  if (!then) return "-";
  auto seconds = std::chrono::duration_cast<std::chrono::seconds>(now - *then).count();
  const bool ahead = seconds < 0;
  if (ahead) seconds = -seconds;
  std::string out;
  if (seconds < 120) {
    out = std::to_string(seconds) + "s";
  } else if (seconds < 120 * 60) {
    out = std::to_string(seconds / 60) + "m";
  } else if (seconds < 48 * 3600) {
    out = std::to_string(seconds / 3600) + "h";
  } else {
    out = std::to_string(seconds / 86400) + "d";
  }
  return ahead ? "in " + out : out;
}

std::string human_time(std::string_view rfc3339, WallTime now) {
  const auto then = parse_time(rfc3339);
  if (!then) return rfc3339.empty() ? "-" : std::string(rfc3339);
  std::string shown = format_time(std::chrono::floor<std::chrono::seconds>(*then));
  if (const auto t = shown.find('T'); t != std::string::npos) shown[t] = ' ';
  const std::string age = human_age(rfc3339, now);
  return shown + (age.starts_with("in ") ? " (" + age + ")" : " (" + age + " ago)");
}

std::string request_id_of(const Error& error) {
  return error.upstream && error.upstream->system == "homeport" ? error.upstream->detail : std::string{};
}

std::string error_text(const Error& error, bool color) {
  // Several problems in one message stand on lines of their own.
  const std::string sentence = error.sentence();
  std::string out = "homeport: " + painted("error:", Tone::bad, color) + " ";
  for (std::size_t at = 0; at <= sentence.size();) {
    const std::size_t end = std::min(sentence.find('\n', at), sentence.size());
    out += (at == 0 ? "" : "  ") + safe_text(std::string_view(sentence).substr(at, end - at)) + "\n";
    at = end + 1;
  }
  if (!error.hint.empty()) out += "  hint: " + one_line(error.hint) + "\n";
  if (const auto id = request_id_of(error); !id.empty()) out += "  request: " + safe_text(id) + "\n";
  return out;
}

}  // namespace homeport::cli
