// What precedes the first NFS call to one address of a server: the portmapper (RFC 1833), the MOUNT protocol (RFC 1813
// appendix I) and FSINFO.
//
// Every function blocks until its deadline at the latest. Errors are one line for the user, with host and port.
// Thread-safety: functions over their arguments only.
#pragma once

#include <cstdint>
#include <expected>
#include <string>

#include "nfsbackend/client.h"
#include "nfsbackend/clock.h"
#include "nfsbackend/connect.h"
#include "nfsbackend/types.h"

namespace nfs {

// Where and as whom the protocols of this file talk.
struct MountTarget {
  std::string host;     // as the user named it, for messages
  std::string address;  // numeric
  Credentials who;
  MonotonicTime deadline;
  const Clock* clock = nullptr;
};

enum class Service { kNfs, kMount };

// The TCP port where the portmapper says that the service's version 3 listens.
std::expected<std::uint16_t, ConnectError> query_port(const MountTarget& target, Service service);

// MNT: the root handle of an export that takes AUTH_SYS.
std::expected<FileHandle, ConnectError> mount_export(const MountTarget& target, std::uint16_t port,
                                                     const std::string& export_path);

// FSINFO as the server says it.
std::expected<FsinfoReply, ConnectError> query_limits(const MountTarget& target, std::uint16_t port,
                                                      const FileHandle& root);

}  // namespace nfs
