// Dumps of volumes and claims: what is read, whose homes they are, and what is left out in which words.
#include "cli/kubernetes_dump.h"

#include <gtest/gtest.h>

#include <map>

#include "cli/kubernetes_homes.h"
#include "tests/support/result_matchers.h"

namespace homeport::cli {
namespace {

// One volume with its claim, as kubectl writes them; each member can be made odd.
struct Pair {
  std::string volume = "pvc-1";
  std::string name_space = "jhub";
  std::string claim = "claim-alice";
  std::string source = "nfs: {server: nas, path: /export/home/alice}";
  std::string policy = "Retain";
  std::string meta = "annotations: {hub.jupyter.org/username: alice}, labels: {component: singleuser-storage}";
  std::string claim_ref = "claimRef: {kind: PersistentVolumeClaim, namespace: jhub, name: claim-alice, uid: u1}";
  std::string claim_uid = "u1";
  std::string claim_volume = "pvc-1";
  std::string claim_phase = "Bound";
  std::string more_spec = "volumeMode: Filesystem";
  bool with_claim = true;

  [[nodiscard]] std::string yaml() const {
    std::string out = "---\napiVersion: v1\nkind: PersistentVolume\nmetadata: {name: " + volume +
                      ", creationTimestamp: \"2026-01-01T00:00:00Z\", finalizers: [kubernetes.io/pv-protection]}\n"
                      "spec:\n  capacity: {storage: 10Gi}\n  accessModes: [ReadWriteMany]\n" +
                      "  persistentVolumeReclaimPolicy: " + policy + "\n  " + more_spec + "\n" +
                      (source.empty() ? "" : "  " + source + "\n") +
                      (claim_ref.empty() ? "" : "  " + claim_ref + "\n") + "status: {phase: Bound}\n";
    if (!with_claim) return out;
    return out + "---\napiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {namespace: " + name_space +
           ", name: " + claim + ", uid: " + claim_uid + ", " + meta + "}\nspec: {volumeName: " + claim_volume +
           "}\nstatus: {phase: " + claim_phase + "}\n";
  }
};

const Pair kOther{.volume = "pvc-zoe",
                  .claim = "claim-zoe",
                  .source = "nfs: {server: nas, path: /export/home/zoe}",
                  .meta = "annotations: {hub.jupyter.org/username: zoe}",
                  .claim_ref = "claimRef: {namespace: jhub, name: claim-zoe, uid: u9}",
                  .claim_uid = "u9",
                  .claim_volume = "pvc-zoe"};

HomesInDump nas() {
  return {.servers = {"nas", "10.0.0.9"},
          .exports = {"/k8s-pvc-aa11", "/other/k8s-pvc-bb22", "/px_1234abcd-pvc-cc33", "/vol"}};
}

DumpedFleet read(const std::string& text, const HomesInDump& settings = nas()) {
  const auto dump = parse_kubernetes_dump(text, "dump.yaml");
  EXPECT_OK(dump);
  return dump ? homes_in(*dump, settings) : DumpedFleet{};
}

// --- where and whose -------------------------------------------------------------------------------------------------

struct Good {
  std::string name;
  Pair pair;
  std::string user = "alice";
  std::string path = "/export/home/alice";
  HomesInDump settings = nas();
  friend void PrintTo(const Good& c, std::ostream* out) { *out << c.name; }
};
class GoodVolume : public ::testing::TestWithParam<Good> {};

TEST_P(GoodVolume, IsAPersonsHome) {
  const auto fleet = read(GetParam().pair.yaml(), GetParam().settings);
  for (const auto& one : fleet.left_out) ADD_FAILURE() << one.reason << ": " << one.why;
  ASSERT_EQ(fleet.homes.size(), 1U);
  EXPECT_EQ(fleet.homes[0].user, GetParam().user);
  EXPECT_EQ(fleet.homes[0].path, GetParam().path);
  EXPECT_EQ(fleet.homes[0].volume, GetParam().pair.volume);
  EXPECT_EQ(fleet.homes[0].claim, "jhub/" + GetParam().pair.claim);
  EXPECT_TRUE(fleet.homes[0].retains);
}

Pair with_source(std::string source, std::string volume = "pvc-1") {
  return {.volume = volume, .source = std::move(source), .claim_volume = volume};
}
Pair with_meta(std::string meta, std::string claim = "claim-x") {
  return {.claim = claim, .meta = std::move(meta), .claim_ref = "claimRef: {namespace: jhub, name: " + claim + "}"};
}
HomesInDump with_names(std::vector<std::string> names) {
  auto out = nas();
  out.names = std::move(names);
  return out;
}
HomesInDump with_slugs(SlugScheme slugs) {
  auto out = nas();
  out.slugs = slugs;
  return out;
}
HomesInDump with_prefix() {
  auto out = nas();
  out.path_prefix = "/pseudo";
  return out;
}
const std::string kHubs = "labels: {component: singleuser-storage}";

INSTANTIATE_TEST_SUITE_P(
    Where, GoodVolume,
    ::testing::Values(
        Good{"inTreeNfs", {}}, Good{"slashes", with_source("nfs: {server: nas, path: //export/home//alice/}")},
        Good{"serverByAddress", with_source("nfs: {server: 10.0.0.9, path: /export/home/alice}")},
        Good{"serverInCapitals", with_source("nfs: {server: NAS., path: /export/home/alice}")},
        Good{"prefixOfClients", with_source("nfs: {server: nas, path: /pseudo/export/home/alice}"), "alice",
             "/export/home/alice", with_prefix()},
        Good{"nfsSubdir", with_source("nfs: {server: nas, path: /export/k8s/jhub-claim-alice-pvc-1}"), "alice",
             "/export/k8s/jhub-claim-alice-pvc-1"},
        Good{"csiShare", with_source("csi: {driver: nfs.csi.k8s.io, volumeHandle: x, volumeAttributes: {server: nas, "
                                     "share: /export/home/alice}}")},
        Good{"csiSubdir",
             with_source("csi: {driver: nfs.csi.k8s.io, volumeHandle: nas#export#pvc-1##, "
                         "volumeAttributes: {server: nas, share: /export, subdir: pvc-1}}"),
             "alice", "/export/pvc-1"},
        Good{"csiRootShare",
             with_source("csi: {driver: nfs.csi.k8s.io, volumeHandle: x, volumeAttributes: {server: "
                         "nas, share: /, subDir: a/b}}"),
             "alice", "/a/b"},
        Good{"csiWords",
             with_source("csi: {driver: nfs.csi.k8s.io, volumeHandle: x, volumeAttributes: {server: nas, share: /e, "
                         "subDir: \"${pvc.metadata.namespace}/${pvc.metadata.name}-${pv.metadata.name}\", "
                         "csi.storage.k8s.io/pvc/name: claim-alice, csi.storage.k8s.io/pvc/namespace: jhub, "
                         "csi.storage.k8s.io/pv/name: pvc-1}}"),
             "alice", "/e/jhub/claim-alice-pvc-1"},
        Good{"pso",
             with_source("csi: {driver: pure-csi, volumeHandle: k8s-pvc-aa11, volumeAttributes: {backend: "
                         "file}}"),
             "alice", "/k8s-pvc-aa11"},
        Good{"psoImported", with_source("csi: {driver: pure-csi, volumeHandle: vol}"), "alice", "/vol"},
        Good{"pureFile",
             with_source("csi: {driver: pxd.portworx.com, volumeHandle: \"112233\", volumeAttributes: "
                         "{backend: pure_file}}",
                         "pvc-cc33"),
             "alice", "/px_1234abcd-pvc-cc33"}),
    [](const auto& row) { return row.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Whose, GoodVolume,
    ::testing::Values(
        Good{"annotationIsTheName", with_meta("annotations: {hub.jupyter.org/username: Bob@x.org}"), "Bob@x.org"},
        Good{"annotationBeforeLabel",
             with_meta("annotations: {hub.jupyter.org/username: bob}, labels: {hub.jupyter.org/username: b-6fb}"),
             "bob"},
        Good{"emptyServerName",
             with_meta("annotations: {hub.jupyter.org/username: bob, hub.jupyter.org/servername: \"\"}"), "bob"},
        Good{"labelPlain", with_meta("labels: {hub.jupyter.org/username: bob}"), "bob"},
        Good{"labelEscapedMail", with_meta("labels: {hub.jupyter.org/username: bob-40x-2eorg}"), "bob@x.org"},
        Good{"labelEscapedAt", with_meta("labels: {hub.jupyter.org/username: bob-40x}"), "bob@x"},
        Good{"labelNotEscaped", with_meta("labels: {hub.jupyter.org/username: mary-ann}"), "mary-ann"},
        Good{"labelKeptDots", with_meta("labels: {hub.jupyter.org/username: Mary.Ann}"), "Mary.Ann"},
        Good{"labelHashed", with_meta("labels: {hub.jupyter.org/username: bob---cd9fb1e1}"), "Bob",
             "/export/home/alice", with_names({"alice", "Bob"})},
        Good{"labelByScheme", with_meta("labels: {hub.jupyter.org/username: team-42}"), "teamB", "/export/home/alice",
             with_slugs(SlugScheme::escape)},
        Good{"labelBySafeScheme", with_meta("labels: {hub.jupyter.org/username: bob-40x}"), "bob-40x",
             "/export/home/alice", with_slugs(SlugScheme::safe)},
        Good{"labelByNames", with_meta("labels: {hub.jupyter.org/username: team-42}"), "team-42", "/export/home/alice",
             with_names({"team-42"})},
        Good{"claimNameAlone", with_meta(kHubs, "claim-bob"), "bob"},
        Good{"claimNameEscaped", with_meta(kHubs, "claim-bob-40x-2eorg"), "bob@x.org"},
        Good{"claimNameHashed", with_meta(kHubs, "claim-bob---cd9fb1e1"), "Bob", "/export/home/alice",
             with_names({"Bob"})}),
    [](const auto& row) { return row.param.name; });

// --- what is left out ------------------------------------------------------------------------------------------------

struct Odd {
  std::string name;
  Pair pair;
  std::string reason;
  std::string said;
  HomesInDump settings = nas();
  friend void PrintTo(const Odd& c, std::ostream* out) { *out << c.name; }
};
class OddVolume : public ::testing::TestWithParam<Odd> {};

TEST_P(OddVolume, IsLeftOutInWords) {
  const auto fleet = read(GetParam().pair.yaml() + kOther.yaml(), GetParam().settings);
  ASSERT_EQ(fleet.homes.size(), 1U) << "the other one is a home all the same";
  EXPECT_EQ(fleet.homes[0].user, "zoe");
  ASSERT_EQ(fleet.left_out.size(), 1U);
  EXPECT_EQ(fleet.left_out[0].reason, GetParam().reason);
  EXPECT_NE(fleet.left_out[0].why.find(GetParam().said), std::string::npos) << fleet.left_out[0].why;
  for (const char c : fleet.left_out[0].why) EXPECT_GE(static_cast<unsigned char>(c), 0x20) << "no control characters";
}

INSTANTIATE_TEST_SUITE_P(
    Kinds, OddVolume,
    ::testing::Values(
        Odd{"blockMode", {.more_spec = "volumeMode: Block"}, "block-volume", "raw block device"},
        Odd{"ebs", with_source("awsElasticBlockStore: {volumeID: vol-0a, fsType: ext4}"), "not-nfs",
            "awsElasticBlockStore"},
        Odd{"ebsCsi", with_source("csi: {driver: ebs.csi.aws.com, volumeHandle: vol-0a}"), "not-nfs",
            "csi ebs.csi.aws.com"},
        Odd{"iscsi", with_source("iscsi: {targetPortal: 10.0.0.1, iqn: i, lun: 0}"), "not-nfs", "iscsi"},
        Odd{"psoBlock",
            with_source("csi: {driver: pure-csi, volumeHandle: k8s-pvc-aa11, volumeAttributes: {backend: "
                        "block}}"),
            "block-volume", "backend block"},
        Odd{"psoElsewhere",
            with_source("csi: {driver: pure-csi, volumeHandle: k8s-pvc-zz, volumeAttributes: {backend: "
                        "file}}"),
            "not-exported", "k8s-pvc-zz"},
        Odd{"flexVolume", with_source("flexVolume: {driver: pure/flex, fsType: nfs}"), "not-nfs", "pure/flex"},
        Odd{"hostPath", with_source("hostPath: {path: /srv}"), "local-disk", "one node"},
        Odd{"noSource", with_source(""), "no-source", "where the data is"},
        Odd{"otherServer", with_source("nfs: {server: filer2, path: /export/home/alice}"), "other-server", "filer2"},
        Odd{"csiOtherServer",
            with_source("csi: {driver: nfs.csi.k8s.io, volumeHandle: x, volumeAttributes: {server: "
                        "filer2, share: /e}}"),
            "other-server", "nas, 10.0.0.9"},
        Odd{"csiNoShare",
            with_source("csi: {driver: nfs.csi.k8s.io, volumeHandle: x, volumeAttributes: {server: "
                        "nas}}"),
            "no-source", "no path"},
        Odd{"csiUnknownWord",
            with_source("csi: {driver: nfs.csi.k8s.io, volumeHandle: x, volumeAttributes: {server: "
                        "nas, share: /e, subdir: \"${pvc.metadata.name}\"}}"),
            "odd-path", "does not explain"},
        Odd{"upwards", with_source("nfs: {server: nas, path: /export/home/../../etc}"), "odd-path", "leads upwards"},
        Odd{"csiUpwards",
            with_source("csi: {driver: nfs.csi.k8s.io, volumeHandle: x, volumeAttributes: {server: nas, "
                        "share: /e, subdir: ../../etc}}"),
            "odd-path", "leads upwards"},
        Odd{"relative", with_source("nfs: {server: nas, path: export/home}"), "odd-path", "is not absolute"},
        Odd{"controlCharacter", with_source("nfs: {server: nas, path: \"/export/\\x1b[2Jhome\"}"), "odd-path",
            "control character"},
        Odd{"root", with_source("nfs: {server: nas, path: /}"), "odd-path", "everybody's files"},
        Odd{"readOnly", with_source("nfs: {server: nas, path: /export/data, readOnly: true}"), "read-only", "dataset"},
        Odd{"pathIsNoText", with_source("nfs: {server: nas, path: 17}"), "unreadable", "spec.nfs.path is not text"},
        Odd{"specIsNoMapping", with_source("nfs: [nas, /export]"), "unreadable", "spec.nfs"}),
    [](const auto& row) { return row.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Claims, OddVolume,
    ::testing::Values(
        Odd{"unclaimed", {.claim_ref = "", .with_claim = false}, "unclaimed", "nobody claims it"},
        Odd{"claimGone", {.with_claim = false}, "claim-gone", "jhub/claim-alice"},
        Odd{"claimRefWithoutNamespace",
            {.claim_ref = "claimRef: {name: claim-alice}", .with_claim = false},
            "broken-claim",
            "names no namespace"},
        Odd{"remadeClaim", {.claim_uid = "u2"}, "broken-claim", "was deleted and another"},
        Odd{"lost", {.claim_phase = "Lost"}, "claim-lost", "Lost"},
        Odd{"pending", {.claim_volume = "\"\"", .claim_phase = "Pending"}, "claim-pending", "never got a volume"},
        Odd{"claimUsesAnother", {.claim_volume = "pvc-7"}, "broken-claim", "uses pvc-7"},
        Odd{"notAHubs", with_meta("labels: {app: postgres}", "data-postgres-0"), "not-a-home", "--base and --match"},
        Odd{"noName", with_meta(kHubs, "home"), "no-user",
            "kubectl annotate pvc -n jhub home hub.jupyter.org/username=NAME"},
        Odd{"hashed", with_meta("labels: {hub.jupyter.org/username: bob---cd9fb1e1}"), "hashed-name", "--names"},
        Odd{"twoReadings", with_meta("labels: {hub.jupyter.org/username: team-42}"), "two-names", "--slug-scheme"},
        Odd{"twoPeople", with_meta("labels: {hub.jupyter.org/username: team-42}"), "two-names", "team-42",
            with_names({"team-42", "teamB"})},
        Odd{"namedServer", with_meta("annotations: {hub.jupyter.org/username: a, hub.jupyter.org/servername: gpu}"),
            "named-server", "gpu"},
        Odd{"namedServerByClaim", with_meta(kHubs, "claim-bob--gpu"), "named-server", "gpu"},
        Odd{"nameWithSlashes", with_meta("annotations: {hub.jupyter.org/username: ../../root}"), "odd-name", "'/'"},
        Odd{"nameWithControl", with_meta("annotations: {hub.jupyter.org/username: \"a\\x07b\"}"), "odd-name",
            "control"},
        Odd{"emptyName", with_meta("annotations: {hub.jupyter.org/username: \"\"}"), "odd-name", "empty"},
        Odd{"nameIsNoText", with_meta("annotations: {hub.jupyter.org/username: 1234}"), "unreadable",
            "put it in quotes"},
        Odd{"volumeNameForAShell",
            {.volume = "\"x';reboot;'\"", .claim_volume = "\"x';reboot;'\""},
            "odd-name",
            "no volume such a name"}),
    [](const auto& row) { return row.param.name; });

std::map<std::string, std::string> reasons(const DumpedFleet& fleet) {
  std::map<std::string, std::string> out;
  for (const auto& one : fleet.left_out) out[one.claim] = one.reason;
  return out;
}
Pair person(const std::string& who, const std::string& path, const std::string& user) {
  return {.volume = "pvc-" + who,
          .claim = "claim-" + who,
          .source = "nfs: {server: nas, path: " + path + "}",
          .meta = "annotations: {hub.jupyter.org/username: " + user + "}",
          .claim_ref = "claimRef: {namespace: jhub, name: claim-" + who + "}",
          .claim_volume = "pvc-" + who};
}

TEST(KubernetesHomes, TwoClaimsOnOneDirectoryAreBothLeftOut) {
  const auto fleet =
      read(person("a", "/e/one", "a").yaml() + person("b", "/e/one/", "b").yaml() + person("c", "/e/c", "c").yaml());
  EXPECT_EQ(reasons(fleet),
            (std::map<std::string, std::string>{{"jhub/claim-a", "two-to-one"}, {"jhub/claim-b", "two-to-one"}}));
  EXPECT_NE(fleet.left_out[0].why.find("jhub/claim-b"), std::string::npos);
  ASSERT_EQ(fleet.homes.size(), 1U);
}

TEST(KubernetesHomes, DirectoriesInOneAnotherAreLeftOut) {
  const auto fleet =
      read(person("a", "/e/x", "a").yaml() + person("b", "/e/x/deep/y", "b").yaml() + person("c", "/e/xx", "c").yaml());
  EXPECT_EQ(reasons(fleet),
            (std::map<std::string, std::string>{{"jhub/claim-a", "overlaps"}, {"jhub/claim-b", "overlaps"}}));
}

TEST(KubernetesHomes, TwoClaimsOfOnePersonNeedAChoice) {
  auto second = person("b", "/e/b", "a");
  second.name_space = "other";
  second.claim_ref = "claimRef: {namespace: other, name: claim-b}";
  const auto text = person("a", "/e/a", "a").yaml() + second.yaml();
  EXPECT_EQ(reasons(read(text)).size(), 2U);
  auto settings = nas();
  settings.name_space = "jhub";
  const auto fleet = read(text, settings);
  ASSERT_EQ(fleet.homes.size(), 1U);
  EXPECT_EQ(fleet.homes[0].path, "/e/a");
  EXPECT_TRUE(fleet.left_out.empty()) << "what was not asked for is not reported";
}

TEST(KubernetesHomes, ClaimsWithoutAVolumeAreNamed) {
  const std::string claims =
      "---\nkind: PersistentVolumeClaim\nmetadata: {namespace: jhub, name: claim-p}\nstatus: {phase: Pending}\n"
      "---\nkind: PersistentVolumeClaim\nmetadata: {namespace: jhub, name: claim-l}\nspec: {volumeName: gone}\n"
      "status: {phase: Lost}\n"
      "---\nkind: PersistentVolumeClaim\nmetadata: {namespace: jhub, name: claim-g}\nspec: {volumeName: gone}\n"
      "status: {phase: Bound}\n"
      "---\nkind: PersistentVolumeClaim\nmetadata: {namespace: jhub, name: claim-s}\nspec: {volumeName: pvc-zoe}\n"
      "status: {phase: Bound}\n";
  EXPECT_EQ(reasons(read(kOther.yaml() + claims)),
            (std::map<std::string, std::string>{{"jhub/claim-p", "claim-pending"},
                                                {"jhub/claim-l", "claim-lost"},
                                                {"jhub/claim-g", "volume-gone"},
                                                {"jhub/claim-s", "broken-claim"}}));
}

TEST(KubernetesHomes, TheReclaimPolicyIsToldAndTheCommandIsOneWordOfShellEach) {
  for (const auto* policy : {"Delete", "Recycle", "\"\""}) {
    Pair pair;
    pair.policy = policy;
    const auto fleet = read(pair.yaml());
    ASSERT_EQ(fleet.homes.size(), 1U);
    EXPECT_FALSE(fleet.homes[0].retains) << policy;
  }
  EXPECT_EQ(retain_command("pvc-1"),
            R"(kubectl patch pv 'pvc-1' -p '{"spec":{"persistentVolumeReclaimPolicy":"Retain"}}')");
}

TEST(KubernetesHomes, AVolumeThatStandsThereTwiceIsTakenOnceOrNotAtAll) {
  EXPECT_EQ(read(Pair{}.yaml() + Pair{}.yaml()).homes.size(), 1U);
  auto other = Pair{};
  other.source = "nfs: {server: nas, path: /export/home/bob}";
  const auto fleet = read(Pair{}.yaml() + other.yaml());
  EXPECT_TRUE(fleet.homes.empty());
  for (const auto& one : fleet.left_out) EXPECT_EQ(one.reason, "twice");
}

// --- forms of a dump -------------------------------------------------------------------------------------------------

TEST(KubernetesDump, AListALotOfDocumentsAndJsonAreTheSame) {
  const std::string volume =
      R"({"kind": "PersistentVolume", "metadata": {"name": "pvc-1"}, "spec": {"nfs": {"server": "nas", "path": "/h"},
          "persistentVolumeReclaimPolicy": "Retain", "claimRef": {"namespace": "n", "name": "claim-a"}}})";
  const std::string claim =
      R"({"kind": "PersistentVolumeClaim", "metadata": {"namespace": "n", "name": "claim-a",
          "annotations": {"hub.jupyter.org/username": "a"}}, "spec": {"volumeName": "pvc-1"}})";
  const auto bare = [](std::string text) { return text.replace(1, text.find(", ") + 1, ""); };  // without its kind
  const std::vector<std::string> forms{
      R"({"kind": "List", "apiVersion": "v1", "items": [)" + volume + "," + claim + "]}",
      "\n " + ("{\"kind\": \"List\", \"items\": [" + claim + "," + volume + "]}"),
      "---\n" + volume + "\n---\n" + claim + "\n",
      "kind: List\nitems:\n- " + volume + "\n- " + claim + "\n",
      "kind: PersistentVolumeList\nitems:\n- " + bare(volume) + "\n---\nkind: PersistentVolumeClaimList\nitems:\n- " +
          bare(claim) + "\n---\n",
      "kind: List\nitems:\n- " + volume + "\n---\nkind: List\nitems:\n- " + claim +
          "\n---\nkind: ConfigMap\nmetadata: {name: x}\n---\nkind: List\nitems: []\n"};
  for (const auto& form : forms) {
    const auto fleet = read(form);
    ASSERT_EQ(fleet.homes.size(), 1U) << form;
    EXPECT_EQ(fleet.homes[0].user, "a");
  }
}

struct Bad {
  std::string name;
  std::string text;
  std::string said;
  friend void PrintTo(const Bad& c, std::ostream* out) { *out << c.name; }
};
class BadDump : public ::testing::TestWithParam<Bad> {};

TEST_P(BadDump, IsRefusedWithTheCommandThatWritesOne) {
  const auto dump = parse_kubernetes_dump(GetParam().text, "dump.yaml");
  ASSERT_ERRC(dump, Errc::invalid_argument);
  EXPECT_NE(dump.error().message.find(GetParam().said), std::string::npos) << dump.error().message;
  EXPECT_FALSE(dump.error().hint.empty());
}

// Each line holds the one before ten times: a billion values, if somebody wrote them out.
std::string alias_bomb() {
  std::string out = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n";
  for (int i = 1; i < 10; ++i) {
    const auto name = "*a" + std::to_string(i - 1);
    out += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + name;
    for (int n = 0; n < 9; ++n) out += "," + name;
    out += "]\n";
  }
  return out;
}

INSTANTIATE_TEST_SUITE_P(
    Table, BadDump,
    ::testing::Values(
        Bad{"empty", "", "no volumes and no claims"}, Bad{"emptyList", "kind: List\nitems: []\n", "no volumes and no"},
        Bad{"kubectlsError", "Error from server (Forbidden): persistentvolumes is forbidden\n", "without a kind"},
        Bad{"aTable", "NAME   CAPACITY\npvc-1  10Gi\n", "no Kubernetes object"},
        Bad{"onlyVolumes", Pair{.with_claim = false}.yaml(), "none of the claims"},
        Bad{"onlyClaims", "kind: PersistentVolumeClaim\nmetadata: {namespace: a, name: b}\n", "none of the volumes"},
        Bad{"noKind", "metadata: {name: x}\n", "without a kind"},
        Bad{"noName", "kind: PersistentVolume\nmetadata: {}\n", "without a name"},
        Bad{"itemsIsNoList", "kind: List\nitems: {a: b}\n", "a list that is none"},
        Bad{"listInList", "kind: List\nitems:\n- kind: List\n  items: []\n", "a list that is none"},
        Bad{"itemIsText", "kind: List\nitems: [pvc-1]\n", "no Kubernetes object"},
        Bad{"brokenYaml", "kind: List\nitems: [\n", "line"}, Bad{"brokenJson", "{\"kind\": \"List\"", "is not JSON"},
        Bad{"twoJsonTexts", "{\"kind\":\"List\"}\n{\"kind\":\"List\"}", "is not JSON"},
        Bad{"aliasBomb", alias_bomb(), "aliases count as what they copy"},
        Bad{"doubledKey", "kind: List\nkind: List\nitems: []\n", "stands here twice"},
        Bad{"notUtf8", "kind: List\nitems: [\"\xff\"]\n", "UTF-8"}),
    [](const auto& row) { return row.param.name; });

TEST(KubernetesDump, TheSizeIsLimitedAndAWholeFleetFits) {
  ASSERT_ERRC(parse_kubernetes_dump(std::string(kMostDumpBytes + 1, ' '), "d"), Errc::too_large);
  std::string text;
  for (int i = 0; i < 3000; ++i) {
    const auto who = "user" + std::to_string(i);
    text += person(who, "/export/home/" + who, who).yaml();
  }
  EXPECT_EQ(read(text).homes.size(), 3000U);
}

}  // namespace
}  // namespace homeport::cli
