// Status: how an NFS call ended. The values up to 10008 are nfsstat3 of RFC 1813 section 2.6; those from 20000 on are
// this client's own, for calls that the server never answered.
//
// Thread-safety: values only.
#pragma once

#include <cstdint>
#include <expected>
#include <string_view>

namespace nfs {

enum class Status : std::uint32_t {
  kOk = 0,
  kPerm = 1,
  kNoent = 2,
  kIo = 5,
  kNxio = 6,
  kAcces = 13,
  kExist = 17,
  kXdev = 18,
  kNodev = 19,
  kNotdir = 20,
  kIsdir = 21,
  kInval = 22,
  kFbig = 27,
  kNospc = 28,
  kRofs = 30,
  kMlink = 31,
  kNametoolong = 63,
  kNotempty = 66,
  kDquot = 69,
  kStale = 70,
  kRemote = 71,
  kBadhandle = 10001,
  kNotSync = 10002,
  kBadCookie = 10003,
  kNotsupp = 10004,
  kToosmall = 10005,
  kServerfault = 10006,
  kBadtype = 10007,
  kJukebox = 10008,

  kTimedOut = 20000,   // a softerr mount gave up waiting (ETIMEDOUT)
  kSoftIo = 20001,     // a soft mount gave up waiting (EIO)
  kMalformed = 20002,  // the reply broke the protocol; logged, and an I/O error to the caller
  kShutDown = 20003,   // the client was shut down while the call was parked
  kBadFile = 20004,    // an open file or directory id that is not open here
};

template <class T>
using Result = std::expected<T, Status>;

// The RFC's name of a status ("NFS3ERR_STALE"), for logs.
std::string_view status_name(Status status);

// The errno a program sees for a status; the only place where the two meet. kOk gives 0.
int status_errno(Status status);

}  // namespace nfs
