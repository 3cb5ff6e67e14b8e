// ExtentMap against a plain array of bytes.
#include "cache/extent_map.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <random>

namespace cache {
namespace {

constexpr std::size_t kExtentBytesMax = 64;

nfs::Credentials user(std::uint32_t uid) {
  nfs::Credentials credentials;
  credentials.uid = uid;
  return credentials;
}

nfs::Bytes bytes(std::size_t count, int value) {
  return nfs::Bytes(count, static_cast<std::byte>(value));
}

TEST(ExtentMap, sequential_writes_grow_one_extent_up_to_its_bound) {
  ExtentMap map(kExtentBytesMax);
  for (std::uint64_t offset = 0; offset < 80; offset += 8) {
    map.put_above(user(1), offset, bytes(8, 1));
  }
  ASSERT_EQ(map.count(), 2u);
  EXPECT_EQ(map.extents().at(0).data.size(), kExtentBytesMax);
  EXPECT_EQ(map.end(), 80u);
}

TEST(ExtentMap, bytes_of_different_writers_stay_apart) {
  ExtentMap map(kExtentBytesMax);
  map.put_above(user(1), 0, bytes(8, 1));
  map.put_above(user(2), 8, bytes(8, 2));
  EXPECT_EQ(map.count(), 2u);
}

TEST(ExtentMap, only_extents_that_appending_cannot_grow_count_as_full) {
  ExtentMap map(kExtentBytesMax);
  const ExtentMap nothing(kExtentBytesMax);
  map.put_above(user(1), 0, bytes(10, 1));
  EXPECT_FALSE(map.take_first(nothing, true).has_value());
  map.put_above(user(1), 10, bytes(kExtentBytesMax, 1));
  const auto full = map.take_first(nothing, true);
  ASSERT_TRUE(full.has_value());
  EXPECT_EQ(full->offset, 0u);
}

TEST(ExtentMap, what_overlaps_bytes_in_flight_waits) {
  ExtentMap map(kExtentBytesMax);
  ExtentMap in_flight(kExtentBytesMax);
  in_flight.put_above(user(1), 4, bytes(4, 1));
  map.put_above(user(1), 0, bytes(5, 2));
  map.put_above(user(1), 20, bytes(5, 3));
  EXPECT_EQ(map.take_first(in_flight, false)->offset, 20u);
  EXPECT_FALSE(map.take_first(in_flight, false).has_value());
}

// The model: which value each byte has, 0 for none.
class Model {
 public:
  static constexpr std::size_t kBytes = 512;

  void put(std::uint64_t offset, std::size_t count, int value, bool below) {
    for (std::size_t index = offset; index < offset + count; ++index) {
      if (!below || values_[index] == 0) {
        values_[index] = value;
      }
    }
  }
  void erase(std::uint64_t offset, std::size_t count) {
    std::fill_n(values_.begin() + static_cast<std::ptrdiff_t>(offset), count, 0);
  }

  void expect_same(const ExtentMap& map) const {
    std::array<int, kBytes> seen{};
    std::uint64_t total = 0;
    std::uint64_t last_end = 0;
    for (const auto& [offset, extent] : map.extents()) {
      ASSERT_EQ(offset, extent.offset);
      ASSERT_GE(offset, last_end) << "extents overlap";
      ASSERT_FALSE(extent.data.empty());
      last_end = extent.end();
      total += extent.data.size();
      for (std::size_t index = 0; index < extent.data.size(); ++index) {
        seen[offset + index] = static_cast<int>(extent.data[index]);
      }
    }
    ASSERT_EQ(seen, values_);
    ASSERT_EQ(total, map.bytes());
  }

  const std::array<int, kBytes>& values() const { return values_; }

 private:
  std::array<int, kBytes> values_{};
};

TEST(ExtentMap, agrees_with_an_array_over_random_operations) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  ExtentMap map(kExtentBytesMax);
  Model model;
  for (int step = 0; step < 20'000; ++step) {
    const std::uint64_t offset = random() % (Model::kBytes - 1);
    const std::size_t count = 1 + random() % std::min<std::size_t>(100, Model::kBytes - offset);
    const int value = 1 + static_cast<int>(random() % 255);
    switch (random() % 4) {
      case 0:
        map.erase(offset, count);
        model.erase(offset, count);
        break;
      case 1:
        map.put_below(Extent{offset, user(1), bytes(count, value)});
        model.put(offset, count, value, true);
        break;
      default:
        map.put_above(user(value % 3 == 0 ? 1 : 2), offset, bytes(count, value));
        model.put(offset, count, value, false);
    }
    ASSERT_NO_FATAL_FAILURE(model.expect_same(map)) << "step " << step;
  }
  std::vector<Extent> pieces;
  map.copy_range(100, 200, pieces);
  std::array<int, Model::kBytes> copied{};
  for (const Extent& piece : pieces) {
    ASSERT_GE(piece.offset, 100u);
    ASSERT_LE(piece.end(), 300u);
    for (std::size_t index = 0; index < piece.data.size(); ++index) {
      copied[piece.offset + index] = static_cast<int>(piece.data[index]);
    }
  }
  EXPECT_TRUE(std::equal(copied.begin() + 100, copied.begin() + 300, model.values().begin() + 100));
}

}  // namespace
}  // namespace cache
