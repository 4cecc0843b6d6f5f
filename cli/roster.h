// A roster: who shall have a home. CSV as RFC 4180 writes it, with a header line that names the columns
// user[,uid,gid][,class][,quota] in any order; a byte order mark and either line end are fine. A map of homes that
// stand already is the same with the columns user,path[,uid][,gid][,class][,quota].
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "provisioner/base/result.h"

namespace homeport::cli {

struct RosterLine {
  std::size_t line = 0;  // where it starts in the file
  std::string user;
  std::uint32_t uid = 0;  // 0: left out, for the service to know or to find; in a map, those of the directory
  std::uint32_t gid = 0;
  std::string klass{};    // empty: the rules decide
  std::string quota{};    // as written; empty: the class decides
  std::string path{};     // a map's: where the home stands
  std::string backend{};  // set by whoever imports
  bool whole = false;     // likewise: the path is a file system of an array
  bool measure = true;    // likewise
};

// Errors: invalid_argument with every bad and doubled line, each with its number. A header alone is an empty roster.
[[nodiscard]] Result<std::vector<RosterLine>> parse_roster(std::string_view text, const std::string& source);
[[nodiscard]] Result<std::vector<RosterLine>> parse_home_map(std::string_view text, const std::string& source);
// A roster again, all five columns; a map when the lines have paths. Parsing reads back the same lines.
[[nodiscard]] std::string roster_text(const std::vector<RosterLine>& lines);

}  // namespace homeport::cli
