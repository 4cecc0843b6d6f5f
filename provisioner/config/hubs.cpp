#include "provisioner/config/hubs.h"

#include <algorithm>

#include "provisioner/base/names.h"

namespace homeport::config {
namespace {

using std::chrono::milliseconds;

void read_duration(DocReader& in, std::string_view key, milliseconds low, milliseconds high, milliseconds& into) {
  const auto value = in.optional_duration(key);
  if (!value) return;
  if (*value < low || *value > high) {
    in.problem(key, "must be from " + format_duration(low) + " to " + format_duration(high));
  } else {
    into = *value;
  }
}

std::optional<Url> read_url(DocReader& in) {
  auto url = in.required<Url>("url", &Url::parse);
  if (!url) return std::nullopt;
  if (url->base_path.ends_with("/hub/api")) return url;
  in.problem("url", "'" + url->to_string() + "' is not the address of a hub's API: it does not end in /hub/api",
             "give what the hub's services have as JUPYTERHUB_API_URL, for example http://127.0.0.1:8081/hub/api");
  return std::nullopt;
}

HubSection read_hub(DocReader& in, const std::string& realm, std::vector<std::string>& warnings) {
  HubSection hub{.name = {}, .url = {}, .realm = realm};
  if (const auto name = in.required<Slug>("name", &Slug::parse)) hub.name = name->str();
  if (const auto own = in.parsed<Slug>("realm", &Slug::parse)) hub.realm = own->str();
  if (const auto url = read_url(in)) hub.url = *url;
  if (const auto file = in.parsed("ca_file", &AbsolutePath::parse)) hub.ca_file = file->str();
  if (!hub.ca_file.empty() && !hub.url.host.empty() && !hub.url.tls) {
    in.problem("ca_file", "has no meaning: the url is not https");
  }
  hub.token = read_secret_ref(in, "token");
  read_duration(in, "timeout", milliseconds(100), std::chrono::seconds(30), hub.timeout);
  // A revoked token is refused after five minutes at the latest: that is a promise, not a default.
  read_duration(in, "cache", std::chrono::seconds(1), std::chrono::minutes(5), hub.cache);
  hub.new_per_second = static_cast<unsigned>(in.number("new_per_second", hub.new_per_second, 1, 10'000));
  hub.recreated_is_same = in.choice("recreated", {"hold", "same"}, "hold") == "same";
  if (in.has("reconcile") && !in.has("token")) {
    in.problem("reconcile", "needs 'token'", "the users are listed with the token of a service of the hub");
  }
  DocReader reconcile = in.object("reconcile");
  read_duration(reconcile, "every", std::chrono::minutes(1), std::chrono::hours(24 * 30), hub.reconcile_every);
  hub.most_gone_percent = static_cast<unsigned>(reconcile.number("most_gone", hub.most_gone_percent, 0, 100));
  reconcile.finish();
  in.finish();
  if (!hub.url.host.empty() && !hub.url.tls && !hub.url.is_loopback()) {
    warnings.push_back("hub " + hub.name + " is asked over plain HTTP (" + hub.url.to_string() +
                       "): people's tokens cross the network readable. Use https, or a network of their own");
  }
  return hub;
}

}  // namespace

std::vector<HubSection> read_hubs(DocReader& in, const std::string& realm, std::vector<std::string>& warnings) {
  std::vector<HubSection> out;
  for (auto& item : in.objects("hubs")) {
    auto hub = read_hub(item, realm, warnings);
    const bool twice = std::any_of(
        out.begin(), out.end(), [&](const HubSection& other) { return !hub.name.empty() && other.name == hub.name; });
    if (twice) item.problem("name", "hub '" + hub.name + "' stands there twice", "each hub has a name of its own");
    out.push_back(std::move(hub));
  }
  return out;
}

}  // namespace homeport::config
