// Writing through the file system: what is held back, what close and fsync promise, what other calls see meanwhile.
#include "tests/unit/cache_harness.h"

namespace cache {
namespace {

constexpr std::uint32_t kWriteBytes = 64;

Options small_writes() {
  Options options;
  options.write_bytes_max = kWriteBytes;
  return options;
}

std::vector<support::FakeCall> writes(const Harness& harness) {
  std::vector<support::FakeCall> calls = harness.server.log();
  std::erase_if(calls, [](const support::FakeCall& call) { return call.procedure != Procedure::kWrite; });
  return calls;
}

class Write : public testing::Test {
 protected:
  void SetUp() override {
    file = harness.create("f");
    node = harness.node("f");
    harness.server.forget_calls();
  }
  std::string on_server() { return harness.server.files()->read_file("f"); }

  Harness harness{small_writes()};
  OpenFileId file = 0;
  NodeId node = 0;
};

TEST_F(Write, holds_bytes_back_for_a_second) {
  EXPECT_EQ(harness.write(file, 0, "text"), Status::kOk);
  harness.clock.advance(999ms);
  EXPECT_EQ(harness.server.calls(), 0u);
  harness.clock.advance(1ms);
  EXPECT_EQ(on_server(), "text");
  harness.release(file);
}

TEST_F(Write, gathers_neighbouring_bytes_and_flushes_a_small_file_with_one_stable_write) {
  for (unsigned offset = 0; offset < kWriteBytes; offset += 4) {
    EXPECT_EQ(harness.write(file, offset, "abcd"), Status::kOk);
  }
  EXPECT_EQ(harness.flush(file), Status::kOk);
  ASSERT_EQ(writes(harness).size(), 1u);
  EXPECT_EQ(writes(harness)[0].stable, nfs::StableHow::kFileSync);
  EXPECT_EQ(writes(harness)[0].count, kWriteBytes);
  EXPECT_EQ(harness.server.calls(Procedure::kCommit), 0u);
  harness.server.reboot();
  EXPECT_EQ(on_server().size(), kWriteBytes);
  harness.release(file);
}

TEST_F(Write, of_more_than_one_write_goes_out_unstable_and_is_committed_once) {
  const std::string text(5 * kWriteBytes, 'x');
  EXPECT_EQ(harness.write(file, 0, text), Status::kOk);
  EXPECT_GE(harness.server.calls(Procedure::kWrite), 4u) << "full extents do not wait";
  EXPECT_EQ(harness.flush(file), Status::kOk);
  for (const support::FakeCall& call : writes(harness)) {
    EXPECT_EQ(call.stable, nfs::StableHow::kUnstable);
  }
  EXPECT_EQ(harness.server.calls(Procedure::kCommit), 1u);
  harness.server.reboot();
  EXPECT_EQ(on_server(), text);
  EXPECT_EQ(harness.fs->statistics().dirty_bytes, 0u);
  harness.release(file);
}

TEST_F(Write, is_sent_again_when_the_server_lost_it_before_the_commit) {
  const std::string text(5 * kWriteBytes, 'x');
  harness.write(file, 0, text);
  harness.server.reboot();
  EXPECT_LT(on_server().size(), text.size());
  EXPECT_EQ(harness.read(file), text) << "what the server lost is still held here";
  EXPECT_EQ(harness.attributes(node).size, text.size());
  EXPECT_EQ(harness.flush(file), Status::kOk);
  harness.server.reboot();
  EXPECT_EQ(on_server(), text);
  harness.release(file);
}

TEST_F(Write, is_sent_again_when_the_server_restarts_between_the_writes) {
  const std::string text(6 * kWriteBytes, 'y');
  harness.write(file, 0, std::string_view(text).substr(0, 3 * kWriteBytes));
  harness.server.reboot();
  harness.write(file, 3 * kWriteBytes, std::string_view(text).substr(3 * kWriteBytes));
  EXPECT_EQ(harness.flush(file), Status::kOk);
  harness.server.reboot();
  EXPECT_EQ(on_server(), text);
  harness.release(file);
}

TEST_F(Write, that_a_restarted_server_lost_is_not_sent_over_newer_bytes) {
  harness.write(file, 0, std::string(2 * kWriteBytes, 'o'));
  harness.server.reboot();
  harness.write(file, 10, std::string(kWriteBytes, 'n'));
  EXPECT_EQ(harness.flush(file), Status::kOk);
  harness.server.reboot();
  EXPECT_EQ(on_server(), std::string(10, 'o') + std::string(kWriteBytes, 'n') + std::string(kWriteBytes - 10, 'o'));
  harness.release(file);
}

TEST_F(Write, answered_short_goes_on_with_the_rest) {
  harness.server.files()->rules.write_bytes_max = 7;
  std::string text;
  for (int i = 0; i < 200; ++i) {
    text.push_back(static_cast<char>('a' + i % 26));
  }
  harness.write(file, 0, text);
  EXPECT_EQ(harness.flush(file), Status::kOk);
  harness.server.reboot();
  EXPECT_EQ(on_server(), text);
  harness.release(file);
}

TEST_F(Write, is_seen_by_every_later_read_and_getattr) {
  harness.server.files()->write_file("f", "0123456789");
  const OpenFileId reader = harness.open(node);
  harness.write(file, 3, "abc");
  harness.write(file, 12, "z");
  EXPECT_EQ(harness.read(reader), std::string("012abc6789\0\0z", 13));
  EXPECT_EQ(harness.read(reader, 4, 1), "b");
  EXPECT_EQ(harness.read(reader, 5, 2), "c6");
  EXPECT_EQ(harness.read(reader, 11, 2), std::string("\0z", 2));
  EXPECT_EQ(harness.read(reader, 13, 10), "");
  EXPECT_EQ(harness.attributes(node).size, 13u);
  harness.release(reader);
  harness.release(file);
}

TEST_F(Write, is_counted_into_the_size_while_its_reply_is_missing) {
  harness.server.hold_replies(Procedure::kWrite);
  harness.write(file, 0, std::string(3 * kWriteBytes, 'x'));
  const Entry entry = harness.walk("f", root(2));
  EXPECT_EQ(entry.attributes.attributes.size, 3 * kWriteBytes);
  EXPECT_EQ(entry.attributes.lifetime, 0s);
  auto asked = harness.fs->getattr(root(), node);
  EXPECT_FALSE(asked.ended()) << "the times are the server's to tell";
  harness.server.release(Procedure::kWrite);
  EXPECT_EQ(value(std::move(asked)).attributes.size, 3 * kWriteBytes);
  harness.release(file);
}

TEST_F(Write, still_on_its_way_is_laid_over_what_the_server_answers) {
  harness.server.hold_requests(Procedure::kWrite);
  harness.write(file, 0, std::string(2 * kWriteBytes, 'x'));
  harness.write(file, kWriteBytes, std::string(4, 'y'));
  EXPECT_EQ(harness.read(file, kWriteBytes - 2, 8), "xxyyyyxx");
  EXPECT_EQ(harness.read(file), std::string(kWriteBytes, 'x') + "yyyy" + std::string(kWriteBytes - 4, 'x'));
  harness.server.release(Procedure::kWrite);
  EXPECT_EQ(harness.flush(file), Status::kOk);
  EXPECT_EQ(on_server(), std::string(kWriteBytes, 'x') + "yyyy" + std::string(kWriteBytes - 4, 'x'));
  harness.release(file);
}

TEST_F(Write, error_is_heard_once_by_each_open_file_at_flush) {
  const OpenFileId other = harness.open(node, for_writing());
  harness.write(file, 0, "text");
  harness.server.fail_next(Procedure::kWrite, Status::kNospc);
  EXPECT_EQ(harness.flush(file), Status::kNospc);
  EXPECT_EQ(harness.flush(file), Status::kOk);
  EXPECT_EQ(harness.release(other), Status::kNospc);
  const OpenFileId later = harness.open(node, for_writing());
  EXPECT_EQ(harness.flush(later), Status::kOk) << "the error was before this open";
  harness.release(later);
  EXPECT_EQ(harness.release(file), Status::kOk);
  EXPECT_EQ(harness.fs->statistics().dirty_bytes, 0u);
}

TEST_F(Write, error_of_the_write_behind_is_heard_at_the_next_write_or_fsync) {
  for (const bool by_write : {true, false}) {
    harness.write(file, 0, "text");
    harness.server.fail_next(Procedure::kWrite, Status::kDquot);
    harness.clock.advance(1s);
    const Status heard = by_write ? harness.write(file, 0, "more") : status_of(harness.fs->fsync(file));
    EXPECT_EQ(heard, Status::kDquot);
    EXPECT_EQ(harness.flush(file), Status::kOk);
  }
  harness.release(file);
}

TEST_F(Write, error_of_the_commit_is_heard_at_flush) {
  harness.write(file, 0, std::string(3 * kWriteBytes, 'x'));
  harness.server.fail_next(Procedure::kCommit, Status::kIo);
  EXPECT_EQ(harness.flush(file), Status::kIo);
  EXPECT_EQ(harness.fs->statistics().dirty_bytes, 0u);
  harness.release(file);
}

TEST_F(Write, error_is_heard_at_release_when_nothing_asked_before) {
  harness.write(file, 0, "text");
  harness.server.files()->rules.capacity_bytes = 2;
  EXPECT_EQ(harness.release(file), Status::kNospc);
}

TEST_F(Write, waits_while_too_much_is_held) {
  harness.server.hold_requests(Procedure::kWrite);
  Options bounded = small_writes();
  bounded.memory_bytes_max = 4096;  // 1024 of it dirty
  Harness small(bounded);
  const OpenFileId opened = small.create("f");
  small.server.hold_requests(Procedure::kWrite);
  std::vector<nfs::Task<Status>> accepted;
  while (accepted.size() < 1000) {
    const std::string text(32, 'x');
    accepted.push_back(small.fs->write(opened, 32 * accepted.size(), bytes_of(text)));
    if (!accepted.back().ended()) {
      break;
    }
  }
  EXPECT_LE(small.fs->statistics().dirty_bytes, 1024u + 2 * kWriteBytes);
  EXPECT_GE(small.fs->statistics().dirty_bytes, 256u);
  small.server.release(Procedure::kWrite);
  EXPECT_TRUE(accepted.back().ended());
  EXPECT_EQ(small.flush(opened), Status::kOk);
  EXPECT_EQ(small.server.files()->attributes_of("f").size, 32 * accepted.size());
  small.release(opened);
}

TEST_F(Write, streams_a_file_larger_than_its_bound_and_commits_on_the_way) {
  Options bounded = small_writes();
  bounded.memory_bytes_max = 4096;
  Harness small(bounded, support::Replies::kAsynchronous);
  const OpenFileId opened = small.create("f");
  std::string text;
  for (int i = 0; i < 600; ++i) {
    const std::string piece(33, static_cast<char>('a' + i % 26));
    EXPECT_EQ(small.write(opened, text.size(), piece), Status::kOk);
    text += piece;
    EXPECT_LE(small.fs->statistics().dirty_bytes, 1024u + 2 * kWriteBytes);
    if (i % 100 == 50) {
      small.server.reboot();
    }
  }
  EXPECT_EQ(small.release(opened), Status::kOk);
  small.server.reboot();
  EXPECT_EQ(small.server.files()->read_file("f"), text);
}

TEST_F(Write, goes_out_before_a_truncation_that_follows_it) {
  harness.server.hold_replies(Procedure::kWrite);
  harness.write(file, 0, std::string(3 * kWriteBytes, 'x'));
  nfs::SetAttributes shorter;
  shorter.size = 10;
  auto truncating = harness.fs->setattr(root(), node, shorter, file);
  EXPECT_FALSE(truncating.ended());
  EXPECT_EQ(harness.server.calls(Procedure::kSetattr), 0u);
  harness.server.release(Procedure::kWrite);
  EXPECT_EQ(value(std::move(truncating)).attributes.size, 10u);
  EXPECT_EQ(harness.read(file), std::string(10, 'x'));
  EXPECT_EQ(harness.flush(file), Status::kOk);
  harness.server.reboot();
  EXPECT_EQ(on_server(), std::string(10, 'x'));
  harness.release(file);
}

TEST_F(Write, behind_a_truncation_leaves_zeros_between) {
  harness.write(file, 0, "0123456789");
  nfs::SetAttributes shorter;
  shorter.size = 3;
  value(harness.fs->setattr(root(), node, shorter, file));
  harness.write(file, 6, "x");
  EXPECT_EQ(harness.read(file), std::string("012\0\0\0x", 7));
  harness.release(file);
  EXPECT_EQ(on_server(), std::string("012\0\0\0x", 7));
}

TEST_F(Write, beyond_four_gibibytes_and_with_holes_arrives_where_it_belongs) {
  constexpr std::uint64_t kFar = (5ULL << 30) + 3;
  harness.write(file, 0, "near");
  harness.write(file, kFar, "far");
  EXPECT_EQ(harness.attributes(node).size, kFar + 3);
  EXPECT_EQ(harness.read(file, kFar - 2, 100), std::string("\0\0far", 5));
  EXPECT_EQ(harness.flush(file), Status::kOk);
  EXPECT_EQ(harness.read(file, kFar - 2, 100), std::string("\0\0far", 5));
  EXPECT_EQ(harness.server.files()->attributes_of("f").size, kFar + 3);
  harness.release(file);
}

TEST_F(Write, through_an_o_sync_or_o_direct_file_is_stable_when_it_returns) {
  OpenFlags synchronous = for_writing();
  synchronous.synchronous = true;
  OpenFlags direct = for_writing();
  direct.direct = true;
  for (const OpenFlags& flags : {synchronous, direct}) {
    const OpenFileId opened = harness.open(node, flags);
    harness.server.forget_calls();
    EXPECT_EQ(harness.write(opened, 0, "text"), Status::kOk);
    EXPECT_EQ(harness.server.calls(), 1u);
    harness.server.reboot();
    EXPECT_EQ(on_server(), "text");
    harness.server.fail_next(Procedure::kWrite, Status::kNospc);
    EXPECT_EQ(harness.write(opened, 0, "more"), Status::kNospc);
    harness.release(opened);
  }
  harness.release(file);
}

TEST(WriteOnASynchronousMount, is_stable_when_it_returns) {
  Options options;
  options.synchronous = true;
  Harness harness(options);
  const OpenFileId file = harness.create("f");
  EXPECT_EQ(harness.write(file, 0, "text"), Status::kOk);
  harness.server.reboot();
  EXPECT_EQ(harness.server.files()->read_file("f"), "text");
  harness.release(file);
}

TEST(WriteOnAReadOnlyMount, is_refused_without_a_call) {
  Options options;
  options.read_only = true;
  Harness harness(options);
  harness.server.files()->write_file("f", "text");
  const OpenFileId file = harness.open(harness.node("f"));
  EXPECT_EQ(harness.cost([&] { EXPECT_EQ(harness.write(file, 0, "x"), Status::kRofs); }), 0u);
  harness.release(file);
}

TEST_F(Write, waits_for_a_flush_of_the_same_file_that_is_under_way) {
  harness.write(file, 0, "text");
  harness.server.hold_replies(Procedure::kWrite);
  auto flushing = harness.fs->flush(file);
  auto writing = harness.fs->write(file, 4, bytes_of("more"));
  EXPECT_FALSE(flushing.ended());
  EXPECT_FALSE(writing.ended());
  harness.server.release(Procedure::kWrite);
  EXPECT_TRUE(flushing.ended());
  EXPECT_TRUE(writing.ended());
  EXPECT_EQ(harness.read(file), "textmore");
  harness.release(file);
}

TEST_F(Write, of_each_opener_carries_its_own_credentials) {
  harness.server.files()->change_mode("f", 0666);
  const OpenFileId theirs = harness.open(node, for_writing(), user(2000));
  harness.server.forget_calls();
  harness.write(file, 0, "aa");
  harness.write(theirs, 2, "bb");
  harness.flush(file);
  ASSERT_EQ(writes(harness).size(), 2u);
  EXPECT_EQ(writes(harness)[0].who.uid, 0u);
  EXPECT_EQ(writes(harness)[1].who.uid, 2000u);
  harness.release(theirs);
  harness.release(file);
}

TEST_F(Write, bytes_are_written_out_by_drain) {
  harness.write(file, 0, "text");
  EXPECT_EQ(status_of(harness.fs->drain()), Status::kOk);
  harness.server.reboot();
  EXPECT_EQ(on_server(), "text");
  harness.write(file, 0, "lost");
  harness.server.fail_next(Procedure::kWrite, Status::kNospc);
  EXPECT_EQ(status_of(harness.fs->drain()), Status::kNospc);
  harness.release(file);
}

TEST_F(Write, a_read_that_began_before_a_flush_ends_well_when_another_client_truncates_meanwhile) {
  harness.write(file, 0, "0123456789");
  harness.server.hold_requests(Procedure::kRead);
  auto reading = harness.fs->read(file, 0, 100);
  EXPECT_EQ(harness.flush(file), Status::kOk);
  harness.server.files()->write_file("f", "");
  harness.server.release(Procedure::kRead);
  EXPECT_EQ(text_of(value(std::move(reading))), "0123456789");
  harness.release(file);
}

TEST_F(Write, opening_with_o_truncate_a_file_that_another_client_made_empties_it) {
  harness.server.files()->write_file("theirs", "text");
  OpenFlags flags = for_writing();
  flags.truncate = true;
  const CreatedFile made = value(harness.fs->create(root(), kRootNode, "theirs", 0600, false, flags));
  EXPECT_EQ(made.entry.attributes.attributes.size, 0u);
  EXPECT_EQ(made.entry.attributes.attributes.mode, 0644u);
  harness.release(made.opened.file);
  harness.release(file);
}

}  // namespace
}  // namespace cache
