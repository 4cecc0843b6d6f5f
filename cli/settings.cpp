#include "cli/settings.h"

#include <sys/stat.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <system_error>

#include "provisioner/base/doc_reader.h"
#include "provisioner/config/yaml_document.h"

namespace homeport::cli {
namespace {

constexpr std::string_view kDefaultUrl = "http://127.0.0.1:7717";
constexpr std::size_t kMaxTokenFile = 4096;

std::string reason() {
  return std::generic_category().message(errno);
}

std::string resolved(const std::string& path, const std::string& folder, const Environment& env) {
  if (path.empty() || path.front() == '/') return path;
  if (path == "~" || path.starts_with("~/")) return env("HOME").value_or("") + path.substr(1);
  return folder + "/" + path;
}

Result<std::string> read_small_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return Error{.code = Errc::invalid_argument, .message = "cannot read " + path + ": " + reason()};
  std::string text{std::istreambuf_iterator<char>(in), {}};
  if (in.bad()) return Error{.code = Errc::invalid_argument, .message = "cannot read " + path};
  return text;
}

Result<Secret> check_token(std::string text, const std::string& from) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' ')) text.pop_back();
  bool odd = text.empty() || text.size() > kMaxTokenFile;
  for (const char c : text) odd = odd || c <= 0x20 || c >= 0x7f;
  if (odd) {
    return Error{.code = Errc::invalid_argument,
                 .message = from + " does not hold a token",
                 .hint = "it must be one line, as homeport token create printed it"};
  }
  return Secret(std::move(text));
}

Result<Secret> read_token(const std::string& path, Settings& settings) {
  auto text = read_small_file(path);
  if (!text) {
    auto error = std::move(text).error();
    error.hint = "--token-file (or token_file of the context) names a file that holds a token";
    return error;
  }
  struct stat info {};
  if (stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode) && (info.st_mode & 077U) != 0) {
    settings.warnings.push_back("the token in " + path + " can be read by others; chmod 600 it");
  }
  return check_token(std::move(text).value(), path);
}

void read_contexts(Problems& problems, ContextFile& file, const Environment& env) {
  const std::string folder = std::filesystem::path(file.path).parent_path().string();
  auto root = DocReader::root(problems);
  file.current = root.text("current-context", "");
  for (auto& item : root.objects("contexts")) {
    Context context{.name = item.text("name"), .url = item.text("url")};
    context.token_file = resolved(item.text("token_file", ""), folder, env);
    context.ca_file = resolved(item.text("ca_file", ""), folder, env);
    context.realm = item.text("realm", "");
    item.finish();
    if (item.has("url")) {
      if (const auto url = Url::parse(context.url); !url) item.problem("url", url.error().message, url.error().hint);
    }
    if (file.find(context.name) != nullptr) item.problem("name", "context '" + context.name + "' stands there twice");
    file.contexts.push_back(std::move(context));
  }
  if (!file.current.empty() && file.find(file.current) == nullptr) {
    root.problem("current-context", "no context is called '" + file.current + "'");
  }
  root.finish();
}

Error no_such_context(const ContextFile& file, const std::string& name) {
  std::string known;
  for (const auto& context : file.contexts) known += (known.empty() ? "" : ", ") + context.name;
  return Error{.code = Errc::not_found,
               .message = "no context is called '" + printable(name) + "'",
               .hint = known.empty() ? "there are none: " + (file.path.empty() ? "HOME is not set" : file.path) +
                                           (file.exists ? " lists no contexts" : " does not exist")
                                     : "known: " + known};
}

Result<const Context*> choose_context(const SettingChoices& choices, const ContextFile& file) {
  const std::string& name = choices.context.empty() ? file.current : choices.context;
  if (name.empty()) return static_cast<const Context*>(nullptr);
  const Context* found = file.find(name);
  if (found == nullptr) return no_such_context(file, name);
  return found;
}

// The hub's token is for the service that the hub's own environment names.
Result<void> choose_hub_token(const Environment& env, Settings& out) {
  const auto token = env("JUPYTERHUB_API_TOKEN");
  if (!token || token->empty()) return {};
  const auto address = Url::parse(env("HOMEPORT_URL").value_or(""));
  if (!address || address->to_string() != out.url.to_string()) {
    out.no_token_because = "JUPYTERHUB_API_TOKEN goes only to the address in HOMEPORT_URL";
    return {};
  }
  out.token_from = "JUPYTERHUB_API_TOKEN";
  HOMEPORT_TRY(out.token, check_token(*token, out.token_from));
  const auto hub = env("HOMEPORT_HUB");
  if (!hub || hub->empty()) return {};
  HOMEPORT_TRY(const auto name, Slug::parse(*hub).context("HOMEPORT_HUB"));
  out.hub = name.str();
  return {};
}

Result<void> choose_token(const SettingChoices& choices, const Environment& env, const Context* context,
                          Settings& out) {
  if (!choices.token_file.empty()) {
    out.token_from = choices.token_file;
    HOMEPORT_TRY(out.token, read_token(choices.token_file, out));
  } else if (const auto given = env("HOMEPORT_TOKEN"); given && !given->empty()) {
    out.token_from = "HOMEPORT_TOKEN";
    HOMEPORT_TRY(out.token, check_token(*given, "HOMEPORT_TOKEN"));
  } else if (context != nullptr && !context->token_file.empty()) {
    out.token_from = context->token_file;
    HOMEPORT_TRY(out.token, read_token(context->token_file, out));
  } else {
    HOMEPORT_CHECK(choose_hub_token(env, out));
  }
  if (out.token && !out.url.tls && !out.url.is_loopback()) {
    out.warnings.push_back("the token travels unencrypted to " + out.url.to_string() + "; use https");
  }
  return {};
}

}  // namespace

const Context* ContextFile::find(std::string_view name) const {
  for (const auto& context : contexts) {
    if (context.name == name) return &context;
  }
  return nullptr;
}

Result<ContextFile> load_contexts(const Environment& env) {
  ContextFile file{.path = {}};
  if (const auto xdg = env("XDG_CONFIG_HOME"); xdg && xdg->starts_with('/')) {
    file.path = *xdg + "/homeport/config.yaml";
  } else if (const auto home = env("HOME"); home && home->starts_with('/')) {
    file.path = *home + "/.config/homeport/config.yaml";
  }
  struct stat info {};
  if (file.path.empty() || stat(file.path.c_str(), &info) != 0) return file;
  file.exists = true;
  HOMEPORT_TRY(const auto text, read_small_file(file.path));
  HOMEPORT_TRY(const auto document, config::parse_yaml_document(text, file.path));
  Problems problems(document);
  read_contexts(problems, file, env);
  if (!problems.none()) return problems.to_error();
  return file;
}

Result<void> use_context(const ContextFile& file, const std::string& name) {
  if (file.find(name) == nullptr) return no_such_context(file, name);
  HOMEPORT_TRY(const auto text, read_small_file(file.path));
  std::istringstream in(text);
  std::string out;
  bool replaced = false;
  const std::string wanted = "current-context: " + nlohmann::json(name).dump() + "\n";
  for (std::string line; std::getline(in, line);) {
    const bool here = line.starts_with("current-context:");
    out += here ? wanted : line + "\n";
    replaced = replaced || here;
  }
  if (!replaced) out.insert(0, wanted);
  const std::string fresh = file.path + ".new";
  std::error_code ec;
  {
    std::ofstream to(fresh, std::ios::binary | std::ios::trunc);
    to << out;
    to.close();
    if (!to) return Error{.code = Errc::failed_precondition, .message = "cannot write " + fresh + ": " + reason()};
  }
  std::filesystem::permissions(fresh, std::filesystem::status(file.path, ec).permissions(), ec);
  std::filesystem::rename(fresh, file.path, ec);
  if (ec)
    return Error{.code = Errc::failed_precondition, .message = "cannot replace " + file.path + ": " + ec.message()};
  return {};
}

Result<Settings> load_settings(const SettingChoices& choices, const Environment& env) {
  HOMEPORT_TRY(const auto file, load_contexts(env));
  HOMEPORT_TRY(const Context* context, choose_context(choices, file));
  std::string url(kDefaultUrl);
  Settings out{.url = {.host = {}}, .url_from = "default"};
  if (!choices.url.empty()) {
    url = choices.url;
    out.url_from = "--url";
  } else if (const auto given = env("HOMEPORT_URL"); given && !given->empty() && choices.context.empty()) {
    url = *given;
    out.url_from = "HOMEPORT_URL";
  } else if (context != nullptr) {
    url = context->url;
    out.url_from = "context " + context->name;
  }
  HOMEPORT_TRY(out.url, std::move(Url::parse(url)).context(out.url_from));
  if (context != nullptr && choices.context.empty()) {
    const auto own = Url::parse(context->url);
    if (own && own->to_string() != out.url.to_string()) context = nullptr;  // its credentials are for another address
  }
  HOMEPORT_CHECK(choose_token(choices, env, context, out));
  if (context != nullptr) {
    out.context = context->name;
    out.ca_file = context->ca_file;
    out.realm = context->realm;
  }
  if (const auto own_ca = env("HOMEPORT_CA_FILE"); own_ca && out.url_from == "HOMEPORT_URL") out.ca_file = *own_ca;
  if (!choices.ca_file.empty()) out.ca_file = choices.ca_file;
  if (!choices.realm.empty()) out.realm = choices.realm;
  return out;
}

}  // namespace homeport::cli
