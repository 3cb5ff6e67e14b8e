// Listings: complete and stable while the directory changes, in few calls, shared and reused.
#include <set>

#include "tests/unit/cache_harness.h"

namespace cache {
namespace {

// Reads an open directory a few names at a time, as the kernel does.
class Reader {
 public:
  Reader(Harness& harness, NodeId id) : harness_(harness), directory_(value(harness.fs->opendir(root(), id))) {}
  ~Reader() {
    harness_.fs->releasedir(directory_);
    for (const NodeId each : nodes_) {
      harness_.fs->forget(each, 1);
    }
  }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  // Up to `room` further names, the dots included.
  std::vector<std::string> next(std::size_t room) {
    std::vector<std::string> names;
    EXPECT_EQ(status_of(harness_.fs->readdir(directory_, offset_, sink(names, room))), Status::kOk);
    return names;
  }
  nfs::Task<Status> begin(std::vector<std::string>& names) {
    return harness_.fs->readdir(directory_, offset_, sink(names, SIZE_MAX));
  }
  std::uint64_t offset() const { return offset_; }
  void seek(std::uint64_t offset) { offset_ = offset; }

 private:
  ListingSink sink(std::vector<std::string>& names, std::size_t room) {
    return [this, &names, room](const ListedName& listed) {
      if (names.size() == room) {
        return false;
      }
      names.emplace_back(listed.name);
      offset_ = listed.next_offset;
      if (listed.entry) {
        nodes_.push_back(listed.entry->node);
      }
      return true;
    };
  }

  Harness& harness_;
  const OpenDirectoryId directory_;
  std::uint64_t offset_ = 0;
  std::vector<NodeId> nodes_;
};

std::string numbered(int number) {
  return "name-" + std::to_string(1'000'000 + number);
}

class Listings : public testing::Test {
 protected:
  void SetUp() override { harness.server.files()->make_directory("d"); }
  NodeId fill(int count) {
    for (int i = 0; i < count; ++i) {
      harness.server.files()->write_file("d/" + numbered(i), "");
    }
    return harness.node("d");
  }
  Harness harness;
};

TEST_F(Listings, show_the_dots_first_and_then_every_name_once) {
  const NodeId directory = fill(50);
  Reader reader(harness, directory);
  const std::vector<std::string> names = reader.next(SIZE_MAX);
  ASSERT_EQ(names.size(), 52u);
  EXPECT_EQ(names[0], ".");
  EXPECT_EQ(names[1], "..");
  EXPECT_EQ(std::set<std::string>(names.begin(), names.end()).size(), 52u);
  EXPECT_TRUE(reader.next(SIZE_MAX).empty());
}

TEST_F(Listings, of_an_empty_directory_hold_the_dots_with_their_inodes) {
  const NodeId directory = fill(0);
  std::vector<std::uint64_t> inodes;
  const OpenDirectoryId opened = value(harness.fs->opendir(root(), directory));
  const ListingSink sink = [&](const ListedName& listed) {
    inodes.push_back(listed.inode);
    return true;
  };
  EXPECT_EQ(status_of(harness.fs->readdir(opened, 0, sink)), Status::kOk);
  harness.fs->releasedir(opened);
  EXPECT_EQ(inodes, (std::vector{harness.walk("d").attributes.inode, harness.attributes(kRootNode).fileid}));
}

TEST_F(Listings, go_on_where_the_reader_had_no_more_room) {
  const NodeId directory = fill(100);
  Reader reader(harness, directory);
  std::vector<std::string> names;
  while (true) {
    const std::vector<std::string> some = reader.next(7);
    if (some.empty()) {
      break;
    }
    names.insert(names.end(), some.begin(), some.end());
  }
  EXPECT_EQ(names.size(), 102u);
  EXPECT_EQ(std::set<std::string>(names.begin(), names.end()).size(), 102u);
}

TEST_F(Listings, of_a_hundred_thousand_names_cost_what_their_bytes_cost_and_no_getattr_each) {
  constexpr int kNames = 100'000;
  const NodeId directory = fill(kNames);
  harness.server.forget_calls();
  const auto names = harness.list(directory);
  EXPECT_EQ(names.size(), static_cast<std::size_t>(kNames));
  const double expected = kNames * 170.0 / (256 * 1024);
  EXPECT_LE(static_cast<double>(harness.server.calls(Procedure::kReaddirplus)), expected * 1.2 + 1);
  EXPECT_LE(harness.server.calls(), harness.server.calls(Procedure::kReaddirplus) + 1) << "at most an ACCESS beside";
  EXPECT_EQ(harness.cost([&] {
    for (int i = 0; i < kNames; i += 1000) {
      harness.attributes(value(harness.fs->lookup(root(), directory, numbered(i))).node);
    }
  }),
            0u);
}

TEST_F(Listings, show_names_that_stay_exactly_once_while_others_come_and_go) {
  for (const bool strict_cookies : {false, true}) {
    Harness other;
    other.server.files()->rules.strict_cookies = strict_cookies;
    other.server.files()->make_directory("d");
    for (int i = 0; i < 8000; ++i) {
      other.server.files()->write_file("d/" + numbered(i), "");
    }
    const NodeId directory = other.node("d");
    Reader reader(other, directory);
    std::multiset<std::string> seen;
    for (int round = 0;; ++round) {
      const std::vector<std::string> some = reader.next(200);
      seen.insert(some.begin(), some.end());
      if (some.empty()) {
        break;
      }
      // Others remove every odd name and make new ones, some behind the reader and some before it.
      other.server.files()->remove_path("d/" + numbered(2 * round + 1));
      other.server.files()->remove_path("d/" + numbered(7999 - 2 * round));
      other.server.files()->write_file("d/new-" + std::to_string(round), "");
      EXPECT_EQ(status_of(other.fs->mkdir(root(), directory, "ours-" + std::to_string(round), 0755)), Status::kOk);
    }
    for (int i = 0; i < 8000; i += 2) {
      ASSERT_EQ(seen.count(numbered(i)), 1u) << numbered(i) << " strict cookies: " << strict_cookies;
    }
    for (const std::string& name : seen) {
      ASSERT_EQ(seen.count(name), 1u) << name;
    }
  }
}

TEST_F(Listings, end_with_every_name_although_the_server_loses_the_place_at_each_page) {
  const NodeId directory = fill(10'000);
  harness.server.files()->rules.strict_cookies = true;
  Reader reader(harness, directory);
  std::set<std::string> seen;
  int changes = 0;
  while (true) {
    // As many names as a page holds, so that a change falls between any two pages.
    const std::vector<std::string> some = reader.next(500);
    if (some.empty()) {
      break;
    }
    seen.insert(some.begin(), some.end());
    harness.server.files()->write_file("d/new-" + std::to_string(changes++), "");
  }
  for (int i = 0; i < 10'000; ++i) {
    ASSERT_TRUE(seen.contains(numbered(i)));
  }
  EXPECT_LE(harness.server.calls(Procedure::kReaddirplus), 60u) << "it must not begin again at the start each time";
}

TEST_F(Listings, give_up_with_an_error_when_no_place_is_ever_accepted) {
  const NodeId directory = fill(3000);
  Reader reader(harness, directory);
  reader.next(10);
  harness.server.fail_next(Procedure::kReaddirplus, Status::kBadCookie, SIZE_MAX);
  std::vector<std::string> names;
  EXPECT_EQ(status_of(reader.begin(names)), Status::kBadCookie);
  harness.server.fail_next(Procedure::kReaddirplus, Status::kOk, 0);
}

TEST_F(Listings, fall_back_to_readdir_where_the_server_has_no_readdirplus) {
  const NodeId directory = fill(10);
  harness.server.fail_next(Procedure::kReaddirplus, Status::kNotsupp, SIZE_MAX);
  EXPECT_EQ(harness.list(directory).size(), 10u);
  harness.clock.advance(60s);
  EXPECT_EQ(harness.list(directory).size(), 10u);
  EXPECT_EQ(harness.server.calls(Procedure::kReaddirplus), 1u) << "asked once, not at each listing";
  EXPECT_EQ(harness.server.calls(Procedure::kReaddir), 2u);
  EXPECT_NE(harness.node("d/" + numbered(3)), 0u);
}

TEST_F(Listings, use_readdir_alone_when_told_so) {
  Options options;
  options.readdirplus = false;
  Harness other(options);
  other.server.files()->write_file("f", "");
  EXPECT_EQ(other.list(kRootNode), std::vector<std::string>{"f"});
  EXPECT_EQ(other.server.calls(Procedure::kReaddirplus), 0u);
}

TEST_F(Listings, work_where_the_server_leaves_handles_or_attributes_out) {
  const NodeId directory = fill(10);
  for (const bool handles : {true, false}) {
    harness.server.files()->rules.readdirplus_handles = handles;
    harness.server.files()->rules.readdirplus_attributes = !handles;
    harness.clock.advance(60s);
    EXPECT_EQ(harness.list(directory).size(), 10u);
    EXPECT_NE(harness.node("d/" + numbered(3)), 0u);
  }
}

TEST_F(Listings, are_reused_within_the_lifetime_and_fetched_anew_after_it) {
  const NodeId directory = fill(10);
  harness.list(directory);
  harness.clock.advance(3s - 1ns);
  EXPECT_EQ(harness.cost([&] { EXPECT_EQ(harness.list(directory).size(), 10u); }), 0u);
  harness.server.files()->write_file("d/new", "");
  harness.clock.advance(60s);
  EXPECT_EQ(harness.list(directory).size(), 11u);
}

TEST_F(Listings, show_this_clients_own_changes_at_once) {
  const NodeId directory = fill(3);
  harness.list(directory);
  harness.release(harness.create("made", directory));
  EXPECT_EQ(status_of(harness.fs->unlink(root(), directory, numbered(1))), Status::kOk);
  EXPECT_EQ(harness.list(directory), (std::vector<std::string>{numbered(0), numbered(2), "made"}));
}

TEST_F(Listings, can_be_read_again_from_an_earlier_place) {
  const NodeId directory = fill(20);
  Reader reader(harness, directory);
  reader.next(5);
  const std::uint64_t place = reader.offset();
  const std::vector<std::string> first = reader.next(10);
  harness.server.files()->remove_path("d/" + numbered(7));
  harness.release(harness.create("made", directory));
  reader.seek(place);
  EXPECT_EQ(reader.next(10), first);
  reader.seek(0);
  EXPECT_EQ(reader.next(SIZE_MAX).size(), 22u) << "rewinding sees the directory as it is now";
}

TEST_F(Listings, are_fetched_once_for_two_readers_at_the_same_time) {
  const NodeId directory = fill(10);
  Reader one(harness, directory);
  Reader two(harness, directory);
  harness.server.forget_calls();
  harness.server.hold_replies(Procedure::kReaddirplus);
  std::vector<std::string> names_one;
  std::vector<std::string> names_two;
  auto reading_one = one.begin(names_one);
  auto reading_two = two.begin(names_two);
  harness.server.release(Procedure::kReaddirplus);
  EXPECT_EQ(status_of(std::move(reading_one)), Status::kOk);
  EXPECT_EQ(status_of(std::move(reading_two)), Status::kOk);
  EXPECT_EQ(names_one.size(), 12u);
  EXPECT_EQ(names_one, names_two);
  EXPECT_EQ(harness.server.calls(), 1u);
}

TEST_F(Listings, report_an_error_and_work_again_afterwards) {
  const NodeId directory = fill(10);
  Reader reader(harness, directory);
  harness.server.fail_next(Procedure::kReaddirplus, Status::kIo);
  std::vector<std::string> names;
  EXPECT_EQ(status_of(reader.begin(names)), Status::kIo);
  EXPECT_EQ(harness.list(directory).size(), 10u);
}

TEST_F(Listings, go_on_when_the_server_calls_a_living_directory_absent_in_the_middle) {
  for (const Status status : {Status::kNoent, Status::kStale}) {
    Harness fresh;
    fresh.server.files()->make_directory("living");
    for (int number = 0; number < 10; ++number) {
      fresh.server.files()->write_file("living/" + numbered(number), "");
    }
    fresh.server.fail_next(Procedure::kReaddirplus, status, 5);
    EXPECT_EQ(fresh.list(fresh.node("living")).size(), 10u);
  }
}

TEST_F(Listings, never_end_early_by_enoent_which_readdir_3_takes_for_the_end) {
  const NodeId directory = fill(10);
  Reader reader(harness, directory);
  harness.server.fail_next(Procedure::kReaddirplus, Status::kNoent, 1000);
  std::vector<std::string> names;
  EXPECT_EQ(status_of(reader.begin(names)), Status::kIo);
}

TEST_F(Listings, from_before_a_change_of_ours_teach_no_names) {
  const NodeId directory = fill(3);
  Reader reader(harness, directory);
  harness.server.hold_replies(Procedure::kReaddirplus);
  std::vector<std::string> names;
  auto reading = reader.begin(names);
  harness.server.wait_until_parked(Procedure::kReaddirplus, 1);
  EXPECT_EQ(status_of(harness.fs->unlink(root(), directory, numbered(1))), Status::kOk);
  harness.server.release(Procedure::kReaddirplus);
  EXPECT_EQ(status_of(std::move(reading)), Status::kOk);
  EXPECT_EQ(harness.node("d/" + numbered(1)), 0u);
}

TEST_F(Listings, are_refused_to_who_may_not_read_the_directory_also_when_they_are_in_memory) {
  const NodeId directory = fill(3);
  harness.server.files()->change_mode("d", 0711);
  harness.clock.advance(60s);
  EXPECT_EQ(harness.list(directory).size(), 3u);
  EXPECT_EQ(status_of(harness.fs->opendir(user(1000), directory)), Status::kAcces);
}

TEST_F(Listings, give_the_kernel_no_name_of_a_directory_that_not_everybody_may_search) {
  const NodeId directory = fill(3);
  harness.server.files()->change_mode("d", 0744);
  harness.clock.advance(60s);
  const OpenDirectoryId opened = value(harness.fs->opendir(user(1000), directory));
  int listed_names = 0;
  const ListingSink sink = [&](const ListedName& listed) {
    listed_names += listed.entry ? 1 : 0;
    EXPECT_TRUE(!listed.entry || listed.entry->name_lifetime == 0s);
    return true;
  };
  EXPECT_EQ(status_of(harness.fs->readdir(opened, 0, sink)), Status::kOk);
  harness.fs->releasedir(opened);
  EXPECT_EQ(listed_names, 3);
  EXPECT_EQ(status_of(harness.fs->lookup(user(1000), directory, numbered(1))), Status::kAcces);
}

TEST_F(Listings, of_a_directory_that_is_not_open_are_a_bad_file) {
  const ListingSink sink = [](const ListedName&) { return true; };
  EXPECT_EQ(status_of(harness.fs->readdir(12345, 0, sink)), Status::kBadFile);
}

}  // namespace
}  // namespace cache
