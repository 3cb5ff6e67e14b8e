// The parts of the program that need no mount: credentials, interrupts, the mount table, conversions, reports.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/fuse.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <numeric>
#include <thread>

#include "fused/caller_credentials.h"
#include "fused/control_client.h"
#include "fused/control_server.h"
#include "fused/conversions.h"
#include "fused/fuse_counters.h"
#include "fused/interrupt_watch.h"
#include "fused/mount_table.h"
#include "fused/report_text.h"
#include "fused/startup_report.h"
#include "fused/state_files.h"
#include "tests/support/fake_clock.h"
#include "tests/support/temporary_directory.h"

namespace fused {
namespace {

using namespace std::chrono_literals;

// ---- CallerCredentials ----

int give_no_groups(std::span<std::uint32_t>) {
  return 0;
}

TEST(CallerCredentials, CarryTheFirstSixteenGroups) {
  support::FakeClock clock;
  CallerCredentials callers(clock);
  nfs::Credentials who = callers.of(7, 1000, 100, [](std::span<std::uint32_t> groups) {
    std::iota(groups.begin(), groups.end(), 50U);
    return 40;  // more than fit
  });
  EXPECT_EQ(who.uid, 1000U);
  EXPECT_EQ(who.gid, 100U);
  EXPECT_EQ(who.group_count, 16U);
  EXPECT_EQ(who.groups[15], 65U);
}

TEST(CallerCredentials, RememberGroupsForASecond) {
  support::FakeClock clock;
  CallerCredentials callers(clock);
  int reads = 0;
  auto read_groups = [&reads](std::span<std::uint32_t> groups) {
    ++reads;
    groups[0] = 5;
    return 1;
  };
  callers.of(7, 1000, 100, read_groups);
  clock.advance(999ms);
  EXPECT_EQ(callers.of(7, 1000, 100, read_groups).groups[0], 5U);
  EXPECT_EQ(reads, 1);
  clock.advance(1ms);
  callers.of(7, 1000, 100, read_groups);
  EXPECT_EQ(reads, 2);
  callers.of(8, 1000, 100, read_groups);  // another thread
  callers.of(7, 1001, 100, read_groups);  // the same thread after setuid(2)
  EXPECT_EQ(reads, 4);
}

TEST(CallerCredentials, OfUnknownThreadsAndUnreadableGroupsHaveNone) {
  support::FakeClock clock;
  CallerCredentials callers(clock);
  EXPECT_EQ(callers
                .of(0, 1000, 100,
                    [](std::span<std::uint32_t>) -> int {
                      ADD_FAILURE() << "the groups of thread 0 were asked for";
                      return 0;
                    })
                .group_count,
            0U);
  EXPECT_EQ(callers.of(9, 1000, 100, [](std::span<std::uint32_t>) { return -ENOENT; }).group_count, 0U);
}

TEST(CallerCredentials, StayBounded) {
  support::FakeClock clock;
  CallerCredentials callers(clock);
  for (std::uint32_t thread = 1; thread < 3 * CallerCredentials::kThreadsMax; ++thread) {
    EXPECT_EQ(callers.of(thread, thread, 1, give_no_groups).uid, thread);
  }
}

// ---- InterruptWatch ----

struct WatchedRequest {
  explicit WatchedRequest(InterruptWatch& interrupts, std::uint32_t thread_id = 42) {
    request = interrupts.park(thread_id, [this] { ++answers; });
    InterruptWatch::arm(*request);
  }
  int answers = 0;
  std::shared_ptr<ParkedRequest> request;
};

TEST(InterruptWatch, LeavesARequestAloneWhileItsThreadLives) {
  support::FakeClock clock;
  bool ending = false;
  InterruptWatch interrupts(clock, [&ending](std::uint32_t) { return ending; });
  WatchedRequest parked(interrupts);
  interrupts.on_interrupt(InterruptWatch::id_of(*parked.request));  // say, SIGCHLD
  clock.advance(10s);
  EXPECT_EQ(parked.answers, 0);
  ending = true;  // and later SIGKILL, of which the kernel says nothing
  clock.advance(InterruptWatch::kInterval);
  EXPECT_EQ(parked.answers, 1);
  EXPECT_EQ(interrupts.parked(), 0U);
  EXPECT_FALSE(parked.request->claim());
  clock.advance(10s);
  EXPECT_EQ(parked.answers, 1);
  EXPECT_EQ(clock.waiting(), 0U);
}

TEST(InterruptWatch, DoesNotAnswerWhatItsOperationHasAnswered) {
  support::FakeClock clock;
  InterruptWatch interrupts(clock, [](std::uint32_t) { return true; });
  WatchedRequest parked(interrupts);
  interrupts.on_interrupt(InterruptWatch::id_of(*parked.request));
  interrupts.unpark(*parked.request);
  EXPECT_TRUE(parked.request->claim());
  clock.advance(10s);
  EXPECT_EQ(parked.answers, 0);
  EXPECT_EQ(clock.waiting(), 0U);
}

TEST(InterruptWatch, WaitsUntilTheRequestIsArmed) {
  support::FakeClock clock;
  InterruptWatch interrupts(clock, [](std::uint32_t) { return true; });
  int answers = 0;
  auto request = interrupts.park(42, [&answers] { ++answers; });
  interrupts.on_interrupt(InterruptWatch::id_of(*request));
  clock.advance(1s);
  EXPECT_EQ(answers, 0);
  InterruptWatch::arm(*request);
  clock.advance(InterruptWatch::kInterval);
  EXPECT_EQ(answers, 1);
}

TEST(InterruptWatch, NeverAnswersForAnUnknownThread) {
  support::FakeClock clock;
  InterruptWatch interrupts(clock, [](std::uint32_t) { return true; });
  WatchedRequest parked(interrupts, 0);
  interrupts.on_interrupt(InterruptWatch::id_of(*parked.request));
  clock.advance(10s);
  EXPECT_EQ(parked.answers, 0);
}

TEST(InterruptWatch, MayGoWhileItWatches) {
  support::FakeClock clock;
  auto interrupts = std::make_unique<InterruptWatch>(clock, [](std::uint32_t) { return false; });
  WatchedRequest parked(*interrupts);
  interrupts->on_interrupt(InterruptWatch::id_of(*parked.request));
  interrupts.reset();
  clock.advance(10s);
  EXPECT_EQ(parked.answers, 0);
}

TEST(ThreadStatus, TellsPendingKillsAndZombies) {
  EXPECT_FALSE(status_tells_ending("Name:\tcat\nState:\tS (sleeping)\nSigPnd:\t0000000000010000\nShdPnd:\t0\n"));
  EXPECT_TRUE(status_tells_ending("State:\tS (sleeping)\nSigPnd:\t0000000000000100\nShdPnd:\t0\n"));
  EXPECT_TRUE(status_tells_ending("State:\tS (sleeping)\nSigPnd:\t0\nShdPnd:\t0000000000000100\n"));
  EXPECT_TRUE(status_tells_ending("State:\tZ (zombie)\nSigPnd:\t0\n"));
  EXPECT_FALSE(status_tells_ending("Name:\tZX State:\nState:\tD (disk sleep)\n"));
  EXPECT_TRUE(stat_tells_killed("12 (a) b) S 1 12 12 0 -1 4194308 5 6"));
  EXPECT_FALSE(stat_tells_killed("12 (a) b) S 1 12 12 0 -1 4194308 5 256")) << "it exits by itself";
  EXPECT_FALSE(stat_tells_killed("12 (a) b) S 1 12 12 0 -1 4194304 5 6"));
  EXPECT_FALSE(stat_tells_killed(""));
  EXPECT_FALSE(thread_is_ending(static_cast<std::uint32_t>(::getpid())));
  EXPECT_TRUE(thread_is_ending(0x7fffffff));
}

// ---- Mount table ----

TEST(MountTable, ReadsEscapedNamesAndOptionalFields) {
  auto table = parse_mount_table(
      "36 25 0:98 / /mnt/a\\040b\\134 rw,nosuid shared:7 master:1 - fuse.fused nas:/ex\\011port rw,user_id=0\n"
      "37 25 8:1 / /mnt rw - ext4 /dev/sda1 rw\n"
      "garbage\n");
  ASSERT_EQ(table.size(), 2U);
  EXPECT_EQ(table[0].mountpoint, "/mnt/a b\\");
  EXPECT_EQ(table[0].source, "nas:/ex\tport");
  EXPECT_EQ(table[0].type, kMountType);
  EXPECT_EQ(table[0].device_major, 0U);
  EXPECT_EQ(table[0].device_minor, 98U);
  EXPECT_EQ(table[1].device_major, 8U);
}

TEST(MountTable, FindsTheRoot) {
  EXPECT_TRUE(find_mount("/").has_value());
  EXPECT_FALSE(find_mount("/no such mountpoint").has_value());
}

TEST(ProbePath, TellsTheErrorOrTheDevice) {
  EXPECT_EQ(probe_path("/no such path", 10).error, ENOENT);
  PathProbe probe = probe_path("/proc", 10);
  EXPECT_EQ(probe.error, 0);
  EXPECT_TRUE(probe.is_directory);
}

// ---- Conversions ----

TEST(Conversions, GiveProgramsWhatTheServerSaid) {
  cache::NodeAttributes attributes;
  attributes.inode = 77;
  attributes.attributes.type = nfs::FileType::kCharacter;
  attributes.attributes.mode = 04755;
  attributes.attributes.size = ~0ULL;
  attributes.attributes.used = 513;
  attributes.attributes.rdev = {300, 70'000};
  attributes.attributes.mtime = {0xffffffffU, 999'999'999};
  struct stat stat = to_stat(attributes, 65536);
  EXPECT_EQ(stat.st_ino, 77U);
  EXPECT_EQ(stat.st_mode, static_cast<mode_t>(S_IFCHR | 04755));
  EXPECT_EQ(stat.st_size, std::numeric_limits<off_t>::max());
  EXPECT_EQ(stat.st_blocks, 2);
  EXPECT_EQ(stat.st_blksize, 65536);
  EXPECT_EQ(major(stat.st_rdev), 300U);
  EXPECT_EQ(minor(stat.st_rdev), 70'000U);
  EXPECT_EQ(stat.st_mtim.tv_sec, 0xffffffffL);
  EXPECT_EQ(stat.st_mtim.tv_nsec, 999'999'999);
}

TEST(Conversions, KeepAbsentNamesAndLifetimes) {
  cache::Entry entry;
  entry.name_lifetime = 1500ms;
  fuse_entry_param param = to_entry_param(entry, 4096);
  EXPECT_EQ(param.ino, 0U);
  EXPECT_DOUBLE_EQ(param.entry_timeout, 1.5);
}

TEST(Conversions, ClampTimesToWhatTheProtocolCarries) {
  EXPECT_EQ(to_time({-1, 5}), (nfs::Time{0, 0}));
  EXPECT_EQ(to_time({1LL << 33, 5}), (nfs::Time{0xffffffffU, 0}));
  EXPECT_EQ(to_time({12, 34}), (nfs::Time{12, 34}));
}

TEST(Conversions, TakeOnlyTheAttributesToBeSet) {
  struct stat stat {};
  stat.st_mode = S_IFREG | 0640;
  stat.st_size = 5;
  stat.st_mtim.tv_sec = 9;
  nfs::SetAttributes changes = to_set_attributes(stat, FUSE_SET_ATTR_MODE | FUSE_SET_ATTR_MTIME);
  EXPECT_EQ(changes.mode, 0640U);
  EXPECT_FALSE(changes.size || changes.uid || changes.gid || changes.atime);
  EXPECT_EQ(changes.mtime->time.seconds, 9U);
  changes = to_set_attributes(
      stat, FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_ATIME_NOW | FUSE_SET_ATTR_MTIME | FUSE_SET_ATTR_MTIME_NOW);
  EXPECT_TRUE(changes.atime->server_now && changes.mtime->server_now);
  EXPECT_FALSE(changes_anything(to_set_attributes(stat, FUSE_SET_ATTR_CTIME)));
}

TEST(Conversions, ReadOpenFlags) {
  cache::OpenFlags flags = to_open_flags(O_RDWR | O_APPEND | O_DIRECT | O_DSYNC);
  EXPECT_TRUE(flags.read && flags.write && flags.append && flags.direct && flags.synchronous);
  EXPECT_FALSE(flags.truncate || flags.execute);
  flags = to_open_flags(O_WRONLY | O_TRUNC);
  EXPECT_TRUE(!flags.read && flags.write && flags.truncate);
  EXPECT_TRUE(to_open_flags(0x20).execute);
}

TEST(Conversions, KnowTheNodesThatMknodMakes) {
  EXPECT_EQ(to_node_kind(S_IFIFO | 0600, 0)->type, nfs::FileType::kFifo);
  EXPECT_EQ(to_node_kind(S_IFSOCK, 0)->type, nfs::FileType::kSocket);
  EXPECT_EQ(to_node_kind(S_IFBLK, makedev(8, 17))->device, (nfs::DeviceNumber{8, 17}));
  EXPECT_FALSE(to_node_kind(S_IFREG, 0).has_value());
  EXPECT_FALSE(to_node_kind(S_IFDIR, 0).has_value());
}

// ---- Counters, reports, messages ----

TEST(FuseCounters, CountByTheKernelsNames) {
  FuseCounters counters;
  counters.count_call(FUSE_LOOKUP);
  counters.count_call(FUSE_LOOKUP);
  counters.count_error(FUSE_LOOKUP);
  counters.count_call(4096);  // CUSE_INIT is none of ours
  FuseStatistics statistics = counters.statistics();
  EXPECT_EQ(statistics.at("LOOKUP").calls, 2U);
  EXPECT_EQ(statistics.at("LOOKUP").errors, 1U);
  EXPECT_EQ(statistics.at("READDIRPLUS").calls, 0U);
  EXPECT_TRUE(is_served(FUSE_READ));
  EXPECT_FALSE(is_served(FUSE_GETXATTR));
}

TEST(StatisticsText, ShowsOnlyWhatHappenedSinceBefore) {
  nlohmann::json before = {{"mountpoint", "/mnt"},
                           {"rpc", {{"READ", {{"calls", 3}, {"errors", 0}, {"retries", 0}}}}},
                           {"fuse", {{"READ", {{"calls", 3}, {"errors", 0}}}}},
                           {"cache",
                            {{"metadata", {{"hits", 1}, {"misses", 2}, {"entries", 4}}},
                             {"pages", {{"hits", 0}, {"misses", 0}, {"bytes", 0}, {"evicted_bytes", 0}}}}},
                           {"open_files", 1},
                           {"dirty_bytes", 0},
                           {"memory_bytes", 2048}};
  nlohmann::json after = before;
  after["fuse"]["READ"]["calls"] = 10;
  std::string text = statistics_text(after, before);
  EXPECT_EQ(text.find("READ"), text.rfind("READ")) << "the unchanged RPC row should be missing:\n" << text;
  EXPECT_NE(text.find('7'), std::string::npos) << text;
  EXPECT_NE(text.find("2.0 KiB"), std::string::npos) << text;
}

TEST(StartupReport, ArrivesThroughThePipe) {
  auto send = [](void (*say)(StartupReport&)) {
    int ends[2];
    EXPECT_EQ(::pipe(ends), 0);
    UniqueDescriptor reading(ends[0]);
    {
      StartupReport report{UniqueDescriptor(ends[1])};
      say(report);
    }
    return wait_for_report(reading);
  };
  EXPECT_TRUE(send([](StartupReport& report) { report.ready(); }).ready);
  StartupOutcome failed = send([](StartupReport& report) { report.failed(32, "no such export"); });
  EXPECT_FALSE(failed.ready);
  EXPECT_EQ(failed.exit_code, 32);
  EXPECT_EQ(failed.reason, "no such export");
  StartupOutcome background = send([](StartupReport& report) {
    report.in_background("refused");
    report.failed(32, "too late to be heard");
  });
  EXPECT_FALSE(background.ready);
  EXPECT_EQ(background.exit_code, 0);
  EXPECT_EQ(background.reason, "refused");
  EXPECT_EQ(send([](StartupReport&) {}).exit_code, 32);
}

// ---- Files and the control socket ----

TEST(CacheDirectory, IsTakenByOneAtATime) {
  support::TemporaryDirectory directory;
  std::string path = directory.path() / "deep" / "cache";
  auto first = lock_cache_directory(path);
  ASSERT_TRUE(first.has_value()) << first.error();
  auto second = lock_cache_directory(path);
  ASSERT_FALSE(second.has_value());
  EXPECT_NE(second.error().find("in use"), std::string::npos) << second.error();
  first->reset();
  EXPECT_TRUE(lock_cache_directory(path).has_value());
}

TEST(CacheDirectory, MustBeADirectory) {
  support::TemporaryDirectory directory;
  support::write_text(directory.path() / "file", "");
  auto lock = lock_cache_directory(directory.path() / "file");
  ASSERT_FALSE(lock.has_value());
  EXPECT_NE(lock.error().find("not a directory"), std::string::npos) << lock.error();
}

TEST(SillyJournal, LiesInTheCacheDirectoryOrUnderAnUnmistakableName) {
  EXPECT_EQ(silly_journal_path("/c", "nas:/x", "/mnt"), "/c/silly");
  std::string one = silly_journal_path("", "nas:/x", "/mnt");
  EXPECT_NE(one, silly_journal_path("", "nas:/x", "/mnt2"));
  EXPECT_EQ(one.find('/', state_directory().size() + 1), std::string::npos) << one;
}

TEST(ControlClient, TellsADeadDaemonFromASilentOne) {
  support::TemporaryDirectory directory;
  std::string path = directory.path() / "socket";
  ControlAnswer answer = control_get(path, "/status");
  ASSERT_FALSE(answer.has_value());
  EXPECT_EQ(answer.error().failure, ControlFailure::kNoDaemon);

  HttpService service;
  ASSERT_TRUE(service.bind_unix(path));  // connections queue, nobody answers
  answer = control_get(path, "/status", 1s);
  ASSERT_FALSE(answer.has_value());
  EXPECT_EQ(answer.error().failure, ControlFailure::kNoAnswer);
}

}  // namespace
}  // namespace fused
