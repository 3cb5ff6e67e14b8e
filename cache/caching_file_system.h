// The way to make the caching file system; its parts are behind FileSystem.
#pragma once

#include <memory>

#include "cache/file_system.h"
#include "cache/kernel_notifier.h"
#include "cache/options.h"
#include "nfsbackend/client.h"
#include "nfsbackend/clock.h"

namespace cache {

// `root` is the export's root handle. The three references are borrowed and outlive the file system.
// Does not block; sends nothing until it is used.
struct Parts {
  nfs::Client& client;
  nfs::Clock& clock;
  KernelNotifier& notifier;
};
std::unique_ptr<FileSystem> make_caching_file_system(Parts parts, nfs::FileHandle root, Options options);

}  // namespace cache
