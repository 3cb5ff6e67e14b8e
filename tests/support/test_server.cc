// test_server: the tests' NFS server as a program, for scripts: nfs-ganesha on loopback, exporting a directory, seen
// through the tests' proxy. Prints one line of JSON with the ports to mount by, and serves until it is told to end.
#include <boost/program_options.hpp>
#include <csignal>
#include <exception>
#include <iostream>
#include <nlohmann/json.hpp>

#include "tests/support/ganesha_server.h"
#include "tests/support/proxy.h"

namespace {

namespace po = boost::program_options;

int run(int argc, char** argv) {
  po::options_description described("test_server: a throw-away NFS server; prints the ports to mount by as JSON");
  auto add = described.add_options();
  add("help", "this text");
  add("directory", po::value<std::string>()->required(), "what to export, under its own name");
  add("round-trip-us", po::value<std::int64_t>()->default_value(0), "delay to add to each call, in microseconds");
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
  support::GaneshaOptions options;
  options.directory = given["directory"].as<std::string>();
  support::GaneshaServer server(options);
  support::Proxy proxy(server.nfs_port(), std::chrono::microseconds(given["round-trip-us"].as<std::int64_t>()));
  std::cout << nlohmann::json{{"port", proxy.port()}, {"mountport", server.mount_port()}} << std::endl;
  int signal = 0;
  sigwait(&ending, &signal);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << "test_server: " << error.what() << '\n';
    return 1;
  }
}
