// Several threads play random operations on the caching file system over a server that answers in any order and
// restarts now and then, each on names of its own, and compare everything with a plain map.
#include <gtest/gtest.h>

#include <atomic>
#include <iostream>
#include <map>
#include <mutex>
#include <random>
#include <thread>

#include "cache/caching_file_system.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fake_notifier.h"
#include "tests/support/fake_server.h"
#include "tests/support/model_player.h"
#include "tests/support/sync_wait.h"

namespace cache {
namespace {

using nfs::Status;
using support::sync_wait;

constexpr int kThreads = 4;
constexpr int kOperations = 6'000;  // a thread

class Player {
 public:
  Player(FileSystem& file_system, std::uint64_t seed, int number)
      : file_system_(file_system),
        random_(seed * 100 + static_cast<unsigned>(number)),
        prefix_("t" + std::to_string(number) + "-") {
    caller_.thread_id = static_cast<std::uint32_t>(100 + number);
  }

  void play() {
    for (int step = 0; step < kOperations && !testing::Test::HasFailure(); ++step) {
      SCOPED_TRACE(testing::Message() << prefix_ << " step " << step);
      one();
    }
    while (!open_.empty()) {
      close(open_.begin()->first);
    }
  }

 private:
  // A file that is open here: its bytes go on living when its name goes.
  struct Content {
    std::string bytes;
  };
  struct Open {
    std::shared_ptr<Content> content;
    NodeId node = 0;
  };

  std::uint64_t below(std::uint64_t bound) { return random_() % bound; }
  std::string some_name() { return prefix_ + std::to_string(below(5)); }

  void one() {
    switch (below(10)) {
      case 0:
        create(some_name());
        break;
      case 1:
        open(some_name());
        break;
      case 2:
      case 3:
        write();
        break;
      case 4:
      case 5:
        read();
        break;
      case 6:
        look_up(some_name());
        break;
      case 7:
        rename(some_name(), some_name());
        break;
      case 8:
        below(2) == 0 ? unlink(some_name()) : list();
        break;
      default:
        below(2) == 0 ? truncate() : close_some();
    }
  }

  void keep_open(OpenFileId file, std::shared_ptr<Content> content, NodeId node) {
    open_[file] = {std::move(content), node};
    if (open_.size() > 4) {
      close(open_.begin()->first);
    }
  }

  void create(const std::string& name) {
    OpenFlags flags;
    flags.write = true;
    const bool exclusive = below(2) == 0;
    const auto created = sync_wait(file_system_.create(caller_, kRootNode, name, 0644, exclusive, flags));
    if (names_.contains(name) && exclusive) {
      ASSERT_FALSE(created.has_value());
      ASSERT_EQ(created.error(), Status::kExist);
      return;
    }
    ASSERT_TRUE(created.has_value()) << nfs::status_name(created.error());
    if (!names_.contains(name)) {
      names_[name] = std::make_shared<Content>();
    }
    ASSERT_EQ(created->entry.attributes.attributes.size, names_[name]->bytes.size());
    lookups_[created->entry.node] += 1;
    keep_open(created->opened.file, names_[name], created->entry.node);
  }

  std::optional<Entry> walk(const std::string& name) {
    const auto entry = sync_wait(file_system_.lookup(caller_, kRootNode, name));
    EXPECT_TRUE(entry.has_value());
    EXPECT_EQ(entry && entry->node != 0, names_.contains(name)) << name;
    if (!entry || entry->node == 0) {
      return std::nullopt;
    }
    lookups_[entry->node] += 1;
    return *entry;
  }

  void look_up(const std::string& name) {
    const auto entry = walk(name);
    if (!entry || !names_.contains(name)) {
      return;
    }
    const auto attributes = sync_wait(file_system_.getattr(caller_, entry->node));
    ASSERT_TRUE(attributes.has_value());
    ASSERT_EQ(attributes->attributes.size, names_[name]->bytes.size());
    if (below(3) == 0) {
      forget(entry->node);
    }
  }

  void forget(NodeId node) {
    for (const auto& [file, open] : open_) {
      if (open.node == node) {
        return;  // the kernel does not forget what is open
      }
    }
    file_system_.forget(node, lookups_[node]);
    lookups_.erase(node);
  }

  void open(const std::string& name) {
    const auto entry = walk(name);
    if (!entry || !names_.contains(name)) {
      return;
    }
    OpenFlags flags;
    flags.write = true;
    NodeId node = entry->node;
    auto opened = sync_wait(file_system_.open(caller_, node, flags));
    if (!opened && opened.error() == Status::kStale) {
      // As the kernel does: the path is walked once more.
      const auto again = walk(name);
      ASSERT_TRUE(again.has_value());
      node = again->node;
      opened = sync_wait(file_system_.open(caller_, node, flags));
    }
    ASSERT_TRUE(opened.has_value()) << nfs::status_name(opened.error());
    keep_open(opened->file, names_[name], node);
  }

  auto some_open() { return std::next(open_.begin(), static_cast<std::ptrdiff_t>(below(open_.size()))); }

  void write() {
    if (open_.empty()) {
      return;
    }
    const auto [file, open] = *some_open();
    const std::size_t offset = below(300);
    const std::string text(1 + below(200), static_cast<char>('a' + below(26)));
    ASSERT_EQ(sync_wait(file_system_.write(file, offset, std::as_bytes(std::span(text)))), Status::kOk);
    std::string& bytes = open.content->bytes;
    bytes.resize(std::max(bytes.size(), offset + text.size()));
    bytes.replace(offset, text.size(), text);
    if (below(5) == 0) {
      ASSERT_EQ(sync_wait(file_system_.fsync(file)), Status::kOk);
    }
  }

  void read() {
    if (open_.empty()) {
      return;
    }
    const auto [file, open] = *some_open();
    const std::size_t offset = below(400);
    const std::size_t count = 1 + below(400);
    const auto data = sync_wait(file_system_.read(file, offset, static_cast<std::uint32_t>(count)));
    ASSERT_TRUE(data.has_value()) << nfs::status_name(data.error());
    const std::string& bytes = open.content->bytes;
    ASSERT_EQ(std::string(reinterpret_cast<const char*>(data->data()), data->size()),
              offset < bytes.size() ? bytes.substr(offset, count) : "");
  }

  void truncate() {
    if (open_.empty()) {
      return;
    }
    const auto [file, open] = *some_open();
    nfs::SetAttributes changes;
    changes.size = below(300);
    const auto attributes = sync_wait(file_system_.setattr(caller_, open.node, changes, file));
    ASSERT_TRUE(attributes.has_value()) << nfs::status_name(attributes.error());
    ASSERT_EQ(attributes->attributes.size, *changes.size);
    open.content->bytes.resize(*changes.size);
  }

  void close_some() {
    if (!open_.empty()) {
      close(some_open()->first);
    }
  }
  void close(OpenFileId file) {
    EXPECT_EQ(sync_wait(file_system_.flush(file)), Status::kOk);
    EXPECT_EQ(sync_wait(file_system_.release(file)), Status::kOk);
    open_.erase(file);
  }

  void rename(const std::string& from, const std::string& to) {
    // As the kernel does: both names are walked first.
    const bool exists = walk(from).has_value();
    walk(to);
    if (!exists) {
      return;
    }
    const Status status = sync_wait(file_system_.rename(caller_, kRootNode, from, kRootNode, to, RenameMode::kReplace));
    ASSERT_EQ(status, Status::kOk);
    if (from != to) {
      names_[to] = names_[from];
      names_.erase(from);
    }
  }

  void unlink(const std::string& name) {
    if (walk(name)) {
      ASSERT_EQ(sync_wait(file_system_.unlink(caller_, kRootNode, name)), Status::kOk);
      names_.erase(name);
    }
  }

  void list() {
    const auto directory = sync_wait(file_system_.opendir(caller_, kRootNode));
    ASSERT_TRUE(directory.has_value());
    std::map<std::string, std::uint64_t> found;
    const auto take = [&](const ListedName& listed) {
      if (listed.entry) {
        lookups_[listed.entry->node] += 1;
      }
      if (listed.name.starts_with(prefix_)) {
        found[std::string(listed.name)] = listed.entry ? listed.entry->attributes.attributes.size : 0;
      } else {
        EXPECT_FALSE(listed.name.starts_with(".nfs"));
      }
      return true;
    };
    ASSERT_EQ(sync_wait(file_system_.readdir(*directory, 0, take)), Status::kOk);
    file_system_.releasedir(*directory);
    std::map<std::string, std::uint64_t> expected;
    for (const auto& [name, content] : names_) {
      expected[name] = content->bytes.size();
    }
    ASSERT_EQ(found, expected);
  }

  FileSystem& file_system_;
  Caller caller_;
  std::mt19937_64 random_;
  const std::string prefix_;
  std::map<std::string, std::shared_ptr<Content>> names_;
  std::map<OpenFileId, Open> open_;
  std::map<NodeId, std::uint64_t> lookups_;
};

TEST(CacheModel, random_operations_from_several_threads_agree_with_a_map_while_the_server_restarts) {
  const std::uint64_t seed = support::test_seed();
  std::cout << "seed " << seed << " (FUSED_TEST_SEED repeats it)\n";
  support::FakeServer server(support::Replies::kAsynchronous, static_cast<unsigned>(seed));
  support::FakeClock clock;
  support::FakeNotifier notifier;
  Options options;
  options.write_bytes_max = 64;
  options.read_bytes_max = 100;
  options.memory_bytes_max = 64 << 10;
  const auto file_system = make_caching_file_system({server, clock, notifier}, server.root(), options);
  std::atomic<int> playing{kThreads};
  {
    std::vector<std::jthread> threads;
    for (int number = 0; number < kThreads; ++number) {
      threads.emplace_back([&, number] {
        Player(*file_system, seed, number).play();
        --playing;
      });
    }
    std::mt19937_64 random(seed);
    while (playing > 0) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
      clock.advance(std::chrono::milliseconds(random() % 200));
      if (random() % 10 == 0) {
        server.reboot();
      }
    }
  }
  EXPECT_EQ(sync_wait(file_system->drain()), Status::kOk);
  EXPECT_EQ(file_system->statistics().dirty_bytes, 0u);
  EXPECT_EQ(file_system->statistics().open_files, 0u);
}

}  // namespace
}  // namespace cache
