#include "cache/caching_file_system.h"

#include "cache/caching_file_system_parts.h"

namespace cache {

namespace {

// What a node with its name costs in memory, measured with a hundred thousand files (see the benchmark of the cache).
constexpr std::uint64_t kNodeBytes = 1000;

}  // namespace

CachingFileSystem::CachingFileSystem(Parts parts, nfs::FileHandle root, Options options)
    : client_(parts.client),
      clock_(parts.clock),
      notifier_(parts.notifier),
      options_(std::move(options)),
      journal_(options_.silly_journal_path),
      table_(root, options_.memory_bytes_max * 3 / 4 / kNodeBytes),
      knowledge_(options_, table_),
      readdirplus_works_(options_.readdirplus) {
  budget_->bytes_max = options_.memory_bytes_max / 4;
  remove_leftovers().detach();
}

CachingFileSystem::~CachingFileSystem() = default;

FileSystemStatistics CachingFileSystem::statistics() const {
  FileSystemStatistics statistics;
  statistics.metadata_hits = metadata_hits_;
  statistics.metadata_misses = metadata_misses_;
  statistics.page_hits = page_hits_;
  statistics.page_misses = page_misses_;
  statistics.dirty_bytes = budget_->bytes;
  std::lock_guard lock(mutex_);
  statistics.metadata_entries = table_.size();
  statistics.open_files = open_files_.size();
  return statistics;
}

std::unique_ptr<FileSystem> make_caching_file_system(Parts parts, nfs::FileHandle root, Options options) {
  return std::make_unique<CachingFileSystem>(parts, root, std::move(options));
}

}  // namespace cache
