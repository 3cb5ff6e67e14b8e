// The libnfs client against a scripted server: what goes over the wire, what comes of lost, late, repeated and
// malformed replies.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "nfsbackend/libnfs_client.h"
#include "nfsbackend/system_clock.h"
#include "tests/unit/nfsbackend_scripted_server.h"

namespace nfs {
namespace {

using namespace std::chrono_literals;
using test::Answer;
using test::Call;
using test::ScriptedServer;
using test::wait_for;
using test::XdrReader;
using test::XdrWriter;

constexpr std::uint32_t kGetattr = 1;
constexpr std::uint32_t kLookup = 3;
constexpr std::uint32_t kMkdir = 9;

FileHandle handle(std::string_view text) {
  return FileHandle(std::as_bytes(std::span(text.data(), text.size())));
}

XdrWriter attributes_result() {
  XdrWriter xdr;
  xdr.u32(0).attributes(FileType::kRegular, {1, 2});
  return xdr;
}

XdrWriter failure(Status status, int absent_parts) {
  XdrWriter xdr;
  xdr.u32(static_cast<std::uint32_t>(status));
  for (int i = 0; i < absent_parts; ++i) {
    xdr.u32(0);
  }
  return xdr;
}

XdrWriter lookup_result(std::string_view object, FileType type, Time atime) {
  XdrWriter xdr;
  xdr.u32(0).opaque(object).u32(1).attributes(type, atime).u32(0);
  return xdr;
}

// The server's handler is set by each test; the first call of a procedure in `lost` is answered by hanging up.
class TransportTest : public testing::Test {
 protected:
  void start(ScriptedServer::Handler handler, TransportOptions options = {}) {
    server_ = std::make_unique<ScriptedServer>([this, handler = std::move(handler)](const Call& call) {
      calls_.push_back(call);
      if (lost_.erase(call.procedure) != 0) {
        handler(call);
        return Answer::hang_up();
      }
      return handler(call);
    });
    auto address =
        std::make_unique<ServerAddress>("127.0.0.1", server_->port(), std::vector<std::string>{"127.0.0.1"}, clock_);
    client_ = std::make_unique<LibnfsClient>(options, std::move(address), clock_);
  }
  void TearDown() override {
    client_.reset();
    server_.reset();
  }

  RpcCounters counters(const std::string& procedure) { return client_->statistics().at(procedure); }

  SystemClock clock_;
  std::set<std::uint32_t> lost_;
  std::vector<Call> calls_;
  std::unique_ptr<ScriptedServer> server_;
  std::unique_ptr<LibnfsClient> client_;
  Credentials who_;
};

TEST_F(TransportTest, GetattrCarriesCredentialsAndReturnsAttributes) {
  start([](const Call&) { return Answer::results(attributes_result()); });
  who_.uid = 1000;
  who_.gid = 100;
  who_.group_count = 2;
  who_.groups = {7, 8};
  GetattrReply reply = wait_for(client_->getattr(who_, handle("file")));
  EXPECT_EQ(reply.status, Status::kOk);
  EXPECT_EQ(reply.attributes.mode, 0644U);
  EXPECT_EQ(reply.attributes.ctime, (Time{12, 13}));
  XdrReader credentials(calls_.at(0).credentials);
  credentials.u32();
  credentials.opaque();
  EXPECT_EQ(credentials.u32(), 1000U);
  EXPECT_EQ(credentials.u32(), 100U);
  EXPECT_EQ(credentials.u32(), 2U);
  EXPECT_EQ(credentials.u32(), 7U);
  EXPECT_EQ(credentials.u32(), 8U);
  EXPECT_EQ(client_->statistics().size(), 22U);
  EXPECT_EQ(counters("GETATTR").calls, 1U);
  EXPECT_EQ(counters("GETATTR").retries, 0U);
}

TEST_F(TransportTest, LostReplyIsAskedForAgainWithTheSameXid) {
  start([](const Call&) { return Answer::results(attributes_result()); });
  lost_ = {kGetattr};
  EXPECT_EQ(wait_for(client_->getattr(who_, handle("file"))).status, Status::kOk);
  ASSERT_EQ(calls_.size(), 2U);
  EXPECT_EQ(calls_[0].xid, calls_[1].xid);
  EXPECT_EQ(counters("GETATTR").retries, 1U);
}

TEST_F(TransportTest, SilenceForTimeoLeadsToAnotherTransmission) {
  TransportOptions options;
  options.timeout = 100ms;
  std::vector<std::uint32_t> xids;
  start(
      [&](const Call& call) {
        if (call.procedure != kGetattr) {
          return Answer::results({});  // the client's own NULL, to see whether the server is back
        }
        xids.push_back(call.xid);
        return xids.size() == 1 ? Answer::silence() : Answer::results(attributes_result());
      },
      options);
  EXPECT_EQ(wait_for(client_->getattr(who_, handle("file"))).status, Status::kOk);
  ASSERT_EQ(xids.size(), 2U);
  EXPECT_EQ(xids[0], xids[1]);
}

TEST_F(TransportTest, JukeboxIsTriedAgainAsANewCall) {
  start([this](const Call&) {
    return Answer::results(calls_.size() < 3 ? failure(Status::kJukebox, 0) : attributes_result());
  });
  EXPECT_EQ(wait_for(client_->getattr(who_, handle("file"))).status, Status::kOk);
  ASSERT_EQ(calls_.size(), 3U);
  EXPECT_NE(calls_[0].xid, calls_[1].xid);
  EXPECT_EQ(counters("GETATTR").retries, 2U);
  EXPECT_EQ(counters("GETATTR").errors, 0U);
}

TEST_F(TransportTest, SoftCallsEndInTime) {
  TransportOptions options;
  options.timeout = 100ms;
  options.retransmissions = 2;
  options.persistence = Persistence::kSoft;
  start([](const Call&) { return Answer::silence(); }, options);
  auto begin = clock_.now();
  EXPECT_EQ(wait_for(client_->getattr(who_, handle("file"))).status, Status::kSoftIo);
  EXPECT_GE(clock_.now() - begin, 300ms);
  EXPECT_LT(clock_.now() - begin, 2s);
}

TEST_F(TransportTest, SofterrCallsEndInTimeWhenNothingListens) {
  TransportOptions options;
  options.timeout = 100ms;
  options.persistence = Persistence::kSofterr;
  auto address = std::make_unique<ServerAddress>("127.0.0.1", 1, std::vector<std::string>{"127.0.0.1"}, clock_);
  client_ = std::make_unique<LibnfsClient>(options, std::move(address), clock_);
  auto begin = clock_.now();
  EXPECT_EQ(wait_for(client_->getattr(who_, handle("file"))).status, Status::kTimedOut);
  EXPECT_LT(clock_.now() - begin, 2s);
}

TEST_F(TransportTest, SoftLimitsHoldForJukeboxToo) {
  TransportOptions options;
  options.timeout = 100ms;
  options.persistence = Persistence::kSoft;
  start([](const Call&) { return Answer::results(failure(Status::kJukebox, 0)); }, options);
  EXPECT_EQ(wait_for(client_->getattr(who_, handle("file"))).status, Status::kSoftIo);
}

TEST_F(TransportTest, ParkedCallsEndWhenTheClientGoes) {
  start([](const Call& call) {
    return call.procedure == kGetattr ? Answer::silence() : Answer::results(failure(Status::kJukebox, 1));
  });
  std::vector<Task<GetattrReply>> parked;
  for (int i = 0; i < 500; ++i) {
    parked.push_back(client_->getattr(who_, handle("file")));
  }
  Task<AccessReply> delayed = client_->access(who_, handle("file"), kAccessRead);
  client_.reset();
  for (Task<GetattrReply>& task : parked) {
    ASSERT_TRUE(task.ended());
    EXPECT_EQ(task.take().status, Status::kShutDown);
  }
  ASSERT_TRUE(delayed.ended());
  EXPECT_EQ(delayed.take().status, Status::kShutDown);
}

TEST_F(TransportTest, ManyThreadsGetTheirOwnReplies) {
  TransportOptions options;
  options.connections = 3;
  start(
      [](const Call& call) {
        // GETATTR's handle comes back as the file's size would be: in fileid, by way of its first byte.
        XdrReader arguments(call.arguments);
        XdrWriter xdr;
        std::string file = arguments.opaque();
        xdr.u32(0).u32(1).u32(static_cast<unsigned char>(file[0])).u32(1).u32(0).u32(0).u64(0).u64(0).u32(0).u32(0);
        xdr.u64(0).u64(0).time({}).time({}).time({});
        return Answer::results(xdr);
      },
      options);
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0};
  for (char name = 'a'; name < 'i'; ++name) {
    threads.emplace_back([&, name] {
      for (int i = 0; i < 500; ++i) {
        GetattrReply reply = wait_for(client_->getattr(who_, handle(std::string(3, name))));
        wrong += reply.status == Status::kOk && reply.attributes.mode == static_cast<unsigned char>(name) ? 0 : 1;
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(counters("GETATTR").calls, 4000U);
}

TEST_F(TransportTest, ServerIsReportedDownAndUpAgain) {
  TransportOptions options;
  options.timeout = 100ms;
  std::atomic<bool> answering{false};
  start([&](const Call&) { return answering ? Answer::results(attributes_result()) : Answer::silence(); }, options);
  Task<GetattrReply> call = client_->getattr(who_, handle("file"));
  for (int i = 0; i < 300 && client_->server_state().up; ++i) {
    std::this_thread::sleep_for(10ms);
  }
  EXPECT_FALSE(client_->server_state().up);
  answering = true;
  EXPECT_EQ(wait_for(std::move(call)).status, Status::kOk);
  EXPECT_TRUE(client_->server_state().up);
}

// --- Repetitions -----------------------------------------------------------------------------------------------------

TEST_F(TransportTest, RemoveThatWasDoneBeforeTheReplyWasLostSucceeds) {
  start([](const Call&) { return Answer::results(failure(Status::kNoent, 2)); });
  lost_ = {12};
  EXPECT_EQ(wait_for(client_->remove(who_, handle("dir"), "name")).status, Status::kOk);
  EXPECT_EQ(wait_for(client_->remove(who_, handle("dir"), "name")).status, Status::kNoent);
}

TEST_F(TransportTest, MkdirThatWasDoneBeforeTheReplyWasLostSucceeds) {
  start([this](const Call& call) {
    if (call.procedure == kLookup) {
      // The access time that MKDIR asked for: after the name, four absent fields and "client time".
      XdrReader mkdir(calls_.at(0).arguments);
      mkdir.opaque();
      mkdir.opaque();
      for (int i = 0; i < 5; ++i) {
        mkdir.u32();
      }
      std::uint32_t seconds = mkdir.u32();
      std::uint32_t nanoseconds = mkdir.u32();
      return Answer::results(lookup_result("made", FileType::kDirectory, {seconds, nanoseconds}));
    }
    return Answer::results(failure(Status::kExist, 2));
  });
  lost_ = {kMkdir};
  CreateReply reply = wait_for(client_->mkdir(who_, handle("dir"), "name", {}));
  EXPECT_EQ(reply.status, Status::kOk);
  EXPECT_EQ(reply.object, handle("made"));
}

TEST_F(TransportTest, MkdirRepeatedOverAnothersDirectoryFails) {
  start([](const Call& call) {
    return Answer::results(call.procedure == kLookup ? lookup_result("other", FileType::kDirectory, {5, 6})
                                                     : failure(Status::kExist, 2));
  });
  lost_ = {kMkdir};
  EXPECT_EQ(wait_for(client_->mkdir(who_, handle("dir"), "name", {})).status, Status::kExist);
}

TEST_F(TransportTest, ExistWithoutRepetitionIsNotQuestioned) {
  start([](const Call&) { return Answer::results(failure(Status::kExist, 2)); });
  EXPECT_EQ(wait_for(client_->mkdir(who_, handle("dir"), "name", {})).status, Status::kExist);
  EXPECT_EQ(counters("LOOKUP").calls, 0U);
}

TEST_F(TransportTest, RenameThatWasDoneBeforeTheReplyWasLostSucceeds) {
  start([](const Call& call) {
    return Answer::results(call.procedure == kLookup ? lookup_result("source", FileType::kRegular, {})
                                                     : failure(Status::kNoent, 4));
  });
  lost_ = {14};
  auto rename = [&](FileHandle source) {
    return wait_for(client_->rename(who_, handle("dir"), "a", handle("dir"), "b", source)).status;
  };
  EXPECT_EQ(rename(handle("source")), Status::kOk);
  lost_ = {14};
  EXPECT_EQ(rename(handle("another")), Status::kNoent);
}

TEST_F(TransportTest, LinkThatWasDoneBeforeTheReplyWasLostSucceeds) {
  start([](const Call& call) {
    return Answer::results(call.procedure == kLookup ? lookup_result("file", FileType::kRegular, {})
                                                     : failure(Status::kExist, 3));
  });
  lost_ = {15};
  EXPECT_EQ(wait_for(client_->link(who_, handle("file"), handle("dir"), "b")).status, Status::kOk);
  lost_ = {15};
  EXPECT_EQ(wait_for(client_->link(who_, handle("other"), handle("dir"), "b")).status, Status::kExist);
}

// --- Malformed replies -----------------------------------------------------------------------------------------------

TEST_F(TransportTest, TruncatedReplyIsMalformed) {
  start([](const Call&) { return Answer::results(XdrWriter().u32(0).u32(1)); });
  EXPECT_EQ(wait_for(client_->getattr(who_, handle("file"))).status, Status::kMalformed);
}

TEST_F(TransportTest, UnknownStatusIsMalformed) {
  start([](const Call&) { return Answer::results(XdrWriter().u32(4242)); });
  EXPECT_EQ(wait_for(client_->getattr(who_, handle("file"))).status, Status::kMalformed);
}

TEST_F(TransportTest, OversizedHandleIsMalformed) {
  start([](const Call&) { return Answer::results(lookup_result(std::string(65, 'x'), FileType::kRegular, {})); });
  EXPECT_EQ(wait_for(client_->lookup(who_, handle("dir"), "name")).status, Status::kMalformed);
}

TEST_F(TransportTest, MoreDataThanAskedForIsMalformed) {
  start([](const Call&) {
    XdrWriter xdr;
    xdr.u32(0).u32(0).u32(5).u32(1).opaque("12345");
    return Answer::results(xdr);
  });
  EXPECT_EQ(wait_for(client_->read(who_, handle("file"), 0, 4)).status, Status::kMalformed);
  ReadReply reply = wait_for(client_->read(who_, handle("file"), 0, 5));
  EXPECT_EQ(reply.status, Status::kOk);
  EXPECT_EQ(reply.data.size(), 5U);
}

TEST_F(TransportTest, RecordTooLongToReadIsNotAskedForForEver) {
  start([](const Call&) { return Answer::raw(XdrWriter().u32(0x80000000U | (64U << 20)).bytes()); });
  EXPECT_EQ(wait_for(client_->getattr(who_, handle("file"))).status, Status::kMalformed);
}

TEST_F(TransportTest, RefusedCredentialsAreAnAccessError) {
  start([](const Call& call) {
    // MSG_DENIED, AUTH_ERROR, AUTH_TOOWEAK.
    XdrWriter xdr;
    xdr.u32(0x80000000U | 20).u32(call.xid).u32(1).u32(1).u32(1).u32(5);
    return Answer::raw(xdr.bytes());
  });
  EXPECT_EQ(wait_for(client_->getattr(who_, handle("file"))).status, Status::kAcces);
}

XdrWriter page(const std::vector<std::pair<std::string, Cookie>>& entries, bool eof) {
  XdrWriter xdr;
  xdr.u32(0).u32(0).u64(0);
  for (const auto& [name, cookie] : entries) {
    xdr.u32(1).u64(9).opaque(name).u64(cookie);
  }
  xdr.u32(0).u32(eof ? 1 : 0);
  return xdr;
}

TEST_F(TransportTest, ListingsLeaveOutDotsAndImpossibleNames) {
  start([this](const Call&) {
    return Answer::results(calls_.size() == 1 ? page({{".", 1}, {"..", 2}, {"a/b", 3}}, false)
                                              : page({{"name", 4}, {std::string(256, 'n'), 5}, {"", 6}}, true));
  });
  // The first page has nothing to show, and is passed over.
  ReaddirReply reply = wait_for(client_->readdir(who_, handle("dir"), 0, {}, 4096));
  ASSERT_EQ(reply.status, Status::kOk);
  ASSERT_EQ(reply.entries.size(), 1U);
  EXPECT_EQ(reply.entries[0].name, "name");
  EXPECT_TRUE(reply.eof);
}

TEST_F(TransportTest, ListingsThatLeadNowhereAreMalformed) {
  start([this](const Call&) {
    return Answer::results(calls_.size() == 1 ? page({}, false) : page({{"a", 7}}, false));
  });
  EXPECT_EQ(wait_for(client_->readdir(who_, handle("dir"), 0, {}, 4096)).status, Status::kMalformed);
  EXPECT_EQ(wait_for(client_->readdir(who_, handle("dir"), 7, {}, 4096)).status, Status::kMalformed);
}

TEST_F(TransportTest, SymlinkTargetThatDoesNotFitIsTooLong) {
  start([](const Call&) { return Answer::results(failure(Status::kIo, 2)); });
  EXPECT_EQ(wait_for(client_->symlink(who_, handle("dir"), "s", std::string(4095, 'x'), {})).status,
            Status::kNametoolong);
  EXPECT_TRUE(calls_.empty());
}

}  // namespace
}  // namespace nfs
