// A database of users for glibc (nsswitch.conf: homeporttest), with people that real ones have only on bad days. The
// functions are those of glibc's manual, "Extending NSS".
#include <grp.h>
#include <nss.h>
#include <pwd.h>

#include <cerrno>
#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <string_view>

namespace {

struct Gate {
  std::mutex mutex;
  std::condition_variable changed;
  bool open = false;
};
Gate& gate() {
  static Gate one;
  return one;
}

nss_status fail(nss_status status, int error, int* to) {
  *to = error;
  return status;
}

}  // namespace

extern "C" {

// Lets "hangs" go on.
void homeporttest_release() {
  const std::lock_guard lock(gate().mutex);
  gate().open = true;
  gate().changed.notify_all();
}

nss_status _nss_homeporttest_getpwnam_r(const char* raw, passwd* entry, char* buffer, std::size_t size, int* error) {
  const std::string_view name = raw;
  std::size_t wanted = 64;
  if (name == "hangs") {
    std::unique_lock lock(gate().mutex);
    gate().changed.wait(lock, [] { return gate().open; });
  } else if (name == "down") {
    return fail(NSS_STATUS_UNAVAIL, ENOENT, error);  // as sssd's module without its daemon
  } else if (name == "later") {
    return fail(NSS_STATUS_TRYAGAIN, EAGAIN, error);
  } else if (name == "large") {
    wanted = 300'000;
  } else if (name == "endless") {
    wanted = SIZE_MAX;
  } else if (name != "alice" && name != "many" && name != "brokengroup") {
    return NSS_STATUS_NOTFOUND;
  }
  if (size < wanted) return fail(NSS_STATUS_TRYAGAIN, ERANGE, error);
  std::snprintf(buffer, size, "%s", raw);
  entry->pw_name = buffer;
  entry->pw_passwd = entry->pw_gecos = entry->pw_dir = entry->pw_shell = buffer + name.size();
  entry->pw_uid = 70001;
  entry->pw_gid = 70000;
  return NSS_STATUS_SUCCESS;
}

nss_status _nss_homeporttest_initgroups_dyn(const char* raw, gid_t, long* start, long* size, gid_t** groups, long limit,
                                            int*) {
  const std::string_view name = raw;
  const auto append = [&](gid_t gid) {
    if (limit > 0 && *start >= limit) return;
    if (*start == *size) {
      *size *= 2;
      *groups = static_cast<gid_t*>(std::realloc(*groups, static_cast<std::size_t>(*size) * sizeof(gid_t)));
    }
    (*groups)[(*start)++] = gid;
  };
  const unsigned count = name == "alice" ? 2 : name == "many" ? 3000 : 0;
  for (unsigned i = 0; i < count; ++i) append(70010 + count - i);
  if (name == "brokengroup") append(79999);
  return NSS_STATUS_SUCCESS;
}

nss_status _nss_homeporttest_getgrgid_r(gid_t gid, group* entry, char* buffer, std::size_t size, int* error) {
  if (gid == 79999) return fail(NSS_STATUS_UNAVAIL, ECONNREFUSED, error);
  if (gid < 70000 || gid > 79999 || gid == 70011) return NSS_STATUS_NOTFOUND;  // 70011: a number without a name
  if (size < 5000) return fail(NSS_STATUS_TRYAGAIN, ERANGE, error);
  static char* nobody = nullptr;
  std::snprintf(buffer, size, "g%u", gid);
  entry->gr_name = buffer;
  entry->gr_passwd = buffer + std::strlen(buffer);
  entry->gr_gid = gid;
  entry->gr_mem = &nobody;
  return NSS_STATUS_SUCCESS;
}
}
