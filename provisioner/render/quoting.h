// One function per layer of quoting. Renderers compose them; none of them decides what is allowed.
#pragma once

#include <string>
#include <string_view>

namespace homeport::render {

// POSIX shell: 'text', an inner quote as '\''.
[[nodiscard]] std::string shell_quote(std::string_view text);
// One field as Go's encoding/csv reads it (RFC 4180): quoted when it holds a comma, a quote or a line break.
[[nodiscard]] std::string csv_field(std::string_view text);
// fstab(5): blank, tab, newline, backslash and '#' as three octal digits.
[[nodiscard]] std::string fstab_field(std::string_view text);
// Python str.format: literal braces are doubled.
[[nodiscard]] std::string double_braces(std::string_view text);
// Kubernetes expands $(NAME) in environment values and reads $$ as one dollar sign.
[[nodiscard]] std::string kubernetes_literal(std::string_view text);

// YAML: a double-quoted scalar of printable ASCII; all else as \xNN, \uNNNN or \UNNNNNNNN. Precondition: valid UTF-8.
[[nodiscard]] std::string yaml_quote(std::string_view text);
// Compose substitutes $NAME in every value and reads $$ as one dollar sign.
[[nodiscard]] std::string compose_literal(std::string_view text);
// autofs(5): one word of a map's entry.
[[nodiscard]] std::string autofs_word(std::string_view text);
// systemd.unit(5): a value in a unit file; '%' begins a specifier, a backslash at the end continues the line.
[[nodiscard]] std::string systemd_value(std::string_view text);
// systemd.unit(5), "String escaping for inclusion in unit names": of an absolute, normalised path.
[[nodiscard]] std::string systemd_path_name(std::string_view path);
// One side of a bind in a property handed to systemd-run: ':' and blanks divide, quotes and the backslash quote.
[[nodiscard]] std::string systemd_bind_word(std::string_view path);
// systemd.exec(5), EnvironmentFile=: in double quotes, with a backslash before what it would take for its own.
[[nodiscard]] std::string systemd_env_value(std::string_view text);

}  // namespace homeport::render
