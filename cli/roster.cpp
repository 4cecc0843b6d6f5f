#include "cli/roster.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <optional>

#include "provisioner/base/bytes.h"
#include "provisioner/base/names.h"

namespace homeport::cli {
namespace {

struct Format {
  std::string_view what;
  std::vector<std::string_view> columns;
  std::vector<std::string_view> needed;
  std::string_view hint;
};
const Format& roster_format() {
  static const Format format{.what = "a roster",
                             .columns = {"user", "uid", "gid", "class", "quota"},
                             .needed = {"user"},
                             .hint = "the header names the columns: user and, if wanted, uid, gid, class and quota"};
  return format;
}
const Format& map_format() {
  static const Format format{
      .what = "a map of homes",
      .columns = {"user", "path", "uid", "gid", "class", "quota"},
      .needed = {"user", "path"},
      .hint = "the header names the columns: user,path and, if wanted, uid, gid, class and quota"};
  return format;
}

struct Row {
  std::size_t line = 0;
  std::vector<std::string> fields{};
};

class Problems {
 public:
  Problems(std::string source, const Format& format) : source_(std::move(source)), format_(format) {}
  [[nodiscard]] const Format& format() const { return format_; }
  void add(std::size_t line, const std::string& what) { list_.emplace_back(line, what); }
  [[nodiscard]] bool none() const { return list_.empty(); }
  [[nodiscard]] Error to_error() {
    std::ranges::stable_sort(list_, {}, [](const auto& problem) { return problem.first; });
    std::string text = source_ + " has " + std::to_string(list_.size()) +
                       (list_.size() == 1 ? " problem" : " problems") + "; nothing was sent";
    for (const auto& [line, what] : list_) text += "\nline " + std::to_string(line) + ": " + what;
    return Error{.code = Errc::invalid_argument, .message = std::move(text), .hint = std::string(format_.hint)};
  }

 private:
  std::string source_;
  const Format& format_;
  std::vector<std::pair<std::size_t, std::string>> list_{};
};

// RFC 4180, section 2: quoted fields may hold commas, line ends and doubled quotes.
class CsvReader {
 public:
  CsvReader(std::string_view text, Problems& problems) : text_(text), problems_(problems) {
    if (text_.starts_with("\xEF\xBB\xBF")) text_.remove_prefix(3);
  }

  std::optional<Row> next() {
    while (at_ < text_.size()) {
      Row row{.line = line_};
      read_row(row);
      if (row.fields.size() > 1 || !row.fields[0].empty()) return row;
    }
    return std::nullopt;
  }

 private:
  void read_row(Row& row) {
    for (;;) {
      row.fields.push_back(at_ < text_.size() && text_[at_] == '"' ? quoted(row.line) : plain(row.line));
      if (at_ >= text_.size()) return;
      const char c = text_[at_++];
      if (c == ',') continue;
      if (c == '\r' && at_ < text_.size() && text_[at_] == '\n') ++at_;
      ++line_;
      return;
    }
  }

  std::string plain(std::size_t line) {
    const std::size_t end = std::min(text_.find_first_of(",\r\n", at_), text_.size());
    std::string out(text_.substr(at_, end - at_));
    if (out.find('"') != std::string::npos) problems_.add(line, "a quote inside a field that does not start with one");
    at_ = end;
    return out;
  }

  std::string quoted(std::size_t line) {
    std::string out;
    for (++at_; at_ < text_.size(); ++at_) {
      if (text_[at_] == '\n') ++line_;
      if (text_[at_] != '"') {
        out += text_[at_];
      } else if (at_ + 1 < text_.size() && text_[at_ + 1] == '"') {
        out += '"';
        ++at_;
      } else {
        ++at_;
        if (at_ < text_.size() && std::string_view(",\r\n").find(text_[at_]) == std::string_view::npos) {
          problems_.add(line, "something stands behind a closing quote");
          at_ = std::min(text_.find_first_of(",\r\n", at_), text_.size());
        }
        return out;
      }
    }
    problems_.add(line, "a quoted field is not closed");
    return out;
  }

  std::string_view text_;
  Problems& problems_;
  std::size_t at_ = 0;
  std::size_t line_ = 1;
};

// As spreadsheets of some countries, and databases, write their files.
std::string other_separator(const std::string& name) {
  if (name.find(';') != std::string::npos) return ": its fields are separated by ';', and have to be by ','";
  if (name.find('\t') != std::string::npos) return ": its fields are separated by tabs, and have to be by ','";
  return {};
}

bool in_single_quotes(const std::string& text) {
  return text.size() > 1 && text.front() == '\'' && text.back() == '\'';
}

// Column name -> place. Nothing when the header is unusable: then no line can be read.
std::optional<std::map<std::string, std::size_t>> read_header(const Row& row, Problems& problems) {
  std::map<std::string, std::size_t> places;
  bool usable = true;
  for (std::size_t i = 0; i < row.fields.size(); ++i) {
    const auto& name = row.fields[i];
    const auto& columns = problems.format().columns;
    if (std::ranges::find(columns, name) == columns.end()) {
      problems.add(row.line, "'" + printable(name, 40) + "' is no column of " + std::string(problems.format().what) +
                                 other_separator(name));
      usable = false;
    } else if (!places.emplace(name, i).second) {
      problems.add(row.line, "column '" + name + "' stands there twice");
      usable = false;
    }
  }
  for (const auto needed : problems.format().needed) {
    if (!places.contains(std::string(needed))) {
      problems.add(row.line, "column '" + std::string(needed) + "' is missing");
      usable = false;
    }
  }
  if (!usable) return std::nullopt;
  return places;
}

std::optional<std::uint32_t> read_id(const std::string& text, std::string_view what, std::size_t line,
                                     Problems& problems) {
  constexpr std::uint32_t kNobody = 0xFFFFFFFF;  // (uid_t)-1 means "no change" to the kernel
  std::uint32_t value = 0;
  const auto* end = text.data() + text.size();
  const auto [at, ec] = std::from_chars(text.data(), end, value);
  if (text.empty() || ec != std::errc{} || at != end || value == kNobody) {
    problems.add(line, std::string(what) + " '" + printable(text, 40) + "' is no number from 0 to 4294967294");
    return std::nullopt;
  }
  if (value == 0 && what == "uid") {
    problems.add(line, "uid 0 is root; homes are for people");
    return std::nullopt;
  }
  return value;
}

std::optional<RosterLine> read_line(const Row& row, const std::map<std::string, std::size_t>& places,
                                    Problems& problems) {
  if (row.fields.size() != places.size()) {
    problems.add(row.line,
                 std::to_string(row.fields.size()) + " fields, the header has " + std::to_string(places.size()));
    return std::nullopt;
  }
  const auto field = [&](const std::string& name) {
    const auto place = places.find(name);
    return place == places.end() ? std::string{} : row.fields[place->second];
  };
  RosterLine out{.line = row.line, .user = field("user")};
  bool good = true;
  if (in_single_quotes(out.user) || in_single_quotes(field("path"))) {
    problems.add(row.line, "a field stands in single quotes, which would be part of it; quote with \", or not at all");
    return std::nullopt;
  }
  if (const auto name = UserName::parse(out.user); !name) {
    problems.add(row.line, name.error().message);
    good = false;
  }
  const bool map = &problems.format() == &map_format();
  const auto id = [&](const char* what) -> std::optional<std::uint32_t> {
    if (field(what).empty()) return 0;
    return read_id(field(what), what, row.line, problems);
  };
  const auto uid = id("uid");
  const auto gid = id("gid");
  if (!map && field("uid").empty() != field("gid").empty()) {
    problems.add(row.line, "uid and gid go together: name both, or neither");
    good = false;
  }
  out.path = field("path");
  if (map && out.path.empty()) {
    problems.add(row.line, "path is empty");
    good = false;
  }
  out.klass = field("class");
  out.quota = field("quota");
  if (!out.klass.empty()) {
    if (const auto klass = Slug::parse(out.klass); !klass) {
      problems.add(row.line, "class: " + klass.error().message);
      good = false;
    }
  }
  if (!out.quota.empty()) {
    if (const auto quota = Bytes::parse(out.quota); !quota) {
      problems.add(row.line, "quota: " + quota.error().message);
      good = false;
    }
  }
  if (!good || !uid || !gid) return std::nullopt;
  out.uid = *uid;
  out.gid = *gid;
  return out;
}

std::string csv_field(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string out = "\"";
  for (const char c : text) {
    out += c;
    if (c == '"') out += c;
  }
  return out + "\"";
}

}  // namespace

namespace {

Result<std::vector<RosterLine>> parse_lines(std::string_view text, const std::string& source, const Format& format) {
  Problems problems(source, format);
  CsvReader reader(text, problems);
  std::vector<RosterLine> lines;
  const auto header = reader.next();
  if (!header) {
    problems.add(1, "the file is empty");
    return problems.to_error();
  }
  const auto places = read_header(*header, problems);
  std::map<std::string, std::size_t> seen;
  while (const auto row = reader.next()) {
    if (!places) continue;  // the reader still finds what is wrong with the quoting
    auto line = read_line(*row, *places, problems);
    if (!line) continue;
    const auto [first, fresh] = seen.emplace(line->user, line->line);
    if (!fresh) {
      problems.add(line->line, "user '" + printable(line->user, 60) + "' stands in line " +
                                   std::to_string(first->second) + " already");
    }
    lines.push_back(*std::move(line));
  }
  if (!problems.none()) return problems.to_error();
  return lines;
}

}  // namespace

Result<std::vector<RosterLine>> parse_roster(std::string_view text, const std::string& source) {
  return parse_lines(text, source, roster_format());
}

Result<std::vector<RosterLine>> parse_home_map(std::string_view text, const std::string& source) {
  return parse_lines(text, source, map_format());
}

std::string roster_text(const std::vector<RosterLine>& lines) {
  const bool map = std::ranges::any_of(lines, [](const auto& line) { return !line.path.empty(); });
  std::string out = map ? "user,path,uid,gid,class,quota\n" : "user,uid,gid,class,quota\n";
  for (const auto& line : lines) {
    const auto ids = line.uid == 0 ? "," : std::to_string(line.uid) + "," + std::to_string(line.gid);
    out += csv_field(line.user) + "," + (map ? csv_field(line.path) + "," : "") + ids + "," + csv_field(line.klass) +
           "," + csv_field(line.quota) + "\n";
  }
  return out;
}

}  // namespace homeport::cli
