#include "fused/state_files.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

namespace fused {

namespace {

// A directory of root's, or below the one that a variable names, or below the user's home.
std::string choose_directory(const char* of_root, const char* variable, const std::string& below_home) {
  if (::geteuid() == 0) {
    return of_root;
  }
  const char* named = std::getenv(variable);
  if (named != nullptr && *named != '\0') {
    return std::string(named) + "/fused";
  }
  const char* home = std::getenv("HOME");
  return std::string(home != nullptr ? home : "/tmp") + "/" + below_home;
}

// One file name for any text; different texts give different names unless they are very long.
std::string to_file_name(const std::string& text) {
  constexpr std::size_t kBytesMax = 150;
  constexpr char kHex[] = "0123456789abcdef";
  std::string name;
  for (unsigned char c : text) {
    if (std::isalnum(c) != 0 || c == '.' || c == '-' || c == '_') {
      name += static_cast<char>(c);
    } else {
      name += '%';
      name += kHex[c >> 4];
      name += kHex[c & 15];
    }
  }
  if (name.size() > kBytesMax) {
    name = name.substr(0, kBytesMax) + "~" + std::to_string(std::hash<std::string>{}(text));
  }
  return name;
}

}  // namespace

std::string runtime_directory() {
  return choose_directory("/run/fused", "XDG_RUNTIME_DIR", ".cache/fused/run");
}

std::string control_socket_path(std::uint32_t device_minor) {
  return runtime_directory() + "/" + std::to_string(device_minor) + ".sock";
}

std::string state_directory() {
  return choose_directory("/var/lib/fused", "XDG_STATE_HOME", ".local/state/fused");
}

std::string silly_journal_path(const std::string& cache_directory, const std::string& source,
                               const std::string& mountpoint) {
  if (!cache_directory.empty()) {
    return cache_directory + "/silly";
  }
  return state_directory() + "/" + to_file_name(source + " " + mountpoint) + ".silly";
}

std::expected<void, std::string> make_private_directory(const std::string& path) {
  std::error_code error;
  std::filesystem::path parent = std::filesystem::path(path).parent_path();
  if (!parent.empty()) {
    std::filesystem::create_directories(parent, error);
  }
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
    return std::unexpected("cannot make the directory " + path + ": " + std::strerror(errno));
  }
  struct stat attributes {};
  if (::stat(path.c_str(), &attributes) != 0 || !S_ISDIR(attributes.st_mode)) {
    return std::unexpected(path + " is not a directory");
  }
  return {};
}

std::expected<UniqueDescriptor, std::string> lock_cache_directory(const std::string& path) {
  if (auto made = make_private_directory(path); !made) {
    return std::unexpected("cache directory " + path + " not usable: " + made.error());
  }
  std::string lock_path = path + "/lock";
  UniqueDescriptor lock(::open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!lock) {
    return std::unexpected("cache directory " + path + " not writable: " + std::strerror(errno));
  }
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    return std::unexpected("cache directory " + path + " in use by another mount");
  }
  return lock;
}

}  // namespace fused
