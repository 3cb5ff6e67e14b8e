#include "nfsbackend/decode.h"

#include <cstring>
#include <span>

namespace nfs {

void Decoder::require(bool rule, std::string_view fault) {
  if (!rule && fault_.empty()) {
    fault_ = fault;
  }
}

Status Decoder::status(nfsstat3 status) {
  auto value = static_cast<Status>(status);
  // This client's own statuses must not come from outside.
  require(value == Status::kOk || (value <= Status::kJukebox && status_name(value).starts_with("NFS3ERR")),
          "unknown status");
  return value;
}

Time Decoder::time(const nfstime3& time) {
  require(time.nseconds < 1'000'000'000, "nanoseconds out of range");
  return {time.seconds, time.nseconds};
}

Attributes Decoder::attributes(const fattr3& attributes) {
  require(attributes.type >= NF3REG && attributes.type <= NF3FIFO, "unknown file type");
  Attributes result;
  result.type = static_cast<FileType>(attributes.type);
  result.mode = attributes.mode & 07777;
  result.nlink = attributes.nlink;
  result.uid = attributes.uid;
  result.gid = attributes.gid;
  result.size = attributes.size;
  result.used = attributes.used;
  result.rdev = {attributes.rdev.specdata1, attributes.rdev.specdata2};
  result.fsid = attributes.fsid;
  result.fileid = attributes.fileid;
  result.atime = time(attributes.atime);
  result.mtime = time(attributes.mtime);
  result.ctime = time(attributes.ctime);
  return result;
}

std::optional<Attributes> Decoder::attributes(const post_op_attr& attributes) {
  if (attributes.attributes_follow == 0) {
    return std::nullopt;
  }
  return this->attributes(attributes.post_op_attr_u.attributes);
}

WccData Decoder::wcc(const wcc_data& wcc) {
  WccData result;
  if (wcc.before.attributes_follow != 0) {
    const wcc_attr& before = wcc.before.pre_op_attr_u.attributes;
    result.before = Version{before.size, time(before.mtime), time(before.ctime)};
  }
  result.after = attributes(wcc.after);
  return result;
}

FileHandle Decoder::handle(const nfs_fh3& handle) {
  bool valid = handle.data.data_len >= 1 && handle.data.data_len <= FileHandle::kBytesMax;
  require(valid, "file handle length out of range");
  if (!valid) {
    return {};
  }
  return FileHandle(std::as_bytes(std::span(handle.data.data_val, handle.data.data_len)));
}

FileHandle Decoder::handle(const post_op_fh3& handle) {
  return handle.handle_follows == 0 ? FileHandle() : this->handle(handle.post_op_fh3_u.handle);
}

Verifier decode_verifier(const char (&verifier)[8]) {
  Verifier result;
  std::memcpy(result.data(), verifier, result.size());
  return result;
}

NameKind classify_name(std::string_view name) {
  if (name == "." || name == "..") {
    return NameKind::kDots;
  }
  bool valid = !name.empty() && name.size() <= kNameBytesMax && name.find('/') == std::string_view::npos &&
               name.find('\0') == std::string_view::npos;
  return valid ? NameKind::kValid : NameKind::kInvalid;
}

}  // namespace nfs
