// How spawners turn a person's name into a directory or volume name; needed to find homes that exist already. Pure.
// Sources: escapism (legacy `escape` of KubeSpawner, DockerSpawner), kubespawner/slugs.py (7.x `safe`),
// tljh/normalize.py.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace homeport::policies {

enum class NameEncoding {
  raw,            // the name itself
  escape,         // KubeSpawner's legacy slug, DockerSpawner from 12.0: "bob@x" -> "bob-40x"
  legacy_escape,  // DockerSpawner before 12.0: "bob@x" -> "bob_40x"
  safe,           // KubeSpawner 7.x: kept where it is a DNS label, else cut and hashed; one-way
  tljh            // The Littlest JupyterHub, behind its "jupyter-": kept below 26 characters, else cut and hashed
};
// "user", "escaped_user", "legacy_escaped_user", "safe_user", "tljh_user": the words of a HomePattern.
[[nodiscard]] std::optional<NameEncoding> encoding_from_word(std::string_view word);

// `name` is valid UTF-8.
[[nodiscard]] std::string encode_name(NameEncoding encoding, std::string_view name);
// The name whose encoding `text` is. nullopt: there is none, or it cannot be told (hashed).
[[nodiscard]] std::optional<std::string> decode_name(NameEncoding encoding, std::string_view text);
// `text` ends in a hash, so that only somebody who knows the names can tell which one it is.
[[nodiscard]] bool is_hashed(NameEncoding encoding, std::string_view text);

}  // namespace homeport::policies
