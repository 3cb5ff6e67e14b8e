// touch_files stat|read DIRECTORY ROUNDS: stats, or opens, reads and closes, every file of a directory ROUNDS times.
// The whole process is what scripts/bench-warm times; one file costs the file system's work and little else.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace {

bool stat_file(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0;
}

bool read_file(const std::string& path) {
  static std::array<char, 65536> buffer;
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const bool read = descriptor >= 0 && ::read(descriptor, buffer.data(), buffer.size()) >= 0;
  ::close(descriptor);
  return read;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: touch_files stat|read DIRECTORY ROUNDS\n");
    return 1;
  }
  const auto touch = std::string_view(argv[1]) == "stat" ? stat_file : read_file;
  std::vector<std::string> paths;
  for (const auto& entry : std::filesystem::directory_iterator(argv[2])) {
    paths.push_back(entry.path());
  }
  for (int round = std::stoi(argv[3]); round > 0; --round) {
    for (const std::string& path : paths) {
      if (!touch(path)) {
        std::perror(path.c_str());
        return 1;
      }
    }
  }
  return 0;
}
