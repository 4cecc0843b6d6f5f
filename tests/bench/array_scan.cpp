// Reads every file system of an array as the driver's scan() gives them, for flashblade_compare.py.
//
//   array_scan BACKEND.json [--rounds 3]
//
// BACKEND.json: the backend's section. Prints one line of JSON: objects and pages, seconds of each round, and by how
// many KiB the most memory in use grew from the first page to the last of all rounds.
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>

#include "drivers/flashblade/flashblade_driver_factory.h"

namespace {

using namespace homeport;
using namespace homeport::drivers;

long most_memory_kib() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;
}

struct Round {
  std::size_t objects = 0;
  std::size_t pages = 0;
  double seconds = 0;
  long after_first_page = 0;
};

Result<Round> read_all(StorageDriver& driver, const Clock& clock) {
  Round out;
  const auto began = clock.mono();
  const OpContext op{.request_id = "scan", .deadline = began + std::chrono::minutes(5)};
  std::optional<Cursor> from;
  do {
    std::vector<Object> page;
    HOMEPORT_TRY(from, driver.scan(op, {.layout = Layout::filesystem, .pool = "homes"}, from, page));
    out.objects += page.size();
    if (++out.pages == 1) out.after_first_page = most_memory_kib();
  } while (from);
  out.seconds = std::chrono::duration<double>(clock.mono() - began).count();
  return out;
}

}  // namespace

int main(int argc, char** argv) {
  std::string file;
  int rounds = 3;
  CLI::App app("reads every file system of an array");
  app.add_option("section", file)->required();
  app.add_option("--rounds", rounds);
  CLI11_PARSE(app, argc, argv);
  std::ifstream in(file);
  const auto section = nlohmann::json::parse(in);
  const auto clock = make_system_clock();
  auto driver = make_flashblade_driver("bench", section, {.clock = clock.get()});
  if (!driver) {
    std::fprintf(stderr, "%s\n", driver.error().to_string().c_str());
    return 1;
  }
  nlohmann::json seconds = nlohmann::json::array();
  Round last;
  long first_page = 0;
  for (int i = 0; i < rounds; ++i) {
    const auto round = read_all(**driver, *clock);
    if (!round) {
      std::fprintf(stderr, "%s\n", round.error().to_string().c_str());
      return 1;
    }
    last = *round;
    if (i == 0) first_page = last.after_first_page;
    seconds.push_back(last.seconds);
  }
  const nlohmann::json out{{"objects", last.objects},
                           {"pages", last.pages},
                           {"seconds", seconds},
                           {"first_page_kib", first_page},
                           {"grown_kib", most_memory_kib() - first_page}};
  std::puts(out.dump().c_str());
  return 0;
}
