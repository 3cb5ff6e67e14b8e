#include "nfsbackend/encode.h"

namespace nfs {

// libnfs's structures hold pointers to char because they serve decoding too; encoding only reads.

nfs_fh3 encode_handle(const FileHandle& handle) {
  nfs_fh3 result{};
  result.data.data_len = static_cast<u_int>(handle.view().size());
  result.data.data_val = const_cast<char*>(handle.view().data());
  return result;
}

diropargs3 encode_name(const FileHandle& directory, const std::string& name) {
  diropargs3 result{};
  result.dir = encode_handle(directory);
  result.name = const_cast<char*>(name.c_str());
  return result;
}

nfstime3 encode_time(const Time& time) {
  nfstime3 result{};
  result.seconds = time.seconds;
  result.nseconds = time.nanoseconds;
  return result;
}

sattr3 encode_attributes(const SetAttributes& attributes) {
  sattr3 result{};
  if (attributes.mode) {
    result.mode.set_it = 1;
    result.mode.set_mode3_u.mode = *attributes.mode;
  }
  if (attributes.uid) {
    result.uid.set_it = 1;
    result.uid.set_uid3_u.uid = *attributes.uid;
  }
  if (attributes.gid) {
    result.gid.set_it = 1;
    result.gid.set_gid3_u.gid = *attributes.gid;
  }
  if (attributes.size) {
    result.size.set_it = 1;
    result.size.set_size3_u.size = *attributes.size;
  }
  if (attributes.atime) {
    result.atime.set_it = attributes.atime->server_now ? SET_TO_SERVER_TIME : SET_TO_CLIENT_TIME;
    result.atime.set_atime_u.atime = encode_time(attributes.atime->time);
  }
  if (attributes.mtime) {
    result.mtime.set_it = attributes.mtime->server_now ? SET_TO_SERVER_TIME : SET_TO_CLIENT_TIME;
    result.mtime.set_mtime_u.mtime = encode_time(attributes.mtime->time);
  }
  return result;
}

specdata3 encode_device(const DeviceNumber& device) {
  specdata3 result{};
  result.specdata1 = device.major;
  result.specdata2 = device.minor;
  return result;
}

}  // namespace nfs
