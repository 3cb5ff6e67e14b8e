// Content: the bytes of one file in memory, sparse, so that offsets beyond 4 GiB cost nothing.
//
// Blocks are shared between copies until one of them writes, so a copy is cheap. Not thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>

#include "nfsbackend/types.h"

namespace support {

class Content {
 public:
  std::uint64_t size() const { return size_; }
  // Bytes that blocks are held for; holes cost nothing.
  std::uint64_t used() const { return blocks_.size() * kBlockBytes; }

  // Ends early at the end of the file.
  nfs::Bytes read(std::uint64_t offset, std::uint64_t count) const;
  void write(std::uint64_t offset, std::span<const std::byte> data);
  void resize(std::uint64_t size);
  // Takes the bytes [offset, end) of `other`, growing to what they reach.
  void copy_range(const Content& other, std::uint64_t offset, std::uint64_t end);

 private:
  static constexpr std::uint64_t kBlockBytes = 16 << 10;
  using Block = nfs::Bytes;

  Block& block_to_write(std::uint64_t index);

  std::map<std::uint64_t, std::shared_ptr<Block>> blocks_;
  std::uint64_t size_ = 0;
};

}  // namespace support
