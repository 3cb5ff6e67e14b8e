#include "fused/fuse_counters.h"

#include <linux/fuse.h>

#include <algorithm>

namespace fused {

namespace {

struct OperationName {
  std::uint32_t opcode;
  std::string_view name;
  bool served;
};

constexpr OperationName kOperationNames[] = {
    {FUSE_LOOKUP, "LOOKUP", true},
    {FUSE_FORGET, "FORGET", true},
    {FUSE_GETATTR, "GETATTR", true},
    {FUSE_SETATTR, "SETATTR", true},
    {FUSE_READLINK, "READLINK", true},
    {FUSE_SYMLINK, "SYMLINK", true},
    {FUSE_MKNOD, "MKNOD", true},
    {FUSE_MKDIR, "MKDIR", true},
    {FUSE_UNLINK, "UNLINK", true},
    {FUSE_RMDIR, "RMDIR", true},
    {FUSE_RENAME, "RENAME", true},
    {FUSE_LINK, "LINK", true},
    {FUSE_OPEN, "OPEN", true},
    {FUSE_READ, "READ", true},
    {FUSE_WRITE, "WRITE", true},
    {FUSE_STATFS, "STATFS", true},
    {FUSE_RELEASE, "RELEASE", true},
    {FUSE_FSYNC, "FSYNC", true},
    {FUSE_SETXATTR, "SETXATTR", false},
    {FUSE_GETXATTR, "GETXATTR", false},
    {FUSE_LISTXATTR, "LISTXATTR", false},
    {FUSE_REMOVEXATTR, "REMOVEXATTR", false},
    {FUSE_FLUSH, "FLUSH", true},
    {FUSE_INIT, "INIT", true},
    {FUSE_OPENDIR, "OPENDIR", true},
    {FUSE_READDIR, "READDIR", true},
    {FUSE_RELEASEDIR, "RELEASEDIR", true},
    {FUSE_FSYNCDIR, "FSYNCDIR", true},
    {FUSE_GETLK, "GETLK", false},
    {FUSE_SETLK, "SETLK", false},
    {FUSE_SETLKW, "SETLKW", false},
    {FUSE_ACCESS, "ACCESS", true},
    {FUSE_CREATE, "CREATE", true},
    {FUSE_INTERRUPT, "INTERRUPT", true},
    {FUSE_BMAP, "BMAP", false},
    {FUSE_DESTROY, "DESTROY", true},
    {FUSE_IOCTL, "IOCTL", false},
    {FUSE_POLL, "POLL", false},
    {FUSE_BATCH_FORGET, "BATCH_FORGET", true},
    {FUSE_FALLOCATE, "FALLOCATE", false},
    {FUSE_READDIRPLUS, "READDIRPLUS", true},
    {FUSE_RENAME2, "RENAME2", true},
    {FUSE_LSEEK, "LSEEK", false},
    {FUSE_COPY_FILE_RANGE, "COPY_FILE_RANGE", false},
};

}  // namespace

void FuseCounters::count_call(std::uint32_t opcode) {
  if (opcode < kOpcodesMax) {
    cells_[opcode].calls.fetch_add(1, std::memory_order_relaxed);
  }
}

void FuseCounters::count_error(std::uint32_t opcode) {
  if (opcode < kOpcodesMax) {
    cells_[opcode].errors.fetch_add(1, std::memory_order_relaxed);
  }
}

FuseStatistics FuseCounters::statistics() const {
  FuseStatistics all;
  for (const OperationName& operation : kOperationNames) {
    const Cell& cell = cells_[operation.opcode];
    all.emplace(operation.name, OperationCounters{cell.calls.load(std::memory_order_relaxed),
                                                  cell.errors.load(std::memory_order_relaxed)});
  }
  return all;
}

bool is_served(std::uint32_t opcode) {
  return std::ranges::any_of(kOperationNames, [opcode](const OperationName& operation) {
    return operation.opcode == opcode && operation.served;
  });
}

}  // namespace fused
