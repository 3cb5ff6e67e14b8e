// FakeFileSystem: what an NFSv3 server does with its files, in memory: every procedure of RFC 1813 section 3.3 as a
// plain function, with permissions by mode bits, WCC data, stable cookies, exclusive creates and data that a reboot
// loses. Beside them, edits by path, as another client would make them.
//
// Paths are relative to the export's root; a leading slash is allowed; every component but the last must exist. The
// edits by path throw std::runtime_error where they cannot do what they are told, since that is a mistake in the test.
//
// Ownership: values only. Not thread-safe: FakeServer guards it.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "nfsbackend/client.h"
#include "tests/support/fake_content.h"

namespace support {

inline constexpr std::uint32_t kSetUid = 04000;
inline constexpr std::uint32_t kSetGid = 02000;
inline constexpr std::uint32_t kSticky = 01000;

// How the server behaves where servers differ; a test may change any of it at any time.
struct FakeRules {
  bool squash_root = false;  // root_squash: uid 0 acts as 65534
  bool read_only = false;
  bool wcc_before = true;  // send the "before" half of WCC data
  bool wcc_after = true;   // send attributes after an operation (WCC, post-op)
  bool created_handles = true;
  bool readdirplus_attributes = true;
  bool readdirplus_handles = true;
  bool strict_cookies = false;       // the cookie verifier changes with the directory: kBadCookie in the middle
  bool reuse_fileids = false;        // a freed fileid is given out again, under a new generation
  bool honours_create_atime = true;  // CREATE, MKDIR, SYMLINK and MKNOD set the atime they are given
  std::uint32_t read_bytes_max = 1 << 20;
  std::uint32_t write_bytes_max = 1 << 20;  // longer WRITEs are answered short
  std::uint64_t capacity_bytes = 1ULL << 50;
  std::uint64_t file_bytes_max = 1ULL << 50;
};

class FakeFileSystem {
 public:
  FakeFileSystem();
  FakeFileSystem(const FakeFileSystem&) = delete;
  FakeFileSystem& operator=(const FakeFileSystem&) = delete;

  FakeRules rules;

  // ---- Procedures (RFC 1813 section 3.3) ----
  nfs::GetattrReply getattr(const nfs::FileHandle& file);
  nfs::SetattrReply setattr(nfs::Credentials who, const nfs::FileHandle& file, const nfs::SetAttributes& changes,
                            std::optional<nfs::Time> guard_ctime);
  nfs::LookupReply lookup(nfs::Credentials who, const nfs::FileHandle& directory, const std::string& name);
  nfs::AccessReply access(nfs::Credentials who, const nfs::FileHandle& file, std::uint32_t access);
  nfs::ReadlinkReply readlink(const nfs::FileHandle& link);
  nfs::ReadReply read(nfs::Credentials who, const nfs::FileHandle& file, std::uint64_t offset, std::uint32_t count);
  nfs::WriteReply write(nfs::Credentials who, const nfs::FileHandle& file, std::uint64_t offset,
                        std::span<const std::byte> data, nfs::StableHow stable);
  nfs::CreateReply create(nfs::Credentials who, const nfs::FileHandle& directory, const std::string& name,
                          nfs::CreateMode mode, const nfs::SetAttributes& attributes, nfs::Verifier verifier);
  nfs::CreateReply mkdir(nfs::Credentials who, const nfs::FileHandle& directory, const std::string& name,
                         const nfs::SetAttributes& attributes);
  nfs::CreateReply symlink(nfs::Credentials who, const nfs::FileHandle& directory, const std::string& name,
                           const std::string& target, const nfs::SetAttributes& attributes);
  nfs::CreateReply mknod(nfs::Credentials who, const nfs::FileHandle& directory, const std::string& name,
                         nfs::NodeKind kind, const nfs::SetAttributes& attributes);
  nfs::RemoveReply remove(nfs::Credentials who, const nfs::FileHandle& directory, const std::string& name);
  nfs::RemoveReply rmdir(nfs::Credentials who, const nfs::FileHandle& directory, const std::string& name);
  nfs::RenameReply rename(nfs::Credentials who, const nfs::FileHandle& from_directory, const std::string& from_name,
                          const nfs::FileHandle& to_directory, const std::string& to_name);
  nfs::LinkReply link(nfs::Credentials who, const nfs::FileHandle& file, const nfs::FileHandle& directory,
                      const std::string& name);
  nfs::ReaddirReply readdir(nfs::Credentials who, const nfs::FileHandle& directory, nfs::Cookie cookie,
                            nfs::Verifier verifier, std::uint32_t bytes_max, bool plus);
  nfs::FsstatReply fsstat(const nfs::FileHandle& root);
  nfs::FsinfoReply fsinfo(const nfs::FileHandle& root);
  nfs::PathconfReply pathconf(const nfs::FileHandle& file);
  nfs::CommitReply commit(nfs::Credentials who, const nfs::FileHandle& file, std::uint64_t offset, std::uint32_t count);

  // ---- The server itself ----
  nfs::FileHandle root() const;
  // Loses what was written UNSTABLE and not committed, and changes the write verifier.
  void reboot();
  void set_time(nfs::Time now);
  void advance(std::chrono::nanoseconds duration);
  // What each change takes of the server's time. Zero: changes in a row carry the same times.
  void set_tick(std::chrono::nanoseconds tick) { tick_ = tick; }
  // Times are rounded down to multiples of this, as ext3 did with whole seconds.
  void set_time_granularity(std::chrono::nanoseconds granularity) { granularity_ = granularity; }

  // ---- Edits and looks by path, as another client's ----
  void write_file(std::string_view path, std::string_view text);  // made or truncated first
  void append_file(std::string_view path, std::string_view text);
  std::string read_file(std::string_view path);
  void make_directory(std::string_view path);
  void make_symlink(std::string_view path, std::string target);
  void make_link(std::string_view existing, std::string_view path);
  void rename_path(std::string_view from, std::string_view to);
  void remove_path(std::string_view path);  // a directory with all that is in it
  void change_mode(std::string_view path, std::uint32_t mode);
  void change_owner(std::string_view path, std::uint32_t uid, std::uint32_t gid);
  // Makes the directory the root of another file system: its own fsid, and fileids that begin anew below it.
  void make_file_system(std::string_view path, std::uint64_t fsid);
  // Handles given out so far for this file turn stale; a lookup finds it again under a new one.
  void make_stale(std::string_view path);
  bool exists(std::string_view path);
  nfs::FileHandle handle_of(std::string_view path);
  nfs::Attributes attributes_of(std::string_view path);
  std::vector<std::string> names_in(std::string_view path);

 private:
  struct Key {
    std::uint64_t fsid = 0;
    std::uint64_t fileid = 0;
    auto operator<=>(const Key&) const = default;
  };
  struct Name {
    std::string name;
    Key target;
  };
  struct Inode {
    Key key;
    std::uint32_t generation = 0;
    nfs::Attributes attributes;
    Content content;
    // What a reboot goes back to; unset while everything is stable.
    std::optional<Content> stable_content;
    nfs::Version stable_version;
    std::optional<nfs::Verifier> create_verifier;
    std::string target;  // of a symbolic link
    Key parent;          // of a directory
    std::map<nfs::Cookie, Name> entries;
    std::map<std::string, nfs::Cookie, std::less<>> cookies;
    nfs::Cookie next_cookie = 3;  // 1 and 2 are "." and ".."
  };
  using Builder = std::function<void(Inode&)>;

  nfs::Time stamp();  // the server's clock, moved on by one tick
  nfs::Time round_time(nfs::Time time) const;
  nfs::Credentials squashed(nfs::Credentials who) const;
  Inode* find(const nfs::FileHandle& handle, nfs::Status& status);
  Inode* find_directory(const nfs::FileHandle& handle, nfs::Status& status);
  Inode& at(Key key);
  Inode* child(Inode& directory, std::string_view name);
  nfs::FileHandle handle_for(const Inode& inode) const;
  std::optional<nfs::Attributes> post_op(const Inode& inode) const;
  nfs::WccData wcc(const nfs::Version& before, const Inode& inode) const;

  static bool permits(const nfs::Credentials& who, const Inode& inode, unsigned wanted);
  static bool in_group(const nfs::Credentials& who, std::uint32_t gid);
  bool may_unlink(const nfs::Credentials& who, const Inode& directory, const Inode& victim) const;
  nfs::Status check_change(const nfs::Credentials& who, const Inode& inode, const nfs::SetAttributes& changes) const;
  void apply(const nfs::Credentials& who, Inode& inode, const nfs::SetAttributes& changes);
  nfs::Status check_new_name(const nfs::Credentials& who, Inode& directory, std::string_view name) const;
  nfs::Status check_old_name(const nfs::Credentials& who, Inode& directory, std::string_view name) const;
  nfs::Status check_rename(const nfs::Credentials& who, Inode& from, Inode& moved, Inode& to, Inode* replaced);
  nfs::Status create_existing(const nfs::Credentials& who, Inode& file, nfs::CreateMode mode,
                              const nfs::SetAttributes& attributes, nfs::Verifier verifier);
  nfs::CreateReply make(nfs::Credentials who, const nfs::FileHandle& directory, const std::string& name,
                        nfs::FileType type, const nfs::SetAttributes& attributes, const Builder& build);
  Inode& new_inode(const nfs::Credentials& who, Inode& directory, nfs::FileType type);
  void fill_created(nfs::CreateReply& reply, const Inode& inode) const;
  void add_name(Inode& directory, const std::string& name, Inode& target);
  void drop_name(Inode& directory, const std::string& name);
  void drop_link(Inode& inode);
  void touch_directory(Inode& directory);
  nfs::Status file_for_data(Inode& file) const;
  nfs::Verifier cookie_verifier(const Inode& directory) const;
  bool is_below(const Inode& directory, Key ancestor);
  nfs::DirectoryEntry listed(Inode& directory, nfs::Cookie cookie, const Name& name, bool plus);

  Inode& walk(std::string_view path);
  std::pair<Inode*, std::string> walk_to_parent(std::string_view path);
  void remove_tree(Inode& directory, const std::string& name);
  static void expect(nfs::Status status, std::string_view what, std::string_view path);

  std::map<Key, std::unique_ptr<Inode>> inodes_;
  std::map<std::uint64_t, std::uint64_t> next_fileid_;            // by fsid
  std::map<std::uint64_t, std::vector<std::uint64_t>> free_ids_;  // by fsid
  std::uint32_t next_generation_ = 1;
  std::uint64_t boot_ = 1;
  std::chrono::nanoseconds now_{std::chrono::seconds(1'700'000'000)};
  std::chrono::nanoseconds tick_{1000};
  std::chrono::nanoseconds granularity_{1};
};

}  // namespace support
