// Bodies about people and hubs, as the contract writes them.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "tests/unit/cli/bodies.h"

namespace homeport::testing::bodies {

inline std::string me_body(const std::string& homes) {
  return R"j({"credential":{"id":"self:u-00000000000000aa","scope":"user:self","hub":"main","realm":"default"},
"user":{"name":"alice","groups":["biology","staff"],"user_key":"u-00000000000000aa","uid":1001,"gid":1001,"dormant_since":null},
"homes":[)j" +
         homes + "]}";
}

constexpr const char* kNoHomeYet =
    R"j({"credential":{"id":"self:unknown","scope":"user:self","hub":"main","realm":"default"},
"user":{"name":"zoe","groups":[],"user_key":null,"uid":null,"gid":null,"dormant_since":null},"homes":[]})j";

constexpr const char* kNobody =
    R"j({"credential":{"id":"t-0123456789ab","scope":"spawner","hub":"main","realm":"default"},"user":null,"homes":[]})j";

constexpr const char* kLook =
    R"j({"hub":"main","at":"2026-11-20T07:00:00Z","dry_run":false,"outcome":"done","text":null,
"listed":412,"known":203,"missing":[{"user_key":"u-00000000000000aa","names":["alice"],"looks":2},
{"user_key":"u-00000000000000bb","names":["bob","robert"],"looks":1}],
"gone":[{"user_key":"u-00000000000000aa","names":["alice"]}],"back":[{"user_key":"u-00000000000000cc","names":[]}],
"recreated":[{"user_key":"u-00000000000000dd","names":["dora"]}]})j";

constexpr const char* kHeldLook =
    R"j({"hub":"teaching","at":"2026-11-20T07:00:00Z","dry_run":true,"outcome":"held",
"text":"30 of 80 people who came from this hub are missing on its list, and at most 8 may be at once (most_gone: 10)",
"listed":50,"known":80,"missing":[{"user_key":"u-00000000000000aa","names":["alice"],"looks":2}],"gone":[],"back":[]})j";

constexpr const char* kFailedLook =
    R"j({"hub":"main","at":"2026-11-20T07:00:00Z","dry_run":false,"outcome":"failed",
"text":"the hub main cannot be reached: connection refused","listed":0,"known":0,"missing":[],"gone":[],"back":[]})j";

inline std::string hub_body(const std::string& name, const std::string& look, bool lists = true) {
  return R"({"name":")" + name + R"(","realm":"default","url":"http://127.0.0.1:8081/hub/api","lists_users":)" +
         (lists ? "true" : "false") + R"(,"reconcile_seconds":21600,"last_look":)" + look + "}";
}

inline std::string measured_home(const std::string& measure) {
  auto home = nlohmann::json::parse(kHome);
  home["usage"] = nullptr;
  home["measure"] = nlohmann::json::parse(measure);
  return home.dump();
}

inline std::string held_user() {
  auto user = nlohmann::json::parse(kUser);
  user["recreated"] = {{"hub", "main"}, {"name", "alice"}, {"seen_at", "2026-11-20T07:00:00Z"}, {"created", nullptr}};
  return user.dump();
}

inline std::string dormant_home() {
  std::string home = kHome;
  const std::string before = R"("purge_after":null)";
  home.replace(home.find(before), before.size(), before + R"(,"dormant_since":"2026-11-17T08:00:00Z")");
  return home;
}

}  // namespace homeport::testing::bodies
