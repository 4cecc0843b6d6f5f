// Parsers written for the tests alone, sharing nothing with the renderers.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace homeport::render::testing {

// RFC 4180, one record, as strict as Go's encoding/csv: a quote inside an unquoted field fails the test.
[[nodiscard]] std::vector<std::string> parse_csv_record(const std::string& line);

struct FstabEntry {
  std::string source;
  std::string target;
  std::string type;
  std::string options;
};
// fstab(5) by its manual page: fields divided by blanks, \NNN is an octet, lines that start with '#' are comments.
[[nodiscard]] std::vector<FstabEntry> parse_fstab(const std::string& text);
// The same text through getmntent(3), which leaves \043 alone in older C libraries; that one is decoded here.
[[nodiscard]] std::vector<FstabEntry> parse_with_getmntent(const std::string& file);

// One --mount argument of Docker.
struct DockerMount {
  std::map<std::string, std::string> fields;  // type, source, target, volume-driver; flags are ""
  std::map<std::string, std::string> volume_opts;
};
[[nodiscard]] DockerMount parse_docker_mount(const std::string& argument);

// What Kubernetes makes of an environment value when no variable is defined: references vanish.
[[nodiscard]] std::string kubernetes_expand(std::string_view value);

}  // namespace homeport::render::testing
