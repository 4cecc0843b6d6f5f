#include <algorithm>

#include "cli/commands/registry.h"
#include "provisioner/base/names.h"

namespace homeport::cli {
namespace {

struct RbacOptions {
  std::vector<std::string> namespaces{};
  std::string account = "homeport";
  std::string account_namespace = "homeport";
};

// RFC 1123. What is let through needs no escaping in YAML beyond its quotes.
Result<void> check_label(const std::string& text, const char* what) {
  const auto edge = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  const bool good = !text.empty() && text.size() <= 63 && edge(text.front()) && edge(text.back()) &&
                    std::ranges::all_of(text, [&](char c) { return edge(c) || c == '-'; });
  if (good) return {};
  return Error{.code = Errc::invalid_argument,
               .message = "'" + printable(text) + "' is no name of a " + what,
               .hint = "use at most 63 lower-case letters, digits and inner hyphens"};
}

std::string subject(const RbacOptions& o) {
  return "subjects:\n- kind: \"ServiceAccount\"\n  name: \"" + o.account + "\"\n  namespace: \"" + o.account_namespace +
         "\"\n";
}

std::string head(const std::string& api, const std::string& kind, const std::string& name, const std::string& ns) {
  std::string out = "---\napiVersion: \"" + api + "\"\nkind: \"" + kind + "\"\nmetadata:\n  name: \"" + name + "\"\n";
  if (!ns.empty()) out += "  namespace: \"" + ns + "\"\n";
  return out + "  labels: {\"app.kubernetes.io/managed-by\": \"homeport\"}\n";
}

std::string role_ref(const std::string& kind, const std::string& name) {
  return "roleRef: {apiGroup: \"rbac.authorization.k8s.io\", kind: \"" + kind + "\", name: \"" + name + "\"}\n";
}

// What drivers/kubernetes asks for, and nothing else. A volume has no namespace, so its rights are the cluster's; no
// verb changes an object, and nothing but volumes and claims can be deleted.
std::string rbac_text(const RbacOptions& o) {
  const std::string api = "rbac.authorization.k8s.io/v1";
  const std::string name = o.account;
  const std::string verbs = "  verbs: [\"get\", \"list\", \"create\", \"delete\"]\n";
  std::string out = "# The rights that homeportd needs to make volumes and claims. Apply with: kubectl apply -f -\n";
  out += head("v1", "ServiceAccount", o.account, o.account_namespace);
  out += head(api, "ClusterRole", name + "-volumes", "");
  out += "rules:\n- apiGroups: [\"\"]\n  resources: [\"persistentvolumes\"]\n" + verbs;
  out += head(api, "ClusterRoleBinding", name + "-volumes", "");
  out += role_ref("ClusterRole", name + "-volumes") + subject(o);
  for (const auto& ns : o.namespaces) {
    out += head(api, "Role", name + "-claims", ns);
    out += "rules:\n- apiGroups: [\"\"]\n  resources: [\"persistentvolumeclaims\"]\n" + verbs;
    // Whether a claim is in use is only to be seen in the pods.
    out += "- apiGroups: [\"\"]\n  resources: [\"pods\"]\n  verbs: [\"list\"]\n";
    out += head(api, "RoleBinding", name + "-claims", ns);
    out += role_ref("Role", name + "-claims") + subject(o);
  }
  return out;
}

Result<ExitCode> rbac(Cli& cli, const RbacOptions& o) {
  for (const auto& ns : o.namespaces) HOMEPORT_CHECK(check_label(ns, "namespace"));
  HOMEPORT_CHECK(check_label(o.account, "service account"));
  HOMEPORT_CHECK(check_label(o.account_namespace, "namespace"));
  cli.print(rbac_text(o));
  return ExitCode::ok;
}

}  // namespace

void add_kubernetes_commands(const Noun& noun) {
  const auto verb = add_verb<RbacOptions>(
      noun,
      {.name = "rbac",
       .description =
           "Print the service account and the rights that homeportd needs to make PersistentVolumes and claims, as "
           "YAML for kubectl. Needs no service. The account's token then goes into a file that kubernetes.token of the "
           "configuration names, with the same namespaces: \n"
           "  kubernetes: {server: \"https://HOST:6443\", ca_file: CA.pem, token: {file: TOKEN}, namespaces: "
           "[jupyterhub]}",
       .example = "homeport kubernetes rbac --namespace jupyterhub | kubectl apply -f -\n"
                  "homeport kubernetes rbac --namespace hub-a --namespace hub-b"},
      rbac);
  auto& o = verb.options;
  verb.app->add_option("--namespace", o.namespaces, "a namespace in which pods mount homes; may be repeated")
      ->type_name("NS")
      ->expected(1)
      ->take_all()
      ->required();
  add(verb.app, "--service-account", o.account, "NAME", "the account that homeportd uses (homeport)");
  add(verb.app, "--service-account-namespace", o.account_namespace, "NS", "and where it is (homeport)");
}

}  // namespace homeport::cli
