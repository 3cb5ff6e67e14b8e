// The server stops, hangs, dies and comes back.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <thread>
#include <vector>

#include "tests/integration/mounted_test.h"
#include "tests/support/forked_work.h"
#include "tests/support/proxy.h"

namespace fused_integration {
namespace {

using namespace std::chrono_literals;
using support::eventually;
using support::FusedMount;

// A figure of /proc/PID/status, in its own unit.
long process_figure(pid_t pid, const std::string& name) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(name + ":")) {
      return std::stol(line.substr(name.size() + 1));
    }
  }
  return -1;
}

bool stat_works(const std::filesystem::path& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0;
}

class Outage : public MountedTest {
 protected:
  // Files that the mount has read and knows.
  void make_known_files(FusedMount& mount, int count) {
    std::filesystem::create_directory(mount / "known");
    for (int number = 0; number < count; ++number) {
      support::write_text(mount / "known" / std::to_string(number), "known " + std::to_string(number));
    }
    use_known_files(mount, count);
    use_known_files(mount, count);
  }

  static void use_known_files(FusedMount& mount, int count) {
    for (int number = 0; number < count; ++number) {
      ASSERT_TRUE(stat_works(mount / "known" / std::to_string(number)));
      ASSERT_EQ(support::read_text(mount / "known" / std::to_string(number)), "known " + std::to_string(number));
    }
  }
};

// Threads of this process, each stuck in one call on a name of its own.
class ParkedCalls {
 public:
  ParkedCalls(const std::filesystem::path& directory, int count) {
    for (int number = 0; number < count; ++number) {
      threads_.emplace_back([this, path = directory / ("absent" + std::to_string(number))] {
        ++begun_;
        struct stat status {};
        const bool absent = ::stat(path.c_str(), &status) != 0 && errno == ENOENT;
        absent_ += absent ? 1 : 0;
        ++ended_;
      });
    }
  }
  ~ParkedCalls() { join(); }
  void join() {
    for (std::jthread& thread : threads_) {
      if (thread.joinable()) {
        thread.join();
      }
    }
  }
  int begun() const { return begun_; }
  int ended() const { return ended_; }
  int absent() const { return absent_; }

 private:
  std::atomic<int> begun_{0};
  std::atomic<int> ended_{0};
  std::atomic<int> absent_{0};
  std::vector<std::jthread> threads_;
};

TEST_F(Outage, ten_thousand_parked_calls_cost_no_threads_and_little_memory_and_do_not_hold_up_what_is_cached) {
  constexpr int kCalls = 10'000;
  constexpr int kFiles = 100;
  FusedMount mount(target(), "nocto,actimeo=600");
  make_known_files(mount, kFiles);
  const long threads_before = process_figure(mount.daemon_pid(), "Threads");
  const long kibibytes_before = process_figure(mount.daemon_pid(), "VmRSS");
  const std::uint64_t lookups_before = mount.stats()["fuse"]["LOOKUP"]["calls"];
  server().pause();
  ParkedCalls calls(mount.path(), kCalls);
  EXPECT_TRUE(eventually([&] { return mount.stats()["fuse"]["LOOKUP"]["calls"] >= lookups_before + kCalls; }, 60s));
  EXPECT_EQ(calls.ended(), 0);
  EXPECT_LE(process_figure(mount.daemon_pid(), "Threads"), threads_before);
  EXPECT_LT(process_figure(mount.daemon_pid(), "VmRSS") - kibibytes_before, 100 * 1024);
  use_known_files(mount, kFiles);
  EXPECT_EQ(calls.ended(), 0);
  server().resume();
  calls.join();
  EXPECT_EQ(calls.absent(), kCalls);
}

TEST_F(Outage, calls_swallowed_by_the_network_end_when_it_is_back) {
  support::Proxy proxy(server().nfs_port());
  FusedMount mount(target(proxy.port()), "nocto,actimeo=600,timeo=20");
  make_known_files(mount, 20);
  proxy.stall(true);
  ParkedCalls calls(mount.path(), 200);
  std::this_thread::sleep_for(3s);  // longer than timeo: the calls have been sent again, into nothing
  use_known_files(mount, 20);
  EXPECT_EQ(calls.ended(), 0);
  proxy.stall(false);
  calls.join();
  EXPECT_EQ(calls.absent(), 200);
}

TEST_F(Outage, a_soft_mount_fails_calls_in_time_with_its_error) {
  for (const auto& [option, error] : {std::pair{"soft", EIO}, std::pair{"softerr", ETIMEDOUT}}) {
    FusedMount mount(target(), std::string(option) + ",timeo=5,retrans=2");
    ASSERT_TRUE(stat_works(mount.path()));
    server().pause();
    const auto begun = std::chrono::steady_clock::now();
    struct stat status {};
    errno = 0;
    EXPECT_NE(::stat((mount / "absent").c_str(), &status), 0);
    EXPECT_EQ(errno, error) << option;
    const auto took = std::chrono::steady_clock::now() - begun;
    EXPECT_GE(took, 1s) << option;
    EXPECT_LT(took, 10s) << option;
    server().resume();
    EXPECT_TRUE(eventually([&] { return stat_works(mount.path()); }));
  }
}

TEST_F(Outage, status_tells_that_the_server_is_down_and_the_mountpoint_still_answers) {
  FusedMount mount(target(), "timeo=10");
  ASSERT_TRUE(stat_works(mount.path()));
  ASSERT_EQ(support::run_command({"df", mount.path().string()}).exit_status, 0);
  server().pause();
  ParkedCalls calls(mount.path(), 1);
  EXPECT_TRUE(eventually([&] { return mount.status()["server"]["state"] == "down"; }, 30s));
  EXPECT_EQ(support::run_fused({"status", mount.path().string()}).exit_status, 1);
  EXPECT_EQ(support::run_command({"df", mount.path().string()}).exit_status, 0);
  EXPECT_TRUE(stat_works(mount.path()));
  server().resume();
  calls.join();
  EXPECT_TRUE(eventually([&] { return mount.status()["server"]["state"] == "up"; }, 30s));
  EXPECT_EQ(support::run_fused({"status", mount.path().string()}).exit_status, 0);
}

TEST_F(Outage, a_process_stuck_on_a_dead_server_can_be_killed_and_signals_do_not_disturb_others) {
  FusedMount mount(target());
  ASSERT_TRUE(stat_works(mount.path()));
  server().pause();
  support::Subprocess stuck({.arguments = {"stat", (mount / "absent").string()}});
  std::this_thread::sleep_for(300ms);
  // A stop is a signal that kills nobody.
  stuck.send_signal(SIGSTOP);
  stuck.send_signal(SIGCONT);
  EXPECT_FALSE(stuck.wait(1500ms).has_value());
  stuck.send_signal(SIGKILL);
  EXPECT_EQ(stuck.wait(10s), 128 + SIGKILL);
  server().resume();
}

// Threads that write and do not close; the second of each pair waits in fsync.
constexpr const char* kAbortingWriter = R"(
import os, sys, threading, time
def write(number):
    file = os.open(f"{sys.argv[1]}/aborted{number}", os.O_WRONLY | os.O_CREAT, 0o644)
    time.sleep(1)
    os.write(file, b"x")
    if number % 2:
        os.fsync(file)
    time.sleep(60)
for number in range(4):
    threading.Thread(target=write, args=(number,)).start()
time.sleep(1.3)
os.abort()
)";

TEST_F(Outage, a_killed_process_with_unwritten_bytes_ends_though_the_server_is_dead) {
  FusedMount mount(target());
  support::Subprocess writer({.arguments = {"python3", "-c", kAbortingWriter, mount.path().string()}});
  ASSERT_TRUE(eventually([&] { return mount.stats()["fuse"]["CREATE"]["calls"] == 4; }));
  server().pause();
  EXPECT_EQ(writer.wait(20s), 128 + SIGABRT);
  EXPECT_GT(mount.stats()["fuse"]["FLUSH"]["calls"], 0);
  server().resume();
  EXPECT_TRUE(eventually([&] { return support::read_text(server().directory() / "aborted0") == "x"; }));
}

TEST_F(Outage, a_process_that_exits_by_itself_waits_until_its_bytes_are_written) {
  FusedMount mount(target());
  ASSERT_EQ(::close(::open((mount / "file").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644)), 0);
  support::Subprocess writer(
      {.arguments = {"sh", "-c", "exec 3> " + (mount / "file").string() + "; sleep 0.5; echo x >&3"}});
  std::this_thread::sleep_for(250ms);  // the file is open by now; the write is to come
  server().pause();
  EXPECT_FALSE(writer.wait(2s).has_value());
  server().resume();
  EXPECT_EQ(writer.wait(10s), 0);
  EXPECT_EQ(support::read_text(server().directory() / "file"), "x\n");
}

std::string content_of(int number) {
  return std::string(static_cast<std::size_t>(1000 + number * 5000), static_cast<char>('a' + number % 26));
}

// Writes, syncs every other time, and closes. False when any of it failed.
bool write_file(const std::filesystem::path& path, const std::string& text, bool sync) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (file < 0) {
    return false;
  }
  bool good = true;
  for (std::size_t done = 0; done < text.size() && good;) {
    const ssize_t wrote = ::write(file, text.data() + done, std::min<std::size_t>(text.size() - done, 50'000));
    good = wrote > 0;
    done += good ? static_cast<std::size_t>(wrote) : 0;
  }
  good = (!sync || ::fsync(file) == 0) && good;
  return ::close(file) == 0 && good;
}

// Eight threads write the files, named by number, `rounds` times; returns the numbers of those that failed.
std::string write_in_parallel(const std::filesystem::path& directory, int files, int rounds) {
  constexpr int kWriters = 8;
  std::array<std::string, kWriters> failed;
  {
    std::vector<std::jthread> writers;
    for (int writer = 0; writer < kWriters; ++writer) {
      writers.emplace_back([&, writer] {
        for (int turn = writer; turn < files * rounds; turn += kWriters) {
          const int number = turn % files;
          if (!write_file(directory / std::to_string(number), content_of(number), number % 2 == 0)) {
            failed[writer] += std::to_string(number) + " ";
          }
        }
      });
    }
  }
  std::string all;
  for (const std::string& part : failed) {
    all += part;
  }
  return all;
}

TEST_F(Outage, what_close_or_fsync_acknowledged_is_on_the_server_though_it_was_killed_in_the_middle) {
  constexpr int kFiles = 200;
  FusedMount mount(target());
  support::ForkedWork writers([&] { return write_in_parallel(mount.path(), kFiles, 2); });
  int kills = 0;
  while (!writers.ended(300ms)) {
    server().kill_at_once();
    server().start();
    ++kills;
  }
  EXPECT_GT(kills, 0);
  EXPECT_EQ(writers.result(), "") << "a hard mount waits instead of failing";
  for (int number = 0; number < kFiles; ++number) {
    ASSERT_EQ(support::read_text(server().directory() / std::to_string(number)), content_of(number)) << number;
  }
}

}  // namespace
}  // namespace fused_integration
