// What one HTTP server puts up with. All times are absolute from the start of the thing they limit, not per byte, so
// that a peer who sends one byte a second gains nothing.
#pragma once

#include <chrono>
#include <cstddef>

namespace homeport {

struct HttpLimits {
  std::size_t max_connections = 1024;           // further ones are told 503 and closed
  std::size_t max_header_bytes = 16U << 10U;    // request line and fields: 431
  std::size_t max_headers = 100;                // fields: 431
  std::size_t max_body_bytes = 1U << 20U;       // 413; a route may say another number
  std::size_t max_requests_in_flight = 256;     // waiting for an asynchronous handler: 503 with Retry-After
  std::size_t max_stream_buffer = 256U << 10U;  // events not yet taken by the peer: more cuts the stream

  std::chrono::milliseconds header_time{10'000};  // from the connection or the first byte: 408. Also the TLS handshake
  std::chrono::milliseconds body_time{30'000};    // from the end of the header: 408
  std::chrono::milliseconds idle_time{75'000};    // between two requests of a connection: closed
  // For an answer of up to 1 MiB; a larger one gets a second more for each further 32 KiB. Then the connection is cut.
  std::chrono::milliseconds write_time{30'000};
  std::chrono::milliseconds request_time{60'000};  // Request::deadline of a handler that names none of its own
  std::chrono::milliseconds heartbeat{15'000};     // a comment line on an event stream that was silent so long
  std::chrono::milliseconds linger_time{2'000};    // for a refused peer to read why, while it still sends
  std::chrono::milliseconds tick{100};             // how often times are looked at
};

}  // namespace homeport
