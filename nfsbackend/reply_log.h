// ReplyLog: where replies that break the protocol are reported, a few lines at a time, with the server's bytes escaped.
//
// Thread-safety: every member may be called from any thread; none blocks longer than writing a log line.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>

#include "nfsbackend/clock.h"
#include "nfsbackend/procedure.h"

namespace nfs {

// Printable ASCII as it is, everything else as \xNN; cut after 300 bytes.
std::string escape(std::string_view bytes);

class ReplyLog {
 public:
  // `clock` outlives the log.
  ReplyLog(std::string server, const Clock& clock) : server_(std::move(server)), clock_(clock) {}

  // Logs "<server>: malformed <procedure> reply: <what>" unless several lines were written in the last ten seconds.
  // `bytes` is what the server sent, if there is something to show.
  void malformed(Procedure procedure, std::string_view what, std::string_view bytes = {});

 private:
  bool may_log();

  const std::string server_;
  const Clock& clock_;
  std::atomic<std::int64_t> window_{-1};  // the ten seconds that lines_ counts
  std::atomic<int> lines_{0};
};

}  // namespace nfs
