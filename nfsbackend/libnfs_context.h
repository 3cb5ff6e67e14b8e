// Making libnfs contexts, which has hazards of its own: their creation and the choice of a source port go through
// statics inside libnfs that nothing protects.
#pragma once

#include <cstdint>
#include <string>

#include "nfsbackend/request.h"

namespace nfs {

// A new context that has begun to connect to a numeric address; null when not even that was possible. `on_connected`
// runs inside a later rpc_service(). The caller destroys the context. Does not block. Thread-safe.
rpc_context* new_libnfs_context(const std::string& address, std::uint16_t port, ReplyCallback on_connected,
                                void* argument);

// TCP_NODELAY, because libnfs sends every request by itself, and signs of life, so that a peer which vanished without a
// word is noticed within about 20 seconds.
void set_socket_options(int fd);

}  // namespace nfs
