#include "fused/logging.h"

#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/sinks/syslog_sink.h>
#include <spdlog/spdlog.h>
#include <syslog.h>

#include <memory>

namespace fused {

namespace {

spdlog::sink_ptr make_sink(const LogOptions& options) {
  if (!options.file.empty()) {
    return std::make_shared<spdlog::sinks::basic_file_sink_mt>(options.file);
  }
  if (options.foreground) {
    return std::make_shared<spdlog::sinks::stderr_sink_mt>();
  }
  auto sink = std::make_shared<spdlog::sinks::syslog_sink_mt>("fused", LOG_PID, LOG_DAEMON, false);
  sink->set_pattern("%v");
  return sink;
}

}  // namespace

std::expected<void, std::string> set_up_logging(const LogOptions& options) {
  try {
    auto logger = std::make_shared<spdlog::logger>("fused", make_sink(options));
    logger->set_level(spdlog::level::from_str(options.level));
    // The log of a daemon that dies is read for its last lines.
    logger->flush_on(spdlog::level::info);
    spdlog::set_default_logger(std::move(logger));
  } catch (const spdlog::spdlog_ex& error) {
    return std::unexpected("cannot write the log " + options.file + ": " + error.what());
  }
  return {};
}

void flush_log() {
  spdlog::default_logger()->flush();
}

}  // namespace fused
