// Where the program keeps its files: the control socket, the cache directory's lock, the record of silly-renamed files.
//
// Thread-safety: functions without state. They touch local directories only. Errors: one line for the user.
#pragma once

#include <cstdint>
#include <expected>
#include <string>

#include "fused/unique_descriptor.h"

namespace fused {

// /run/fused, or fused in $XDG_RUNTIME_DIR for other users than root.
std::string runtime_directory();
// The control socket of the mount with this device number (st_dev's minor), which names dead mounts too.
std::string control_socket_path(std::uint32_t device_minor);

// /var/lib/fused, or fused in $XDG_STATE_HOME for other users than root.
std::string state_directory();
// The record of silly-renamed files of a mount: in its cache directory when it has one.
std::string silly_journal_path(const std::string& cache_directory, const std::string& source,
                               const std::string& mountpoint);

// Makes the directory and those above it, private to the user.
std::expected<void, std::string> make_private_directory(const std::string& path);

// Makes the cache directory where it is missing and takes it for this process, until the descriptor is closed.
std::expected<UniqueDescriptor, std::string> lock_cache_directory(const std::string& path);

}  // namespace fused
