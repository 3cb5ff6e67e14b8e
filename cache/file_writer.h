// FileWriter: the bytes of one file that programs have written and the server has not yet made stable.
//
// A byte is pending (accepted here), in flight (a WRITE is under way), uncommitted (written UNSTABLE) or committing (a
// COMMIT is under way); it is held until it is known to be stable, and written again when the server's write verifier
// changed meanwhile (RFC 1813 section 3.3.21). WRITEs of one byte never overtake each other. Full extents are sent at
// once, the rest after `kLinger`, when the bound is reached, or by write_out() and flush().
//
// Errors are kept, and each open file hears of each once: see error_since().
// Thread-safety: every member may be called from any thread. Nothing blocks. A running coroutine keeps the writer
// alive.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "cache/extent_map.h"
#include "nfsbackend/client.h"
#include "nfsbackend/clock.h"
#include "nfsbackend/event.h"

namespace cache {

// Dirty bytes of the whole mount, against their bound. Shared by all writers.
struct DirtyBudget {
  std::atomic<std::uint64_t> bytes{0};
  std::uint64_t bytes_max = 64ULL << 20;
};

// Hears of the changes that the writer makes on the server, so that they are not taken for somebody else's.
class FileChangeObserver {
 public:
  virtual ~FileChangeObserver() = default;
  // Around each WRITE and COMMIT; `ticket` is what begin_change() returned. Called without locks.
  virtual std::uint64_t begin_change() = 0;
  virtual void end_change(std::uint64_t ticket, const nfs::WccData& wcc) = 0;
};

class FileWriter : public std::enable_shared_from_this<FileWriter> {
 public:
  static constexpr std::chrono::seconds kLinger{1};
  static constexpr std::size_t kWritesInFlightMax = 16;

  struct Parts {
    nfs::Client& client;
    nfs::Clock& clock;
    std::shared_ptr<DirtyBudget> budget;
    std::shared_ptr<FileChangeObserver> observer;
    std::uint32_t write_bytes_max;      // of one WRITE
    std::uint64_t file_held_bytes_max;  // write-behind of one file
  };
  FileWriter(Parts parts, nfs::FileHandle file);
  ~FileWriter();

  // Accepts `data` (copied before the Task is returned). Waits while the bound is exceeded or another call writes out.
  nfs::Task<void> write(nfs::Credentials credentials, std::uint64_t offset, std::span<const std::byte> data);
  // Ends when the server has answered a WRITE of every byte accepted so far.
  nfs::Task<void> write_out();
  // Ends when every byte accepted so far is stable, or given up with an error.
  nfs::Task<void> flush();

  // Whether there are bytes that the server has not answered for.
  bool unanswered() const;
  std::uint64_t held_bytes() const;
  // The file measures at least this much once everything held has arrived; 0 when nothing is held.
  std::uint64_t held_end() const;
  // What is held of a range, oldest first: later extents lie above earlier ones.
  std::vector<Extent> held(std::uint64_t offset, std::uint64_t length) const;

  // `seen` is the number of errors an open file has heard of; returns the newest error when there are more.
  nfs::Status error_since(std::uint64_t& seen) const;
  std::uint64_t error_count() const;

 private:
  bool accept(const nfs::Credentials& credentials, std::uint64_t offset, std::span<const std::byte> data);
  nfs::Task<void> write_later(nfs::Credentials credentials, std::uint64_t offset, nfs::Bytes data);
  nfs::Task<void> keep_bounds();
  nfs::Task<void> send(nfs::Credentials credentials, std::uint64_t offset, std::span<const std::byte> data,
                       nfs::StableHow stable);
  nfs::Task<void> commit();
  // Sends what may be sent now.
  void start();
  bool start_next();
  bool start_commit();
  void settle_write(std::uint64_t offset, const nfs::WriteReply& reply);
  void settle_commit(const nfs::CommitReply& reply);

  // REQUIRES: mutex_ held.
  void write_again(ExtentMap layer);
  void fail(nfs::Status status);
  std::uint64_t sum_bytes() const;
  bool commit_due() const;
  std::shared_ptr<nfs::Event> change() const { return change_; }
  // Updates the budget, lets go of the lock and wakes all who wait for a change.
  void publish(std::unique_lock<std::mutex> lock);

  const Parts parts_;
  const nfs::FileHandle file_;

  mutable std::mutex mutex_;  // guards all below; innermost: nothing is called with it held
  // The layers, newest first. An older layer's byte never replaces a newer one's.
  ExtentMap pending_;
  ExtentMap in_flight_;
  ExtentMap uncommitted_;
  ExtentMap committing_;
  nfs::Verifier uncommitted_verifier_{};
  nfs::Verifier committing_verifier_{};
  nfs::Credentials last_credentials_;  // of the last WRITE; COMMIT uses them
  int writing_out_ = 0;                // write_out() and flush() calls under way; writes wait for them
  bool lingering_ = false;
  bool starting_ = false;  // a start() is at work; it also does what others ask of it meanwhile
  bool commit_under_way_ = false;
  std::uint64_t budgeted_bytes_ = 0;
  nfs::Status last_error_ = nfs::Status::kOk;
  std::uint64_t error_count_ = 0;
  std::shared_ptr<nfs::Event> change_ = std::make_shared<nfs::Event>();
};

}  // namespace cache
