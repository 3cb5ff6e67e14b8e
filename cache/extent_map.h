// ExtentMap: bytes of a file waiting to be written, as non-overlapping extents in file order.
//
// Each extent carries the credentials its bytes are to be written with. Neighbouring bytes of equal credentials grow
// one extent up to `extent_bytes_max`, so that small sequential writes become large WRITEs. Offsets and lengths are
// bytes; ranges are [offset, offset+length).
//
// Thread-safety: none; the owner locks.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <vector>

#include "nfsbackend/types.h"

namespace cache {

struct Extent {
  std::uint64_t offset = 0;
  nfs::Credentials credentials;
  nfs::Bytes data;

  std::uint64_t end() const { return offset + data.size(); }
};

class ExtentMap {
 public:
  explicit ExtentMap(std::size_t extent_bytes_max) : extent_bytes_max_(extent_bytes_max) {}

  // Adds newer bytes: they replace what is here.
  void put_above(const nfs::Credentials& credentials, std::uint64_t offset, std::span<const std::byte> data);
  // Adds older bytes: they fill only the ranges that nothing here covers.
  void put_below(const Extent& older);
  // Drops the bytes of a range.
  void erase(std::uint64_t offset, std::uint64_t length);

  // Removes and returns the first extent that overlaps nothing in `avoid`; with `full_only`, one that appending cannot
  // grow any more.
  std::optional<Extent> take_first(const ExtentMap& avoid, bool full_only);
  // Adds an extent that overlaps nothing here, unmerged.
  void insert(Extent extent);
  // Removes and returns the extent that starts at `offset`.
  // REQUIRES: there is one.
  Extent take_at(std::uint64_t offset);
  // Appends copies of what is here of a range to `pieces`.
  void copy_range(std::uint64_t offset, std::uint64_t length, std::vector<Extent>& pieces) const;

  bool overlaps(std::uint64_t offset, std::uint64_t length) const;
  bool empty() const { return extents_.empty(); }
  std::size_t count() const { return extents_.size(); }
  std::uint64_t bytes() const { return bytes_; }
  // Where the last extent ends; 0 when empty.
  std::uint64_t end() const { return extents_.empty() ? 0 : extents_.rbegin()->second.end(); }
  const std::map<std::uint64_t, Extent>& extents() const { return extents_; }
  void clear();

 private:
  using Map = std::map<std::uint64_t, Extent>;
  // The first extent that ends behind `offset`.
  Map::const_iterator first_behind(std::uint64_t offset) const;
  Extent take(Map::iterator position);
  bool append(const nfs::Credentials& credentials, std::uint64_t offset, std::span<const std::byte> data);

  std::size_t extent_bytes_max_;
  Map extents_;
  std::uint64_t bytes_ = 0;
};

}  // namespace cache
