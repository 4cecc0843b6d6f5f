#include "provisioner/render/object_names.h"

#include <nlohmann/json.hpp>

#include "provisioner/base/digest.h"
#include "provisioner/render/spec_json.h"
#include "provisioner/render/spec_words.h"

namespace homeport::render {
namespace {

constexpr std::size_t kMaxLabel = 63;
constexpr std::size_t kHashDigits = 10;
constexpr std::string_view kPrefix = "nb-";

}  // namespace

std::string object_name(const Mount& mount) {
  const nlohmann::json hashed{{"source", source_to_json(mount.source)},
                              {"nfs", nfs_options_to_json(mount.nfs)},
                              {"access", word_of(kAccessWords, mount.access)}};
  const auto hash = sha256_hex(hashed.dump()).substr(0, kHashDigits);
  std::string id = mount.id.substr(0, kMaxLabel - kPrefix.size() - 1 - kHashDigits);
  while (!id.empty() && id.back() == '-') id.pop_back();
  return std::string(kPrefix) + id + "-" + hash;
}

std::string cluster_volume_name(std::string_view claim, std::string_view ns) {
  constexpr std::size_t kNamespaceDigits = 8;
  return std::string(claim) + "-" + sha256_hex(ns).substr(0, kNamespaceDigits);
}

bool is_dns_label(std::string_view text) {
  const auto edge = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  if (text.empty() || text.size() > kMaxLabel || !edge(text.front()) || !edge(text.back())) return false;
  for (const char c : text) {
    if (!edge(c) && c != '-') return false;
  }
  return true;
}

}  // namespace homeport::render
