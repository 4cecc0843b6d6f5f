// Which service, with which credential: options, environment and ~/.config/homeport/config.yaml, in this order.
//
//   current-context: lab
//   contexts:
//     - {name: lab, url: "https://homeport.lab:7717", token_file: ~/.homeport-token, ca_file: ca.pem, realm: lab}
//
// A context's token goes to that context's URL only: --url or HOMEPORT_URL with another address does not take it along.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "provisioner/base/result.h"
#include "provisioner/base/secret.h"
#include "provisioner/base/url.h"

namespace homeport::cli {

using Environment = std::function<std::optional<std::string>(const std::string& name)>;

struct Context {
  std::string name;
  std::string url;
  std::string token_file{};  // absolute, "~" resolved
  std::string ca_file{};
  std::string realm{};
};

struct ContextFile {
  std::string path;  // empty: no home directory is known
  bool exists = false;
  std::string current{};
  std::vector<Context> contexts{};
  [[nodiscard]] const Context* find(std::string_view name) const;
};

// Absent is fine. Errors: invalid_argument with every problem of the file and its line.
[[nodiscard]] Result<ContextFile> load_contexts(const Environment& env);
// Changes the line of current-context and nothing else; the file is replaced in one step. Errors: not_found for a name
// that no context has, which are listed.
[[nodiscard]] Result<void> use_context(const ContextFile& file, const std::string& name);

// What the command line said; empty means it said nothing.
struct SettingChoices {
  std::string url{};
  std::string token_file{};
  std::string context{};
  std::string realm{};
  std::string ca_file{};
};

struct Settings {
  Url url;
  std::string url_from;  // "--url", "HOMEPORT_URL", "context lab", "default": for messages
  std::optional<Secret> token{};
  std::string token_from{};
  std::string ca_file{};
  std::string realm{};
  std::string context{};
  std::vector<std::string> warnings{};  // a token file others can read, a token sent without TLS
};

[[nodiscard]] Result<Settings> load_settings(const SettingChoices& choices, const Environment& env);

}  // namespace homeport::cli
