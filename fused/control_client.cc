#include "fused/control_client.h"

#include <httplib.h>
#include <sys/socket.h>

namespace fused {

namespace {

httplib::Client make_client(const std::string& socket_path, std::chrono::seconds timeout) {
  httplib::Client client(socket_path);
  client.set_address_family(AF_UNIX);
  // The default Host would be the socket's path.
  client.set_default_headers({{"Host", "localhost"}});
  client.set_connection_timeout(kControlTimeout);
  client.set_write_timeout(kControlTimeout);
  client.set_read_timeout(timeout);
  return client;
}

ControlAnswer to_answer(const httplib::Result& result) {
  if (!result) {
    bool connected = result.error() != httplib::Error::Connection;
    return std::unexpected(ControlError{connected ? ControlFailure::kNoAnswer : ControlFailure::kNoDaemon,
                                        httplib::to_string(result.error())});
  }
  if (result->status != 200) {
    return std::unexpected(ControlError{ControlFailure::kRefused, result->body});
  }
  return result->body;
}

}  // namespace

ControlAnswer control_get(const std::string& socket_path, const std::string& what, std::chrono::seconds timeout) {
  httplib::Client client = make_client(socket_path, timeout);
  return to_answer(client.Get(what));
}

ControlAnswer control_post(const std::string& socket_path, const std::string& what, std::chrono::seconds timeout) {
  httplib::Client client = make_client(socket_path, timeout);
  return to_answer(client.Post(what));
}

}  // namespace fused
