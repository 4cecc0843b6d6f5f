#include "provisioner/config/secrets.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <system_error>

#include "provisioner/base/descriptor.h"
#include "provisioner/base/names.h"

namespace homeport::config {
namespace {

Error refused(const SecretRef& ref, Errc code, std::string_view why, std::string hint = {}) {
  return Error{
      .code = code, .message = "secret in " + ref.describe() + " " + std::string(why), .hint = std::move(hint)};
}

std::string reason(int error) {
  return std::generic_category().message(error);
}

bool is_environment_name(std::string_view name) {
  if (name.empty() || (name[0] >= '0' && name[0] <= '9')) return false;
  return name.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_") ==
         std::string_view::npos;
}

std::string shell_quoted(const std::string& path) {
  std::string out = "'";
  for (const char c : path) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

Result<Secret> finished(const SecretRef& ref, std::string text) {
  if (text.ends_with('\n')) text.pop_back();
  if (text.ends_with('\r')) text.pop_back();
  if (text.empty()) return refused(ref, Errc::failed_precondition, "is empty", "write the secret into it");
  if (text.size() > kMaxSecretBytes) return refused(ref, Errc::failed_precondition, "is larger than 64KiB");
  return Secret(std::move(text));
}

Result<Secret> from_environment(const SecretRef& ref) {
  const char* value = std::getenv(ref.env.c_str());  // NOLINT(concurrency-mt-unsafe): nobody changes the environment
  if (value == nullptr) return refused(ref, Errc::not_found, "is not set", "export " + ref.env + " before the start");
  return finished(ref, value);
}

// The rights are those of the open file, so that nobody can swap it between the question and the reading.
Result<Secret> from_file(const SecretRef& ref) {
  const Descriptor file(::open(ref.file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.get() < 0) {
    const int error = errno;
    return refused(ref, error == ENOENT ? Errc::not_found : Errc::failed_precondition,
                   "cannot be read: " + reason(error),
                   "make the file, owned by the user that homeportd runs as, with mode 0600");
  }
  struct stat info {};
  if (::fstat(file.get(), &info) != 0)
    return refused(ref, Errc::failed_precondition, "cannot be read: " + reason(errno));
  if (!S_ISREG(info.st_mode)) return refused(ref, Errc::failed_precondition, "is not a regular file");
  // Reading by the group is how certificates' keys are shared (Debian's ssl-cert); only root can have set that up.
  const bool shared_by_root = info.st_uid == 0 && ::geteuid() != 0 && (info.st_mode & 0027U) == 0;
  if ((info.st_mode & 0077U) != 0 && !shared_by_root) {
    return refused(ref, Errc::failed_precondition, "can be read or changed by others",
                   "run: chmod 600 " + shell_quoted(ref.file));
  }
  std::string text(kMaxSecretBytes + 2, '\0');
  std::size_t have = 0;
  while (have < text.size()) {
    const auto n = ::read(file.get(), text.data() + have, text.size() - have);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return refused(ref, Errc::failed_precondition, "cannot be read: " + reason(errno));
    if (n == 0) break;
    have += static_cast<std::size_t>(n);
  }
  text.resize(have);
  return finished(ref, std::move(text));
}

}  // namespace

std::string SecretRef::describe() const {
  return file.empty() ? "environment variable " + printable(env) : "file " + printable(file);
}

std::optional<SecretRef> read_secret_ref(DocReader& in, std::string_view key) {
  const auto* raw = in.raw(key);
  if (raw == nullptr) return std::nullopt;
  if (!raw->is_object()) {
    in.problem(key, "must say where the secret is",
               "write {file: /PATH} or {env: NAME}; a secret never stands in this file");
    return std::nullopt;
  }
  DocReader member = in.object(key);
  SecretRef ref{.file = member.text("file", ""), .env = member.text("env", "")};
  const std::size_t before = member.problems().list().size();
  if (member.has("file") == member.has("env")) {
    in.problem(key, "needs exactly one of 'file' and 'env'");
  } else if (member.has("file")) {
    if (const auto path = AbsolutePath::parse(ref.file); !path)
      member.problem("file", path.error().message, path.error().hint);
  } else if (!is_environment_name(ref.env)) {
    member.problem("env", "is not the name of an environment variable", "use letters, digits and '_'");
  }
  member.finish();
  if (member.problems().list().size() != before) return std::nullopt;
  return ref;
}

Result<Secret> read_secret(const SecretRef& ref) {
  return ref.file.empty() ? from_environment(ref) : from_file(ref);
}

}  // namespace homeport::config
