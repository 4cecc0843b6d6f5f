// homeportd: the composition root of the service.
#include <malloc.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <string>

#include "api/service.h"

namespace {

// glibc raises both limits for good to fit the first large block that is freed (mallopt(3), M_MMAP_THRESHOLD), and then
// keeps up to twice that at the top of the heap. Reading 10,000 homes at the start is such a block: 11 MB stayed.
void give_back_freed_memory() {
  constexpr int kLargeBlock = 256 * 1024;
  ::mallopt(M_MMAP_THRESHOLD, kLargeBlock);
  ::mallopt(M_TRIM_THRESHOLD, 2 * kLargeBlock);
}

}  // namespace

int main(int argc, char** argv) {
  give_back_freed_memory();
  CLI::App app{"Homeport's service: gives every notebook user a home, and tells spawners what to mount."};
  app.name("homeportd");
  homeport::api::ServiceOptions options;
  std::string check;
  std::string restore;
  app.add_option("--config", options.config, "configuration file (YAML)")->type_name("FILE");
  app.add_option(
         "--state", options.state,
         "directory for the database and the first admin token (" + homeport::api::default_state_directory() + ")")
      ->type_name("DIR");
  app.add_option("--listen", options.listen, "address to serve on (127.0.0.1:7717; port 0: any free one)")
      ->type_name("HOST:PORT");
  auto* checking = app.add_option("--check-config", check, "check a configuration file and end")->type_name("FILE");
  auto* restoring =
      app.add_option("--restore", restore, "stage a backup of the state for the next start and end")->type_name("FILE");
  checking->excludes(restoring);
  app.set_version_flag("--version", std::string("homeportd ") + HOMEPORT_VERSION);
  app.footer(
      "Signals: SIGTERM and SIGINT stop in good order, SIGHUP reads secrets, TLS files and the log level again.\n"
      "Exit codes: 0 stopped, 1 failed, 2 wrong options or configuration, 75 the lease was lost: start it again.");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& problem) {
    const int code = app.exit(problem);
    return code == 0 ? 0 : homeport::api::kExitConfig;
  }
  if (*checking) return homeport::api::check_config(check);
  if (*restoring) return homeport::api::stage_restore(options, restore);
  return homeport::api::serve(options);
}
