#include "nfsbackend/connect.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "nfsbackend/libnfs_client.h"
#include "nfsbackend/mount_protocol.h"
#include "nfsbackend/server_address.h"

namespace nfs {

namespace {

struct Found {
  std::uint16_t nfs_port = 0;
  FileHandle root;
  FsinfoReply limits;
};

std::expected<Found, ConnectError> try_address(const ConnectOptions& options, const MountTarget& target) {
  Found found;
  found.nfs_port = options.nfs_port;
  std::uint16_t mount_port = options.mount_port;
  if (mount_port == 0) {
    auto port = query_port(target, Service::kMount);
    if (!port) {
      return std::unexpected(port.error());
    }
    mount_port = *port;
  }
  auto root = mount_export(target, mount_port, options.export_path);
  if (!root) {
    return std::unexpected(root.error());
  }
  found.root = *root;
  if (found.nfs_port == 0) {
    auto port = query_port(target, Service::kNfs);
    if (!port) {
      return std::unexpected(port.error());
    }
    found.nfs_port = *port;
  }
  auto limits = query_limits(target, found.nfs_port, found.root);
  if (!limits) {
    return std::unexpected(limits.error());
  }
  found.limits = *limits;
  return found;
}

std::uint32_t clamp_transfer(std::uint32_t server, std::uint32_t wanted) {
  // A server that says 0 has not filled in its limits; every server takes 32 KiB.
  constexpr std::uint32_t kUnsaid = 32 << 10;
  constexpr std::uint32_t kMin = 1 << 10;
  std::uint32_t limit = server == 0 ? kUnsaid : server;
  return std::max(kMin, std::min({limit, wanted == 0 ? kTransferBytesMax : wanted, kTransferBytesMax}));
}

void make_limits_usable(const ConnectOptions& options, FsinfoReply& limits) {
  limits.read_bytes_max = clamp_transfer(limits.read_bytes_max, options.read_bytes_max);
  limits.write_bytes_max = clamp_transfer(limits.write_bytes_max, options.write_bytes_max);
  if (limits.readdir_bytes_preferred == 0) {
    limits.readdir_bytes_preferred = limits.read_bytes_max;
  }
  if (limits.file_bytes_max == 0) {
    limits.file_bytes_max = INT64_MAX;
  }
}

}  // namespace

std::expected<Connected, ConnectError> connect(const ConnectOptions& options, Clock& clock,
                                               std::chrono::milliseconds give_up) {
  MonotonicTime deadline = clock.now() + give_up;
  auto addresses = resolve(options.host);
  if (!addresses) {
    return std::unexpected(
        ConnectError{"host " + options.host + " not found: " + addresses.error().message, addresses.error().transient});
  }
  ConnectError error;
  for (std::size_t i = 0; i < addresses->size(); ++i) {
    // What time is left is shared evenly, so that one dead address does not use up all of it.
    MonotonicTime now = clock.now();
    auto share = std::max<MonotonicTime::duration>(deadline - now, {}) / static_cast<int>(addresses->size() - i);
    MountTarget target{options.host, (*addresses)[i], options.mount_credentials, now + share, &clock};
    auto found = try_address(options, target);
    if (!found) {
      error = found.error();
      continue;
    }
    make_limits_usable(options, found->limits);
    // The address that answered comes first.
    std::rotate(addresses->begin(), addresses->begin() + static_cast<std::ptrdiff_t>(i), addresses->end());
    auto address = std::make_unique<ServerAddress>(options.host, found->nfs_port, std::move(*addresses), clock);
    TransportOptions transport;
    transport.connections = options.connections;
    transport.persistence = options.persistence;
    transport.timeout = options.timeout;
    transport.retransmissions = options.retransmissions;
    return Connected{std::make_unique<LibnfsClient>(transport, std::move(address), clock), found->root, found->limits};
  }
  return std::unexpected(error);
}

}  // namespace nfs
