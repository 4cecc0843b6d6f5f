#include "drivers/nfs/nfs_tree.h"

#include "drivers/nfs/imports.h"
#include "drivers/nfs/nfs_xdr.h"
#include "drivers/nfs/standing.h"

namespace homeport::drivers::nfs {
namespace {

template <class T>
std::vector<Result<T>> all_failed(std::size_t count, const Error& error) {
  std::vector<Result<T>> out;
  out.reserve(count);
  for (std::size_t i = 0; i < count; ++i) out.emplace_back(error);
  return out;
}

}  // namespace

Result<void> NfsTree::check_writable() const {
  if (mode_ == TreeMode::read_write) return {};
  return Error{.code = Errc::failed_precondition, .message = path_ + " was opened for reading only"};
}

Place NfsTree::place(const Node& dir, std::string_view name) const {
  return {.dir = dir, .dir_path = dir.handle == root_.node.handle ? path_ : path_ + "/…", .name = std::string(name)};
}

Result<std::optional<Entry>> NfsTree::lookup(const OpContext& op, const Node& dir, std::string_view name) {
  HOMEPORT_CHECK(check_component(name));
  HOMEPORT_TRY(auto session, site_.sessions.lease(op));
  return session->lookup(op, dir, std::string(name));
}

std::vector<Result<std::optional<Entry>>> NfsTree::lookup_all(const OpContext& op,
                                                              std::span<const ManyLookups::Request> requests) {
  std::vector<NameRequest> asked;
  asked.reserve(requests.size());
  for (const auto& one : requests) {
    if (auto good = check_component(one.name); !good)
      return all_failed<std::optional<Entry>>(requests.size(), good.error());
    asked.push_back({.dir = one.directory, .name = one.name});
  }
  auto session = site_.sessions.lease(op);
  if (!session) return all_failed<std::optional<Entry>>(requests.size(), session.error());
  return (*session)->lookup(op, asked);
}

Result<EntryAttributes> NfsTree::stat(const OpContext& op, const Node& node) {
  HOMEPORT_TRY(auto session, site_.sessions.lease(op));
  return session->attributes(op, node);
}

std::vector<Result<ListPage>> NfsTree::list(const OpContext& op, std::span<const ListRequest> requests) {
  auto session = site_.sessions.lease(op);
  if (!session) return all_failed<ListPage>(requests.size(), session.error());
  return (*session)->list(op, requests);
}

Result<std::size_t> NfsTree::read(const OpContext& op, const Node& file, std::uint64_t offset,
                                  std::span<std::byte> into) {
  HOMEPORT_TRY(auto session, site_.sessions.lease(op));
  return session->read(op, file, offset, into);
}

Result<std::string> NfsTree::read_link(const OpContext& op, const Node& link) {
  HOMEPORT_TRY(auto session, site_.sessions.lease(op));
  return session->read_link(op, link);
}

Result<Entry> NfsTree::make_directory(const OpContext& op, const Node& dir, std::string_view name,
                                      const AttributeChange& attributes) {
  HOMEPORT_CHECK(check_writable());
  HOMEPORT_TRY(auto session, site_.sessions.lease(op));
  return session->make_directory(op, place(dir, name), attributes);
}

Result<Entry> NfsTree::make_file(const OpContext& op, const Node& dir, std::string_view name,
                                 const AttributeChange& attributes) {
  HOMEPORT_CHECK(check_writable());
  HOMEPORT_TRY(auto session, site_.sessions.lease(op));
  return session->make_file(op, place(dir, name), attributes, Existing::refuse);
}

Result<Entry> NfsTree::make_link(const OpContext& op, const Node& dir, std::string_view name, std::string_view target,
                                 Owner owner) {
  HOMEPORT_CHECK(check_writable());
  if (target.empty() || target.find('\0') != std::string_view::npos) {
    return Error{.code = Errc::invalid_argument,
                 .message = "'" + printable(target, 60) + "' cannot be a link's target"};
  }
  HOMEPORT_TRY(auto session, site_.sessions.lease(op));
  const Place where = place(dir, name);
  HOMEPORT_TRY(auto made, session->make_link(op, where, std::string(target)));
  if (Owner{made.attributes.uid, made.attributes.gid} == owner) return made;
  HOMEPORT_CHECK(session->set_attributes(op, made.node, where.path(), {.owner = owner}));
  made.attributes.uid = owner.uid;
  made.attributes.gid = owner.gid;
  return made;
}

Result<void> NfsTree::link(const OpContext& op, const Node& file, const Node& dir, std::string_view name) {
  HOMEPORT_CHECK(check_writable());
  HOMEPORT_CHECK(check_component(name));
  HOMEPORT_TRY(auto session, site_.sessions.lease(op));
  return session->link(op, file, place(dir, name));
}

Result<void> NfsTree::write(const OpContext& op, const Node& file, std::uint64_t offset,
                            std::span<const std::byte> data) {
  HOMEPORT_CHECK(check_writable());
  HOMEPORT_TRY(auto session, site_.sessions.lease(op));
  return session->write(op, file, path_ + "/…", offset, data);
}

Result<void> NfsTree::set_attributes(const OpContext& op, const Node& node, const AttributeChange& change) {
  HOMEPORT_CHECK(check_writable());
  HOMEPORT_TRY(auto session, site_.sessions.lease(op));
  return session->set_attributes(op, node, node.handle == root_.node.handle ? path_ : path_ + "/…", change);
}

Result<void> NfsTree::rename(const OpContext& op, const Node& from_dir, std::string_view from, const Node& to_dir,
                             std::string_view to) {
  HOMEPORT_CHECK(check_writable());
  HOMEPORT_TRY(auto session, site_.sessions.lease(op));
  return session->rename(op, place(from_dir, from), place(to_dir, to));
}

std::vector<Result<void>> NfsTree::remove(const OpContext& op, std::span<const Removal> removals) {
  if (auto writable = check_writable(); !writable) return all_failed<void>(removals.size(), writable.error());
  auto session = site_.sessions.lease(op);
  if (!session) return all_failed<void>(removals.size(), session.error());
  return (*session)->remove(op, removals, path_);
}

Result<std::unique_ptr<Tree>> open_object_tree(const OpContext& op, Backend& backend, const ObjectRef& ref) {
  using Opened = std::unique_ptr<Tree>;
  if (ref.imported) {
    HOMEPORT_TRY(const auto path, AbsolutePath::parse(ref.name));
    HOMEPORT_TRY(const auto below, export_of(op, backend, path));
    Site& site = backend.export_site(below.export_path);
    return with_session(op, backend, site, [&](Session& session) -> Result<Opened> {
      HOMEPORT_TRY(auto entry, walk_to(op, session, below));
      if (!entry) return Error{.code = Errc::not_found, .message = "there is no " + ref.name + " on the server"};
      if (object_id(entry->attributes) != ref.id || entry->attributes.type != EntryType::directory) {
        return Error{.code = Errc::failed_precondition,
                     .message = "what stands at " + ref.name + " is not space " + ref.key.str() + ": its id is " +
                                object_id(entry->attributes) + ", not " + ref.id};
      }
      return Opened(std::make_unique<NfsTree>(backend, site, *std::move(entry), path.str(), TreeMode::read_write));
    });
  }
  HOMEPORT_TRY(Site * site, backend.pool_site(ref.layout, ref.pool));
  return with_session(op, backend, *site, [&](Session& session) -> Result<Opened> {
    HOMEPORT_TRY(const auto standing, look(op, backend, *site, session, ref.key, ref.name, Make::no));
    HOMEPORT_TRY(auto placed, verify(backend, ref, standing, MarkerRule::may_be_missing));
    if (!placed) return gone(backend, *site, standing, ref);
    const bool live = placed->state == ObjectState::live;
    std::string path = Backend::join(live ? standing.dirs.homes_path : standing.dirs.trash_path(), ref.name);
    return Opened(
        std::make_unique<NfsTree>(backend, *site, std::move(placed->entry), std::move(path), TreeMode::read_write));
  });
}

Result<std::unique_ptr<Tree>> open_path_tree(const OpContext& op, Backend& backend, const AbsolutePath& path,
                                             TreeMode mode) {
  using Opened = std::unique_ptr<Tree>;
  HOMEPORT_TRY(const auto below, export_of(op, backend, path));
  Site& site = backend.export_site(below.export_path);
  return with_session(op, backend, site, [&](Session& session) -> Result<Opened> {
    HOMEPORT_TRY(auto entry, walk_to(op, session, below));
    if (!entry) return Error{.code = Errc::not_found, .message = "there is no " + path.str() + " on the server"};
    if (entry->attributes.type != EntryType::directory) {
      return Error{.code = Errc::failed_precondition, .message = path.str() + " is not a directory"};
    }
    return Opened(std::make_unique<NfsTree>(backend, site, *std::move(entry), path.str(), mode));
  });
}

}  // namespace homeport::drivers::nfs
