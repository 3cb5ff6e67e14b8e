#include "nfsbackend/repetition.h"

#include <chrono>
#include <utility>

#include "nfsbackend/procedures.h"

namespace nfs {

namespace {

// How far the server's clock may be behind this machine's.
constexpr std::chrono::seconds kClockDifferenceMax{120};

// Spreads successive numbers over all of 64 bits (the finalizer of SplitMix64), so that the marks of two clients that
// began at nearby numbers do not meet.
std::uint64_t spread(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

bool carries_mark(const Attributes& attributes, const Time& mark) {
  if (attributes.type != FileType::kSymlink) {
    return attributes.atime == mark;
  }
  // Servers ignore the times given to SYMLINK (nfs-ganesha), and reading a link changes its access time. Its target,
  // which is compared as well, and the time of its creation have to do.
  return attributes.mtime.seconds + kClockDifferenceMax.count() >= mark.seconds;
}

}  // namespace

CreationProof Repetition::prepare(FileType type, SetAttributes& attributes) {
  CreationProof proof;
  proof.type = type;
  if (attributes.atime) {
    return proof;
  }
  auto now = std::chrono::system_clock::now().time_since_epoch();
  Time mark;
  mark.seconds = static_cast<std::uint32_t>(std::chrono::duration_cast<std::chrono::seconds>(now).count());
  // Not zero, or a server that keeps whole seconds only would seem to agree.
  mark.nanoseconds = static_cast<std::uint32_t>(1 + spread(marks_.fetch_add(1)) % 999'999) * 1'000;
  attributes.atime = SetTime{false, mark};
  proof.atime = mark;
  return proof;
}

Task<LookupReply> Repetition::lookup(Credentials who, FileHandle directory, std::string name) {
  LookupCall call;
  call.directory = directory;
  call.name = std::move(name);
  TypedRequest<LookupCall> request(who, std::move(call));
  co_await transport_.perform(request);
  co_return std::move(request.reply);
}

Task<CreateReply> Repetition::check_creation(Credentials who, FileHandle directory, std::string name,
                                             CreationProof proof, CreateReply failed) {
  if (!proof.atime) {
    co_return failed;
  }
  LookupReply found = co_await lookup(who, directory, std::move(name));
  bool ours = found.status == Status::kOk && found.attributes && found.attributes->type == proof.type &&
              carries_mark(*found.attributes, *proof.atime);
  if (ours && proof.type == FileType::kSymlink) {
    ReadlinkCall call;
    call.link = found.object;
    TypedRequest<ReadlinkCall> request(who, std::move(call));
    co_await transport_.perform(request);
    ours = request.reply.status == Status::kOk && request.reply.target == proof.target;
  }
  if (!ours) {
    co_return failed;
  }
  CreateReply created;
  created.object = found.object;
  created.attributes = found.attributes;
  // What the directory was before the first transmission is not known any more.
  created.directory.after = found.directory_attributes;
  co_return created;
}

Task<LinkReply> Repetition::check_link(Credentials who, FileHandle file, FileHandle directory, std::string name,
                                       LinkReply failed) {
  LookupReply found = co_await lookup(who, directory, std::move(name));
  if (found.status != Status::kOk || found.object != file) {
    co_return failed;
  }
  LinkReply linked;
  linked.attributes = found.attributes;
  linked.directory.after = found.directory_attributes;
  co_return linked;
}

Task<RenameReply> Repetition::check_rename(Credentials who, FileHandle from_directory, std::string from_name,
                                           FileHandle to_directory, std::string to_name, FileHandle source,
                                           RenameReply failed) {
  LookupReply at_new_name = co_await lookup(who, to_directory, std::move(to_name));
  if (at_new_name.status != Status::kOk) {
    co_return failed;
  }
  RenameReply renamed;
  renamed.to_directory.after = at_new_name.directory_attributes;
  if (!source.empty()) {
    if (at_new_name.object != source) {
      co_return failed;
    }
    co_return renamed;
  }
  LookupReply at_old_name = co_await lookup(who, from_directory, std::move(from_name));
  if (at_old_name.status != Status::kNoent) {
    co_return failed;
  }
  renamed.from_directory.after = at_old_name.directory_attributes;
  co_return renamed;
}

}  // namespace nfs
