#include "tests/support/rpc_records.h"

#include <algorithm>

namespace support {

namespace {

std::uint32_t word(std::span<const std::byte> bytes, std::size_t index) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    value = value << 8 | std::to_integer<std::uint32_t>(bytes[index * 4 + i]);
  }
  return value;
}

}  // namespace

RpcMessage RpcRecords::parsed() const {
  RpcMessage message;
  message.xid = word(buffer_, 0);
  message.is_call = word(buffer_, 1) == 0;
  message.begin = begin_;
  if (message.is_call) {
    message.program = word(buffer_, 3);
    message.procedure = word(buffer_, 5);
  }
  return message;
}

std::vector<RpcMessage> RpcRecords::feed(std::span<const std::byte> piece) {
  std::vector<RpcMessage> messages;
  begin_ = 0;
  for (std::size_t at = 0; at < piece.size();) {
    std::size_t here = piece.size() - at;
    if (!in_fragment_) {
      if (buffered_ == 0 && !head_done_) {
        begin_ = at;
      }
      std::size_t taken = std::min(here, kMarkBytes - buffered_);
      std::copy_n(piece.begin() + static_cast<std::ptrdiff_t>(at), taken,
                  buffer_.begin() + static_cast<std::ptrdiff_t>(buffered_));
      buffered_ += taken;
      at += taken;
      if (buffered_ == kMarkBytes) {
        std::uint32_t mark = word(buffer_, 0);
        last_fragment_ = (mark >> 31) != 0;
        fragment_left_ = mark & 0x7fffffff;
        in_fragment_ = true;
        buffered_ = 0;
      }
    } else {
      std::size_t taken = static_cast<std::size_t>(std::min<std::uint64_t>(here, fragment_left_));
      if (!head_done_) {
        taken = std::min(taken, kHeadBytes - buffered_);
        std::copy_n(piece.begin() + static_cast<std::ptrdiff_t>(at), taken,
                    buffer_.begin() + static_cast<std::ptrdiff_t>(buffered_));
        buffered_ += taken;
      }
      at += taken;
      fragment_left_ -= taken;
      // A header longer than its first fragment would be legal; no implementation sends one.
      if (!head_done_ && (buffered_ == kHeadBytes || fragment_left_ == 0)) {
        head_done_ = true;
        buffered_ = 0;
        messages.push_back(parsed());
      }
    }
    if (in_fragment_ && fragment_left_ == 0) {
      in_fragment_ = false;
      buffered_ = 0;
      head_done_ = head_done_ && !last_fragment_;
    }
  }
  return messages;
}

}  // namespace support
