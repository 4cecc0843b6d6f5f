// YAML text as a Document (provisioner/base/doc_reader.h): JSON values with the line of every member.
//
// One strict subset, so that a file means what it looks like: scalars by the core schema of YAML 1.2.2
// (chapter 10.3.2), without its octal and hexadecimal forms. 'no', 'yes', 'on', 0123, 0o17 and 0x1F are text; what
// stands in quotes is text. Keys are text. Aliases are copied; merge keys and tags (but !!str) are refused.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "provisioner/base/doc_reader.h"
#include "provisioner/base/result.h"

namespace homeport::config {

inline constexpr std::size_t kMaxYamlNodes = 100'000;  // after aliases are copied
inline constexpr std::size_t kMaxYamlDepth = 64;
inline constexpr std::size_t kMaxDocumentBytes = std::size_t{8} << 20U;

// Errors: invalid_argument "SOURCE line L, column C: …" for broken syntax, bad UTF-8, control characters, tabs that
// indent, doubled keys, keys that are not text, tags, more than one document, too many or too deep nodes. Everything
// but broken syntax is collected, so that one message names all of it. An empty text is a document that holds null.
[[nodiscard]] Result<Document> parse_yaml_document(std::string_view text, std::string source);

// A file that another program wrote: several documents, and more in them than a person writes by hand.
struct YamlLimits {
  std::size_t bytes = kMaxDocumentBytes;
  std::size_t nodes = kMaxYamlNodes;  // of all documents together
};
// Each document of the text as a value, empty ones left out; strict in the same way. No lines are kept. Errors: the
// same, but for several documents.
[[nodiscard]] Result<std::vector<nlohmann::json>> parse_yaml_stream(std::string_view text, const std::string& source,
                                                                    const YamlLimits& limits);

// Reads a file: JSON where its name ends in .json, YAML otherwise. The source of the document is `path`.
// Errors: not_found; failed_precondition when it cannot be read; too_large over kMaxDocumentBytes; and those above.
[[nodiscard]] Result<Document> load_document(const std::string& path);

}  // namespace homeport::config
