// READDIR and READDIRPLUS: paging, cookies over changes, attributes, permissions.
#include <map>
#include <set>

#include "tests/contract/client_contract.h"

namespace contract {
namespace {

using nfs::Status;
using support::sync_wait;

class ListingContract : public ClientContract {
 protected:
  struct Listing {
    std::multiset<std::string> names;
    std::map<std::string, nfs::DirectoryEntry> entries;
    int calls = 0;
  };

  nfs::ReaddirReply page(const nfs::FileHandle& directory, nfs::Cookie cookie, nfs::Verifier verifier,
                         std::uint32_t bytes_max, bool plus) {
    return sync_wait(plus ? client().readdirplus(kRoot, directory, cookie, verifier, bytes_max)
                          : client().readdir(kRoot, directory, cookie, verifier, bytes_max));
  }

  // From the cookie on to the end.
  Listing list(const nfs::FileHandle& directory, std::uint32_t bytes_max, bool plus, nfs::Cookie cookie = 0,
               nfs::Verifier verifier = {}) {
    Listing listing;
    for (bool eof = false; !eof && listing.calls < 10'000;) {
      nfs::ReaddirReply reply = page(directory, cookie, verifier, bytes_max, plus);
      ++listing.calls;
      EXPECT_EQ(reply.status, Status::kOk);
      if (reply.status != Status::kOk) {
        break;
      }
      for (nfs::DirectoryEntry& entry : reply.entries) {
        cookie = entry.cookie;
        listing.names.insert(entry.name);
        listing.entries[entry.name] = entry;
      }
      verifier = reply.verifier;
      eof = reply.eof;
    }
    return listing;
  }

  void make_files(const nfs::FileHandle& directory, const std::string& prefix, int count) {
    for (int i = 0; i < count; ++i) {
      make_file(directory, prefix + std::to_string(i));
    }
  }
};

TEST_P(ListingContract, EmptyDirectoryHasNoEntries) {
  nfs::FileHandle directory = make_directory(root(), "d");
  for (bool plus : {false, true}) {
    nfs::ReaddirReply reply = page(directory, 0, {}, 4096, plus);
    EXPECT_EQ(reply.status, Status::kOk);
    EXPECT_TRUE(reply.entries.empty());
    EXPECT_TRUE(reply.eof);
    EXPECT_TRUE(reply.directory_attributes);
  }
}

TEST_P(ListingContract, ListsEveryNameOnceWhateverThePage) {
  nfs::FileHandle directory = make_directory(root(), "d");
  make_files(directory, "name-", 150);
  for (bool plus : {false, true}) {
    for (std::uint32_t bytes_max : {1024u, 4096u, 256u << 10}) {
      Listing listing = list(directory, bytes_max, plus);
      EXPECT_EQ(listing.names.size(), 150u) << bytes_max;
      EXPECT_EQ(listing.entries.size(), 150u) << bytes_max;
    }
  }
  EXPECT_GT(list(directory, 4096, true).calls, 3);
  EXPECT_EQ(list(directory, 256 << 10, true).calls, 1);
}

TEST_P(ListingContract, PlusTellsHandlesAndAttributes) {
  nfs::FileHandle directory = make_directory(root(), "d");
  nfs::FileHandle file = make_file(directory, "f");
  nfs::FileHandle below = make_directory(directory, "s");
  Listing listing = list(directory, 8192, true);
  ASSERT_EQ(listing.entries.size(), 2u);
  const nfs::DirectoryEntry& entry = listing.entries.at("f");
  EXPECT_EQ(entry.object, file);
  ASSERT_TRUE(entry.attributes);
  EXPECT_EQ(*entry.attributes, attributes_of(file));
  EXPECT_EQ(entry.fileid, entry.attributes->fileid);
  EXPECT_EQ(listing.entries.at("s").object, below);
}

TEST_P(ListingContract, PlainTellsFileidsOnly) {
  nfs::FileHandle directory = make_directory(root(), "d");
  nfs::FileHandle file = make_file(directory, "f");
  Listing listing = list(directory, 8192, false);
  const nfs::DirectoryEntry& entry = listing.entries.at("f");
  EXPECT_EQ(entry.fileid, attributes_of(file).fileid);
  EXPECT_TRUE(entry.object.empty());
  EXPECT_FALSE(entry.attributes);
}

TEST_P(ListingContract, NamesThatStayAreListedOnceWhileOthersComeAndGo) {
  nfs::FileHandle directory = make_directory(root(), "d");
  make_files(directory, "stays-", 60);
  make_files(directory, "goes-", 60);
  nfs::ReaddirReply first = page(directory, 0, {}, 2048, true);
  ASSERT_EQ(first.status, Status::kOk);
  ASSERT_FALSE(first.eof);
  ASSERT_FALSE(first.entries.empty());
  for (int i = 0; i < 60; ++i) {
    EXPECT_EQ(sync_wait(client().remove(kRoot, directory, "goes-" + std::to_string(i))).status, Status::kOk);
  }
  make_files(directory, "comes-", 20);
  Listing rest = list(directory, 2048, true, first.entries.back().cookie, first.verifier);
  for (const nfs::DirectoryEntry& entry : first.entries) {
    rest.names.insert(entry.name);
  }
  for (int i = 0; i < 60; ++i) {
    EXPECT_EQ(rest.names.count("stays-" + std::to_string(i)), 1u) << i;
  }
  for (int i = 0; i < 20; ++i) {
    EXPECT_LE(rest.names.count("comes-" + std::to_string(i)), 1u) << i;
  }
}

TEST_P(ListingContract, TheSameCookieContinuesAtTheSamePlace) {
  nfs::FileHandle directory = make_directory(root(), "d");
  make_files(directory, "name-", 40);
  nfs::ReaddirReply first = page(directory, 0, {}, 1500, true);
  ASSERT_FALSE(first.entries.empty());
  nfs::Cookie cookie = first.entries.front().cookie;
  nfs::ReaddirReply again = page(directory, cookie, first.verifier, 1500, true);
  nfs::ReaddirReply plain = page(directory, cookie, first.verifier, 1500, false);
  ASSERT_FALSE(again.entries.empty());
  ASSERT_FALSE(plain.entries.empty());
  EXPECT_EQ(again.entries.front().name, first.entries.at(1).name);
  EXPECT_EQ(plain.entries.front().name, first.entries.at(1).name);
}

TEST_P(ListingContract, LongAndStrangeNamesAreListed) {
  nfs::FileHandle directory = make_directory(root(), "d");
  std::string longest(255, '\xe4');
  make_file(directory, longest);
  make_file(directory, "line\nbreak");
  Listing listing = list(directory, 4096, true);
  EXPECT_EQ(listing.names, (std::multiset<std::string>{longest, "line\nbreak"}));
}

TEST_P(ListingContract, ListingNeedsPermissionToRead) {
  nfs::FileHandle directory = make_directory(root(), "d", 0711);
  nfs::ReaddirReply reply = sync_wait(client().readdirplus(user(1001, 1001), directory, 0, {}, 4096));
  EXPECT_EQ(reply.status, Status::kAcces);
}

TEST_P(ListingContract, ListingAFileIsRefused) {
  EXPECT_EQ(page(make_file(root(), "f"), 0, {}, 4096, true).status, Status::kNotdir);
  EXPECT_EQ(page(make_file(root(), "g"), 0, {}, 4096, false).status, Status::kNotdir);
}

TEST_P(ListingContract, RemovedDirectoryIsStale) {
  nfs::FileHandle directory = make_directory(root(), "d");
  ASSERT_EQ(sync_wait(client().rmdir(kRoot, root(), "d")).status, Status::kOk);
  EXPECT_EQ(page(directory, 0, {}, 4096, true).status, Status::kStale);
}

INSTANTIATE_CONTRACT(ListingContract);

}  // namespace
}  // namespace contract
