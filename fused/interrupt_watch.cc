#include "fused/interrupt_watch.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <optional>
#include <sstream>
#include <string_view>
#include <utility>
#include <vector>

namespace fused {

InterruptWatch::InterruptWatch(nfs::Clock& clock, IsEnding is_ending)
    : state_(std::make_shared<State>(clock, std::move(is_ending))) {}

std::shared_ptr<ParkedRequest> InterruptWatch::park(std::uint32_t thread_id, std::function<void()> answer_interrupted) {
  std::lock_guard lock(state_->mutex);
  auto request = std::make_shared<ParkedRequest>(++state_->last_id, thread_id, std::move(answer_interrupted));
  state_->parked.emplace(request->id_, request);
  return request;
}

void InterruptWatch::unpark(const ParkedRequest& request) {
  std::lock_guard lock(state_->mutex);
  state_->parked.erase(request.id_);
}

void InterruptWatch::on_interrupt(std::uint64_t id) {
  std::shared_ptr<ParkedRequest> request;
  {
    std::lock_guard lock(state_->mutex);
    auto found = state_->parked.find(id);
    if (found == state_->parked.end()) {
      return;
    }
    request = found->second;
  }
  if (request->thread_id_ != 0 && !request->watched_.exchange(true)) {
    look_at(state_, state_->clock.now(), request);
  }
}

void InterruptWatch::watch(const std::shared_ptr<ParkedRequest>& request) {
  if (request->thread_id_ != 0 && !request->watched_.exchange(true)) {
    look_at(state_, state_->clock.now() + kInterval, request);
  }
}

std::size_t InterruptWatch::parked() const {
  std::lock_guard lock(state_->mutex);
  return state_->parked.size();
}

void InterruptWatch::look_at(const std::shared_ptr<State>& state, nfs::MonotonicTime when,
                             const std::weak_ptr<ParkedRequest>& request) {
  state->clock.run_at(when, [weak_state = std::weak_ptr<State>(state), request] {
    std::shared_ptr<State> living = weak_state.lock();
    std::shared_ptr<ParkedRequest> parked = request.lock();
    if (living && parked) {
      look(living, parked);
    }
  });
}

void InterruptWatch::look(const std::shared_ptr<State>& state, const std::shared_ptr<ParkedRequest>& request) {
  if (request->claimed_.load(std::memory_order_acquire)) {
    return;
  }
  if (!request->armed_.load(std::memory_order_acquire) || !state->is_ending(request->thread_id_)) {
    look_at(state, state->clock.now() + kInterval, request);
    return;
  }
  if (request->claim()) {
    {
      std::lock_guard lock(state->mutex);
      state->parked.erase(request->id_);
    }
    request->answer_interrupted_();
  }
}

bool status_tells_ending(const std::string& status) {
  constexpr std::uint64_t kKillBit = 1ULL << (SIGKILL - 1);
  std::istringstream lines(status);
  for (std::string line; std::getline(lines, line);) {
    std::string_view field = line;
    if (field.starts_with("State:") && field.find_first_of("ZX") != std::string_view::npos) {
      return true;
    }
    if ((field.starts_with("SigPnd:") || field.starts_with("ShdPnd:")) &&
        (std::strtoull(line.c_str() + sizeof("SigPnd:") - 1, nullptr, 16) & kKillBit) != 0) {
      return true;
    }
  }
  return false;
}

bool stat_tells_killed(const std::string& stat) {
  constexpr unsigned long kExiting = 0x4;  // PF_EXITING of the kernel's flags, see proc(5)
  constexpr unsigned long kSignalBits = 0x7f;
  // The command before the last parenthesis may hold anything. Behind it the flags are the seventh field, and the exit
  // code is the last.
  std::istringstream text(stat.substr(std::min(stat.size(), stat.rfind(')') + 1)));
  const std::vector<std::string> fields(std::istream_iterator<std::string>(text), {});
  if (fields.size() < 8) {
    return false;
  }
  const unsigned long flags = std::strtoul(fields[6].c_str(), nullptr, 10);
  const unsigned long exit_code = std::strtoul(fields.back().c_str(), nullptr, 10);
  return (flags & kExiting) != 0 && (exit_code & kSignalBits) != 0;
}

namespace {

std::optional<std::string> read_process_file(std::uint32_t thread_id, const char* name) {
  std::ifstream file("/proc/" + std::to_string(thread_id) + "/" + name);
  std::ostringstream text;
  if (!file || !(text << file.rdbuf())) {
    return std::nullopt;
  }
  return text.str();
}

}  // namespace

bool thread_is_ending(std::uint32_t thread_id) {
  errno = 0;
  const std::optional<std::string> status = read_process_file(thread_id, "status");
  const std::optional<std::string> stat = read_process_file(thread_id, "stat");
  if (!status || !stat) {
    return errno == ENOENT || errno == ESRCH;
  }
  return status_tells_ending(*status) || stat_tells_killed(*stat);
}

}  // namespace fused
