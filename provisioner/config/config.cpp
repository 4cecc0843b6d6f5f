#include "provisioner/config/config.h"

#include <charconv>
#include <limits>

#include "provisioner/config/yaml_document.h"

namespace homeport::config {
namespace {

constexpr std::uint64_t kMaxIoThreads = 16;
constexpr std::uint64_t kMaxConnections = 100'000;

std::string absolute_path(DocReader& in, std::string_view key, const std::string& fallback) {
  const auto path = in.parsed(key, &AbsolutePath::parse);
  return path ? path->str() : fallback;
}

// A value between two limits, or a problem that names them.
template <class T, class Text>
void bounded(DocReader& in, std::string_view key, const std::optional<T>& value, T low, T high, T& to, Text text) {
  if (!value) return;
  if (*value < low || *value > high) {
    in.problem(key, "must be from " + text(low) + " to " + text(high));
  } else {
    to = *value;
  }
}

std::optional<TlsSettings> read_tls(DocReader& listen) {
  if (!listen.has("tls")) return std::nullopt;
  DocReader in = listen.object("tls");
  TlsSettings tls{};
  if (in.has("certificate")) {
    tls.certificate = absolute_path(in, "certificate", "");
  } else {
    in.missing("certificate");
  }
  if (const auto key = read_secret_ref(in, "key")) {
    tls.key = *key;
  } else if (!in.has("key")) {
    in.missing("key");
  }
  in.finish();
  return tls;
}

ListenSettings read_listen(DocReader& in) {
  ListenSettings listen{};
  if (const auto text = in.optional_text("address")) {
    auto address = parse_host_port(*text);
    if (address) {
      listen.host = address->host;
      listen.port = address->port;
    } else {
      in.problem("address", address.error().message, address.error().hint);
    }
  }
  listen.tls = read_tls(in);
  listen.io_threads = in.number("io_threads", listen.io_threads, 1, kMaxIoThreads);
  listen.max_connections = in.number("max_connections", listen.max_connections, 1, kMaxConnections);
  bounded(in, "max_body", in.optional_bytes("max_body"), Bytes{4U << 10U}, Bytes{64U << 20U}, listen.max_body,
          [](Bytes b) { return b.to_string(); });
  in.finish();
  return listen;
}

bool is_prefix(std::string_view text) {
  if (text.size() < 2 || text.size() > 16 || text.back() != '-' || text.front() < 'a' || text.front() > 'z')
    return false;
  return text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == std::string_view::npos;
}

void read_names(DocReader& in, Config& config) {
  if (const auto realm = in.parsed("realm", &Slug::parse)) config.realm = realm->str();
  if (const auto prefix = in.optional_text("name_prefix")) {
    if (is_prefix(*prefix)) {
      config.name_prefix = *prefix;
    } else {
      in.problem("name_prefix",
                 "'" + printable(*prefix, 40) + "' cannot start the names of what is created on backends",
                 "use 2 to 16 of a-z, 0-9 and '-', a letter first and '-' last, for example hp-");
    }
  }
}

void read_lease(DocReader lease, Config& config) {
  bounded(lease, "length", lease.optional_duration("length"), std::chrono::milliseconds(std::chrono::seconds(2)),
          std::chrono::milliseconds(std::chrono::minutes(10)), config.lease_length,
          [](std::chrono::milliseconds d) { return format_duration(d); });
  lease.finish();
}

void warn(Config& config) {
  if (!config.listen.loopback() && !config.listen.tls) {
    config.warnings.emplace_back(
        "listen.address can be reached from other machines and listen.tls is not set: tokens cross the network "
        "readable. "
        "Set listen.tls, or let only a proxy that speaks TLS reach this port");
  }
}

}  // namespace

bool ListenSettings::loopback() const {
  return host == "localhost" || host == "::1" || host.starts_with("127.");
}

Result<HostPort> parse_host_port(std::string_view text) {
  const auto refuse = [&](std::string_view why) {
    return Error{.code = Errc::invalid_argument,
                 .message = "address '" + printable(text, 80) + "' " + std::string(why),
                 .hint = "write HOST:PORT, for example 127.0.0.1:7717 or [::1]:7717"};
  };
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return refuse("has no port");
  std::string_view host = text.substr(0, colon);
  const std::string_view digits = text.substr(colon + 1);
  std::uint16_t port = 0;
  const auto [end, ec] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (digits.empty() || ec != std::errc{} || end != digits.data() + digits.size())
    return refuse("has no port from 0 to 65535");
  if (host.starts_with('[') && host.ends_with(']') && host.size() > 2) {
    host = host.substr(1, host.size() - 2);
    if (host.find_first_not_of("0123456789abcdefABCDEF:.%") != std::string_view::npos)
      return refuse("has a broken IPv6 address");
    return HostPort{std::string(host), port};
  }
  if (host.find(':') != std::string_view::npos) return refuse("has an IPv6 address without brackets");
  if (host.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_") !=
      std::string_view::npos) {
    return refuse("has a character that no host name has");
  }
  return HostPort{host.empty() ? "0.0.0.0" : std::string(host), port};
}

Config read_config(std::shared_ptr<const Document> document, Problems& problems) {
  Config config;
  config.document = std::move(document);
  DocReader in(problems, config.document->root, "");
  DocReader store = in.object("store");
  config.store.directory = absolute_path(store, "directory", config.store.directory);
  store.finish();
  DocReader listen = in.object("listen");
  config.listen = read_listen(listen);
  DocReader log = in.object("log");
  config.log_level = log.choice("level", {"debug", "info", "warning", "error"}, config.log_level);
  log.finish();
  read_names(in, config);
  DocReader auth = in.object("auth");
  config.metrics_open = auth.boolean("metrics_open", config.listen.loopback());
  auth.finish();
  read_lease(in.object("lease"), config);
  config.identity = in.raw("identity");
  config.hubs = read_hubs(in, config.realm, config.warnings);
  config.kubernetes = read_kubernetes(in);
  config.desired = in.raw("desired");
  in.finish();
  warn(config);
  return config;
}

Result<Config> load_config(const std::string& file) {
  HOMEPORT_TRY(auto loaded, load_document(file));
  const auto document = std::make_shared<const Document>(std::move(loaded));
  Problems problems(*document);
  Config config = read_config(document, problems);
  if (!problems.none()) return problems.to_error();
  return config;
}

}  // namespace homeport::config
