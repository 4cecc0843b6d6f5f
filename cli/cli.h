// What a command works with: the world it runs in, what the command line said for all commands, and the way out.
#pragma once

#include <functional>
#include <iosfwd>
#include <memory>
#include <string>

#include "cli/api_client.h"
#include "cli/exit_codes.h"
#include "cli/json.h"
#include "cli/output.h"
#include "cli/settings.h"

namespace homeport::cli {

struct TreeDoors;  // cli/tree_doors.h

// Everything outside of the process; tests bring their own. All members outlive the command.
struct Host {
  Environment env;
  std::istream& in;
  std::ostream& out;
  std::ostream& err;
  Clock& clock;
  IdSource& ids;
  bool in_terminal = false;
  bool out_terminal = false;
  bool err_terminal = false;
  std::size_t width = 80;  // of the terminal, or COLUMNS; 80 otherwise
  const TreeDoors* trees = nullptr;
};

enum class Format { automatic, table, json, yaml };

struct Globals {
  SettingChoices choices{};
  std::string timeout = "30s";
  std::string output{};
  bool quiet = false;
  bool no_color = false;
};

// --dry-run, --wait[=SECONDS], --no-wait of commands that change something.
struct Mutation {
  bool dry_run = false;
  std::string wait = "true";  // "true", "false" or a duration
};

class Cli {
 public:
  // Errors: invalid_argument for a --timeout or --output that cannot be read.
  static Result<Cli> make(Host& host, Globals globals);

  // Loads the settings and makes the client at first use.
  Result<Api*> api();
  // One more connection, for a thread of its own.
  Result<std::unique_ptr<Api>> another_api();
  Result<const Settings*> settings();
  [[nodiscard]] Host& host() const { return *host_; }
  [[nodiscard]] const SettingChoices& choices() const { return globals_.choices; }
  [[nodiscard]] Format format() const { return format_; }  // automatic: nothing was said
  [[nodiscard]] bool wants_table() const { return format_ == Format::table || format_ == Format::automatic; }
  [[nodiscard]] Look look() const { return look_; }
  [[nodiscard]] WallTime now() const { return host_->clock.now(); }
  [[nodiscard]] bool quiet() const { return globals_.quiet; }
  [[nodiscard]] bool color_errors() const { return color_errors_; }

  // `table` is used for people; programs get the answer as it is.
  using Render = std::function<std::string(const Json&, const Look&, WallTime)>;
  void show(const Json& value, const Render& table);
  void print(std::string_view text);
  void note(std::string_view line);  // standard error; not under --quiet
  void warn(std::string_view line);  // standard error; not under --quiet

 private:
  Cli(Host& host, Globals globals) : host_(&host), globals_(std::move(globals)) {}

  Host* host_;
  Globals globals_;
  Format format_ = Format::automatic;
  Look look_{};
  bool color_errors_ = false;
  std::chrono::milliseconds timeout_{30'000};
  std::unique_ptr<Settings> settings_{};
  std::unique_ptr<Api> api_{};
};

// A command after its line was read.
using Command = std::function<Result<ExitCode>(Cli&)>;

}  // namespace homeport::cli
