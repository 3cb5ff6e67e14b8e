#include "tests/support/model_player.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <functional>
#include <mutex>
#include <random>
#include <stdexcept>
#include <thread>
#include <vector>

namespace support {

namespace {

// What one system call gave: its result, or -errno.
using Outcome = long;
Outcome outcome(long result) {
  return result < 0 ? -errno : result;
}

struct Difference : std::runtime_error {
  using std::runtime_error::runtime_error;
};

void require_same(const std::string& what, const auto& tested, const auto& reference) {
  if (!(tested == reference)) {
    throw Difference(fmt::format("{}: tested {}, reference {}", what, tested, reference));
  }
}

constexpr std::int64_t kSetTimesBefore = 1'000'000'000;  // times set on purpose lie before, the clock's after
constexpr std::size_t kAlignment = 4096;                 // of O_DIRECT

// Attributes that must agree. Times agree when they were set on purpose; directory sizes are the server's affair.
std::string describe(const struct stat& status) {
  const bool directory = S_ISDIR(status.st_mode);
  const auto time = [](const timespec& value) {
    return value.tv_sec < kSetTimesBefore ? fmt::format("{}.{}", value.tv_sec, value.tv_nsec) : std::string("now");
  };
  return fmt::format("mode {:o} links {} owner {}:{} size {} mtime {} device {}:{}", status.st_mode, status.st_nlink,
                     status.st_uid, status.st_gid, directory ? 0 : status.st_size, time(status.st_mtim),
                     major(status.st_rdev), minor(status.st_rdev));
}

std::string read_all(int descriptor) {
  std::string bytes;
  std::array<char, 1 << 16> buffer;
  for (ssize_t count = 0;
       (count = ::pread(descriptor, buffer.data(), buffer.size(), static_cast<off_t>(bytes.size()))) > 0;) {
    bytes.append(buffer.data(), static_cast<std::size_t>(count));
  }
  return bytes;
}

// Memory that O_DIRECT may use.
class AlignedBuffer {
 public:
  explicit AlignedBuffer(std::size_t bytes)
      : data_(static_cast<char*>(std::aligned_alloc(kAlignment, (bytes / kAlignment + 1) * kAlignment)), &std::free) {}
  char* data() { return data_.get(); }

 private:
  std::unique_ptr<char, decltype(&std::free)> data_;
};

// One thread's game.
class Player {
 public:
  Player(const ModelGame& game, int number)
      : game_(game), prefix_(fmt::format("t{}-", number)), random_(game.seed * 1000 + static_cast<unsigned>(number)) {}
  ~Player() { close_all(); }

  void play(int operations, const std::atomic<bool>& stop) {
    for (int step = 0; step < operations && !stop; ++step) {
      try {
        one();
      } catch (const Difference& difference) {
        throw Difference(fmt::format("thread {} step {}: {} [{}]", prefix_, step, difference.what(), last_));
      }
    }
    close_all();
  }

 private:
  struct OpenPair {
    int tested;
    int reference;
    int flags;
    std::string path;
  };

  std::uint64_t below(std::uint64_t bound) { return random_() % bound; }

  // A name of this thread, in a shared or in one of its own directories.
  std::string some_path() {
    static constexpr std::array kShared{"", "shared-a/", "shared-b/"};
    const std::string directory =
        below(3) == 0 ? fmt::format("{}d{}/", prefix_, below(4)) : std::string(kShared[below(kShared.size())]);
    return directory + prefix_ + fmt::format("{}{}", "fgl"[below(3)], below(6));
  }
  std::string some_directory() { return fmt::format("{}d{}", prefix_, below(4)); }

  // Does the same in both places and compares the outcome.
  Outcome both(const std::string& what, const std::function<long(const std::string&)>& call) {
    last_ = what;
    const Outcome tested = outcome(call(game_.tested + "/"));
    const Outcome reference = outcome(call(game_.reference + "/"));
    require_same("result", tested, reference);
    return tested;
  }

  void compare_attributes(const std::string& path) {
    last_ = "lstat " + path;
    struct stat tested {};
    struct stat reference {};
    const Outcome a = outcome(::lstat((game_.tested + "/" + path).c_str(), &tested));
    const Outcome b = outcome(::lstat((game_.reference + "/" + path).c_str(), &reference));
    require_same("result", a, b);
    if (a == 0) {
      require_same("attributes", describe(tested), describe(reference));
    }
  }

  void compare_open(const OpenPair& open) {
    struct stat tested {};
    struct stat reference {};
    ::fstat(open.tested, &tested);
    ::fstat(open.reference, &reference);
    require_same("attributes of the open file", describe(tested), describe(reference));
    if ((open.flags & (O_ACCMODE | O_DIRECT)) != O_WRONLY && (open.flags & O_DIRECT) == 0 &&
        reference.st_size < 4 << 20 && (open.flags & O_ACCMODE) != O_WRONLY) {
      if (read_all(open.tested) != read_all(open.reference)) {
        throw Difference("bytes of the open file differ");
      }
    }
  }

  void open_file() {
    static constexpr std::array kFlags{O_RDONLY,
                                       O_RDWR,
                                       O_RDWR | O_CREAT,
                                       O_RDWR | O_CREAT | O_EXCL,
                                       O_WRONLY | O_CREAT | O_TRUNC,
                                       O_RDWR | O_CREAT | O_APPEND,
                                       O_RDWR | O_TRUNC,
                                       O_RDWR | O_CREAT | O_SYNC,
                                       O_RDWR | O_CREAT | O_DIRECT};
    const std::string path = some_path();
    const int flags = kFlags[below(kFlags.size())] | O_CLOEXEC | O_NONBLOCK;
    const mode_t mode = std::array{0644, 0600, 0755, 0444}[below(4)];
    last_ = fmt::format("open {} flags {:o} mode {:o}", path, flags, mode);
    OpenPair open{-1, -1, flags, path};
    open.tested = ::open((game_.tested + "/" + path).c_str(), flags, mode);
    const Outcome tested = open.tested < 0 ? -errno : 0;
    open.reference = ::open((game_.reference + "/" + path).c_str(), flags, mode);
    const Outcome reference = open.reference < 0 ? -errno : 0;
    if (tested == 0 && reference == 0) {
      struct stat status {};
      ::fstat(open.reference, &status);
      if (S_ISREG(status.st_mode)) {
        opened_.push_back(open);
        if (opened_.size() > 6) {
          close_one(below(opened_.size()));
        }
        return;
      }
    }
    close_pair(open);
    require_same("result", tested, reference);
  }

  static Outcome close_pair(const OpenPair& open) {
    const Outcome tested = open.tested < 0 ? 0 : outcome(::close(open.tested));
    const Outcome reference = open.reference < 0 ? 0 : outcome(::close(open.reference));
    return tested == reference ? 0 : tested;
  }

  void close_one(std::size_t index) {
    last_ += " close " + opened_[index].path;
    const OpenPair open = opened_[index];
    opened_.erase(opened_.begin() + static_cast<std::ptrdiff_t>(index));
    require_same("close", close_pair(open), 0L);
  }

  void close_all() {
    for (const OpenPair& open : opened_) {
      close_pair(open);
    }
    opened_.clear();
  }

  OpenPair* some_open() { return opened_.empty() ? nullptr : &opened_[below(opened_.size())]; }

  // Mostly small files; now and then a hole, rarely an offset beyond four gibibytes.
  std::pair<off_t, std::size_t> some_range(int flags) {
    std::uint64_t offset = below(200'000);
    std::size_t count = below(4) == 0 ? below(150'000) : below(6'000);
    if (below(400) == 0) {
      offset += 5ULL << 30;
    }
    if ((flags & O_DIRECT) != 0) {
      offset = offset / kAlignment * kAlignment;
      count = (count / kAlignment + 1) * kAlignment;
    }
    return {static_cast<off_t>(offset), count};
  }

  void write_open() {
    OpenPair* open = some_open();
    if (!open) {
      return;
    }
    const auto [offset, count] = some_range(open->flags);
    last_ = fmt::format("pwrite {} offset {} count {}", open->path, offset, count);
    AlignedBuffer buffer(count);
    const auto value = static_cast<char>(below(255));
    for (std::size_t index = 0; index < count; ++index) {
      buffer.data()[index] = static_cast<char>(value + static_cast<char>(index / 7));
    }
    const Outcome tested = outcome(::pwrite(open->tested, buffer.data(), count, offset));
    const Outcome reference = outcome(::pwrite(open->reference, buffer.data(), count, offset));
    require_same("result", tested, reference);
    if (below(4) == 0) {
      compare_open(*open);
    }
  }

  void read_open() {
    OpenPair* open = some_open();
    if (!open) {
      return;
    }
    const auto [offset, count] = some_range(open->flags);
    last_ = fmt::format("pread {} offset {} count {} flags {:o}", open->path, offset, count, open->flags);
    AlignedBuffer tested(count);
    AlignedBuffer reference(count);
    const Outcome a = outcome(::pread(open->tested, tested.data(), count, offset));
    const Outcome b = outcome(::pread(open->reference, reference.data(), count, offset));
    require_same("result", a, b);
    if (a > 0 && std::memcmp(tested.data(), reference.data(), static_cast<std::size_t>(a)) != 0) {
      throw Difference("bytes read differ");
    }
  }

  void map_open() {
    OpenPair* open = some_open();
    struct stat status {};
    if (!open || (open->flags & O_ACCMODE) != O_RDWR || ::fstat(open->reference, &status) != 0 || status.st_size == 0 ||
        status.st_size > 4 << 20) {
      return;
    }
    const auto length = static_cast<std::size_t>(status.st_size);
    const std::size_t position = below(length);
    const bool shared = below(2) == 0;
    last_ = fmt::format("mmap {} length {} position {} shared {}", open->path, length, position, shared);
    const auto change = [&](int descriptor) {
      void* memory = ::mmap(nullptr, length, PROT_READ | PROT_WRITE, shared ? MAP_SHARED : MAP_PRIVATE, descriptor, 0);
      if (memory == MAP_FAILED) {
        return std::string(std::strerror(errno));
      }
      auto* bytes = static_cast<char*>(memory);
      bytes[position] = static_cast<char>(bytes[position] + 1);
      std::string seen(bytes, length);
      ::msync(memory, length, MS_SYNC);
      ::munmap(memory, length);
      return seen;
    };
    if (change(open->tested) != change(open->reference)) {
      throw Difference("mapped bytes differ");
    }
  }

  void change_open() {
    OpenPair* open = some_open();
    if (!open) {
      return;
    }
    const auto size = static_cast<off_t>(below(120'000));
    const auto choice = below(3);
    last_ = fmt::format("{} {} size {}", choice == 0 ? "ftruncate" : "fsync", open->path, size);
    const auto call = [&](int descriptor) {
      return outcome(choice == 0   ? ::ftruncate(descriptor, size)
                     : choice == 1 ? ::fsync(descriptor)
                                   : ::fdatasync(descriptor));
    };
    const Outcome tested = call(open->tested);
    require_same("result", tested, call(open->reference));
    compare_open(*open);
  }

  void change_names() {
    const std::string a = some_path();
    const std::string b = some_path();
    switch (below(6)) {
      case 0:
        both("unlink " + a, [&](const std::string& root) { return ::unlink((root + a).c_str()); });
        break;
      case 1:
        both("rename " + a + " " + b,
             [&](const std::string& root) { return ::rename((root + a).c_str(), (root + b).c_str()); });
        break;
      case 2:
        both("rename NOREPLACE " + a + " " + b, [&](const std::string& root) {
          return ::renameat2(AT_FDCWD, (root + a).c_str(), AT_FDCWD, (root + b).c_str(), RENAME_NOREPLACE);
        });
        break;
      case 3:
        both("link " + a + " " + b,
             [&](const std::string& root) { return ::link((root + a).c_str(), (root + b).c_str()); });
        break;
      case 4:
        both("symlink " + b, [&](const std::string& root) { return ::symlink(b.c_str(), (root + b).c_str()); });
        break;
      default:
        both("mkfifo " + a, [&](const std::string& root) { return ::mkfifo((root + a).c_str(), 0640); });
    }
    compare_attributes(a);
    compare_attributes(b);
  }

  void change_directories() {
    const std::string a = some_directory();
    const std::string b = some_directory();
    switch (below(4)) {
      case 0:
      case 1:
        both("mkdir " + a, [&](const std::string& root) { return ::mkdir((root + a).c_str(), 0755); });
        break;
      case 2:
        both("rmdir " + a, [&](const std::string& root) { return ::rmdir((root + a).c_str()); });
        break;
      default:
        both("rename directory " + a + " " + b,
             [&](const std::string& root) { return ::rename((root + a).c_str(), (root + b).c_str()); });
    }
    compare_attributes(a);
  }

  void change_attributes() {
    const std::string path = some_path();
    const timespec times[2] = {
        {static_cast<time_t>(below(kSetTimesBefore)), 1000},
        {static_cast<time_t>(below(kSetTimesBefore)), static_cast<long>(below(1'000'000) * 1000)}};
    const auto mode = static_cast<mode_t>(below(01000));
    const auto owner = static_cast<uid_t>(below(3));
    const auto size = static_cast<off_t>(below(100'000));
    switch (below(4)) {
      case 0:
        both(fmt::format("chmod {:o} {}", mode, path),
             [&](const std::string& root) { return ::fchmodat(AT_FDCWD, (root + path).c_str(), mode, 0); });
        break;
      case 1:
        both("chown " + path, [&](const std::string& root) { return ::lchown((root + path).c_str(), owner, owner); });
        break;
      case 2:
        both("utimensat " + path, [&](const std::string& root) {
          return ::utimensat(AT_FDCWD, (root + path).c_str(), times, 0);  // the test server ignores a link's times
        });
        break;
      default:
        both(fmt::format("truncate {} {}", size, path),
             [&](const std::string& root) { return ::truncate((root + path).c_str(), size); });
    }
    compare_attributes(path);
  }

  void look() {
    const std::string path = some_path();
    compare_attributes(path);
    both("access " + path, [&](const std::string& root) { return ::access((root + path).c_str(), R_OK | W_OK); });
    std::array<std::string, 2> targets;
    int place = 0;
    both("readlink " + path, [&](const std::string& root) {
      std::array<char, 4096> target;
      const ssize_t count = ::readlink((root + path).c_str(), target.data(), target.size());
      targets[place++].assign(target.data(), count < 0 ? 0 : static_cast<std::size_t>(count));
      return count;
    });
    require_same("target", targets[0], targets[1]);
    list(below(2) == 0 ? some_directory() : "shared-a");
  }

  void list(const std::string& directory) {
    last_ = "list " + directory;
    const auto names = [&](const std::string& root) {
      std::vector<std::string> found;
      DIR* stream = ::opendir((root + "/" + directory).c_str());
      if (!stream) {
        return std::vector{std::string(std::strerror(errno))};
      }
      while (const dirent* entry = ::readdir(stream)) {
        const std::string name = entry->d_name;
        if (name.starts_with(prefix_) || !name.starts_with("t")) {
          found.push_back(fmt::format("{} type {}", name, static_cast<int>(entry->d_type)));
        }
      }
      ::closedir(stream);
      std::sort(found.begin(), found.end());
      return found;
    };
    require_same("names", fmt::format("{}", fmt::join(names(game_.tested), ", ")),
                 fmt::format("{}", fmt::join(names(game_.reference), ", ")));
  }

  void compare_bytes() {
    const std::string path = some_path();
    last_ = "read all of " + path;
    const auto bytes = [&](const std::string& root) {
      struct stat status {};
      const std::string whole = root + "/" + path;
      if (::stat(whole.c_str(), &status) != 0 || !S_ISREG(status.st_mode) || status.st_size > 4 << 20) {
        return std::string();
      }
      const int descriptor = ::open(whole.c_str(), O_RDONLY | O_CLOEXEC);
      std::string read = read_all(descriptor);
      ::close(descriptor);
      return read;
    };
    if (bytes(game_.tested) != bytes(game_.reference)) {
      throw Difference("bytes differ");
    }
  }

  void one() {
    const auto dice = below(100);
    if (dice < 18) {
      open_file();
    } else if (dice < 38) {
      write_open();
    } else if (dice < 48) {
      read_open();
    } else if (dice < 52) {
      map_open();
    } else if (dice < 57) {
      change_open();
    } else if (dice < 62 && !opened_.empty()) {
      last_.clear();
      close_one(below(opened_.size()));
    } else if (dice < 75) {
      change_names();
    } else if (dice < 80) {
      change_directories();
    } else if (dice < 88) {
      change_attributes();
    } else if (dice < 94) {
      look();
    } else {
      compare_bytes();
    }
  }

  const ModelGame& game_;
  const std::string prefix_;
  std::mt19937_64 random_;
  std::vector<OpenPair> opened_;
  std::string last_;  // what is being done, for the report
};

}  // namespace

std::string play(const ModelGame& game) {
  for (const std::string& root : {game.tested, game.reference}) {
    std::filesystem::create_directory(root + "/shared-a");
    std::filesystem::create_directory(root + "/shared-b");
  }
  std::mutex mutex;
  std::string first;
  std::atomic<bool> stop{false};
  std::vector<std::jthread> threads;
  for (int number = 0; number < game.threads; ++number) {
    threads.emplace_back([&, number] {
      try {
        Player(game, number).play(game.operations / game.threads, stop);
      } catch (const Difference& difference) {
        std::lock_guard lock(mutex);
        stop = true;
        if (first.empty()) {
          first = fmt::format("seed {}: {}", game.seed, difference.what());
        }
      }
    });
  }
  threads.clear();
  return first.empty() ? compare_trees(game.tested, game.reference) : first;
}

std::string compare_trees(const std::string& tested, const std::string& reference) {
  namespace fs = std::filesystem;
  std::vector<std::string> paths;
  std::vector<std::string> tested_paths;
  for (const auto& entry : fs::recursive_directory_iterator(reference)) {
    paths.push_back(entry.path().lexically_relative(reference));
  }
  for (const auto& entry : fs::recursive_directory_iterator(tested)) {
    tested_paths.push_back(entry.path().lexically_relative(tested));
  }
  std::sort(paths.begin(), paths.end());
  std::sort(tested_paths.begin(), tested_paths.end());
  if (paths != tested_paths) {
    return fmt::format("names differ: tested [{}], reference [{}]", fmt::join(tested_paths, " "),
                       fmt::join(paths, " "));
  }
  for (const std::string& path : paths) {
    struct stat a {};
    struct stat b {};
    ::lstat((tested + "/" + path).c_str(), &a);
    ::lstat((reference + "/" + path).c_str(), &b);
    if (describe(a) != describe(b)) {
      return fmt::format("{}: tested {}, reference {}", path, describe(a), describe(b));
    }
    if (!S_ISREG(b.st_mode) || b.st_size > 4 << 20) {
      continue;
    }
    const int one = ::open((tested + "/" + path).c_str(), O_RDONLY | O_CLOEXEC);
    const int two = ::open((reference + "/" + path).c_str(), O_RDONLY | O_CLOEXEC);
    const bool same = read_all(one) == read_all(two);
    ::close(one);
    ::close(two);
    if (!same) {
      return path + ": bytes differ";
    }
  }
  return "";
}

std::uint64_t test_seed() {
  const char* given = std::getenv("FUSED_TEST_SEED");
  return given ? std::strtoull(given, nullptr, 10) : std::random_device{}();
}

}  // namespace support
