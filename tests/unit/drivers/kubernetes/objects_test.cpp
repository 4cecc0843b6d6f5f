// The documents, and what counts as the same one. What a server does with them is in tests/e2e/test_kubernetes.py.
#include "drivers/kubernetes/objects.h"

#include <gtest/gtest.h>

namespace homeport::drivers::kubernetes {
namespace {

using nlohmann::json;

core::ClusterVolume home() {
  return {.pair = {.ns = "jhub", .claim = "nb-home-0123456789", .space = "h-0123456789abcdef"},
          .kind = "home",
          .server = "2001:db8::1",
          .path = "/homes/hp-h-0123456789abcdef",
          .mount_options = {"vers=4.1", "hard", "rw"},
          .capacity_bytes = std::uint64_t{10} << 30U};
}
constexpr Bytes kPlaceholder{std::uint64_t{1} << 40U};

TEST(Quantity, IsRoundedUpAndCanonical) {
  struct Row {
    std::uint64_t bytes;
    std::string text;
  };
  for (const auto& row : {Row{0, "1Mi"}, Row{1, "1Mi"}, Row{1U << 20U, "1Mi"}, Row{(1U << 20U) + 1, "2Mi"},
                          Row{std::uint64_t{20} << 30U, "20Gi"}, Row{(std::uint64_t{20} << 30U) + 1, "20481Mi"},
                          Row{std::uint64_t{1} << 40U, "1Ti"}, Row{~std::uint64_t{0}, "16Ei"}}) {
    EXPECT_EQ(kubernetes_quantity(Bytes{row.bytes}), row.text) << row.bytes;
  }
}

TEST(VolumeName, BelongsToOneNamespaceAndFitsALabel) {
  auto pair = home().pair;
  const auto here = volume_name(pair);
  EXPECT_TRUE(here.starts_with("nb-home-0123456789-"));
  pair.ns = "other";
  EXPECT_NE(volume_name(pair), here);
  // The longest name that a mount can have: "nb-", an id of 32 characters, "-" and 10 digits.
  pair.claim = "nb-" + std::string(32, 'a') + "-0123456789";
  EXPECT_LE(volume_name(pair).size(), 63U);
}

TEST(Documents, SayWhatTheSpecSays) {
  EXPECT_EQ(volume_document(home(), kPlaceholder), json::parse(R"({
    "apiVersion": "v1", "kind": "PersistentVolume",
    "metadata": {"name": ")" + volume_name(home().pair) + R"(",
                 "labels": {"app.kubernetes.io/managed-by": "homeport", "app.kubernetes.io/component": "home",
                            "homeport/space": "h-0123456789abcdef"},
                 "annotations": {"homeport/capacity": "quota"}},
    "spec": {"capacity": {"storage": "10Gi"}, "accessModes": ["ReadWriteMany"],
             "persistentVolumeReclaimPolicy": "Retain", "storageClassName": "", "volumeMode": "Filesystem",
             "mountOptions": ["vers=4.1", "hard", "rw"],
             "claimRef": {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": "jhub",
                          "name": "nb-home-0123456789"},
             "nfs": {"server": "2001:db8::1", "path": "/homes/hp-h-0123456789abcdef"}}})"));
  auto dataset = home();
  dataset.read_only = true;
  dataset.capacity_bytes.reset();
  const auto claim = claim_document(dataset, kPlaceholder);
  EXPECT_EQ(claim["metadata"]["namespace"], "jhub");
  EXPECT_EQ(claim["metadata"]["annotations"], json::parse(R"({"homeport/capacity": "placeholder"})"));
  EXPECT_EQ(claim["spec"], json::parse(R"({"accessModes": ["ReadOnlyMany"], "storageClassName": "",
    "volumeMode": "Filesystem", "volumeName": ")" +
                                       volume_name(dataset.pair) + R"(",
    "resources": {"requests": {"storage": "1Ti"}}})"));
}

TEST(Ours, IsKnownByBothLabels) {
  const auto volume = volume_document(home(), kPlaceholder);
  EXPECT_TRUE(is_ours(volume, "h-0123456789abcdef"));
  EXPECT_FALSE(is_ours(volume, "h-ffffffffffffffff"));
  auto changed = volume;
  changed["metadata"]["labels"]["app.kubernetes.io/managed-by"] = "Helm";
  EXPECT_FALSE(is_ours(changed, "h-0123456789abcdef"));
  for (const char* odd :
       {"{}", R"({"metadata": []})", R"({"metadata": {"labels": null}})", R"({"metadata": {"labels": "x"}})"}) {
    EXPECT_FALSE(is_ours(json::parse(odd), "h-0123456789abcdef")) << odd;
  }
}

TEST(Difference, SeesWhatAMountDependsOnAndNotWhatTheServerAdds) {
  const auto wanted = volume_document(home(), kPlaceholder);
  auto standing = wanted;
  standing["status"] = {{"phase", "Bound"}};
  standing["metadata"]["uid"] = "1";
  standing["spec"]["claimRef"]["uid"] = "2";
  standing["spec"]["capacity"]["storage"] = "20Gi";  // the quota was another one then
  standing["spec"].erase("storageClassName");        // an empty text is left out
  EXPECT_EQ(difference(standing, wanted), "");
  struct Row {
    const char* pointer;
    json value;
  };
  for (const auto& row :
       {Row{"/spec/nfs/path", "/elsewhere"}, Row{"/spec/nfs/server", "192.0.2.1"},
        Row{"/spec/mountOptions", json::array({"soft"})}, Row{"/spec/claimRef/namespace", "other"},
        Row{"/spec/claimRef/name", "other"}, Row{"/spec/persistentVolumeReclaimPolicy", "Delete"},
        Row{"/spec/storageClassName", "fast"}, Row{"/spec/accessModes", json::array({"ReadOnlyMany"})}}) {
    auto other = standing;
    other[json::json_pointer(row.pointer)] = row.value;
    EXPECT_EQ(difference(other, wanted), row.pointer);
  }
  auto claim = claim_document(home(), kPlaceholder);
  const auto wanted_claim = claim;
  claim["spec"]["volumeName"] = "other";
  EXPECT_EQ(difference(claim, wanted_claim), "/spec/volumeName");
}

}  // namespace
}  // namespace homeport::drivers::kubernetes
