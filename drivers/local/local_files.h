// What every tree of this machine's files needs: errors from errno, attributes from stat(2), directory streams.
#pragma once

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>
#include <string_view>

#include "drivers/core/optional.h"

namespace homeport::drivers::local {

// The one place where errno becomes an error. `what`: what was tried on what.
[[nodiscard]] Error from_errno(int code, const std::string& what);
[[nodiscard]] EntryAttributes attributes_of(const struct stat& status);
// invalid_argument for what is not the name of one directory entry.
[[nodiscard]] Result<void> check_component(std::string_view name);

// Takes the descriptor over.
class DirectoryStream {
 public:
  explicit DirectoryStream(int fd) : stream_(::fdopendir(fd)) {
    if (stream_ == nullptr) ::close(fd);
  }
  ~DirectoryStream() {
    if (stream_ != nullptr) ::closedir(stream_);
  }
  DirectoryStream(const DirectoryStream&) = delete;
  DirectoryStream& operator=(const DirectoryStream&) = delete;
  [[nodiscard]] DIR* get() const { return stream_; }

 private:
  DIR* stream_;
};

}  // namespace homeport::drivers::local
