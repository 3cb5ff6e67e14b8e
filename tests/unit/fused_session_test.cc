// The FUSE session on a real /dev/fuse, over the fake server: what only the kernel can tell.
//
// The mount is used by other processes only: a thread of this one that waited in the kernel for its own answer could
// not be ended. Needs root and /dev/fuse; skips loudly without.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "cache/caching_file_system.h"
#include "fused/caller_credentials.h"
#include "fused/fuse_session.h"
#include "fused/interrupt_watch.h"
#include "fused/kernel_notifications.h"
#include "fused/mount_table.h"
#include "nfsbackend/system_clock.h"
#include "tests/support/fake_server.h"
#include "tests/support/temporary_directory.h"

namespace fused {
namespace {

using namespace std::chrono_literals;
using nfs::Procedure;

class MountedFake {
 public:
  explicit MountedFake(bool readdirplus = true)
      : callers_(clock_), interrupts_(clock_, thread_is_ending), session_(options(readdirplus), counters_) {
    notifications_ = std::make_unique<KernelNotifications>(session_);
    cache::Options cache_options;
    cache_options.readdirplus = readdirplus;
    file_system_ = cache::make_caching_file_system({server_, clock_, *notifications_}, server_.root(), cache_options);
    OperationContext context{*file_system_, callers_, interrupts_, counters_};
    context_ = std::make_unique<OperationContext>(context);
  }
  ~MountedFake() {
    server_.release_all();
    if (mounted_) {
      unmount(path(), /*lazy=*/true);
    }
    session_.stop();
    // Ends at once: the fake server answers in this thread.
    file_system_->drain().detach();
  }
  MountedFake(const MountedFake&) = delete;
  MountedFake& operator=(const MountedFake&) = delete;

  std::expected<void, std::string> mount() {
    auto mounted = session_.mount();
    mounted_ = mounted.has_value();
    if (mounted_) {
      session_.start(*context_);
      EXPECT_TRUE(session_.wait_until_ready(10s));
    }
    return mounted;
  }

  std::string path() const { return directory_.path(); }
  support::FakeServer& server() { return server_; }
  FuseSession& session() { return session_; }
  InterruptWatch& interrupts() { return interrupts_; }
  KernelNotifications& notifications() { return *notifications_; }
  OperationCounters counters(const std::string& operation) { return counters_.statistics().at(operation); }

 private:
  SessionOptions options(bool readdirplus) const {
    SessionOptions options;
    options.mount.source = "fake:/";
    options.mount.mountpoint = path();
    options.mount.allow_other = true;
    options.readdirplus = readdirplus;
    return options;
  }

  support::TemporaryDirectory directory_;
  nfs::SystemClock clock_;
  support::FakeServer server_;
  FuseCounters counters_;
  CallerCredentials callers_;
  InterruptWatch interrupts_;
  FuseSession session_;
  std::unique_ptr<KernelNotifications> notifications_;
  std::unique_ptr<cache::FileSystem> file_system_;
  std::unique_ptr<OperationContext> context_;
  bool mounted_ = false;
};

#define MOUNT_OR_SKIP(mounted)                                       \
  if (::geteuid() != 0 || ::access("/dev/fuse", R_OK | W_OK) != 0) { \
    GTEST_SKIP() << "needs root and /dev/fuse";                      \
  }                                                                  \
  if (auto result = (mounted).mount(); !result) {                    \
    GTEST_SKIP() << "cannot mount here: " << result.error();         \
  }                                                                  \
  static_assert(true)

pid_t start_shell(const std::string& command) {
  const char* arguments[] = {"sh", "-c", command.c_str(), nullptr};
  pid_t pid = 0;
  EXPECT_EQ(::posix_spawnp(&pid, "sh", nullptr, nullptr, const_cast<char**>(arguments), environ), 0);
  return pid;
}

// The exit code of a child, -1 when it was killed, -2 when it has not ended in time.
int wait_for_end(pid_t child, std::chrono::milliseconds limit = 20s) {
  auto give_up_at = std::chrono::steady_clock::now() + limit;
  int status = 0;
  while (::waitpid(child, &status, WNOHANG) == 0) {
    if (std::chrono::steady_clock::now() > give_up_at) {
      return -2;
    }
    std::this_thread::sleep_for(5ms);
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int shell(const std::string& command) {
  return wait_for_end(start_shell(command));
}

// Processes that each look up another name that does not exist.
std::vector<pid_t> start_lookups(const std::string& directory, std::size_t count) {
  std::vector<pid_t> children(count);
  for (std::size_t i = 0; i < count; ++i) {
    children[i] = start_shell("stat " + directory + "/absent" + std::to_string(i) + " 2> /dev/null");
  }
  return children;
}

TEST(FuseSession, ServesAWholeSmallSession) {
  MountedFake fake;
  MOUNT_OR_SKIP(fake);
  fake.server().files()->make_directory("d");
  fake.server().files()->write_file("d/a", "hello");
  EXPECT_EQ(shell("set -e; cd " + fake.path() +
                  "; test \"$(cat d/a)\" = hello; test \"$(ls d)\" = a; echo more > d/b; mv d/b d/c; ln d/c d/e;"
                  " ln -s c d/s; test \"$(readlink d/s)\" = c; mkfifo d/p; test -p d/p; truncate -s 3 d/a;"
                  " test \"$(cat d/a)\" = hel; chmod 600 d/a; rm d/c d/e; mkdir n; rmdir n; stat -f . > /dev/null"),
            0);
  EXPECT_EQ(shell("stat " + fake.path() + "/absent 2> /dev/null"), 1);
  EXPECT_EQ(fake.counters("INIT").calls, 1U);
  EXPECT_GT(fake.counters("LOOKUP").errors, 0U);
  EXPECT_EQ(fake.counters("READDIR").calls, 0U);
  EXPECT_GT(fake.counters("READDIRPLUS").calls, 0U);
}

TEST(FuseSession, ListsWithoutAttributesWhereAskedTo) {
  MountedFake fake(/*readdirplus=*/false);
  MOUNT_OR_SKIP(fake);
  fake.server().files()->make_directory("d");
  for (int i = 0; i < 1000; ++i) {
    fake.server().files()->write_file("d/name" + std::to_string(i), "");
  }
  EXPECT_EQ(shell("test \"$(ls -f " + fake.path() + "/d | wc -l)\" = 1002"), 0);
  EXPECT_GT(fake.counters("READDIR").calls, 0U);
  EXPECT_EQ(fake.counters("READDIRPLUS").calls, 0U);
}

TEST(FuseSession, LooksUpNamesOfOneDirectorySideBySide) {
  MountedFake fake;
  MOUNT_OR_SKIP(fake);
  fake.server().hold_replies(Procedure::kLookup);
  std::vector<pid_t> children = start_lookups(fake.path(), 4);
  fake.server().wait_until_parked(Procedure::kLookup, 4);
  fake.server().release_all();
  for (pid_t child : children) {
    EXPECT_EQ(wait_for_end(child), 1);
  }
}

TEST(FuseSession, AnswersWhatIsCachedWhileOthersWait) {
  MountedFake fake;
  MOUNT_OR_SKIP(fake);
  fake.server().files()->write_file("a", "hello");
  EXPECT_EQ(shell("stat " + fake.path() + "/a > /dev/null"), 0);
  fake.server().hold_all_requests();
  std::vector<pid_t> children = start_lookups(fake.path(), 20);
  fake.server().wait_until_parked(Procedure::kLookup, 20);
  EXPECT_EQ(shell("stat " + fake.path() + "/a > /dev/null"), 0);
  fake.server().release_all();
  for (pid_t child : children) {
    EXPECT_EQ(wait_for_end(child), 1);
  }
}

TEST(FuseSession, LetsAKilledProcessGoWhileItsRequestWaits) {
  MountedFake fake;
  MOUNT_OR_SKIP(fake);
  fake.server().files()->write_file("a", "hello");
  fake.server().hold_replies(Procedure::kLookup);
  pid_t child = start_shell("exec stat " + fake.path() + "/a > /dev/null");
  fake.server().wait_until_parked(Procedure::kLookup, 1);
  ::kill(child, SIGCHLD);  // harmless: must not be answered
  EXPECT_EQ(wait_for_end(child, 700ms), -2);
  ::kill(child, SIGKILL);  // the kernel sends no second INTERRUPT
  EXPECT_EQ(wait_for_end(child, 5s), -1);
  EXPECT_EQ(fake.interrupts().parked(), 0U);
  EXPECT_EQ(fake.counters("LOOKUP").errors, 1U);
  // The late answer finds nobody and gives its lookup back.
  fake.server().release_all();
  EXPECT_EQ(shell("test \"$(cat " + fake.path() + "/a)\" = hello"), 0);
}

TEST(FuseSession, GivesUpOnExtendedAttributesAfterTheFirstQuestion) {
  MountedFake fake;
  MOUNT_OR_SKIP(fake);
  fake.server().files()->write_file("a", "hello");
  for (int i = 0; i < 3; ++i) {
    shell("ls -l " + fake.path() + "/a > /dev/null; cp -a " + fake.path() + "/a /dev/null 2> /dev/null");
  }
  EXPECT_LE(fake.counters("GETXATTR").calls, 1U);
  EXPECT_LE(fake.counters("LISTXATTR").calls, 1U);
  EXPECT_EQ(fake.counters("GETXATTR").errors, fake.counters("GETXATTR").calls);
}

TEST(FuseSession, EndsWhenItIsUnmountedByOthers) {
  MountedFake fake;
  std::atomic<bool> ended{false};
  fake.session().on_end([&ended] { ended = true; });
  MOUNT_OR_SKIP(fake);
  EXPECT_EQ(shell("umount " + fake.path()), 0);
  for (int i = 0; i < 1000 && !ended; ++i) {
    std::this_thread::sleep_for(5ms);
  }
  EXPECT_TRUE(ended);
}

TEST(KernelNotifications, MakeTheKernelForgetANameAtOnce) {
  MountedFake fake;
  MOUNT_OR_SKIP(fake);
  fake.server().files()->write_file("a", "hello");
  std::string look = "stat " + fake.path() + "/a > /dev/null";
  EXPECT_EQ(shell(look + "; " + look), 0);
  std::uint64_t before = fake.counters("LOOKUP").calls;
  fake.notifications().invalidate_name(cache::kRootNode, "a");
  for (int i = 0; i < 1000 && fake.counters("LOOKUP").calls == before; ++i) {
    EXPECT_EQ(shell(look), 0);
  }
  EXPECT_GT(fake.counters("LOOKUP").calls, before);
  before = fake.counters("LOOKUP").calls;
  if (fake.notifications().distrust_all_names_now()) {
    EXPECT_EQ(shell(look), 0);
    EXPECT_GT(fake.counters("LOOKUP").calls, before);
  }
}

}  // namespace
}  // namespace fused
