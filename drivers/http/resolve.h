// Names to addresses within a deadline, which the C library's resolver knows nothing of.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <string>

#include "provisioner/base/op_context.h"

namespace homeport::drivers::http {

using Addresses = boost::asio::ip::tcp::resolver::results_type;

// An address is answered at once. A name is asked for on a thread of its own; one that outlives the deadline is left
// running (nothing can stop it inside the C library) and touches nothing but itself. At most 16 do so at a time.
// Errors: unavailable (why, without the name), timed_out, cancelled.
[[nodiscard]] Result<Addresses> resolve(const OpContext& op, MonoTime limit, const Clock& clock,
                                        const std::string& host, std::uint16_t port);

}  // namespace homeport::drivers::http
