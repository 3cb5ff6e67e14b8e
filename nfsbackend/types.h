// The vocabulary of RFC 1813 that all rooms share: handles, attributes, credentials, times.
//
// Shapes only: values without behaviour beyond comparison and hashing. Sizes and offsets are bytes. Every type may be
// copied and used from any thread like an int.
#pragma once

#include <algorithm>
#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace nfs {

using Bytes = std::vector<std::byte>;
using Cookie = std::uint64_t;

inline constexpr std::size_t kNameBytesMax = 255;            // what a name may measure, as on Linux
inline constexpr std::uint32_t kTransferBytesMax = 1 << 20;  // the largest rsize, wsize: libnfs drops longer replies

// nfs_fh3: opaque, at most 64 bytes. An empty handle means "none".
class FileHandle {
 public:
  static constexpr std::size_t kBytesMax = 64;

  FileHandle() = default;
  // REQUIRES: bytes.size() <= kBytesMax (whoever decodes replies checks that first).
  explicit FileHandle(std::span<const std::byte> bytes) : length_(static_cast<std::uint8_t>(bytes.size())) {
    std::copy(bytes.begin(), bytes.end(), bytes_.begin());
  }

  std::span<const std::byte> bytes() const { return {bytes_.data(), length_}; }
  std::string_view view() const { return {reinterpret_cast<const char*>(bytes_.data()), length_}; }
  bool empty() const { return length_ == 0; }
  friend bool operator==(const FileHandle& a, const FileHandle& b) { return a.view() == b.view(); }

 private:
  std::array<std::byte, kBytesMax> bytes_{};
  std::uint8_t length_ = 0;
};

enum class FileType : std::uint32_t {
  kRegular = 1,
  kDirectory = 2,
  kBlock = 3,
  kCharacter = 4,
  kSymlink = 5,
  kSocket = 6,
  kFifo = 7,
};

// nfstime3: seconds and nanoseconds since 1970.
struct Time {
  std::uint32_t seconds = 0;
  std::uint32_t nanoseconds = 0;
  auto operator<=>(const Time&) const = default;
};

struct DeviceNumber {
  std::uint32_t major = 0;
  std::uint32_t minor = 0;
  bool operator==(const DeviceNumber&) const = default;
};

// fattr3 (section 2.6).
struct Attributes {
  FileType type = FileType::kRegular;
  std::uint32_t mode = 0;  // the twelve permission bits, without the type
  std::uint32_t nlink = 0;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::uint64_t size = 0;
  std::uint64_t used = 0;
  DeviceNumber rdev;
  std::uint64_t fsid = 0;
  std::uint64_t fileid = 0;
  Time atime;
  Time mtime;
  Time ctime;
  bool operator==(const Attributes&) const = default;
};

// What must be equal for the bytes of a file, or the names of a directory, to be the same as before.
struct Version {
  std::uint64_t size = 0;
  Time mtime;
  Time ctime;
  bool operator==(const Version&) const = default;
};
inline Version version_of(const Attributes& attributes) {
  return {attributes.size, attributes.mtime, attributes.ctime};
}

// wcc_data: the version just before an operation and the attributes just after; the server may leave out either.
struct WccData {
  std::optional<Version> before;
  std::optional<Attributes> after;
};

// sattr3. For the times: unset leaves the time alone; kServerNow means the server's clock.
struct SetTime {
  bool server_now = false;
  Time time;  // used when server_now is false
};
struct SetAttributes {
  std::optional<std::uint32_t> mode;
  std::optional<std::uint32_t> uid;
  std::optional<std::uint32_t> gid;
  std::optional<std::uint64_t> size;
  std::optional<SetTime> atime;
  std::optional<SetTime> mtime;
};

// AUTH_SYS: who asks. The protocol carries sixteen supplementary groups at most.
struct Credentials {
  static constexpr std::size_t kGroupsMax = 16;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::uint32_t group_count = 0;
  std::array<std::uint32_t, kGroupsMax> groups{};
  bool operator==(const Credentials&) const = default;
};

// ACCESS bits (section 3.3.4).
inline constexpr std::uint32_t kAccessRead = 0x01;
inline constexpr std::uint32_t kAccessLookup = 0x02;
inline constexpr std::uint32_t kAccessModify = 0x04;
inline constexpr std::uint32_t kAccessExtend = 0x08;
inline constexpr std::uint32_t kAccessDelete = 0x10;
inline constexpr std::uint32_t kAccessExecute = 0x20;
inline constexpr std::uint32_t kAccessAll = 0x3f;

// writeverf3, createverf3, cookieverf3: eight opaque bytes.
using Verifier = std::array<std::byte, 8>;

enum class StableHow : std::uint32_t { kUnstable = 0, kDataSync = 1, kFileSync = 2 };

}  // namespace nfs

template <>
struct std::hash<nfs::FileHandle> {
  std::size_t operator()(const nfs::FileHandle& handle) const noexcept {
    return std::hash<std::string_view>{}(handle.view());
  }
};
