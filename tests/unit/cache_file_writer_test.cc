// FileWriter alone: order, layers and bounds, under replies in any order and restarts of the server.
#include "cache/file_writer.h"

#include <random>

#include "tests/unit/cache_harness.h"

namespace cache {
namespace {

class NoObserver final : public FileChangeObserver {
 public:
  std::uint64_t begin_change() override { return 0; }
  void end_change(std::uint64_t, const nfs::WccData&) override {}
};

struct Writing {
  explicit Writing(support::Replies replies = support::Replies::kSynchronous, unsigned seed = 1,
                   std::uint64_t held_max = 1 << 20)
      : server(replies, seed) {
    server.files()->write_file("f", "");
    handle = server.files()->handle_of("f");
    writer = std::make_shared<FileWriter>(FileWriter::Parts{.client = server,
                                                            .clock = clock,
                                                            .budget = budget,
                                                            .observer = std::make_shared<NoObserver>(),
                                                            .write_bytes_max = kWriteBytes,
                                                            .file_held_bytes_max = held_max},
                                          handle);
  }
  ~Writing() {
    server.release_all();
    flush();
  }

  void write(std::uint64_t offset, std::string_view text) {
    support::sync_wait(writer->write(nfs::Credentials{}, offset, bytes_of(text)));
  }
  void flush() { support::sync_wait(writer->flush()); }
  std::string on_server() { return server.files()->read_file("f"); }

  // What a read of the whole file has to show: the server's bytes with what is held laid over them.
  std::string seen() {
    const std::vector<Extent> held = writer->held(0, 1 << 20);
    std::string text = text_of(support::sync_wait(server.read({}, handle, 0, 1 << 20)).data);
    for (const Extent& piece : held) {
      text.resize(std::max<std::size_t>(text.size(), piece.end()));
      text.replace(piece.offset, piece.data.size(), text_of(piece.data));
    }
    return text;
  }

  static constexpr std::uint32_t kWriteBytes = 16;
  support::FakeServer server;
  support::FakeClock clock;
  std::shared_ptr<DirtyBudget> budget = std::make_shared<DirtyBudget>();
  nfs::FileHandle handle;
  std::shared_ptr<FileWriter> writer;
};

TEST(FileWriter, never_sends_a_byte_again_while_its_write_is_under_way) {
  Writing writing;
  writing.server.hold_requests(Procedure::kWrite);
  writing.write(0, std::string(16, 'a'));
  writing.write(8, std::string(16, 'b'));
  writing.write(0, std::string(16, 'c'));
  writing.write(100, std::string(16, 'd'));
  writing.write(116, "e");
  EXPECT_EQ(writing.server.parked(Procedure::kWrite), 2u) << "one for each of the two places";
  writing.server.release(Procedure::kWrite);
  writing.flush();
  EXPECT_EQ(writing.on_server().substr(0, 24), std::string(16, 'c') + std::string(8, 'b'));
}

TEST(FileWriter, has_at_most_sixteen_writes_under_way) {
  Writing writing;
  writing.server.hold_requests(Procedure::kWrite);
  writing.write(0, std::string(40 * Writing::kWriteBytes, 'a'));
  EXPECT_EQ(writing.server.parked(Procedure::kWrite), FileWriter::kWritesInFlightMax);
}

TEST(FileWriter, counts_what_it_holds_against_the_mounts_budget_and_gives_it_back) {
  Writing writing;
  writing.write(0, "text");
  EXPECT_EQ(writing.budget->bytes, 4u);
  EXPECT_EQ(writing.writer->held_end(), 4u);
  writing.flush();
  EXPECT_EQ(writing.budget->bytes, 0u);
  EXPECT_EQ(writing.writer->held_end(), 0u);
}

TEST(FileWriter, writes_out_at_once_when_the_mounts_budget_is_exceeded) {
  Writing writing;
  writing.budget->bytes_max = 8;
  writing.write(0, "text");
  EXPECT_EQ(writing.on_server(), "");
  writing.write(100, "more!");
  EXPECT_EQ(writing.on_server().size(), 105u);
}

TEST(FileWriter, holds_uncommitted_bytes_until_the_commit_and_sends_them_again_after_a_restart) {
  Writing writing;
  writing.write(0, std::string(40, 'a'));
  support::sync_wait(writing.writer->write_out());
  EXPECT_FALSE(writing.writer->unanswered());
  EXPECT_EQ(writing.writer->held_bytes(), 40u);
  writing.server.reboot();
  writing.flush();
  EXPECT_EQ(writing.on_server(), std::string(40, 'a'));
}

TEST(FileWriter, keeps_newer_bytes_that_were_written_while_a_commit_found_the_server_restarted) {
  Writing writing;
  writing.write(0, std::string(32, 'o'));
  writing.server.hold_requests(Procedure::kCommit);
  auto flushing = writing.writer->flush();
  writing.server.wait_until_parked(Procedure::kCommit, 1);
  auto newer = writing.writer->write({}, 0, bytes_of(std::string(16, 'n')));
  writing.server.reboot();
  writing.server.release(Procedure::kCommit);
  EXPECT_TRUE(flushing.ended());
  EXPECT_TRUE(newer.ended());
  writing.flush();
  writing.server.reboot();
  EXPECT_EQ(writing.on_server(), std::string(16, 'n') + std::string(16, 'o'));
}

TEST(FileWriter, counts_each_error_and_reports_the_newest_once) {
  Writing writing;
  std::uint64_t seen = 0;
  EXPECT_EQ(writing.writer->error_since(seen), Status::kOk);
  writing.write(0, "text");
  writing.server.fail_next(Procedure::kWrite, Status::kNospc);
  writing.flush();
  EXPECT_EQ(writing.writer->error_since(seen), Status::kNospc);
  EXPECT_EQ(writing.writer->error_since(seen), Status::kOk);
}

// Every byte that a write has put there is seen by each later read, and is stable after a flush, however replies are
// shuffled and whenever the server restarts.
class FileWriterModel : public testing::TestWithParam<support::Replies> {};

TEST_P(FileWriterModel, agrees_with_an_array_of_bytes) {
  const auto seed = static_cast<unsigned>(std::random_device{}());
  std::printf("seed %u\n", seed);
  std::minstd_rand random(seed);
  for (int run = 0; run < 20; ++run) {
    Writing writing(GetParam(), static_cast<unsigned>(random()), 200 + random() % 400);
    writing.budget->bytes_max = 400;
    std::string model;
    for (int step = 0; step < 300; ++step) {
      const std::uint64_t offset = random() % 500;
      const std::string text(1 + random() % 60, static_cast<char>('a' + random() % 26));
      switch (random() % 16) {
        case 0:
          writing.server.reboot();
          break;
        case 1:
          writing.clock.advance(600ms);
          break;
        case 2:
          writing.flush();
          ASSERT_EQ(writing.on_server(), model) << "run " << run << " step " << step;
          break;
        case 3:
          ASSERT_EQ(writing.seen(), model) << "run " << run << " step " << step;
          break;
        case 4:
          writing.server.files()->rules.write_bytes_max = static_cast<std::uint32_t>(1 + random() % 30);
          break;
        default:
          model.resize(std::max<std::size_t>(model.size(), offset + text.size()), '\0');
          model.replace(offset, text.size(), text);
          writing.write(offset, text);
      }
    }
    writing.flush();
    writing.server.reboot();
    ASSERT_EQ(writing.on_server(), model) << "run " << run;
    ASSERT_EQ(writing.budget->bytes, 0u);
  }
}

INSTANTIATE_TEST_SUITE_P(Replies, FileWriterModel,
                         testing::Values(support::Replies::kSynchronous, support::Replies::kAsynchronous));

}  // namespace
}  // namespace cache
