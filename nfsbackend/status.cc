#include "nfsbackend/status.h"

#include <algorithm>
#include <array>
#include <cerrno>

namespace nfs {

namespace {

struct Row {
  Status status;
  std::string_view name;
  int error;
};

constexpr auto kRows = std::to_array<Row>({
    {Status::kOk, "NFS3_OK", 0},
    {Status::kPerm, "NFS3ERR_PERM", EPERM},
    {Status::kNoent, "NFS3ERR_NOENT", ENOENT},
    {Status::kIo, "NFS3ERR_IO", EIO},
    {Status::kNxio, "NFS3ERR_NXIO", ENXIO},
    {Status::kAcces, "NFS3ERR_ACCES", EACCES},
    {Status::kExist, "NFS3ERR_EXIST", EEXIST},
    {Status::kXdev, "NFS3ERR_XDEV", EXDEV},
    {Status::kNodev, "NFS3ERR_NODEV", ENODEV},
    {Status::kNotdir, "NFS3ERR_NOTDIR", ENOTDIR},
    {Status::kIsdir, "NFS3ERR_ISDIR", EISDIR},
    {Status::kInval, "NFS3ERR_INVAL", EINVAL},
    {Status::kFbig, "NFS3ERR_FBIG", EFBIG},
    {Status::kNospc, "NFS3ERR_NOSPC", ENOSPC},
    {Status::kRofs, "NFS3ERR_ROFS", EROFS},
    {Status::kMlink, "NFS3ERR_MLINK", EMLINK},
    {Status::kNametoolong, "NFS3ERR_NAMETOOLONG", ENAMETOOLONG},
    {Status::kNotempty, "NFS3ERR_NOTEMPTY", ENOTEMPTY},
    {Status::kDquot, "NFS3ERR_DQUOT", EDQUOT},
    {Status::kStale, "NFS3ERR_STALE", ESTALE},
    {Status::kRemote, "NFS3ERR_REMOTE", EREMOTE},
    // A handle that the server gave and no longer understands is one that has gone stale.
    {Status::kBadhandle, "NFS3ERR_BADHANDLE", ESTALE},
    {Status::kNotSync, "NFS3ERR_NOT_SYNC", EIO},
    {Status::kBadCookie, "NFS3ERR_BAD_COOKIE", EINVAL},
    {Status::kNotsupp, "NFS3ERR_NOTSUPP", EOPNOTSUPP},
    {Status::kToosmall, "NFS3ERR_TOOSMALL", EIO},
    {Status::kServerfault, "NFS3ERR_SERVERFAULT", EIO},
    // What MKNOD says of a kind of node that the server does not know.
    {Status::kBadtype, "NFS3ERR_BADTYPE", EINVAL},
    {Status::kJukebox, "NFS3ERR_JUKEBOX", EAGAIN},
    {Status::kTimedOut, "timed out", ETIMEDOUT},
    {Status::kSoftIo, "no answer", EIO},
    {Status::kMalformed, "malformed reply", EIO},
    {Status::kShutDown, "shut down", EIO},
    {Status::kBadFile, "not open", EBADF},
});

const Row* find(Status status) {
  const auto* row = std::find_if(kRows.begin(), kRows.end(), [=](const Row& r) { return r.status == status; });
  return row == kRows.end() ? nullptr : row;
}

}  // namespace

std::string_view status_name(Status status) {
  const Row* row = find(status);
  return row == nullptr ? "unknown status" : row->name;
}

int status_errno(Status status) {
  const Row* row = find(status);
  return row == nullptr ? EIO : row->error;
}

}  // namespace nfs
