#include "drivers/flashblade/sim/surroundings.h"

#include <array>

#include "drivers/flashblade/sim/family.h"

namespace homeport::fbsim {
namespace {

constexpr Millis kYear = 365LL * 24 * 3'600'000;

// --- Lists that are always empty -------------------------------------------------------------------------------------

struct Empty {
  const char* path;
  const char* what;
  int since;
};
// Nothing of these is made here; a POST is answered 405. Since: REST 2.x, appendix A of the interface's description.
constexpr std::array kEmpty = {Empty{"active-directory", "Active Directory account", 0},
                               Empty{"api-clients", "API client", 0},
                               Empty{"bucket-replica-links", "Bucket replica link", 0},
                               Empty{"buckets", "Bucket", 0},
                               Empty{"buckets/bucket-access-policies", "Bucket access policy", 12},
                               Empty{"buckets/cross-origin-resource-sharing-policies", "CORS policy", 12},
                               Empty{"certificate-groups", "Certificate group", 0},
                               Empty{"directory-services/roles", "Directory service role", 0},
                               Empty{"drives", "Drive", 4},
                               Empty{"fleets", "Fleet", 17},
                               Empty{"fleets/members", "Fleet member", 17},
                               Empty{"hardware-connectors", "Hardware connector", 0},
                               Empty{"keytabs", "Keytab", 0},
                               Empty{"lifecycle-rules", "Lifecycle rule", 0},
                               Empty{"network-access-policies", "Network access policy", 13},
                               Empty{"object-store-access-keys", "Access key", 0},
                               Empty{"object-store-access-policies", "Object store access policy", 0},
                               Empty{"object-store-accounts", "Object store account", 0},
                               Empty{"object-store-remote-credentials", "Remote credential", 0},
                               Empty{"object-store-users", "Object store user", 0},
                               Empty{"object-store-virtual-hosts", "Virtual host", 0},
                               Empty{"realms", "Realm", 19},
                               Empty{"snmp-managers", "SNMP manager", 0},
                               Empty{"sso/saml2/idps", "SAML2 identity provider", 15},
                               Empty{"support/verification-keys", "Verification key", 7},
                               Empty{"worm-data-policies", "WORM data policy", 15}};

// --- What there is one of --------------------------------------------------------------------------------------------

struct Single {
  std::string path;
  int since = 0;
  Json defaults = Json::object();
  Fields patch{};  // empty: read-only
  void (*changed)(World&, Json& fields) = nullptr;
  std::vector<Newer> newer{};
};

// Also in a state that an older simulator wrote.
Document& the_one(World& world, const Single& single) {
  auto& table = world.table(single.path);
  if (table.size() == 0) insert_document(world, single.path, world.array.name, single.defaults);
  return *table.order().begin()->second;
}

Json render(Call& call, const Single& single) {
  const auto& document = the_one(call.world, single);
  Json out = {{"name", call.world.array.name}, {"id", document.id}};
  out.update(document.fields);
  for (const auto& newer : single.newer) {
    if (newer.since > call.minor) erase_path(out, newer.path);
  }
  return out;
}

void add_single(Operations& operations, Single definition) {
  const auto single = std::make_shared<const Single>(std::move(definition));
  operations.add(single->path, "GET",
                 {single->since, {}, {}, [single](Call& call) -> Answer {
                    return std::optional(list_envelope({}, {}, 1, Json::array({render(call, *single)})));
                  }});
  if (single->patch.empty()) return;
  operations.add(single->path, "PATCH", {single->since, {}, single->patch, [single](Call& call) -> Answer {
                                           auto& fields = the_one(call.world, *single).fields;
                                           merge_body(fields, call.body);
                                           if (single->changed != nullptr) single->changed(call.world, fields);
                                           return std::optional(items_of(Json::array({render(call, *single)})));
                                         }});
}

Single admin_settings() {
  return {.path = "admins/settings",
          .since = 3,
          .defaults = {{"lockout_duration", nullptr}, {"max_login_attempts", 0}, {"min_password_length", 1}},
          .patch = {{"lockout_duration", Kind::number},
                    {"max_login_attempts", Kind::number},
                    {"min_password_length", Kind::number}}};
}

// Who signs is not kept any more: the members are ignored, and null.
Single agreement() {
  return {
      .path = "arrays/eula",
      .defaults = {{"agreement", "This is a simulator."},
                   {"signature", {{"accepted", nullptr}, {"company", nullptr}, {"name", nullptr}, {"title", nullptr}}}},
      .patch = {{"signature.company", Kind::text}, {"signature.name", Kind::text}, {"signature.title", Kind::text}},
      .changed = [](World& world, Json& fields) {
        fields["signature"] = {{"accepted", world.now()}, {"company", nullptr}, {"name", nullptr}, {"title", nullptr}};
      }};
}

Single support() {
  return {.path = "support",
          .defaults = {{"phonehome_enabled", false},
                       {"proxy", ""},
                       {"remote_assist_active", false},
                       {"remote_assist_duration", 86'400'000},
                       {"remote_assist_expires", nullptr},
                       {"remote_assist_opened", nullptr},
                       {"remote_assist_paths", Json::array()},
                       {"remote_assist_status", "disconnected"}},
          .patch = {{"phonehome_enabled", Kind::boolean},
                    {"proxy", Kind::text},
                    {"remote_assist_active", Kind::boolean},
                    {"remote_assist_duration", Kind::number, 14}},
          .newer = {{"remote_assist_duration", 14}}};
}

// --- What has a common life ------------------------------------------------------------------------------------------

Family servers_of_names() {
  Family family{.type = "dns", .what = "DNS configuration", .post = 16, .remove = 16};
  family.post_fields = family.patch_fields = {{"domain", Kind::text},
                                              {"nameservers", Kind::texts},
                                              {"services", Kind::texts, 16},
                                              {"sources", Kind::references, 16},
                                              {"name", Kind::text, 16}};
  family.renames = true;
  family.newer = {{"services", 16}, {"sources", 16}};
  family.defaults = [](World&) {
    return Json{{"domain", ""},
                {"nameservers", Json::array()},
                {"services", Json::array({"data"})},
                {"sources", Json::array()}};
  };
  const auto at_most_three = [](Call&, Document& next) -> Or<void> {
    if (next.fields["nameservers"].size() <= 3) return {};
    return Refusal{"At most 3 name servers are allowed.", next.name};
  };
  family.on_create = at_most_three;
  family.on_change = [at_most_three](Call& call, Document& next, const Document&) { return at_most_three(call, next); };
  return family;
}

Family mail_servers() {
  Family family{.type = "smtp-servers", .what = "SMTP server", .post = kNever, .remove = kNever};
  family.only_one = true;
  family.patch_fields = {
      {"relay_host", Kind::text}, {"sender_domain", Kind::text}, {"encryption_mode", Kind::text, 15}};
  family.newer = {{"encryption_mode", 15}};
  return family;
}

Family alert_watchers() {
  Family family{.type = "alert-watchers", .what = "Alert watcher", .has_context = false};
  family.post_fields = {{"minimum_notification_severity", Kind::text}};
  family.patch_fields = {{"minimum_notification_severity", Kind::text}, {"enabled", Kind::boolean}};
  family.defaults = [](World&) { return Json{{"enabled", true}, {"minimum_notification_severity", "info"}}; };
  return family;
}

Family syslog_servers() {
  Family family{.type = "syslog-servers", .what = "Syslog server"};
  family.post_fields =
      family.patch_fields = {{"uri", Kind::text}, {"services", Kind::texts, 14}, {"sources", Kind::references, 16}};
  family.newer = {{"services", 14}, {"sources", 16}};
  family.defaults = [](World&) {
    return Json{{"uri", ""}, {"services", Json::array({"management"})}, {"sources", Json::array()}};
  };
  family.on_create = [](Call&, Document& next) -> Or<void> {
    if (text_of(next.fields, "uri").empty()) return Refusal{"URI is required.", next.name};
    return {};
  };
  return family;
}

Family uplinks() {
  Family family{.type = "link-aggregation-groups", .what = "Link aggregation group", .has_context = false};
  family.post_fields = {{"ports", Kind::references}};
  family.patch_fields = {
      {"ports", Kind::references}, {"add_ports", Kind::references}, {"remove_ports", Kind::references}};
  family.defaults = [](World&) {
    return Json{{"lag_speed", 0},
                {"mac_address", "24:a9:37:00:00:01"},
                {"port_speed", 0},
                {"ports", Json::array()},
                {"status", "healthy"}};
  };
  family.on_change = [](Call& call, Document& next, const Document&) -> Or<void> {
    auto& ports = next.fields["ports"];
    for (const auto& port : call.body.value("add_ports", Json::array())) ports.push_back(port);
    for (const auto& port : call.body.value("remove_ports", Json::array())) {
      for (auto at = ports.begin(); at != ports.end();) {
        at = text_of(*at, "name") == text_of(port, "name") ? ports.erase(at) : std::next(at);
      }
    }
    next.fields.erase("add_ports");
    next.fields.erase("remove_ports");
    return {};
  };
  return family;
}

Family read_only(std::string type, std::string what, int since = 0) {
  return {.type = std::move(type),
          .what = std::move(what),
          .get = since,
          .post = kNever,
          .patch = kNever,
          .remove = kNever,
          .has_context = false};
}

Json directory_service(const char* service) {
  return {{"base_dn", ""},
          {"bind_user", ""},
          {"ca_certificate", null_reference()},
          {"ca_certificate_group", null_reference()},
          {"enabled", false},
          {"management",
           {{"user_login_attribute", nullptr}, {"user_object_class", nullptr}, {"ssh_public_key_attribute", nullptr}}},
          {"nfs", {{"nis_domains", Json::array()}, {"nis_servers", Json::array()}}},
          {"services", Json::array({service})},
          {"smb", {{"join_ou", nullptr}}},
          {"uris", Json::array()}};
}

}  // namespace

void add_surroundings(Operations& operations) {
  for (const auto& empty : kEmpty) add_family(operations, read_only(empty.path, empty.what, empty.since));
  add_single(operations, admin_settings());
  add_single(operations, agreement());
  add_single(operations, support());
  for (auto& family : {servers_of_names(), mail_servers(), alert_watchers(), syslog_servers(), uplinks()})
    add_family(operations, family);
  add_family(operations, read_only("certificates", "Certificate"));
  add_family(operations, read_only("directory-services", "Directory service"));
  add_family(operations, read_only("snmp-agents", "SNMP agent"));
}

void furnish_surroundings(World& world) {
  insert_document(world, "dns", "management",
                  Json{{"domain", ""},
                       {"nameservers", Json::array()},
                       {"services", Json::array({"management"})},
                       {"sources", Json::array()}});
  insert_document(world, "smtp-servers", "management",
                  Json{{"relay_host", nullptr}, {"sender_domain", "example.org"}, {"encryption_mode", nullptr}});
  for (const char* service : {"management", "nfs", "smb"})
    insert_document(world, "directory-services", service, directory_service(service));
  insert_document(world, "link-aggregation-groups", "uplink",
                  Json{{"lag_speed", 200'000'000'000LL},
                       {"mac_address", "24:a9:37:00:00:01"},
                       {"port_speed", 50'000'000'000LL},
                       {"ports", Json::array()},
                       {"status", "healthy"}});
  insert_document(world, "snmp-agents", "management",
                  Json{{"engine_id", "80001f888000000000000000"},
                       {"version", "v2c"},
                       {"v2c", {{"community", nullptr}}},
                       {"v3", Json::object()}});
  insert_document(world, "certificates", "global",
                  Json{{"certificate_type", "appliance"},
                       {"common_name", world.array.name},
                       {"issued_by", world.array.name},
                       {"issued_to", world.array.name},
                       {"key_algorithm", "rsa"},
                       {"key_size", 2048},
                       {"organization", nullptr},
                       {"status", "self-signed"},
                       {"subject_alternative_names", Json::array()},
                       {"valid_from", world.now()},
                       {"valid_to", world.now() + 10 * kYear}});
}

}  // namespace homeport::fbsim
