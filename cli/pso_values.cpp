#include "cli/pso_values.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <nlohmann/json.hpp>
#include <set>

#include "cli/output.h"
#include "provisioner/base/names.h"
#include "provisioner/base/url.h"
#include "provisioner/config/yaml_document.h"

namespace homeport::cli {
namespace {

using Value = nlohmann::json;

// RFC 5737: addresses that nobody has.
constexpr const char* kNoHost = "192.0.2.1";
constexpr const char* kNoNetwork = "192.0.2.0/24";
constexpr std::size_t kMostLabelBytes = 256;

std::string lower(std::string text) {
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

std::string trimmed(std::string_view text) {
  const auto from = text.find_first_not_of(" \t\r\n");
  if (from == std::string_view::npos) return {};
  return std::string(text.substr(from, text.find_last_not_of(" \t\r\n") - from + 1));
}

// Text, or a number or flag that should have been quoted.
std::optional<std::string> scalar(const Value& value) {
  if (value.is_string()) return trimmed(value.get<std::string>());
  if (value.is_number() || value.is_boolean()) return value.dump();
  return std::nullopt;
}

bool is_plain_host(const std::string& text) {
  return !text.empty() && text.size() <= 253 && std::ranges::all_of(text, [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '.' || c == '-' || c == ':' || c == '_';
  });
}

Error no_values(const std::string& source, const std::string& why, std::string hint) {
  return Error{.code = Errc::invalid_argument, .message = source + " " + why, .hint = std::move(hint)};
}

// Settings of PSO itself and of Kubernetes around it: nothing in Homeport answers to them, and nothing is lost.
constexpr std::array<std::string_view, 19> kAboutPso{
    "image",        "images",      "csi",          "app",         "clusterrolebinding",
    "orchestrator", "flexPath",    "nodeSelector", "tolerations", "affinity",
    "mounter",      "provisioner", "flexDaemon",   "nodeServer",  "controllerServer",
    "database",     "apiVersion",  "kind",         "metadata"};

class Reader {
 public:
  Reader(const Value& root, std::string source) : root_(root), source_(std::move(source)) {}

  Result<PsoValues> read() {
    const Value* at = &root_;
    const auto spec = root_.find("spec");
    if (root_.contains("kind") && spec != root_.end() && spec->is_object()) at = &*spec;  // a custom resource
    const bool bare = !at->contains("arrays") && (has_key(*at, "flashblades") || has_key(*at, "flasharrays"));
    if (!bare && !at->contains("arrays"))
      return no_values(source_, "has no member 'arrays'", "give the values.yaml that PSO was installed with");
    if (bare) {
      read_arrays(*at, "");
    } else {
      for (const auto& [key, value] : at->items()) setting(key, value);
    }
    if (at != &root_)
      for (const auto& [key, value] : root_.items())
        if (key != "spec") setting(key, value);
    if (!about_pso_.empty()) note("left out, since they are about PSO's own pods and images: " + about_pso_);
    if (out_.flashblades.empty()) return none_left();
    return std::move(out_);
  }

 private:
  static bool has_key(const Value& in, std::string_view key) {
    for (const auto& [name, value] : in.items())
      if (lower(name) == key) return true;
    return false;
  }
  void note(std::string text) { out_.notes.push_back(std::move(text)); }
  void unknown(const std::string& path) { out_.unknown.push_back(printable(path, 120)); }

  Error none_left() const {
    std::string why = "holds no FlashBlade that could be a backend";
    for (const auto& one : out_.left_out) why += "\n  " + one;
    return no_values(source_, why,
                     out_.left_out.empty() ? "its arrays.FlashBlades is empty" : "Homeport serves files: it needs one");
  }

  void setting(const std::string& key, const Value& value) {
    if (key == "arrays") return read_arrays(value, "arrays.");
    if (key == "clusterID") return prefix(key, value);
    if (key == "namespace" || key == "namespaces") return members(key, value, &Reader::name_space);
    if (key == "flashblade") return members(key, value, &Reader::flashblade);
    if (key == "storageclass") return members(key, value, &Reader::storage_class);
    if (key == "storagetopology") return members(key, value, &Reader::topology);
    if (key == "flasharray") return note("flasharray: left out, block storage");
    if (std::ranges::find(kAboutPso, key) != kAboutPso.end()) {
      about_pso_ += (about_pso_.empty() ? "" : ", ") + key;
    } else {
      unknown(key);
    }
  }

  using Member = bool (Reader::*)(const std::string& path, const std::string& key, const Value& value);
  // What the member function does not know is reported.
  void members(const std::string& key, const Value& value, Member known) {
    if (value.is_null()) return;
    if (!value.is_object()) return note(key + ": left out, it should be a mapping");
    for (const auto& [name, one] : value.items()) {
      if (!(this->*known)(key + "." + name, name, one)) unknown(key + "." + name);
    }
  }

  void prefix(const std::string& path, const Value& value) {
    const auto text = scalar(value).value_or("");
    if (text.empty()) return;
    out_.prefix = printable(text, 60);
    note(path + " is " + out_.prefix + ": the file systems that PSO made are called " + out_.prefix +
         "-pvc-UUID; `homeport home import --backend B --from-array --from-kubernetes dump.yaml` takes them over");
  }
  bool name_space(const std::string& path, const std::string& key, const Value& value) {
    if (key == "pure" || key == "nsm") {
      prefix(path, value);
      return true;
    }
    return key == "k8s";  // where the pods ran
  }

  bool flashblade(const std::string& path, const std::string& key, const Value& value) {
    const auto text = scalar(value).value_or("");
    if (key == "snapshotDirectoryEnabled") {
      note(path + " was " + (text.empty() ? "not said" : printable(text, 20)) +
           ": left out; Homeport makes file systems with .snapshot, since people restore from it, and leaves that of "
           "imported ones as it is");
    } else if (key == "exportRules") {
      export_rules(path, text);
    } else if (key == "mountOptions" || key == "defaultMountOpt") {
      mount_options(path, value);
    } else {
      return false;
    }
    return true;
  }

  // "10.0.0.0/8(rw,no_root_squash) *(ro)"
  void export_rules(const std::string& path, const std::string& text) {
    for (std::size_t at = 0; (at = text.find_first_not_of(" \t", at)) != std::string::npos;) {
      const auto end = std::min(text.find_first_of(" \t", at), text.size());
      const auto rule = text.substr(at, end - at);
      at = end;
      const auto client = rule.substr(0, rule.find('('));
      if (client.empty() || client.find_first_not_of("*.?") == std::string::npos || client.ends_with("/0")) {
        note(path + ": the rule " + printable(rule, 80) +
             " is left out: it lets everybody in, and Homeport makes no world-open export");
        continue;
      }
      const bool good = is_plain_host(client.substr(0, client.find('/'))) || client.starts_with('@');
      if (!good) {
        note(path + ": the rule " + printable(rule, 80) + " is left out: it names no client that can be read");
        continue;
      }
      out_.clients.push_back(client);
      if (rule.find("no_root_squash") != std::string::npos || rule.find("ro") == rule.find('(') + 1)
        note(path + ": the options of " + printable(rule, 80) +
             " are left out: notebooks get rw with root squashed, Homeport's own hosts alone are root");
    }
  }

  void mount_options(const std::string& path, const Value& value) {
    std::vector<std::string> all;
    if (const auto text = scalar(value)) {
      for (std::size_t at = 0; at <= text->size();) {
        const auto end = std::min(text->find(',', at), text->size());
        all.push_back(trimmed(text->substr(at, end - at)));
        at = end + 1;
      }
    } else if (value.is_array()) {
      for (const auto& one : value) all.push_back(scalar(one).value_or("?"));
    }
    std::string left;
    for (const auto& one : all) {
      const auto version = one.starts_with("nfsvers=") ? one.substr(8) : one.starts_with("vers=") ? one.substr(5) : "";
      if (version == "3" || version == "4.1") {
        out_.nfs_version = version;
      } else if (!one.empty() && one != "tcp") {
        left += (left.empty() ? "" : ", ") + printable(one, 40);
      }
    }
    if (!left.empty()) note(path + ": " + left + " left out; see mount_options of a class");
  }

  bool storage_class(const std::string& path, const std::string& key, const Value& value) {
    const auto text = printable(scalar(value).value_or("?"), 40);
    if (key == "createBuiltIn") {
      note(path + ": left out; a class of Homeport takes the place of a StorageClass");
    } else if (key == "isPureDefault") {
      note(path + " was " + text + ": the rule below gives everybody the first class, whatever it was");
    } else if (key == "pureBackend") {
      note(path + " was " + text +
           (lower(text) == "block" ? ": left out, block storage" : ": what all classes below are"));
    } else if (key == "mountOptions") {
      mount_options(path, value);
    } else {
      return false;
    }
    return true;
  }

  bool topology(const std::string& path, const std::string& key, const Value& value) {
    if (key != "enable" && key != "strictTopology") return false;
    if (scalar(value).value_or("") == "true")
      note(path + ": left out; a class names its backend itself, and each array below has one class with its labels");
    return true;
  }

  // --- arrays
  // ---------------------------------------------------------------------------------------------------------

  void read_arrays(const Value& arrays, const std::string& at) {
    if (arrays.is_null()) return;
    if (!arrays.is_object()) return note("arrays: left out, it should be a mapping");
    for (const auto& [key, list] : arrays.items()) {
      const auto kind = lower(key);
      if (kind != "flashblades" && kind != "flasharrays") {
        unknown(at + key);
        continue;
      }
      if (list.is_null()) continue;
      if (!list.is_array()) {
        note(at + key + ": left out, it should be a list");
        continue;
      }
      for (std::size_t i = 0; i < list.size(); ++i) {
        const auto path = at + key + "[" + std::to_string(i) + "]";
        if (kind == "flashblades") {
          read_flashblade(list[i], path);
        } else {
          skip_flasharray(list[i], path);
        }
      }
    }
  }

  struct Entry {
    std::string management{};
    std::string token{};
    std::string data{};
    const Value* labels = nullptr;
    std::vector<std::string> notes{};
  };

  // A member that is given in two spellings must say the same.
  static void take(const std::string& key, const Value& value, std::string& into, std::vector<std::string>& notes) {
    const auto text = scalar(value);
    if (!text) {
      if (!value.is_null()) notes.push_back(key + " is no text and is left out");
      return;
    }
    if (!into.empty() && into != *text) {
      notes.push_back(key + " stands there twice with different values; the first is used");
    } else {
      into = *text;
    }
  }

  Entry entry_of(const Value& value, const std::string& path) {
    Entry out;
    if (!value.is_object()) return out;
    for (const auto& [key, one] : value.items()) {
      const auto name = lower(key);
      if (name == "mgmtendpoint") {
        take(key, one, out.management, out.notes);
      } else if (name == "apitoken") {
        take(key, one, out.token, out.notes);
      } else if (name == "nfsendpoint") {
        take(key, one, out.data, out.notes);
      } else if (name == "labels") {
        out.labels = &one;
      } else {
        unknown(path + "." + key);
      }
    }
    return out;
  }

  void skip_flasharray(const Value& value, const std::string& path) {
    const auto entry = entry_of(value, path);
    out_.left_out.push_back("FlashArray " + printable(entry.management.empty() ? path : entry.management, 80) +
                            ": block storage; Homeport serves files");
  }

  void leave_out(const std::string& what, const std::string& why) {
    out_.left_out.push_back("FlashBlade " + printable(what, 80) + ": " + why);
  }

  void read_flashblade(const Value& value, const std::string& path) {
    auto entry = entry_of(value, path);
    const auto what = entry.management.empty() ? path : entry.management;
    if (entry.management.empty()) return leave_out(what, "it has no MgmtEndPoint");
    if (entry.token.empty()) return leave_out(what, "it has no APIToken");
    if (entry.token.find_first_of(" \t\r\n") != std::string::npos || !is_valid_utf8(entry.token))
      return leave_out(what, "its APIToken holds blanks or is no text");
    const auto url = url_of(entry);
    if (!url) return leave_out(what, "its MgmtEndPoint is no host name or address");
    for (const auto& other : out_.flashblades) {
      if (other.url == url->to_string())
        return leave_out(what, "it stands there twice; the first, backend " + other.name + ", is taken");
    }
    PsoFlashBlade one{.name = backend_name(url->host), .url = url->to_string(), .token = Secret(entry.token)};
    one.notes = std::move(entry.notes);
    if (entry.data.empty()) {
      one.notes.emplace_back("it has no NFSEndPoint: the data address is found among the array's network interfaces");
    } else if (!is_plain_host(entry.data)) {
      one.notes.push_back("its NFSEndPoint '" + printable(entry.data, 60) +
                          "' is no host name or address and is left out: the data address is found on the array");
    } else {
      one.data_address = entry.data;
    }
    read_labels(entry.labels, one);
    out_.flashblades.push_back(std::move(one));
  }

  // A host, with a scheme or port around it or not; an IPv6 address with brackets or without.
  static std::optional<Url> url_of(Entry& entry) {
    auto text = entry.management;
    if (const auto scheme = text.find("://"); scheme != std::string::npos) {
      if (lower(text.substr(0, scheme)) == "http")
        entry.notes.emplace_back("its MgmtEndPoint said http://; Homeport speaks https");
      text.erase(0, scheme + 3);
    }
    while (text.ends_with('/')) text.pop_back();
    if (std::ranges::count(text, ':') > 1 && !text.starts_with('[')) text = "[" + text + "]";
    const auto url = Url::parse("https://" + text);
    if (!url || !url->base_path.empty() || !is_plain_host(url->host)) return std::nullopt;
    return *url;
  }

  // "fb1" of fb1.example.org, "fb-10-0-0-6" of an address.
  std::string backend_name(const std::string& host) {
    const bool address =
        host.find(':') != std::string::npos || host.find_first_not_of("0123456789.") == std::string::npos;
    auto base = address ? "fb-" + host : lower(host.substr(0, host.find('.')));
    for (auto& c : base)
      if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '-';
    base = base.substr(0, 50);
    while (base.ends_with('-')) base.pop_back();
    if (!Slug::parse(base)) base = "flashblade";
    auto name = base;
    for (int n = 2; !names_.insert(name).second; ++n) name = base + "-" + std::to_string(n);
    return name;
  }

  static void read_labels(const Value* labels, PsoFlashBlade& into) {
    if (labels == nullptr || labels->is_null()) return;
    if (!labels->is_object()) {
      into.notes.emplace_back("its Labels are no mapping and are left out");
      return;
    }
    for (const auto& [key, value] : labels->items()) {
      const auto text = scalar(value);
      const bool good = text && !key.empty() && key.size() <= kMostLabelBytes && text->size() <= kMostLabelBytes &&
                        printable(key, kMostLabelBytes) == key && printable(*text, kMostLabelBytes) == *text;
      if (good && !text->empty()) {
        into.labels.emplace(key, *text);
      } else {
        into.notes.push_back("its label '" + printable(key, 60) + "' is left out: its value is empty or no text");
      }
    }
  }

  const Value& root_;
  std::string source_;
  PsoValues out_{};
  std::string about_pso_{};
  std::set<std::string> names_{};
};

const std::vector<std::string>& clients_of(const PsoValues& values, const PsoChoices& choices) {
  static const std::vector<std::string> nobody{kNoNetwork};
  if (!choices.clients.empty()) return choices.clients;
  return values.clients.empty() ? nobody : values.clients;
}

Json backend_json(const PsoValues& values, const PsoChoices& choices, const PsoFlashBlade& one) {
  Json management{{"url", one.url}, {"api_token", {{"file", token_file(choices, one)}}}};
  if (!choices.ca_file.empty()) management["ca_file"] = choices.ca_file;
  Json out{{"name", one.name}, {"kind", "flashblade"}, {"mode", "manage"}, {"management", std::move(management)}};
  if (!one.data_address.empty()) out["data"] = {{"address", one.data_address}};
  out["client"] = {{"version", values.nfs_version.empty() ? "3" : values.nfs_version}};
  out["exports"] = {{"homeport", choices.homeport.empty() ? std::vector<std::string>{kNoHost} : choices.homeport},
                    {"clients", clients_of(values, choices)}};
  out["pools"] = Json::array({{{"name", "homes"}, {"layout", "filesystem"}}});
  return out;
}

Json class_json(const PsoFlashBlade& one) {
  Json out{{"name", one.name}, {"backend", one.name}, {"pool", "homes"}, {"layout", "filesystem"}};
  if (!one.labels.empty()) out["labels"] = one.labels;
  return out;
}

Json rule_json(const PsoValues& values) {
  return {{"name", "everyone"}, {"match", {{"everyone", true}}}, {"class", values.flashblades.front().name}};
}

std::string comment(const std::string& text, const std::string& indent) {
  return wrapped(safe_text(text), 110, indent + "# ");
}

std::string list_item(Json item, const std::string& indent) {
  const auto text = yaml_text(Json::array({std::move(item)}));
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const auto end = std::min(text.find('\n', at), text.size() - 1);
    out += indent + text.substr(at, end - at + 1);
    at = end + 1;
  }
  return out;
}

}  // namespace

Result<PsoValues> read_pso_values(std::string_view text, const std::string& source) {
  HOMEPORT_TRY(const auto document, config::parse_yaml_document(text, source));
  if (!document.root.is_object())
    return no_values(source, "is no values file", "give the values.yaml that PSO was installed with");
  return Reader(document.root, source).read();
}

std::string token_file(const PsoChoices& choices, const PsoFlashBlade& one) {
  return choices.secrets + (choices.secrets.ends_with('/') ? "" : "/") + one.name + ".token";
}

std::vector<std::string> placeholders(const PsoValues& values, const PsoChoices& choices) {
  std::vector<std::string> out;
  if (choices.homeport.empty())
    out.emplace_back(
        std::string("exports.homeport: ") + kNoHost +
        " is nobody's address; write the hosts that Homeport runs on, as the array sees them (--homeport)");
  if (choices.clients.empty() && values.clients.empty())
    out.emplace_back(std::string("exports.clients: ") + kNoNetwork +
                     " is nobody's network; write the networks that notebooks run in (--clients)");
  return out;
}

Json pso_desired(const PsoValues& values, const PsoChoices& choices) {
  Json out{{"backends", Json::array()}, {"classes", Json::array()}, {"rules", Json::array({rule_json(values)})}};
  for (const auto& one : values.flashblades) {
    out["backends"].push_back(backend_json(values, choices, one));
    out["classes"].push_back(class_json(one));
  }
  return {{"desired", std::move(out)}};
}

std::string pso_desired_text(const PsoValues& values, const PsoChoices& choices, const std::string& source) {
  std::string out = comment("From " + source + ", for homeportd's configuration or `homeport apply -f`.", "");
  for (const auto& one : placeholders(values, choices)) out += comment("CHANGE " + one, "");
  for (const auto& one : values.left_out) out += comment("left out: " + one, "");
  for (const auto& one : values.notes) out += comment(one, "");
  for (const auto& one : values.unknown) out += comment("not understood, and left out: " + one, "");
  if (choices.ca_file.empty())
    out += comment(
        "PSO did not check the arrays' certificates and Homeport does: add ca_file to management where a "
        "certificate is not of an authority that this machine trusts.",
        "");
  if (values.nfs_version.empty())
    out += comment(
        "client.version is 3, as PSO mounted unless a StorageClass said nfsvers=4.1; Homeport's own default "
        "is \"4.1\".",
        "");
  out += "desired:\n  backends:\n";
  for (const auto& one : values.flashblades) {
    for (const auto& note : one.notes) out += comment(note, "    ");
    out += list_item(backend_json(values, choices, one), "    ");
  }
  out +=
      "  # One class for each array, with its labels; a person gets one by a rule. default_quota: 20GiB limits "
      "homes.\n";
  out += "  classes:\n";
  for (const auto& one : values.flashblades) out += list_item(class_json(one), "    ");
  return out + "  rules:\n" + list_item(rule_json(values), "    ");
}

}  // namespace homeport::cli
