// Reaching an export: from a source and options to a Client and the export's root handle.
//
// connect() blocks (it is used before the mount exists): host name, portmapper, MOUNT, FSINFO. It fails with one line
// for the user. The Client it returns goes on by itself: connections, deadlines, retransmissions, reconnections.
#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <memory>
#include <string>

#include "nfsbackend/client.h"
#include "nfsbackend/clock.h"

namespace nfs {

// What happens when the server does not answer (nfs(5)): hard waits for ever, soft ends calls with kSoftIo, softerr
// with kTimedOut, after `retrans` retransmissions.
enum class Persistence { kHard, kSoft, kSofterr };

struct ConnectOptions {
  std::string host;
  std::string export_path;
  std::uint16_t nfs_port = 0;    // 0: ask the portmapper
  std::uint16_t mount_port = 0;  // 0: ask the portmapper
  int connections = 1;           // nconnect
  std::uint32_t read_bytes_max = kTransferBytesMax;
  std::uint32_t write_bytes_max = kTransferBytesMax;
  Persistence persistence = Persistence::kHard;
  std::chrono::milliseconds timeout{60'000};  // timeo: before the first retransmission
  int retransmissions = 2;                    // retrans
  Credentials mount_credentials;              // who mounts
};

// Why a mount failed, as one line ("export /x not found on host y").
struct ConnectError {
  std::string message;
  bool transient = false;  // trying again later may help (host down, connection refused)
};

struct Connected {
  std::unique_ptr<Client> client;
  FileHandle root;
  FsinfoReply limits;  // read_bytes_max and write_bytes_max are already clamped to options and kTransferBytesMax
};

// `clock` outlives the client. Gives up after `give_up` at the latest (a dead host); each address is tried once.
std::expected<Connected, ConnectError> connect(const ConnectOptions& options, Clock& clock,
                                               std::chrono::milliseconds give_up);

}  // namespace nfs
