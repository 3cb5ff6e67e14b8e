#include "nfsbackend/mount_protocol.h"

#include <netinet/in.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <optional>
#include <string_view>
#include <utility>

#include "nfsbackend/blocking_session.h"
#include "nfsbackend/encode.h"
#include "nfsbackend/libnfs_headers.h"
#include "nfsbackend/procedures.h"

namespace nfs {

namespace {

constexpr std::uint16_t kPortmapperPort = 111;

std::string endpoint(const MountTarget& target, std::uint16_t port, std::string_view role) {
  return target.host + ":" + std::to_string(port) + " (" + std::string(role) + ")";
}

ConnectError from_session(const MountTarget& target, std::uint16_t port, std::string_view role,
                          const SessionError& error) {
  return {endpoint(target, port, role) + ": " + error.cause, error.transient};
}

std::expected<BlockingSession, ConnectError> open_session(const MountTarget& target, std::uint16_t port,
                                                          std::string_view role) {
  auto session = BlockingSession::open(target.address, port, target.who, target.deadline, *target.clock);
  if (!session) {
    return std::unexpected(from_session(target, port, role, session.error()));
  }
  return std::move(*session);
}

// The port in a universal address, "h.h.h.h.p.p" (RFC 5665): the last two numbers.
std::uint32_t port_of_universal_address(std::string_view address) {
  std::uint32_t port = 0;
  std::uint32_t unit = 1;
  for (int part = 0; part < 2; ++part) {
    std::size_t dot = address.rfind('.');
    if (dot == std::string_view::npos) {
      return 0;
    }
    std::string_view digits = address.substr(dot + 1);
    std::uint32_t value = 0;
    auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (parsed.ec != std::errc() || value > 255) {
      return 0;
    }
    port += value * unit;
    unit *= 256;
    address = address.substr(0, dot);
  }
  return port;
}

std::expected<std::uint32_t, SessionError> ask_portmapper(BlockingSession& session, bool ipv6, int program) {
  std::uint32_t port = 0;
  std::expected<void, SessionError> asked;
  if (ipv6) {
    // Version 2 knows only IPv4.
    char netid[] = "tcp6";
    char nothing[] = "";
    asked = session.call(
        [&](rpc_context* context, ReplyCallback callback, void* argument) {
          pmap3_mapping mapping{};
          mapping.prog = static_cast<u_int>(program);
          mapping.vers = 3;
          mapping.netid = netid;
          mapping.addr = nothing;
          mapping.owner = nothing;
          return rpc_pmap3_getaddr_async(context, &mapping, callback, argument);
        },
        [&](const void* result) {
          const char* address = static_cast<const pmap3_string_result*>(result)->addr;
          port = address == nullptr ? 0 : port_of_universal_address(address);
        });
  } else {
    asked = session.call(
        [&](rpc_context* context, ReplyCallback callback, void* argument) {
          return rpc_pmap2_getport_async(context, program, 3, IPPROTO_TCP, callback, argument);
        },
        [&](const void* result) { port = *static_cast<const std::uint32_t*>(result); });
  }
  if (!asked) {
    return std::unexpected(asked.error());
  }
  return port;
}

ConnectError mount_error(const MountTarget& target, const std::string& path, mountstat3 status) {
  std::string what = "export " + path + " on host " + target.host;
  switch (status) {
    case MNT3ERR_NOENT:
      return {"export " + path + " not found on host " + target.host, false};
    case MNT3ERR_PERM:
    case MNT3ERR_ACCES:
      return {"access to " + what + " denied by the server", false};
    case MNT3ERR_NOTDIR:
      return {what + " is not a directory", false};
    case MNT3ERR_NAMETOOLONG:
      return {"the name of " + what + " is too long", false};
    case MNT3ERR_NOTSUPP:
      return {what + ": the server does not support mounting it", false};
    default:
      return {what + ": the server failed to mount it (error " + std::to_string(static_cast<int>(status)) + ")", true};
  }
}

struct MountAnswer {
  mountstat3 status = MNT3ERR_SERVERFAULT;
  std::optional<FileHandle> root;
  bool auth_sys = false;
};

MountAnswer decode_mount(const mountres3& wire) {
  MountAnswer answer;
  answer.status = wire.fhs_status;
  if (answer.status != MNT3_OK) {
    return answer;
  }
  const mountres3_ok& ok = wire.mountres3_u.mountinfo;
  if (ok.fhandle.fhandle3_len >= 1 && ok.fhandle.fhandle3_len <= FileHandle::kBytesMax) {
    answer.root = FileHandle(std::as_bytes(std::span(ok.fhandle.fhandle3_val, ok.fhandle.fhandle3_len)));
  }
  const int* flavors = ok.auth_flavors.auth_flavors_val;
  // An empty list comes from servers that know of no other flavor.
  answer.auth_sys = ok.auth_flavors.auth_flavors_len == 0 ||
                    std::find(flavors, flavors + ok.auth_flavors.auth_flavors_len, AUTH_UNIX) !=
                        flavors + ok.auth_flavors.auth_flavors_len;
  return answer;
}

// Does the server list an export at or above this path? True when it does not tell.
bool is_listed(BlockingSession& session, const std::string& path) {
  bool listed = false;
  auto called =
      session.call([](rpc_context* context, ReplyCallback callback,
                      void* argument) { return rpc_mount3_export_async(context, callback, argument); },
                   [&](const void* result) {
                     exportnode node{};
                     for (exports next = *static_cast<const exports*>(result); next != nullptr; next = node.ex_next) {
                       // A copy, because libnfs allocates the nodes four bytes off their alignment.
                       std::memcpy(&node, static_cast<const void*>(next), sizeof(node));
                       std::string directory = node.ex_dir == nullptr ? "" : node.ex_dir;
                       if (!directory.ends_with('/')) {
                         directory += '/';
                       }
                       listed = listed || (path + "/").starts_with(directory);
                     }
                   });
  return listed || !called;
}

}  // namespace

std::expected<std::uint16_t, ConnectError> query_port(const MountTarget& target, Service service) {
  auto session = open_session(target, kPortmapperPort, "portmapper");
  if (!session) {
    return std::unexpected(session.error());
  }
  bool ipv6 = target.address.find(':') != std::string::npos;
  auto port = ask_portmapper(*session, ipv6, service == Service::kNfs ? NFS_PROGRAM : MOUNT_PROGRAM);
  if (!port) {
    return std::unexpected(from_session(target, kPortmapperPort, "portmapper", port.error()));
  }
  if (*port == 0 || *port > 65'535) {
    std::string name = service == Service::kNfs ? "NFS version 3" : "the mount service";
    return std::unexpected(ConnectError{"host " + target.host + " does not offer " + name + " over TCP", true});
  }
  return static_cast<std::uint16_t>(*port);
}

std::expected<FileHandle, ConnectError> mount_export(const MountTarget& target, std::uint16_t port,
                                                     const std::string& export_path) {
  auto session = open_session(target, port, "mountd");
  if (!session) {
    return std::unexpected(session.error());
  }
  MountAnswer answer;
  std::string path = export_path;
  auto called =
      session->call([&](rpc_context* context, ReplyCallback callback,
                        void* argument) { return rpc_mount3_mnt_async(context, callback, path.data(), argument); },
                    [&](const void* result) { answer = decode_mount(*static_cast<const mountres3*>(result)); });
  if (!called) {
    return std::unexpected(from_session(target, port, "mountd", called.error()));
  }
  if (answer.status == MNT3ERR_ACCES && !is_listed(*session, export_path)) {
    answer.status = MNT3ERR_NOENT;  // nfs-ganesha says "access denied" of exports that it does not have
  }
  if (answer.status != MNT3_OK) {
    return std::unexpected(mount_error(target, export_path, answer.status));
  }
  if (!answer.auth_sys) {
    return std::unexpected(
        ConnectError{"export " + export_path + " on host " + target.host + " does not accept sec=sys", false});
  }
  if (!answer.root) {
    return std::unexpected(ConnectError{endpoint(target, port, "mountd") + ": malformed reply", false});
  }
  return *answer.root;
}

std::expected<FsinfoReply, ConnectError> query_limits(const MountTarget& target, std::uint16_t port,
                                                      const FileHandle& root) {
  auto session = open_session(target, port, "nfs");
  if (!session) {
    return std::unexpected(session.error());
  }
  FsinfoCall fsinfo;
  FsinfoReply limits;
  ReplyLog log(target.host, *target.clock);
  auto called = session->call(
      [&](rpc_context* context, ReplyCallback callback, void* argument) {
        FSINFO3args args{};
        args.fsroot = encode_handle(root);
        return rpc_nfs3_fsinfo_async(context, callback, &args, argument);
      },
      [&](const void* result) { limits = fsinfo.decode(result, log); });
  if (!called) {
    return std::unexpected(from_session(target, port, "nfs", called.error()));
  }
  if (limits.status != Status::kOk) {
    return std::unexpected(ConnectError{
        endpoint(target, port, "nfs") + ": the server refused FSINFO: " + std::string(status_name(limits.status)),
        limits.status == Status::kJukebox});
  }
  return limits;
}

}  // namespace nfs
