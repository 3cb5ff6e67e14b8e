// ScriptedServer: a TCP server for ONC RPC whose answers a test writes down: it can answer, stay silent, hang up or
// send garbage, and it records what it was asked.
//
// Thread-safety: the handler runs in the server's threads, one call at a time. Errors: a socket that cannot be had
// throws.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstring>
#include <functional>
#include <future>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "nfsbackend/task.h"
#include "nfsbackend/types.h"

namespace nfs::test {

// Runs a task to its end and returns its result. Blocks.
template <class T>
Task<void> deliver(Task<T> task, std::promise<T>* result) {
  T value = co_await task;
  result->set_value(std::move(value));
}
template <class T>
T wait_for(Task<T> task) {
  std::promise<T> result;
  std::future<T> future = result.get_future();
  deliver(std::move(task), &result).detach();
  return future.get();
}

// Writes XDR (RFC 4506).
class XdrWriter {
 public:
  XdrWriter& u32(std::uint32_t value) {
    for (int shift = 24; shift >= 0; shift -= 8) {
      bytes_.push_back(static_cast<char>(value >> shift));
    }
    return *this;
  }
  XdrWriter& u64(std::uint64_t value) {
    return u32(static_cast<std::uint32_t>(value >> 32)).u32(static_cast<std::uint32_t>(value));
  }
  XdrWriter& opaque(std::string_view data) {
    u32(static_cast<std::uint32_t>(data.size()));
    bytes_.append(data);
    bytes_.resize((bytes_.size() + 3) & ~std::size_t{3});
    return *this;
  }
  // fattr3.
  XdrWriter& attributes(FileType type, Time atime) {
    u32(static_cast<std::uint32_t>(type)).u32(0644).u32(1).u32(0).u32(0).u64(5).u64(4096).u32(0).u32(0).u64(1).u64(2);
    return time(atime).time({10, 11}).time({12, 13});
  }
  XdrWriter& time(Time time) { return u32(time.seconds).u32(time.nanoseconds); }
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

class XdrReader {
 public:
  explicit XdrReader(std::string_view bytes) : bytes_(bytes) {}
  std::uint32_t u32() {
    std::uint32_t value = 0;
    for (int i = 0; i < 4; ++i) {
      value = value << 8 | static_cast<unsigned char>(bytes_.at(static_cast<std::size_t>(i)));
    }
    bytes_.remove_prefix(4);
    return value;
  }
  std::string opaque() {
    std::size_t size = u32();
    std::string data(bytes_.substr(0, size));
    bytes_.remove_prefix((size + 3) & ~std::size_t{3});
    return data;
  }
  std::string_view rest() const { return bytes_; }

 private:
  std::string_view bytes_;
};

struct Call {
  std::uint32_t xid = 0;
  std::uint32_t program = 0;
  std::uint32_t procedure = 0;
  std::string credentials;  // AUTH_SYS's body
  std::string arguments;
};

struct Answer {
  enum Kind { kResults, kSilence, kHangUp, kRaw } kind = kSilence;
  std::string bytes;
  static Answer results(const XdrWriter& xdr) { return {kResults, xdr.bytes()}; }
  static Answer silence() { return {kSilence, {}}; }
  static Answer hang_up() { return {kHangUp, {}}; }
  static Answer raw(std::string bytes) { return {kRaw, std::move(bytes)}; }
};

class ScriptedServer {
 public:
  using Handler = std::function<Answer(const Call&)>;

  explicit ScriptedServer(Handler handler) : handler_(std::move(handler)) {
    listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    if (listener_ < 0 || bind(listener_, generic, size) != 0 || listen(listener_, 16) != 0 ||
        getsockname(listener_, generic, &size) != 0) {
      throw std::runtime_error("no listening socket");
    }
    port_ = ntohs(address.sin_port);
    acceptor_ = std::thread([this] { accept_all(); });
  }

  ~ScriptedServer() {
    shutdown(listener_, SHUT_RDWR);
    acceptor_.join();
    close(listener_);
    {
      std::lock_guard lock(mutex_);
      for (int fd : connections_) {
        shutdown(fd, SHUT_RDWR);
      }
    }
    for (std::thread& thread : servers_) {
      thread.join();
    }
    for (int fd : connections_) {
      close(fd);
    }
  }

  std::uint16_t port() const { return port_; }

 private:
  void accept_all() {
    for (int fd = accept(listener_, nullptr, nullptr); fd >= 0; fd = accept(listener_, nullptr, nullptr)) {
      {
        std::lock_guard lock(mutex_);
        connections_.push_back(fd);
      }
      servers_.emplace_back([this, fd] { serve(fd); });
    }
  }

  static bool read_exactly(int fd, char* data, std::size_t size) {
    return recv(fd, data, size, MSG_WAITALL) == static_cast<ssize_t>(size);
  }

  void serve(int fd) {
    for (;;) {
      char marker[4];
      if (!read_exactly(fd, marker, sizeof(marker))) {
        break;
      }
      std::string record(XdrReader({marker, 4}).u32() & 0x7fffffff, '\0');
      if (!read_exactly(fd, record.data(), record.size())) {
        break;
      }
      Call call = parse(record);
      Answer answer;
      {
        std::lock_guard lock(handler_mutex_);
        answer = handler_(call);
      }
      if (answer.kind == Answer::kHangUp) {
        break;
      }
      send_answer(fd, call, answer);
    }
    shutdown(fd, SHUT_RDWR);
  }

  static Call parse(std::string_view record) {
    XdrReader reader(record);
    Call call;
    call.xid = reader.u32();
    reader.u32();  // CALL
    reader.u32();  // RPC version
    call.program = reader.u32();
    reader.u32();  // program version
    call.procedure = reader.u32();
    reader.u32();  // flavor
    call.credentials = reader.opaque();
    reader.u32();
    reader.opaque();
    call.arguments = reader.rest();
    return call;
  }

  static void send_answer(int fd, const Call& call, const Answer& answer) {
    std::string bytes = answer.bytes;
    if (answer.kind == Answer::kSilence) {
      return;
    }
    if (answer.kind == Answer::kResults) {
      XdrWriter header;
      header.u32(0x80000000U | static_cast<std::uint32_t>(24 + bytes.size()));
      header.u32(call.xid).u32(1).u32(0).u32(0).u32(0).u32(0);
      bytes = header.bytes() + bytes;
    }
    send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  }

  Handler handler_;
  std::mutex handler_mutex_;
  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::mutex mutex_;
  std::vector<int> connections_;      // GUARDED_BY(mutex_)
  std::vector<std::thread> servers_;  // the acceptor's, then the destructor's
  std::thread acceptor_;
};

}  // namespace nfs::test
