// The mount as a user meets it: files, counted calls, what it tells of itself, the way out.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <set>
#include <vector>

#include "nfsbackend/procedure.h"
#include "tests/integration/mounted_test.h"
#include "tests/support/proxy.h"

namespace fused_integration {
namespace {

using namespace std::chrono_literals;
using support::FusedMount;
using support::read_text;
using support::write_text;

// How many calls of each procedure the daemon sent since the object was made.
class Calls {
 public:
  explicit Calls(const FusedMount& mount) : mount_(mount), before_(mount.stats()["rpc"]) {}

  std::uint64_t of(const std::string& procedure) const {
    return mount_.calls(procedure) - before_[procedure]["calls"].get<std::uint64_t>();
  }
  std::uint64_t all() const {
    std::uint64_t sum = 0;
    nlohmann::json now = mount_.stats()["rpc"];
    for (const auto& [procedure, counters] : now.items()) {
      sum += counters["calls"].get<std::uint64_t>() - before_[procedure]["calls"].get<std::uint64_t>();
    }
    return sum;
  }

 private:
  const FusedMount& mount_;
  nlohmann::json before_;
};

struct stat status_of(const std::filesystem::path& path) {
  struct stat status {};
  EXPECT_EQ(::stat(path.c_str(), &status), 0) << path;
  return status;
}

class Mount : public MountedTest {};

TEST_F(Mount, shows_the_servers_files_and_takes_new_ones) {
  write_text(server().directory() / "from-server", "hello");
  FusedMount mount(target());
  EXPECT_EQ(read_text(mount / "from-server"), "hello");
  write_text(mount / "from-client", "good day");
  EXPECT_EQ(read_text(server().directory() / "from-client"), "good day");
  std::filesystem::rename(mount / "from-client", mount / "renamed");
  std::filesystem::create_directory(mount / "directory");
  EXPECT_TRUE(std::filesystem::is_directory(server().directory() / "directory"));
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(mount.path())) {
    names.insert(entry.path().filename());
  }
  EXPECT_EQ(names, (std::set<std::string>{"directory", "from-server", "renamed"}));
  std::filesystem::remove(mount / "renamed");
  EXPECT_FALSE(std::filesystem::exists(server().directory() / "renamed"));
}

TEST_F(Mount, has_its_type_and_source_in_the_mount_table) {
  FusedMount mount(target());
  support::CommandResult found =
      support::run_command({"findmnt", "--noheadings", "--output", "FSTYPE,SOURCE", mount.path().string()});
  EXPECT_NE(found.output.find("fuse.fused"), std::string::npos) << found.output;
  EXPECT_NE(found.output.find(target().source()), std::string::npos) << found.output;
}

TEST_F(Mount, a_second_stat_within_the_lifetime_sends_nothing) {
  write_text(server().directory() / "file", "text");
  FusedMount mount(target());
  status_of(mount / "file");
  Calls calls(mount);
  status_of(mount / "file");
  EXPECT_EQ(calls.all(), 0u);
}

TEST_F(Mount, a_second_read_without_cto_within_the_lifetime_sends_nothing) {
  write_text(server().directory() / "file", "text");
  FusedMount mount(target(), "nocto");
  read_text(mount / "file");
  Calls calls(mount);
  EXPECT_EQ(read_text(mount / "file"), "text");
  EXPECT_EQ(calls.all(), 0u);
}

TEST_F(Mount, a_second_read_with_cto_sends_one_call_for_each_open) {
  write_text(server().directory() / "file", std::string(100'000, 'x'));
  FusedMount mount(target());
  read_text(mount / "file");
  for (int round = 0; round < 3; ++round) {
    Calls calls(mount);
    EXPECT_EQ(read_text(mount / "file").size(), 100'000u);
    EXPECT_EQ(calls.all(), 1u) << round;
    EXPECT_EQ(calls.of("GETATTR") + calls.of("LOOKUP"), 1u) << round;
  }
}

TEST_F(Mount, a_long_listing_asks_for_pages_and_not_for_each_name) {
  constexpr std::size_t kNames = 4000;
  std::filesystem::create_directory(server().directory() / "many");
  for (std::size_t i = 0; i < kNames; ++i) {
    write_text(server().directory() / "many" / ("a-name-of-usual-length-" + std::to_string(i)), "");
  }
  FusedMount mount(target());
  status_of(mount / "many");
  Calls calls(mount);
  support::CommandResult listed = support::run_command({"ls", "-l", (mount / "many").string()});
  EXPECT_EQ(listed.exit_status, 0) << listed.error;
  EXPECT_EQ(std::count(listed.output.begin(), listed.output.end(), '\n'), static_cast<std::ptrdiff_t>(kNames) + 1);
  constexpr std::size_t kPages = (kNames * 200 + (256 << 10) - 1) / (256 << 10);
  EXPECT_LE(calls.of("READDIRPLUS"), kPages + 1);
  EXPECT_LE(calls.of("GETATTR"), 1u);
  EXPECT_LE(calls.of("LOOKUP"), 1u);
  EXPECT_EQ(calls.of("READDIR"), 0u);
}

TEST_F(Mount, opening_a_file_below_a_known_directory_sends_at_most_one_lookup) {
  std::filesystem::create_directory(server().directory() / "known");
  write_text(server().directory() / "known" / "file", "text");
  FusedMount mount(target());
  status_of(mount / "known");
  Calls calls(mount);
  EXPECT_EQ(read_text(mount / "known" / "file"), "text");
  EXPECT_LE(calls.of("LOOKUP"), 1u);
  EXPECT_EQ(calls.of("GETATTR"), 0u);
  EXPECT_EQ(calls.of("READ"), 1u);
}

TEST_F(Mount, a_small_new_file_is_written_with_one_stable_write) {
  FusedMount mount(target());
  Calls calls(mount);
  write_text(mount / "file", "small");
  EXPECT_EQ(calls.of("WRITE"), 1u);
  EXPECT_EQ(calls.of("COMMIT"), 0u);
}

TEST_F(Mount, counts_agree_with_what_passes_on_the_wire) {
  support::Proxy proxy(server().nfs_port());
  FusedMount mount(target(proxy.port()));
  proxy.reset_calls();
  Calls calls(mount);
  write_text(mount / "file", "text");
  status_of(mount / "file");
  for (std::string_view procedure : nfs::kProcedureNames) {
    std::string name(procedure);
    EXPECT_EQ(calls.of(name), proxy.calls(name)) << name;
  }
}

TEST_F(Mount, an_open_sees_what_another_client_closed_before) {
  write_text(server().directory() / "file", "first");
  FusedMount mount(target());
  EXPECT_EQ(read_text(mount / "file"), "first");
  write_text(server().directory() / "file", "second and longer");
  EXPECT_EQ(read_text(mount / "file"), "second and longer");
  write_text(server().directory() / "young", "replaced");
  std::filesystem::rename(server().directory() / "young", server().directory() / "file");
  EXPECT_EQ(read_text(mount / "file"), "replaced");
}

TEST_F(Mount, a_repeated_call_whose_reply_was_lost_is_a_success) {
  support::Proxy proxy(server().nfs_port());
  FusedMount mount(target(proxy.port()));
  write_text(mount / "file", "text");
  for (const char* procedure : {"MKDIR", "LINK", "SYMLINK", "RENAME", "REMOVE", "RMDIR"}) {
    SCOPED_TRACE(procedure);
    proxy.drop_next_reply(procedure);
    std::filesystem::create_directory(mount / "directory");
    std::filesystem::create_hard_link(mount / "file", mount / "linked");
    std::filesystem::create_symlink("target", mount / "symlink");
    std::filesystem::rename(mount / "linked", mount / "renamed");
    EXPECT_TRUE(std::filesystem::remove(mount / "renamed"));
    EXPECT_TRUE(std::filesystem::remove(mount / "symlink"));
    EXPECT_TRUE(std::filesystem::remove(mount / "directory"));
  }
  EXPECT_EQ(proxy.dropped(), 6u);
}

TEST_F(Mount, a_read_only_mount_refuses_changes) {
  write_text(server().directory() / "file", "text");
  FusedMount mount(target(), "ro");
  EXPECT_EQ(read_text(mount / "file"), "text");
  errno = 0;
  EXPECT_LT(::open((mount / "new").c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0644), 0);
  EXPECT_EQ(errno, EROFS);
}

TEST_F(Mount, tells_its_statistics_under_stable_keys) {
  FusedMount mount(target());
  status_of(mount.path());
  nlohmann::json stats = mount.stats();
  ASSERT_EQ(stats["rpc"].size(), nfs::kProcedureNames.size());
  for (std::string_view procedure : nfs::kProcedureNames) {
    for (const char* key : {"calls", "errors", "retries"}) {
      EXPECT_TRUE(stats["rpc"][std::string(procedure)][key].is_number_unsigned()) << procedure << ' ' << key;
    }
  }
  for (const char* operation : {"LOOKUP", "GETATTR", "OPEN", "READ", "WRITE", "READDIRPLUS", "RELEASE"}) {
    EXPECT_TRUE(stats["fuse"][operation]["calls"].is_number_unsigned()) << operation;
    EXPECT_TRUE(stats["fuse"][operation]["errors"].is_number_unsigned()) << operation;
  }
  for (const char* path : {"/cache/metadata/hits", "/cache/metadata/misses", "/cache/metadata/entries",
                           "/cache/pages/hits", "/cache/pages/misses", "/cache/pages/bytes",
                           "/cache/pages/evicted_bytes", "/prefetch/bytes", "/prefetch/used_bytes", "/memory_bytes"}) {
    nlohmann::json::json_pointer pointer(path);
    ASSERT_TRUE(stats.contains(pointer)) << path;
    EXPECT_TRUE(stats[pointer].is_number()) << path;
  }
}

TEST_F(Mount, tells_its_status_under_stable_keys) {
  FusedMount mount(target(), "actimeo=7");
  nlohmann::json status = mount.status();
  EXPECT_EQ(status["mountpoint"], mount.path().string());
  EXPECT_EQ(status["source"], target().source());
  EXPECT_EQ(status["state"], "ready");
  EXPECT_EQ(status["server"]["state"], "up");
  EXPECT_TRUE(status["server"]["since"].is_number());
  EXPECT_EQ(std::filesystem::path("/proc") / std::to_string(status["pid"].get<pid_t>()) / "exe",
            std::filesystem::path("/proc") / std::to_string(mount.daemon_pid()) / "exe");
  EXPECT_TRUE(status["uptime_seconds"].is_number());
  EXPECT_TRUE(status["options"].is_object());
  for (const char* key : {"directory", "bytes", "limit_bytes"}) {
    EXPECT_TRUE(status["cache"].contains(key)) << key;
  }
}

TEST_F(Mount, umount_writes_out_what_is_dirty_and_ends_the_daemon) {
  FusedMount mount(target());
  write_text(mount / "file", std::string(3'000'000, 'd'));
  support::CommandResult result = mount.unmount();
  EXPECT_EQ(result.exit_status, 0) << result.error;
  EXPECT_FALSE(support::is_mounted(mount.path()));
  EXPECT_TRUE(mount.wait_for_daemon_end(5s));
  EXPECT_EQ(std::filesystem::file_size(server().directory() / "file"), 3'000'000u);
}

TEST_F(Mount, a_busy_mount_stays_until_it_is_unmounted_lazily) {
  FusedMount mount(target());
  int directory = ::open(mount.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  ASSERT_GE(directory, 0);
  support::CommandResult busy = support::run_fused({"umount", mount.path().string()});
  EXPECT_EQ(busy.exit_status, 32);
  EXPECT_EQ(std::count(busy.error.begin(), busy.error.end(), '\n'), 1) << busy.error;
  EXPECT_TRUE(support::is_mounted(mount.path()));
  EXPECT_EQ(support::run_fused({"umount", "--lazy", mount.path().string()}).exit_status, 0);
  EXPECT_FALSE(support::is_mounted(mount.path()));
  ::close(directory);
  EXPECT_TRUE(mount.wait_for_daemon_end(10s));
}

TEST_F(Mount, plain_umount_ends_the_daemon_too) {
  FusedMount mount(target());
  ASSERT_EQ(support::run_command({"umount", mount.path().string()}).exit_status, 0);
  EXPECT_TRUE(mount.wait_for_daemon_end(10s));
}

TEST_F(Mount, a_dead_daemons_mount_can_be_unmounted_and_mounted_over) {
  FusedMount mount(target());
  mount.kill_daemon();
  EXPECT_EQ(support::run_fused({"umount", mount.path().string()}).exit_status, 0);
  EXPECT_FALSE(support::is_mounted(mount.path()));
}

TEST_F(Mount, mount_8_and_a_helpers_name_mount_too) {
  support::TemporaryDirectory place;
  std::filesystem::path helper = std::filesystem::path(support::fused_program()).parent_path() / "mount.fuse.fused";
  support::CommandResult result = support::run_command({helper.string(), target().source(), place.path().string(), "-o",
                                                        target().options("rw,_netdev,nofail,x-test=1")});
  ASSERT_EQ(result.exit_status, 0) << result.error;
  EXPECT_TRUE(support::is_mounted(place.path()));
  EXPECT_EQ(support::run_fused({"umount", place.path().string()}).exit_status, 0);
}

}  // namespace
}  // namespace fused_integration
