#include "tests/support/proxy.h"

#include <algorithm>
#include <cstddef>
#include <deque>
#include <functional>
#include <future>
#include <mutex>
#include <set>
#include <stdexcept>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

// After the standard headers: Boost 1.74 relies on <utility> being there.
#include <boost/asio.hpp>

#include "nfsbackend/procedure.h"
#include "tests/support/rpc_records.h"

namespace support {

namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using Steady = std::chrono::steady_clock;

constexpr std::uint32_t kNfsProgram = 100003;
constexpr std::size_t kPieceBytes = 256 << 10;
constexpr std::size_t kQueuedBytesMax = 16 << 20;  // on its way in one direction

}  // namespace

class Proxy::Implementation {
 public:
  Implementation(std::uint16_t server_port, std::chrono::microseconds round_trip, std::uint16_t listen_port);
  ~Implementation();

  // Runs `work` in the proxy's thread and waits for it.
  void in_thread(const std::function<void()>& work);

  void open_acceptor();
  void close_all();
  void set_stalled(bool stalled);
  bool counts(const RpcMessage& message);

  asio::io_context context;
  asio::executor_work_guard<asio::io_context::executor_type> guard{asio::make_work_guard(context)};
  tcp::acceptor acceptor{context};
  const tcp::endpoint server;
  std::uint16_t port = 0;

  // ---- Of the proxy's thread only ----
  class Connection;
  std::set<std::shared_ptr<Connection>> connections;
  Steady::duration one_way;
  bool stalled = false;
  std::string reply_to_drop;

  mutable std::mutex mutex;
  std::map<std::string, std::uint64_t> calls;  // GUARDED_BY(mutex)
  std::uint64_t accepted = 0;                  // GUARDED_BY(mutex)
  std::uint64_t dropped = 0;                   // GUARDED_BY(mutex)

 private:
  void accept();

  std::thread thread_;
};

// One accepted connection and its counterpart. Lives in the proxy's set until it is closed.
class Proxy::Implementation::Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(Implementation& proxy, tcp::socket client)
      : proxy_(proxy),
        client_(std::move(client)),
        server_(proxy.context),
        up_(*this, client_, server_),
        down_(*this, server_, client_) {}

  void start() {
    auto self = shared_from_this();
    server_.async_connect(proxy_.server, [this, self](error_code error) {
      if (error) {
        close();
        return;
      }
      error_code ignored;
      client_.set_option(tcp::no_delay(true), ignored);
      server_.set_option(tcp::no_delay(true), ignored);
      up_.read();
      down_.read();
    });
  }

  void close() {
    error_code ignored;
    client_.close(ignored);
    server_.close(ignored);
    up_.cancel();
    down_.cancel();
    proxy_.connections.erase(shared_from_this());
  }

  void go_on() {
    up_.read();
    down_.read();
    up_.send();
    down_.send();
  }

 private:
  // One direction: pieces are read as they come and sent when their time has come.
  class Direction {
   public:
    Direction(Connection& connection, tcp::socket& from, tcp::socket& to)
        : connection_(connection), from_(from), to_(to), timer_(connection.proxy_.context), buffer_(kPieceBytes) {}

    void read() {
      if (reading_ || ended_ || connection_.proxy_.stalled || queued_bytes_ > kQueuedBytesMax || !from_.is_open()) {
        return;
      }
      reading_ = true;
      auto self = connection_.shared_from_this();
      from_.async_read_some(asio::buffer(buffer_), [this, self](error_code error, std::size_t count) {
        reading_ = false;
        if (error) {
          end();
          return;
        }
        take(count);
      });
    }

    void send() {
      if (sending_ || queue_.empty() || connection_.proxy_.stalled || !to_.is_open()) {
        return;
      }
      sending_ = true;
      auto self = connection_.shared_from_this();
      timer_.expires_at(queue_.front().due);
      timer_.async_wait([this, self](error_code error) {
        if (error || connection_.proxy_.stalled) {
          sending_ = false;
          return;
        }
        write();
      });
    }

    void cancel() { timer_.cancel(); }

   private:
    struct Piece {
      Steady::time_point due;
      std::vector<std::byte> bytes;
    };

    // What is still on its way arrives before the end does.
    void end() {
      ended_ = true;
      if (queue_.empty()) {
        connection_.close();
      }
    }

    void take(std::size_t count) {
      std::size_t passed = connection_.inspect(std::span(buffer_).first(count), records_);
      auto end = buffer_.begin() + static_cast<std::ptrdiff_t>(passed);
      queue_.push_back({Steady::now() + connection_.proxy_.one_way, std::vector<std::byte>(buffer_.begin(), end)});
      queued_bytes_ += passed;
      if (passed < count) {
        connection_.close();
        return;
      }
      send();
      read();
    }

    void write() {
      auto self = connection_.shared_from_this();
      asio::async_write(to_, asio::buffer(queue_.front().bytes), [this, self](error_code error, std::size_t) {
        sending_ = false;
        if (error) {
          connection_.close();
          return;
        }
        queued_bytes_ -= queue_.front().bytes.size();
        queue_.pop_front();
        if (ended_) {
          end();
        }
        send();
        read();
      });
    }

    Connection& connection_;
    tcp::socket& from_;
    tcp::socket& to_;
    asio::steady_timer timer_;
    std::vector<std::byte> buffer_;
    std::deque<Piece> queue_;
    std::size_t queued_bytes_ = 0;
    bool reading_ = false;
    bool sending_ = false;
    bool ended_ = false;
    RpcRecords records_;
  };

  // Counts the calls in a piece. Returns how much of it may pass: all, or what comes before a reply to be dropped.
  std::size_t inspect(std::span<const std::byte> piece, RpcRecords& records) {
    for (const RpcMessage& message : records.feed(piece)) {
      if (message.is_call && proxy_.counts(message)) {
        procedures_[message.xid] = nfs::kProcedureNames[message.procedure];
      } else if (auto call = procedures_.find(message.xid); call != procedures_.end() && !message.is_call) {
        bool drop = call->second == proxy_.reply_to_drop;
        procedures_.erase(call);
        if (drop) {
          proxy_.reply_to_drop.clear();
          std::lock_guard lock(proxy_.mutex);
          ++proxy_.dropped;
          return message.begin;
        }
      }
    }
    return piece.size();
  }

  Implementation& proxy_;
  tcp::socket client_;
  tcp::socket server_;
  std::unordered_map<std::uint32_t, std::string_view> procedures_;  // of calls not yet answered, by xid
  Direction up_;
  Direction down_;
};

Proxy::Implementation::Implementation(std::uint16_t server_port, std::chrono::microseconds round_trip,
                                      std::uint16_t listen_port)
    : server(asio::ip::address_v4::loopback(), server_port), port(listen_port), one_way(round_trip / 2) {
  open_acceptor();
  thread_ = std::thread([this] { context.run(); });
}

Proxy::Implementation::~Implementation() {
  in_thread([this] {
    error_code ignored;
    acceptor.close(ignored);
    close_all();
  });
  guard.reset();
  thread_.join();
}

void Proxy::Implementation::in_thread(const std::function<void()>& work) {
  std::promise<void> done;
  asio::post(context, [&] {
    work();
    done.set_value();
  });
  done.get_future().wait();
}

void Proxy::Implementation::open_acceptor() {
  tcp::endpoint endpoint(asio::ip::address_v4::loopback(), port);
  acceptor.open(endpoint.protocol());
  acceptor.set_option(tcp::acceptor::reuse_address(true));
  acceptor.bind(endpoint);
  acceptor.listen();
  port = acceptor.local_endpoint().port();
  accept();
}

void Proxy::Implementation::accept() {
  acceptor.async_accept([this](error_code error, tcp::socket client) {
    if (error) {
      return;
    }
    {
      std::lock_guard lock(mutex);
      ++accepted;
    }
    auto connection = std::make_shared<Connection>(*this, std::move(client));
    connections.insert(connection);
    connection->start();
    accept();
  });
}

void Proxy::Implementation::close_all() {
  auto all = connections;
  for (const auto& connection : all) {
    connection->close();
  }
}

void Proxy::Implementation::set_stalled(bool now_stalled) {
  stalled = now_stalled;
  if (!stalled) {
    auto all = connections;
    for (const auto& connection : all) {
      connection->go_on();
    }
  }
}

bool Proxy::Implementation::counts(const RpcMessage& message) {
  if (message.program != kNfsProgram || message.procedure >= nfs::kProcedureNames.size()) {
    return false;
  }
  std::lock_guard lock(mutex);
  ++calls[std::string(nfs::kProcedureNames[message.procedure])];
  return true;
}

Proxy::Proxy(std::uint16_t server_port, std::chrono::microseconds round_trip, std::uint16_t listen_port)
    : implementation_(std::make_unique<Implementation>(server_port, round_trip, listen_port)) {}

Proxy::~Proxy() = default;

std::uint16_t Proxy::port() const {
  return implementation_->port;
}

void Proxy::set_round_trip(std::chrono::microseconds round_trip) {
  implementation_->in_thread([&] { implementation_->one_way = round_trip / 2; });
}

void Proxy::stall(bool stalled) {
  implementation_->in_thread([&] { implementation_->set_stalled(stalled); });
}

void Proxy::cut_connections() {
  implementation_->in_thread([&] { implementation_->close_all(); });
}

void Proxy::refuse(bool refused) {
  implementation_->in_thread([&] {
    if (refused && implementation_->acceptor.is_open()) {
      implementation_->acceptor.close();
      implementation_->close_all();
    } else if (!refused && !implementation_->acceptor.is_open()) {
      implementation_->open_acceptor();
    }
  });
}

void Proxy::drop_next_reply(const std::string& procedure) {
  const auto& names = nfs::kProcedureNames;
  if (std::find(names.begin(), names.end(), procedure) == names.end()) {
    throw std::runtime_error("no such procedure: " + procedure);
  }
  implementation_->in_thread([&] { implementation_->reply_to_drop = procedure; });
}

std::uint64_t Proxy::dropped() const {
  std::lock_guard lock(implementation_->mutex);
  return implementation_->dropped;
}

std::uint64_t Proxy::calls(const std::string& procedure) const {
  std::lock_guard lock(implementation_->mutex);
  auto place = implementation_->calls.find(procedure);
  return place == implementation_->calls.end() ? 0 : place->second;
}

std::map<std::string, std::uint64_t> Proxy::calls() const {
  std::lock_guard lock(implementation_->mutex);
  return implementation_->calls;
}

std::uint64_t Proxy::all_calls() const {
  std::uint64_t sum = 0;
  for (const auto& [procedure, count] : calls()) {
    sum += count;
  }
  return sum;
}

void Proxy::reset_calls() {
  std::lock_guard lock(implementation_->mutex);
  implementation_->calls.clear();
}

std::uint64_t Proxy::accepted() const {
  std::lock_guard lock(implementation_->mutex);
  return implementation_->accepted;
}

}  // namespace support
