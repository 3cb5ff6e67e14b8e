// From the project's vocabulary to libnfs's XDR structures. The structures point into the arguments and are good for as
// long as those; libnfs copies them when it queues the call. Values only, never blocks.
#pragma once

#include <string>

#include "nfsbackend/client.h"
#include "nfsbackend/libnfs_headers.h"
#include "nfsbackend/types.h"

namespace nfs {

nfs_fh3 encode_handle(const FileHandle& handle);
diropargs3 encode_name(const FileHandle& directory, const std::string& name);
nfstime3 encode_time(const Time& time);
sattr3 encode_attributes(const SetAttributes& attributes);
specdata3 encode_device(const DeviceNumber& device);

}  // namespace nfs
