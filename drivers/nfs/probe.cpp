#include "drivers/nfs/probe.h"

#include <array>

#include "drivers/nfs/directories.h"
#include "drivers/nfs/nfs_status.h"
#include "drivers/nfs/nfs_xdr.h"
#include "provisioner/base/log.h"

namespace homeport::drivers::nfs {
namespace {

constexpr std::uint32_t kStrangerId = 54321;  // a uid that is nobody's on most servers; no file of it stays
constexpr std::uint16_t kNfsPort = 2049;
constexpr std::uint16_t kFirstHighPort = 1024;
constexpr std::chrono::milliseconds kCleanup{3000};

std::string seen(const Error& error) {
  std::string text = error.sentence();
  if (error.upstream && !error.upstream->detail.empty()) text += " (" + error.upstream->detail + ")";
  return text;
}

// One ordinary call, for whether it is answered.
Result<void> read_attributes(const OpContext& op, RpcChannel& channel, const Node& node) {
  std::array<RpcCall, 1> calls{{{.what = "GETATTR",
                                 .send =
                                     [&](rpc_context* rpc, RpcCallback done, void* state) {
                                       GETATTR3args wanted{.object = to_wire(node)};
                                       return rpc_nfs3_getattr_async(rpc, done, &wanted, state);
                                     },
                                 .take = [](const void* answer) -> Result<void> {
                                   const auto status = static_cast<const GETATTR3res*>(answer)->status;
                                   if (status != NFS3_OK) return nfs_error(status, "GETATTR");
                                   return {};
                                 }}}};
  channel.run(op, calls);
  return std::move(calls[0].outcome);
}

class Prober {
 public:
  Prober(const OpContext& op, Backend& backend) : backend_(backend), op_(op), whole_(op.deadline) {
    // A part of the time is kept for cleaning up, and for the answer itself.
    const MonoTime now = backend.clock().mono();
    if (whole_ > now) op_.deadline = now + (whole_ - now) * 3 / 4;
  }

  ProbeReport run() {
    report_.management_ok = true;
    report_.data_ok = true;
    if (!reach_server()) return std::move(report_);
    for (const auto& pool : backend_.config().pools) probe_pool(pool);
    if (backend_.config().pools.empty()) {
      add("pools", CheckStatus::skipped, "none is configured: only what is imported can be served");
    }
    probe_clients();
    return std::move(report_);
  }

 private:
  void add(std::string name, CheckStatus status, std::string detail, std::string hint = {}) {
    report_.checks.push_back(
        {.name = std::move(name), .status = status, .detail = std::move(detail), .hint = std::move(hint)});
  }
  void fail_management(const std::string& name, const Error& error, const std::string& hint = {}) {
    report_.management_ok = false;
    add(name, CheckStatus::failed, seen(error), hint.empty() ? error.hint : hint);
  }

  bool reach_server();
  void probe_ports();
  void probe_pool(const PoolConfig& pool);
  void probe_homes(const PoolConfig& pool, Session& session);
  void ask_rights(const PoolConfig& pool, Session& session);
  void probe_rights(const PoolConfig& pool, Session& session);
  void use_folder(const std::string& pool, Session& session, const Entry& folder, const std::string& path);
  void probe_identity(const std::string& pool, Session& session, const Entry& folder, const std::string& path);
  void probe_files(const std::string& pool, Session& session, const Entry& folder, const std::string& path);
  void clean_up(Session& session, const Place& admin, bool admin_was_there, const Place& folder,
                const Node& folder_node);
  void probe_clients();

  Backend& backend_;
  OpContext op_;
  const MonoTime whole_;
  std::unique_ptr<RpcChannel> mount_;
  ProbeReport report_{};
};

bool Prober::reach_server() {
  const std::string& server = backend_.config().service.server;
  auto mount = connect_mount(op_, backend_.reach(), {});
  if (!mount) {
    fail_management(
        "management: mount protocol", mount.error(),
        mount.error().hint.empty() ? "check the server, its address, service.mount_port and the firewall between" : "");
    report_.data_ok = false;
    probe_clients();
    return false;
  }
  mount_ = std::move(mount).value();
  backend_.learn_contact();
  add("management: mount protocol", CheckStatus::ok, server + " answers MOUNT version 3");
  auto nfs = connect_nfs(op_, backend_.reach(), {});
  if (!nfs) {
    fail_management("management: NFS version 3", nfs.error(),
                    nfs.error().hint.empty() ? "check service.nfs_port and the firewall between" : "");
    report_.data_ok = false;
    probe_clients();
    return false;
  }
  add("management: NFS version 3", CheckStatus::ok, server + " answers NFS version 3");
  return true;
}

// Pods and hosts behind address translation come from ports of 1024 and more.
void Prober::probe_ports() {
  const auto& pools = backend_.config().pools;
  const std::uint16_t own = mount_->source_port();
  const std::string ours = "we come from " + mount_->source_address() + " port " + std::to_string(own);
  if (own >= kFirstHighPort) {
    add("data path: source port", CheckStatus::ok, ours + ", and are served: ports from 1024 on are accepted");
    return;
  }
  // Some servers look at the port when mounting, some at each call.
  const auto mounted = [&]() -> Result<void> {
    HOMEPORT_TRY(const auto mount, connect_mount(op_, backend_.reach(), {}, true));
    HOMEPORT_TRY(const auto root, mount_path(op_, *mount, pools.front().export_path.str()));
    HOMEPORT_TRY(const auto nfs, connect_nfs(op_, backend_.reach(), {}, true));
    return read_attributes(op_, *nfs, root);
  }();
  if (mounted) {
    add("data path: source port", CheckStatus::ok, ours + "; ports from 1024 on are accepted too");
    return;
  }
  add("data path: source port", CheckStatus::warning,
      ours + "; from a port of 1024 or more it refuses: " + seen(mounted.error()),
      "kernels mount from low ports and are served; clients in user space or behind address translation are not: for "
      "those "
      "add `insecure` to the export (Linux), or PrivilegedPort = false (Ganesha)");
}

void Prober::probe_pool(const PoolConfig& pool) {
  const std::string& path = pool.export_path.str();
  const std::string name = "pool " + pool.name + ": mount " + path;
  auto root = mount_path(op_, *mount_, path);
  if (!root) {
    fail_management(name, root.error());
    report_.data_ok = false;
    return;
  }
  auto session = Session::open(op_, backend_.reach(), path);
  if (!session) {
    fail_management(name, session.error());
    report_.data_ok = false;
    return;
  }
  add(name, CheckStatus::ok, "the server lets this host mount it");
  if (&pool == &backend_.config().pools.front()) probe_ports();
  probe_homes(pool, **session);
  if (op_.dry_run) return ask_rights(pool, **session);
  probe_rights(pool, **session);
}

// Who may change the directory that holds the homes may rename them.
void Prober::probe_homes(const PoolConfig& pool, Session& session) {
  const std::string name = "pool " + pool.name + ": directory";
  const std::string path = backend_.homes_path(pool);
  auto entry = std::optional<Entry>(session.root());
  for (const auto& part : pool.directory) {
    auto next = session.lookup(op_, entry->node, part);
    if (!next) return fail_management(name, next.error());
    entry = *std::move(next);
    if (!entry) return add(name, CheckStatus::ok, path + " is not there yet; it is made with the first home");
    if (entry->attributes.type != EntryType::directory) {
      report_.management_ok = false;
      return add(name, CheckStatus::failed, part + " on the way to " + path + " is not a directory",
                 "Homeport follows no links: name a real directory");
    }
  }
  constexpr std::uint32_t kOthersWrite = 022;
  const auto& attributes = entry->attributes;
  const bool safe = attributes.uid == Uid{0} && (attributes.mode & kOthersWrite) == 0;
  add(name, safe ? CheckStatus::ok : CheckStatus::warning,
      path + " belongs to uid " + std::to_string(attributes.uid.value) +
          ((attributes.mode & kOthersWrite) != 0 ? " and others may write to it" : ""),
      safe ? ""
           : "on the server: chown root:root and chmod 0755, so that nobody can rename or replace another one's home");
}

// Where nothing may be changed the server is only asked. Its answer is no proof: squashing, quotas and a full disk show
// when something is really made.
void Prober::ask_rights(const PoolConfig& pool, Session& session) {
  constexpr std::uint32_t kMake = ACCESS3_MODIFY | ACCESS3_EXTEND;
  const auto granted = session.access(op_, session.root().node, kMake);
  const std::string says =
      !granted ? "and the server does not say: " + seen(granted.error())
               : std::string("the server says that it would ") + ((*granted & kMake) == kMake ? "" : "not ") + "let us";
  add("pool " + pool.name + ": make, give away (chown), write and remove", CheckStatus::skipped,
      "not tried: the backend is only observed; " + says,
      "whether homes can be made here is proven by a probe with mode: create or mode: manage");
}

void Prober::probe_rights(const PoolConfig& pool, Session& session) {
  const std::string name = "pool " + pool.name + ": make a directory";
  const std::string line = export_line_hint(pool.export_path.str(), mount_->source_address());
  const Place admin{.dir = session.root().node,
                    .dir_path = pool.export_path.str(),
                    .name = backend_.config().service.admin_directory};
  auto stands = session.lookup(op_, admin.dir, admin.name);
  if (!stands) return fail_management(name, stands.error(), line);
  auto home = directory_at(op_, session, admin, Make::yes, 0700);
  if (!home)
    return fail_management(name, home.error(),
                           is_refusal(home.error()) ? "root is squashed or may not write: " + line : line);
  const Place folder{.dir = (*home)->node, .dir_path = admin.path(), .name = "probe-" + backend_.nonce()};
  auto made = session.make_directory(op_, folder, {.mode = 0700});
  if (made) {
    const bool fresh = !stands->has_value();
    add(name, CheckStatus::ok,
        "made " + folder.path() +
            (fresh ? "; " + admin.path() + " was not there: no home was made on this disk yet" : ""));
    use_folder(pool.name, session, *made, folder.path());
  } else {
    fail_management(name, made.error(), is_refusal(made.error()) ? "root is squashed or may not write: " + line : line);
  }
  clean_up(session, admin, stands->has_value(), folder, made ? made->node : Node{});
}

void Prober::use_folder(const std::string& pool, Session& session, const Entry& folder, const std::string& path) {
  probe_files(pool, session, folder, path);
  probe_identity(pool, session, folder, path);
}

// What the server makes of uid 0 and of everybody else.
void Prober::probe_identity(const std::string& pool, Session& session, const Entry& folder, const std::string& path) {
  const std::string name = "pool " + pool + ": give a directory away (chown)";
  const std::string line = export_line_hint(session.export_path(), mount_->source_address());
  const Place given{.dir = folder.node, .dir_path = path, .name = "given"};
  auto made = session.make_directory(op_, given, {.mode = 0700});
  if (!made) return fail_management(name, made.error());
  const auto gave = session.set_attributes(op_, made->node, given.path(),
                                           {.owner = Owner{Uid{kStrangerId}, Gid{kStrangerId}}, .mode = 0700});
  const auto now = session.attributes(op_, made->node);
  if (gave && now && now->uid == Uid{kStrangerId}) {
    backend_.learn_identity(std::nullopt);
    return add(name, CheckStatus::ok, "root is root there (no_root_squash): homes belong to their users");
  }
  // Does a stranger stay a stranger? Then only root is squashed.
  const Owner us{folder.attributes.uid, folder.attributes.gid};
  (void)session.set_attributes(op_, folder.node, path, {.mode = 0777});
  session.become({.uid = kStrangerId, .gid = kStrangerId});
  const Place theirs{.dir = folder.node, .dir_path = path, .name = "theirs"};
  const auto stranger = session.make_directory(op_, theirs, {.mode = 0700});
  session.become({});
  const std::string who = "uid " + std::to_string(us.uid.value);
  if (stranger && stranger->attributes.uid == us.uid) {
    backend_.learn_identity(us);
    return add(name, CheckStatus::warning,
               "everybody is " + who + " there (all_squash): only classes with identity squash can be offered",
               "accept one uid for all in the class, or let homes be owned by their users: " + line);
  }
  backend_.learn_identity(us);
  report_.management_ok = false;
  add(name, CheckStatus::failed,
      "root is " + who + " there (root_squash)" + (gave ? "" : ": " + seen(gave.error())) +
          "; homes cannot be given to their users",
      "add no_root_squash for this host: " + line);
}

void Prober::probe_files(const std::string& pool, Session& session, const Entry& folder, const std::string& path) {
  const std::string name = "pool " + pool + ": write, read, rename, list, remove";
  const std::string text = "homeport probe\n";
  const Place draft{.dir = folder.node, .dir_path = path, .name = "draft"};
  const Place final_place{.dir = folder.node, .dir_path = path, .name = "final"};
  const auto tried = [&]() -> Result<void> {
    HOMEPORT_TRY(const auto file, session.make_file(op_, draft, {.mode = 0600}, Existing::refuse));
    HOMEPORT_CHECK(session.write(op_, file.node, draft.path(), 0, std::as_bytes(std::span(text))));
    const std::array<Node, 1> files{file.node};
    HOMEPORT_TRY(const auto back, std::move(session.read_files(op_, files, 4096).front()));
    if (back != text) return Error{.message = "what was read back is not what was written"};
    HOMEPORT_CHECK(session.rename(op_, draft, final_place));
    HOMEPORT_TRY(const auto listed, session.list(op_, {.directory = folder.node}));
    if (listed.entries.size() != 1 || listed.entries.front().name != final_place.name) {
      return Error{.message = "the directory's listing does not show what was just made in it"};
    }
    return session.remove_one(op_, final_place, false);
  }();
  if (!tried) return fail_management(name, tried.error());
  add(name, CheckStatus::ok, std::to_string(text.size()) + " bytes came back as they were written");
  if (session.lists_names_only()) {
    add("pool " + pool + ": listings", CheckStatus::warning,
        "the server has no READDIRPLUS: listings ask for each name by itself, and take longer");
  }
}

// With time of its own: what the checks left over of the caller's may be little.
void Prober::clean_up(Session& session, const Place& admin, bool admin_was_there, const Place& folder,
                      const Node& folder_node) {
  OpContext op = op_;
  op.stop = {};
  op.deadline = std::max(op_.deadline, std::min(whole_, backend_.clock().mono() + kCleanup));
  const std::array<Tree::Removal, 4> inside{{{.directory = folder_node, .name = "given", .is_directory = true},
                                             {.directory = folder_node, .name = "theirs", .is_directory = true},
                                             {.directory = folder_node, .name = "draft", .is_directory = false},
                                             {.directory = folder_node, .name = "final", .is_directory = false}}};
  Result<void> cleaned;
  if (!folder_node.handle.empty()) {
    for (auto& outcome : session.remove(op, inside, folder.path())) {
      if (!outcome) cleaned = std::move(outcome);
    }
    if (auto removed = session.remove_one(op, folder, true); !removed) cleaned = std::move(removed);
  }
  if (!cleaned) {
    add("cleaning up", CheckStatus::warning, "left behind " + folder.path() + ": " + seen(cleaned.error()),
        "remove it on the server");
  }
  // Ours to take away only if it was not there; a home made meanwhile keeps it, RMDIR takes an empty one only.
  if (!admin_was_there && cleaned) (void)session.remove_one(op, admin, true);
}

void Prober::probe_clients() {
  const auto& client = backend_.config().client;
  const int version = client.version == "3" ? 3 : 4;
  const std::uint16_t port = client.port.value_or(kNfsPort);
  const std::string name = "data path: clients' address";
  const std::string what = client.server + " port " + std::to_string(port) + " for NFS version " + client.version;
  const auto answered = null_call(op_, backend_.reach(), client.server, port, version);
  if (answered) return add(name, CheckStatus::ok, what + " answers");
  report_.data_ok = false;
  add(name, CheckStatus::failed, what + " does not answer: " + seen(answered.error()),
      "seen from here; if only notebooks' hosts reach that address this may be right. Otherwise check client.server, "
      "client.port "
      "and client.version");
}

}  // namespace

Result<ProbeReport> probe_backend(const OpContext& op, Backend& backend) {
  HOMEPORT_CHECK(still_wanted(op, backend.clock(), "probing " + backend.name()));
  return Prober(op, backend).run();
}

}  // namespace homeport::drivers::nfs
