#include "cache/extent_map.h"

#include <algorithm>
#include <utility>

namespace cache {

ExtentMap::Map::const_iterator ExtentMap::first_behind(std::uint64_t offset) const {
  auto position = extents_.upper_bound(offset);
  if (position != extents_.begin() && std::prev(position)->second.end() > offset) {
    return std::prev(position);
  }
  return position;
}

bool ExtentMap::overlaps(std::uint64_t offset, std::uint64_t length) const {
  const auto position = first_behind(offset);
  return length > 0 && position != extents_.end() && position->first < offset + length;
}

Extent ExtentMap::take(Map::iterator position) {
  Extent taken = std::move(position->second);
  bytes_ -= taken.data.size();
  extents_.erase(position);
  return taken;
}

Extent ExtentMap::take_at(std::uint64_t offset) {
  return take(extents_.find(offset));
}

void ExtentMap::copy_range(std::uint64_t offset, std::uint64_t length, std::vector<Extent>& pieces) const {
  for (auto position = first_behind(offset); position != extents_.end() && position->first < offset + length;
       ++position) {
    const Extent& extent = position->second;
    const std::uint64_t first = std::max(offset, extent.offset);
    const std::uint64_t last = std::min(offset + length, extent.end());
    pieces.push_back(Extent{first, extent.credentials,
                            nfs::Bytes(extent.data.begin() + static_cast<std::ptrdiff_t>(first - extent.offset),
                                       extent.data.begin() + static_cast<std::ptrdiff_t>(last - extent.offset))});
  }
}

void ExtentMap::insert(Extent extent) {
  bytes_ += extent.data.size();
  const std::uint64_t offset = extent.offset;
  extents_.emplace(offset, std::move(extent));
}

void ExtentMap::clear() {
  extents_.clear();
  bytes_ = 0;
}

void ExtentMap::erase(std::uint64_t offset, std::uint64_t length) {
  const std::uint64_t end = offset + length;
  while (overlaps(offset, length)) {
    Extent whole = take_at(first_behind(offset)->first);
    if (whole.end() > end) {
      Extent tail{end, whole.credentials, {}};
      tail.data.assign(whole.data.begin() + static_cast<std::ptrdiff_t>(end - whole.offset), whole.data.end());
      insert(std::move(tail));
    }
    if (whole.offset < offset) {
      whole.data.resize(offset - whole.offset);
      insert(std::move(whole));
    }
  }
}

// Sequential writing is the common case; growing the extent before the new bytes keeps it one WRITE.
bool ExtentMap::append(const nfs::Credentials& credentials, std::uint64_t offset, std::span<const std::byte> data) {
  const auto next = extents_.lower_bound(offset);
  if (next == extents_.begin()) {
    return false;
  }
  Extent& before = std::prev(next)->second;
  if (before.end() != offset || before.credentials != credentials ||
      before.data.size() + data.size() > extent_bytes_max_) {
    return false;
  }
  before.data.insert(before.data.end(), data.begin(), data.end());
  bytes_ += data.size();
  return true;
}

void ExtentMap::put_above(const nfs::Credentials& credentials, std::uint64_t offset, std::span<const std::byte> data) {
  erase(offset, data.size());
  while (!data.empty()) {
    const std::span<const std::byte> piece = data.first(std::min(data.size(), extent_bytes_max_));
    if (!append(credentials, offset, piece)) {
      insert(Extent{offset, credentials, nfs::Bytes(piece.begin(), piece.end())});
    }
    offset += piece.size();
    data = data.subspan(piece.size());
  }
}

void ExtentMap::put_below(const Extent& older) {
  std::uint64_t offset = older.offset;
  while (offset < older.end()) {
    const auto above = first_behind(offset);
    const bool none = above == extents_.end() || above->first >= older.end();
    if (!none && above->first <= offset) {
      offset = above->second.end();
      continue;
    }
    const std::uint64_t end = none ? older.end() : above->first;
    const auto first = older.data.begin() + static_cast<std::ptrdiff_t>(offset - older.offset);
    const auto last = older.data.begin() + static_cast<std::ptrdiff_t>(end - older.offset);
    insert(Extent{offset, older.credentials, nfs::Bytes(first, last)});
    offset = end;
  }
}

std::optional<Extent> ExtentMap::take_first(const ExtentMap& avoid, bool full_only) {
  for (auto position = extents_.begin(); position != extents_.end(); ++position) {
    const Extent& extent = position->second;
    // The last extent stays though it is as long as it gets: it may be all there is, and then goes out stable.
    const auto next = std::next(position);
    const bool full =
        next != extents_.end() && (extent.data.size() >= extent_bytes_max_ || next->first == extent.end());
    if ((full_only && !full) || avoid.overlaps(extent.offset, extent.data.size())) {
      continue;
    }
    return take(position);
  }
  return std::nullopt;
}

}  // namespace cache
