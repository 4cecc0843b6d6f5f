#include "provisioner/store/sqlite_guard.h"

#include <sqlite3.h>

namespace homeport::store {
namespace {

struct Translation {
  Errc code;
  const char* words;
  const char* hint;
};

Translation translate(int primary, int extended) {
  switch (primary) {
    case SQLITE_FULL:
      return {Errc::unavailable, "the disk of the database is full",
              "free space there; nothing was written, and writing goes on by itself afterwards"};
    case SQLITE_IOERR:
      return {Errc::unavailable, "the disk of the database reports an I/O error",
              "look at the kernel's log (dmesg), mend the disk, then start Homeport again"};
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return {Errc::unavailable, "another process keeps the database locked", "repeat; end other programs that use it"};
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_AUTH:
    case SQLITE_READONLY:
      return {Errc::unavailable, "the database cannot be opened for writing",
              "the state directory and its files must belong to the user Homeport runs as, on a writable filesystem"};
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return {
          Errc::failed_precondition, "the database is damaged",
          "it was left as it is; restore a backup (homeport state restore FILE), or move it away and rebuild from the "
          "backends (homeport adopt)"};
    case SQLITE_CONSTRAINT:
      if (extended == SQLITE_CONSTRAINT_UNIQUE || extended == SQLITE_CONSTRAINT_PRIMARYKEY) {
        return {Errc::already_exists, "another row has the same value", ""};
      }
      return {Errc::internal, "the database refuses the row", ""};
    case SQLITE_NOMEM: return {Errc::unavailable, "there is no memory left", ""};
    default: return {Errc::internal, "the database answers with an error", ""};
  }
}

int primary_code(const Error& error) {
  return error.upstream && error.upstream->system == "sqlite" ? error.upstream->status & 0xFF : SQLITE_OK;
}

}  // namespace

Error sqlite_error(const SQLite::Exception& e, std::string_view what) {
  const int primary = e.getErrorCode() & 0xFF;
  // Exceptions without a connection carry the primary code only.
  const int extended = (e.getExtendedErrorCode() & 0xFF) == primary ? e.getExtendedErrorCode() : e.getErrorCode();
  const Translation t = translate(primary, extended);
  Error error{.code = t.code,
              .message = std::string(what) + ": " + t.words,
              .hint = t.hint,
              .upstream = Upstream{.system = "sqlite", .status = extended, .detail = e.what()}};
  if (primary == SQLITE_BUSY || primary == SQLITE_LOCKED) error.retry_after = std::chrono::seconds(1);
  return error;
}

bool is_io_failure(const Error& error) {
  return primary_code(error) == SQLITE_IOERR && error.upstream->status != SQLITE_IOERR_NOMEM;
}

bool is_damage(const Error& error) {
  return primary_code(error) == SQLITE_CORRUPT || primary_code(error) == SQLITE_NOTADB;
}

}  // namespace homeport::store
