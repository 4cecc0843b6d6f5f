#include "provisioner/config/kubernetes_settings.h"

#include <algorithm>

namespace homeport::config {
namespace {

constexpr std::size_t kMaxNamespaces = 16;

// RFC 1123.
bool is_label(std::string_view text) {
  const auto edge = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  if (text.empty() || text.size() > 63 || !edge(text.front()) || !edge(text.back())) return false;
  return std::ranges::all_of(text, [&](char c) { return edge(c) || c == '-'; });
}

void read_server(DocReader& in, KubernetesSettings& out) {
  const auto server = in.required("server", &Url::parse);
  if (!server) return;
  if (!server->tls) {
    in.problem("server", "does not start with https://", "the service account's token goes along with every request");
  } else {
    out.server = *server;
  }
}

void read_namespaces(DocReader& in, KubernetesSettings& out) {
  if (!in.has("namespaces")) in.missing("namespaces");
  out.namespaces = in.texts("namespaces");
  if (in.has("namespaces") && out.namespaces.empty()) in.problem("namespaces", "names none");
  if (out.namespaces.size() > kMaxNamespaces)
    in.problem("namespaces", "has more than " + std::to_string(kMaxNamespaces) + " entries");
  for (std::size_t i = 0; i < out.namespaces.size(); ++i) {
    const auto& name = out.namespaces[i];
    if (!is_label(name)) {
      in.problem("namespaces", "'" + printable(name, 80) + "' is not a Kubernetes namespace",
                 "use at most 63 lower-case letters, digits and inner hyphens");
    }
    if (std::find(out.namespaces.begin(), out.namespaces.begin() + static_cast<std::ptrdiff_t>(i), name) !=
        out.namespaces.begin() + static_cast<std::ptrdiff_t>(i)) {
      in.problem("namespaces", "names '" + printable(name, 80) + "' twice");
    }
  }
}

}  // namespace

std::optional<KubernetesSettings> read_kubernetes(DocReader& in) {
  if (!in.has("kubernetes")) return std::nullopt;
  DocReader section = in.object("kubernetes");
  KubernetesSettings out;
  read_server(section, out);
  if (const auto file = section.parsed("ca_file", &AbsolutePath::parse)) out.ca_file = file->str();
  if (const auto token = read_secret_ref(section, "token")) {
    out.token = *token;
  } else if (!section.has("token")) {
    section.missing("token");
  }
  read_namespaces(section, out);
  if (const auto capacity = section.optional_bytes("placeholder_capacity")) {
    if (capacity->count() == 0) section.problem("placeholder_capacity", "must be more than nothing");
    out.placeholder_capacity = *capacity;
  }
  section.finish();
  return out;
}

}  // namespace homeport::config
