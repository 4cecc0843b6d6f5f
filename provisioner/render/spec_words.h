// The words of mountspec/1 for our enums, in one place: the writer, the reader and the messages share them.
#pragma once

#include <array>
#include <optional>
#include <string_view>
#include <vector>

#include "provisioner/render/mount_spec.h"

namespace homeport::render {

template <class E>
struct Word {
  E value;
  std::string_view text;
};

inline constexpr std::string_view kSchema = "mountspec/1";

inline constexpr std::array<Word<SpecState>, 3> kStateWords{
    {{SpecState::ready, "ready"}, {SpecState::degraded, "degraded"}, {SpecState::blocked, "blocked"}}};
inline constexpr std::array<Word<NoticeLevel>, 3> kLevelWords{
    {{NoticeLevel::info, "info"}, {NoticeLevel::warn, "warn"}, {NoticeLevel::error, "error"}}};
inline constexpr std::array<Word<Purpose>, 4> kPurposeWords{{{Purpose::interactive, "interactive"},
                                                             {Purpose::dashboard, "dashboard"},
                                                             {Purpose::batch, "batch"},
                                                             {Purpose::rescue, "rescue"}}};
inline constexpr std::array<Word<IdentityMode>, 2> kIdentityWords{
    {{IdentityMode::squash, "squash"}, {IdentityMode::native, "native"}}};
inline constexpr std::array<Word<MountKind>, 5> kKindWords{{{MountKind::home, "home"},
                                                            {MountKind::dataset, "dataset"},
                                                            {MountKind::group, "group"},
                                                            {MountKind::scratch, "scratch"},
                                                            {MountKind::snapshot, "snapshot"}}};
inline constexpr std::array<Word<MountAccess>, 2> kAccessWords{{{MountAccess::ro, "ro"}, {MountAccess::rw, "rw"}}};
inline constexpr std::array<std::string_view, 4> kSecurityFlavors{"sys", "krb5", "krb5i", "krb5p"};
inline constexpr std::array<std::string_view, 4> kQuotaClasses{"hard", "cooperative", "measured", "none"};

// Empty for a value that is none of the enum's (only a cast can make one).
template <class E, std::size_t N>
[[nodiscard]] constexpr std::string_view word_of(const std::array<Word<E>, N>& words, E value) {
  for (const auto& word : words) {
    if (word.value == value) return word.text;
  }
  return {};
}

template <class E, std::size_t N>
[[nodiscard]] constexpr std::optional<E> value_of(const std::array<Word<E>, N>& words, std::string_view text) {
  for (const auto& word : words) {
    if (word.text == text) return word.value;
  }
  return std::nullopt;
}

template <class E, std::size_t N>
[[nodiscard]] std::vector<std::string_view> texts_of(const std::array<Word<E>, N>& words) {
  std::vector<std::string_view> out;
  for (const auto& word : words) out.push_back(word.text);
  return out;
}

// Bounds of the NFS options: what the Linux client takes without silently changing it (nfs(5)).
inline constexpr std::uint32_t kMaxTimeo = 6000;  // tenths of a second; the client's own ceiling is 600 s
inline constexpr std::uint32_t kMaxRetrans = 100;
inline constexpr std::uint32_t kMinTransfer = 1024;
inline constexpr std::uint32_t kMaxTransfer = 1048576;
inline constexpr std::uint32_t kMaxNconnect = 16;
inline constexpr std::uint32_t kMaxId = 4294967294U;  // 2^32-1 means "leave as it is" to chown(2)
inline constexpr std::size_t kMaxGroups = 16;         // AUTH_SYS carries no more (RFC 5531, appendix A)
inline constexpr std::uint32_t kMaxPurgeDays = 36500;

}  // namespace homeport::render
