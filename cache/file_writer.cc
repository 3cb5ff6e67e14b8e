#include "cache/file_writer.h"

#include <algorithm>
#include <utility>

namespace cache {

using nfs::Status;

FileWriter::FileWriter(Parts parts, nfs::FileHandle file)
    : parts_(std::move(parts)),
      file_(file),
      pending_(parts_.write_bytes_max),
      in_flight_(parts_.write_bytes_max),
      uncommitted_(parts_.write_bytes_max),
      committing_(parts_.write_bytes_max) {}

FileWriter::~FileWriter() {
  parts_.budget->bytes -= budgeted_bytes_;
}

nfs::Task<void> FileWriter::write(nfs::Credentials credentials, std::uint64_t offset, std::span<const std::byte> data) {
  if (accept(credentials, offset, data)) {
    return keep_bounds();
  }
  return write_later(credentials, offset, nfs::Bytes(data.begin(), data.end()));
}

bool FileWriter::accept(const nfs::Credentials& credentials, std::uint64_t offset, std::span<const std::byte> data) {
  bool linger = false;
  {
    std::unique_lock lock(mutex_);
    if (writing_out_ > 0) {
      return false;
    }
    pending_.put_above(credentials, offset, data);
    linger = !std::exchange(lingering_, true);
    publish(std::move(lock));
  }
  if (linger) {
    parts_.clock.run_at(parts_.clock.now() + kLinger, [weak = weak_from_this()] {
      if (const std::shared_ptr<FileWriter> self = weak.lock()) {
        self->write_out().detach();
      }
    });
  }
  return true;
}

nfs::Task<void> FileWriter::write_later(nfs::Credentials credentials, std::uint64_t offset, nfs::Bytes data) {
  const std::shared_ptr<FileWriter> self = shared_from_this();
  while (!accept(credentials, offset, data)) {
    std::shared_ptr<nfs::Event> changed;
    {
      std::lock_guard lock(mutex_);
      if (writing_out_ == 0) {
        continue;
      }
      changed = change();
    }
    co_await *changed;
  }
  co_await keep_bounds();
}

// The writer of too much waits here; its data goes out meanwhile.
nfs::Task<void> FileWriter::keep_bounds() {
  const std::shared_ptr<FileWriter> self = shared_from_this();
  start();
  if (parts_.budget->bytes > parts_.budget->bytes_max) {
    co_await flush();
  }
  while (true) {
    std::shared_ptr<nfs::Event> changed;
    bool over = false;
    bool due = false;
    {
      std::lock_guard lock(mutex_);
      over = sum_bytes() > parts_.file_held_bytes_max;
      due = commit_due();
      changed = change();
    }
    if (due) {
      commit().detach();
    }
    if (!over) {
      co_return;
    }
    start();
    co_await *changed;
  }
}

nfs::Task<void> FileWriter::write_out() {
  const std::shared_ptr<FileWriter> self = shared_from_this();
  {
    std::lock_guard lock(mutex_);
    ++writing_out_;
    lingering_ = false;
  }
  while (true) {
    start();
    std::shared_ptr<nfs::Event> changed;
    {
      std::unique_lock lock(mutex_);
      if (pending_.empty() && in_flight_.empty()) {
        --writing_out_;
        publish(std::move(lock));
        co_return;
      }
      changed = change();
    }
    co_await *changed;
  }
}

nfs::Task<void> FileWriter::flush() {
  const std::shared_ptr<FileWriter> self = shared_from_this();
  {
    std::lock_guard lock(mutex_);
    ++writing_out_;
    lingering_ = false;
  }
  while (true) {
    start();
    std::shared_ptr<nfs::Event> changed;
    bool due = false;
    {
      std::unique_lock lock(mutex_);
      if (sum_bytes() == 0) {
        --writing_out_;
        publish(std::move(lock));
        co_return;
      }
      due = pending_.empty() && in_flight_.empty() && !commit_under_way_;
      changed = change();
    }
    if (due) {
      co_await commit();
    } else {
      co_await *changed;
    }
  }
}

// A reply that comes at once leads back here; one loop instead of a recursion per extent.
void FileWriter::start() {
  {
    std::lock_guard lock(mutex_);
    if (std::exchange(starting_, true)) {
      return;
    }
  }
  while (start_next()) {
  }
}

// Sends one extent: a full one, or any when somebody waits for all of them. A file whose bytes all fit in one WRITE is
// written stable at once, which saves the COMMIT.
bool FileWriter::start_next() {
  std::unique_lock lock(mutex_);
  const bool everything = writing_out_ > 0 || sum_bytes() > parts_.file_held_bytes_max;
  std::optional<Extent> extent;
  if (in_flight_.count() < kWritesInFlightMax) {
    extent = pending_.take_first(in_flight_, !everything);
  }
  if (!extent) {
    starting_ = false;
    return false;
  }
  const bool alone =
      writing_out_ > 0 && pending_.empty() && in_flight_.empty() && uncommitted_.empty() && !commit_under_way_;
  const nfs::Credentials credentials = extent->credentials;
  const std::uint64_t offset = extent->offset;
  in_flight_.insert(std::move(*extent));
  // The map's nodes do not move, and nobody touches this one until its reply is settled.
  const std::span<const std::byte> data = in_flight_.extents().find(offset)->second.data;
  last_credentials_ = credentials;
  lock.unlock();
  send(credentials, offset, data, alone ? nfs::StableHow::kFileSync : nfs::StableHow::kUnstable).detach();
  return true;
}

nfs::Task<void> FileWriter::send(nfs::Credentials credentials, std::uint64_t offset, std::span<const std::byte> data,
                                 nfs::StableHow stable) {
  const std::shared_ptr<FileWriter> self = shared_from_this();
  const std::uint64_t ticket = parts_.observer->begin_change();
  nfs::WriteReply reply = co_await parts_.client.write(credentials, file_, offset, data, stable);
  parts_.observer->end_change(ticket, reply.wcc);
  settle_write(offset, reply);
  start();
}

void FileWriter::settle_write(std::uint64_t offset, const nfs::WriteReply& reply) {
  std::unique_lock lock(mutex_);
  Extent extent = in_flight_.take_at(offset);
  if (reply.status != Status::kOk) {
    fail(reply.status);
    publish(std::move(lock));
    return;
  }
  if (reply.count < extent.data.size()) {
    Extent rest{extent.offset + reply.count, extent.credentials, {}};
    rest.data.assign(extent.data.begin() + reply.count, extent.data.end());
    extent.data.resize(reply.count);
    pending_.put_below(rest);
  }
  // These bytes are newer: whatever becomes of the older ones, they must not be written again.
  uncommitted_.erase(extent.offset, extent.data.size());
  committing_.erase(extent.offset, extent.data.size());
  if (reply.committed == nfs::StableHow::kUnstable) {
    if (!uncommitted_.empty() && uncommitted_verifier_ != reply.verifier) {
      // The server restarted and may have lost what it had not committed.
      write_again(std::exchange(uncommitted_, ExtentMap(parts_.write_bytes_max)));
    }
    uncommitted_verifier_ = reply.verifier;
    uncommitted_.insert(std::move(extent));
  }
  publish(std::move(lock));
}

bool FileWriter::start_commit() {
  std::lock_guard lock(mutex_);
  if (commit_under_way_ || uncommitted_.empty()) {
    return false;
  }
  commit_under_way_ = true;
  std::swap(committing_, uncommitted_);
  committing_verifier_ = uncommitted_verifier_;
  return true;
}

nfs::Task<void> FileWriter::commit() {
  const std::shared_ptr<FileWriter> self = shared_from_this();
  if (!start_commit()) {
    co_return;
  }
  nfs::Credentials credentials;
  {
    std::lock_guard lock(mutex_);
    credentials = last_credentials_;
  }
  const std::uint64_t ticket = parts_.observer->begin_change();
  nfs::CommitReply reply = co_await parts_.client.commit(credentials, file_, 0, 0);
  parts_.observer->end_change(ticket, reply.wcc);
  settle_commit(reply);
}

void FileWriter::settle_commit(const nfs::CommitReply& reply) {
  std::unique_lock lock(mutex_);
  commit_under_way_ = false;
  if (reply.status != Status::kOk) {
    fail(reply.status);
    committing_.clear();
  } else if (reply.verifier != committing_verifier_) {
    write_again(std::exchange(committing_, ExtentMap(parts_.write_bytes_max)));
  } else {
    committing_.clear();
  }
  publish(std::move(lock));
}

// Puts a layer back to the pending bytes, without what newer layers have replaced.
void FileWriter::write_again(ExtentMap layer) {
  for (const ExtentMap* newer : {&uncommitted_, &in_flight_}) {
    for (const auto& [offset, extent] : newer->extents()) {
      layer.erase(offset, extent.data.size());
    }
  }
  for (const auto& [offset, extent] : layer.extents()) {
    pending_.put_below(extent);
  }
}

void FileWriter::fail(Status status) {
  last_error_ = status;
  ++error_count_;
}

std::uint64_t FileWriter::sum_bytes() const {
  return pending_.bytes() + in_flight_.bytes() + uncommitted_.bytes() + committing_.bytes();
}

bool FileWriter::commit_due() const {
  return !commit_under_way_ && uncommitted_.bytes() > parts_.file_held_bytes_max / 2;
}

void FileWriter::publish(std::unique_lock<std::mutex> lock) {
  const std::uint64_t bytes = sum_bytes();
  parts_.budget->bytes += bytes - budgeted_bytes_;
  budgeted_bytes_ = bytes;
  const std::shared_ptr<nfs::Event> changed = std::exchange(change_, std::make_shared<nfs::Event>());
  lock.unlock();
  changed->set();
}

bool FileWriter::unanswered() const {
  std::lock_guard lock(mutex_);
  return !pending_.empty() || !in_flight_.empty();
}

std::uint64_t FileWriter::held_bytes() const {
  std::lock_guard lock(mutex_);
  return sum_bytes();
}

std::uint64_t FileWriter::held_end() const {
  std::lock_guard lock(mutex_);
  return std::max({pending_.end(), in_flight_.end(), uncommitted_.end(), committing_.end()});
}

std::vector<Extent> FileWriter::held(std::uint64_t offset, std::uint64_t length) const {
  std::lock_guard lock(mutex_);
  std::vector<Extent> pieces;
  for (const ExtentMap* layer : {&committing_, &uncommitted_, &in_flight_, &pending_}) {
    layer->copy_range(offset, length, pieces);
  }
  return pieces;
}

Status FileWriter::error_since(std::uint64_t& seen) const {
  std::lock_guard lock(mutex_);
  return std::exchange(seen, error_count_) < error_count_ ? last_error_ : Status::kOk;
}

std::uint64_t FileWriter::error_count() const {
  std::lock_guard lock(mutex_);
  return error_count_;
}

}  // namespace cache
