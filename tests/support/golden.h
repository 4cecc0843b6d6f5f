// Golden files: tests/golden/<name>. HOMEPORT_UPDATE_GOLDEN=1 rewrites the file and *skips* the test, so that a
// rewriting run never passes for a check.
#pragma once

#include <string>

namespace homeport::testing {

void expect_golden(const std::string& actual, const std::string& name);
[[nodiscard]] std::string read_file(const std::string& path);  // fails the test when it cannot
[[nodiscard]] std::string source_path(const std::string& relative);

}  // namespace homeport::testing
