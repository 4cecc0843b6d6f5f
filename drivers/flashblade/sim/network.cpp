// /subnets and /network-interfaces.
#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

#include "drivers/flashblade/sim/family.h"

namespace homeport::fbsim {
namespace {

struct Address {
  std::array<unsigned char, 16> bytes{};
  bool v6 = false;
};

std::optional<Address> parse_address(const std::string& text) {
  Address out;
  if (inet_pton(AF_INET, text.c_str(), out.bytes.data()) == 1) return out;
  out.v6 = true;
  if (inet_pton(AF_INET6, text.c_str(), out.bytes.data()) == 1) return out;
  return std::nullopt;
}

struct Prefix {
  Address address{};
  unsigned bits = 0;

  [[nodiscard]] bool holds(const Address& other) const {
    if (other.v6 != address.v6) return false;
    for (unsigned bit = 0; bit < bits; ++bit) {
      const unsigned mask = 0x80U >> (bit % 8);
      if (((address.bytes.at(bit / 8) ^ other.bytes.at(bit / 8)) & mask) != 0) return false;
    }
    return true;
  }
};

std::optional<Prefix> parse_prefix(const std::string& text) {
  const auto slash = text.find('/');
  if (slash == std::string::npos) return std::nullopt;
  const auto address = parse_address(text.substr(0, slash));
  if (!address) return std::nullopt;
  Prefix out{*address, 0};
  const auto* first = text.data() + slash + 1;
  const auto* last = text.data() + text.size();
  const auto [end, bad] = std::from_chars(first, last, out.bits);
  if (bad != std::errc() || end != last || out.bits > (address->v6 ? 128U : 32U)) return std::nullopt;
  return out;
}

std::string text_of_address(const Address& address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  inet_ntop(address.v6 ? AF_INET6 : AF_INET, address.bytes.data(), text.data(), text.size());
  return text.data();
}

// The subnet that an address is probably in.
std::string usual_prefix(Address address) {
  const bool local = !address.v6 && address.bytes[0] == 127;
  const unsigned bits = address.v6 ? 64 : (local ? 8 : 24);
  for (std::size_t byte = bits / 8; byte < address.bytes.size(); ++byte) address.bytes.at(byte) = 0;
  return text_of_address(address) + '/' + std::to_string(bits);
}

std::string netmask(const Prefix& prefix) {
  Address mask{.v6 = prefix.address.v6};
  for (unsigned bit = 0; bit < prefix.bits; ++bit) {
    mask.bytes.at(bit / 8) = static_cast<unsigned char>(mask.bytes.at(bit / 8) | (0x80U >> (bit % 8)));
  }
  return text_of_address(mask);
}

// The subnet follows from the address.
const Document* subnet_of(World& world, const Address& address) {
  for (const auto& [key, subnet] : world.table("subnets").order()) {
    const auto prefix = parse_prefix(text_of(subnet->fields, "prefix"));
    if (prefix && prefix->holds(address)) return subnet;
  }
  return nullptr;
}

Or<void> check_subnet(Call& call, Document& next, std::string_view own_id) {
  const auto prefix = parse_prefix(text_of(next.fields, "prefix"));
  if (!prefix) return Refusal{"Invalid subnet prefix.", next.name};
  const auto gateway = text_of(next.fields, "gateway");
  if (!gateway.empty()) {
    const auto address = parse_address(gateway);
    if (!address || !prefix->holds(*address))
      return Refusal{"The gateway must be an address of the subnet.", next.name};
  }
  const auto vlan = next.fields.value("vlan", 0);
  const auto mtu = next.fields.value("mtu", 1500);
  if (vlan < 0 || vlan > 4094) return Refusal{"VLAN must be between 0 and 4094.", next.name};
  if (mtu < 1280 || mtu > 9216) return Refusal{"MTU must be between 1280 and 9216.", next.name};
  for (const auto& [key, other] : call.world.table("subnets").order()) {
    if (other->id == own_id) continue;
    const auto taken = parse_prefix(text_of(other->fields, "prefix"));
    if (taken && (taken->holds(prefix->address) || prefix->holds(taken->address))) {
      return Refusal{"The prefix overlaps that of subnet " + other->name + ".", next.name};
    }
  }
  return {};
}

Or<void> check_servers(Call& call, Document& next) {
  auto& servers = next.fields["attached_servers"];
  if (servers.size() > 1) return Refusal{"At most one server can be attached to a network interface.", next.name};
  for (auto& server : servers) {
    Json holder = {{"server", server}};
    HOMEPORT_CHECK(complete_reference(call.world, holder, "server", "servers", "Server"));
    server = holder["server"];
  }
  return {};
}

Or<void> check_interface(Call& call, Document& next, std::string_view own_id) {
  const auto address = parse_address(text_of(next.fields, "address"));
  if (!address) return Refusal{"Invalid network interface address.", next.name};
  const auto* subnet = subnet_of(call.world, *address);
  if (subnet == nullptr) return Refusal{"The address is not in any subnet.", next.name};
  next.fields["subnet"] = reference(subnet->name, subnet->id, "subnets");
  constexpr std::array kServices = {"data", "sts", "egress-only", "management", "replication", "support"};
  if (next.fields["services"].size() != 1) return Refusal{"Exactly one service is required.", next.name};
  for (const auto& service : next.fields["services"]) {
    if (std::ranges::find(kServices, service.get<std::string>()) == kServices.end()) {
      return Refusal{"Invalid value for body parameter: services", next.name};
    }
  }
  if (text_of(next.fields, "type") != "vip") return Refusal{"Invalid value for body parameter: type", next.name};
  for (const auto& [key, other] : call.world.table("network-interfaces").order()) {
    if (other->id != own_id && other->fields["address"] == next.fields["address"]) {
      return Refusal{"The address is in use by network interface " + other->name + ".", next.name};
    }
  }
  return check_servers(call, next);
}

void finish_interface(World& world, const Document& document, int minor, Json& item) {
  const auto address = parse_address(text_of(document.fields, "address"));
  const auto* subnet = address ? subnet_of(world, *address) : nullptr;
  const auto prefix = subnet == nullptr ? std::nullopt : parse_prefix(text_of(subnet->fields, "prefix"));
  item["enabled"] = subnet == nullptr || subnet->fields.value("enabled", true);
  item["gateway"] = subnet == nullptr ? Json(nullptr) : subnet->fields["gateway"];
  item["mtu"] = subnet == nullptr ? Json(nullptr) : subnet->fields["mtu"];
  item["netmask"] = prefix ? Json(netmask(*prefix)) : Json(nullptr);
  item["vlan"] = subnet == nullptr ? Json(nullptr) : subnet->fields["vlan"];
  item["subnet"] = subnet == nullptr ? null_reference() : reference(subnet->name, subnet->id, "subnets");
  if (minor >= 19) item["realms"] = Json::array();
}

void finish_subnet(World& world, const Document& document, Json& item) {
  Json interfaces = Json::array();
  Json services = Json::array();
  for (const auto& [key, other] : world.table("network-interfaces").order()) {
    if (text_of(other->fields, "subnet.id") != document.id) continue;
    interfaces.push_back(reference(other->name, other->id, "network-interfaces"));
    for (const auto& service : other->fields["services"]) {
      if (std::find(services.begin(), services.end(), service) == services.end()) services.push_back(service);
    }
  }
  item["interfaces"] = std::move(interfaces);
  item["services"] = std::move(services);
}

Family subnets() {
  Family family{.type = "subnets", .what = "Subnet", .has_context = false};
  family.post_fields = family.patch_fields = {{"prefix", Kind::text},
                                              {"gateway", Kind::text},
                                              {"vlan", Kind::number},
                                              {"mtu", Kind::number},
                                              {"link_aggregation_group", Kind::reference}};
  family.patch_fields.push_back({"name", Kind::text});
  family.renames = true;
  family.defaults = [](World& world) {
    return Json{{"enabled", true},   {"gateway", nullptr},
                {"vlan", 0},         {"mtu", 1500},
                {"prefix", nullptr}, {"link_aggregation_group", world.reference_to("link-aggregation-groups", "")}};
  };
  family.on_create = [](Call& call, Document& next) -> Or<void> {
    HOMEPORT_CHECK(complete_reference(call.world, next.fields, "link_aggregation_group", "link-aggregation-groups",
                                      "Link aggregation group"));
    return check_subnet(call, next, next.id);
  };
  family.on_change = [](Call& call, Document& next, const Document& before) -> Or<void> {
    HOMEPORT_CHECK(complete_reference(call.world, next.fields, "link_aggregation_group", "link-aggregation-groups",
                                      "Link aggregation group"));
    return check_subnet(call, next, before.id);
  };
  family.on_remove = [](Call& call, Document& document) -> Or<void> {
    Json item;
    finish_subnet(call.world, document, item);
    if (!item["interfaces"].empty()) return Refusal{"Subnet has network interfaces.", document.name};
    return {};
  };
  family.finish = [](World& world, const Document& document, int, Json& item) { finish_subnet(world, document, item); };
  return family;
}

Family interfaces() {
  Family family{.type = "network-interfaces", .what = "Network interface", .has_context = false};
  family.post_fields = {{"address", Kind::text},
                        {"services", Kind::texts},
                        {"type", Kind::text},
                        {"attached_servers", Kind::references, 16},
                        {"rdma_enabled", Kind::boolean, 28}};
  family.patch_fields = {{"address", Kind::text},
                         {"services", Kind::texts},
                         {"attached_servers", Kind::references, 16},
                         {"rdma_enabled", Kind::boolean, 28}};
  family.newer = {{"attached_servers", 16}, {"realms", 19}, {"rdma_enabled", 28}};
  family.params = {{"subnet_names"}, {"subnet_ids"}};
  family.defaults = [](World&) {
    return Json{{"address", nullptr},
                {"services", Json::array()},
                {"type", "vip"},
                {"attached_servers", Json::array()},
                {"rdma_enabled", true}};
  };
  family.on_create = [](Call& call, Document& next) -> Or<void> {
    HOMEPORT_CHECK(check_interface(call, next, next.id));
    if (next.fields["services"][0] != "data") next.fields["rdma_enabled"] = false;
    // Before servers existed every data interface served every file system.
    const auto* server = call.world.table("servers").by_name("_array_server");
    if (call.minor < 16 && next.fields["services"][0] == "data" && server != nullptr) {
      next.fields["attached_servers"] = Json::array({reference(server->name, server->id, "servers")});
    }
    return {};
  };
  family.on_change = [](Call& call, Document& next, const Document& before) {
    return check_interface(call, next, before.id);
  };
  family.finish = finish_interface;
  return family;
}

}  // namespace

void add_network(Operations& operations) {
  add_family(operations, subnets());
  add_family(operations, interfaces());
}

void furnish_network(World& world) {
  const auto& server = insert_document(world, "servers", "_array_server",
                                       Json{{"created", world.now()},
                                            {"dns", Json::array()},
                                            {"directory_services", Json::array()},
                                            {"local_directory_service", null_reference()},
                                            {"realms", Json::array()}});
  int number = 0;
  for (const auto& text : world.settings.data_addresses) {
    const auto address = parse_address(text);
    if (!address) continue;
    const auto* subnet = subnet_of(world, *address);
    if (subnet == nullptr) {
      subnet = &insert_document(world, "subnets", "net" + std::to_string(number + 1),
                                Json{{"enabled", true},
                                     {"gateway", nullptr},
                                     {"vlan", 0},
                                     {"mtu", 9000},
                                     {"prefix", usual_prefix(*address)},
                                     {"link_aggregation_group", null_reference()}});
    }
    insert_document(world, "network-interfaces", "data" + std::to_string(++number),
                    Json{{"address", text},
                         {"services", Json::array({"data"})},
                         {"type", "vip"},
                         {"subnet", reference(subnet->name, subnet->id, "subnets")},
                         {"attached_servers", Json::array({reference(server.name, server.id, "servers")})},
                         {"rdma_enabled", true}});
  }
}

}  // namespace homeport::fbsim
