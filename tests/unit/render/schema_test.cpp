// The published schema against real documents, by Python's jsonschema.
#include <gmock/gmock.h>

#include <functional>
#include <nlohmann/json.hpp>

#include "tests/support/golden.h"
#include "tests/support/result_matchers.h"
#include "tests/unit/render/outside_programs.h"
#include "tests/unit/render/random_spec.h"
#include "tests/unit/render/sample_specs.h"

namespace homeport::render {
namespace {

using nlohmann::json;

struct Broken {
  std::string name;
  std::function<void(json&)> spoil;
};

// Each is refused by the schema and by from_json.
std::vector<Broken> broken_documents() {
  const auto set = [](std::string pointer, json value) {
    return [at = json::json_pointer(pointer), value](json& d) { d[at] = value; };
  };
  return {
      {"schema", set("/schema", "mountspec/2")},
      {"no state", [](json& d) { d.erase("state"); }},
      {"unknown member", set("/extra", 1)},
      {"blocked without a status", set("/state", "blocked")},
      {"status without blocked", set("/status_hint", 507)},
      {"notice level", set("/notices/0/level", "fatal")},
      {"notice length", set("/notices/0/text", std::string(301, 'x'))},
      {"notice newline inside", set("/notices/0/text", "a\nb")},
      {"notice link", set("/notices/0/url", "javascript:x")},
      {"user key", set("/subject/user_key", "bob")},
      {"hub", set("/subject/hub", "Main")},
      {"uid root", set("/identity/uid", 0)},
      {"uid text", set("/identity/uid", "1000")},
      {"uid without gid", [](json& d) { d["identity"].erase("gid"); }},
      {"seventeen groups",
       [](json& d) {
         d["identity"]["supplemental_gids"] = json::array();
         for (int i = 1; i < 18; ++i) d["identity"]["supplemental_gids"].push_back(i);
       }},
      {"group root", set("/identity/supplemental_gids", json::array({7, 0}))},
      {"group twice", set("/identity/supplemental_gids", json::array({7, 7}))},
      {"umask", set("/identity/umask", "rwx")},
      {"user name", set("/identity/user_name", "Bob")},
      {"mount id", set("/mounts/0/id", "Home")},
      {"mount kind", set("/mounts/0/kind", "tmp")},
      {"target colon", set("/mounts/1/target", "/a:b")},
      {"target dots", set("/mounts/1/target", "/a/../b")},
      {"target dot at the end", set("/mounts/1/target", "/a/.")},
      {"target slashes", set("/mounts/1/target", "/a//b")},
      {"target trailing slash", set("/mounts/1/target", "/a/")},
      {"target etc", set("/mounts/1/target", "/etc")},
      {"target below proc", set("/mounts/1/target", "/proc/1")},
      {"target usr", set("/mounts/1/target", "/usr")},
      {"target root", set("/mounts/1/target", "/")},
      {"target control", set("/mounts/1/target", "/a\tb")},
      {"server comma", set("/mounts/1/source/server", "a,b")},
      {"server brackets", set("/mounts/1/source/server", "[::1]")},
      {"version", set("/mounts/1/source/version", "4")},
      {"port", set("/mounts/1/source/port", 0)},
      {"mount port with v4", set("/mounts/1/source/mount_port", 20048)},
      {"source type", set("/mounts/1/source/type", "smb")},
      {"source unknown", set("/mounts/1/source/protocol", "nfs")},
      {"local with nfs options", set("/mounts/1/source", {{"type", "local"}, {"host", "nas"}, {"path", "/srv"}})},
      {"nfs without options", set("/mounts/1/nfs", nullptr)},
      {"transport", set("/mounts/1/nfs/transport", "udp")},
      {"timeo", set("/mounts/1/nfs/timeo", 0)},
      {"rsize", set("/mounts/1/nfs/rsize", 1000)},
      {"nconnect", set("/mounts/1/nfs/nconnect", 17)},
      {"nolock with v4", set("/mounts/1/nfs/nolock", true)},
      {"sec", set("/mounts/1/nfs/sec", "none")},
      {"nfs free text", set("/mounts/1/nfs/options", "exec")},
      {"rw snapshot", set("/mounts/5/access", "rw")},
      {"rw immutable", set("/mounts/4/lifetime/immutable", true)},
      {"quota class", set("/mounts/0/quota/class", "soft")},
      {"quota hard", set("/mounts/0/quota/hard", true)},
      {"quota limit 0", set("/mounts/0/quota/limit_bytes", 0)},
      {"lifetime days", set("/mounts/4/lifetime/purge_after_days", 0)},
      {"variable name", set("/environment/path", "x")},
      {"variable newline inside", set("/environment/A", "x\ny")},
      {"label number", set("/labels/a", 1)},
      {"link relative", set("/links/0/at", "data")},
      {"time", set("/issued_at", "yesterday")},
      {"digest", set("/digest", "md5:0")},
  };
}

TEST(Schema, AgreesWithTheReader) {
  json batch = json::array();
  const auto add = [&](const std::string& name, bool valid, const json& document) {
    batch.push_back({{"name", name}, {"valid", valid}, {"document", document}});
    EXPECT_EQ(from_json(document.dump()).has_value(), valid) << name;
  };
  for (const auto& sample : testing::all_samples()) add(sample.name, true, to_json(sample.spec));
  std::mt19937_64 random(20261120);
  for (int i = 0; i < 300; ++i) add("random " + std::to_string(i), true, to_json(testing::random_spec(random)));
  for (const auto& broken : broken_documents()) {
    auto document = to_json(testing::every_kind());
    document.erase("digest");
    broken.spoil(document);
    add(broken.name, false, document);
  }
  const testing::ScratchFolder folder;
  const auto file = folder.write("batch.json", batch.dump());
  const auto source = [](const std::string& path) { return homeport::testing::source_path(path); };
  const auto got = testing::run_program({"/usr/bin/python3", source("tests/unit/render/schema_check.py"),
                                         source("provisioner/render/mountspec-1.schema.json"), file});
  EXPECT_EQ(got.status, 0) << got.output;
  EXPECT_EQ(got.output, "checked " + std::to_string(batch.size()) + "\n");
}

TEST(Schema, NamesEveryMemberThatIsWritten) {
  // A member that is written but not described would be refused by additionalProperties; this looks the other way.
  const auto schema = json::parse(
      homeport::testing::read_file(homeport::testing::source_path("provisioner/render/mountspec-1.schema.json")));
  const auto document = to_json(testing::every_kind());
  const auto same_keys = [](const json& described, const json& written, const std::string& what) {
    for (const auto& [key, value] : described.items())
      EXPECT_TRUE(written.contains(key)) << what << " " << key << " is described, never written";
  };
  const auto& defs = schema["$defs"];
  same_keys(schema["properties"], document, "spec");
  same_keys(defs["subject"]["properties"], document["subject"], "subject");
  same_keys(defs["identity"]["properties"], document["identity"], "identity");
  same_keys(defs["notice"]["properties"], document["notices"][0], "notice");
  same_keys(defs["mount"]["properties"], document["mounts"][0], "mount");
  same_keys(defs["nfs_source"]["properties"], document["mounts"][0]["source"], "nfs source");
  same_keys(defs["nfs_options"]["properties"], document["mounts"][0]["nfs"], "nfs options");
  same_keys(defs["quota"]["properties"], document["mounts"][0]["quota"], "quota");
  same_keys(defs["lifetime"]["properties"], document["mounts"][4]["lifetime"], "lifetime");
}

}  // namespace
}  // namespace homeport::render
