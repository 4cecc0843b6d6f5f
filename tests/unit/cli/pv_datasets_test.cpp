// PersistentVolumes written by hand: each usual mistake is seen, and a good one has none.
#include "cli/pv_datasets.h"

#include <gmock/gmock.h>

#include "cli/kubernetes_homes.h"
#include "tests/support/result_matchers.h"

namespace homeport::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string volume(const std::string& spec) {
  return "apiVersion: v1\nkind: PersistentVolume\nmetadata: {name: pv-1}\nspec:\n" + spec;
}
constexpr const char* kGood =
    "  capacity: {storage: 5Gi}\n  accessModes: [ReadOnlyMany]\n  persistentVolumeReclaimPolicy: Retain\n"
    "  storageClassName: \"\"\n  mountOptions: [nfsvers=4.1, nosuid]\n"
    "  claimRef: {namespace: jhub, name: data}\n  nfs: {server: nas, path: /data}\n";

std::vector<std::string> mistakes(const std::string& spec, bool read_only = true, const BehindVolume& behind = {},
                                  const std::string& more = "") {
  const auto dump = parse_volumes(volume(spec) + more, "pv.yaml");
  EXPECT_OK(dump);
  if (!dump || dump->volumes.empty()) return {"none read"};
  return mistakes_in(dump->volumes.front(), dump->claims, read_only, behind);
}
std::string good_but(const std::string& from, const std::string& to) {
  std::string text = kGood;
  const auto at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

TEST(PvMistakes, AGoodOneHasNone) {
  EXPECT_THAT(mistakes(kGood, true, {.limit = 5ULL << 30U}), IsEmpty());
}

struct Row {
  const char* name;
  std::string spec;
  std::string said;
  bool read_only = true;
  friend void PrintTo(const Row& row, std::ostream* out) { *out << row.name; }
};
class OneMistake : public ::testing::TestWithParam<Row> {};

TEST_P(OneMistake, IsTheOnlyOneSaid) {
  const Row& row = GetParam();
  EXPECT_THAT(mistakes(row.spec, row.read_only, {.limit = 5ULL << 30U}), ElementsAre(HasSubstr(row.said)));
}

INSTANTIATE_TEST_SUITE_P(
    All, OneMistake,
    ::testing::Values(Row{"deletes", good_but("Policy: Retain", "Policy: Delete"), "kubectl patch pv 'pv-1'"},
                      Row{"noClaim", good_but("  claimRef: {namespace: jhub, name: data}\n", ""), "has no claimRef"},
                      Row{"noNamespace", good_but("namespace: jhub, ", ""), "claimRef names no namespace"},
                      Row{"noClass", good_but("  storageClassName: \"\"\n", ""), "names no storageClassName"},
                      Row{"allWrite", good_but("ReadOnlyMany", "ReadWriteMany"), "lets everybody who claims it write"},
                      Row{"oneNode", good_but("ReadOnlyMany", "ReadWriteOnce"), "for one node or pod at a time"},
                      Row{"readOnlyAskedForWriting", good_but("path: /data", "path: /data, readOnly: true"),
                          "says readOnly", false},
                      Row{"noVersion", good_but("nfsvers=4.1, ", ""), "name no nfsvers"},
                      Row{"noOptions", good_but("  mountOptions: [nfsvers=4.1, nosuid]\n", ""), "name no nfsvers"},
                      Row{"capacity", good_but("5Gi", "50Gi"), "50Gi is made up: the array's limit is 5GiB"},
                      Row{"noQuantity", good_but("5Gi", "lots"), "'lots' is no quantity"},
                      Row{"noCapacity", good_but("  capacity: {storage: 5Gi}\n", ""), "names no capacity"}),
    [](const auto& row) { return row.param.name; });

TEST(PvMistakes, CapacityIsComparedWithWhatIsKnown) {
  EXPECT_THAT(mistakes(kGood), ElementsAre(HasSubstr("made up: nothing holds it")));
  EXPECT_THAT(mistakes(kGood, true, {.used = 6ULL << 30U}), ElementsAre(HasSubstr("holds 6GiB already")));
}

TEST(PvMistakes, ClaimAndVolumeThatNeverMeet) {
  const std::string claim =
      "---\napiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {namespace: lab, name: data}\n"
      "spec: {volumeName: pv-1}\n";
  EXPECT_THAT(mistakes(kGood, true, {.limit = 5ULL << 30U}, claim), ElementsAre(HasSubstr("they never meet")));
}

TEST(PvMistakes, Quantities) {
  EXPECT_EQ(quantity_bytes("1048576"), 1048576U);
  EXPECT_EQ(quantity_bytes("1Ki"), 1024U);
  EXPECT_EQ(quantity_bytes("1.5Gi"), 1610612736U);
  EXPECT_EQ(quantity_bytes("2T"), 2000000000000U);
  EXPECT_EQ(quantity_bytes("1e3"), 1000U);
  for (const char* bad : {"", "Gi", "-1Gi", "1Qi", "1 Gi", "100Ei", "nan", "inf"})
    EXPECT_FALSE(quantity_bytes(bad)) << bad;
}

TEST(PvPlaces, AreFoundInEachForm) {
  const HomesInDump nas{.servers = {"nas"}, .path_prefix = {}, .exports = {"/climate", "/k8s-pvc-aa"}};
  const auto place = [&](const std::string& spec) {
    const auto dump = parse_volumes(volume(spec), "pv.yaml");
    EXPECT_OK(dump);
    return place_of(dump->volumes.front(), nas);
  };
  EXPECT_EQ(place("  nfs: {server: NAS., path: /data/}\n").path, "/data");
  EXPECT_EQ(place("  nfs: {server: other, path: /data}\n").reason, "other-server");
  EXPECT_EQ(place("  csi: {driver: nfs.csi.k8s.io, volumeHandle: x, volumeAttributes: {server: nas, share: /data, "
                  "subDir: a}}\n")
                .path,
            "/data/a");
  EXPECT_EQ(place("  csi: {driver: pure-csi, volumeHandle: climate, volumeAttributes: {backend: file}}\n").path,
            "/climate");
  EXPECT_EQ(place("  csi: {driver: pure-csi, volumeHandle: gone}\n").reason, "not-exported");
  EXPECT_EQ(place("  csi: {driver: pure-csi, volumeHandle: climate, volumeAttributes: {backend: block}}\n").reason,
            "block-volume");
  EXPECT_EQ(place("  hostPath: {path: /data}\n").reason, "local-disk");
  EXPECT_EQ(place("  nfs: {server: 7, path: /data}\n").reason, "unreadable");
}

TEST(PvFiles, HoldVolumesAndPerhapsOtherThings) {
  EXPECT_OK(parse_volumes("kind: StorageClass\n---\n" + volume(kGood), "pv.yaml"));
  EXPECT_OK(
      parse_volumes(R"({"kind":"List","items":[{"kind":"PersistentVolume","metadata":{"name":"a"}}]})", "pv.json"));
  EXPECT_ERRC(parse_volumes("kind: PersistentVolumeClaim\nmetadata: {name: a}\n", "pv.yaml"), Errc::invalid_argument);
  EXPECT_ERRC(parse_volumes("", "pv.yaml"), Errc::invalid_argument);
  EXPECT_ERRC(parse_volumes("{", "pv.yaml"), Errc::invalid_argument);
}

}  // namespace
}  // namespace homeport::cli
