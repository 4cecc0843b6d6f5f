#include "drivers/memory/memory_config.h"

#include <set>

#include "provisioner/base/doc_reader.h"

namespace homeport::drivers {
namespace {

constexpr std::uint64_t kMaxId = 0xFFFFFFFEU;

std::optional<std::uint32_t> read_mode(DocReader& in) {
  const auto text = in.optional_text("mode");
  if (!text) return std::nullopt;
  std::uint32_t mode = 0;
  for (const char digit : *text) {
    if (digit < '0' || digit > '7' || text->size() > 5) {
      in.problem("mode", "is not an octal number", "write it in quotes, like \"0644\"");
      return std::nullopt;
    }
    mode = mode * 8 + static_cast<std::uint32_t>(digit - '0');
  }
  return mode & 07777U;
}

// A path inside an export: no way up, no empty parts.
std::string read_relative_path(DocReader& in) {
  auto path = in.text("path");
  if (!path.empty() && !AbsolutePath::parse("/" + path)) {
    in.problem("path", "is not a plain relative path", "write it like sets/a.txt, without '..' and doubled slashes");
  }
  return path;
}

MemorySeed read_seed(DocReader& in) {
  MemorySeed seed{.path = read_relative_path(in)};
  const auto symlink = in.optional_text("symlink_to");
  const auto hard_link = in.optional_text("hard_link_to");
  const bool directory = in.boolean("directory", false);
  const auto content = in.optional_text("content");
  seed.size = in.optional_bytes("size");
  const int kinds = (symlink ? 1 : 0) + (hard_link ? 1 : 0) + (directory ? 1 : 0) + (content || seed.size ? 1 : 0);
  if (kinds > 1) in.problem("path", "can be one of file, directory, symlink_to and hard_link_to only");
  if (symlink) {
    seed.kind = MemorySeed::Kind::symlink;
    seed.content = *symlink;
  } else if (hard_link) {
    seed.kind = MemorySeed::Kind::hard_link;
    seed.content = *hard_link;
  } else if (directory) {
    seed.kind = MemorySeed::Kind::directory;
  } else {
    seed.content = content.value_or("");
  }
  seed.owner.uid.value = static_cast<std::uint32_t>(in.number("uid", 0, 0, kMaxId));
  seed.owner.gid.value = static_cast<std::uint32_t>(in.number("gid", 0, 0, kMaxId));
  seed.mode = read_mode(in);
  in.finish();
  return seed;
}

MemoryExport read_export(DocReader& in) {
  MemoryExport out{.path = ""};
  if (const auto path = in.required("path", &AbsolutePath::parse)) out.path = path->str();
  out.read_only = in.boolean("read_only", false);
  out.clients = in.texts("clients");
  for (auto& file : in.objects("files")) out.files.push_back(read_seed(file));
  in.finish();
  return out;
}

MemoryPool read_pool(DocReader& in) {
  MemoryPool pool{.name = ""};
  if (const auto name = in.required("name", &Slug::parse)) pool.name = name->str();
  pool.layout = *layout_from_name(in.choice("layout", {"directory", "filesystem"}, "directory"));
  if (const auto capacity = in.optional_bytes("capacity")) pool.capacity = *capacity;
  pool.max_objects = in.optional_number("max_objects", 1, 1'000'000'000);
  in.finish();
  return pool;
}

void read_pools(DocReader& section, MemoryConfig& config) {
  if (!section.has("pools")) return;
  config.pools.clear();
  std::set<std::string> names;
  for (auto& pool : section.objects("pools")) {
    config.pools.push_back(read_pool(pool));
    if (!names.insert(config.pools.back().name).second) pool.problem("name", "is used by two pools");
  }
  if (config.pools.empty()) section.problem("pools", "has no pool", "name at least one: pools: [{name: homes}]");
}

}  // namespace

MemoryConfig read_memory_config(DocReader& section) {
  MemoryConfig config;
  read_pools(section, config);
  config.quota = quota_class_from_name(section.choice("quota", {"hard", "cooperative", "measured", "none"}, "hard"))
                     .value_or(config.quota);
  const auto snapshots = section.choice("snapshots", {"none", "pool", "space"}, "space");
  config.snapshots = snapshots == "none"   ? SnapshotOwner::none
                     : snapshots == "pool" ? SnapshotOwner::pool
                                           : SnapshotOwner::space;
  config.clones = section.boolean("clones", true);
  config.access_rules = section.boolean("access_rules", true);
  config.ownership = section.boolean("ownership", true);
  for (auto& item : section.objects("exports")) config.exports.push_back(read_export(item));
  for (auto& item : section.objects("policies")) {
    MemoryPolicy policy{.name = item.text("name"), .kind = item.choice("kind", {"snapshot", "qos"}, "snapshot")};
    item.finish();
    config.policies.push_back(std::move(policy));
  }
  config.replica_target = section.text("replica_target", "");
  return config;
}

Result<MemoryConfig> memory_config_from_section(const nlohmann::json& section) {
  const Document document{.root = section, .source = "memory backend"};
  Problems problems(document);
  DocReader reader = DocReader::root(problems);
  auto config = read_memory_config(reader);
  if (!problems.none()) return problems.to_error();
  return config;
}

}  // namespace homeport::drivers
