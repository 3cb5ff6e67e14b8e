#include "fused/kernel_mount.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "fused/mount_table.h"

namespace fused {

namespace {

std::string describe_mount_error(const KernelMountOptions& options, int error) {
  switch (error) {
    case ENODEV:
      return "the kernel has no FUSE: load the module fuse";
    case EPERM:
    case EACCES:
      return "not permitted to mount on " + options.mountpoint + " (CAP_SYS_ADMIN is needed)";
    case EBUSY:
      return "mountpoint " + options.mountpoint + " is in use";
    default:
      return "mounting on " + options.mountpoint + " failed: " + std::strerror(error);
  }
}

// fusermount3 is the way to unmount for users other than root.
int unmount_by_fusermount(const std::string& mountpoint, bool lazy) {
  const char* arguments[] = {"fusermount3",
                             "-u",
                             "-q",
                             lazy ? "-z" : "--",
                             lazy ? "--" : mountpoint.c_str(),
                             lazy ? mountpoint.c_str() : nullptr,
                             nullptr};
  pid_t pid = 0;
  int error = ::posix_spawnp(&pid, arguments[0], nullptr, nullptr, const_cast<char**>(arguments), environ);
  if (error != 0) {
    return error;
  }
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : EBUSY;
}

}  // namespace

std::expected<UniqueDescriptor, std::string> mount_as_root(const KernelMountOptions& options) {
  UniqueDescriptor device(::open("/dev/fuse", O_RDWR | O_CLOEXEC));
  if (!device) {
    return std::unexpected(std::string("cannot open /dev/fuse: ") + std::strerror(errno));
  }
  unsigned long flags = 0;
  flags |= options.read_only ? MS_RDONLY : 0;
  flags |= options.nosuid ? MS_NOSUID : 0;
  flags |= options.nodev ? MS_NODEV : 0;
  flags |= options.noexec ? MS_NOEXEC : 0;
  flags |= options.noatime ? MS_NOATIME : 0;
  std::string data = "fd=" + std::to_string(device.get()) + ",rootmode=40000,user_id=" + std::to_string(::getuid()) +
                     ",group_id=" + std::to_string(::getgid()) + ",max_read=" + std::to_string(options.read_bytes_max);
  data += options.allow_other ? ",allow_other" : "";
  data += options.default_permissions ? ",default_permissions" : "";
  std::string type(kMountType);
  if (::mount(options.source.c_str(), options.mountpoint.c_str(), type.c_str(), flags, data.c_str()) != 0) {
    return std::unexpected(describe_mount_error(options, errno));
  }
  return device;
}

std::string fusermount_options(const KernelMountOptions& options) {
  // A comma or backslash in the source would end the option.
  std::string source;
  for (char c : options.source) {
    source += c == ',' || c == '\\' ? std::string{'\\', c} : std::string{c};
  }
  std::string text = "fsname=" + source + ",subtype=fused,max_read=" + std::to_string(options.read_bytes_max);
  text += options.read_only ? ",ro" : "";
  text += options.noexec ? ",noexec" : "";
  text += options.noatime ? ",noatime" : "";
  text += options.allow_other ? ",allow_other" : "";
  text += options.default_permissions ? ",default_permissions" : "";
  return text;
}

int unmount(const std::string& mountpoint, bool lazy) {
  if (::geteuid() != 0) {
    return unmount_by_fusermount(mountpoint, lazy);
  }
  // The mountpoint is a resolved path; a link that took its place meanwhile is not followed.
  return ::umount2(mountpoint.c_str(), (lazy ? MNT_DETACH : 0) | UMOUNT_NOFOLLOW) == 0 ? 0 : errno;
}

}  // namespace fused
