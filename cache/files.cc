// Open files: open, read, write, flush; and setattr, which has to wait for their pending bytes.
#include <algorithm>

#include "cache/caching_file_system_parts.h"

namespace cache {

using nfs::Status;
using nfs::Task;

// Tells the node of its writer's WRITEs. The node holds the writer and the writer this, so the way back is weak.
class CachingFileSystem::WriteObserver final : public FileChangeObserver {
 public:
  WriteObserver(CachingFileSystem& file_system, const NodePtr& node) : file_system_(file_system), node_(node) {}

  std::uint64_t begin_change() override {
    const NodePtr node = node_.lock();
    std::lock_guard lock(file_system_.mutex_);
    const Ticket ticket = file_system_.knowledge_.send(file_system_.now());
    if (node) {
      file_system_.knowledge_.begin_own_change(*node);
    }
    sent_.emplace(ticket.tick, ticket);
    return ticket.tick;
  }

  void end_change(std::uint64_t tick, const nfs::WccData& wcc) override {
    const NodePtr node = node_.lock();
    std::lock_guard lock(file_system_.mutex_);
    const Ticket ticket = sent_.extract(tick).mapped();
    if (node) {
      file_system_.knowledge_.end_own_change(*node, wcc, ticket);
    }
  }

 private:
  CachingFileSystem& file_system_;
  const std::weak_ptr<Node> node_;
  std::unordered_map<std::uint64_t, Ticket> sent_;  // guarded by the file system's mutex
};

std::shared_ptr<OpenFile> CachingFileSystem::find_open(OpenFileId file) {
  std::lock_guard lock(mutex_);
  const auto found = open_files_.find(file);
  return found == open_files_.end() ? nullptr : found->second;
}

std::shared_ptr<FileWriter> CachingFileSystem::writer_of(const NodePtr& node) {
  std::lock_guard lock(mutex_);
  return node->writer;
}

std::shared_ptr<FileWriter> CachingFileSystem::make_writer(const NodePtr& node) {
  std::lock_guard lock(mutex_);
  if (!node->writer) {
    const FileWriter::Parts parts{
        .client = client_,
        .clock = clock_,
        .budget = budget_,
        .observer = std::make_shared<WriteObserver>(*this, node),
        .write_bytes_max = options_.write_bytes_max,
        .file_held_bytes_max = std::max<std::uint64_t>(budget_->bytes_max / 2, 4ULL * options_.write_bytes_max)};
    node->writer = std::make_shared<FileWriter>(parts, node->handle);
  }
  return node->writer;
}

namespace {

nfs::OpenMode open_mode(const OpenFlags& flags) {
  if (!flags.write) {
    return nfs::OpenMode::kRead;
  }
  return flags.read ? nfs::OpenMode::kReadWrite : nfs::OpenMode::kWrite;
}

}  // namespace

OpenedFile CachingFileSystem::register_open(const NodePtr& node, const nfs::Credentials& opener, OpenFlags flags) {
  OpenedFile opened;
  bool refresh_size = false;
  {
    std::lock_guard lock(mutex_);
    const auto file = std::make_shared<OpenFile>();
    file->node = node;
    file->opener = opener;
    file->flags = flags;
    file->mode = open_mode(flags);
    file->errors_seen = node->writer ? node->writer->error_count() : 0;
    opened.file = next_open_id_++;
    open_files_.emplace(opened.file, file);
    table_.add_open(*node);
    if (node->attributes) {
      const nfs::Version version = version_of(*node->attributes);
      opened.keep_pages = node->pages_version == version;
      // The kernel learns a size from attributes only, and the answer to an open carries none.
      refresh_size = node->told_version && *node->told_version != version;
      node->pages_version = version;
    }
  }
  if (opened.keep_pages) {
    page_hits_.fetch_add(1, std::memory_order_relaxed);
  }
  if (refresh_size) {
    notifier_.invalidate_attributes_now(node->id);
  }
  return opened;
}

namespace {

std::uint32_t wanted_access(const OpenFlags& flags) {
  std::uint32_t wanted = 0;
  wanted |= flags.execute ? nfs::kAccessExecute : 0;
  wanted |= flags.read && !flags.execute ? nfs::kAccessRead : 0;
  wanted |= flags.write ? nfs::kAccessModify | nfs::kAccessExtend : 0;
  return wanted;
}

}  // namespace

Task<nfs::Result<OpenedFile>> CachingFileSystem::open(Caller caller, NodeId id, OpenFlags flags) {
  const nfs::MonotonicTime begun = now();
  const NodePtr node = find(id);
  if (!node) {
    co_return std::unexpected(Status::kStale);
  }
  Status status = Status::kOk;
  if (options_.close_to_open) {
    status = co_await check_at_open(caller, node, begun);
  } else {
    status = co_await check_attributes(caller.credentials, node, begun);
  }
  if (status == Status::kOk) {
    status = co_await check_access(caller.credentials, node, wanted_access(flags), begun);
  }
  if (status != Status::kOk) {
    co_return std::unexpected(status);
  }
  const OpenedFile opened = register_open(node, caller.credentials, flags);
  status = co_await client_.open(caller.credentials, node->handle, open_mode(flags));
  if (status != Status::kOk) {
    co_await release(opened.file);
    co_return std::unexpected(status);
  }
  co_return opened;
}

Task<Status> CachingFileSystem::open_existing(Caller caller, NodePtr node, OpenFlags flags) {
  const nfs::MonotonicTime begun = now();
  const Status allowed = co_await check_access(caller.credentials, node, wanted_access(flags), begun);
  if (allowed != Status::kOk || !flags.truncate) {
    co_return allowed;
  }
  nfs::SetAttributes empty;
  empty.size = 0;
  co_return co_await set_on_server(caller.credentials, node, empty);
}

Task<nfs::ReadReply> CachingFileSystem::read_once(nfs::Credentials who, NodePtr node, std::uint64_t offset,
                                                  std::uint32_t count) {
  const Ticket ticket = send();
  nfs::ReadReply reply = co_await client_.read(who, node->handle, offset, count);
  std::lock_guard lock(mutex_);
  if (reply.attributes) {
    knowledge_.learn(*node, *reply.attributes, ticket);
  }
  knowledge_.note_status(*node, reply.status);
  co_return reply;
}

// Reads a range in pieces of at most rsize, all under way at once; a server may answer with less and no end of file.
Task<nfs::Result<nfs::Bytes>> CachingFileSystem::read_server(nfs::Credentials who, NodePtr node, std::uint64_t offset,
                                                             std::uint32_t count) {
  page_misses_.fetch_add(1, std::memory_order_relaxed);
  if (count <= options_.read_bytes_max) {
    nfs::ReadReply reply = co_await read_once(who, node, offset, count);
    if (reply.status != Status::kOk) {
      co_return std::unexpected(reply.status);
    }
    if (reply.eof || reply.data.size() == count) {
      co_return std::move(reply.data);
    }
    co_return co_await read_rest(who, node, offset, count, std::move(reply.data));
  }
  std::vector<Task<nfs::ReadReply>> pieces;
  for (std::uint32_t begin = 0; begin < count; begin += options_.read_bytes_max) {
    pieces.push_back(read_once(who, node, offset + begin, std::min(options_.read_bytes_max, count - begin)));
  }
  nfs::Bytes data;
  Status failed = Status::kOk;
  bool ended = false;
  for (std::size_t index = 0; index < pieces.size(); ++index) {
    nfs::ReadReply reply = co_await pieces[index];
    if (reply.status != Status::kOk) {
      failed = failed == Status::kOk ? reply.status : failed;
    } else if (!ended && data.size() == index * options_.read_bytes_max) {
      data.insert(data.end(), reply.data.begin(), reply.data.end());
      ended = reply.eof;
    }
  }
  if (failed != Status::kOk) {
    co_return std::unexpected(failed);
  }
  if (ended || data.size() == count) {
    co_return data;
  }
  co_return co_await read_rest(who, node, offset, count, std::move(data));
}

Task<nfs::Result<nfs::Bytes>> CachingFileSystem::read_rest(nfs::Credentials who, NodePtr node, std::uint64_t offset,
                                                           std::uint32_t count, nfs::Bytes data) {
  while (data.size() < count) {
    const auto missing = count - static_cast<std::uint32_t>(data.size());
    nfs::ReadReply reply =
        co_await read_once(who, node, offset + data.size(), std::min(missing, options_.read_bytes_max));
    if (reply.status != Status::kOk) {
      co_return std::unexpected(reply.status);
    }
    data.insert(data.end(), reply.data.begin(), reply.data.end());
    if (reply.eof || reply.data.empty()) {
      break;
    }
  }
  co_return data;
}

namespace {

// Lays what is held here over what the server answered. Between the server's end of file and held bytes lie zeros. The
// pieces may reach behind `held_end`, which was asked for before them.
void lay_over(nfs::Bytes& data, std::uint64_t offset, std::uint32_t count, std::uint64_t held_end,
              const std::vector<Extent>& held) {
  std::uint64_t end = std::min(offset + count, held_end);
  for (const Extent& piece : held) {
    end = std::max(end, piece.end());
  }
  if (end > offset + data.size()) {
    data.resize(end - offset);
  }
  for (const Extent& piece : held) {
    std::copy(piece.data.begin(), piece.data.end(), data.begin() + static_cast<std::ptrdiff_t>(piece.offset - offset));
  }
}

}  // namespace

Task<nfs::Result<nfs::Bytes>> CachingFileSystem::read(OpenFileId file, std::uint64_t offset, std::uint32_t count) {
  const std::shared_ptr<OpenFile> open_file = find_open(file);
  if (!open_file) {
    co_return std::unexpected(Status::kBadFile);
  }
  const NodePtr node = open_file->node;
  const std::shared_ptr<FileWriter> writer = writer_of(node);
  if (!writer || writer->held_bytes() == 0) {
    co_return co_await read_server(open_file->opener, node, offset, count);
  }
  // Taken before the server is asked: a byte is either held now, or the server already has it. The end comes first, so
  // that a write in between is seen with its bytes or not at all.
  const std::uint64_t held_end = writer->held_end();
  const std::vector<Extent> held = writer->held(offset, count);
  const bool covered = held.size() == 1 && held[0].offset == offset && held[0].data.size() == count;
  if (covered) {
    co_return held[0].data;
  }
  nfs::Result<nfs::Bytes> data = co_await read_server(open_file->opener, node, offset, count);
  if (data) {
    lay_over(*data, offset, count, held_end, held);
  }
  co_return data;
}

Task<Status> CachingFileSystem::write(OpenFileId file, std::uint64_t offset, std::span<const std::byte> data) {
  const std::shared_ptr<OpenFile> open_file = find_open(file);
  if (!open_file) {
    co_return Status::kBadFile;
  }
  if (options_.read_only) {
    co_return Status::kRofs;
  }
  const std::shared_ptr<FileWriter> writer = make_writer(open_file->node);
  co_await writer->write(open_file->opener, offset, data);
  if (options_.synchronous || open_file->flags.synchronous || open_file->flags.direct) {
    co_await writer->flush();
  }
  co_return writer->error_since(open_file->errors_seen);
}

Task<Status> CachingFileSystem::flush_open(OpenFileId file) {
  const std::shared_ptr<OpenFile> open_file = find_open(file);
  if (!open_file) {
    co_return Status::kBadFile;
  }
  const std::shared_ptr<FileWriter> writer = writer_of(open_file->node);
  if (!writer) {
    co_return Status::kOk;
  }
  co_await writer->flush();
  co_return writer->error_since(open_file->errors_seen);
}

Task<Status> CachingFileSystem::flush(OpenFileId file) {
  return flush_open(file);
}
Task<Status> CachingFileSystem::fsync(OpenFileId file) {
  return flush_open(file);
}

Task<Status> CachingFileSystem::release(OpenFileId file) {
  const std::shared_ptr<OpenFile> open_file = find_open(file);
  if (!open_file) {
    co_return Status::kBadFile;
  }
  const Status flushed = co_await flush_open(file);
  const NodePtr node = open_file->node;
  co_await client_.close(open_file->opener, node->handle, open_file->mode);
  {
    std::lock_guard lock(mutex_);
    open_files_.erase(file);
    if (node->open_files == 1 && node->writer && node->writer->held_bytes() == 0) {
      node->writer.reset();
    }
    table_.drop_open(*node);
  }
  co_await remove_silly_if_closed(node);
  co_return flushed;
}

Task<Status> CachingFileSystem::set_on_server(nfs::Credentials who, NodePtr node, nfs::SetAttributes changes) {
  const Ticket ticket = begin_change(*node);
  nfs::SetattrReply reply = co_await client_.setattr(who, node->handle, changes, std::nullopt);
  std::lock_guard lock(mutex_);
  knowledge_.end_own_change(*node, reply.wcc, ticket);
  knowledge_.note_status(*node, reply.status);
  co_return reply.status;
}

Task<nfs::Result<NodeAttributes>> CachingFileSystem::setattr(Caller caller, NodeId id, nfs::SetAttributes changes,
                                                             std::optional<OpenFileId> file) {
  const nfs::MonotonicTime begun = now();
  const NodePtr node = find(id);
  if (!node) {
    co_return std::unexpected(Status::kStale);
  }
  // Bytes written before a truncation or a change of times must not arrive after it.
  if (const std::shared_ptr<FileWriter> writer = writer_of(node)) {
    co_await writer->flush();
  }
  nfs::Credentials who = caller.credentials;
  if (file && changes.size) {
    if (const std::shared_ptr<OpenFile> open_file = find_open(*file)) {
      who = open_file->opener;
    }
  }
  Status status = co_await set_on_server(who, node, changes);
  if (status == Status::kOk) {
    status = co_await check_attributes(caller.credentials, node, begun);
  }
  if (status != Status::kOk) {
    co_return std::unexpected(status);
  }
  std::lock_guard lock(mutex_);
  co_return knowledge_.tell(*node, now());
}

Task<Status> CachingFileSystem::drain() {
  std::vector<NodePtr> written;
  std::vector<NodePtr> hidden;
  {
    std::lock_guard lock(mutex_);
    for (const auto& [id, node] : table_.nodes()) {
      if (node->writer) {
        written.push_back(node);
      }
      if (node->silly) {
        hidden.push_back(node);
      }
    }
  }
  Status result = Status::kOk;
  for (const NodePtr& node : written) {
    const std::shared_ptr<FileWriter> writer = writer_of(node);
    if (!writer) {
      continue;
    }
    std::uint64_t seen = writer->error_count();
    co_await writer->flush();
    const Status status = writer->error_since(seen);
    result = status == Status::kOk ? result : status;
  }
  for (const NodePtr& node : hidden) {
    co_await remove_silly(node);
  }
  co_return result;
}

}  // namespace cache
