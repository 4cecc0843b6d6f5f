// flashblade-sim: a FlashBlade's REST interface without a FlashBlade.
#include <CLI/CLI.hpp>
#include <csignal>
#include <iostream>
#include <string>

#include "drivers/flashblade/sim/array.h"
#include "drivers/flashblade/sim/certificate.h"
#include "drivers/flashblade/sim/http_server.h"

namespace {

using namespace homeport;
using namespace homeport::fbsim;

struct Options {
  Settings settings{};
  std::string listen{};
  std::string tls_listen{};
  std::string certificate_dir = "flashblade-sim-tls";
  std::string version = "2.28";
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

int serve(Options options, const Clock& clock, IdSource& ids) {
  Array array(options.settings, clock, ids);
  const auto handle = [&array](const HttpRequest& request, const std::stop_token&) { return array.answer(request); };
  std::vector<std::unique_ptr<HttpServer>> servers;
  Json ready = {{"api_token", options.settings.api_token}};
  const auto open = [&](const std::string& text, const char* name, bool tls) -> Result<void> {
    if (text.empty()) return {};
    HOMEPORT_TRY(auto listen, parse_listen(text));
    if (tls) {
      HOMEPORT_TRY(auto files, ensure_certificate(options.certificate_dir, listen.address));
      ready["certificate"] = files.certificate;
      listen.tls = std::move(files);
    }
    HOMEPORT_TRY(auto server, HttpServer::start(listen, handle));
    ready[name] = server->address();
    servers.push_back(std::move(server));
    return {};
  };
  if (const auto opened = open(options.listen, "http", false); !opened) return fail(opened.error(), 1);
  if (const auto opened = open(options.tls_listen, "https", true); !opened) return fail(opened.error(), 1);
  std::cout << ready.dump() << std::endl;
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  int got = 0;
  sigwait(&signals, &got);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"A FlashBlade's REST interface without a FlashBlade: for trying Homeport, and for tests."};
  app.name("flashblade-sim");
  Options options;
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
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  const auto clock = make_system_clock();
  const auto ids = make_system_ids();
  return serve(std::move(options), *clock, *ids);
}
