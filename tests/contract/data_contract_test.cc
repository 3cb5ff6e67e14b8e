// READ, WRITE, COMMIT: offsets, ends, stability, verifiers, permissions.
#include <cstring>

#include "tests/contract/client_contract.h"

namespace contract {
namespace {

using nfs::StableHow;
using nfs::Status;
using support::sync_wait;

class DataContract : public ClientContract {
 protected:
  nfs::WriteReply write(nfs::Credentials who, const nfs::FileHandle& file, std::uint64_t offset, std::string_view text,
                        StableHow stable) {
    return sync_wait(client().write(who, file, offset, bytes_of(text), stable));
  }
};

TEST_P(DataContract, ReadsBackWhatWasWritten) {
  nfs::FileHandle file = make_file(root(), "f");
  write_text(file, 0, "hello");
  write_text(file, 5, ", world");
  nfs::ReadReply reply = sync_wait(client().read(kRoot, file, 0, 100));
  ASSERT_EQ(reply.status, Status::kOk);
  EXPECT_EQ(text_of(reply.data), "hello, world");
  EXPECT_TRUE(reply.eof);
  ASSERT_TRUE(reply.attributes);
  EXPECT_EQ(reply.attributes->size, 12u);
}

TEST_P(DataContract, ReadsAPartWithoutEndOfFile) {
  nfs::FileHandle file = make_file(root(), "f");
  write_text(file, 0, "0123456789");
  nfs::ReadReply reply = sync_wait(client().read(kRoot, file, 2, 3));
  EXPECT_EQ(text_of(reply.data), "234");
  EXPECT_FALSE(reply.eof);
}

TEST_P(DataContract, ReadingAtAndBehindTheEndGivesNothing) {
  nfs::FileHandle file = make_file(root(), "f");
  write_text(file, 0, "0123456789");
  for (std::uint64_t offset : {10ULL, 11ULL, 1ULL << 40}) {
    nfs::ReadReply reply = sync_wait(client().read(kRoot, file, offset, 10));
    EXPECT_EQ(reply.status, Status::kOk);
    EXPECT_TRUE(reply.data.empty());
    EXPECT_TRUE(reply.eof);
  }
}

TEST_P(DataContract, WriteTellsVersionBeforeAndAttributesAfter) {
  nfs::FileHandle file = make_file(root(), "f");
  nfs::Attributes before = attributes_of(file);
  nfs::WriteReply reply = write(kRoot, file, 0, "text", StableHow::kFileSync);
  ASSERT_EQ(reply.status, Status::kOk);
  EXPECT_EQ(reply.count, 4u);
  EXPECT_EQ(reply.committed, StableHow::kFileSync);
  ASSERT_TRUE(reply.wcc.after);
  EXPECT_EQ(reply.wcc.after->size, 4u);
  EXPECT_GE(reply.wcc.after->mtime, before.mtime);
  // nfs-ganesha may leave the "before" half of a WRITE out; where it is there it must be right.
  if (reply.wcc.before) {
    EXPECT_EQ(*reply.wcc.before, nfs::version_of(before));
  }
  EXPECT_EQ(attributes_of(file).mtime, reply.wcc.after->mtime);
}

TEST_P(DataContract, HolesReadAsZeros) {
  nfs::FileHandle file = make_file(root(), "f");
  write_text(file, 100'000, "end");
  EXPECT_EQ(attributes_of(file).size, 100'003u);
  EXPECT_EQ(read_text(file, 0, 10), std::string(10, '\0'));
  EXPECT_EQ(read_text(file, 99'999, 10), std::string("\0end", 4));
}

TEST_P(DataContract, OffsetsBeyondFourGibibytes) {
  nfs::FileHandle file = make_file(root(), "f");
  std::uint64_t offset = (5ULL << 30) + 12'345;
  write_text(file, offset, "far away");
  EXPECT_EQ(attributes_of(file).size, offset + 8);
  EXPECT_EQ(read_text(file, offset + 4, 100), "away");
  EXPECT_EQ(sync_wait(client().setattr(kRoot, file, with_size((4ULL << 30) + 1), std::nullopt)).status, Status::kOk);
  EXPECT_EQ(attributes_of(file).size, (4ULL << 30) + 1);
}

TEST_P(DataContract, CarriesTheLargestTransfer) {
  nfs::FileHandle file = make_file(root(), "f");
  std::string text(limits().write_bytes_max, '\0');
  for (std::size_t i = 0; i < text.size(); ++i) {
    text[i] = static_cast<char>(i * 31 + i / 251);
  }
  std::size_t written = 0;
  while (written < text.size()) {
    nfs::WriteReply reply = write(kRoot, file, written, std::string_view(text).substr(written), StableHow::kUnstable);
    ASSERT_EQ(reply.status, Status::kOk);
    ASSERT_GT(reply.count, 0u);
    written += reply.count;
  }
  std::string back;
  while (back.size() < text.size()) {
    nfs::ReadReply reply = sync_wait(client().read(kRoot, file, back.size(), limits().read_bytes_max));
    ASSERT_EQ(reply.status, Status::kOk);
    ASSERT_FALSE(reply.data.empty());
    back += text_of(reply.data);
  }
  EXPECT_TRUE(back == text);
}

TEST_P(DataContract, ManyCallsAtOnce) {
  nfs::FileHandle file = make_file(root(), "f");
  constexpr std::size_t kPieces = 200;
  constexpr std::size_t kPieceBytes = 1000;
  std::vector<std::string> pieces;
  std::vector<nfs::Task<nfs::WriteReply>> writes;
  pieces.reserve(kPieces);
  for (std::size_t i = 0; i < kPieces; ++i) {
    pieces.emplace_back(kPieceBytes, static_cast<char>('a' + i % 26));
    writes.push_back(client().write(kRoot, file, i * kPieceBytes, bytes_of(pieces.back()), StableHow::kUnstable));
  }
  for (auto& each : writes) {
    EXPECT_EQ(sync_wait(std::move(each)).status, Status::kOk);
  }
  std::vector<nfs::Task<nfs::ReadReply>> reads;
  for (std::size_t i = 0; i < kPieces; ++i) {
    reads.push_back(client().read(kRoot, file, i * kPieceBytes, kPieceBytes));
  }
  for (std::size_t i = 0; i < kPieces; ++i) {
    EXPECT_EQ(text_of(sync_wait(std::move(reads[i])).data), pieces[i]) << i;
  }
}

TEST_P(DataContract, CommitHasTheVerifierOfTheWritesItCovers) {
  nfs::FileHandle file = make_file(root(), "f");
  nfs::WriteReply first = write(kRoot, file, 0, "one", StableHow::kUnstable);
  nfs::WriteReply second = write(kRoot, file, 3, "two", StableHow::kUnstable);
  ASSERT_EQ(first.status, Status::kOk);
  EXPECT_EQ(first.verifier, second.verifier);
  nfs::CommitReply commit = sync_wait(client().commit(kRoot, file, 0, 0));
  ASSERT_EQ(commit.status, Status::kOk);
  EXPECT_EQ(commit.verifier, first.verifier);
  nfs::CommitReply part = sync_wait(client().commit(kRoot, file, 3, 3));
  EXPECT_EQ(part.status, Status::kOk);
}

TEST_P(DataContract, RestartChangesTheWriteVerifierAndKeepsHandlesAndCommittedData) {
  nfs::FileHandle file = make_file(root(), "f");
  nfs::WriteReply before = write(kRoot, file, 0, "kept", StableHow::kUnstable);
  nfs::CommitReply committed = sync_wait(client().commit(kRoot, file, 0, 0));
  ASSERT_EQ(committed.status, Status::kOk);
  ASSERT_EQ(committed.verifier, before.verifier);
  restart_server();
  EXPECT_EQ(read_text(file), "kept");
  nfs::WriteReply after = write(kRoot, file, 4, "!", StableHow::kUnstable);
  ASSERT_EQ(after.status, Status::kOk);
  EXPECT_NE(after.verifier, before.verifier);
}

TEST_P(DataContract, DirectoriesHaveNoData) {
  nfs::FileHandle directory = make_directory(root(), "d");
  EXPECT_EQ(sync_wait(client().read(kRoot, directory, 0, 10)).status, Status::kIsdir);
  Status status = write(kRoot, directory, 0, "x", StableHow::kFileSync).status;
  EXPECT_TRUE(status == Status::kIsdir || status == Status::kInval) << nfs::status_name(status);
}

TEST_P(DataContract, OthersNeedPermission) {
  nfs::FileHandle file = make_file(root(), "f", 0600);
  write_text(file, 0, "secret");
  nfs::Credentials other = user(1001, 1001);
  EXPECT_EQ(sync_wait(client().read(other, file, 0, 10)).status, Status::kAcces);
  EXPECT_EQ(write(other, file, 0, "x", StableHow::kFileSync).status, Status::kAcces);
  EXPECT_EQ(read_text(file), "secret");
}

TEST_P(DataContract, GroupMembersReadByGroup) {
  nfs::FileHandle directory = make_directory(root(), "d", 0777);
  nfs::FileHandle file = make_file(directory, "f", 0640, user(1001, 2001));
  write_text(file, 0, "shared");
  EXPECT_EQ(sync_wait(client().read(user(1002, 1002, {2000, 2001}), file, 0, 10)).status, Status::kOk);
  EXPECT_EQ(sync_wait(client().read(user(1002, 1002, {2000}), file, 0, 10)).status, Status::kAcces);
}

TEST_P(DataContract, OwnerReadsAndWritesWhateverTheMode) {
  // The client checked at open; the mode may have changed since (section 4.4).
  nfs::Credentials owner = user(1001, 1001);
  nfs::FileHandle file = make_file(make_directory(root(), "d", 0777), "f", 0644, owner);
  ASSERT_EQ(sync_wait(client().setattr(owner, file, with_mode(0), std::nullopt)).status, Status::kOk);
  EXPECT_EQ(write(owner, file, 0, "mine", StableHow::kFileSync).status, Status::kOk);
  EXPECT_EQ(text_of(sync_wait(client().read(owner, file, 0, 10)).data), "mine");
}

TEST_P(DataContract, WritingTakesSetUidAway) {
  nfs::FileHandle file = make_file(root(), "f", 0666);
  ASSERT_EQ(sync_wait(client().setattr(kRoot, file, with_mode(04777), std::nullopt)).status, Status::kOk);
  ASSERT_EQ(write(user(1001, 1001), file, 0, "x", StableHow::kFileSync).status, Status::kOk);
  EXPECT_EQ(attributes_of(file).mode, 0777u);
}

INSTANTIATE_CONTRACT(DataContract);

}  // namespace
}  // namespace contract
