// TemporaryDirectory: a fresh directory under TMPDIR (or /tmp), removed with all that is in it.
//
// Nothing may be mounted below it any more when it goes. Errors: throws std::filesystem::filesystem_error or
// std::system_error. Thread-safety: a value of one thread.
#pragma once

#include <filesystem>
#include <string>

namespace support {

class TemporaryDirectory {
 public:
  TemporaryDirectory();
  ~TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

// The whole of a file, and a file with this text. Throw std::runtime_error.
std::string read_text(const std::filesystem::path& path);
void write_text(const std::filesystem::path& path, const std::string& text);

}  // namespace support
