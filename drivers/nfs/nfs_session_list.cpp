// Directory listings: READDIRPLUS (RFC 1813 section 3.3.17), so that attributes and handles come with the names. A
// server may not have it (NFS3ERR_NOTSUPP); there it is READDIR (section 3.3.16) and a LOOKUP for each name.
#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

#include "drivers/nfs/nfs_session.h"
#include "drivers/nfs/nfs_status.h"
#include "drivers/nfs/nfs_xdr.h"

namespace homeport::drivers::nfs {
namespace {

constexpr std::uint32_t kDirectoryBytes = 16U * 1024U;  // names and cookies
constexpr std::uint32_t kAnswerBytes = 64U * 1024U;     // with attributes and handles
constexpr std::uint64_t kMostRestarts = 3;

// Where a listing goes on: the server's cookie and verifier, and how often it has had to begin again.
struct Position {
  std::uint64_t cookie = 0;
  std::uint64_t verifier = 0;
  std::uint64_t restarts = 0;
};

std::string to_cursor(const Position& at) {
  return hex16(at.cookie) + hex16(at.verifier) + hex16(at.restarts);
}

Result<Position> from_cursor(const std::optional<Cursor>& cursor) {
  if (!cursor) return Position{};
  std::array<std::uint64_t, 3> parts{};
  bool good = cursor->size() == 48;
  for (std::size_t i = 0; good && i < parts.size(); ++i) {
    const char* begin = cursor->data() + i * 16;
    good = std::from_chars(begin, begin + 16, parts[i], 16).ptr == begin + 16;
  }
  if (good) return Position{.cookie = parts[0], .verifier = parts[1], .restarts = parts[2]};
  return Error{.code = Errc::invalid_argument,
               .message = "'" + printable(*cursor, 60) + "' is not a place in a listing",
               .hint = "list again from the beginning"};
}

struct RawPage {
  std::vector<Entry> entries{};
  std::vector<bool> known{};  // attributes and handle came with the name
  Position next{};
  bool end = false;
};

void add_entry(RawPage& page, const entryplus3& at) {
  auto attributes = attributes_from(at.name_attributes);
  auto node = node_from(at.name_handle);
  page.known.push_back(attributes && node && !node->handle.empty());
  page.entries.push_back({.name = at.name,
                          .node = std::move(node).value_or(Node{}),
                          .attributes = attributes.value_or(EntryAttributes{})});
}

void add_entry(RawPage& page, const entry3& at) {
  page.known.push_back(false);
  page.entries.push_back({.name = at.name, .node = {}, .attributes = {}});
}

// `ok`: READDIR3resok or READDIRPLUS3resok.
template <class Ok>
Result<RawPage> page_from(const Ok& ok, const Position& from, const std::string& what) {
  // A server that cannot go on would be asked for ever, and what is missing taken for gone.
  if (ok.reply.entries == nullptr && ok.reply.eof == 0) {
    return Error{.code = Errc::unavailable,
                 .message = what + ": the server gives no more entries, nor says that it was all"};
  }
  RawPage page;
  page.end = ok.reply.eof != 0;
  page.next = from;
  std::memcpy(&page.next.verifier, ok.cookieverf, sizeof page.next.verifier);
  const auto* packed = ok.reply.entries;
  while (packed != nullptr) {
    const auto at = aligned_copy(packed);
    packed = at.nextentry;
    page.next.cookie = at.cookie;
    const std::string_view name = at.name;
    if (name != "." && name != "..") add_entry(page, at);
  }
  return page;
}

RpcCall readdirplus_call(const Node& dir, const Position& from, const std::string& where, RawPage& into) {
  const std::string what = "READDIRPLUS in " + where;
  return {.what = what,
          .send =
              [&dir, from](rpc_context* rpc, RpcCallback done, void* state) {
                READDIRPLUS3args wanted{.dir = to_wire(dir),
                                        .cookie = from.cookie,
                                        .cookieverf = {},
                                        .dircount = kDirectoryBytes,
                                        .maxcount = kAnswerBytes};
                std::memcpy(wanted.cookieverf, &from.verifier, sizeof from.verifier);
                return rpc_nfs3_readdirplus_async(rpc, done, &wanted, state);
              },
          .take = [&into, from, what](const void* answer) -> Result<void> {
            const auto& result = *static_cast<const READDIRPLUS3res*>(answer);
            if (result.status != NFS3_OK) return nfs_error(result.status, what);
            HOMEPORT_TRY(into, page_from(result.READDIRPLUS3res_u.resok, from, what));
            return {};
          }};
}

RpcCall readdir_call(const Node& dir, const Position& from, const std::string& where, RawPage& into) {
  const std::string what = "READDIR in " + where;
  return {.what = what,
          .send =
              [&dir, from](rpc_context* rpc, RpcCallback done, void* state) {
                READDIR3args wanted{
                    .dir = to_wire(dir), .cookie = from.cookie, .cookieverf = {}, .count = kDirectoryBytes};
                std::memcpy(wanted.cookieverf, &from.verifier, sizeof from.verifier);
                return rpc_nfs3_readdir_async(rpc, done, &wanted, state);
              },
          .take = [&into, from, what](const void* answer) -> Result<void> {
            const auto& result = *static_cast<const READDIR3res*>(answer);
            if (result.status != NFS3_OK) return nfs_error(result.status, what);
            HOMEPORT_TRY(into, page_from(result.READDIR3res_u.resok, from, what));
            return {};
          }};
}

}  // namespace

// Names that came without attributes or handle are looked up, all at once; those that are gone meanwhile drop out. What
// could not be asked for is not gone: then the listing fails, unless the fault is the entry's own and `unseen` takes
// it.
Result<void> Session::complete(const OpContext& op, const Node& dir, std::vector<Entry>& entries,
                               std::vector<bool>& known, std::vector<ListPage::Unseen>* unseen) {
  std::vector<NameRequest> missing;
  std::vector<std::size_t> at;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (known[i]) continue;
    missing.push_back({.dir = dir, .name = entries[i].name});
    at.push_back(i);
  }
  if (missing.empty()) return {};
  auto found = lookup(op, missing);
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (!found[i] && unseen != nullptr && is_of_one_entry(found[i].error())) {
      unseen->push_back({.name = entries[at[i]].name, .why = std::move(found[i]).error()});
      continue;
    }
    if (!found[i]) return std::move(found[i]).error();
    if (!*found[i]) continue;
    entries[at[i]] = **std::move(found[i]);
    known[at[i]] = true;
  }
  std::size_t kept = 0;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (!known[i]) continue;
    if (kept != i) entries[kept] = std::move(entries[i]);
    ++kept;
  }
  entries.resize(kept);
  return {};
}

std::vector<Result<ListPage>> Session::list_once(const OpContext& op, std::span<const ListRequest> requests) {
  std::vector<Result<ListPage>> pages(requests.size(), Result<ListPage>(ListPage{}));
  std::vector<RawPage> raw(requests.size());
  std::vector<RpcCall> calls;
  std::vector<std::size_t> asked;
  for (std::size_t i = 0; i < requests.size(); ++i) {
    const auto position = from_cursor(requests[i].from);
    if (!position) {
      pages[i] = position.error();
      continue;
    }
    if (requests[i].directory.handle.empty()) continue;
    asked.push_back(i);
    const auto call = names_only_ ? readdir_call : readdirplus_call;
    calls.push_back(call(requests[i].directory, *position, export_path_, raw[i]));
  }
  channel_->run(op, calls);
  for (std::size_t at = 0; at < calls.size(); ++at) {
    const std::size_t i = asked[at];
    if (!calls[at].outcome) {
      pages[i] = std::move(calls[at].outcome).error();
      continue;
    }
    std::vector<ListPage::Unseen> unseen;
    auto* const takes = requests[i].with_unseen ? &unseen : nullptr;
    if (auto whole = complete(op, requests[i].directory, raw[i].entries, raw[i].known, takes); !whole) {
      pages[i] = std::move(whole).error();
      continue;
    }
    ListPage page{.entries = std::move(raw[i].entries), .unseen = std::move(unseen)};
    if (!raw[i].end) page.next = to_cursor(raw[i].next);
    pages[i] = std::move(page);
  }
  return pages;
}

std::vector<Result<ListPage>> Session::list(const OpContext& op, std::span<const ListRequest> requests) {
  auto pages = list_once(op, requests);
  const auto unsupported = [](const Result<ListPage>& page) { return !page && is_unsupported(page.error()); };
  if (!names_only_ && std::any_of(pages.begin(), pages.end(), unsupported)) {
    names_only_ = true;
    pages = list_once(op, requests);
  }
  for (std::size_t i = 0; i < pages.size(); ++i) {
    // The directory changed under a server that minds: from its beginning again, a bounded number of times. Entries may
    // then come twice; callers know them by id.
    if (pages[i] || !is_bad_cookie(pages[i].error())) continue;
    const auto position = from_cursor(requests[i].from);
    if (!position || position->restarts >= kMostRestarts) continue;
    const std::array<ListRequest, 1> again{{{.directory = requests[i].directory,
                                             .from = to_cursor({.restarts = position->restarts + 1}),
                                             .with_unseen = requests[i].with_unseen}}};
    pages[i] = std::move(list_once(op, again).front());
  }
  return pages;
}

Result<ListPage> Session::list(const OpContext& op, const ListRequest& request) {
  return std::move(list(op, std::span(&request, 1)).front());
}

}  // namespace homeport::drivers::nfs
