#include "fused/conversions.h"

#include <fcntl.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <limits>

namespace fused {

namespace {

// The kernel's FMODE_EXEC (include/linux/fs.h), which execve(2) adds to the flags of its open.
constexpr int kOpenedForExecution = 0x20;
constexpr std::uint64_t kStatBlockBytes = 512;

timespec to_timespec(const nfs::Time& time) {
  timespec converted{};
  converted.tv_sec = time.seconds;
  converted.tv_nsec = time.nanoseconds;
  return converted;
}

std::optional<nfs::SetTime> to_set_time(const timespec& time, bool is_set, bool is_now) {
  if (is_now) {
    return nfs::SetTime{true, {}};
  }
  if (is_set) {
    return nfs::SetTime{false, to_time(time)};
  }
  return std::nullopt;
}

}  // namespace

double to_seconds(std::chrono::nanoseconds duration) {
  return std::chrono::duration<double>(duration).count();
}

mode_t to_mode(nfs::FileType type) {
  switch (type) {
    case nfs::FileType::kRegular:
      return S_IFREG;
    case nfs::FileType::kDirectory:
      return S_IFDIR;
    case nfs::FileType::kBlock:
      return S_IFBLK;
    case nfs::FileType::kCharacter:
      return S_IFCHR;
    case nfs::FileType::kSymlink:
      return S_IFLNK;
    case nfs::FileType::kSocket:
      return S_IFSOCK;
    case nfs::FileType::kFifo:
      return S_IFIFO;
  }
  return S_IFREG;
}

struct stat to_stat(const cache::NodeAttributes& attributes, std::uint32_t block_bytes) {
  const nfs::Attributes& from = attributes.attributes;
  struct stat to {};
  to.st_ino = attributes.inode;
  to.st_mode = to_mode(from.type) | from.mode;
  to.st_nlink = from.nlink;
  to.st_uid = from.uid;
  to.st_gid = from.gid;
  to.st_rdev = makedev(from.rdev.major, from.rdev.minor);
  to.st_size = static_cast<off_t>(std::min<std::uint64_t>(from.size, std::numeric_limits<off_t>::max()));
  to.st_blksize = static_cast<blksize_t>(block_bytes);
  to.st_blocks = static_cast<blkcnt_t>(from.used / kStatBlockBytes + (from.used % kStatBlockBytes != 0 ? 1 : 0));
  to.st_atim = to_timespec(from.atime);
  to.st_mtim = to_timespec(from.mtime);
  to.st_ctim = to_timespec(from.ctime);
  return to;
}

fuse_entry_param to_entry_param(const cache::Entry& entry, std::uint32_t block_bytes) {
  fuse_entry_param to{};
  to.ino = entry.node;
  to.entry_timeout = to_seconds(entry.name_lifetime);
  if (entry.node != 0) {
    to.attr = to_stat(entry.attributes, block_bytes);
    to.attr_timeout = to_seconds(entry.attributes.lifetime);
  }
  return to;
}

struct statvfs to_statvfs(const nfs::FsstatReply& reply) {
  constexpr std::uint64_t kBlockBytes = 4096;
  struct statvfs to {};
  to.f_bsize = kBlockBytes;
  to.f_frsize = kBlockBytes;
  to.f_blocks = reply.total_bytes / kBlockBytes;
  to.f_bfree = reply.free_bytes / kBlockBytes;
  to.f_bavail = reply.available_bytes / kBlockBytes;
  to.f_files = reply.total_files;
  to.f_ffree = reply.free_files;
  to.f_favail = reply.available_files;
  to.f_namemax = nfs::kNameBytesMax;
  return to;
}

nfs::Time to_time(const timespec& time) {
  constexpr std::int64_t kSecondsMax = std::numeric_limits<std::uint32_t>::max();
  if (time.tv_sec < 0 || time.tv_sec > kSecondsMax) {
    return {static_cast<std::uint32_t>(std::clamp<std::int64_t>(time.tv_sec, 0, kSecondsMax)), 0};
  }
  return {static_cast<std::uint32_t>(time.tv_sec), static_cast<std::uint32_t>(time.tv_nsec)};
}

nfs::SetAttributes to_set_attributes(const struct stat& attributes, int to_set) {
  constexpr mode_t kPermissionBits = 07777;
  nfs::SetAttributes changes;
  if (to_set & FUSE_SET_ATTR_MODE) {
    changes.mode = attributes.st_mode & kPermissionBits;
  }
  if (to_set & FUSE_SET_ATTR_UID) {
    changes.uid = attributes.st_uid;
  }
  if (to_set & FUSE_SET_ATTR_GID) {
    changes.gid = attributes.st_gid;
  }
  if (to_set & FUSE_SET_ATTR_SIZE) {
    changes.size = static_cast<std::uint64_t>(attributes.st_size);
  }
  changes.atime = to_set_time(attributes.st_atim, to_set & FUSE_SET_ATTR_ATIME, to_set & FUSE_SET_ATTR_ATIME_NOW);
  changes.mtime = to_set_time(attributes.st_mtim, to_set & FUSE_SET_ATTR_MTIME, to_set & FUSE_SET_ATTR_MTIME_NOW);
  return changes;
}

bool changes_anything(const nfs::SetAttributes& changes) {
  return changes.mode || changes.uid || changes.gid || changes.size || changes.atime || changes.mtime;
}

cache::OpenFlags to_open_flags(int flags) {
  cache::OpenFlags to;
  int mode = flags & O_ACCMODE;
  to.read = mode == O_RDONLY || mode == O_RDWR;
  to.write = mode == O_WRONLY || mode == O_RDWR;
  to.append = (flags & O_APPEND) != 0;
  to.direct = (flags & O_DIRECT) != 0;
  to.synchronous = (flags & (O_SYNC | O_DSYNC)) != 0;
  to.truncate = (flags & O_TRUNC) != 0;
  to.execute = (flags & kOpenedForExecution) != 0;
  return to;
}

std::optional<nfs::NodeKind> to_node_kind(mode_t mode, dev_t device) {
  nfs::NodeKind kind;
  switch (mode & S_IFMT) {
    case S_IFIFO:
      kind.type = nfs::FileType::kFifo;
      return kind;
    case S_IFSOCK:
      kind.type = nfs::FileType::kSocket;
      return kind;
    case S_IFCHR:
      kind.type = nfs::FileType::kCharacter;
      break;
    case S_IFBLK:
      kind.type = nfs::FileType::kBlock;
      break;
    default:
      return std::nullopt;
  }
  kind.device = {gnu_dev_major(device), gnu_dev_minor(device)};
  return kind;
}

}  // namespace fused
