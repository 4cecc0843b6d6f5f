// Sessions on sockets: plain and TLS. Internal to the server.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <memory>

#include "api/http_session.h"

namespace homeport {

// Without type erasure of the executor, which would cost on every operation.
using HttpSocket = boost::asio::basic_stream_socket<boost::asio::ip::tcp, boost::asio::io_context::executor_type>;

[[nodiscard]] std::shared_ptr<HttpSession> make_plain_session(IoLoop& loop, HttpSocket socket, HttpPeer peer,
                                                              CountGuard slot);
// Keeps the context alive: a reload changes it for new connections only.
[[nodiscard]] std::shared_ptr<HttpSession> make_tls_session(IoLoop& loop, HttpSocket socket, HttpPeer peer,
                                                            CountGuard slot,
                                                            std::shared_ptr<boost::asio::ssl::context> context);

}  // namespace homeport
