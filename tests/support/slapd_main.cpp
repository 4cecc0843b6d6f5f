// The test LDAP server as a program, for end-to-end tests that are not C++.
//
//   slapd-for-tests < LDIF…
//
// Reads entries below the suffix from standard input up to a line that is a single dot. Prints one line of JSON {ldaps,
// suffix, bind_dn, password, ca_file} once it serves, then obeys one line at a time: stop, start, pause, resume,
// "remove DN", "searches" (answers the number of searches so far). Other answers: "ok" or "failed: …". Ends, and cleans
// up, when its standard input ends.
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>

#include "tests/support/slapd.h"

namespace {

using homeport::testing::Slapd;

std::string obey(Slapd& server, const std::string& line) {
  if (line == "searches") return std::to_string(server.searches());
  if (line == "stop") {
    server.kill();
  } else if (line == "start") {
    if (const auto started = server.restart(); !started) return "failed: " + started.error().to_string();
  } else if (line == "pause") {
    server.pause();
  } else if (line == "resume") {
    server.resume();
  } else if (line.starts_with("remove ")) {
    server.remove(line.substr(7));
  } else {
    return "failed: '" + line + "' is not known";
  }
  return "ok";
}

}  // namespace

int main() {
  homeport::testing::SlapdOptions options;
  for (std::string line; std::getline(std::cin, line) && line != ".";) options.ldif += line + "\n";
  auto server = Slapd::start(std::move(options));
  if (!server) {
    std::cerr << server.error().to_string() << '\n';
    return 1;
  }
  std::cout << nlohmann::json{{"ldaps", (*server)->ldaps_url()},
                              {"suffix", Slapd::kSuffix},
                              {"bind_dn", Slapd::kBindDn},
                              {"password", Slapd::kPassword},
                              {"ca_file", (*server)->ca_file()}}
                   .dump()
            << std::endl;
  for (std::string line; std::getline(std::cin, line);) std::cout << obey(**server, line) << std::endl;
  return 0;
}
