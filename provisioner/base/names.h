// Names, keys and ids. Parsed once at the edge; afterwards the type is the proof, and nothing downstream checks again.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "provisioner/base/result.h"

namespace homeport {

// A string that only parse() can make. Tag: `what` (the word in messages), reject(text) -> reason or "", hint().
template <class Tag>
class Name {
 public:
  Name() = delete;
  // Errors: invalid_argument "<what> '<text>' <reason>", with a hint.
  static Result<Name> parse(std::string_view text);

  [[nodiscard]] const std::string& str() const { return text_; }
  friend auto operator<=>(const Name&, const Name&) = default;

 private:
  explicit Name(std::string text) : text_(std::move(text)) {}
  std::string text_;
};

// A person as the hub names them. UTF-8 in NFC, 1 to 255 bytes, no control or invisible characters, no '/', not '.' or
// '..', no blank at either end, letters of one script family, not of the form of a key. Never used to build a path, a
// unit or a command.
struct UserNameTag;
// A named server of a hub; may be empty (the default server). Otherwise the rules of UserName.
struct ServerNameTag;
// A group as the hub or directory names it. The rules of UserName.
struct GroupNameTag;
// What an admin names: hubs, backends, classes, datasets, realms, tokens. [a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?, not
// of the form of a key.
struct SlugTag;

using UserName = Name<UserNameTag>;
using ServerName = Name<ServerNameTag>;
using GroupName = Name<GroupNameTag>;
using Slug = Name<SlugTag>;

// For "is somebody of nearly that name here already": NFKC, case folded, invisible characters left out, Cyrillic and
// Greek letters replaced by the Latin ones they look like. Two names with the same skeleton look alike; for comparing
// only.
[[nodiscard]] std::string name_skeleton(std::string_view name);
[[nodiscard]] bool is_valid_utf8(std::string_view text);
// For messages, logs and terminals: control characters and broken UTF-8 become \xNN, long text is cut with an ellipsis.
[[nodiscard]] std::string printable(std::string_view text, std::size_t max_bytes = 120);

// An absolute, normalised path: starts with '/', no empty, '.' or '..' parts, no trailing '/' (but "/" itself), no NUL
// or control characters, valid UTF-8, at most 1024 bytes.
class AbsolutePath {
 public:
  AbsolutePath() = delete;
  static Result<AbsolutePath> parse(std::string_view text);
  [[nodiscard]] const std::string& str() const { return text_; }
  // True for itself and for everything below it.
  [[nodiscard]] bool contains(const AbsolutePath& other) const;
  // `part` must be one path component that needs no checking (a key, a constant).
  [[nodiscard]] AbsolutePath operator/(std::string_view part) const;
  friend auto operator<=>(const AbsolutePath&, const AbsolutePath&) = default;

 private:
  explicit AbsolutePath(std::string text) : text_(std::move(text)) {}
  std::string text_;
};

enum class SpaceKind { home, dataset, group, scratch };
[[nodiscard]] std::string_view space_kind_name(SpaceKind kind);  // "home"
[[nodiscard]] std::optional<SpaceKind> space_kind_from_name(std::string_view name);
[[nodiscard]] char space_kind_letter(SpaceKind kind);  // 'h'

// Kind letter, '-', 16 lower-case hex digits (64 random bits): the nonce that proves ownership of a backend object.
class SpaceKey {
 public:
  SpaceKey() = delete;
  static Result<SpaceKey> parse(std::string_view text);
  static SpaceKey from_random(SpaceKind kind, std::uint64_t random);
  [[nodiscard]] SpaceKind kind() const;
  [[nodiscard]] const std::string& str() const { return text_; }
  friend auto operator<=>(const SpaceKey&, const SpaceKey&) = default;

 private:
  explicit SpaceKey(std::string text) : text_(std::move(text)) {}
  std::string text_;
};

// 'u', '-', 16 lower-case hex digits. Who a person is, whatever they are called.
class UserKey {
 public:
  UserKey() = delete;
  static Result<UserKey> parse(std::string_view text);
  static UserKey from_random(std::uint64_t random);
  [[nodiscard]] const std::string& str() const { return text_; }
  friend auto operator<=>(const UserKey&, const UserKey&) = default;

 private:
  explicit UserKey(std::string text) : text_(std::move(text)) {}
  std::string text_;
};

struct Uid {
  std::uint32_t value;
  friend auto operator<=>(Uid, Uid) = default;
};
struct Gid {
  std::uint32_t value;
  friend auto operator<=>(Gid, Gid) = default;
};
struct Owner {
  Uid uid;
  Gid gid;
  friend auto operator<=>(Owner, Owner) = default;
};

[[nodiscard]] std::string hex16(std::uint64_t value);  // 16 lower-case digits

}  // namespace homeport
