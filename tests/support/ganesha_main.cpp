// The test NFS server as a program, for end-to-end tests that are not C++.
//
//   ganesha-for-tests [--no-cache] PATH[:ro][:root_squash][:all_squash][:privileged]…
//
// Prints one line of JSON {port, mount_port, directories: {path: where its files lie}} once it serves, then obeys one
// word a line on standard input (stop, start, pause, resume), answering "ok" or "failed: …". Ends, and cleans up, when
// its standard input ends.
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/support/ganesha.h"

namespace {

using homeport::testing::Ganesha;
using homeport::testing::GaneshaExport;

GaneshaExport parse_export(std::string text) {
  GaneshaExport out;
  std::vector<std::string> words;
  for (std::size_t at = text.find(':'); at != std::string::npos; at = text.find(':')) {
    words.push_back(text.substr(at + 1, text.find(':', at + 1) - at - 1));
    text.erase(at, words.back().size() + 1);
  }
  out.path = text;
  for (const auto& word : words) {
    if (word == "ro") out.read_only = true;
    if (word == "root_squash") out.squash = "Root_Squash";
    if (word == "all_squash") out.squash = "All_Squash";
    if (word == "privileged") out.privileged_port = true;
  }
  return out;
}

std::string obey(Ganesha& server, const std::string& word) {
  if (word == "stop") {
    server.stop();
  } else if (word == "start") {
    if (const auto started = server.restart(); !started) return "failed: " + started.error().to_string();
  } else if (word == "pause") {
    server.pause();
  } else if (word == "resume") {
    server.resume();
  } else {
    return "failed: '" + word + "' is not known";
  }
  return "ok";
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<GaneshaExport> exports;
  homeport::testing::GaneshaOptions options;
  for (int i = 1; i < argc; ++i) {
    if (std::string(argv[i]) == "--no-cache") {
      options.attribute_cache = false;  // what is done on its disk behind its back is seen at once
    } else {
      exports.push_back(parse_export(argv[i]));
    }
  }
  auto server = Ganesha::start(exports, options);
  if (!server) {
    std::cerr << server.error().to_string() << '\n';
    return 1;
  }
  nlohmann::json directories;
  for (const auto& exported : exports) directories[exported.path] = (*server)->directory(exported.path).string();
  std::cout << nlohmann::json{{"port", (*server)->port()},
                              {"mount_port", (*server)->mount_port()},
                              {"directories", directories}}
                   .dump()
            << std::endl;
  for (std::string word; std::getline(std::cin, word);) std::cout << obey(**server, word) << std::endl;
  return 0;
}
