// The procedures that create, remove, rename and list names.
#include <cstring>
#include <utility>

#include "nfsbackend/decode.h"
#include "nfsbackend/encode.h"
#include "nfsbackend/procedures.h"
#include "nfsbackend/reply_ending.h"

namespace nfs {

namespace {

// CREATE, MKDIR, SYMLINK and MKNOD answer alike, each in a structure of its own.
template <class Ok, class Fail>
CreateReply decode_creation(nfsstat3 status, const Ok& ok, const Fail& fail, Procedure procedure, ReplyLog& log) {
  Decoder decoder;
  CreateReply reply;
  reply.status = decoder.status(status);
  if (reply.status == Status::kOk) {
    reply.object = decoder.handle(ok.obj);
    reply.attributes = decoder.attributes(ok.obj_attributes);
    reply.directory = decoder.wcc(ok.dir_wcc);
  } else {
    reply.directory = decoder.wcc(fail.dir_wcc);
  }
  return end_reply(std::move(reply), decoder, procedure, log);
}

RemoveReply decode_removal(nfsstat3 status, const wcc_data& directory, Procedure procedure, ReplyLog& log) {
  Decoder decoder;
  RemoveReply reply;
  reply.status = decoder.status(status);
  reply.directory = decoder.wcc(directory);
  return end_reply(std::move(reply), decoder, procedure, log);
}

void decode_entry_extras(const entry3&, DirectoryEntry&) {}

// An entry whose attributes or handle are nonsense keeps its name: one bad file must not hide a whole directory.
void decode_entry_extras(const entryplus3& wire, DirectoryEntry& entry) {
  Decoder decoder;
  std::optional<Attributes> attributes = decoder.attributes(wire.name_attributes);
  FileHandle object = decoder.handle(wire.name_handle);
  if (decoder.sound()) {
    entry.attributes = std::move(attributes);
    entry.object = object;
  }
}

template <class Result, class Entry>
ReaddirPage decode_page(Status status, const Result& ok, const Entry* entries, Cookie asked, Procedure procedure,
                        Decoder& decoder, ReplyLog& log) {
  ReaddirPage page;
  page.status = status;
  page.directory_attributes = decoder.attributes(ok.dir_attributes);
  page.verifier = decode_verifier(ok.cookieverf);
  page.eof = ok.reply.eof != 0;
  // A page that leads nowhere would be asked for again for ever.
  decoder.require(entries != nullptr || page.eof, "neither entries nor end of directory");
  page.last_cookie = asked;
  Entry wire;
  for (const Entry* next = entries; next != nullptr && decoder.sound(); next = wire.nextentry) {
    // A copy, because libnfs allocates the entries four bytes off their alignment.
    std::memcpy(&wire, static_cast<const void*>(next), sizeof(wire));
    page.last_cookie = wire.cookie;
    std::string_view name = wire.name == nullptr ? std::string_view() : std::string_view(wire.name);
    NameKind kind = classify_name(name);
    if (kind == NameKind::kInvalid) {
      log.malformed(procedure, "invalid name left out of a listing", name.empty() ? "(empty)" : name);
    }
    if (kind == NameKind::kValid) {
      DirectoryEntry& entry = page.entries.emplace_back();
      entry.fileid = wire.fileid;
      entry.name = name;
      entry.cookie = wire.cookie;
      decode_entry_extras(wire, entry);
    }
  }
  decoder.require(page.eof || page.last_cookie != asked, "a listing that does not advance");
  return end_reply(std::move(page), decoder, procedure, log);
}

}  // namespace

bool CreateCall::encode(rpc_context* context, ReplyCallback on_reply, Request* request) const {
  CREATE3args args{};
  args.where = encode_name(directory, name);
  args.how.mode = static_cast<createmode3>(mode);
  if (mode == CreateMode::kExclusive) {
    std::memcpy(args.how.createhow3_u.verf, verifier.data(), verifier.size());
  } else if (mode == CreateMode::kGuarded) {
    args.how.createhow3_u.g_obj_attributes = encode_attributes(attributes);
  } else {
    args.how.createhow3_u.obj_attributes = encode_attributes(attributes);
  }
  return rpc_nfs3_create_async(context, on_reply, &args, request) == 0;
}

CreateReply CreateCall::decode(const void* result, ReplyLog& log) const {
  const auto& wire = *static_cast<const CREATE3res*>(result);
  return decode_creation(wire.status, wire.CREATE3res_u.resok, wire.CREATE3res_u.resfail, kProcedure, log);
}

bool MkdirCall::encode(rpc_context* context, ReplyCallback on_reply, Request* request) const {
  MKDIR3args args{};
  args.where = encode_name(directory, name);
  args.attributes = encode_attributes(attributes);
  return rpc_nfs3_mkdir_async(context, on_reply, &args, request) == 0;
}

CreateReply MkdirCall::decode(const void* result, ReplyLog& log) const {
  const auto& wire = *static_cast<const MKDIR3res*>(result);
  return decode_creation(wire.status, wire.MKDIR3res_u.resok, wire.MKDIR3res_u.resfail, kProcedure, log);
}

bool SymlinkCall::encode(rpc_context* context, ReplyCallback on_reply, Request* request) const {
  SYMLINK3args args{};
  args.where = encode_name(directory, name);
  args.symlink.symlink_attributes = encode_attributes(attributes);
  args.symlink.symlink_data = const_cast<char*>(target.c_str());
  return rpc_nfs3_symlink_async(context, on_reply, &args, request) == 0;
}

CreateReply SymlinkCall::decode(const void* result, ReplyLog& log) const {
  const auto& wire = *static_cast<const SYMLINK3res*>(result);
  return decode_creation(wire.status, wire.SYMLINK3res_u.resok, wire.SYMLINK3res_u.resfail, kProcedure, log);
}

bool MknodCall::encode(rpc_context* context, ReplyCallback on_reply, Request* request) const {
  MKNOD3args args{};
  args.where = encode_name(directory, name);
  args.what.type = static_cast<ftype3>(kind.type);
  switch (kind.type) {
    case FileType::kBlock:
      args.what.mknoddata3_u.blk_device.dev_attributes = encode_attributes(attributes);
      args.what.mknoddata3_u.blk_device.spec = encode_device(kind.device);
      break;
    case FileType::kCharacter:
      args.what.mknoddata3_u.chr_device.dev_attributes = encode_attributes(attributes);
      args.what.mknoddata3_u.chr_device.spec = encode_device(kind.device);
      break;
    case FileType::kSocket:
      args.what.mknoddata3_u.sock_attributes = encode_attributes(attributes);
      break;
    default:
      args.what.mknoddata3_u.pipe_attributes = encode_attributes(attributes);
      break;
  }
  return rpc_nfs3_mknod_async(context, on_reply, &args, request) == 0;
}

CreateReply MknodCall::decode(const void* result, ReplyLog& log) const {
  const auto& wire = *static_cast<const MKNOD3res*>(result);
  return decode_creation(wire.status, wire.MKNOD3res_u.resok, wire.MKNOD3res_u.resfail, kProcedure, log);
}

bool RemoveCall::encode(rpc_context* context, ReplyCallback on_reply, Request* request) const {
  REMOVE3args args{};
  args.object = encode_name(directory, name);
  return rpc_nfs3_remove_async(context, on_reply, &args, request) == 0;
}

RemoveReply RemoveCall::decode(const void* result, ReplyLog& log) const {
  const auto& wire = *static_cast<const REMOVE3res*>(result);
  const wcc_data& wcc = wire.status == NFS3_OK ? wire.REMOVE3res_u.resok.dir_wcc : wire.REMOVE3res_u.resfail.dir_wcc;
  return decode_removal(wire.status, wcc, kProcedure, log);
}

bool RmdirCall::encode(rpc_context* context, ReplyCallback on_reply, Request* request) const {
  RMDIR3args args{};
  args.object = encode_name(directory, name);
  return rpc_nfs3_rmdir_async(context, on_reply, &args, request) == 0;
}

RemoveReply RmdirCall::decode(const void* result, ReplyLog& log) const {
  const auto& wire = *static_cast<const RMDIR3res*>(result);
  const wcc_data& wcc = wire.status == NFS3_OK ? wire.RMDIR3res_u.resok.dir_wcc : wire.RMDIR3res_u.resfail.dir_wcc;
  return decode_removal(wire.status, wcc, kProcedure, log);
}

bool RenameCall::encode(rpc_context* context, ReplyCallback on_reply, Request* request) const {
  RENAME3args args{};
  args.from = encode_name(from_directory, from_name);
  args.to = encode_name(to_directory, to_name);
  return rpc_nfs3_rename_async(context, on_reply, &args, request) == 0;
}

RenameReply RenameCall::decode(const void* result, ReplyLog& log) const {
  const auto& wire = *static_cast<const RENAME3res*>(result);
  Decoder decoder;
  RenameReply reply;
  reply.status = decoder.status(wire.status);
  if (reply.status == Status::kOk) {
    reply.from_directory = decoder.wcc(wire.RENAME3res_u.resok.fromdir_wcc);
    reply.to_directory = decoder.wcc(wire.RENAME3res_u.resok.todir_wcc);
  } else {
    reply.from_directory = decoder.wcc(wire.RENAME3res_u.resfail.fromdir_wcc);
    reply.to_directory = decoder.wcc(wire.RENAME3res_u.resfail.todir_wcc);
  }
  return end_reply(std::move(reply), decoder, kProcedure, log);
}

bool LinkCall::encode(rpc_context* context, ReplyCallback on_reply, Request* request) const {
  LINK3args args{};
  args.file = encode_handle(file);
  args.link = encode_name(directory, name);
  return rpc_nfs3_link_async(context, on_reply, &args, request) == 0;
}

LinkReply LinkCall::decode(const void* result, ReplyLog& log) const {
  const auto& wire = *static_cast<const LINK3res*>(result);
  Decoder decoder;
  LinkReply reply;
  reply.status = decoder.status(wire.status);
  if (reply.status == Status::kOk) {
    reply.attributes = decoder.attributes(wire.LINK3res_u.resok.file_attributes);
    reply.directory = decoder.wcc(wire.LINK3res_u.resok.linkdir_wcc);
  } else {
    reply.attributes = decoder.attributes(wire.LINK3res_u.resfail.file_attributes);
    reply.directory = decoder.wcc(wire.LINK3res_u.resfail.linkdir_wcc);
  }
  return end_reply(std::move(reply), decoder, kProcedure, log);
}

bool ReaddirCall::encode(rpc_context* context, ReplyCallback on_reply, Request* request) const {
  READDIR3args args{};
  args.dir = encode_handle(directory);
  args.cookie = cookie;
  std::memcpy(args.cookieverf, verifier.data(), verifier.size());
  args.count = bytes_max;
  return rpc_nfs3_readdir_async(context, on_reply, &args, request) == 0;
}

ReaddirPage ReaddirCall::decode(const void* result, ReplyLog& log) const {
  const auto& wire = *static_cast<const READDIR3res*>(result);
  Decoder decoder;
  Status status = decoder.status(wire.status);
  if (status == Status::kOk) {
    const READDIR3resok& ok = wire.READDIR3res_u.resok;
    return decode_page(status, ok, ok.reply.entries, cookie, kProcedure, decoder, log);
  }
  ReaddirPage page;
  page.status = status;
  page.directory_attributes = decoder.attributes(wire.READDIR3res_u.resfail.dir_attributes);
  return end_reply(std::move(page), decoder, kProcedure, log);
}

bool ReaddirplusCall::encode(rpc_context* context, ReplyCallback on_reply, Request* request) const {
  READDIRPLUS3args args{};
  args.dir = encode_handle(directory);
  args.cookie = cookie;
  std::memcpy(args.cookieverf, verifier.data(), verifier.size());
  // Both limits alike: names and cookies are only a part of what maxcount bounds, so it is maxcount that counts.
  args.dircount = bytes_max;
  args.maxcount = bytes_max;
  return rpc_nfs3_readdirplus_async(context, on_reply, &args, request) == 0;
}

ReaddirPage ReaddirplusCall::decode(const void* result, ReplyLog& log) const {
  const auto& wire = *static_cast<const READDIRPLUS3res*>(result);
  Decoder decoder;
  Status status = decoder.status(wire.status);
  if (status == Status::kOk) {
    const READDIRPLUS3resok& ok = wire.READDIRPLUS3res_u.resok;
    return decode_page(status, ok, ok.reply.entries, cookie, kProcedure, decoder, log);
  }
  ReaddirPage page;
  page.status = status;
  page.directory_attributes = decoder.attributes(wire.READDIRPLUS3res_u.resfail.dir_attributes);
  return end_reply(std::move(page), decoder, kProcedure, log);
}

}  // namespace nfs
