// The common end of every decode(): an unsound reply is logged and replaced by kMalformed alone, so that nothing of it
// reaches a cache.
#pragma once

#include <utility>

#include "nfsbackend/decode.h"
#include "nfsbackend/procedure.h"
#include "nfsbackend/reply_log.h"

namespace nfs {

template <class Reply>
Reply end_reply(Reply reply, const Decoder& decoder, Procedure procedure, ReplyLog& log) {
  if (decoder.sound()) {
    return reply;
  }
  log.malformed(procedure, decoder.fault());
  Reply malformed;
  malformed.status = Status::kMalformed;
  return malformed;
}

}  // namespace nfs
