#include "fused/interrupt_watch.h"

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string_view>
#include <utility>

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

bool thread_is_ending(std::uint32_t thread_id) {
  std::string path = "/proc/" + std::to_string(thread_id) + "/status";
  errno = 0;
  std::ifstream file(path);
  if (!file) {
    return errno == ENOENT || errno == ESRCH;
  }
  std::ostringstream text;
  text << file.rdbuf();
  return status_tells_ending(text.str());
}

}  // namespace fused
