// Harness: a caching file system over the fake server, with a clock that stands still and a kernel that takes notes.
//
// The helpers block until their Task has ended; value() throws where a test expects success, so that a test reads as
// what happens and not as error handling. The destructor lets every held call go before the file system ends.
// Thread-safety: as the parts; the helpers may be called from any thread.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cache/caching_file_system.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fake_notifier.h"
#include "tests/support/fake_server.h"
#include "tests/support/sync_wait.h"

namespace cache {

using namespace std::chrono_literals;
using nfs::Procedure;
using nfs::Status;
using std::chrono::nanoseconds;

inline Caller user(std::uint32_t uid, std::uint32_t thread_id = 1) {
  Caller caller;
  caller.credentials.uid = caller.credentials.gid = uid;
  caller.thread_id = thread_id;
  return caller;
}
inline Caller root(std::uint32_t thread_id = 1) {
  return user(0, thread_id);
}

inline std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}
inline std::string text_of(const nfs::Bytes& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

template <class T>
T value(nfs::Task<nfs::Result<T>> task) {
  nfs::Result<T> result = support::sync_wait(std::move(task));
  if (!result) {
    throw std::runtime_error("unexpected status: " + std::string(nfs::status_name(result.error())));
  }
  return *std::move(result);
}
template <class T>
Status status_of(nfs::Task<nfs::Result<T>> task) {
  const nfs::Result<T> result = support::sync_wait(std::move(task));
  return result ? Status::kOk : result.error();
}
inline Status status_of(nfs::Task<Status> task) {
  return support::sync_wait(std::move(task));
}

inline OpenFlags for_reading() {
  return {};
}
inline OpenFlags for_writing() {
  OpenFlags flags;
  flags.write = true;
  return flags;
}

// The options of a mount with all attribute lifetimes zero.
inline Options noac() {
  Options options;
  options.acregmin = options.acregmax = options.acdirmin = options.acdirmax = 0s;
  return options;
}
inline Options nocto() {
  Options options;
  options.close_to_open = false;
  return options;
}

struct Harness {
  explicit Harness(Options options = {}, support::Replies replies = support::Replies::kSynchronous, unsigned seed = 1)
      : server(replies, seed) {
    fs = make_caching_file_system({server, clock, notifier}, server.root(), std::move(options));
  }
  ~Harness() {
    server.release_all();
    support::sync_wait(fs->drain());
  }
  Harness(const Harness&) = delete;
  Harness& operator=(const Harness&) = delete;

  // Walks a path as the kernel would without a cache of its own.
  Entry walk(std::string_view path, const Caller& caller = root()) const {
    Entry entry;
    entry.node = kRootNode;
    while (!path.empty()) {
      const std::size_t slash = path.find('/');
      entry = value(fs->lookup(caller, entry.node, std::string(path.substr(0, slash))));
      path = slash == std::string_view::npos ? std::string_view() : path.substr(slash + 1);
    }
    return entry;
  }
  NodeId node(std::string_view path, const Caller& caller = root()) const { return walk(path, caller).node; }

  OpenFileId open(NodeId id, OpenFlags flags = for_reading(), const Caller& caller = root()) const {
    return value(fs->open(caller, id, flags)).file;
  }
  OpenFileId create(const std::string& name, NodeId parent = kRootNode, const Caller& caller = root()) const {
    return value(fs->create(caller, parent, name, 0644, false, for_writing())).opened.file;
  }
  Status write(OpenFileId file, std::uint64_t offset, std::string_view text) const {
    return status_of(fs->write(file, offset, bytes_of(text)));
  }
  std::string read(OpenFileId file, std::uint64_t offset = 0, std::uint32_t count = 1 << 20) const {
    return text_of(value(fs->read(file, offset, count)));
  }
  Status flush(OpenFileId file) const { return status_of(fs->flush(file)); }
  Status release(OpenFileId file) const { return status_of(fs->release(file)); }
  nfs::Attributes attributes(NodeId id) const { return value(fs->getattr(root(), id)).attributes; }

  // All names of a directory but the two dots, in the order of the listing; the lookups are given back.
  std::vector<std::string> list(NodeId id, const Caller& caller = root()) const {
    const OpenDirectoryId directory = value(fs->opendir(caller, id));
    std::vector<std::string> names;
    std::vector<NodeId> nodes;
    const ListingSink sink = [&](const ListedName& listed) {
      if (listed.name != "." && listed.name != "..") {
        names.emplace_back(listed.name);
        nodes.push_back(listed.entry ? listed.entry->node : 0);
      }
      return true;
    };
    const Status status = status_of(fs->readdir(directory, 0, sink));
    fs->releasedir(directory);
    for (const NodeId each : nodes) {
      fs->forget(each, 1);
    }
    if (status != Status::kOk) {
      throw std::runtime_error("readdir: " + std::string(nfs::status_name(status)));
    }
    return names;
  }

  // How many calls `action` costs.
  std::uint64_t cost(const std::function<void()>& action) {
    const std::uint64_t before = server.calls();
    action();
    return server.calls() - before;
  }

  support::FakeServer server;
  support::FakeClock clock;
  support::FakeNotifier notifier;
  std::unique_ptr<FileSystem> fs;
};

}  // namespace cache
