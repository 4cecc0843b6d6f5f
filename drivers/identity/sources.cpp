#include "drivers/identity/sources.h"

#include <utility>

#include "drivers/identity/bounded_source.h"
#include "drivers/identity/nss_source.h"

namespace homeport::drivers::identity {
namespace {

std::unique_ptr<core::IdentitySource> make_static(const IdentitySettings& settings) {
  return std::make_unique<StaticSource>(settings.people, [below = settings.system_below](const std::string& file) {
    return read_static_file(file, below);
  });
}

std::unique_ptr<core::IdentitySource> make_nss(const IdentitySettings& settings, const Clock& clock) {
  auto bounded = std::make_unique<BoundedSource>(std::make_shared<NssSource>(),
                                                 BoundedSettings{.timeout = settings.nss.timeout}, clock);
  return std::make_unique<CachedSource>(std::move(bounded), settings.cache, clock);
}

std::unique_ptr<core::IdentitySource> make_ldap(const IdentitySettings& settings, const Clock& clock) {
  const auto& section = *settings.ldap;
  const auto& servers = section.settings.servers;
  auto source = std::make_shared<LdapSource>(
      section.settings,
      [ref = section.bind_password.value_or(config::SecretRef{})] { return config::read_secret(ref); }, clock);
  // The source keeps its own deadlines; the bound is for looking up host names, which knows none.
  const auto every_server = servers.timeout * static_cast<int>(servers.urls.size());
  auto bounded = std::make_unique<BoundedSource>(
      std::move(source), BoundedSettings{.timeout = every_server, .max_calls = servers.connections}, clock);
  return std::make_unique<CachedSource>(std::move(bounded), settings.cache, clock);
}

}  // namespace

std::vector<std::unique_ptr<core::IdentitySource>> make_identity_sources(const IdentitySettings& settings,
                                                                         const Clock& clock) {
  std::vector<std::unique_ptr<core::IdentitySource>> sources;
  for (const auto origin : settings.order) {
    switch (origin) {
      case Origin::written: sources.push_back(make_static(settings)); break;
      case Origin::nss: sources.push_back(make_nss(settings, clock)); break;
      case Origin::ldap:
        if (settings.ldap) sources.push_back(make_ldap(settings, clock));
        break;
      case Origin::request:
      case Origin::assigned: break;
    }
  }
  return sources;
}

}  // namespace homeport::drivers::identity
