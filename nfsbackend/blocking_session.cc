#include "nfsbackend/blocking_session.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>
#include <utility>

#include "nfsbackend/libnfs_context.h"
#include "nfsbackend/libnfs_headers.h"

namespace nfs {

namespace {

std::string lower_case_error(int error) {
  // As in the middle of a sentence.
  std::string text = std::generic_category().message(error);
  if (!text.empty()) {
    text[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(text[0])));
  }
  return text;
}

}  // namespace

struct BlockingSession::Outcome {
  bool done = false;
  int rpc_status = RPC_STATUS_SUCCESS;
  std::string error;
  const std::function<void(const void*)>* on_result = nullptr;
};

void BlockingSession::Destroyer::operator()(rpc_context* context) const {
  rpc_destroy_context(context);
}

void BlockingSession::on_event(rpc_context*, int rpc_status, void* data, void* outcome_pointer) {
  // A context that is destroyed with a call in flight ends it when the outcome is gone.
  if (rpc_status == RPC_STATUS_CANCEL) {
    return;
  }
  auto& outcome = *static_cast<Outcome*>(outcome_pointer);
  outcome.done = true;
  outcome.rpc_status = rpc_status;
  if (rpc_status == RPC_STATUS_SUCCESS && outcome.on_result != nullptr) {
    (*outcome.on_result)(data);
  } else if (rpc_status == RPC_STATUS_ERROR && data != nullptr) {
    outcome.error = static_cast<const char*>(data);
  }
}

std::expected<void, SessionError> BlockingSession::run(Outcome& outcome) {
  while (!outcome.done) {
    auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline_ - clock_->now());
    if (left.count() <= 0) {
      return std::unexpected(SessionError{"timed out", true});
    }
    pollfd fd = {rpc_get_fd(context_.get()), static_cast<short>(rpc_which_events(context_.get())), 0};
    int ready = poll(&fd, 1, static_cast<int>(std::min<std::int64_t>(left.count(), 60'000)));
    if (ready <= 0) {
      continue;
    }
    int error = 0;
    socklen_t size = sizeof(error);
    if (getsockopt(fd.fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error != 0) {
      return std::unexpected(SessionError{lower_case_error(error), true});
    }
    short events = (fd.revents & POLLIN) != 0 ? static_cast<short>(fd.revents & (POLLIN | POLLOUT)) : fd.revents;
    if (rpc_service(context_.get(), events) != 0) {
      return std::unexpected(SessionError{"connection closed by the server", true});
    }
  }
  if (outcome.rpc_status != RPC_STATUS_SUCCESS) {
    return std::unexpected(SessionError{outcome.error.empty() ? "call failed" : outcome.error, false});
  }
  return {};
}

std::expected<BlockingSession, SessionError> BlockingSession::open(const std::string& address, std::uint16_t port,
                                                                   const Credentials& who, MonotonicTime deadline,
                                                                   const Clock& clock) {
  Outcome outcome;
  rpc_context* context = new_libnfs_context(address, port, &BlockingSession::on_event, &outcome);
  if (context == nullptr) {
    return std::unexpected(SessionError{"cannot connect: " + lower_case_error(errno), true});
  }
  BlockingSession session(context, deadline, clock);
  auto connected = session.run(outcome);
  if (!connected) {
    return std::unexpected(connected.error());
  }
  set_socket_options(rpc_get_fd(context));
  std::array<std::uint32_t, Credentials::kGroupsMax> groups = who.groups;
  AUTH* auth = libnfs_authunix_create("localhost", who.uid, who.gid, who.group_count, groups.data());
  if (auth != nullptr) {
    rpc_set_auth(context, auth);
  }
  return session;
}

std::expected<void, SessionError> BlockingSession::call(
    const std::function<int(rpc_context*, ReplyCallback, void*)>& send,
    const std::function<void(const void*)>& on_result) {
  Outcome outcome;
  outcome.on_result = &on_result;
  if (send(context_.get(), &BlockingSession::on_event, &outcome) != 0) {
    return std::unexpected(SessionError{"the call cannot be encoded", false});
  }
  return run(outcome);
}

}  // namespace nfs
