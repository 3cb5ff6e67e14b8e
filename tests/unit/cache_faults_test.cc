// A server that hangs, is away, fails or forgets: what goes on, what ends, and that nothing is left behind.
#include <fstream>

#include "tests/unit/cache_harness.h"

namespace cache {
namespace {

// A line of /proc/self/status: "VmRSS" in kB, "Threads".
std::uint64_t process_status(const std::string& key) {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    if (word == key + ":") {
      std::uint64_t number = 0;
      status >> number;
      return number;
    }
  }
  return 0;
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kMeasuresMemory = false;  // the sanitizers' own memory would be measured
#else
constexpr bool kMeasuresMemory = true;
#endif

TEST(HangingServer, ten_thousand_parked_calls_cost_no_thread_little_memory_and_no_hit) {
  Harness harness(nocto());
  harness.server.files()->make_directory("d");
  for (int i = 0; i < 100; ++i) {
    harness.server.files()->write_file("d/f" + std::to_string(i), "text");
  }
  const NodeId directory = harness.node("d");
  harness.list(directory);
  const NodeId known = harness.node("d/f1");
  const OpenFileId file = harness.open(known);
  harness.server.hold_all_requests();
  const std::uint64_t threads = process_status("Threads");
  const std::uint64_t kilobytes = process_status("VmRSS");
  std::vector<nfs::Task<nfs::Result<nfs::Bytes>>> reads;
  std::vector<nfs::Task<nfs::Result<Entry>>> lookups;
  for (int i = 0; i < 5000; ++i) {
    reads.push_back(harness.fs->read(file, static_cast<unsigned>(i), 1 << 17));
    lookups.push_back(harness.fs->lookup(root(), directory, "unknown" + std::to_string(i)));
  }
  EXPECT_EQ(process_status("Threads"), threads);
  if (kMeasuresMemory) {
    EXPECT_LT(process_status("VmRSS") - kilobytes, 100'000u);
    std::printf("10,000 parked calls: %lu kB\n", process_status("VmRSS") - kilobytes);
  }
  // Everything below is answered by memory, in this thread, at once.
  harness.server.forget_calls();
  for (int i = 0; i < 100; ++i) {
    auto lookup = harness.fs->lookup(root(), directory, "f" + std::to_string(i));
    ASSERT_TRUE(lookup.ended());
    auto getattr = harness.fs->getattr(root(), lookup.take()->node);
    ASSERT_TRUE(getattr.ended());
  }
  auto opening = harness.fs->open(root(), known, for_reading());
  ASSERT_TRUE(opening.ended());
  EXPECT_EQ(harness.release(opening.take()->file), Status::kOk);
  auto access = harness.fs->access(root(), known, 4);
  EXPECT_TRUE(access.ended());
  EXPECT_EQ(harness.list(directory).size(), 100u);
  EXPECT_EQ(harness.server.calls(), 0u);
  EXPECT_FALSE(reads[0].ended());
  harness.server.release_all();
  for (auto& each : reads) {
    EXPECT_TRUE(each.ended());
  }
  for (auto& each : lookups) {
    ASSERT_TRUE(each.ended());
    EXPECT_EQ(each.take()->node, 0u);
  }
  harness.release(file);
}

TEST(HangingServer, does_not_hold_back_the_write_behind_of_other_programs) {
  Harness harness;
  const OpenFileId file = harness.create("f");
  const OpenFileId other = harness.create("g");
  harness.server.hold_all_requests();
  harness.write(file, 0, "text");
  auto flushing = harness.fs->flush(file);
  EXPECT_FALSE(flushing.ended());
  auto writing = harness.fs->write(other, 0, bytes_of("more"));
  EXPECT_TRUE(writing.ended());
  harness.server.release_all();
  EXPECT_EQ(status_of(std::move(flushing)), Status::kOk);
  harness.release(file);
  harness.release(other);
}

TEST(ServerThatIsAway, leaves_the_roots_attributes_and_statfs_to_memory_and_nothing_else) {
  Harness harness;
  harness.server.files()->write_file("f", "text");
  const NodeId file = harness.node("f");
  value(harness.fs->statfs(root()));
  harness.attributes(kRootNode);
  harness.clock.advance(1000s);
  harness.server.set_server_state({false, 100s});
  harness.server.hold_all_requests();
  auto root_attributes = harness.fs->getattr(root(), kRootNode);
  ASSERT_TRUE(root_attributes.ended());
  EXPECT_EQ(root_attributes.take()->lifetime, 0s);
  EXPECT_TRUE(harness.fs->statfs(root()).ended());
  auto others = harness.fs->getattr(root(), file);
  EXPECT_FALSE(others.ended());
  harness.server.set_server_state({true, 0s});
  harness.server.release_all();
  EXPECT_EQ(value(std::move(others)).attributes.size, 4u);
}

TEST(StaleHandle, is_given_up_and_the_next_walk_finds_the_file_again) {
  Harness harness;
  harness.server.files()->write_file("f", "text");
  const NodeId old = harness.node("f");
  harness.server.files()->make_stale("f");
  harness.clock.advance(3s);
  EXPECT_EQ(status_of(harness.fs->getattr(root(), old)), Status::kStale);
  const NodeId fresh = harness.node("f");
  EXPECT_NE(fresh, old);
  EXPECT_EQ(harness.attributes(fresh).size, 4u);
  EXPECT_EQ(harness.cost([&] { EXPECT_EQ(status_of(harness.fs->getattr(root(), old)), Status::kStale); }), 0u);
}

TEST(StaleHandle, of_a_directory_is_given_up_too) {
  Harness harness;
  harness.server.files()->make_directory("d");
  harness.server.files()->write_file("d/f", "text");
  const NodeId old = harness.node("d");
  harness.server.files()->make_stale("d");
  EXPECT_EQ(status_of(harness.fs->lookup(root(), old, "f")), Status::kStale);
  EXPECT_NE(harness.node("d"), old);
  EXPECT_NE(harness.node("d/f"), 0u);
}

TEST(StaleHandle, of_a_directory_ends_its_listing_and_a_walk_lists_it_again) {
  Harness harness;
  harness.server.files()->make_directory("d");
  harness.server.files()->write_file("d/f", "text");
  const OpenDirectoryId directory = value(harness.fs->opendir(root(), harness.node("d")));
  const ListingSink sink = [](const ListedName&) { return true; };
  harness.server.files()->make_stale("d");
  EXPECT_EQ(status_of(harness.fs->readdir(directory, 0, sink)), Status::kStale);
  harness.fs->releasedir(directory);
  EXPECT_EQ(harness.list(harness.node("d")), std::vector<std::string>{"f"});
}

TEST(StaleHandle, is_told_to_the_reader_of_a_file_that_another_client_removed) {
  Harness harness;
  harness.server.files()->write_file("f", "text");
  const OpenFileId file = harness.open(harness.node("f"));
  harness.server.files()->remove_path("f");
  EXPECT_EQ(status_of(harness.fs->read(file, 0, 10)), Status::kStale);
  harness.release(file);
}

TEST(ReusedFileid, is_another_file) {
  Harness harness;
  harness.server.files()->rules.reuse_fileids = true;
  harness.server.files()->write_file("f", "text");
  const NodeId old = harness.node("f");
  harness.server.files()->remove_path("f");
  harness.server.files()->make_directory("f");
  harness.clock.advance(60s);
  EXPECT_NE(harness.node("f"), old);
  EXPECT_EQ(harness.walk("f").attributes.attributes.type, nfs::FileType::kDirectory);
}

// One operation, and the procedure whose failure it has to report.
struct FaultRow {
  const char* what;
  Procedure procedure;
  std::function<Status(Harness&)> act;
};
void PrintTo(const FaultRow& row, std::ostream* out) {
  *out << row.what;
}

class Faults : public testing::TestWithParam<FaultRow> {
 protected:
  // A table of one node: what is not in use goes, so that what stays is held by somebody.
  static Options options() {
    Options options;
    options.memory_bytes_max = 2000;
    return options;
  }
  static void fill(Harness& harness) {
    harness.server.files()->write_file("f", "text");
    harness.server.files()->write_file("g", "text");
    harness.server.files()->make_directory("d");
    harness.server.files()->make_symlink("l", "target");
  }
};

TEST_P(Faults, are_reported_as_the_server_tells_them_and_leave_nothing_behind) {
  constexpr Status kStatuses[] = {Status::kIo,          Status::kAcces,    Status::kNospc,  Status::kStale,
                                  Status::kServerfault, Status::kTimedOut, Status::kSoftIo, Status::kMalformed,
                                  Status::kShutDown,    Status::kRofs,     Status::kDquot};
  for (const Status status : kStatuses) {
    Harness harness(options());
    fill(harness);
    // Twice, so that also what the first failure left in memory is tried; the walks before it may not fail.
    for (int round = 0; round < 2; ++round) {
      for (const char* name : {"f", "g", "d", "l"}) {
        harness.walk(name);
      }
      harness.clock.advance(120s);
      harness.server.fail_next(GetParam().procedure, status, 1);
      // A page that is stale of a directory that is not is asked for again.
      const bool ridden_out = status == Status::kStale && GetParam().procedure == Procedure::kReaddirplus;
      EXPECT_EQ(GetParam().act(harness), ridden_out ? Status::kOk : status)
          << nfs::status_name(status) << " round " << round;
      harness.server.fail_next(GetParam().procedure, Status::kOk, 0);
    }
    EXPECT_EQ(harness.fs->statistics().open_files, 0u);
    EXPECT_EQ(harness.fs->statistics().dirty_bytes, 0u);
    for (NodeId id = kRootNode + 1; id < 100; ++id) {
      harness.fs->forget(id, 100);
    }
    harness.server.files()->write_file("later", "text");
    harness.clock.advance(60s);
    harness.fs->forget(harness.node("later"), 1);
    EXPECT_LE(harness.fs->statistics().metadata_entries, 2u) << "a node besides the root and the last is held for ever";
    harness.release(harness.create("works"));
    EXPECT_TRUE(harness.server.files()->exists("works"));
  }
}

Status with_open_file(Harness& harness, const std::function<Status(OpenFileId)>& act) {
  const OpenFileId file = harness.open(harness.node("f"), for_writing());
  const Status status = act(file);
  harness.release(file);
  return status;
}
Status list_directory(Harness& harness) {
  const OpenDirectoryId directory = value(harness.fs->opendir(root(), harness.node("d")));
  const Status status = status_of(harness.fs->readdir(directory, 0, [](const ListedName&) { return true; }));
  harness.fs->releasedir(directory);
  return status;
}

INSTANTIATE_TEST_SUITE_P(
    Table, Faults,
    testing::Values(
        FaultRow{"lookup", Procedure::kLookup,
                 [](Harness& h) { return status_of(h.fs->lookup(root(), kRootNode, "f")); }},
        FaultRow{"getattr", Procedure::kGetattr, [](Harness& h) { return status_of(h.fs->getattr(root(), 2)); }},
        FaultRow{"setattr", Procedure::kSetattr,
                 [](Harness& h) { return status_of(h.fs->setattr(root(), h.node("f"), {}, std::nullopt)); }},
        FaultRow{"access", Procedure::kAccess,
                 [](Harness& h) { return status_of(h.fs->access(user(5), h.node("f"), 4)); }},
        FaultRow{"readlink", Procedure::kReadlink,
                 [](Harness& h) { return status_of(h.fs->readlink(root(), h.node("l"))); }},
        FaultRow{"mkdir", Procedure::kMkdir,
                 [](Harness& h) { return status_of(h.fs->mkdir(root(), kRootNode, "new", 0755)); }},
        FaultRow{"symlink", Procedure::kSymlink,
                 [](Harness& h) { return status_of(h.fs->symlink(root(), kRootNode, "new", "t")); }},
        FaultRow{"mknod", Procedure::kMknod,
                 [](Harness& h) {
                   return status_of(h.fs->mknod(root(), kRootNode, "new", 0644, {nfs::FileType::kFifo, {}}));
                 }},
        FaultRow{"link", Procedure::kLink,
                 [](Harness& h) { return status_of(h.fs->link(root(), h.node("f"), kRootNode, "new")); }},
        FaultRow{"unlink", Procedure::kRemove,
                 [](Harness& h) { return status_of(h.fs->unlink(root(), kRootNode, "f")); }},
        FaultRow{"unlink of an open file", Procedure::kRename,
                 [](Harness& h) {
                   return with_open_file(h,
                                         [&](OpenFileId) { return status_of(h.fs->unlink(root(), kRootNode, "f")); });
                 }},
        FaultRow{"rmdir", Procedure::kRmdir, [](Harness& h) { return status_of(h.fs->rmdir(root(), kRootNode, "d")); }},
        FaultRow{"rename", Procedure::kRename,
                 [](Harness& h) {
                   return status_of(h.fs->rename(root(), kRootNode, "f", kRootNode, "new", RenameMode::kReplace));
                 }},
        FaultRow{"rename over an open file", Procedure::kLink,
                 [](Harness& h) {
                   return with_open_file(h, [&](OpenFileId) {
                     return status_of(h.fs->rename(root(), kRootNode, "g", kRootNode, "f", RenameMode::kReplace));
                   });
                 }},
        FaultRow{
            "create", Procedure::kCreate,
            [](Harness& h) { return status_of(h.fs->create(root(), kRootNode, "new", 0644, false, for_writing())); }},
        FaultRow{"open", Procedure::kAccess,
                 [](Harness& h) { return status_of(h.fs->open(user(5), h.node("f"), for_reading())); }},
        FaultRow{"open of a name known for long", Procedure::kLookup,
                 [](Harness& h) { return status_of(h.fs->open(root(9), 2, for_reading())); }},
        FaultRow{"opendir", Procedure::kAccess,
                 [](Harness& h) { return status_of(h.fs->opendir(user(5), h.node("d"))); }},
        FaultRow{"readdir", Procedure::kReaddirplus, list_directory},
        FaultRow{"read", Procedure::kRead,
                 [](Harness& h) {
                   return with_open_file(h, [&](OpenFileId file) { return status_of(h.fs->read(file, 0, 10)); });
                 }},
        FaultRow{"write and flush", Procedure::kWrite,
                 [](Harness& h) {
                   return with_open_file(h, [&](OpenFileId file) {
                     h.write(file, 0, "text");
                     return h.flush(file);
                   });
                 }},
        FaultRow{"statfs", Procedure::kFsstat, [](Harness& h) { return status_of(h.fs->statfs(root())); }}),
    [](const testing::TestParamInfo<FaultRow>& row) {
      std::string name = row.param.what;
      std::replace(name.begin(), name.end(), ' ', '_');
      return name;
    });

}  // namespace
}  // namespace cache
