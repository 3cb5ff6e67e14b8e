#include "fused/mount_table.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <future>
#include <memory>
#include <sstream>
#include <thread>

namespace fused {

namespace {

// mountinfo writes space, tab, newline and backslash as \ooo.
std::string unescape_octal(std::string_view text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    auto is_octal = [&](std::size_t at) { return text[at] >= '0' && text[at] <= '7'; };
    if (text[i] == '\\' && i + 3 < text.size() && is_octal(i + 1) && is_octal(i + 2) && is_octal(i + 3)) {
      plain += static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0'));
      i += 3;
    } else {
      plain += text[i];
    }
  }
  return plain;
}

// "36 35 0:98 /root /mountpoint options [optional...] - type source options"
std::optional<MountEntry> parse_mount_line(const std::string& line) {
  std::istringstream fields(line);
  std::string id, parent, device, root, mountpoint, options, field;
  if (!(fields >> id >> parent >> device >> root >> mountpoint >> options)) {
    return std::nullopt;
  }
  while (fields >> field && field != "-") {
  }
  MountEntry entry;
  std::string source;
  if (!(fields >> entry.type)) {
    return std::nullopt;
  }
  fields >> source;
  char* rest = nullptr;
  entry.device_major = static_cast<std::uint32_t>(std::strtoul(device.c_str(), &rest, 10));
  entry.device_minor = *rest == ':' ? static_cast<std::uint32_t>(std::strtoul(rest + 1, nullptr, 10)) : 0;
  entry.mountpoint = unescape_octal(mountpoint);
  entry.source = unescape_octal(source);
  return entry;
}

}  // namespace

std::vector<MountEntry> parse_mount_table(std::string_view mountinfo) {
  std::vector<MountEntry> table;
  std::istringstream lines{std::string(mountinfo)};
  for (std::string line; std::getline(lines, line);) {
    if (std::optional<MountEntry> entry = parse_mount_line(line)) {
      table.push_back(std::move(*entry));
    }
  }
  return table;
}

std::vector<MountEntry> read_mount_table() {
  std::ifstream file("/proc/self/mountinfo");
  std::ostringstream text;
  text << file.rdbuf();
  return parse_mount_table(text.view());
}

std::optional<MountEntry> find_mount(const std::string& mountpoint) {
  std::optional<MountEntry> found;
  for (MountEntry& entry : read_mount_table()) {
    if (entry.mountpoint == mountpoint) {
      found = std::move(entry);
    }
  }
  return found;
}

std::vector<MountEntry> find_fused_mounts() {
  std::vector<MountEntry> mounts;
  for (const MountEntry& entry : read_mount_table()) {
    std::erase_if(mounts, [&](const MountEntry& covered) { return covered.mountpoint == entry.mountpoint; });
    if (entry.type == kMountType) {
      mounts.push_back(entry);
    }
  }
  return mounts;
}

std::string resolve_mountpoint(const std::string& path) {
  std::unique_ptr<char, decltype(&std::free)> resolved(::realpath(path.c_str(), nullptr), &std::free);
  if (resolved) {
    return resolved.get();
  }
  // A dead mount answers nothing about itself, but the directory it lies in does.
  int reason = errno;
  if (reason != ENOTCONN) {
    return {};
  }
  std::error_code error;
  std::filesystem::path absolute = std::filesystem::absolute(path, error).lexically_normal();
  if (!absolute.has_filename()) {
    absolute = absolute.parent_path();
  }
  std::filesystem::path parent = std::filesystem::canonical(absolute.parent_path(), error);
  errno = reason;
  return error ? std::string() : (parent / absolute.filename()).string();
}

PathProbe probe_path(const std::string& path, int seconds_max) {
  auto promise = std::make_shared<std::promise<PathProbe>>();
  std::future<PathProbe> answer = promise->get_future();
  std::thread([promise, path] {
    PathProbe probe;
    struct stat attributes {};
    if (::stat(path.c_str(), &attributes) != 0) {
      probe.error = errno;
    } else {
      probe.is_directory = S_ISDIR(attributes.st_mode);
      probe.device_major = gnu_dev_major(attributes.st_dev);
      probe.device_minor = gnu_dev_minor(attributes.st_dev);
    }
    promise->set_value(probe);
  }).detach();
  if (answer.wait_for(std::chrono::seconds(seconds_max)) != std::future_status::ready) {
    PathProbe late;
    late.error = ETIMEDOUT;
    return late;
  }
  return answer.get();
}

}  // namespace fused
