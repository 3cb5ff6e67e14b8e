// Open: what close-to-open costs and sees, whose pages the kernel may keep, who may open.
#include "tests/unit/cache_harness.h"

namespace cache {
namespace {

class Open : public testing::Test {
 protected:
  // Another client replaces "f" as editors do.
  void replace() {
    harness.server.files()->write_file("f.new", "replaced");
    harness.server.files()->rename_path("f.new", "f");
  }
  void open_and_close(NodeId id, const Caller& caller = root()) {
    EXPECT_EQ(harness.release(harness.open(id, for_reading(), caller)), Status::kOk);
  }
  void SetUp() override { harness.server.files()->write_file("f", "text"); }

  Harness harness;
};

TEST_F(Open, with_cto_costs_exactly_one_lookup) {
  const NodeId file = harness.node("f");
  open_and_close(file);
  harness.clock.advance(1s);
  for (int round = 0; round < 3; ++round) {
    harness.server.forget_calls();
    harness.walk("f");
    open_and_close(file);
    EXPECT_EQ(harness.server.calls(), 1u);
    EXPECT_EQ(harness.server.calls(Procedure::kLookup), 1u);
  }
}

TEST_F(Open, still_costs_one_lookup_when_all_lifetimes_are_over) {
  open_and_close(harness.node("f"));
  harness.clock.advance(120s);
  EXPECT_EQ(harness.cost([&] { open_and_close(harness.node("f")); }), 1u);
}

TEST_F(Open, asks_nothing_when_the_same_threads_walk_has_just_asked) {
  open_and_close(harness.node("f"));
  harness.clock.advance(60s);
  harness.server.forget_calls();
  const NodeId file = harness.node("f", root(5));
  harness.clock.advance(499ms);
  EXPECT_EQ(harness.cost([&] { open_and_close(file, root(5)); }), 0u);
  EXPECT_EQ(harness.cost([&] { open_and_close(file, root(5)); }), 1u) << "one walk serves one open";
}

TEST_F(Open, asks_when_another_thread_did_the_walk_or_it_was_too_long_ago) {
  const NodeId file = harness.node("f", root(5));
  open_and_close(file, root(6));  // learns the permission
  harness.clock.advance(60s);
  harness.walk("f", root(5));
  EXPECT_EQ(harness.cost([&] { open_and_close(file, root(6)); }), 1u);
  harness.clock.advance(60s);
  harness.walk("f", root(5));
  harness.clock.advance(500ms);
  EXPECT_EQ(harness.cost([&] { open_and_close(file, root(5)); }), 1u);
}

TEST_F(Open, sees_what_another_client_closed_before) {
  const NodeId file = harness.node("f");
  open_and_close(file);
  harness.server.files()->write_file("f", "changed");
  const OpenFileId opened = harness.open(file);
  EXPECT_EQ(harness.read(opened), "changed");
  EXPECT_EQ(harness.attributes(file).size, 7u);
  harness.release(opened);
}

TEST_F(Open, of_a_name_that_another_client_replaced_is_stale_and_a_walk_finds_the_new_file) {
  const NodeId old = harness.node("f");
  open_and_close(old);
  replace();
  EXPECT_EQ(status_of(harness.fs->open(root(), old, for_reading())), Status::kStale);
  const NodeId fresh = harness.node("f");
  EXPECT_NE(fresh, old);
  const OpenFileId opened = harness.open(fresh);
  EXPECT_EQ(harness.read(opened), "replaced");
  harness.release(opened);
}

TEST_F(Open, of_a_name_that_another_client_removed_is_stale_and_a_walk_says_so) {
  const NodeId old = harness.node("f");
  open_and_close(old);
  harness.server.files()->remove_path("f");
  EXPECT_EQ(status_of(harness.fs->open(root(), old, for_reading())), Status::kStale);
  EXPECT_EQ(harness.node("f"), 0u);
}

TEST_F(Open, checks_the_name_that_the_thread_has_walked_when_there_are_several) {
  harness.server.files()->make_link("f", "g");
  const NodeId file = harness.node("f", root(5));
  EXPECT_EQ(harness.node("g", root(6)), file);
  harness.walk("f", root(5));
  harness.walk("g", root(6));
  open_and_close(file, root(5));
  open_and_close(file, root(6));
  harness.clock.advance(1s);
  harness.walk("f", root(5));
  harness.walk("g", root(6));
  replace();
  EXPECT_EQ(status_of(harness.fs->open(root(5), file, for_reading())), Status::kStale);
  EXPECT_EQ(status_of(harness.fs->open(root(6), file, for_reading())), Status::kOk);
}

TEST_F(Open, after_the_server_gave_the_file_a_new_handle_is_stale_and_a_walk_finds_it) {
  const NodeId old = harness.node("f");
  open_and_close(old);
  harness.server.files()->make_stale("f");
  EXPECT_EQ(status_of(harness.fs->open(root(), old, for_reading())), Status::kStale);
  const OpenFileId opened = harness.open(harness.node("f"));
  EXPECT_EQ(harness.read(opened), "text");
  harness.release(opened);
}

TEST_F(Open, keeps_the_kernels_pages_only_while_the_version_is_the_same) {
  const NodeId file = harness.node("f");
  EXPECT_FALSE(value(harness.fs->open(root(), file, for_reading())).keep_pages);
  EXPECT_TRUE(value(harness.fs->open(root(), file, for_reading())).keep_pages);
  harness.server.files()->write_file("f", "TEXT");
  EXPECT_FALSE(value(harness.fs->open(root(), file, for_reading())).keep_pages);
  EXPECT_TRUE(value(harness.fs->open(root(), file, for_reading())).keep_pages);
}

TEST_F(Open, keeps_the_pages_over_this_clients_own_writes) {
  const NodeId file = harness.node("f");
  const OpenFileId opened = harness.open(file, for_writing());
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(harness.write(opened, static_cast<unsigned>(i), "x"), Status::kOk);
    EXPECT_EQ(harness.flush(opened), Status::kOk);
  }
  EXPECT_TRUE(value(harness.fs->open(root(), file, for_reading())).keep_pages);
  harness.release(opened);
}

TEST_F(Open, drops_the_pages_when_another_client_wrote_between_this_clients_writes) {
  const NodeId file = harness.node("f");
  const OpenFileId opened = harness.open(file, for_writing());
  harness.write(opened, 0, "x");
  harness.flush(opened);
  harness.server.files()->append_file("f", "theirs");
  harness.write(opened, 1, "x");
  harness.flush(opened);
  EXPECT_FALSE(value(harness.fs->open(root(), file, for_reading())).keep_pages);
  harness.release(opened);
}

TEST_F(Open, refreshes_the_kernels_size_when_the_file_has_changed) {
  const NodeId file = harness.node("f");
  open_and_close(file);
  EXPECT_FALSE(harness.notifier.take().has_attributes(file));
  harness.server.files()->append_file("f", "more");
  const OpenFileId opened = harness.open(file);
  EXPECT_TRUE(harness.notifier.notes().has_attributes(file));
  EXPECT_EQ(harness.attributes(file).size, 8u);
  harness.release(opened);
}

TEST_F(Open, remembers_each_credentials_permission) {
  harness.server.files()->change_owner("f", 1000, 1000);
  harness.server.files()->change_mode("f", 0600);
  const NodeId file = harness.node("f");
  open_and_close(file, user(1000));
  EXPECT_EQ(status_of(harness.fs->open(user(2000), file, for_reading())), Status::kAcces);
  harness.server.forget_calls();
  open_and_close(file, user(1000));
  EXPECT_EQ(status_of(harness.fs->open(user(2000), file, for_reading())), Status::kAcces);
  EXPECT_EQ(harness.server.calls(Procedure::kAccess), 0u);
}

TEST_F(Open, asks_the_server_about_root_where_root_is_squashed) {
  harness.server.files()->rules.squash_root = true;
  harness.server.files()->change_owner("f", 1000, 1000);
  harness.server.files()->change_mode("f", 0600);
  const NodeId file = harness.node("f");
  open_and_close(file, user(1000));
  EXPECT_EQ(status_of(harness.fs->open(root(), file, for_reading())), Status::kAcces);
}

TEST_F(Open, loses_a_remembered_permission_with_another_clients_chmod) {
  harness.server.files()->change_owner("f", 1000, 1000);
  const NodeId file = harness.node("f");
  open_and_close(file, user(2000));
  harness.server.files()->change_mode("f", 0600);
  EXPECT_EQ(status_of(harness.fs->open(user(2000), file, for_reading())), Status::kAcces);
  harness.server.files()->change_mode("f", 0644);
  open_and_close(file, user(2000));
}

TEST_F(Open, distinguishes_reading_writing_and_executing) {
  harness.server.files()->change_owner("f", 1000, 1000);
  harness.server.files()->change_mode("f", 0711);
  const NodeId file = harness.node("f");
  OpenFlags executing;
  executing.execute = true;
  EXPECT_EQ(status_of(harness.fs->open(user(2000), file, executing)), Status::kOk);
  EXPECT_EQ(status_of(harness.fs->open(user(2000), file, for_reading())), Status::kAcces);
  harness.server.files()->change_mode("f", 0744);
  EXPECT_EQ(status_of(harness.fs->open(user(2000), file, executing)), Status::kAcces);
  EXPECT_EQ(status_of(harness.fs->open(user(2000), file, for_reading())), Status::kOk);
  EXPECT_EQ(status_of(harness.fs->open(user(2000), file, for_writing())), Status::kAcces);
}

TEST_F(Open, is_refused_where_the_caller_may_not_search_the_directory) {
  harness.server.files()->make_directory("d");
  harness.server.files()->write_file("d/f", "text");
  harness.server.files()->change_owner("d", 1000, 1000);
  const NodeId file = harness.node("d/f", user(2000));
  open_and_close(file, user(2000));
  harness.server.files()->change_mode("d", 0700);
  EXPECT_EQ(status_of(harness.fs->open(user(2000), file, for_reading())), Status::kAcces);
}

TEST_F(Open, of_what_is_not_there_is_stale_and_of_what_is_not_open_a_bad_file) {
  EXPECT_EQ(status_of(harness.fs->open(root(), 999, for_reading())), Status::kStale);
  EXPECT_EQ(status_of(harness.fs->read(999, 0, 1)), Status::kBadFile);
  EXPECT_EQ(harness.write(999, 0, "x"), Status::kBadFile);
  EXPECT_EQ(harness.flush(999), Status::kBadFile);
  EXPECT_EQ(harness.release(999), Status::kBadFile);
}

TEST(OpenWithoutCto, sends_nothing_within_the_lifetime_and_one_call_after_it) {
  Harness harness(nocto());
  harness.server.files()->write_file("f", "text");
  const NodeId file = harness.node("f");
  harness.release(harness.open(file));
  harness.clock.advance(3s - 1ns);
  harness.server.forget_calls();
  auto opening = harness.fs->open(root(), file, for_reading());
  ASSERT_TRUE(opening.ended());
  const OpenedFile opened = *opening.take();
  EXPECT_TRUE(opened.keep_pages);
  EXPECT_EQ(harness.server.calls(), 0u);
  harness.release(opened.file);
  harness.server.files()->write_file("f", "changed");
  harness.clock.advance(1ns);
  const OpenedFile later = value(harness.fs->open(root(), file, for_reading()));
  EXPECT_FALSE(later.keep_pages);
  EXPECT_EQ(harness.read(later.file), "changed");
  harness.release(later.file);
}

TEST(OpenWithoutCto, gives_the_kernel_lifetimes_for_names_just_asked_and_files_with_links) {
  Harness harness(nocto());
  harness.server.files()->write_file("f", "text");
  harness.server.files()->make_link("f", "g");
  EXPECT_EQ(harness.walk("f").name_lifetime, 30s);
}

TEST(OpenWithoutCto, finds_a_replacing_file_once_the_names_lifetime_is_over) {
  Harness harness(nocto());
  harness.server.files()->write_file("f", "text");
  harness.release(harness.open(harness.node("f")));
  harness.server.files()->write_file("f.new", "replaced");
  harness.server.files()->rename_path("f.new", "f");
  harness.clock.advance(30s);
  const OpenFileId opened = harness.open(harness.node("f"));
  EXPECT_EQ(harness.read(opened), "replaced");
  harness.release(opened);
}

TEST(OpenWithLocalPermissions, asks_for_none) {
  Options options = nocto();
  options.permission = Permission::kLocal;
  Harness harness(options);
  harness.server.files()->write_file("f", "text");
  const NodeId file = harness.node("f");
  EXPECT_EQ(harness.cost([&] { harness.release(harness.open(file)); }), 0u) << "the first open sends nothing either";
}

TEST(Reading, goes_on_where_the_server_answers_short) {
  Harness harness;
  harness.server.files()->rules.read_bytes_max = 3;
  harness.server.files()->write_file("f", "abcdefgh");
  const OpenFileId file = harness.open(harness.node("f"));
  EXPECT_EQ(harness.read(file), "abcdefgh");
  EXPECT_EQ(harness.read(file, 2, 4), "cdef");
  EXPECT_EQ(harness.read(file, 8, 4), "");
  harness.release(file);
}

TEST(Reading, asks_for_pieces_of_rsize_all_at_once) {
  Options options;
  options.read_bytes_max = 4;
  Harness harness(options);
  harness.server.files()->write_file("f", "abcdefghij");
  const OpenFileId file = harness.open(harness.node("f"));
  harness.server.hold_requests(Procedure::kRead);
  auto reading = harness.fs->read(file, 0, 12);
  harness.server.wait_until_parked(Procedure::kRead, 3);
  harness.server.release(Procedure::kRead);
  EXPECT_EQ(text_of(value(std::move(reading))), "abcdefghij");
  harness.server.files()->rules.read_bytes_max = 3;
  EXPECT_EQ(harness.read(file, 0, 12), "abcdefghij");
  harness.release(file);
}

TEST(Reading, uses_the_openers_credentials) {
  Harness harness;
  harness.server.files()->write_file("f", "text");
  harness.server.files()->change_owner("f", 1000, 1000);
  const OpenFileId file = harness.open(harness.node("f"), for_reading(), user(1000));
  harness.server.files()->change_mode("f", 0600);
  EXPECT_EQ(harness.read(file), "text");
  EXPECT_EQ(harness.server.log().back().who.uid, 1000u);
  harness.release(file);
}

}  // namespace
}  // namespace cache
