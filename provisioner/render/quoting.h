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

}  // namespace homeport::render
