// The procedures but for the creating, removing and listing ones (directory_procedures.cc).
#include "nfsbackend/procedures.h"

#include "nfsbackend/decode.h"
#include "nfsbackend/encode.h"
#include "nfsbackend/reply_ending.h"

namespace nfs {

bool NullCall::encode(rpc_context* context, ReplyCallback on_reply, Request* request) const {
  return rpc_nfs3_null_async(context, on_reply, request) == 0;
}

NullReply NullCall::decode(const void*, ReplyLog&) const {
  return {};
}

bool GetattrCall::encode(rpc_context* context, ReplyCallback on_reply, Request* request) const {
  GETATTR3args args{};
  args.object = encode_handle(file);
  return rpc_nfs3_getattr_async(context, on_reply, &args, request) == 0;
}

GetattrReply GetattrCall::decode(const void* result, ReplyLog& log) const {
  const auto& wire = *static_cast<const GETATTR3res*>(result);
  Decoder decoder;
  GetattrReply reply;
  reply.status = decoder.status(wire.status);
  if (reply.status == Status::kOk) {
    reply.attributes = decoder.attributes(wire.GETATTR3res_u.resok.obj_attributes);
  }
  return end_reply(std::move(reply), decoder, kProcedure, log);
}

bool SetattrCall::encode(rpc_context* context, ReplyCallback on_reply, Request* request) const {
  SETATTR3args args{};
  args.object = encode_handle(file);
  args.new_attributes = encode_attributes(changes);
  if (guard_ctime) {
    args.guard.check = 1;
    args.guard.sattrguard3_u.obj_ctime = encode_time(*guard_ctime);
  }
  return rpc_nfs3_setattr_async(context, on_reply, &args, request) == 0;
}

SetattrReply SetattrCall::decode(const void* result, ReplyLog& log) const {
  const auto& wire = *static_cast<const SETATTR3res*>(result);
  Decoder decoder;
  SetattrReply reply;
  reply.status = decoder.status(wire.status);
  reply.wcc =
      decoder.wcc(reply.status == Status::kOk ? wire.SETATTR3res_u.resok.obj_wcc : wire.SETATTR3res_u.resfail.obj_wcc);
  return end_reply(std::move(reply), decoder, kProcedure, log);
}

bool LookupCall::encode(rpc_context* context, ReplyCallback on_reply, Request* request) const {
  LOOKUP3args args{};
  args.what = encode_name(directory, name);
  return rpc_nfs3_lookup_async(context, on_reply, &args, request) == 0;
}

LookupReply LookupCall::decode(const void* result, ReplyLog& log) const {
  const auto& wire = *static_cast<const LOOKUP3res*>(result);
  Decoder decoder;
  LookupReply reply;
  reply.status = decoder.status(wire.status);
  if (reply.status == Status::kOk) {
    const LOOKUP3resok& ok = wire.LOOKUP3res_u.resok;
    reply.object = decoder.handle(ok.object);
    reply.attributes = decoder.attributes(ok.obj_attributes);
    reply.directory_attributes = decoder.attributes(ok.dir_attributes);
  } else {
    reply.directory_attributes = decoder.attributes(wire.LOOKUP3res_u.resfail.dir_attributes);
  }
  return end_reply(std::move(reply), decoder, kProcedure, log);
}

bool AccessCall::encode(rpc_context* context, ReplyCallback on_reply, Request* request) const {
  ACCESS3args args{};
  args.object = encode_handle(file);
  args.access = access;
  return rpc_nfs3_access_async(context, on_reply, &args, request) == 0;
}

AccessReply AccessCall::decode(const void* result, ReplyLog& log) const {
  const auto& wire = *static_cast<const ACCESS3res*>(result);
  Decoder decoder;
  AccessReply reply;
  reply.status = decoder.status(wire.status);
  if (reply.status == Status::kOk) {
    // Bits that were not asked for mean nothing (section 3.3.4).
    reply.access = wire.ACCESS3res_u.resok.access & access;
    reply.attributes = decoder.attributes(wire.ACCESS3res_u.resok.obj_attributes);
  } else {
    reply.attributes = decoder.attributes(wire.ACCESS3res_u.resfail.obj_attributes);
  }
  return end_reply(std::move(reply), decoder, kProcedure, log);
}

bool ReadlinkCall::encode(rpc_context* context, ReplyCallback on_reply, Request* request) const {
  READLINK3args args{};
  args.symlink = encode_handle(link);
  return rpc_nfs3_readlink_async(context, on_reply, &args, request) == 0;
}

ReadlinkReply ReadlinkCall::decode(const void* result, ReplyLog& log) const {
  const auto& wire = *static_cast<const READLINK3res*>(result);
  Decoder decoder;
  ReadlinkReply reply;
  reply.status = decoder.status(wire.status);
  if (reply.status == Status::kOk) {
    const READLINK3resok& ok = wire.READLINK3res_u.resok;
    decoder.require(ok.data != nullptr, "no target");
    reply.attributes = decoder.attributes(ok.symlink_attributes);
    if (decoder.sound()) {
      reply.target = ok.data;
    }
  } else {
    reply.attributes = decoder.attributes(wire.READLINK3res_u.resfail.symlink_attributes);
  }
  return end_reply(std::move(reply), decoder, kProcedure, log);
}

bool ReadCall::encode(rpc_context* context, ReplyCallback on_reply, Request* request) const {
  READ3args args{};
  args.file = encode_handle(file);
  args.offset = offset;
  args.count = count;
  return rpc_nfs3_read_async(context, on_reply, &args, request) == 0;
}

ReadReply ReadCall::decode(const void* result, ReplyLog& log) const {
  const auto& wire = *static_cast<const READ3res*>(result);
  Decoder decoder;
  ReadReply reply;
  reply.status = decoder.status(wire.status);
  if (reply.status == Status::kOk) {
    const READ3resok& ok = wire.READ3res_u.resok;
    decoder.require(ok.count <= count, "more data than asked for");
    decoder.require(ok.count == ok.data.data_len, "count differs from the data's length");
    decoder.require(ok.count > 0 || ok.eof != 0 || count == 0, "neither data nor end of file");
    reply.attributes = decoder.attributes(ok.file_attributes);
    reply.eof = ok.eof != 0;
    if (decoder.sound()) {
      const auto* data = reinterpret_cast<const std::byte*>(ok.data.data_val);
      reply.data.assign(data, data + ok.data.data_len);
    }
  } else {
    reply.attributes = decoder.attributes(wire.READ3res_u.resfail.file_attributes);
  }
  return end_reply(std::move(reply), decoder, kProcedure, log);
}

bool WriteCall::encode(rpc_context* context, ReplyCallback on_reply, Request* request) const {
  WRITE3args args{};
  args.file = encode_handle(file);
  args.offset = offset;
  args.count = static_cast<count3>(data.size());
  args.stable = static_cast<stable_how>(stable);
  args.data.data_len = args.count;
  args.data.data_val = const_cast<char*>(reinterpret_cast<const char*>(data.data()));
  return rpc_nfs3_write_async(context, on_reply, &args, request) == 0;
}

WriteReply WriteCall::decode(const void* result, ReplyLog& log) const {
  const auto& wire = *static_cast<const WRITE3res*>(result);
  Decoder decoder;
  WriteReply reply;
  reply.status = decoder.status(wire.status);
  if (reply.status == Status::kOk) {
    const WRITE3resok& ok = wire.WRITE3res_u.resok;
    decoder.require(ok.count <= data.size(), "more written than asked for");
    decoder.require(ok.count > 0 || data.empty(), "nothing written");
    decoder.require(ok.committed <= FILE_SYNC, "unknown kind of stability");
    reply.count = ok.count;
    reply.committed = static_cast<StableHow>(ok.committed);
    reply.verifier = decode_verifier(ok.verf);
    reply.wcc = decoder.wcc(ok.file_wcc);
  } else {
    reply.wcc = decoder.wcc(wire.WRITE3res_u.resfail.file_wcc);
  }
  return end_reply(std::move(reply), decoder, kProcedure, log);
}

bool CommitCall::encode(rpc_context* context, ReplyCallback on_reply, Request* request) const {
  COMMIT3args args{};
  args.file = encode_handle(file);
  args.offset = offset;
  args.count = count;
  return rpc_nfs3_commit_async(context, on_reply, &args, request) == 0;
}

CommitReply CommitCall::decode(const void* result, ReplyLog& log) const {
  const auto& wire = *static_cast<const COMMIT3res*>(result);
  Decoder decoder;
  CommitReply reply;
  reply.status = decoder.status(wire.status);
  if (reply.status == Status::kOk) {
    reply.verifier = decode_verifier(wire.COMMIT3res_u.resok.verf);
    reply.wcc = decoder.wcc(wire.COMMIT3res_u.resok.file_wcc);
  } else {
    reply.wcc = decoder.wcc(wire.COMMIT3res_u.resfail.file_wcc);
  }
  return end_reply(std::move(reply), decoder, kProcedure, log);
}

bool FsstatCall::encode(rpc_context* context, ReplyCallback on_reply, Request* request) const {
  FSSTAT3args args{};
  args.fsroot = encode_handle(root);
  return rpc_nfs3_fsstat_async(context, on_reply, &args, request) == 0;
}

FsstatReply FsstatCall::decode(const void* result, ReplyLog& log) const {
  const auto& wire = *static_cast<const FSSTAT3res*>(result);
  Decoder decoder;
  FsstatReply reply;
  reply.status = decoder.status(wire.status);
  if (reply.status == Status::kOk) {
    const FSSTAT3resok& ok = wire.FSSTAT3res_u.resok;
    reply.total_bytes = ok.tbytes;
    reply.free_bytes = ok.fbytes;
    reply.available_bytes = ok.abytes;
    reply.total_files = ok.tfiles;
    reply.free_files = ok.ffiles;
    reply.available_files = ok.afiles;
  }
  return end_reply(std::move(reply), decoder, kProcedure, log);
}

bool FsinfoCall::encode(rpc_context* context, ReplyCallback on_reply, Request* request) const {
  FSINFO3args args{};
  args.fsroot = encode_handle(root);
  return rpc_nfs3_fsinfo_async(context, on_reply, &args, request) == 0;
}

FsinfoReply FsinfoCall::decode(const void* result, ReplyLog& log) const {
  const auto& wire = *static_cast<const FSINFO3res*>(result);
  Decoder decoder;
  FsinfoReply reply;
  reply.status = decoder.status(wire.status);
  if (reply.status == Status::kOk) {
    const FSINFO3resok& ok = wire.FSINFO3res_u.resok;
    reply.read_bytes_max = ok.rtmax;
    reply.write_bytes_max = ok.wtmax;
    reply.readdir_bytes_preferred = ok.dtpref;
    reply.file_bytes_max = ok.maxfilesize;
    // Some servers say a whole second as 1,000,000,000 ns; a granularity is only a hint, so that is no fault.
    reply.time_delta = {ok.time_delta.seconds, ok.time_delta.nseconds};
  }
  return end_reply(std::move(reply), decoder, kProcedure, log);
}

bool PathconfCall::encode(rpc_context* context, ReplyCallback on_reply, Request* request) const {
  PATHCONF3args args{};
  args.object = encode_handle(file);
  return rpc_nfs3_pathconf_async(context, on_reply, &args, request) == 0;
}

PathconfReply PathconfCall::decode(const void* result, ReplyLog& log) const {
  const auto& wire = *static_cast<const PATHCONF3res*>(result);
  Decoder decoder;
  PathconfReply reply;
  reply.status = decoder.status(wire.status);
  if (reply.status == Status::kOk) {
    reply.link_max = wire.PATHCONF3res_u.resok.linkmax;
    reply.name_bytes_max = wire.PATHCONF3res_u.resok.name_max;
  }
  return end_reply(std::move(reply), decoder, kProcedure, log);
}

}  // namespace nfs
