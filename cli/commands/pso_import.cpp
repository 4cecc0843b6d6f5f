// homeport backend import-psovalues: needs no service. Tokens go into files of their own, the rest to standard output.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "cli/commands/pso_import.h"
#include "cli/pso_values.h"
#include "provisioner/base/descriptor.h"
#include "provisioner/base/names.h"

namespace homeport::cli {
namespace {

namespace fs = std::filesystem;

constexpr ::mode_t kSecretMode = 0600;
constexpr ::mode_t kFolderMode = 0700;

struct PsoOptions {
  std::string file{};
  std::string secrets{};
  std::vector<std::string> homeport{};
  std::vector<std::string> clients{};
  std::string ca_file{};
  bool overwrite = false;
};

Error cannot(const std::string& what, const std::string& path, int code) {
  return Error{.code = Errc::failed_precondition,
               .message = "cannot " + what + " " + safe_text(path) + ": " +
                          std::strerror(code)};  // NOLINT(concurrency-mt-unsafe)
}

Result<void> make_folder(const std::string& path) {
  std::error_code failed;
  fs::create_directories(fs::path(path).parent_path(), failed);
  if (::mkdir(path.c_str(), kFolderMode) == 0) return {};
  if (errno != EEXIST) return cannot("make the folder", path, errno);
  if (!fs::is_directory(path, failed))
    return Error{.code = Errc::invalid_argument, .message = safe_text(path) + " is no folder", .hint = "name another"};
  return {};
}

// What stands there already. nullopt: nothing.
Result<std::optional<std::string>> read_secret(const std::string& path) {
  struct ::stat found {};
  if (::lstat(path.c_str(), &found) != 0) {
    if (errno == ENOENT) return std::optional<std::string>();
    return cannot("look at", path, errno);
  }
  if (!S_ISREG(found.st_mode))
    return Error{.code = Errc::failed_precondition, .message = safe_text(path) + " is no plain file"};
  std::ifstream in(path, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  if (!in) return cannot("read", path, EIO);
  return std::optional(text.str());
}

Result<bool> may_replace(Cli& cli, const std::string& path, bool overwrite) {
  if (overwrite) return true;
  if (!cli.host().in_terminal) {
    return Error{.code = Errc::already_exists,
                 .message = safe_text(path) + " exists and holds another token; nothing was written",
                 .hint = "name another folder (--secrets), or give --overwrite"};
  }
  cli.host().err << safe_text(path) << " exists and holds another token. Overwrite it? [y/N] " << std::flush;
  std::string typed;
  std::getline(cli.host().in, typed);
  return typed == "y" || typed == "Y" || typed == "yes";
}

// Whole under its name, or not at all; nobody else can read it at any moment.
Result<void> write_secret(const std::string& path, const std::string& text) {
  const auto fresh = path + ".new";
  ::unlink(fresh.c_str());
  const Descriptor file(::open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, kSecretMode));
  if (file.get() < 0) return cannot("write", fresh, errno);
  if (::write(file.get(), text.data(), text.size()) != static_cast<::ssize_t>(text.size()) ||
      ::fsync(file.get()) != 0 || ::rename(fresh.c_str(), path.c_str()) != 0) {
    const int code = errno;
    ::unlink(fresh.c_str());
    return cannot("write", path, code);
  }
  return {};
}

// All are looked at before the first is written.
Result<std::vector<std::string>> keep_tokens(Cli& cli, const PsoValues& values, const PsoChoices& choices,
                                             bool overwrite) {
  HOMEPORT_CHECK(make_folder(choices.secrets));
  std::vector<const PsoFlashBlade*> to_write;
  for (const auto& one : values.flashblades) {
    const auto path = token_file(choices, one);
    HOMEPORT_TRY(const auto there, read_secret(path));
    const auto wanted = one.token.reveal() + "\n";
    if (there && (*there == wanted || *there == one.token.reveal())) {
      if (::chmod(path.c_str(), kSecretMode) != 0) return cannot("close", path, errno);
      continue;
    }
    if (there) {
      HOMEPORT_TRY(const bool replace, may_replace(cli, path, overwrite));
      if (!replace) return Error{.code = Errc::cancelled, .message = "nothing was written"};
    }
    to_write.push_back(&one);
  }
  std::vector<std::string> written;
  for (const auto* one : to_write) {
    const auto path = token_file(choices, *one);
    HOMEPORT_CHECK(write_secret(path, one->token.reveal() + "\n"));
    written.push_back(path);
  }
  return written;
}

void tell(Cli& cli, const PsoValues& values, const PsoChoices& choices, const std::vector<std::string>& written) {
  for (const auto& one : written) cli.note("token written to " + safe_text(one) + " (mode 0600)");
  for (const auto& one : values.left_out) cli.warn("left out: " + safe_text(one));
  for (const auto& one : values.unknown) cli.warn("not understood, and left out: " + safe_text(one));
  for (const auto& one : placeholders(values, choices)) cli.warn("to be changed: " + one);
}

Result<ExitCode> import_pso(Cli& cli, const PsoOptions& o) {
  HOMEPORT_TRY(const auto text, read_text(cli, o.file));
  const auto source = o.file == "-" ? std::string("standard input") : safe_text(o.file);
  HOMEPORT_TRY(const auto values, read_pso_values(text, source));
  std::error_code failed;
  const auto folder = fs::absolute(o.secrets, failed).lexically_normal().string();
  const auto parsed =
      AbsolutePath::parse(folder.size() > 1 && folder.ends_with('/') ? folder.substr(0, folder.size() - 1) : folder);
  if (failed || !parsed) {
    return Error{.code = Errc::invalid_argument,
                 .message = "'" + safe_text(o.secrets) + "' is no folder for --secrets",
                 .hint = "for example --secrets /etc/homeport/secrets"};
  }
  PsoChoices choices{.secrets = parsed->str(), .homeport = o.homeport, .clients = o.clients};
  if (!o.ca_file.empty()) choices.ca_file = fs::absolute(o.ca_file, failed).lexically_normal().string();
  HOMEPORT_TRY(const auto written, keep_tokens(cli, values, choices, o.overwrite));
  tell(cli, values, choices, written);
  if (cli.format() == Format::json) {
    cli.print(json_text(pso_desired(values, choices)));
  } else {
    cli.print(pso_desired_text(values, choices, source));
  }
  return ExitCode::ok;
}

}  // namespace

void add_pso_import_command(const Noun& noun) {
  const auto verb = add_verb<PsoOptions>(
      noun,
      {.name = "import-psovalues",
       .description =
           "Read the values.yaml of Pure Service Orchestrator (2 to 6) and print a `desired:` document with its "
           "FlashBlades as backends, one class for each with the array's labels, and a rule. Needs no service. API "
           "tokens go into files of mode 0600 in the folder --secrets and are never printed; a file with another "
           "token is not overwritten without asking. FlashArrays are block storage: named and left out. What is left "
           "out or cannot be understood is said in comments and on standard error.\n\n"
           "The file does not say which hosts Homeport runs on and which networks notebooks: --homeport and --clients "
           "do; without, addresses that nobody has stand in their places. `homeportd --check-config` checks the "
           "result, `homeport home import --from-array` takes over the file systems that PSO made.",
       .example = "homeport backend import-psovalues values.yaml --secrets /etc/hp-secrets \\\n"
                  "    --homeport 10.0.0.5 --clients 10.20.0.0/16 > flashblades.yaml\n"
                  "homeportd --check-config flashblades.yaml"},
      import_pso);
  auto& o = verb.options;
  add(verb.app, "file", o.file, "FILE", "the values file; - is standard input")->required();
  add(verb.app, "--secrets", o.secrets, "DIR", "the folder for the token files; made where it is missing")->required();
  verb.app->add_option("--homeport", o.homeport, "a host that Homeport runs on, as the arrays see it; may be repeated")
      ->type_name("ADDRESS")
      ->expected(1)
      ->take_all();
  verb.app->add_option("--clients", o.clients, "a network that notebooks run in; may be repeated")
      ->type_name("NETWORK")
      ->expected(1)
      ->take_all();
  add(verb.app, "--ca-file", o.ca_file, "FILE", "the authority of the arrays' certificates");
  verb.app->add_flag("--overwrite", o.overwrite, "replace token files that hold another token");
}

}  // namespace homeport::cli
