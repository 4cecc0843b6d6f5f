// People written down by an admin: in the configuration, or in a file beside it that is read again when it changes.
#pragma once

#include <sys/types.h>

#include <ctime>
#include <functional>
#include <map>
#include <mutex>
#include <string>

#include "provisioner/core/ports/identity.h"

namespace homeport::drivers::identity {

using StaticPeople = std::map<std::string, core::Identity, std::less<>>;

struct StaticSettings {
  StaticPeople people{};
  std::string file{};  // empty: none. Who is in `people` as well is what stands there
};

class StaticSource final : public core::IdentitySource {
 public:
  using ReadPeople = std::function<Result<StaticPeople>(const std::string& file)>;

  // `read` is called at once and then whenever the file's time, size or number changed, by whoever asks first.
  StaticSource(StaticSettings settings, ReadPeople read);

  [[nodiscard]] std::string_view name() const override { return "static"; }
  // A file that cannot be read any more, or has mistakes, leaves in force what it said before (the log says so, and
  // check()). Errors: failed_precondition when it could not be read even once and `people` does not have the name.
  [[nodiscard]] Result<std::optional<core::Identity>> find(const OpContext& op, const UserName& user) override;
  // Errors: failed_precondition with every mistake of the file.
  [[nodiscard]] Result<std::string> check(const OpContext& op) override;

 private:
  // What tells one version of a file from the next.
  struct Version {
    dev_t device = 0;
    ino_t number = 0;
    off_t size = -1;  // -1: the file is not there
    timespec changed{};
    [[nodiscard]] bool same(const Version& other) const;
  };
  [[nodiscard]] Version version() const;
  void look_again();

  const StaticSettings settings_;
  const ReadPeople read_;
  std::mutex mutex_;
  Version version_{};
  bool read_once_ = false;
  StaticPeople from_file_{};
  Result<void> last_reading_{};
};

}  // namespace homeport::drivers::identity
