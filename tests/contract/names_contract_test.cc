// LOOKUP, CREATE, MKDIR, SYMLINK, READLINK, MKNOD, REMOVE, RMDIR, RENAME, LINK.
#include "tests/contract/client_contract.h"

namespace contract {
namespace {

using nfs::CreateMode;
using nfs::Status;
using support::sync_wait;

constexpr nfs::Verifier verifier(unsigned char fill) {
  nfs::Verifier result{};
  result.fill(static_cast<std::byte>(fill));
  return result;
}

class NamesContract : public ClientContract {
 protected:
  nfs::CreateReply create(const std::string& name, CreateMode mode, const nfs::SetAttributes& attributes,
                          nfs::Verifier unique = {}) {
    return sync_wait(client().create(kRoot, root(), name, mode, attributes, unique));
  }
  Status remove(const std::string& name, nfs::Credentials who = kRoot) {
    return sync_wait(client().remove(who, root(), name)).status;
  }
  Status rename(const std::string& from, const std::string& to) {
    return sync_wait(client().rename(kRoot, root(), from, root(), to, {})).status;
  }
};

TEST_P(NamesContract, LookupFindsHandleAndAttributes) {
  nfs::FileHandle file = make_file(root(), "f");
  nfs::LookupReply reply = sync_wait(client().lookup(kRoot, root(), "f"));
  ASSERT_EQ(reply.status, Status::kOk);
  EXPECT_EQ(reply.object, file);
  ASSERT_TRUE(reply.attributes);
  EXPECT_EQ(*reply.attributes, attributes_of(file));
  ASSERT_TRUE(reply.directory_attributes);
  EXPECT_EQ(*reply.directory_attributes, attributes_of(root()));
}

TEST_P(NamesContract, LookupOfAnAbsentNameTellsTheDirectorysAttributes) {
  nfs::LookupReply reply = sync_wait(client().lookup(kRoot, root(), "absent"));
  EXPECT_EQ(reply.status, Status::kNoent);
  ASSERT_TRUE(reply.directory_attributes);
  EXPECT_EQ(reply.directory_attributes->type, nfs::FileType::kDirectory);
}

TEST_P(NamesContract, LookupBelowAFileIsRefused) {
  EXPECT_EQ(status_of_lookup(make_file(root(), "f"), "x"), Status::kNotdir);
}

TEST_P(NamesContract, LookupOfDotAndDotDot) {
  nfs::FileHandle directory = make_directory(root(), "d");
  nfs::LookupReply dot = sync_wait(client().lookup(kRoot, directory, "."));
  nfs::LookupReply up = sync_wait(client().lookup(kRoot, directory, ".."));
  EXPECT_EQ(dot.object, directory);
  ASSERT_EQ(up.status, Status::kOk);
  EXPECT_EQ(attributes_of(up.object).fileid, attributes_of(root()).fileid);
}

TEST_P(NamesContract, SearchNeedsPermission) {
  nfs::FileHandle directory = make_directory(root(), "d", 0700);
  make_file(directory, "f");
  EXPECT_EQ(status_of_lookup(directory, "f", user(1001, 1001)), Status::kAcces);
  EXPECT_EQ(status_of_lookup(directory, "f"), Status::kOk);
}

TEST_P(NamesContract, NamesOf255BytesWorkAndLongerOnesDoNot) {
  std::string longest(255, 'n');
  nfs::FileHandle file = make_file(root(), longest);
  nfs::LookupReply found = sync_wait(client().lookup(kRoot, root(), longest));
  EXPECT_EQ(found.object, file);
  std::string longer(256, 'n');
  EXPECT_EQ(status_of_lookup(root(), longer), Status::kNametoolong);
  EXPECT_EQ(create(longer, CreateMode::kGuarded, with_mode(0644)).status, Status::kNametoolong);
  EXPECT_EQ(sync_wait(client().mkdir(kRoot, root(), longer, with_mode(0755))).status, Status::kNametoolong);
  EXPECT_EQ(rename(longest, longer), Status::kNametoolong);
}

TEST_P(NamesContract, NamesAreBytes) {
  std::string name = "\xff\xfe\x01 \n\t\\\"caf\xe9";
  nfs::FileHandle file = make_file(root(), name);
  EXPECT_EQ(sync_wait(client().lookup(kRoot, root(), name)).object, file);
  EXPECT_EQ(remove(name), Status::kOk);
  EXPECT_EQ(status_of_lookup(root(), name), Status::kNoent);
}

TEST_P(NamesContract, CreateTellsTheDirectorysChange) {
  nfs::Attributes before = attributes_of(root());
  nfs::CreateReply reply = create("f", CreateMode::kUnchecked, with_mode(0640));
  ASSERT_EQ(reply.status, Status::kOk);
  ASSERT_TRUE(reply.attributes);
  EXPECT_EQ(reply.attributes->mode, 0640u);
  EXPECT_EQ(reply.attributes->size, 0u);
  ASSERT_TRUE(reply.directory.after);
  EXPECT_GE(reply.directory.after->mtime, before.mtime);
  if (reply.directory.before) {
    EXPECT_EQ(*reply.directory.before, nfs::version_of(before));
  }
  EXPECT_EQ(*reply.directory.after, attributes_of(root()));
}

TEST_P(NamesContract, NewFilesBelongToWhoMadeThem) {
  nfs::FileHandle directory = make_directory(root(), "d", 0777);
  nfs::Attributes attributes = attributes_of(make_file(directory, "f", 0644, user(1001, 2001)));
  EXPECT_EQ(attributes.uid, 1001u);
  EXPECT_EQ(attributes.gid, 2001u);
}

TEST_P(NamesContract, NewFilesInASetGidDirectoryHaveItsGroup) {
  nfs::FileHandle directory = make_directory(root(), "d", 0777);
  nfs::SetAttributes changes = with_mode(02777);
  changes.gid = 3001;
  ASSERT_EQ(sync_wait(client().setattr(kRoot, directory, changes, std::nullopt)).status, Status::kOk);
  EXPECT_EQ(attributes_of(make_file(directory, "f", 0644, user(1001, 2001))).gid, 3001u);
}

TEST_P(NamesContract, CreatingNeedsPermission) {
  nfs::FileHandle directory = make_directory(root(), "d", 0755);
  nfs::Credentials other = user(1001, 1001);
  nfs::CreateReply reply = sync_wait(client().create(other, directory, "f", CreateMode::kGuarded, with_mode(0644), {}));
  EXPECT_EQ(reply.status, Status::kAcces);
  EXPECT_EQ(sync_wait(client().mkdir(other, directory, "s", with_mode(0755))).status, Status::kAcces);
}

TEST_P(NamesContract, UncheckedCreateOpensWhatExistsAndCutsItWhenTold) {
  nfs::FileHandle file = make_file(root(), "f");
  write_text(file, 0, "text");
  nfs::CreateReply again = create("f", CreateMode::kUnchecked, {});
  ASSERT_EQ(again.status, Status::kOk);
  EXPECT_EQ(again.object, file);
  EXPECT_EQ(read_text(file), "text");
  ASSERT_EQ(create("f", CreateMode::kUnchecked, with_size(0)).status, Status::kOk);
  EXPECT_EQ(read_text(file), "");
}

TEST_P(NamesContract, GuardedCreateRefusesWhatExists) {
  make_file(root(), "f");
  EXPECT_EQ(create("f", CreateMode::kGuarded, with_mode(0644)).status, Status::kExist);
}

TEST_P(NamesContract, ExclusiveCreateMayBeRepeatedWithItsVerifierOnly) {
  nfs::CreateReply first = create("f", CreateMode::kExclusive, {}, verifier(1));
  ASSERT_EQ(first.status, Status::kOk);
  nfs::CreateReply again = create("f", CreateMode::kExclusive, {}, verifier(1));
  EXPECT_EQ(again.status, Status::kOk);
  EXPECT_EQ(again.object, first.object);
  EXPECT_EQ(create("f", CreateMode::kExclusive, {}, verifier(2)).status, Status::kExist);
}

TEST_P(NamesContract, ExclusiveCreateRefusesAFileMadeOtherwise) {
  make_file(root(), "f");
  EXPECT_EQ(create("f", CreateMode::kExclusive, {}, verifier(1)).status, Status::kExist);
}

TEST_P(NamesContract, CreateOverADirectoryIsRefused) {
  make_directory(root(), "d");
  Status status = create("d", CreateMode::kUnchecked, with_mode(0644)).status;
  EXPECT_TRUE(status == Status::kExist || status == Status::kIsdir) << nfs::status_name(status);
}

TEST_P(NamesContract, MkdirMakesAnEmptyDirectoryAndCountsInItsParent) {
  nfs::Attributes before = attributes_of(root());
  nfs::CreateReply reply = sync_wait(client().mkdir(kRoot, root(), "d", with_mode(0750)));
  ASSERT_EQ(reply.status, Status::kOk);
  ASSERT_TRUE(reply.attributes);
  EXPECT_EQ(reply.attributes->type, nfs::FileType::kDirectory);
  EXPECT_EQ(reply.attributes->mode, 0750u);
  EXPECT_EQ(reply.attributes->nlink, 2u);
  EXPECT_EQ(attributes_of(root()).nlink, before.nlink + 1);
  EXPECT_EQ(sync_wait(client().mkdir(kRoot, root(), "d", with_mode(0755))).status, Status::kExist);
}

TEST_P(NamesContract, SymlinksKeepTheirTarget) {
  std::string target = "../somewhere/\xff else";
  nfs::CreateReply reply = sync_wait(client().symlink(kRoot, root(), "l", target, {}));
  ASSERT_EQ(reply.status, Status::kOk);
  nfs::LookupReply found = sync_wait(client().lookup(kRoot, root(), "l"));
  ASSERT_TRUE(found.attributes);
  EXPECT_EQ(found.attributes->type, nfs::FileType::kSymlink);
  EXPECT_EQ(found.attributes->size, target.size());
  EXPECT_EQ(sync_wait(client().readlink(kRoot, found.object)).target, target);
  EXPECT_EQ(sync_wait(client().symlink(kRoot, root(), "l", "x", {})).status, Status::kExist);
}

TEST_P(NamesContract, SymlinkTargetsMayBeLong) {
  std::string target(1000, 't');
  ASSERT_EQ(sync_wait(client().symlink(kRoot, root(), "l", target, {})).status, Status::kOk);
  nfs::LookupReply found = sync_wait(client().lookup(kRoot, root(), "l"));
  EXPECT_EQ(sync_wait(client().readlink(kRoot, found.object)).target, target);
}

TEST_P(NamesContract, ReadlinkOfAFileIsRefused) {
  EXPECT_EQ(sync_wait(client().readlink(kRoot, make_file(root(), "f"))).status, Status::kInval);
}

TEST_P(NamesContract, MknodMakesFifosSocketsAndDevices) {
  struct Case {
    std::string name;
    nfs::NodeKind kind;
  };
  for (const Case& each : {Case{"fifo", {nfs::FileType::kFifo, {}}}, Case{"socket", {nfs::FileType::kSocket, {}}},
                           Case{"null", {nfs::FileType::kCharacter, {1, 3}}}}) {
    nfs::CreateReply reply = sync_wait(client().mknod(kRoot, root(), each.name, each.kind, with_mode(0600)));
    ASSERT_EQ(reply.status, Status::kOk) << each.name;
    nfs::LookupReply found = sync_wait(client().lookup(kRoot, root(), each.name));
    ASSERT_TRUE(found.attributes);
    EXPECT_EQ(found.attributes->type, each.kind.type);
    EXPECT_EQ(found.attributes->mode, 0600u);
    if (each.kind.type == nfs::FileType::kCharacter) {
      EXPECT_EQ(found.attributes->rdev, each.kind.device);
    }
  }
}

TEST_P(NamesContract, RemoveTakesTheNameAway) {
  make_file(root(), "f");
  nfs::Attributes before = attributes_of(root());
  nfs::RemoveReply reply = sync_wait(client().remove(kRoot, root(), "f"));
  ASSERT_EQ(reply.status, Status::kOk);
  ASSERT_TRUE(reply.directory.after);
  if (reply.directory.before) {
    EXPECT_EQ(*reply.directory.before, nfs::version_of(before));
  }
  EXPECT_EQ(status_of_lookup(root(), "f"), Status::kNoent);
  EXPECT_EQ(remove("f"), Status::kNoent);
}

TEST_P(NamesContract, RemoveLeavesDirectoriesAndRmdirLeavesFiles) {
  make_directory(root(), "d");
  make_file(root(), "f");
  Status status = remove("d");
  EXPECT_TRUE(status == Status::kIsdir || status == Status::kPerm) << nfs::status_name(status);
  EXPECT_EQ(sync_wait(client().rmdir(kRoot, root(), "f")).status, Status::kNotdir);
  EXPECT_EQ(status_of_lookup(root(), "d"), Status::kOk);
  EXPECT_EQ(status_of_lookup(root(), "f"), Status::kOk);
}

TEST_P(NamesContract, RmdirTakesEmptyDirectoriesOnly) {
  nfs::FileHandle directory = make_directory(root(), "d");
  make_file(directory, "f");
  EXPECT_EQ(sync_wait(client().rmdir(kRoot, root(), "d")).status, Status::kNotempty);
  ASSERT_EQ(sync_wait(client().remove(kRoot, directory, "f")).status, Status::kOk);
  EXPECT_EQ(sync_wait(client().rmdir(kRoot, root(), "d")).status, Status::kOk);
  EXPECT_EQ(sync_wait(client().getattr(kRoot, directory)).status, Status::kStale);
}

TEST_P(NamesContract, StickyDirectoriesProtectOthersFiles) {
  nfs::FileHandle directory = make_directory(root(), "d", 01777);
  make_file(directory, "f", 0666, user(1001, 1001));
  Status status = sync_wait(client().remove(user(1002, 1002), directory, "f")).status;
  EXPECT_TRUE(status == Status::kPerm || status == Status::kAcces) << nfs::status_name(status);
  EXPECT_EQ(sync_wait(client().remove(user(1001, 1001), directory, "f")).status, Status::kOk);
}

TEST_P(NamesContract, RenameMovesBetweenDirectoriesAndKeepsTheHandle) {
  nfs::FileHandle from = make_directory(root(), "from");
  nfs::FileHandle to = make_directory(root(), "to");
  nfs::FileHandle file = make_file(from, "a");
  nfs::RenameReply reply = sync_wait(client().rename(kRoot, from, "a", to, "b", file));
  ASSERT_EQ(reply.status, Status::kOk);
  EXPECT_TRUE(reply.from_directory.after);
  EXPECT_TRUE(reply.to_directory.after);
  EXPECT_EQ(status_of_lookup(from, "a"), Status::kNoent);
  EXPECT_EQ(sync_wait(client().lookup(kRoot, to, "b")).object, file);
  EXPECT_EQ(sync_wait(client().getattr(kRoot, file)).status, Status::kOk);
}

TEST_P(NamesContract, RenameReplacesAFile) {
  nfs::FileHandle old = make_file(root(), "old");
  nfs::FileHandle young = make_file(root(), "young");
  ASSERT_EQ(rename("young", "old"), Status::kOk);
  EXPECT_EQ(sync_wait(client().lookup(kRoot, root(), "old")).object, young);
  EXPECT_EQ(sync_wait(client().getattr(kRoot, old)).status, Status::kStale);
}

TEST_P(NamesContract, RenameOfAnAbsentName) {
  EXPECT_EQ(rename("absent", "x"), Status::kNoent);
}

TEST_P(NamesContract, RenameReplacesEmptyDirectoriesOnly) {
  make_directory(root(), "a");
  nfs::FileHandle full = make_directory(root(), "full");
  make_file(full, "f");
  Status status = rename("a", "full");
  EXPECT_TRUE(status == Status::kNotempty || status == Status::kExist) << nfs::status_name(status);
  make_directory(root(), "empty");
  EXPECT_EQ(rename("a", "empty"), Status::kOk);
}

TEST_P(NamesContract, RenameNeverReplacesAnotherKind) {
  make_directory(root(), "d");
  make_file(root(), "f");
  Status over_directory = rename("f", "d");
  EXPECT_TRUE(over_directory == Status::kIsdir || over_directory == Status::kExist) << nfs::status_name(over_directory);
  Status over_file = rename("d", "f");
  EXPECT_TRUE(over_file == Status::kNotdir || over_file == Status::kExist) << nfs::status_name(over_file);
}

TEST_P(NamesContract, RenameIntoItselfIsRefused) {
  nfs::FileHandle directory = make_directory(root(), "d");
  EXPECT_EQ(sync_wait(client().rename(kRoot, root(), "d", directory, "x", {})).status, Status::kInval);
}

TEST_P(NamesContract, RenameBetweenTwoNamesOfOneFileDoesNothing) {
  nfs::FileHandle file = make_file(root(), "a");
  ASSERT_EQ(sync_wait(client().link(kRoot, file, root(), "b")).status, Status::kOk);
  EXPECT_EQ(rename("a", "b"), Status::kOk);
  EXPECT_EQ(status_of_lookup(root(), "a"), Status::kOk);
  EXPECT_EQ(attributes_of(file).nlink, 2u);
}

TEST_P(NamesContract, LinksShareTheFile) {
  nfs::FileHandle file = make_file(root(), "a");
  nfs::LinkReply reply = sync_wait(client().link(kRoot, file, root(), "b"));
  ASSERT_EQ(reply.status, Status::kOk);
  if (reply.attributes) {
    EXPECT_EQ(reply.attributes->nlink, 2u);
  }
  EXPECT_EQ(sync_wait(client().lookup(kRoot, root(), "b")).object, file);
  EXPECT_EQ(sync_wait(client().link(kRoot, file, root(), "b")).status, Status::kExist);
  EXPECT_EQ(remove("a"), Status::kOk);
  EXPECT_EQ(attributes_of(file).nlink, 1u);
}

TEST_P(NamesContract, DirectoriesHaveNoSecondName) {
  nfs::FileHandle directory = make_directory(root(), "d");
  Status status = sync_wait(client().link(kRoot, directory, root(), "e")).status;
  // The RFC leaves the status open; nfs-ganesha says BADTYPE.
  EXPECT_TRUE(status == Status::kPerm || status == Status::kIsdir || status == Status::kBadtype)
      << nfs::status_name(status);
}

INSTANTIATE_CONTRACT(NamesContract);

}  // namespace
}  // namespace contract
