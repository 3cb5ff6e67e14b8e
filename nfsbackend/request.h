// Request: one call in flight, from the coroutine that waits for it to libnfs and back.
//
// A request lives in the frame of the coroutine that waits for its reply. Until it is completed the transport owns its
// fields, and it is in exactly one place: the transport's queue, the table of one connection, or the list of those that
// wait after NFS3ERR_JUKEBOX. Completing it resumes the coroutine, and the request may be gone when that returns.
//
// Thread-safety: none of its own; whoever holds the place it is in may touch it.
#pragma once

#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "nfsbackend/clock.h"
#include "nfsbackend/procedure.h"
#include "nfsbackend/reply_log.h"
#include "nfsbackend/status.h"
#include "nfsbackend/types.h"

struct rpc_context;

namespace nfs {

class Connection;

// What libnfs calls when a reply has come, or never will.
using ReplyCallback = void (*)(rpc_context* context, int rpc_status, void* data, void* request);

class Request {
 public:
  Request(Procedure procedure, const Credentials& who) : procedure_(procedure), who_(who) {}
  virtual ~Request() = default;
  Request(const Request&) = delete;
  Request& operator=(const Request&) = delete;

  Procedure procedure() const { return procedure_; }
  const Credentials& who() const { return who_; }

  // Queues the call on `context`; false when it does not fit into libnfs's buffer. May be called again after a
  // reconnection: the arguments stay.
  virtual bool encode(rpc_context* context, ReplyCallback on_reply) = 0;
  // Takes over what libnfs decoded.
  virtual void decode(const void* result, ReplyLog& log) = 0;
  // The call ends with this, without a reply from the server.
  virtual void fail(Status status) = 0;
  virtual Status status() const = 0;
  // Bytes that the call carries beside its fixed part.
  virtual std::size_t payload_bytes() const { return 0; }

  std::uint32_t xid = 0;
  int transmissions = 0;  // with this xid: above one, the server may have done the work more than once
  int garbled = 0;        // connections that broke on undecodable bytes while this was in flight
  MonotonicTime sent_at;  // the last transmission
  MonotonicTime give_up_at = MonotonicTime::max();
  std::chrono::milliseconds jukebox_delay{0};  // the last one, zero before the first
  Connection* connection = nullptr;            // in whose table it is
  std::size_t table_index = 0;                 // where in that table
  std::coroutine_handle<> waiter;

 private:
  const Procedure procedure_;
  const Credentials who_;
};

// A Request for one of the procedures of procedures.h.
template <class Call>
class TypedRequest final : public Request {
 public:
  TypedRequest(const Credentials& who, Call arguments) : Request(Call::kProcedure, who), call(std::move(arguments)) {}

  bool encode(rpc_context* context, ReplyCallback on_reply) override { return call.encode(context, on_reply, this); }
  void decode(const void* result, ReplyLog& log) override { reply = call.decode(result, log); }
  void fail(Status status) override {
    reply = {};
    reply.status = status;
  }
  Status status() const override { return reply.status; }
  std::size_t payload_bytes() const override { return call.payload_bytes(); }

  Call call;
  typename Call::Reply reply;
};

}  // namespace nfs
