#include "drivers/core/types.h"

#include <array>
#include <utility>

#include "provisioner/base/doc_reader.h"

namespace homeport::drivers {
namespace {

template <class Enum, std::size_t N>
using NameTable = std::array<std::pair<Enum, std::string_view>, N>;

constexpr NameTable<Layout, 2> kLayouts{{{Layout::filesystem, "filesystem"}, {Layout::directory, "directory"}}};
constexpr NameTable<QuotaClass, 4> kQuotas{{{QuotaClass::none, "none"},
                                            {QuotaClass::measured, "measured"},
                                            {QuotaClass::cooperative, "cooperative"},
                                            {QuotaClass::hard, "hard"}}};
constexpr NameTable<CheckStatus, 4> kChecks{{{CheckStatus::ok, "ok"},
                                             {CheckStatus::warning, "warning"},
                                             {CheckStatus::failed, "failed"},
                                             {CheckStatus::skipped, "skipped"}}};
constexpr NameTable<UsageBasis, 4> kBases{{{UsageBasis::unknown, "unknown"},
                                           {UsageBasis::exact, "exact"},
                                           {UsageBasis::sampled, "sampled"},
                                           {UsageBasis::filesystem, "filesystem"}}};

template <class Enum, std::size_t N>
std::string_view name_in(const NameTable<Enum, N>& table, Enum value) {
  for (const auto& [known, name] : table) {
    if (known == value) return name;
  }
  return table.front().second;
}
template <class Enum, std::size_t N>
std::optional<Enum> value_in(const NameTable<Enum, N>& table, std::string_view name) {
  for (const auto& [value, known] : table) {
    if (known == name) return value;
  }
  return std::nullopt;
}

constexpr std::uint64_t kMarkerVersion = 1;

}  // namespace

std::string_view layout_name(Layout layout) {
  return name_in(kLayouts, layout);
}
std::optional<Layout> layout_from_name(std::string_view name) {
  return value_in(kLayouts, name);
}
std::string_view quota_class_name(QuotaClass quota) {
  return name_in(kQuotas, quota);
}
std::optional<QuotaClass> quota_class_from_name(std::string_view name) {
  return value_in(kQuotas, name);
}
std::string_view check_status_name(CheckStatus status) {
  return name_in(kChecks, status);
}
std::string_view usage_basis_name(UsageBasis basis) {
  return name_in(kBases, basis);
}
std::optional<UsageBasis> usage_basis_from_name(std::string_view name) {
  return value_in(kBases, name);
}

std::string marker_to_json(const Marker& marker) {
  nlohmann::json out{{"homeport_marker", kMarkerVersion},
                     {"key", marker.key.str()},
                     {"id", marker.id},
                     {"aliases", marker.aliases},
                     {"owner", marker.owner},
                     {"class", marker.klass},
                     {"quota_bytes", nullptr},
                     {"grants", marker.grants},
                     {"imported", marker.imported},
                     {"path", marker.path}};
  if (marker.quota) out["quota_bytes"] = marker.quota->count();
  return out.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

Result<Marker> marker_from_json(std::string_view text) {
  HOMEPORT_TRY(const auto document, parse_json_document(text, "marker"));
  Problems problems(document);
  DocReader in = DocReader::root(problems);
  const auto version = in.number("homeport_marker", 0, 0, 1U << 30U);
  if (version != kMarkerVersion) {
    return Error{.code = Errc::unsupported,
                 .message = "marker has version " + std::to_string(version) + ", this Homeport reads version 1",
                 .hint = "a newer Homeport wrote it: upgrade this one"};
  }
  const auto key = in.required("key", &SpaceKey::parse);
  const auto id = in.text("id");
  auto aliases = in.texts("aliases");
  auto owner = in.text("owner", "");
  auto klass = in.text("class", "");
  const auto quota = in.optional_bytes("quota_bytes");
  auto grants = in.texts("grants");
  const bool imported = in.boolean("imported", false);
  auto path = in.text("path", "");
  if (!problems.none()) return problems.to_error();
  return Marker{.key = *key,
                .id = id,
                .aliases = std::move(aliases),
                .owner = std::move(owner),
                .klass = std::move(klass),
                .quota = quota,
                .grants = std::move(grants),
                .imported = imported,
                .path = std::move(path)};
}

}  // namespace homeport::drivers
