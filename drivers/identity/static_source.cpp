#include "drivers/identity/static_source.h"

#include <sys/stat.h>

#include <utility>

#include "provisioner/base/log.h"

namespace homeport::drivers::identity {

bool StaticSource::Version::same(const Version& other) const {
  return device == other.device && number == other.number && size == other.size &&
         changed.tv_sec == other.changed.tv_sec && changed.tv_nsec == other.changed.tv_nsec;
}

StaticSource::StaticSource(StaticSettings settings, ReadPeople read)
    : settings_(std::move(settings)), read_(std::move(read)) {
  if (settings_.file.empty()) return;
  // Something no file has, so that the first look reads.
  version_.size = -2;
  look_again();
}

StaticSource::Version StaticSource::version() const {
  struct stat info {};
  if (::stat(settings_.file.c_str(), &info) != 0) return {};
  // The time of change, not of writing: `cp -p` and `mv` bring an old time of writing along.
  return {.device = info.st_dev, .number = info.st_ino, .size = info.st_size, .changed = info.st_ctim};
}

void StaticSource::look_again() {
  const Version now = version();
  if (version_.same(now)) return;
  version_ = now;
  auto people = read_(settings_.file);
  if (people) {
    from_file_ = std::move(people).value();
    read_once_ = true;
    last_reading_ = {};
    log::info("identity_file_read", {{"file", settings_.file}, {"people", std::to_string(from_file_.size())}});
    return;
  }
  last_reading_ = Error{.code = Errc::failed_precondition,
                        .message = "the people of " + settings_.file + " cannot be read: " + people.error().sentence(),
                        .hint = people.error().hint};
  log::error("identity_file_refused", {{"file", settings_.file},
                                       {"in_force", read_once_ ? "what it said before" : "nothing"},
                                       {"why", people.error().to_string()}});
}

Result<std::optional<core::Identity>> StaticSource::find(const OpContext&, const UserName& user) {
  if (const auto at = settings_.people.find(user.str()); at != settings_.people.end()) return std::optional(at->second);
  if (settings_.file.empty()) return std::optional<core::Identity>();
  const std::lock_guard lock(mutex_);
  look_again();
  if (!read_once_) return last_reading_.error();
  const auto at = from_file_.find(user.str());
  if (at == from_file_.end()) return std::optional<core::Identity>();
  return std::optional(at->second);
}

Result<std::string> StaticSource::check(const OpContext&) {
  const std::string written = std::to_string(settings_.people.size()) + " people in the configuration";
  if (settings_.file.empty()) return written;
  const std::lock_guard lock(mutex_);
  look_again();
  if (!last_reading_) return last_reading_.error();
  return written + ", " + std::to_string(from_file_.size()) + " in " + settings_.file;
}

}  // namespace homeport::drivers::identity
