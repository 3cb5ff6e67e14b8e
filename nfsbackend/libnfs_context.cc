#include "nfsbackend/libnfs_context.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <mutex>

#include "nfsbackend/libnfs_headers.h"

namespace nfs {

rpc_context* new_libnfs_context(const std::string& address, std::uint16_t port, ReplyCallback on_connected,
                                void* argument) {
  // As wide as what it protects: the statics are the whole process's.
  static std::mutex libnfs_statics;
  std::lock_guard lock(libnfs_statics);
  rpc_context* context = rpc_init_context();
  if (context == nullptr) {
    return nullptr;
  }
  // Not rpc_connect_port_async(): it sends a NULL call by itself and keeps memory of its own for it.
  if (rpc_connect_async(context, address.c_str(), port, on_connected, argument) != 0) {
    rpc_destroy_context(context);
    return nullptr;
  }
  return context;
}

void set_socket_options(int fd) {
  constexpr int kYes = 1;
  constexpr int kIdleSeconds = 10;
  constexpr int kIntervalSeconds = 5;
  constexpr int kProbes = 2;
  constexpr int kUnacknowledgedMilliseconds = 20'000;
  // Each only improves matters; a kernel that refuses one leaves the connection as good as before.
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &kYes, sizeof(kYes));
  setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &kYes, sizeof(kYes));
  setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &kIdleSeconds, sizeof(kIdleSeconds));
  setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &kIntervalSeconds, sizeof(kIntervalSeconds));
  setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &kProbes, sizeof(kProbes));
  setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &kUnacknowledgedMilliseconds, sizeof(kUnacknowledgedMilliseconds));
}

}  // namespace nfs
