// rpc_proxy: the tests' Proxy as a program, for scripts: a server on loopback seen through a slower network.
#include <csignal>
#include <exception>
#include <iostream>

#include <boost/program_options.hpp>

#include "tests/support/proxy.h"

namespace {

namespace po = boost::program_options;

int run(int argc, char** argv) {
  po::options_description described("rpc_proxy: stands before a server on 127.0.0.1 and prints its own port");
  auto add = described.add_options();
  add("help", "this text");
  add("server-port", po::value<std::uint16_t>()->required(), "the server's port");
  add("listen-port", po::value<std::uint16_t>()->default_value(0), "0: a free one");
  add("round-trip-us", po::value<std::int64_t>()->default_value(0), "delay to add, in microseconds");
  po::variables_map given;
  po::store(po::parse_command_line(argc, argv, described), given);
  if (given.contains("help")) {
    std::cout << described;
    return 0;
  }
  po::notify(given);

  // Blocked before any thread exists, so that the wait below is the only place they arrive.
  sigset_t ending;
  sigemptyset(&ending);
  sigaddset(&ending, SIGTERM);
  sigaddset(&ending, SIGINT);
  sigprocmask(SIG_BLOCK, &ending, nullptr);
  std::chrono::microseconds round_trip(given["round-trip-us"].as<std::int64_t>());
  support::Proxy proxy(given["server-port"].as<std::uint16_t>(), round_trip, given["listen-port"].as<std::uint16_t>());
  std::cout << proxy.port() << std::endl;
  int signal = 0;
  sigwait(&ending, &signal);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << "rpc_proxy: " << error.what() << '\n';
    return 1;
  }
}
