// The versions of NFS that clients may be told to mount, for whoever writes one and whoever reads it.
#pragma once

#include <array>
#include <string_view>

namespace homeport {

// As vers= takes them. Not 4.0: it needs a connection from the server back to each client, which pods and hosts behind
// address translation do not offer, and whatever serves 4.0 today serves 4.1.
inline constexpr std::array<std::string_view, 3> kNfsVersions{"3", "4.1", "4.2"};

}  // namespace homeport
