#include "cli/kubernetes_dump.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "provisioner/base/doc_reader.h"
#include "provisioner/base/names.h"
#include "provisioner/config/yaml_document.h"

namespace homeport::cli {
namespace {

using Value = nlohmann::json;
using Path = std::initializer_list<const char*>;

constexpr const char* kHint = "write it with `kubectl get pv,pvc -A -o yaml`";

Error no_dump(const std::string& source, const std::string& what) {
  return Error{.code = Errc::invalid_argument, .message = source + " " + what, .hint = kHint};
}

// Reads members of one object by path. What stands there with another type than Kubernetes gives it is remembered,
// the first time, and reads as absent.
class ItemReader {
 public:
  explicit ItemReader(const Value& item) : item_(item) {}

  std::string text(Path path) {
    const auto* value = find(path);
    if (value == nullptr) return {};
    if (value->is_string()) return value->get<std::string>();
    wrong(path, value->is_primitive() ? "is not text: put it in quotes" : "is not text");
    return {};
  }
  bool flag(Path path) {
    const auto* value = find(path);
    if (value == nullptr) return false;
    if (value->is_boolean()) return value->get<bool>();
    wrong(path, "is neither true nor false");
    return false;
  }
  std::map<std::string, std::string> texts(Path path) {
    std::map<std::string, std::string> out;
    const auto* value = find(path);
    if (value == nullptr) return out;
    if (!value->is_object()) {
      wrong(path, "is no mapping");
      return out;
    }
    for (const auto& [key, one] : value->items()) {
      if (one.is_string()) {
        out.emplace(key, one.get<std::string>());
      } else {
        wrong(path, "holds '" + printable(key, 60) + "', which is not text: put it in quotes");
      }
    }
    return out;
  }
  std::vector<std::string> words(Path path) {
    std::vector<std::string> out;
    const auto* value = find(path);
    if (value == nullptr) return out;
    if (!value->is_array()) {
      wrong(path, "is no list");
      return out;
    }
    for (const auto& one : *value) {
      if (one.is_string()) {
        out.push_back(one.get<std::string>());
      } else {
        wrong(path, "holds something that is not text");
      }
    }
    return out;
  }
  bool has(Path path) { return find(path) != nullptr; }
  [[nodiscard]] const std::string& trouble() const { return trouble_; }

 private:
  const Value* find(Path path) {
    const Value* at = &item_;
    for (const char* part : path) {
      if (!at->is_object()) {
        wrong(path, "cannot be read: what it lies in is no mapping");
        return nullptr;
      }
      const auto next = at->find(part);
      if (next == at->end() || next->is_null()) return nullptr;
      at = &*next;
    }
    return at;
  }
  void wrong(Path path, const std::string& why) {
    if (!trouble_.empty()) return;
    for (const char* part : path) trouble_ += (trouble_.empty() ? "" : ".") + std::string(part);
    trouble_ += " " + why;
  }

  const Value& item_;
  std::string trouble_{};
};

// The one member of spec that is a volume source: what is left when everything else of PersistentVolumeSpec is taken
// away. https://kubernetes.io/docs/reference/kubernetes-api/config-and-storage-resources/persistent-volume-v1/
std::string source_of(const Value& item) {
  static const std::vector<std::string> others{"accessModes",
                                               "capacity",
                                               "claimRef",
                                               "mountOptions",
                                               "nodeAffinity",
                                               "volumeMode",
                                               "dataSource",
                                               "dataSourceRef",
                                               "storageClassName",
                                               "volumeMode",
                                               "persistentVolumeReclaimPolicy",
                                               "volumeAttributesClassName"};
  const auto spec = item.find("spec");
  if (spec == item.end() || !spec->is_object()) return {};
  for (const char* known : {"nfs", "csi"})
    if (spec->contains(known)) return known;
  for (const auto& [name, value] : spec->items())
    if (value.is_object() && std::ranges::find(others, name) == others.end()) return name;
  return {};
}

// A number is a quantity, too.
std::string quantity(const Value& item) {
  const auto& value = item.at(Value::json_pointer("/spec/capacity/storage"));
  return value.is_string() ? value.get<std::string>() : value.dump();
}

// A volume that everybody may only read is no home.
bool only_read(const Value& item) {
  const auto modes = item.value(Value::json_pointer("/spec/accessModes"), Value::array());
  return modes.is_array() && !modes.empty() &&
         std::ranges::all_of(modes, [](const Value& mode) { return mode == "ReadOnlyMany"; });
}

DumpedVolume read_volume(const Value& item) {
  ItemReader in(item);
  DumpedVolume out{.name = in.text({"metadata", "name"}), .source = source_of(item)};
  out.server = in.text({"spec", "nfs", "server"});
  out.path = in.text({"spec", "nfs", "path"});
  out.driver = in.text({"spec", out.source == "flexVolume" ? "flexVolume" : "csi", "driver"});
  out.handle = in.text({"spec", "csi", "volumeHandle"});
  out.attributes = in.texts({"spec", "csi", "volumeAttributes"});
  out.read_only = in.flag({"spec", "nfs", "readOnly"}) || in.flag({"spec", "csi", "readOnly"});
  out.volume_mode = in.text({"spec", "volumeMode"});
  out.reclaim_policy = in.text({"spec", "persistentVolumeReclaimPolicy"});
  out.phase = in.text({"status", "phase"});
  out.access_modes = in.words({"spec", "accessModes"});
  out.mount_options = in.words({"spec", "mountOptions"});
  out.capacity = in.has({"spec", "capacity", "storage"}) ? quantity(item) : std::string();
  if (in.has({"spec", "storageClassName"})) out.storage_class = in.text({"spec", "storageClassName"});
  if (in.has({"spec", "claimRef"})) {
    out.claim.push_back({.name_space = in.text({"spec", "claimRef", "namespace"}),
                         .name = in.text({"spec", "claimRef", "name"}),
                         .uid = in.text({"spec", "claimRef", "uid"})});
  }
  out.trouble = in.trouble();
  if (out.trouble.empty() && only_read(item)) out.read_only = true;
  return out;
}

DumpedClaim read_claim(const Value& item) {
  ItemReader in(item);
  DumpedClaim out{.name_space = in.text({"metadata", "namespace"}), .name = in.text({"metadata", "name"})};
  out.uid = in.text({"metadata", "uid"});
  out.volume = in.text({"spec", "volumeName"});
  out.phase = in.text({"status", "phase"});
  out.annotations = in.texts({"metadata", "annotations"});
  out.labels = in.texts({"metadata", "labels"});
  out.trouble = in.trouble();
  return out;
}

class DumpReader {
 public:
  explicit DumpReader(std::string source) : source_(std::move(source)) {}

  // `kind`: what the list around it says its items are; empty where they say it themselves.
  Result<void> add(const Value& item, const std::string& kind_around = {}) {
    if (!item.is_object()) return no_dump(source_, "holds something that is no Kubernetes object");
    const auto said = item.find("kind");
    const std::string kind = said != item.end() && said->is_string() ? said->get<std::string>() : kind_around;
    if (kind == "List" || kind.ends_with("List")) {
      const auto items = item.find("items");
      if (items == item.end() || items->is_null()) return {};
      if (!items->is_array() || !kind_around.empty()) return no_dump(source_, "holds a list that is none");
      const std::string of = kind == "List" ? "Object" : kind.substr(0, kind.size() - 4);
      for (const auto& one : *items) HOMEPORT_CHECK(add(one, of));
      return {};
    }
    if (kind.empty()) return no_dump(source_, "holds an object without a kind");
    if (kind != "PersistentVolume" && kind != "PersistentVolumeClaim") return {};
    const auto name = item.find("metadata") != item.end() && item["metadata"].is_object()
                          ? item["metadata"].value("name", Value())
                          : Value();
    if (!name.is_string() || name.get_ref<const std::string&>().empty())
      return no_dump(source_, "holds a " + kind + " without a name");
    // Lists that were put together may have one twice.
    if (std::ranges::any_of(seen_[kind + " " + name.get<std::string>()],
                            [&](const Value* other) { return *other == item; }))
      return {};
    seen_[kind + " " + name.get<std::string>()].push_back(&item);
    if (kind == "PersistentVolume") {
      dump_.volumes.push_back(read_volume(item));
    } else {
      dump_.claims.push_back(read_claim(item));
    }
    return {};
  }

  Result<KubernetesDump> take_volumes() {
    if (dump_.volumes.empty()) {
      return Error{.code = Errc::invalid_argument,
                   .message = source_ + " holds no PersistentVolume",
                   .hint = "a claim alone does not say where the data is; add the volume it uses"};
    }
    return std::move(dump_);
  }
  Result<KubernetesDump> take() {
    if (dump_.volumes.empty() && dump_.claims.empty()) return no_dump(source_, "holds no volumes and no claims");
    if (dump_.volumes.empty()) return no_dump(source_, "holds claims, but none of the volumes behind them");
    if (dump_.claims.empty())
      return no_dump(source_, "holds volumes, but none of the claims on them, which say whose they are");
    return std::move(dump_);
  }

 private:
  std::string source_;
  KubernetesDump dump_{};
  std::map<std::string, std::vector<const Value*>> seen_{};
};

Result<std::vector<Value>> parse(std::string_view text, const std::string& source) {
  const auto first = text.find_first_not_of(" \t\r\n\xEF\xBB\xBF");
  if (first != std::string_view::npos && text[first] == '{') {
    HOMEPORT_TRY(auto document, parse_json_document(text.substr(first), source));
    std::vector<Value> out;
    out.push_back(std::move(document.root));
    return out;
  }
  return config::parse_yaml_stream(text, source, {.bytes = kMostDumpBytes, .nodes = kMostDumpValues});
}

}  // namespace

namespace {

Result<DumpReader> read_objects(std::string_view text, const std::string& source) {
  if (text.size() > kMostDumpBytes) {
    return Error{.code = Errc::too_large,
                 .message = source + " is larger than " + Bytes{kMostDumpBytes}.to_string(),
                 .hint = "dump one namespace after the other: kubectl get pvc -n NAMESPACE, with kubectl get pv"};
  }
  auto documents = parse(text, source);
  if (!documents) {
    auto error = std::move(documents).error();
    if (error.hint.empty()) error.hint = kHint;
    return error;
  }
  DumpReader reader(source);
  for (auto& document : *documents) HOMEPORT_CHECK(reader.add(document));
  return reader;
}

}  // namespace

Result<KubernetesDump> parse_kubernetes_dump(std::string_view text, const std::string& source) {
  HOMEPORT_TRY(auto reader, read_objects(text, source));
  return reader.take();
}

Result<KubernetesDump> parse_volumes(std::string_view text, const std::string& source) {
  HOMEPORT_TRY(auto reader, read_objects(text, source));
  return reader.take_volumes();
}

}  // namespace homeport::cli
