// Files that lose their last name while they are open here: readable to the end, hidden, and cleaned up.
#include <fcntl.h>
#include <sys/file.h>
#include <filesystem>

#include "cache/silly_journal.h"
#include "tests/support/temporary_directory.h"
#include "tests/unit/cache_harness.h"

namespace cache {
namespace {

class UnlinkedFile : public testing::Test {
 protected:
  void SetUp() override { harness.server.files()->write_file("f", "text"); }
  std::vector<std::string> on_server(std::string_view directory = "") {
    return harness.server.files()->names_in(directory);
  }
  Status unlink(const std::string& name, NodeId parent = kRootNode) {
    return status_of(harness.fs->unlink(root(), parent, name));
  }
  Status rename(const std::string& from, const std::string& to) {
    return status_of(harness.fs->rename(root(), kRootNode, from, kRootNode, to, RenameMode::kReplace));
  }

  Harness harness;
};

TEST_F(UnlinkedFile, stays_readable_and_writable_until_its_last_close) {
  const NodeId node = harness.node("f");
  const OpenFileId file = harness.open(node, for_writing());
  const OpenFileId other = harness.open(node);
  EXPECT_EQ(unlink("f"), Status::kOk);
  EXPECT_EQ(harness.node("f"), 0u);
  ASSERT_EQ(on_server().size(), 1u);
  EXPECT_TRUE(on_server()[0].starts_with(".nfs"));
  EXPECT_EQ(harness.write(file, 4, "more"), Status::kOk);
  EXPECT_EQ(harness.release(file), Status::kOk);
  EXPECT_EQ(harness.read(other), "textmore");
  EXPECT_EQ(harness.release(other), Status::kOk);
  EXPECT_TRUE(on_server().empty());
}

TEST_F(UnlinkedFile, is_hidden_from_listings_and_has_no_link) {
  const NodeId node = harness.node("f");
  const OpenFileId file = harness.open(node);
  EXPECT_EQ(unlink("f"), Status::kOk);
  EXPECT_TRUE(harness.list(kRootNode).empty());
  harness.clock.advance(60s);
  EXPECT_TRUE(harness.list(kRootNode).empty());
  EXPECT_EQ(harness.attributes(node).nlink, 0u);
  harness.release(file);
}

TEST_F(UnlinkedFile, that_is_not_open_is_just_removed) {
  harness.walk("f");
  EXPECT_EQ(harness.cost([&] { EXPECT_EQ(unlink("f"), Status::kOk); }), 1u);
  EXPECT_TRUE(on_server().empty());
}

TEST_F(UnlinkedFile, with_another_link_needs_no_silly_name) {
  harness.server.files()->make_link("f", "g");
  const OpenFileId file = harness.open(harness.node("f"));
  EXPECT_EQ(unlink("f"), Status::kOk);
  EXPECT_EQ(on_server(), std::vector<std::string>{"g"});
  harness.walk("g");
  EXPECT_EQ(unlink("g"), Status::kOk);
  EXPECT_EQ(harness.read(file), "text");
  harness.release(file);
  EXPECT_TRUE(on_server().empty());
}

TEST_F(UnlinkedFile, makes_room_for_a_new_file_of_the_same_name) {
  const OpenFileId old = harness.open(harness.node("f"));
  EXPECT_EQ(unlink("f"), Status::kOk);
  const OpenFileId fresh = harness.create("f");
  harness.write(fresh, 0, "fresh");
  EXPECT_EQ(harness.read(old), "text");
  EXPECT_EQ(harness.read(fresh), "fresh");
  EXPECT_EQ(unlink("f"), Status::kOk);
  EXPECT_EQ(on_server().size(), 2u);
  harness.release(old);
  harness.release(fresh);
  EXPECT_TRUE(on_server().empty());
}

TEST_F(UnlinkedFile, keeps_its_name_when_the_server_refuses) {
  const OpenFileId file = harness.open(harness.node("f"));
  harness.server.fail_next(Procedure::kRename, Status::kAcces);
  EXPECT_EQ(unlink("f"), Status::kAcces);
  EXPECT_NE(harness.node("f"), 0u);
  EXPECT_EQ(harness.attributes(harness.node("f")).nlink, 1u);
  harness.release(file);
  EXPECT_EQ(on_server(), std::vector<std::string>{"f"});
}

TEST_F(UnlinkedFile, is_removed_when_its_last_close_came_while_the_rename_was_under_way) {
  const OpenFileId file = harness.open(harness.node("f"));
  harness.server.hold_replies(Procedure::kRename);
  auto unlinking = harness.fs->unlink(root(), kRootNode, "f");
  harness.server.wait_until_parked(Procedure::kRename, 1);
  EXPECT_EQ(harness.release(file), Status::kOk);
  harness.server.release(Procedure::kRename);
  EXPECT_EQ(status_of(std::move(unlinking)), Status::kOk);
  EXPECT_TRUE(on_server().empty());
}

TEST_F(UnlinkedFile, replaced_by_a_rename_stays_readable_and_its_name_is_never_missing) {
  harness.server.files()->write_file("new", "replacement");
  const NodeId node = harness.node("f");
  const NodeId replacement = harness.node("new");
  const OpenFileId file = harness.open(node);
  harness.server.forget_calls();
  EXPECT_EQ(rename("new", "f"), Status::kOk);
  std::vector<Procedure> changes;
  for (const support::FakeCall& call : harness.server.log()) {
    if (call.procedure != Procedure::kGetattr) {
      changes.push_back(call.procedure);
    }
  }
  EXPECT_EQ(changes, (std::vector{Procedure::kLink, Procedure::kRename}));
  EXPECT_EQ(harness.node("f"), replacement);
  EXPECT_EQ(harness.read(file), "text");
  EXPECT_EQ(harness.attributes(node).nlink, 0u);
  EXPECT_EQ(harness.list(kRootNode), std::vector<std::string>{"f"});
  harness.release(file);
  EXPECT_EQ(on_server(), std::vector<std::string>{"f"});
  EXPECT_EQ(harness.server.files()->read_file("f"), "replacement");
}

TEST_F(UnlinkedFile, loses_its_second_name_again_when_the_replacing_rename_fails) {
  harness.server.files()->write_file("new", "replacement");
  const NodeId node = harness.node("f");
  harness.walk("new");
  const OpenFileId file = harness.open(node);
  harness.server.fail_next(Procedure::kRename, Status::kNospc);
  EXPECT_EQ(rename("new", "f"), Status::kNospc);
  EXPECT_EQ(on_server(), (std::vector<std::string>{"f", "new"}));
  EXPECT_EQ(harness.attributes(node).nlink, 1u);
  harness.release(file);
  EXPECT_EQ(on_server(), (std::vector<std::string>{"f", "new"}));
}

TEST_F(UnlinkedFile, moved_and_then_replaced_is_kept_once) {
  harness.server.files()->write_file("a", "a");
  harness.server.files()->write_file("b", "b");
  const OpenFileId file = harness.open(harness.node("f"));
  harness.walk("a");
  harness.walk("b");
  EXPECT_EQ(rename("a", "f"), Status::kOk);
  const OpenFileId second = harness.open(harness.node("f"));
  EXPECT_EQ(rename("b", "f"), Status::kOk);
  EXPECT_EQ(harness.read(file), "text");
  EXPECT_EQ(harness.read(second), "a");
  harness.release(file);
  harness.release(second);
  EXPECT_EQ(on_server(), std::vector<std::string>{"f"});
}

TEST_F(UnlinkedFile, does_not_keep_its_directory_from_being_removed) {
  harness.server.files()->make_directory("d");
  harness.server.files()->write_file("d/g", "kept");
  const NodeId directory = harness.node("d");
  const OpenFileId file = harness.open(harness.node("d/g"));
  EXPECT_EQ(unlink("g", directory), Status::kOk);
  EXPECT_EQ(status_of(harness.fs->rmdir(root(), kRootNode, "d")), Status::kOk);
  EXPECT_FALSE(harness.server.files()->exists("d"));
  EXPECT_EQ(harness.read(file), "kept");
  EXPECT_EQ(harness.list(kRootNode), std::vector<std::string>{"f"});
  harness.release(file);
  EXPECT_EQ(on_server(), std::vector<std::string>{"f"});
}

TEST_F(UnlinkedFile, is_no_reason_to_remove_a_directory_with_other_names) {
  harness.server.files()->make_directory("d");
  harness.server.files()->write_file("d/g", "kept");
  harness.server.files()->write_file("d/h", "visible");
  const NodeId directory = harness.node("d");
  const OpenFileId file = harness.open(harness.node("d/g"));
  EXPECT_EQ(unlink("g", directory), Status::kOk);
  EXPECT_EQ(status_of(harness.fs->rmdir(root(), kRootNode, "d")), Status::kNotempty);
  EXPECT_EQ(harness.read(file), "kept");
  harness.release(file);
  EXPECT_EQ(on_server("d"), std::vector<std::string>{"h"});
}

TEST_F(UnlinkedFile, is_removed_by_drain_at_the_end_of_the_daemon) {
  const OpenFileId file = harness.open(harness.node("f"), for_writing());
  unlink("f");
  EXPECT_EQ(status_of(harness.fs->drain()), Status::kOk);
  EXPECT_TRUE(on_server().empty());
  harness.release(file);
}

class Journal : public testing::Test {
 protected:
  std::string path() const { return directory.path() / "journal"; }
  std::size_t bytes() const { return support::read_text(path()).size(); }
  Options options() const {
    Options options;
    options.silly_journal_path = path();
    return options;
  }
  SillyName silly(const std::string& name) const {
    SillyName made;
    made.directory = server.root();
    made.name = name;
    made.owner = user(1000).credentials;
    made.owner.group_count = 2;
    made.owner.groups = {7, 8};
    return made;
  }
  std::unique_ptr<FileSystem> mount() {
    return make_caching_file_system({server, clock, notifier}, server.root(), options());
  }

  support::TemporaryDirectory directory;
  mutable support::FakeServer server;
  support::FakeClock clock;
  support::FakeNotifier notifier;
};

TEST_F(Journal, lets_the_next_mount_remove_what_a_crash_left_behind) {
  server.files()->write_file("f", "text");
  server.files()->write_file("g", "text");
  {
    const std::unique_ptr<FileSystem> crashed = mount();
    for (const char* name : {"f", "g"}) {
      const NodeId node = value(crashed->lookup(root(), kRootNode, name)).node;
      value(crashed->open(root(), node, for_reading()));
      EXPECT_EQ(status_of(crashed->unlink(root(), kRootNode, name)), Status::kOk);
    }
  }
  EXPECT_EQ(server.files()->names_in("").size(), 2u);
  EXPECT_GT(bytes(), 0u);
  const std::unique_ptr<FileSystem> next = mount();
  EXPECT_TRUE(server.files()->names_in("").empty());
  EXPECT_FALSE(std::filesystem::exists(path()));
}

TEST_F(Journal, is_gone_again_once_every_file_is_closed) {
  server.files()->write_file("f", "text");
  const std::unique_ptr<FileSystem> mounted = mount();
  const NodeId node = value(mounted->lookup(root(), kRootNode, "f")).node;
  const OpenFileId file = value(mounted->open(root(), node, for_reading())).file;
  mounted->unlink(root(), kRootNode, "f").detach();
  EXPECT_GT(bytes(), 0u);
  EXPECT_EQ(status_of(mounted->release(file)), Status::kOk);
  EXPECT_FALSE(std::filesystem::exists(path()));
}

TEST_F(Journal, keeps_what_the_server_would_not_remove_for_the_mount_after) {
  server.files()->write_file(".nfs1", "left");
  { SillyJournal(path()).added(silly(".nfs1")); }
  server.fail_next(Procedure::kRemove, Status::kIo);
  mount().reset();
  EXPECT_GT(bytes(), 0u);
  server.files()->change_mode("", 0777);
  mount().reset();
  EXPECT_FALSE(server.files()->exists(".nfs1"));
  EXPECT_FALSE(std::filesystem::exists(path()));
}

TEST_F(Journal, remembers_names_handles_and_owners) {
  {
    SillyJournal journal(path());
    journal.added(silly(".nfs1"));
    journal.added(silly(".nfs2"));
    journal.removed(silly(".nfs1"));
  }
  const SillyJournal journal(path());
  ASSERT_EQ(journal.leftovers().size(), 1u);
  EXPECT_EQ(journal.leftovers()[0].name, ".nfs2");
  EXPECT_EQ(journal.leftovers()[0].directory, server.root());
  EXPECT_EQ(journal.leftovers()[0].owner, silly("").owner);
}

TEST_F(Journal, of_a_live_daemon_is_left_alone) {
  SillyJournal live(path());
  live.added(silly(".nfs1"));
  const std::size_t before = bytes();
  SillyJournal second(path());
  EXPECT_TRUE(second.leftovers().empty());
  second.added(silly(".nfs2"));
  EXPECT_EQ(bytes(), before);
}

TEST_F(Journal, with_damaged_lines_gives_what_is_whole) {
  { SillyJournal(path()).added(silly(".nfs1")); }
  const std::string whole = support::read_text(path());
  std::string foreign = whole;
  foreign.replace(foreign.find(".nfs1"), 5, "dirty");
  support::write_text(path(), "5\n[]\n{\"change\":\"added\"}\n\xff\xfe\n\n{\"directory\":\"zz\"}\n" + foreign + whole +
                                  whole.substr(0, whole.size() / 2));
  const SillyJournal journal(path());
  ASSERT_EQ(journal.leftovers().size(), 1u) << "only names of our own form are ever removed";
  EXPECT_EQ(journal.leftovers()[0].name, ".nfs1");
}

TEST_F(Journal, begins_a_line_of_its_own_behind_a_torn_one) {
  support::write_text(path(), "{\"change\":\"add");
  { SillyJournal(path()).added(silly(".nfs1")); }
  EXPECT_EQ(SillyJournal(path()).leftovers().size(), 1u);
}

TEST_F(Journal, that_cannot_be_opened_does_not_keep_the_mount_from_working) {
  Options unwritable = options();
  unwritable.silly_journal_path = directory.path() / "missing" / "journal";
  Harness harness(unwritable);
  harness.server.files()->write_file("f", "text");
  const OpenFileId file = harness.open(harness.node("f"));
  EXPECT_EQ(status_of(harness.fs->unlink(root(), kRootNode, "f")), Status::kOk);
  EXPECT_EQ(harness.read(file), "text");
  harness.release(file);
}

}  // namespace
}  // namespace cache
