#include "provisioner/core/datasets.h"

#include <algorithm>
#include <utility>

#include "provisioner/base/fault_point.h"
#include "provisioner/core/array_look.h"
#include "provisioner/core/space_work.h"

namespace homeport::core {

using store::SpaceRecord;
using store::SpaceState;

namespace {

// A preview looks at no more than this: enough to see what it is, never a load on the server.
constexpr std::uint64_t kSampleEntries = 20000;
constexpr std::size_t kDirectoriesAtOnce = 32;
// What a preview leaves of the caller's time for the rest of its work.
constexpr std::chrono::milliseconds kPreviewMargin{2000};

std::string mode_words(std::uint32_t mode, Owner owner) {
  if ((mode & 05U) == 05U) return "everyone";
  const std::string gid = std::to_string(owner.gid.value);
  const std::string uid = std::to_string(owner.uid.value);
  if ((mode & 050U) == 050U) return "uid " + uid + " and members of gid " + gid + " only";
  return "uid " + uid + " only";
}

bool odd_name(std::string_view name) {
  if (!is_valid_utf8(name)) return true;
  return std::any_of(name.begin(), name.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; });
}

void count_entry(const drivers::Entry& entry, ImportPreview& preview) {
  auto& counts = preview.counts;
  ++counts.entries;
  switch (entry.attributes.type) {
    case drivers::EntryType::file: ++counts.files; break;
    case drivers::EntryType::directory: ++counts.directories; break;
    case drivers::EntryType::symlink: ++counts.links; break;
    case drivers::EntryType::other: ++counts.other; break;
  }
  if (entry.attributes.type == drivers::EntryType::file) counts.bytes += entry.attributes.size;
  if (odd_name(entry.name)) ++counts.odd_names;
  ++preview.owners[{entry.attributes.uid.value, entry.attributes.gid.value}];
  ++preview.modes[entry.attributes.mode];
}

Error nothing_there(const AbsolutePath& path, const Backend& backend) {
  return Error{
      .code = Errc::not_found,
      .message = "there is no file system " + path.str().substr(1) + " on backend " + backend.spec().name.str(),
      .hint = "`homeport dataset import --backend " + backend.spec().name.str() +
              " --from-array --match '*' --dry-run` lists what stands there"};
}

// Breadth first, many directories in flight, until the sample is full or time runs short.
Result<void> sample_tree(const OpContext& op, const Clock& clock, drivers::Tree& tree, ImportPreview& preview) {
  std::vector<drivers::ListRequest> waiting{{.directory = tree.root().node}};
  const auto root_fs = tree.root().attributes.fs;
  bool skipped_mount = false;
  while (!waiting.empty()) {
    if (preview.counts.entries >= kSampleEntries || clock.mono() + kPreviewMargin >= op.deadline) return {};
    const std::size_t n = std::min(kDirectoriesAtOnce, waiting.size());
    const std::vector<drivers::ListRequest> batch(waiting.begin(), waiting.begin() + static_cast<std::ptrdiff_t>(n));
    waiting.erase(waiting.begin(), waiting.begin() + static_cast<std::ptrdiff_t>(n));
    const auto pages = tree.list(op, batch);
    for (std::size_t i = 0; i < pages.size(); ++i) {
      if (!pages[i]) {
        preview.warnings.push_back("a directory could not be read: " + pages[i].error().sentence());
        if (is_transient(pages[i].error().code)) return pages[i].error();
        continue;
      }
      for (const auto& entry : pages[i]->entries) {
        count_entry(entry, preview);
        if (entry.attributes.type != drivers::EntryType::directory) continue;
        if (entry.attributes.fs == root_fs) {
          waiting.push_back({.directory = entry.node});
        } else {
          skipped_mount = true;
        }
      }
      if (pages[i]->next) waiting.push_back({.directory = batch[i].directory, .from = pages[i]->next});
    }
  }
  preview.counts.complete = true;
  if (skipped_mount) preview.warnings.push_back("another filesystem is mounted below; it was not looked into");
  return {};
}

void add_warnings(ImportPreview& preview, bool read_only) {
  const auto& found = preview.inspection;
  if (!read_only && found.read_only_for_us)
    preview.warnings.push_back("asked for read-write, but the export is read-only for this host");
  if (read_only && !found.read_only_for_us) {
    preview.warnings.push_back(
        "the server lets this host write here: specs say ro, but only the export's own rules protect the data");
  }
  const auto mode = found.mode;
  if ((mode & 02U) != 0) preview.warnings.push_back("the directory itself is writable by everyone");
  if ((mode & 05U) != 05U)
    preview.warnings.push_back("not everyone may read it: check the owner and mode against who gets it");
  if (preview.counts.odd_names > 0) {
    preview.warnings.push_back(std::to_string(preview.counts.odd_names) +
                               " names are not valid UTF-8 or hold control characters");
  }
}

// What the array says of it, and whether it can be taken over at all.
Result<void> look_at_array(const OpContext& op, Backend& backend, const ImportRequest& request,
                           ImportPreview& preview) {
  HOMEPORT_TRY(auto* inventory, inventory_of(backend));
  const drivers::Lookup lookup{.layout = request.layout, .pool = {}, .path = request.path};
  HOMEPORT_TRY(const auto found, backend.driver().find(op, lookup).context("look at " + request.path.str()));
  if (!found) return nothing_there(request.path, backend);
  HOMEPORT_TRY(const auto all, all_file_systems(op, *inventory));
  const auto at = std::ranges::find(all, request.path.str(), &drivers::ArrayFileSystem::path);
  if (at != all.end()) preview.warnings = at->remarks;
  return {};
}

}  // namespace

void Datasets::discover(const Caller& caller, std::string_view backend_name,
                        std::function<void(Result<std::vector<DiscoveredExport>>)> done) {
  auto backend = p_.backends.get_serving(backend_name);
  if (!backend) {
    done(std::move(backend).error());
    return;
  }
  auto* discovery = drivers::find<drivers::ExportDiscovery>((*backend)->driver());
  if (discovery == nullptr) {
    done(Error{.code = Errc::unsupported, .message = "backend " + std::string(backend_name) + " cannot list exports"});
    return;
  }
  auto work = [this, discovery, backend = *backend](const OpContext& op) -> Result<std::vector<DiscoveredExport>> {
    HOMEPORT_TRY(const auto exports, discovery->exports(op));
    const auto pools = backend->driver().pools(op);  // best effort: only for a remark
    std::vector<DiscoveredExport> out;
    for (const auto& exported : exports) {
      DiscoveredExport item{.exported = exported};
      const auto at = AbsolutePath::parse(exported.path);
      for (const auto& space : p_.catalog.spaces()) {
        if (space->backend != backend->spec().name.str()) continue;
        const auto path = AbsolutePath::parse(space->path);
        if (!at || !path || !at->contains(*path)) continue;
        if (space->kind == SpaceKind::dataset) item.imported_as.push_back(space->name);
        if (space->kind == SpaceKind::home) item.pool = true;
      }
      const auto section_pools = backend->spec().section.find("pools");
      if (section_pools != backend->spec().section.end() && section_pools->is_array()) {
        for (const auto& pool : *section_pools) item.pool = item.pool || pool.value("export", "") == exported.path;
      }
      out.push_back(std::move(item));
    }
    if (pools) backend->note_pools(*pools, p_.clock.now());
    return out;
  };
  p_.backends.run<std::vector<DiscoveredExport>>(*backend, caller, std::move(work), std::move(done));
}

void Datasets::preview(const Caller& caller, const ImportRequest& request,
                       std::function<void(Result<ImportPreview>)> done) {
  auto backend = p_.backends.get_serving(request.backend.str());
  if (!backend) {
    done(std::move(backend).error());
    return;
  }
  auto* discovery = drivers::find<drivers::ExportDiscovery>((*backend)->driver());
  auto* trees = drivers::find<drivers::TreeAccess>((*backend)->driver());
  if (discovery == nullptr || trees == nullptr) {
    done(Error{.code = Errc::unsupported, .message = "backend " + request.backend.str() + " cannot be looked into"});
    return;
  }
  auto work = [this, discovery, trees, request, backend = *backend](const OpContext& op) -> Result<ImportPreview> {
    ImportPreview preview{.path = request.path.str()};
    if (request.layout == drivers::Layout::filesystem) HOMEPORT_CHECK(look_at_array(op, *backend, request, preview));
    HOMEPORT_TRY(preview.inspection, discovery->inspect(op, request.path).context("look at " + request.path.str()));
    HOMEPORT_TRY(const auto tree, trees->open_path(op, request.path));
    HOMEPORT_CHECK(sample_tree(op, p_.clock, *tree, preview));
    preview.readable_by = mode_words(preview.inspection.mode, preview.inspection.owner);
    preview.clients_can_write = preview.inspection.read_only_for_us
                                    ? "no: the export is read-only for this host"
                                    : "yes, where file modes allow it: the export takes writes from this host";
    add_warnings(preview, request.read_only);
    // What the import sends: at most a marker in the administrative place.
    if (backend->spec().mode != BackendMode::observe) {
      preview.calls.push_back("write a marker for " + request.path.str() +
                              " into the administrative place of its export (left out where it is read-only)");
    }
    return preview;
  };
  p_.backends.run<ImportPreview>(*backend, caller, std::move(work), std::move(done));
}

Result<SpaceOutcome> Datasets::import(const Caller& caller, const ImportRequest& request) {
  if (const auto known = p_.catalog.space_by_label("dataset/" + request.name.str())) {
    const bool same = known->backend == request.backend.str() && known->read_only == request.read_only &&
                      (known->path == request.path.str() || known->state == SpaceState::creating);
    if (same) return SpaceOutcome{.space = *known, .operation = p_.catalog.open_operation(known->key)};
    return Error{.code = Errc::already_exists,
                 .message = "dataset " + request.name.str() + " exists: " + known->path + " on " + known->backend +
                            (known->read_only ? ", read-only" : ", read-write"),
                 .hint = "choose another name, or `homeport dataset release " + request.name.str() +
                         "` first (that touches no data)",
                 .pointer = "/name"};
  }
  HOMEPORT_TRY(const auto backend, p_.backends.get_serving(request.backend.str()));
  if (request.layout == drivers::Layout::filesystem) HOMEPORT_CHECK(inventory_of(*backend));
  const auto now = p_.clock.now();
  const auto key = SpaceKey::from_random(SpaceKind::dataset, p_.ids.random64());
  SpaceRecord space{.key = key.str(),
                    .kind = SpaceKind::dataset,
                    .backend = request.backend.str(),
                    .layout = std::string(drivers::layout_name(request.layout)),
                    .pool = {},
                    .backend_name = request.path.str()};
  space.realm = request.realm;
  space.name = request.name.str();
  space.path = request.path.str();
  space.imported = true;
  space.rights = kImportedRights;
  space.read_only = request.read_only;
  space.note = request.note;
  space.created_at = now;
  auto op = p_.operations.prepare(
      "dataset.import", space, caller,
      {{"path", request.path.str()}, {"backend_name", request.path.str()}, {"pool", ""}, {"layout", space.layout}});
  SpaceOutcome outcome{.space = space, .operation = op.id, .created = true};
  HOMEPORT_CHECK(p_.store.write("intent", [&](store::WriteTransaction& tx) -> Result<void> {
    auto new_space = space;
    auto new_op = op;
    HOMEPORT_CHECK(store::put(tx, new_space, store::Expect::none()));
    HOMEPORT_CHECK(store::put(tx, new_op, store::Expect::none()));
    outcome.space = new_space;
    return {};
  }));
  fault_point("dataset.import.intent_written");
  p_.operations.start_new(op);
  return outcome;
}

Result<SpaceRecord> Datasets::get(std::string_view name) const {
  if (const auto space = p_.catalog.space_by_label("dataset/" + std::string(name))) return *space;
  if (const auto space = p_.catalog.space(name); space && space->kind == SpaceKind::dataset) return *space;
  return Error{.code = Errc::not_found,
               .message = "there is no dataset '" + printable(name, 60) + "'",
               .hint = "`homeport dataset list` shows the datasets"};
}

std::vector<SpacePtr> Datasets::list() const {
  auto all = p_.catalog.spaces();
  std::erase_if(all, [](const SpacePtr& s) { return s->kind != SpaceKind::dataset; });
  std::sort(all.begin(), all.end(), [](const SpacePtr& a, const SpacePtr& b) { return a->name < b->name; });
  return all;
}

Result<SpaceOutcome> Datasets::release(const Caller& caller, std::string_view name) {
  HOMEPORT_TRY(const auto known, get(name));
  return homes_.release(caller, known.key);
}

Result<store::GrantRecord> Datasets::grant(const Caller& caller, std::string_view name, const Subject& subject,
                                           std::string_view access) {
  HOMEPORT_TRY(const auto space, get(name));
  if (access == "rw" && space.read_only) {
    return Error{.code = Errc::failed_precondition,
                 .message = "dataset " + space.name + " is read-only, so nobody can be given rw",
                 .hint = "release it and import it again with --read-write if people should write into it",
                 .pointer = "/access"};
  }
  store::GrantRecord grant{.space = space.key, .subject_kind = subject.kind};
  grant.realm = subject.realm;
  grant.access = std::string(access);
  grant.created_at = p_.clock.now();
  if (subject.kind == "user") {
    const auto user = p_.catalog.user_by_name(subject.realm, subject.name);
    if (!user) {
      return Error{.code = Errc::not_found,
                   .message = "nobody called '" + printable(subject.name, 60) + "' is known",
                   .hint = "people are known from their first home on; a group can be granted before",
                   .pointer = "/subject"};
    }
    grant.subject = user->key;
  } else if (subject.kind == "group") {
    HOMEPORT_TRY(const auto group, GroupName::parse(subject.name));
    grant.subject = group.str();
  }
  store::GrantRecord stored = grant;
  HOMEPORT_CHECK(p_.store.write("grant", [&](store::WriteTransaction& tx) -> Result<void> {
    stored = grant;
    HOMEPORT_CHECK(store::put(tx, stored, store::Expect::any()));
    return tx.append_audit({.at = grant.created_at,
                            .principal = caller.principal.id,
                            .action = "dataset.grant",
                            .subject = space.key,
                            .outcome = "ok",
                            .detail = nlohmann::json{{"to", subject.kind},
                                                     {"access", grant.access},
                                                     {"key", subject.kind == "user" ? grant.subject : ""}}
                                          .dump()});
  }));
  return stored;
}

Result<void> Datasets::withdraw(const Caller& caller, std::string_view name, const Subject& subject) {
  HOMEPORT_TRY(const auto space, get(name));
  store::GrantRecord grant{.space = space.key, .subject_kind = subject.kind};
  if (subject.kind == "user") {
    const auto user = p_.catalog.user_by_name(subject.realm, subject.name);
    grant.subject = user ? user->key : subject.name;
  } else {
    grant.subject = subject.name;
  }
  return p_.store.write("withdraw", [&](store::WriteTransaction& tx) -> Result<void> {
    HOMEPORT_TRY(const auto row, tx.get(store::Table::grants, grant.key()));
    if (!row) {
      return Error{
          .code = Errc::not_found,
          .message = "dataset " + space.name + " is not granted to " + subject.kind +
                     (subject.name.empty() ? std::string() : " '" + printable(subject.name, 60) + "'"),
          .hint = "`homeport dataset show " + space.name + "` lists who has it; what rules give is withdrawn there",
          .pointer = "/subject"};
    }
    HOMEPORT_CHECK(tx.erase(store::Table::grants, grant.key(), store::Expect::any()));
    return tx.append_audit({.at = p_.clock.now(),
                            .principal = caller.principal.id,
                            .action = "dataset.withdraw",
                            .subject = space.key,
                            .outcome = "ok",
                            .detail = nlohmann::json{{"to", subject.kind}}.dump()});
  });
}

std::vector<store::GrantRecord> Datasets::grants(std::string_view name) const {
  const auto space = get(name);
  return space ? p_.catalog.grants_of(space->key) : std::vector<store::GrantRecord>{};
}

}  // namespace homeport::core
