// RpcRecords: finds the messages in one direction of an ONC RPC stream over TCP (RFC 5531: record marking, call and
// reply headers) as its bytes pass by in pieces. Keeps no payload. Not thread-safe.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace support {

// The first words of a message. For replies only xid and is_call mean anything.
struct RpcMessage {
  std::uint32_t xid = 0;
  bool is_call = false;
  std::uint32_t program = 0;
  std::uint32_t procedure = 0;
  std::size_t begin = 0;  // where in the piece the record began; 0 also when it began in an earlier piece
};

class RpcRecords {
 public:
  // The messages whose headers become complete within this piece.
  std::vector<RpcMessage> feed(std::span<const std::byte> piece);

 private:
  static constexpr std::size_t kMarkBytes = 4;
  static constexpr std::size_t kHeadBytes = 24;  // xid, type, RPC version, program, version, procedure

  RpcMessage parsed() const;

  std::array<std::byte, kHeadBytes> buffer_{};
  std::size_t buffered_ = 0;
  std::uint64_t fragment_left_ = 0;  // bytes of the present fragment still to come
  bool in_fragment_ = false;
  bool last_fragment_ = false;
  bool head_done_ = false;  // this record's header has been seen
  std::size_t begin_ = 0;
};

}  // namespace support
