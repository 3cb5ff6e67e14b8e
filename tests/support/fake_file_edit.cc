// Edits of the fake by path, as another client would make them.
#include <stdexcept>

#include "tests/support/fake_file_system.h"

namespace support {

namespace {

constexpr nfs::Credentials kRoot{};

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}

// Another client acts as a superuser whom no squashing and no read-only export holds back.
class AsAdministrator {
 public:
  explicit AsAdministrator(FakeRules& rules) : rules_(rules), saved_(rules) {
    rules_.squash_root = false;
    rules_.read_only = false;
    rules_.created_handles = true;
  }
  ~AsAdministrator() { rules_ = saved_; }
  AsAdministrator(const AsAdministrator&) = delete;
  AsAdministrator& operator=(const AsAdministrator&) = delete;

 private:
  FakeRules& rules_;
  FakeRules saved_;
};

nfs::SetAttributes with_mode(std::uint32_t mode) {
  nfs::SetAttributes attributes;
  attributes.mode = mode;
  return attributes;
}

}  // namespace

void FakeFileSystem::expect(nfs::Status status, std::string_view what, std::string_view path) {
  if (status != nfs::Status::kOk) {
    throw std::runtime_error(std::string(what) + " " + std::string(path) + ": " +
                             std::string(nfs::status_name(status)));
  }
}

FakeFileSystem::Inode& FakeFileSystem::walk(std::string_view path) {
  nfs::Status status = nfs::Status::kOk;
  Inode* inode = find(root(), status);
  while (!path.empty()) {
    std::size_t slash = path.find('/');
    std::string_view name = path.substr(0, slash);
    path = slash == std::string_view::npos ? std::string_view() : path.substr(slash + 1);
    if (name.empty()) {
      continue;
    }
    inode = child(*inode, name);
    if (inode == nullptr) {
      throw std::runtime_error("no such name on the fake server: " + std::string(name));
    }
  }
  return *inode;
}

std::pair<FakeFileSystem::Inode*, std::string> FakeFileSystem::walk_to_parent(std::string_view path) {
  std::size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) {
    return {&walk(""), std::string(path)};
  }
  return {&walk(path.substr(0, slash)), std::string(path.substr(slash + 1))};
}

void FakeFileSystem::write_file(std::string_view path, std::string_view text) {
  AsAdministrator administrator(rules);
  auto [parent, name] = walk_to_parent(path);
  nfs::SetAttributes attributes = with_mode(0644);
  attributes.size = 0;
  nfs::CreateReply created = create(kRoot, handle_for(*parent), name, nfs::CreateMode::kUnchecked, attributes, {});
  expect(created.status, "create", path);
  expect(write(kRoot, created.object, 0, bytes_of(text), nfs::StableHow::kFileSync).status, "write", path);
}

void FakeFileSystem::append_file(std::string_view path, std::string_view text) {
  AsAdministrator administrator(rules);
  Inode& inode = walk(path);
  std::uint64_t end = inode.attributes.size;
  expect(write(kRoot, handle_for(inode), end, bytes_of(text), nfs::StableHow::kFileSync).status, "append to", path);
}

std::string FakeFileSystem::read_file(std::string_view path) {
  const Content& content = walk(path).content;
  nfs::Bytes bytes = content.read(0, content.size());
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

void FakeFileSystem::make_directory(std::string_view path) {
  AsAdministrator administrator(rules);
  auto [parent, name] = walk_to_parent(path);
  expect(mkdir(kRoot, handle_for(*parent), name, with_mode(0755)).status, "mkdir", path);
}

void FakeFileSystem::make_symlink(std::string_view path, std::string target) {
  AsAdministrator administrator(rules);
  auto [parent, name] = walk_to_parent(path);
  expect(symlink(kRoot, handle_for(*parent), name, target, {}).status, "symlink", path);
}

void FakeFileSystem::make_link(std::string_view existing, std::string_view path) {
  AsAdministrator administrator(rules);
  auto [parent, name] = walk_to_parent(path);
  expect(link(kRoot, handle_for(walk(existing)), handle_for(*parent), name).status, "link", path);
}

void FakeFileSystem::rename_path(std::string_view from, std::string_view to) {
  AsAdministrator administrator(rules);
  auto [from_parent, from_name] = walk_to_parent(from);
  auto [to_parent, to_name] = walk_to_parent(to);
  nfs::RenameReply reply = rename(kRoot, handle_for(*from_parent), from_name, handle_for(*to_parent), to_name);
  expect(reply.status, "rename", from);
}

void FakeFileSystem::remove_path(std::string_view path) {
  auto [parent, name] = walk_to_parent(path);
  if (child(*parent, name) == nullptr) {
    throw std::runtime_error("nothing to remove: " + std::string(path));
  }
  remove_tree(*parent, name);
}

void FakeFileSystem::remove_tree(Inode& directory, const std::string& name) {
  Inode& inode = *child(directory, name);
  while (!inode.entries.empty()) {
    remove_tree(inode, std::string(inode.entries.begin()->second.name));
  }
  drop_name(directory, name);
  drop_link(inode);
}

void FakeFileSystem::change_mode(std::string_view path, std::uint32_t mode) {
  apply(kRoot, walk(path), with_mode(mode));
}

void FakeFileSystem::change_owner(std::string_view path, std::uint32_t uid, std::uint32_t gid) {
  nfs::SetAttributes changes;
  changes.uid = uid;
  changes.gid = gid;
  apply(kRoot, walk(path), changes);
}

void FakeFileSystem::make_file_system(std::string_view path, std::uint64_t fsid) {
  Inode& inode = walk(path);
  inode.attributes.fsid = fsid;
  inode.attributes.fileid = 2;
  next_fileid_.try_emplace(fsid, 3);
}

void FakeFileSystem::make_stale(std::string_view path) {
  walk(path).generation = next_generation_++;
}

bool FakeFileSystem::exists(std::string_view path) {
  try {
    walk(path);
    return true;
  } catch (const std::runtime_error&) {
    return false;
  }
}

nfs::FileHandle FakeFileSystem::handle_of(std::string_view path) {
  return handle_for(walk(path));
}

nfs::Attributes FakeFileSystem::attributes_of(std::string_view path) {
  return walk(path).attributes;
}

std::vector<std::string> FakeFileSystem::names_in(std::string_view path) {
  std::vector<std::string> names;
  for (const auto& [name, cookie] : walk(path).cookies) {
    names.push_back(name);
  }
  return names;
}

}  // namespace support
