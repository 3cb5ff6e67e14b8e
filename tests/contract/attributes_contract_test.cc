// GETATTR, SETATTR, ACCESS, FSSTAT, FSINFO, PATHCONF, and handles that mean nothing any more.
#include <array>

#include "tests/contract/client_contract.h"

namespace contract {
namespace {

using nfs::Status;
using support::sync_wait;

class AttributesContract : public ClientContract {
 protected:
  nfs::SetattrReply set(nfs::Credentials who, const nfs::FileHandle& file, const nfs::SetAttributes& changes,
                        std::optional<nfs::Time> guard_ctime = std::nullopt) {
    return sync_wait(client().setattr(who, file, changes, guard_ctime));
  }
};

TEST_P(AttributesContract, NullAnswers) {
  EXPECT_EQ(sync_wait(client().null()), Status::kOk);
}

TEST_P(AttributesContract, RootIsADirectoryWithAnIdentity) {
  nfs::Attributes attributes = attributes_of(root());
  EXPECT_EQ(attributes.type, nfs::FileType::kDirectory);
  EXPECT_EQ(attributes.mode, 0755u);
  EXPECT_GE(attributes.nlink, 2u);
  EXPECT_NE(attributes.fileid, 0u);
}

TEST_P(AttributesContract, StaysTheSameWhileNothingHappens) {
  nfs::FileHandle file = make_file(root(), "f");
  EXPECT_EQ(attributes_of(file), attributes_of(file));
}

TEST_P(AttributesContract, EveryFileHasItsOwnFileid) {
  nfs::Attributes first = attributes_of(make_file(root(), "a"));
  nfs::Attributes second = attributes_of(make_file(root(), "b"));
  EXPECT_NE(first.fileid, second.fileid);
  EXPECT_EQ(first.fsid, second.fsid);
}

TEST_P(AttributesContract, MeaninglessHandleIsRefused) {
  std::array<std::byte, 20> nonsense{};
  nfs::GetattrReply reply = sync_wait(client().getattr(kRoot, nfs::FileHandle(nonsense)));
  EXPECT_TRUE(reply.status == Status::kBadhandle || reply.status == Status::kStale) << nfs::status_name(reply.status);
}

TEST_P(AttributesContract, HandleIsStaleOnceTheFileIsRemoved) {
  nfs::FileHandle file = make_file(root(), "f");
  EXPECT_EQ(sync_wait(client().remove(kRoot, root(), "f")).status, Status::kOk);
  EXPECT_EQ(sync_wait(client().getattr(kRoot, file)).status, Status::kStale);
  EXPECT_EQ(sync_wait(client().read(kRoot, file, 0, 10)).status, Status::kStale);
  EXPECT_EQ(set(kRoot, file, with_mode(0600)).status, Status::kStale);
}

TEST_P(AttributesContract, SetattrChangesTheModeAndSaysWhatWas) {
  nfs::FileHandle file = make_file(root(), "f");
  nfs::Attributes before = attributes_of(file);
  nfs::SetattrReply reply = set(kRoot, file, with_mode(04751));
  ASSERT_EQ(reply.status, Status::kOk);
  ASSERT_TRUE(reply.wcc.after);
  EXPECT_EQ(reply.wcc.after->mode, 04751u);
  EXPECT_EQ(reply.wcc.after->mtime, before.mtime);
  EXPECT_GE(reply.wcc.after->ctime, before.ctime);
  if (reply.wcc.before) {
    EXPECT_EQ(*reply.wcc.before, nfs::version_of(before));
  }
  EXPECT_EQ(attributes_of(file), *reply.wcc.after);
}

TEST_P(AttributesContract, SetattrChangesTheOwner) {
  nfs::FileHandle file = make_file(root(), "f");
  nfs::SetAttributes changes;
  changes.uid = 1001;
  changes.gid = 1002;
  EXPECT_EQ(set(kRoot, file, changes).status, Status::kOk);
  nfs::Attributes after = attributes_of(file);
  EXPECT_EQ(after.uid, 1001u);
  EXPECT_EQ(after.gid, 1002u);
}

TEST_P(AttributesContract, OnlyTheOwnerChangesModeAndOwner) {
  nfs::FileHandle file = make_file(root(), "f", 0666);
  EXPECT_EQ(set(user(1001, 1001), file, with_mode(0777)).status, Status::kPerm);
  nfs::SetAttributes changes;
  changes.uid = 1001;
  EXPECT_EQ(set(user(1001, 1001), file, changes).status, Status::kPerm);
}

TEST_P(AttributesContract, OwnerGivesTheFileToItsOwnGroupsOnly) {
  nfs::Credentials owner = user(1001, 1001, {2001});
  nfs::FileHandle directory = make_directory(root(), "d", 0777);
  nfs::FileHandle file = make_file(directory, "f", 0644, owner);
  nfs::SetAttributes changes;
  changes.gid = 2001;
  EXPECT_EQ(set(owner, file, changes).status, Status::kOk);
  EXPECT_EQ(attributes_of(file).gid, 2001u);
  changes.gid = 2002;
  EXPECT_EQ(set(owner, file, changes).status, Status::kPerm);
}

TEST_P(AttributesContract, SetattrCutsAndExtends) {
  nfs::FileHandle file = make_file(root(), "f");
  write_text(file, 0, "0123456789");
  EXPECT_EQ(set(kRoot, file, with_size(4)).status, Status::kOk);
  EXPECT_EQ(read_text(file), "0123");
  EXPECT_EQ(set(kRoot, file, with_size(8)).status, Status::kOk);
  EXPECT_EQ(attributes_of(file).size, 8u);
  EXPECT_EQ(read_text(file), std::string("0123\0\0\0\0", 8));
}

TEST_P(AttributesContract, CuttingChangesMtime) {
  nfs::FileHandle file = make_file(root(), "f");
  nfs::SetAttributes old;
  old.mtime = nfs::SetTime{false, {1000, 0}};
  ASSERT_EQ(set(kRoot, file, old).status, Status::kOk);
  ASSERT_EQ(set(kRoot, file, with_size(5)).status, Status::kOk);
  EXPECT_NE(attributes_of(file).mtime, (nfs::Time{1000, 0}));
}

TEST_P(AttributesContract, SizeOfADirectoryCannotBeSet) {
  Status status = set(kRoot, make_directory(root(), "d"), with_size(0)).status;
  // The RFC names no status for this; nfs-ganesha says BADTYPE.
  EXPECT_TRUE(status == Status::kIsdir || status == Status::kInval || status == Status::kBadtype)
      << nfs::status_name(status);
}

TEST_P(AttributesContract, TimesAreTheClientsToTheNanosecond) {
  nfs::FileHandle file = make_file(root(), "f");
  nfs::SetAttributes changes;
  changes.atime = nfs::SetTime{false, {1'000'000'000, 123'456'789}};
  changes.mtime = nfs::SetTime{false, {1'200'000'000, 987'654'321}};
  ASSERT_EQ(set(kRoot, file, changes).status, Status::kOk);
  nfs::Attributes after = attributes_of(file);
  EXPECT_EQ(after.atime, changes.atime->time);
  EXPECT_EQ(after.mtime, changes.mtime->time);
}

TEST_P(AttributesContract, TimesAreTheServersWhenAsked) {
  nfs::FileHandle file = make_file(root(), "f");
  nfs::SetAttributes old;
  old.atime = old.mtime = nfs::SetTime{false, {1000, 0}};
  ASSERT_EQ(set(kRoot, file, old).status, Status::kOk);
  nfs::SetAttributes now;
  now.atime = now.mtime = nfs::SetTime{true, {}};
  ASSERT_EQ(set(kRoot, file, now).status, Status::kOk);
  nfs::Attributes after = attributes_of(file);
  EXPECT_GT(after.atime.seconds, 1'600'000'000u);
  EXPECT_GT(after.mtime.seconds, 1'600'000'000u);
}

TEST_P(AttributesContract, WriterMaySetTimesToNowButNotToAnyTime) {
  nfs::FileHandle file = make_file(root(), "f", 0666);
  nfs::SetAttributes now;
  now.atime = now.mtime = nfs::SetTime{true, {}};
  EXPECT_EQ(set(user(1001, 1001), file, now).status, Status::kOk);
  nfs::SetAttributes any;
  any.atime = any.mtime = nfs::SetTime{false, {1000, 0}};
  Status status = set(user(1001, 1001), file, any).status;
  EXPECT_TRUE(status == Status::kPerm || status == Status::kAcces) << nfs::status_name(status);
}

TEST_P(AttributesContract, GuardRefusesWhenCtimeDiffers) {
  nfs::FileHandle file = make_file(root(), "f");
  nfs::Time ctime = attributes_of(file).ctime;
  nfs::Time other{ctime.seconds - 1, ctime.nanoseconds};
  EXPECT_EQ(set(kRoot, file, with_mode(0600), other).status, Status::kNotSync);
  EXPECT_EQ(attributes_of(file).mode, 0644u);
  EXPECT_EQ(set(kRoot, file, with_mode(0600), ctime).status, Status::kOk);
  EXPECT_EQ(attributes_of(file).mode, 0600u);
}

TEST_P(AttributesContract, AccessTellsByCredentials) {
  nfs::Credentials owner = user(1001, 1001);
  nfs::Credentials member = user(1002, 1002, {1001});
  nfs::Credentials other = user(1003, 1003);
  nfs::FileHandle file = make_file(make_directory(root(), "d", 0777), "f", 0750, owner);
  std::uint32_t asked = nfs::kAccessRead | nfs::kAccessModify | nfs::kAccessExtend | nfs::kAccessExecute;
  EXPECT_EQ(sync_wait(client().access(owner, file, asked)).access, asked);
  EXPECT_EQ(sync_wait(client().access(member, file, asked)).access, nfs::kAccessRead | nfs::kAccessExecute);
  nfs::AccessReply reply = sync_wait(client().access(other, file, asked));
  EXPECT_EQ(reply.status, Status::kOk);
  EXPECT_EQ(reply.access, 0u);
}

TEST_P(AttributesContract, AccessAnswersOnlyWhatWasAsked) {
  nfs::FileHandle file = make_file(root(), "f", 0777);
  EXPECT_EQ(sync_wait(client().access(kRoot, file, nfs::kAccessRead)).access, nfs::kAccessRead);
}

TEST_P(AttributesContract, AccessOfDirectories) {
  nfs::FileHandle directory = make_directory(root(), "d", 0711);
  std::uint32_t asked = nfs::kAccessRead | nfs::kAccessLookup | nfs::kAccessModify | nfs::kAccessExtend;
  EXPECT_EQ(sync_wait(client().access(kRoot, directory, asked)).access, asked);
  EXPECT_EQ(sync_wait(client().access(user(1001, 1001), directory, asked)).access, nfs::kAccessLookup);
}

TEST_P(AttributesContract, FsstatCounts) {
  nfs::FsstatReply reply = sync_wait(client().fsstat(kRoot, root()));
  ASSERT_EQ(reply.status, Status::kOk);
  EXPECT_GT(reply.total_bytes, 0u);
  EXPECT_LE(reply.available_bytes, reply.total_bytes);
  EXPECT_LE(reply.free_files, reply.total_files);
}

TEST_P(AttributesContract, FsinfoAndPathconfTellLimits) {
  nfs::FsinfoReply info = sync_wait(client().fsinfo(kRoot, root()));
  ASSERT_EQ(info.status, Status::kOk);
  EXPECT_GE(info.read_bytes_max, 4096u);
  EXPECT_GE(info.write_bytes_max, 4096u);
  EXPECT_GE(limits().read_bytes_max, 4096u);
  EXPECT_LE(limits().read_bytes_max, nfs::kTransferBytesMax);
  nfs::PathconfReply pathconf = sync_wait(client().pathconf(kRoot, root()));
  ASSERT_EQ(pathconf.status, Status::kOk);
  // nfs-ganesha announces 1024 and then refuses names longer than what its file system takes.
  EXPECT_GE(pathconf.name_bytes_max, nfs::kNameBytesMax);
}

TEST_P(AttributesContract, OpenAndCloseSucceedWithoutState) {
  nfs::FileHandle file = make_file(root(), "f");
  EXPECT_EQ(sync_wait(client().open(kRoot, file, nfs::OpenMode::kRead)), Status::kOk);
  EXPECT_EQ(sync_wait(client().close(kRoot, file, nfs::OpenMode::kRead)), Status::kOk);
}

TEST_P(AttributesContract, StatisticsNameEveryProcedureAndCount) {
  nfs::RpcCounters before = client().statistics().at("GETATTR");
  attributes_of(root());
  sync_wait(client().lookup(kRoot, root(), "absent"));
  nfs::RpcStatistics after = client().statistics();
  EXPECT_EQ(after.size(), 22u);
  EXPECT_EQ(after.at("GETATTR").calls, before.calls + 1);
  EXPECT_EQ(after.at("LOOKUP").errors, 1u);
  EXPECT_TRUE(client().server_state().up);
}

INSTANTIATE_CONTRACT(AttributesContract);

class ReadOnlyContract : public ClientContract {
 protected:
  void SetUp() override { start(/*squash_root=*/false, /*read_only=*/true); }
};

TEST_P(ReadOnlyContract, RefusesEveryChange) {
  EXPECT_EQ(sync_wait(client().mkdir(kRoot, root(), "d", with_mode(0755))).status, Status::kRofs);
  EXPECT_EQ(sync_wait(client().setattr(kRoot, root(), with_mode(0700), std::nullopt)).status, Status::kRofs);
  EXPECT_EQ(sync_wait(client().create(kRoot, root(), "f", nfs::CreateMode::kGuarded, with_mode(0644), {})).status,
            Status::kRofs);
  std::uint32_t asked = nfs::kAccessRead | nfs::kAccessModify | nfs::kAccessExtend;
  EXPECT_EQ(sync_wait(client().access(kRoot, root(), asked)).access, nfs::kAccessRead);
}

INSTANTIATE_CONTRACT(ReadOnlyContract);

class RootSquashContract : public ClientContract {
 protected:
  void SetUp() override { start(/*squash_root=*/true, /*read_only=*/false); }
};

TEST_P(RootSquashContract, RootIsNobody) {
  EXPECT_EQ(sync_wait(client().mkdir(kRoot, root(), "d", with_mode(0755))).status, Status::kAcces);
  EXPECT_EQ(sync_wait(client().setattr(kRoot, root(), with_mode(0777), std::nullopt)).status, Status::kPerm);
  std::uint32_t asked = nfs::kAccessRead | nfs::kAccessLookup | nfs::kAccessModify;
  EXPECT_EQ(sync_wait(client().access(kRoot, root(), asked)).access, nfs::kAccessRead | nfs::kAccessLookup);
}

INSTANTIATE_CONTRACT(RootSquashContract);

}  // namespace
}  // namespace contract
