// The fake server's controls; that its procedures behave as a server's is what the contract suite shows.
#include "tests/support/fake_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/support/fake_clock.h"
#include "tests/support/print.h"
#include "tests/support/sync_wait.h"

namespace {

using namespace std::chrono_literals;
using nfs::Procedure;
using nfs::Status;
using support::FakeServer;
using support::sync_wait;
using testing::ElementsAre;

constexpr nfs::Credentials kRootUser{};

std::span<const std::byte> bytes(std::string_view text) {
  return std::as_bytes(std::span(text));
}

TEST(FakeServerTest, HeldReplyParksTheCallerWithTheWorkDone) {
  FakeServer server;
  server.hold_replies(Procedure::kMkdir);
  nfs::Task<nfs::CreateReply> call = server.mkdir(kRootUser, server.root(), "d", {});
  server.wait_until_parked(Procedure::kMkdir, 1);
  EXPECT_FALSE(call.ended());
  EXPECT_TRUE(server.files()->exists("d"));
  server.release(Procedure::kMkdir);
  EXPECT_EQ(sync_wait(std::move(call)).status, Status::kOk);
  EXPECT_EQ(server.parked(Procedure::kMkdir), 0u);
}

TEST(FakeServerTest, HeldRequestHasNotHappened) {
  FakeServer server;
  server.hold_all_requests();
  nfs::Task<nfs::CreateReply> call = server.mkdir(kRootUser, server.root(), "d", {});
  EXPECT_FALSE(server.files()->exists("d"));
  server.release_all();
  EXPECT_EQ(sync_wait(std::move(call)).status, Status::kOk);
  EXPECT_TRUE(server.files()->exists("d"));
}

TEST(FakeServerTest, FailuresAndLossesAreOfTheNextCallsOnly) {
  FakeServer server;
  server.fail_next(Procedure::kMkdir, Status::kNospc, 2);
  EXPECT_EQ(sync_wait(server.mkdir(kRootUser, server.root(), "d", {})).status, Status::kNospc);
  EXPECT_EQ(sync_wait(server.mkdir(kRootUser, server.root(), "d", {})).status, Status::kNospc);
  server.lose_next_reply(Procedure::kMkdir);
  EXPECT_EQ(sync_wait(server.mkdir(kRootUser, server.root(), "d", {})).status, Status::kTimedOut);
  EXPECT_EQ(sync_wait(server.mkdir(kRootUser, server.root(), "d", {})).status, Status::kExist);
  EXPECT_EQ(server.calls(Procedure::kMkdir), 4u);
  EXPECT_EQ(server.statistics().at("MKDIR").errors, 4u);
}

TEST(FakeServerTest, RebootLosesWhatWasNotCommittedAndChangesTheVerifier) {
  FakeServer server;
  server.files()->write_file("f", "stable");
  nfs::FileHandle file = server.files()->handle_of("f");
  nfs::WriteReply lost = sync_wait(server.write(kRootUser, file, 0, bytes("LOST"), nfs::StableHow::kUnstable));
  sync_wait(server.write(kRootUser, file, 4, bytes("LE"), nfs::StableHow::kFileSync));
  EXPECT_EQ(server.files()->read_file("f"), "LOSTLE");
  server.reboot();
  EXPECT_EQ(server.files()->read_file("f"), "stabLE");
  nfs::WriteReply kept = sync_wait(server.write(kRootUser, file, 0, bytes("KEPT"), nfs::StableHow::kUnstable));
  EXPECT_NE(kept.verifier, lost.verifier);
  EXPECT_EQ(sync_wait(server.commit(kRootUser, file, 0, 4)).verifier, kept.verifier);
  server.reboot();
  EXPECT_EQ(server.files()->read_file("f"), "KEPTLE");
}

TEST(FakeServerTest, StaleHandlesAreFoundAgainUnderNewOnes) {
  FakeServer server;
  server.files()->write_file("f", "text");
  nfs::FileHandle old = server.files()->handle_of("f");
  server.files()->make_stale("f");
  EXPECT_EQ(sync_wait(server.getattr(kRootUser, old)).status, Status::kStale);
  nfs::LookupReply found = sync_wait(server.lookup(kRootUser, server.root(), "f"));
  EXPECT_NE(found.object, old);
  EXPECT_EQ(sync_wait(server.getattr(kRootUser, found.object)).status, Status::kOk);
}

TEST(FakeServerTest, ReusedFileidsComeWithAnotherGeneration) {
  FakeServer server;
  server.files()->rules.reuse_fileids = true;
  server.files()->write_file("old", "");
  nfs::FileHandle old = server.files()->handle_of("old");
  std::uint64_t fileid = server.files()->attributes_of("old").fileid;
  server.files()->remove_path("old");
  server.files()->write_file("young", "");
  EXPECT_EQ(server.files()->attributes_of("young").fileid, fileid);
  EXPECT_EQ(sync_wait(server.getattr(kRootUser, old)).status, Status::kStale);
}

TEST(FakeServerTest, FileSystemsMountedInsideHaveTheirOwnIdentities) {
  FakeServer server;
  server.files()->make_directory("inside");
  server.files()->make_file_system("inside", 77);
  server.files()->write_file("inside/f", "a");
  server.files()->write_file("f", "b");
  EXPECT_EQ(server.files()->attributes_of("inside/f").fsid, 77u);
  EXPECT_EQ(server.files()->attributes_of("inside/f").fileid, 3u);
  nfs::FileHandle inside = server.files()->handle_of("inside");
  EXPECT_EQ(sync_wait(server.rename(kRootUser, server.root(), "f", inside, "g", {})).status, Status::kXdev);
}

TEST(FakeServerTest, TimesStandStillOrAreCoarseWhenTold) {
  FakeServer server;
  server.files()->set_time({2'000'000'000, 5});
  server.files()->set_tick(0ns);
  server.files()->write_file("a", "1");
  server.files()->write_file("b", "2");
  EXPECT_EQ(server.files()->attributes_of("a").mtime, (nfs::Time{2'000'000'000, 5}));
  EXPECT_EQ(server.files()->attributes_of("b").mtime, server.files()->attributes_of("a").mtime);
  server.files()->set_time_granularity(1s);
  server.files()->advance(1500ms);
  server.files()->write_file("a", "3");
  EXPECT_EQ(server.files()->attributes_of("a").mtime, (nfs::Time{2'000'000'001, 0}));
}

TEST(FakeServerTest, ReadsNamesAndTreesByPath) {
  FakeServer server;
  server.files()->make_directory("/d");
  server.files()->write_file("d/one", "1");
  server.files()->make_link("d/one", "d/two");
  server.files()->make_symlink("d/link", "one");
  server.files()->rename_path("d/two", "d/three");
  EXPECT_THAT(server.files()->names_in("d"), ElementsAre("link", "one", "three"));
  server.files()->remove_path("d");
  EXPECT_FALSE(server.files()->exists("d"));
  EXPECT_THROW(server.files()->write_file("d/one", ""), std::runtime_error);
}

TEST(FakeServerTest, LogTellsWhoAskedWhat) {
  FakeServer server;
  nfs::Credentials who;
  who.uid = 1001;
  sync_wait(server.lookup(who, server.root(), "absent"));
  ASSERT_EQ(server.log().size(), 1u);
  EXPECT_EQ(server.log()[0].procedure, Procedure::kLookup);
  EXPECT_EQ(server.log()[0].who, who);
  EXPECT_EQ(server.log()[0].name, "absent");
  server.forget_calls();
  EXPECT_EQ(server.calls(), 0u);
}

TEST(FakeClockTest, RunsDueCallbacksInOrderAtTheirTimes) {
  support::FakeClock clock;
  nfs::MonotonicTime start = clock.now();
  std::vector<std::chrono::nanoseconds> ran;
  clock.run_at(start + 2s, [&] { ran.push_back(clock.now() - start); });
  clock.run_at(start + 1s, [&] {
    ran.push_back(clock.now() - start);
    clock.run_at(start + 1500ms, [&] { ran.push_back(clock.now() - start); });
  });
  clock.run_at(start + 1h, [&] { ran.emplace_back(0); });
  clock.advance(10s);
  EXPECT_THAT(ran, ElementsAre(1s, 1500ms, 2s));
  EXPECT_EQ(clock.now(), start + 10s);
  EXPECT_EQ(clock.waiting(), 1u);
}

}  // namespace
