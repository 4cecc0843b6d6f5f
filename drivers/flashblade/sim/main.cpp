// flashblade-sim: a FlashBlade's REST interface without a FlashBlade.
#include <CLI/CLI.hpp>
#include <csignal>
#include <iostream>
#include <string>

#include "drivers/flashblade/sim/array.h"
#include "drivers/flashblade/sim/certificate.h"
#include "drivers/flashblade/sim/control.h"
#include "drivers/flashblade/sim/data_path.h"
#include "drivers/flashblade/sim/front.h"
#include "drivers/flashblade/sim/http_server.h"
#include "drivers/flashblade/sim/state.h"
#include "provisioner/config/yaml_document.h"

namespace homeport::fbsim {
namespace {

struct Options {
  Settings settings{};
  std::string listen{};
  std::string tls_listen{};
  std::string certificate_dir = "flashblade-sim-tls";
  std::string version = "2.28";
  std::string control_listen{};
  std::string faults{};
  std::string load{};
  std::string state{};
  std::string data{};
  GaneshaSettings ganesha{};
};

void add_options(CLI::App& app, Options& options) {
  auto& settings = options.settings;
  app.add_option("--listen", options.listen, "serve HTTP here (port 0: any free one)")->type_name("ADDRESS:PORT");
  app.add_option("--tls-listen", options.tls_listen, "serve HTTPS here")->type_name("ADDRESS:PORT");
  app.add_option("--certificate-dir", options.certificate_dir,
                 "where certificate.pem and key.pem are, or are made (" + options.certificate_dir + ")")
      ->type_name("DIR");
  app.add_option("--version", options.version, "newest REST version, 2.0 to 2.28 (2.28)")->type_name("2.N");
  app.add_option("--api-versions", settings.api_versions,
                 "what GET /api/api_version answers, comma-separated (2.0 to --version)")
      ->delimiter(',');
  app.add_option("--control-listen", options.control_listen, "serve the control calls here: no password, so loopback")
      ->type_name("ADDRESS:PORT");
  app.add_option("--faults", options.faults, "a script of faults, YAML or JSON")->type_name("FILE");
  app.add_option("--load", options.load, "start from recorded answers of an array")->type_name("DIR");
  app.add_option("--state", options.state, "keep the state here: read at the start, written at the end")
      ->type_name("FILE");
  app.add_option("--data", options.data, "real directories, served by an NFS-Ganesha of its own (needs root)")
      ->type_name("DIR");
  app.add_option("--nfs-listen", options.ganesha.address, "address that NFS-Ganesha listens on (127.0.0.1)");
  app.add_option("--nfs-port", options.ganesha.nfs_port, "its NFS port (any free one)");
  app.add_option("--mount-port", options.ganesha.mount_port, "its mount port (any free one)");
  app.add_option("--nfs-preload", options.ganesha.preload, "library that keeps it from asking for a portmapper")
      ->type_name("FILE");
  app.add_option("--array-name", settings.array_name, "its name (flashblade-sim)");
  app.add_option("--api-token", settings.api_token, "API token of the user pureuser (" + settings.api_token + ")");
  app.add_option("--data-address", settings.data_addresses, "addresses of the data interfaces (10.0.0.10)")
      ->delimiter(',');
  app.add_option("--capacity", settings.capacity, "usable bytes (100 TiB)");
  app.add_option("--unauthorized", settings.unauthorized_status, "status for a missing or wrong session (403)")
      ->check(CLI::IsMember({401, 403}));
  app.add_option("--missing", settings.missing_status, "status for a name that does not exist (400; 200: empty list)")
      ->check(CLI::IsMember({200, 400, 404}));
  app.add_option("--exists", settings.exists_status, "status for a name that is taken (400)")
      ->check(CLI::IsMember({400, 409}));
  app.add_flag("--strict", settings.strict_parameters, "refuse unknown query parameters instead of ignoring them");
  app.add_flag("--nfs-on", settings.nfs_default_on, "NFS is on for a file system that does not say");
  app.add_option("--max-page", settings.max_page, "most items of one answer (10000)")->check(CLI::PositiveNumber);
  app.add_option("--session-ms", settings.session_ms, "idle time of a session; 0: for ever (1800000)");
  app.add_option("--eradication-delay-ms", settings.eradication_delay_ms, "from destroyed to gone (86400000)");
  app.add_option("--manual-eradication", settings.manual_eradication, "SafeMode (all-enabled)")
      ->check(CLI::IsMember({"all-enabled", "file-disabled", "object-disabled", "all-disabled"}));
}

sigset_t stop_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  return signals;
}

int fail(const Error& error, int code) {
  std::cerr << "flashblade-sim: " << error.to_string() << '\n';
  if (!error.hint.empty()) std::cerr << error.hint << '\n';
  return code;
}

Result<int> parse_minor(const std::string& text) {
  for (int minor = 0; minor <= 28; ++minor) {
    if (text == "2." + std::to_string(minor)) return minor;
  }
  return Error{.code = Errc::invalid_argument,
               .message = "'" + text + "' is no REST version this simulator knows",
               .hint = "give 2.0 to 2.28"};
}

// Everything that a start needs: what it was before, what was recorded, real files.
Result<void> fill(Array& array, const Options& options) {
  return array.with([&](World& world, Sessions&) -> Result<void> {
    bool known = false;
    if (!options.state.empty()) {
      HOMEPORT_TRY(known, load_state(world, options.state));
    }
    if (!known && !options.load.empty()) HOMEPORT_CHECK(load_recorded(world, options.load));
    // The token that is printed is the one that counts, also for a state that was made with another.
    auto* admin = world.table("admins").by_name(options.settings.user);
    if (admin != nullptr) set_path(admin->fields, "#token.token", options.settings.api_token);
    return {};
  });
}

struct Files {
  std::unique_ptr<DataPath> directories{};
  std::unique_ptr<GaneshaServer> server{};
};

Result<Files> open_files(Array& array, const Options& options, Clock& clock) {
  Files out;
  if (options.data.empty()) return out;
  HOMEPORT_TRY(out.directories, open_data_path(options.data, clock));
  const auto made = array.with([&](World& world, Sessions&) -> Or<void> {
    world.data = out.directories.get();
    world.on_change.push_back([&world](FileSystem& fs) { world.data_step(world.data->follow(fs), "follow", fs.name); });
    for (const auto& [key, fs] : world.file_systems.order()) {
      if (!fs->destroyed) HOMEPORT_CHECK(world.data->make(*fs));
    }
    return {};
  });
  if (!made) return Error{.code = Errc::failed_precondition, .message = made.error().message, .hint = "look at --data"};
  HOMEPORT_TRY(out.server, GaneshaServer::start(options.data, options.ganesha, clock));
  return out;
}

class Listeners {
 public:
  explicit Listeners(const Options& options) : options_(options), ready_({{"api_token", options.settings.api_token}}) {}

  Result<void> open(const std::string& text, const char* name, bool tls, HttpServer::Handle handle) {
    if (text.empty()) return {};
    HOMEPORT_TRY(auto listen, parse_listen(text));
    if (tls) {
      HOMEPORT_TRY(auto files, ensure_certificate(options_.certificate_dir, listen.address));
      ready_["certificate"] = files.certificate;
      listen.tls = std::move(files);
    }
    HOMEPORT_TRY(auto server, HttpServer::start(listen, std::move(handle)));
    ready_[name] = server->address();
    servers_.push_back(std::move(server));
    return {};
  }
  [[nodiscard]] Json& ready() { return ready_; }

 private:
  const Options& options_;
  Json ready_;
  std::vector<std::unique_ptr<HttpServer>> servers_{};
};

Result<void> serve(const Options& options, Clock& clock, IdSource& ids) {
  Array array(options.settings, clock, ids);
  HOMEPORT_CHECK(fill(array, options));
  HOMEPORT_TRY(const auto files, open_files(array, options, clock));
  Faults faults;
  if (!options.faults.empty()) {
    HOMEPORT_TRY(const auto script, config::load_document(options.faults));
    HOMEPORT_CHECK(faults.add(script));
  }
  Front front(array, faults, clock);
  Control control(array, faults, front, options.state);
  {
    Listeners listeners(options);
    const auto answer = [&front](const HttpRequest& request, const std::stop_token& stop) {
      return front.answer(request, stop);
    };
    const auto steer = [&control](const HttpRequest& request, const std::stop_token&) {
      return control.answer(request);
    };
    HOMEPORT_CHECK(listeners.open(options.listen, "http", false, answer));
    HOMEPORT_CHECK(listeners.open(options.tls_listen, "https", true, answer));
    HOMEPORT_CHECK(listeners.open(options.control_listen, "control", false, steer));
    if (files.server) {
      listeners.ready()["nfs_port"] = files.server->nfs_port();
      listeners.ready()["mount_port"] = files.server->mount_port();
    }
    std::cout << listeners.ready().dump() << std::endl;
    sigset_t signals = stop_signals();
    int got = 0;
    sigwait(&signals, &got);
  }
  if (options.state.empty()) return {};
  return array.with([&](World& world, Sessions&) { return save_state(world, options.state); });
}

int run(int argc, char** argv) {
  CLI::App app{"A FlashBlade's REST interface without a FlashBlade: for trying Homeport, and for tests."};
  app.name("flashblade-sim");
  Options options;
  options.ganesha.preload = HOMEPORT_NORPCB;
  add_options(app, options);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& problem) {
    return app.exit(problem) == 0 ? 0 : 2;
  }
  const auto minor = parse_minor(options.version);
  if (!minor) return fail(minor.error(), 2);
  options.settings.max_minor = *minor;
  if (options.listen.empty() && options.tls_listen.empty()) options.listen = "127.0.0.1:8080";
  // In every thread; the main one waits for them.
  const sigset_t signals = stop_signals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  const auto clock = make_system_clock();
  const auto ids = make_system_ids();
  const auto served = serve(options, *clock, *ids);
  if (served) return 0;
  return fail(served.error(), served.error().code == Errc::invalid_argument ? 2 : 1);
}

}  // namespace
}  // namespace homeport::fbsim

int main(int argc, char** argv) {
  return homeport::fbsim::run(argc, argv);
}
