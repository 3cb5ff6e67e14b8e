// The backend's small parts: the clock, statuses, names, log escapes, and connect()'s errors.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <chrono>
#include <mutex>
#include <thread>
#include <vector>

#include "nfsbackend/connect.h"
#include "nfsbackend/reply_log.h"
#include "nfsbackend/status.h"
#include "nfsbackend/system_clock.h"
#include "tests/unit/nfsbackend_scripted_server.h"

namespace nfs {
namespace {

using namespace std::chrono_literals;
using test::Answer;
using test::Call;
using test::ScriptedServer;
using test::XdrWriter;
using testing::HasSubstr;

TEST(SystemClockTest, RunsCallbacksInOrderOfTheirTimes) {
  std::promise<void> last;
  std::vector<int> order;
  SystemClock clock;
  MonotonicTime now = clock.now();
  clock.run_at(now + 40ms, [&] {
    order.push_back(3);
    last.set_value();
  });
  clock.run_at(now + 20ms, [&] { order.push_back(2); });
  clock.run_at(now - 1s, [&] { order.push_back(1); });
  last.get_future().wait();
  EXPECT_GE(clock.now(), now + 40ms);
  EXPECT_EQ(order, (std::vector<int>{1, 2, 3}));
}

TEST(SystemClockTest, DropsWhatIsNotDueWhenItGoes) {
  bool ran = false;
  {
    SystemClock clock;
    clock.run_at(clock.now() + 1h, [&] { ran = true; });
  }
  EXPECT_FALSE(ran);
}

TEST(StatusTest, EveryStatusHasANameAndAnErrno) {
  EXPECT_EQ(status_name(Status::kStale), "NFS3ERR_STALE");
  EXPECT_EQ(status_errno(Status::kOk), 0);
  EXPECT_EQ(status_errno(Status::kDquot), EDQUOT);
  EXPECT_EQ(status_errno(Status::kSoftIo), EIO);
  EXPECT_EQ(status_errno(Status::kTimedOut), ETIMEDOUT);
  EXPECT_EQ(status_errno(static_cast<Status>(4242)), EIO);
}

TEST(ReplyLogTest, EscapesWhatTheServerSent) {
  EXPECT_EQ(escape("a\n\x1b\\\xff"), "a\\x0a\\x1b\\x5c\\xff");
  EXPECT_EQ(escape(std::string(400, 'x')).size(), 303U);
}

class ConnectTest : public testing::Test {
 protected:
  std::expected<Connected, ConnectError> try_connect(ScriptedServer* server, std::chrono::milliseconds give_up = 2s,
                                                     const std::string& path = "/export") {
    ConnectOptions options;
    options.host = "127.0.0.1";
    options.export_path = path;
    options.nfs_port = server == nullptr ? 1 : server->port();
    options.mount_port = options.nfs_port;
    options.read_bytes_max = 65'536;
    return connect(options, clock_, give_up);
  }

  SystemClock clock_;
};

// A server for both programs, with this MOUNT status and these flavors.
ScriptedServer::Handler server_of(std::uint32_t mount_status, std::uint32_t flavor) {
  return [=](const Call& call) {
    XdrWriter xdr;
    if (call.program == 100005 && call.procedure == 5) {
      xdr.u32(1).opaque("/export").u32(0).u32(0);
    } else if (call.program == 100005) {
      xdr.u32(mount_status);
      if (mount_status == 0) {
        xdr.opaque("root").u32(1).u32(flavor);
      }
    } else if (call.procedure == 19) {
      xdr.u32(0).u32(0).u32(64 << 20).u32(0).u32(1).u32(0).u32(0).u32(1).u32(0).u64(0).time({0, 1}).u32(0);
    }
    return Answer::results(xdr);
  };
}

TEST_F(ConnectTest, FindsTheRootAndClampsTheLimits) {
  ScriptedServer server(server_of(0, 1));
  auto connected = try_connect(&server);
  ASSERT_TRUE(connected.has_value()) << connected.error().message;
  EXPECT_EQ(connected->root.view(), "root");
  EXPECT_EQ(connected->limits.read_bytes_max, 65'536U);
  EXPECT_GT(connected->limits.write_bytes_max, 0U);
  EXPECT_GT(connected->limits.file_bytes_max, 0U);
}

TEST_F(ConnectTest, SaysWhyItFailed) {
  auto refused = try_connect(nullptr);
  ASSERT_FALSE(refused.has_value());
  EXPECT_THAT(refused.error().message, HasSubstr("127.0.0.1:1 (mountd): connection refused"));
  EXPECT_TRUE(refused.error().transient);

  ScriptedServer without_export(server_of(2, 1));
  auto missing = try_connect(&without_export);
  ASSERT_FALSE(missing.has_value());
  EXPECT_EQ(missing.error().message, "export /export not found on host 127.0.0.1");
  EXPECT_FALSE(missing.error().transient);

  ScriptedServer denying(server_of(13, 1));
  auto denied = try_connect(&denying);
  ASSERT_FALSE(denied.has_value());
  EXPECT_THAT(denied.error().message, HasSubstr("denied"));
  auto unlisted = try_connect(&denying, 2s, "/elsewhere");
  ASSERT_FALSE(unlisted.has_value());
  EXPECT_EQ(unlisted.error().message, "export /elsewhere not found on host 127.0.0.1");

  ScriptedServer kerberos_only(server_of(0, 390003));
  auto flavor = try_connect(&kerberos_only);
  ASSERT_FALSE(flavor.has_value());
  EXPECT_THAT(flavor.error().message, HasSubstr("sec=sys"));
}

TEST_F(ConnectTest, GivesUpOnASilentServerInTime) {
  ScriptedServer silent([](const Call&) { return Answer::silence(); });
  auto begin = clock_.now();
  auto timed_out = try_connect(&silent, 200ms);
  ASSERT_FALSE(timed_out.has_value());
  EXPECT_THAT(timed_out.error().message, HasSubstr("timed out"));
  EXPECT_TRUE(timed_out.error().transient);
  EXPECT_LT(clock_.now() - begin, 2s);
}

TEST_F(ConnectTest, UnknownHostIsNamed) {
  ConnectOptions options;
  options.host = "no-such-host.invalid";
  options.export_path = "/";
  auto unknown = connect(options, clock_, 2s);
  ASSERT_FALSE(unknown.has_value());
  EXPECT_THAT(unknown.error().message, HasSubstr("host no-such-host.invalid not found"));
}

}  // namespace
}  // namespace nfs
