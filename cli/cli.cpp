#include "cli/cli.h"

#include <nlohmann/json.hpp>
#include <ostream>

namespace homeport::cli {

namespace {

Result<Format> parse_format(const std::string& word) {
  if (word.empty()) return Format::automatic;
  if (word == "json") return Format::json;
  if (word == "yaml") return Format::yaml;
  if (word == "table") return Format::table;
  return Error{.code = Errc::invalid_argument,
               .message = "output format '" + safe_text(word) + "' is not known",
               .hint = "-o takes table, json or yaml"};
}

Result<std::chrono::milliseconds> parse_limit(const std::string& word) {
  const bool plain = word.find_first_not_of("0123456789") == std::string::npos;
  const auto limit = parse_duration(plain ? word + "s" : word);
  if (limit && limit->count() > 0) return *limit;
  return Error{.code = Errc::invalid_argument,
               .message = "timeout '" + safe_text(word) + "' is no time",
               .hint = "give seconds or a duration, for example --timeout 10s"};
}

}  // namespace

Result<Cli> Cli::make(Host& host, Globals globals) {
  HOMEPORT_TRY(const Format format, parse_format(globals.output));
  HOMEPORT_TRY(const auto limit, parse_limit(globals.timeout));
  Cli cli(host, std::move(globals));
  cli.format_ = format;
  cli.timeout_ = limit;
  const auto no_color = host.env("NO_COLOR");  // no-color.org
  const bool colorful = !cli.globals_.no_color && !(no_color && !no_color->empty());
  cli.look_ = Look{.width = host.width, .color = colorful && host.out_terminal};
  cli.color_errors_ = colorful && host.err_terminal;
  return cli;
}

Result<const Settings*> Cli::settings() {
  if (!settings_) {
    HOMEPORT_TRY(auto loaded, load_settings(globals_.choices, host_->env));
    settings_ = std::make_unique<Settings>(std::move(loaded));
    for (const auto& warning : settings_->warnings) warn(warning);
  }
  return static_cast<const Settings*>(settings_.get());
}

Result<std::unique_ptr<Api>> Cli::another_api() {
  HOMEPORT_TRY(const Settings* settings, this->settings());
  auto http = make_http_client({.url = settings->url, .ca_file = settings->ca_file}, host_->clock);
  return std::make_unique<Api>(std::move(http), *settings, timeout_, host_->clock, host_->ids);
}

Result<Api*> Cli::api() {
  if (!api_) {
    HOMEPORT_TRY(api_, another_api());
  }
  return api_.get();
}

void Cli::show(const Json& value, const Render& table) {
  switch (format_) {
    case Format::json: print(json_text(value)); return;
    case Format::yaml: print(yaml_text(value)); return;
    case Format::automatic:
    case Format::table: print(table(value, look_, now())); return;
  }
}

void Cli::print(std::string_view text) {
  host_->out << text;
}

void Cli::note(std::string_view line) {
  if (!globals_.quiet) host_->err << line << "\n";
}

void Cli::warn(std::string_view line) {
  if (!globals_.quiet)
    host_->err << "homeport: " << painted("warning:", Tone::warn, color_errors_) << " " << safe_text(line) << "\n";
}

}  // namespace homeport::cli
