// What the commands answer when something is wrong: one line that names the cause, the documented code, nothing
// mounted.
#include <algorithm>
#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include "tests/integration/mounted_test.h"
#include "tests/support/proxy.h"

namespace fused_integration {
namespace {

using namespace std::chrono_literals;
using support::CommandResult;
using support::run_fused;

constexpr int kUsage = 1;
constexpr int kMountFailure = 32;

// One line on standard error, with `cause` in it, nothing on standard output.
void expect_refusal(const CommandResult& result, int exit_status, const std::string& cause) {
  EXPECT_EQ(result.exit_status, exit_status) << result.error;
  EXPECT_EQ(result.output, "");
  EXPECT_EQ(std::count(result.error.begin(), result.error.end(), '\n'), 1) << result.error;
  EXPECT_NE(result.error.find(cause), std::string::npos) << "expected '" << cause << "' in: " << result.error;
}

class CommandLine : public MountedTest {
 protected:
  void SetUp() override {
    MountedTest::SetUp();
    std::filesystem::create_directory(mountpoint());
  }

  std::filesystem::path mountpoint() const { return place_.path() / "mnt"; }

  CommandResult mount(const std::string& source, const std::string& options) {
    return run_fused({"mount", "-o", options, source, mountpoint().string()});
  }
  void expect_mount_refusal(const std::string& source, const std::string& options, int exit_status,
                            const std::string& cause) {
    SCOPED_TRACE(source + " -o " + options);
    expect_refusal(mount(source, options), exit_status, cause);
    EXPECT_FALSE(support::is_mounted(mountpoint()));
  }

 private:
  support::TemporaryDirectory place_;
};

TEST_F(CommandLine, an_export_that_does_not_exist) {
  expect_mount_refusal("127.0.0.1:/no/such/export", target().options(""), kMountFailure, "/no/such/export");
}

TEST_F(CommandLine, an_export_that_is_denied) {
  std::string denied = server().denied_directory().string();
  expect_mount_refusal("127.0.0.1:" + denied, target().options(""), kMountFailure, denied);
}

TEST_F(CommandLine, a_host_that_does_not_exist) {
  expect_mount_refusal("no-such-host.invalid:/export", "port=1,mountport=1,retry=0", kMountFailure,
                       "no-such-host.invalid");
}

TEST_F(CommandLine, a_server_that_refuses_the_connection) {
  std::string port = std::to_string(support::free_port());
  expect_mount_refusal(target().source(), "retry=0,port=" + port + ",mountport=" + port, kMountFailure, "refused");
}

TEST_F(CommandLine, a_server_that_never_answers) {
  support::Proxy proxy(server().mount_port());
  proxy.stall(true);
  auto begun = std::chrono::steady_clock::now();
  std::string options =
      "retry=0,port=" + std::to_string(server().nfs_port()) + ",mountport=" + std::to_string(proxy.port());
  expect_mount_refusal(target().source(), options, kMountFailure, "127.0.0.1");
  EXPECT_LT(std::chrono::steady_clock::now() - begun, 45s);
}

TEST_F(CommandLine, a_mountpoint_that_is_missing_or_no_directory) {
  support::TemporaryDirectory place;
  std::string missing = (place.path() / "missing").string();
  expect_refusal(run_fused({"mount", "-o", target().options(""), target().source(), missing}), kMountFailure, missing);
  std::string file = (place.path() / "file").string();
  support::write_text(file, "");
  expect_refusal(run_fused({"mount", "-o", target().options(""), target().source(), file}), kMountFailure, file);
}

TEST_F(CommandLine, a_mountpoint_in_use) {
  support::FusedMount present(target());
  CommandResult again = run_fused({"mount", "-o", target().options(""), target().source(), present.path().string()});
  expect_refusal(again, kMountFailure, present.path().string());
  EXPECT_EQ(present.status()["state"], "ready");
}

TEST_F(CommandLine, a_cache_directory_in_use) {
  support::TemporaryDirectory cache;
  std::string option = "cache=" + cache.path().string();
  support::FusedMount present(target(), option);
  expect_mount_refusal(target().source(), target().options(option), kMountFailure, cache.path().string());
}

TEST_F(CommandLine, an_option_that_is_unknown_or_has_a_wrong_value_is_named) {
  struct Case {
    std::string option;
    std::string cause;
  };
  for (const Case& each :
       {Case{"frobnicate", "frobnicate"}, Case{"frobnicate=7", "frobnicate"}, Case{"rsize=many", "rsize"},
        Case{"actimeo=-1", "actimeo"}, Case{"lookupcache=some", "lookupcache"}, Case{"nconnect=17", "nconnect"},
        Case{"nconnect=0", "nconnect"}, Case{"port=70000", "port"}, Case{"vers=4", "vers"}, Case{"proto=udp", "proto"},
        Case{"sec=krb5", "sec"}, Case{"lock", "lock"}, Case{"perm=mine", "perm"}, Case{"memsize=1X", "memsize"},
        Case{"acregmin=9,acregmax=3", "acregm"}, Case{"hard=1", "hard"}, Case{"timeo", "timeo"}}) {
    expect_mount_refusal(target().source(), target().options(each.option), kUsage, each.cause);
  }
}

TEST_F(CommandLine, wrong_usage) {
  expect_refusal(run_fused({"mount", target().source()}), kUsage, "");
  expect_refusal(run_fused({"mount", "no-colon", mountpoint().string()}), kUsage, "no-colon");
  expect_refusal(run_fused({"mount", "--frobnicate", target().source(), mountpoint().string()}), kUsage, "frobnicate");
  expect_refusal(run_fused({"frobnicate"}), kUsage, "frobnicate");
  expect_refusal(run_fused({}), kUsage, "");
}

TEST_F(CommandLine, what_is_not_mounted) {
  expect_refusal(run_fused({"umount", mountpoint().string()}), kMountFailure, mountpoint().string());
  EXPECT_EQ(run_fused({"status", "--json", mountpoint().string()}).exit_status, 2);
  EXPECT_NE(run_fused({"stats", "--json", mountpoint().string()}).exit_status, 0);
}

TEST_F(CommandLine, version_and_help_answer) {
  CommandResult version = run_fused({"version"});
  EXPECT_EQ(version.exit_status, 0);
  EXPECT_NE(version.output.find("fused"), std::string::npos);
  CommandResult help = run_fused({"help"});
  EXPECT_EQ(help.exit_status, 0);
  for (const char* command : {"mount", "umount", "status", "stats", "version", "help"}) {
    EXPECT_NE(help.output.find(command), std::string::npos) << command;
    EXPECT_EQ(run_fused({"help", command}).exit_status, 0) << command;
  }
}

}  // namespace
}  // namespace fused_integration
