#include "tests/support/fake_content.h"

#include <algorithm>

namespace support {

nfs::Bytes Content::read(std::uint64_t offset, std::uint64_t count) const {
  if (offset >= size_) {
    return {};
  }
  std::uint64_t end = offset + std::min(count, size_ - offset);
  nfs::Bytes bytes(end - offset);
  for (auto place = blocks_.lower_bound(offset / kBlockBytes); place != blocks_.end(); ++place) {
    std::uint64_t block_start = place->first * kBlockBytes;
    if (block_start >= end) {
      break;
    }
    std::uint64_t from = std::max(offset, block_start);
    std::uint64_t to = std::min(end, block_start + kBlockBytes);
    std::copy_n(place->second->begin() + static_cast<std::ptrdiff_t>(from - block_start), to - from,
                bytes.begin() + static_cast<std::ptrdiff_t>(from - offset));
  }
  return bytes;
}

void Content::write(std::uint64_t offset, std::span<const std::byte> data) {
  std::uint64_t end = offset + data.size();
  for (std::uint64_t at = offset; at < end;) {
    std::uint64_t within = at % kBlockBytes;
    std::uint64_t length = std::min(kBlockBytes - within, end - at);
    Block& block = block_to_write(at / kBlockBytes);
    std::copy_n(data.begin() + static_cast<std::ptrdiff_t>(at - offset), length,
                block.begin() + static_cast<std::ptrdiff_t>(within));
    at += length;
  }
  size_ = data.empty() ? size_ : std::max(size_, end);
}

void Content::resize(std::uint64_t size) {
  if (size < size_) {
    // What is cut off must read as zeros when the file grows again.
    std::uint64_t first_whole = (size + kBlockBytes - 1) / kBlockBytes;
    blocks_.erase(blocks_.lower_bound(first_whole), blocks_.end());
    if (size % kBlockBytes != 0 && blocks_.contains(size / kBlockBytes)) {
      Block& last = block_to_write(size / kBlockBytes);
      std::fill(last.begin() + static_cast<std::ptrdiff_t>(size % kBlockBytes), last.end(), std::byte{0});
    }
  }
  size_ = size;
}

void Content::copy_range(const Content& other, std::uint64_t offset, std::uint64_t end) {
  std::uint64_t reach = std::min(end, other.size_);
  for (auto place = other.blocks_.lower_bound(offset / kBlockBytes); place != other.blocks_.end(); ++place) {
    std::uint64_t block_start = place->first * kBlockBytes;
    if (block_start >= reach) {
      break;
    }
    std::uint64_t from = std::max(offset, block_start);
    std::uint64_t to = std::min(reach, block_start + kBlockBytes);
    write(from, std::span(*place->second).subspan(from - block_start, to - from));
  }
  size_ = std::max(size_, reach);
}

Content::Block& Content::block_to_write(std::uint64_t index) {
  std::shared_ptr<Block>& block = blocks_[index];
  if (!block) {
    block = std::make_shared<Block>(kBlockBytes);
  } else if (block.use_count() > 1) {
    block = std::make_shared<Block>(*block);
  }
  return *block;
}

}  // namespace support
