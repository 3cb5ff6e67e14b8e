// Names: what is remembered of a directory, what voids it, and who may use it.
#include <unistd.h>

#include "tests/unit/cache_harness.h"

namespace cache {
namespace {

TEST(Names, a_known_name_is_answered_from_memory) {
  Harness harness;
  harness.server.files()->write_file("f", "text");
  const NodeId file = harness.node("f");
  harness.server.forget_calls();
  auto again = harness.fs->lookup(root(), kRootNode, "f");
  ASSERT_TRUE(again.ended());
  EXPECT_EQ(again.take()->node, file);
  EXPECT_EQ(harness.server.calls(), 0u);
}

TEST(Names, an_absent_name_is_remembered_until_acdirmin_has_passed) {
  Harness harness;
  EXPECT_EQ(harness.node("f"), 0u);
  harness.server.files()->write_file("f", "text");
  harness.clock.advance(30s - 1ns);
  EXPECT_EQ(harness.cost([&] { EXPECT_EQ(harness.node("f"), 0u); }), 0u);
  harness.clock.advance(1ns);
  EXPECT_NE(harness.node("f"), 0u);
}

TEST(Names, a_removed_name_is_noticed_once_acdirmin_has_passed) {
  Harness harness;
  harness.server.files()->write_file("f", "text");
  harness.walk("f");
  harness.server.files()->remove_path("f");
  harness.clock.advance(30s);
  EXPECT_EQ(harness.node("f"), 0u);
}

struct RememberedRow {
  LookupCache lookupcache;
  std::uint64_t present_calls;
  std::uint64_t absent_calls;
};
class LookupCacheOption : public testing::TestWithParam<RememberedRow> {};

TEST_P(LookupCacheOption, narrows_which_names_are_remembered_here_and_in_the_kernel) {
  Options options;
  options.lookupcache = GetParam().lookupcache;
  Harness harness(options);
  harness.server.files()->write_file("f", "text");
  harness.walk("f");
  harness.walk("absent");
  Entry present;
  Entry absent;
  EXPECT_EQ(harness.cost([&] { present = harness.walk("f"); }), GetParam().present_calls);
  EXPECT_EQ(harness.cost([&] { absent = harness.walk("absent"); }), GetParam().absent_calls);
  EXPECT_EQ(present.name_lifetime > 0s, GetParam().present_calls == 0);
  EXPECT_EQ(absent.name_lifetime > 0s, GetParam().absent_calls == 0);
}
INSTANTIATE_TEST_SUITE_P(Table, LookupCacheOption,
                         testing::Values(RememberedRow{LookupCache::kAll, 0, 0},
                                         RememberedRow{LookupCache::kPositive, 0, 1},
                                         RememberedRow{LookupCache::kNone, 1, 1}));

TEST(Names, a_change_of_the_directory_by_another_client_voids_all_its_names) {
  Harness harness;
  harness.server.files()->write_file("f", "text");
  harness.walk("f");
  EXPECT_EQ(harness.node("absent"), 0u);
  harness.server.files()->write_file("absent", "no longer");
  harness.walk("other");  // brings the directory's new attributes
  EXPECT_NE(harness.node("absent"), 0u);
  EXPECT_EQ(harness.cost([&] { harness.walk("f"); }), 1u);
}

TEST(Names, a_reply_from_before_a_change_teaches_no_name) {
  Harness harness;
  harness.server.hold_replies(Procedure::kLookup);
  auto slow = harness.fs->lookup(root(), kRootNode, "f");
  harness.server.wait_until_parked(Procedure::kLookup, 1);
  const OpenFileId file = harness.create("f");
  harness.server.release(Procedure::kLookup);
  EXPECT_EQ(support::sync_wait(std::move(slow))->node, 0u);
  EXPECT_NE(harness.node("f"), 0u) << "an answer from before our own create hides the file";
  harness.release(file);
}

// What this client does to the directory, and whether the name "new" exists afterwards.
struct OwnChangeRow {
  const char* what;
  std::function<Status(Harness&)> act;
  bool exists;
};
class OwnChanges : public testing::TestWithParam<OwnChangeRow> {};

TEST_P(OwnChanges, leave_the_other_names_valid_and_are_known_themselves) {
  Harness harness;
  harness.server.files()->write_file("f", "text");
  harness.server.files()->write_file("old", "text");
  harness.server.files()->make_directory("emptied");
  for (const char* name : {"f", "old", "absent", "new", "emptied"}) {
    harness.walk(name);
  }
  EXPECT_EQ(GetParam().act(harness), Status::kOk);
  EXPECT_EQ(harness.cost([&] { EXPECT_NE(harness.node("f"), 0u); }), 0u) << GetParam().what;
  EXPECT_EQ(harness.cost([&] { EXPECT_EQ(harness.node("absent"), 0u); }), 0u) << GetParam().what;
  const std::uint64_t cost = harness.cost([&] { EXPECT_EQ(harness.node("new") != 0, GetParam().exists); });
  EXPECT_LE(cost, std::string_view(GetParam().what) == "rename" ? 1u : 0u) << GetParam().what;
  EXPECT_EQ(harness.server.files()->exists("new"), GetParam().exists);
}

INSTANTIATE_TEST_SUITE_P(
    Table, OwnChanges,
    testing::Values(
        OwnChangeRow{"create", [](Harness& h) { return h.release(h.create("new")); }, true},
        OwnChangeRow{"mkdir", [](Harness& h) { return status_of(h.fs->mkdir(root(), kRootNode, "new", 0755)); }, true},
        OwnChangeRow{"symlink", [](Harness& h) { return status_of(h.fs->symlink(root(), kRootNode, "new", "t")); },
                     true},
        OwnChangeRow{"mknod",
                     [](Harness& h) {
                       return status_of(h.fs->mknod(root(), kRootNode, "new", 0644, {nfs::FileType::kFifo, {}}));
                     },
                     true},
        OwnChangeRow{"link", [](Harness& h) { return status_of(h.fs->link(root(), h.node("old"), kRootNode, "new")); },
                     true},
        OwnChangeRow{"rename",
                     [](Harness& h) {
                       return status_of(h.fs->rename(root(), kRootNode, "old", kRootNode, "new", RenameMode::kReplace));
                     },
                     true},
        OwnChangeRow{"unlink", [](Harness& h) { return status_of(h.fs->unlink(root(), kRootNode, "old")); }, false},
        OwnChangeRow{"rmdir", [](Harness& h) { return status_of(h.fs->rmdir(root(), kRootNode, "emptied")); }, false}));

TEST(Names, own_changes_in_parallel_leave_names_valid_in_whatever_order_their_replies_come) {
  for (unsigned seed = 1; seed <= 30; ++seed) {
    Harness harness({}, support::Replies::kAsynchronous, seed);
    harness.server.files()->write_file("f", "text");
    harness.walk("f");
    std::vector<nfs::Task<nfs::Result<CreatedFile>>> creates;
    std::vector<nfs::Task<nfs::Result<Entry>>> mkdirs;
    for (int i = 0; i < 8; ++i) {
      creates.push_back(
          harness.fs->create(root(), kRootNode, "c" + std::to_string(i), 0644, i % 2 == 0, for_writing()));
      mkdirs.push_back(harness.fs->mkdir(root(), kRootNode, "d" + std::to_string(i), 0755));
    }
    for (auto& each : creates) {
      harness.release(value(std::move(each)).opened.file);
    }
    for (auto& each : mkdirs) {
      value(std::move(each));
    }
    EXPECT_EQ(harness.cost([&] {
      harness.walk("f");
      for (int i = 0; i < 8; ++i) {
        EXPECT_NE(harness.node("c" + std::to_string(i)), 0u);
        EXPECT_NE(harness.node("d" + std::to_string(i)), 0u);
      }
    }),
              0u)
        << "seed " << seed;
  }
}

TEST(Names, a_change_by_another_client_between_two_of_ours_is_noticed) {
  Harness harness;
  harness.walk("theirs");  // absent
  harness.server.hold_replies(Procedure::kMkdir);
  auto first = harness.fs->mkdir(root(), kRootNode, "a", 0755);
  harness.server.wait_until_parked(Procedure::kMkdir, 1);
  harness.server.files()->write_file("theirs", "text");
  auto second = harness.fs->mkdir(root(), kRootNode, "b", 0755);
  harness.server.release(Procedure::kMkdir);
  value(std::move(first));
  value(std::move(second));
  EXPECT_NE(harness.node("theirs"), 0u);
  EXPECT_NE(harness.node("a"), 0u);
}

TEST(Names, a_server_without_wcc_data_costs_calls_but_never_correctness) {
  Harness harness;
  harness.server.files()->rules.wcc_before = false;
  harness.server.files()->rules.wcc_after = false;
  harness.server.files()->rules.created_handles = false;
  EXPECT_EQ(harness.node("theirs"), 0u);
  harness.server.files()->write_file("theirs", "text");
  harness.release(harness.create("ours"));
  EXPECT_NE(harness.node("theirs"), 0u);
  EXPECT_NE(harness.node("ours"), 0u);
}

TEST(Names, creating_what_another_client_has_made_reports_it_and_forgets_its_absence) {
  Harness harness;
  EXPECT_EQ(harness.node("f"), 0u);
  harness.server.files()->make_directory("f");
  EXPECT_EQ(status_of(harness.fs->mkdir(root(), kRootNode, "f", 0755)), Status::kExist);
  EXPECT_NE(harness.node("f"), 0u);
  EXPECT_EQ(status_of(harness.fs->create(root(), kRootNode, "f", 0644, true, for_writing())), Status::kExist);
}

TEST(Names, removing_or_renaming_what_another_client_has_removed_forgets_the_name) {
  Harness harness;
  harness.server.files()->write_file("f", "text");
  harness.server.files()->write_file("g", "text");
  harness.walk("f");
  harness.walk("g");
  harness.server.files()->remove_path("f");
  harness.server.files()->remove_path("g");
  EXPECT_EQ(status_of(harness.fs->unlink(root(), kRootNode, "f")), Status::kNoent);
  EXPECT_EQ(status_of(harness.fs->rename(root(), kRootNode, "g", kRootNode, "h", RenameMode::kReplace)),
            Status::kNoent);
  EXPECT_EQ(harness.node("f"), 0u);
  EXPECT_EQ(harness.node("g"), 0u);
}

TEST(Names, a_listing_teaches_names_and_attributes_so_that_no_lookup_follows) {
  Harness harness;
  harness.server.files()->make_directory("d");
  for (int i = 0; i < 100; ++i) {
    harness.server.files()->write_file("d/f" + std::to_string(i), std::string(static_cast<std::size_t>(i), 'x'));
  }
  const NodeId directory = harness.node("d");
  EXPECT_EQ(harness.list(directory).size(), 100u);
  EXPECT_EQ(harness.cost([&] {
    for (int i = 0; i < 100; ++i) {
      const Entry entry = harness.walk("d/f" + std::to_string(i));
      EXPECT_EQ(entry.attributes.attributes.size, static_cast<unsigned>(i));
      EXPECT_EQ(harness.attributes(entry.node).size, static_cast<unsigned>(i));
    }
  }),
            0u);
}

class SearchPermission : public testing::Test {
 protected:
  void SetUp() override {
    harness.server.files()->make_directory("secret");
    harness.server.files()->write_file("secret/f", "text");
    harness.server.files()->change_owner("secret", 1000, 1000);
    harness.server.files()->change_mode("secret", 0700);
  }
  Harness harness;
};

TEST_F(SearchPermission, of_a_directory_is_the_servers_answer_for_each_credential) {
  harness.server.files()->rules.squash_root = true;
  const NodeId secret = harness.node("secret", user(1000));
  EXPECT_NE(value(harness.fs->lookup(user(1000), secret, "f")).node, 0u);
  for (const std::uint32_t uid : {2000u, 0u}) {
    EXPECT_EQ(status_of(harness.fs->lookup(user(uid), secret, "f")), Status::kAcces) << uid;
    EXPECT_EQ(status_of(harness.fs->lookup(user(uid), secret, "absent")), Status::kAcces) << uid;
    EXPECT_EQ(status_of(harness.fs->opendir(user(uid), secret)), Status::kAcces) << uid;
  }
  EXPECT_EQ(harness.cost([&] {
    value(harness.fs->lookup(user(1000), secret, "f"));
    EXPECT_EQ(status_of(harness.fs->lookup(user(2000), secret, "f")), Status::kAcces);
  }),
            0u);
}

TEST_F(SearchPermission, of_root_is_asked_for_where_root_is_not_squashed) {
  const NodeId secret = harness.node("secret", user(1000));
  value(harness.fs->lookup(user(1000), secret, "f"));
  EXPECT_NE(value(harness.fs->lookup(root(), secret, "f")).node, 0u);
}

TEST_F(SearchPermission, ends_with_the_directorys_lifetime_when_another_client_takes_it_away) {
  const NodeId secret = harness.node("secret", user(1000));
  value(harness.fs->lookup(user(1000), secret, "f"));
  harness.server.files()->change_mode("secret", 0);
  harness.clock.advance(30s);
  EXPECT_EQ(status_of(harness.fs->lookup(user(1000), secret, "f")), Status::kAcces);
}

TEST_F(SearchPermission, missing_for_some_means_that_the_kernel_resolves_no_name_by_itself) {
  const NodeId secret = harness.node("secret", user(1000));
  for (const char* name : {"f", "absent"}) {
    value(harness.fs->lookup(user(1000), secret, name));
    EXPECT_EQ(value(harness.fs->lookup(user(1000), secret, name)).name_lifetime, 0s) << name;
  }
  harness.walk("secret");
  EXPECT_EQ(harness.walk("secret").name_lifetime, 30s) << "every caller may search the root";
}

TEST(Names, permission_by_mode_bits_alone_asks_the_server_for_none) {
  Options options;
  options.permission = Permission::kLocal;
  Harness harness(options);
  harness.server.files()->make_directory("secret");
  harness.server.files()->write_file("secret/f", "text");
  harness.server.files()->change_owner("secret", 1000, 1000);
  harness.server.files()->change_mode("secret", 0700);
  const NodeId secret = harness.node("secret", user(1000));
  value(harness.fs->lookup(user(1000), secret, "f"));
  EXPECT_EQ(harness.cost([&] {
    EXPECT_EQ(value(harness.fs->lookup(root(), secret, "f")).name_lifetime, 30s);
    EXPECT_EQ(status_of(harness.fs->access(user(1000), secret, X_OK)), Status::kOk);
  }),
            0u);
}

TEST(Names, the_kernel_gets_no_lifetime_for_a_name_just_asked_and_what_is_left_for_one_in_memory) {
  Harness harness;
  harness.server.files()->write_file("f", "text");
  EXPECT_EQ(harness.walk("f").name_lifetime, 0s);
  harness.clock.advance(1s);
  EXPECT_EQ(harness.walk("f").name_lifetime, 29s);
  EXPECT_EQ(harness.walk("absent").name_lifetime, 30s);
}

TEST(Names, files_with_several_links_are_walked_anew_each_time_with_cto) {
  Harness harness;
  harness.server.files()->write_file("f", "text");
  harness.server.files()->make_link("f", "g");
  const NodeId file = harness.node("f");
  EXPECT_EQ(harness.node("g"), file);
  EXPECT_EQ(harness.walk("f").name_lifetime, 0s);
  EXPECT_EQ(harness.walk("g").name_lifetime, 0s);
}

TEST(Names, a_second_link_takes_the_lifetime_of_the_first_name_back_from_the_kernel) {
  Harness harness;
  harness.server.files()->write_file("f", "text");
  harness.walk("f");
  const Entry known = harness.walk("f");
  ASSERT_GT(known.name_lifetime, 0s);
  value(harness.fs->link(root(), known.node, kRootNode, "g"));
  EXPECT_TRUE(harness.notifier.notes().has_name(kRootNode, "f"));
}

TEST(Names, one_of_several_links_goes_and_the_others_stay) {
  Harness harness;
  harness.server.files()->write_file("f", "text");
  const NodeId file = harness.node("f");
  EXPECT_EQ(value(harness.fs->link(root(), file, kRootNode, "g")).attributes.attributes.nlink, 2u);
  EXPECT_EQ(status_of(harness.fs->unlink(root(), kRootNode, "f")), Status::kOk);
  EXPECT_EQ(harness.node("f"), 0u);
  EXPECT_EQ(harness.node("g"), file);
  EXPECT_EQ(harness.attributes(file).nlink, 1u);
}

TEST(Names, renaming_one_link_onto_another_does_nothing) {
  Harness harness;
  harness.server.files()->write_file("f", "text");
  harness.server.files()->make_link("f", "g");
  const NodeId file = harness.node("f");
  harness.walk("g");
  EXPECT_EQ(status_of(harness.fs->rename(root(), kRootNode, "f", kRootNode, "g", RenameMode::kReplace)), Status::kOk);
  EXPECT_EQ(harness.node("f"), file);
  EXPECT_EQ(harness.node("g"), file);
}

TEST(Names, a_rename_moves_a_node_with_its_name) {
  Harness harness;
  harness.server.files()->make_directory("a");
  harness.server.files()->make_directory("b");
  harness.server.files()->write_file("a/f", "text");
  harness.server.files()->write_file("b/g", "replaced");
  const NodeId file = harness.node("a/f");
  const NodeId replaced = harness.node("b/g");
  EXPECT_EQ(status_of(harness.fs->rename(root(), harness.node("a"), "f", harness.node("b"), "g", RenameMode::kReplace)),
            Status::kOk);
  EXPECT_EQ(harness.node("a/f"), 0u);
  EXPECT_EQ(harness.node("b/g"), file);
  EXPECT_EQ(status_of(harness.fs->getattr(root(), replaced)), Status::kStale);
}

TEST(Names, a_rename_that_must_not_replace_is_honest_for_files_and_refused_for_directories) {
  Harness harness;
  harness.server.files()->write_file("f", "text");
  harness.server.files()->write_file("g", "stays");
  harness.server.files()->make_directory("d");
  const NodeId file = harness.node("f");
  harness.walk("d");
  const auto rename = [&](const char* from, const char* to) {
    return status_of(harness.fs->rename(root(), kRootNode, from, kRootNode, to, RenameMode::kNoReplace));
  };
  EXPECT_EQ(rename("f", "g"), Status::kExist);
  EXPECT_EQ(harness.server.files()->read_file("g"), "stays");
  EXPECT_EQ(rename("f", "h"), Status::kOk);
  EXPECT_EQ(harness.node("h"), file);
  EXPECT_EQ(harness.node("f"), 0u);
  EXPECT_EQ(rename("d", "e"), Status::kInval);
}

TEST(Names, longer_than_255_bytes_are_refused_without_a_call) {
  Harness harness;
  const std::string name(256, 'n');
  EXPECT_EQ(harness.cost([&] {
    EXPECT_EQ(status_of(harness.fs->lookup(root(), kRootNode, name)), Status::kNametoolong);
    EXPECT_EQ(status_of(harness.fs->mkdir(root(), kRootNode, name, 0755)), Status::kNametoolong);
    EXPECT_EQ(status_of(harness.fs->rename(root(), kRootNode, "f", kRootNode, name, RenameMode::kReplace)),
              Status::kNametoolong);
  }),
            0u);
}

TEST(Names, of_255_bytes_that_are_no_utf8_are_names_like_others) {
  Harness harness;
  const std::string name(255, '\xff');
  harness.release(harness.create(name));
  EXPECT_TRUE(harness.server.files()->exists(name));
  EXPECT_EQ(harness.list(kRootNode), std::vector{name});
}

TEST(Names, an_exclusive_create_ends_with_the_mode_it_was_asked_for) {
  Harness harness;
  const CreatedFile made = value(harness.fs->create(root(), kRootNode, "f", 0640, true, for_writing()));
  EXPECT_EQ(made.entry.attributes.attributes.mode, 0640u);
  EXPECT_EQ(harness.server.files()->attributes_of("f").mode, 0640u);
  harness.release(made.opened.file);
}

TEST(Names, forgotten_nodes_are_dropped_when_there_are_too_many_and_kept_ones_are_not) {
  Options options;
  options.memory_bytes_max = 40'000;  // some thirty nodes
  Harness harness(options);
  for (int i = 0; i < 200; ++i) {
    harness.server.files()->write_file("f" + std::to_string(i), "text");
  }
  const NodeId kept = harness.node("f0");
  for (int i = 1; i < 200; ++i) {
    harness.fs->forget(harness.node("f" + std::to_string(i)), 1);
  }
  EXPECT_LE(harness.fs->statistics().metadata_entries, 40u);
  EXPECT_EQ(harness.node("f0"), kept);
  EXPECT_EQ(harness.node("f199"), harness.node("f199"));
}

TEST(Names, a_node_dropped_while_its_lookup_was_under_way_is_there_when_it_is_handed_out) {
  Options options;
  options.memory_bytes_max = 14'000;  // ten nodes
  Harness harness(options);
  for (int i = 0; i < 50; ++i) {
    harness.server.files()->write_file("f" + std::to_string(i), "text");
  }
  harness.server.files()->write_file("f", "text");
  harness.server.hold_replies(Procedure::kAccess);
  auto slow = harness.fs->create(user(1000), kRootNode, "f", 0644, false, for_reading());
  harness.server.wait_until_parked(Procedure::kAccess, 1);
  for (int i = 0; i < 50; ++i) {
    harness.walk("f" + std::to_string(i));  // all in use, so that every idle node has to go
  }
  harness.server.release(Procedure::kAccess);
  const CreatedFile opened = value(std::move(slow));
  EXPECT_EQ(status_of(harness.fs->getattr(root(), opened.entry.node)), Status::kOk);
  EXPECT_EQ(harness.read(opened.opened.file), "text");
  harness.release(opened.opened.file);
}

}  // namespace
}  // namespace cache
