// Attributes: how long they are believed, and which of several replies counts.
#include <unistd.h>

#include "tests/unit/cache_harness.h"

namespace cache {
namespace {

TEST(Attributes, a_second_getattr_within_the_lifetime_sends_nothing_and_ends_at_once) {
  Harness harness;
  harness.server.files()->write_file("f", "text");
  const NodeId file = harness.node("f");
  harness.clock.advance(3s - 1ns);
  harness.server.forget_calls();
  auto answer = harness.fs->getattr(root(), file);
  ASSERT_TRUE(answer.ended());
  EXPECT_EQ(answer.take()->attributes.size, 4u);
  EXPECT_EQ(harness.server.calls(), 0u);
}

TEST(Attributes, lifetimes_double_while_nothing_changes_up_to_the_longest) {
  Harness harness;
  harness.server.files()->write_file("f", "text");
  const NodeId file = harness.node("f");
  for (const nanoseconds lifetime : {3s, 6s, 12s, 24s, 48s, 60s, 60s}) {
    EXPECT_EQ(harness.cost([&] { EXPECT_EQ(value(harness.fs->getattr(root(), file)).lifetime, lifetime); }),
              lifetime == 3s ? 0u : 1u);
    harness.clock.advance(lifetime - 1ns);
    EXPECT_EQ(harness.cost([&] { EXPECT_EQ(value(harness.fs->getattr(root(), file)).lifetime, 1ns); }), 0u);
    harness.clock.advance(1ns);
  }
}

TEST(Attributes, directories_live_from_acdirmin_to_acdirmax) {
  Harness harness;
  harness.server.files()->make_directory("d");
  const NodeId directory = harness.node("d");
  for (const nanoseconds lifetime : {30s, 60s, 60s}) {
    EXPECT_EQ(value(harness.fs->getattr(root(), directory)).lifetime, lifetime);
    harness.clock.advance(lifetime);
  }
}

TEST(Attributes, a_change_is_seen_after_the_lifetime_and_resets_it) {
  Harness harness;
  harness.server.files()->write_file("f", "text");
  const NodeId file = harness.node("f");
  harness.clock.advance(3s);
  EXPECT_EQ(value(harness.fs->getattr(root(), file)).lifetime, 6s);
  harness.server.files()->append_file("f", "more");
  harness.clock.advance(6s);
  const NodeAttributes changed = value(harness.fs->getattr(root(), file));
  EXPECT_EQ(changed.attributes.size, 8u);
  EXPECT_EQ(changed.lifetime, 3s);
}

TEST(Attributes, noac_asks_every_time_and_gives_the_kernel_no_lifetime) {
  Harness harness(noac());
  harness.server.files()->write_file("f", "text");
  const NodeId file = harness.node("f");
  for (int round = 0; round < 3; ++round) {
    harness.clock.advance(1ns);
    harness.server.files()->append_file("f", "x");
    EXPECT_EQ(harness.cost([&] {
      const NodeAttributes told = value(harness.fs->getattr(root(), file));
      EXPECT_EQ(told.attributes.size, 5u + static_cast<unsigned>(round));
      EXPECT_EQ(told.lifetime, 0s);
    }),
              1u);
  }
}

TEST(Attributes, a_reply_overtaken_by_a_newer_one_does_not_bring_back_what_was) {
  Harness harness;
  harness.server.files()->write_file("f", "text");
  const NodeId file = harness.node("f");
  harness.clock.advance(3s);
  harness.server.hold_replies(Procedure::kGetattr);
  auto slow = harness.fs->getattr(root(), file);
  harness.server.wait_until_parked(Procedure::kGetattr, 1);
  harness.server.files()->append_file("f", "more");
  EXPECT_EQ(harness.walk("f").attributes.attributes.size, 8u);
  harness.server.release(Procedure::kGetattr);
  EXPECT_EQ(support::sync_wait(std::move(slow))->attributes.size, 8u);
  EXPECT_EQ(harness.attributes(file).size, 8u);
}

TEST(Attributes, a_reply_whose_ctime_proves_it_newer_counts_although_its_call_was_sent_earlier) {
  Harness harness;
  harness.server.files()->write_file("f", "text");
  const NodeId file = harness.node("f");
  harness.clock.advance(3s);
  harness.server.hold_requests(Procedure::kGetattr);
  auto slow = harness.fs->getattr(root(), file);
  EXPECT_EQ(harness.walk("f").attributes.attributes.size, 4u);
  harness.server.files()->append_file("f", "more");
  harness.server.release(Procedure::kGetattr);
  EXPECT_EQ(support::sync_wait(std::move(slow))->attributes.size, 8u);
  EXPECT_EQ(harness.attributes(file).size, 8u);
}

TEST(Attributes, a_reply_from_before_our_own_unlink_does_not_bring_back_the_link_count) {
  Harness harness;
  harness.server.files()->write_file("f", "text");
  harness.server.files()->make_link("f", "g");
  const NodeId file = harness.node("f");
  harness.walk("g");
  harness.clock.advance(3s);
  harness.server.hold_replies(Procedure::kGetattr);
  auto slow = harness.fs->getattr(root(), file);
  harness.server.wait_until_parked(Procedure::kGetattr, 1);
  EXPECT_EQ(status_of(harness.fs->unlink(root(), kRootNode, "g")), Status::kOk);
  harness.server.release(Procedure::kGetattr);
  EXPECT_TRUE(slow.ended());
  EXPECT_EQ(harness.attributes(file).nlink, 1u);
}

TEST(Attributes, callers_who_want_the_same_share_one_getattr) {
  Harness harness;
  harness.server.files()->write_file("f", "text");
  const NodeId file = harness.node("f");
  harness.clock.advance(3s);
  harness.server.forget_calls();
  harness.server.hold_replies(Procedure::kGetattr);
  std::vector<nfs::Task<nfs::Result<NodeAttributes>>> waiting;
  for (int i = 0; i < 10; ++i) {
    waiting.push_back(harness.fs->getattr(root(), file));
    harness.clock.advance(1ms);
  }
  harness.server.release(Procedure::kGetattr);
  for (auto& each : waiting) {
    ASSERT_TRUE(each.ended());
    EXPECT_EQ(each.take()->attributes.size, 4u);
  }
  EXPECT_EQ(harness.server.calls(), 1u);
}

TEST(Attributes, without_lifetimes_a_later_caller_gets_a_call_of_its_own) {
  Harness harness(noac());
  harness.server.files()->write_file("f", "text");
  const NodeId file = harness.node("f");
  harness.clock.advance(1ns);
  harness.server.forget_calls();
  harness.server.hold_replies(Procedure::kGetattr);
  auto early = harness.fs->getattr(root(), file);
  harness.server.wait_until_parked(Procedure::kGetattr, 1);
  harness.clock.advance(1ns);
  harness.server.files()->append_file("f", "more");
  auto late = harness.fs->getattr(root(), file);
  harness.server.release(Procedure::kGetattr);
  EXPECT_TRUE(early.ended());
  EXPECT_EQ(support::sync_wait(std::move(late))->attributes.size, 8u);
  EXPECT_EQ(harness.server.calls(Procedure::kGetattr), 2u);
}

TEST(Attributes, a_change_of_ours_is_known_from_its_own_reply) {
  Harness harness;
  harness.server.files()->write_file("f", "text");
  const NodeId file = harness.node("f");
  nfs::SetAttributes changes;
  changes.mode = 0600;
  changes.size = 2;
  EXPECT_EQ(harness.cost([&] {
    const NodeAttributes told = value(harness.fs->setattr(root(), file, changes, std::nullopt));
    EXPECT_EQ(told.attributes.mode, 0600u);
    EXPECT_EQ(told.attributes.size, 2u);
    EXPECT_EQ(harness.attributes(file).size, 2u);
  }),
            1u);
}

TEST(Attributes, a_server_that_leaves_out_wcc_data_is_asked_again_after_a_change) {
  Harness harness;
  harness.server.files()->write_file("f", "text");
  const NodeId file = harness.node("f");
  harness.server.files()->rules.wcc_after = false;
  nfs::SetAttributes changes;
  changes.size = 2;
  EXPECT_EQ(value(harness.fs->setattr(root(), file, changes, std::nullopt)).attributes.size, 2u);
}

TEST(Attributes, a_refused_change_changes_nothing) {
  Harness harness;
  harness.server.files()->write_file("f", "text");
  const NodeId file = harness.node("f");
  nfs::SetAttributes changes;
  changes.mode = 0777;
  EXPECT_EQ(status_of(harness.fs->setattr(user(1000), file, changes, std::nullopt)), Status::kPerm);
  EXPECT_EQ(harness.attributes(file).mode, 0644u);
}

TEST(Attributes, inode_numbers_differ_between_file_systems_that_use_the_same_fileids) {
  Harness harness;
  harness.server.files()->make_directory("inner");
  harness.server.files()->make_file_system("inner", 0x777);
  harness.server.files()->write_file("inner/f", "");
  harness.server.files()->write_file("g", "");
  const NodeAttributes inner = harness.walk("inner/f").attributes;
  const NodeAttributes outer = harness.walk("g").attributes;
  EXPECT_EQ(outer.inode, outer.attributes.fileid);
  EXPECT_NE(inner.inode, inner.attributes.fileid);
  EXPECT_NE(inner.inode, outer.inode);
  EXPECT_EQ(harness.walk("inner/f").attributes.inode, inner.inode);
}

TEST(Attributes, a_symlink_is_read_once_within_its_lifetime_and_again_when_it_was_replaced) {
  Harness harness;
  harness.server.files()->make_symlink("l", "target");
  const NodeId link = harness.node("l");
  EXPECT_EQ(value(harness.fs->readlink(root(), link)), "target");
  EXPECT_EQ(harness.cost([&] { EXPECT_EQ(value(harness.fs->readlink(root(), link)), "target"); }), 0u);
  harness.server.files()->remove_path("l");
  harness.server.files()->make_symlink("l", "elsewhere");
  harness.clock.advance(61s);
  EXPECT_EQ(value(harness.fs->readlink(root(), harness.node("l"))), "elsewhere");
}

TEST(Attributes, access_is_answered_per_credential_and_remembered) {
  Harness harness;
  harness.server.files()->write_file("f", "text");
  harness.server.files()->change_owner("f", 1000, 1000);
  harness.server.files()->change_mode("f", 0700);
  const NodeId file = harness.node("f");
  EXPECT_EQ(status_of(harness.fs->access(user(1000), file, R_OK | W_OK | X_OK)), Status::kOk);
  EXPECT_EQ(status_of(harness.fs->access(user(2000), file, R_OK)), Status::kAcces);
  EXPECT_EQ(harness.cost([&] {
    EXPECT_EQ(status_of(harness.fs->access(user(1000), file, X_OK)), Status::kOk);
    EXPECT_EQ(status_of(harness.fs->access(user(2000), file, W_OK)), Status::kAcces);
    EXPECT_EQ(status_of(harness.fs->access(user(3000), file, F_OK)), Status::kOk);
  }),
            0u);
}

}  // namespace
}  // namespace cache
