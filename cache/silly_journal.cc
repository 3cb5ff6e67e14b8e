#include "cache/silly_journal.h"

#include <fcntl.h>
#include <spdlog/spdlog.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <boost/algorithm/hex.hpp>
#include <cstring>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <span>
#include <stdexcept>
#include <utility>

namespace cache {

namespace {

using nlohmann::json;

std::string to_hex(const nfs::FileHandle& handle) {
  return boost::algorithm::hex(std::string(handle.view()));
}

json to_json(const char* what, const SillyName& silly) {
  const auto groups =
      std::vector<std::uint32_t>(silly.owner.groups.begin(), silly.owner.groups.begin() + silly.owner.group_count);
  return {{"change", what},         {"directory", to_hex(silly.directory)},
          {"name", silly.name},     {"uid", silly.owner.uid},
          {"gid", silly.owner.gid}, {"groups", groups}};
}

SillyName from_json(const json& line) {
  SillyName silly;
  const std::string bytes = boost::algorithm::unhex(line.at("directory").get<std::string>());
  silly.name = line.at("name").get<std::string>();
  // A damaged line must not make us remove somebody's file.
  if (bytes.empty() || bytes.size() > nfs::FileHandle::kBytesMax || !silly.name.starts_with(".nfs")) {
    throw std::invalid_argument("not a handle and name of ours");
  }
  silly.directory = nfs::FileHandle(std::as_bytes(std::span(bytes)));
  silly.owner.uid = line.at("uid").get<std::uint32_t>();
  silly.owner.gid = line.at("gid").get<std::uint32_t>();
  for (const json& group : line.at("groups")) {
    if (silly.owner.group_count < nfs::Credentials::kGroupsMax) {
      silly.owner.groups[silly.owner.group_count++] = group.get<std::uint32_t>();
    }
  }
  return silly;
}

bool same(const SillyName& a, const SillyName& b) {
  return a.directory == b.directory && a.name == b.name;
}

}  // namespace

SillyJournal::SillyJournal(const std::string& path) : path_(path) {
  if (!path_.empty() && ::access(path_.c_str(), F_OK) == 0) {
    open();
    load();
    recorded_ = leftovers_.size();
  }
}

SillyJournal::~SillyJournal() {
  if (descriptor_ >= 0) {
    ::close(descriptor_);
  }
}

void SillyJournal::open() {
  descriptor_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (descriptor_ >= 0 && ::flock(descriptor_, LOCK_EX | LOCK_NB) == 0) {
    return;
  }
  spdlog::warn("{}: {}; unlinked open files that a crash leaves on the server stay there", path_, std::strerror(errno));
  if (descriptor_ >= 0) {
    ::close(descriptor_);
  }
  descriptor_ = -1;
  path_.clear();
}

void SillyJournal::load() {
  if (path_.empty()) {
    return;
  }
  std::ifstream file(path_);
  for (std::string line; std::getline(file, line);) {
    // Without the line's end it is torn, and the next one must not become part of it.
    torn_ = file.eof();
    const json change = json::parse(line, nullptr, false);
    if (change.is_discarded()) {
      continue;
    }
    try {
      const SillyName silly = from_json(change);
      std::erase_if(leftovers_, [&](const SillyName& other) { return same(other, silly); });
      if (change.at("change") == "added") {
        leftovers_.push_back(silly);
      }
    } catch (const std::exception& error) {
      spdlog::warn("{}: a line is not understood and left alone: {}", path_, error.what());
    }
  }
}

void SillyJournal::append(const char* what, const SillyName& silly) {
  const std::string line = (std::exchange(torn_, false) ? "\n" : "") + to_json(what, silly).dump() + "\n";
  if (::write(descriptor_, line.data(), line.size()) != static_cast<ssize_t>(line.size())) {
    spdlog::warn("the record of unlinked open files cannot be written: {}", std::strerror(errno));
  }
}

void SillyJournal::added(const SillyName& silly) {
  std::lock_guard lock(mutex_);
  if (!path_.empty() && descriptor_ < 0) {
    open();
  }
  if (descriptor_ >= 0) {
    ++recorded_;
    append("added", silly);
  }
}

void SillyJournal::removed(const SillyName& silly) {
  std::lock_guard lock(mutex_);
  if (descriptor_ < 0 || recorded_ == 0) {
    return;
  }
  append("removed", silly);
  if (--recorded_ == 0) {
    ::unlink(path_.c_str());
    ::close(descriptor_);
    descriptor_ = -1;
  }
}

}  // namespace cache
