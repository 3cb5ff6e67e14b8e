// Task, Event and Completion: the meeting of body, awaiter and owner in every order, in one thread and across threads.
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "nfsbackend/event.h"
#include "nfsbackend/task.h"
#include "tests/support/shuffling_executor.h"
#include "tests/support/sync_wait.h"

namespace {

using nfs::Completion;
using nfs::Event;
using nfs::Task;
using support::ShufflingExecutor;
using support::sync_wait;

constexpr int kRounds = 2000;

// Counts the living: tells whether a coroutine's frame was freed, and once.
class Living {
 public:
  explicit Living(std::atomic<int>& count) : count_(&count) { ++*count_; }
  Living(const Living& other) : count_(other.count_) { ++*count_; }
  Living& operator=(const Living&) = delete;
  ~Living() { --*count_; }

 private:
  std::atomic<int>* count_;
};

Task<int> immediate(int value) {
  co_return value;
}

Task<int> after(std::shared_ptr<Event> event, int value, Living) {
  co_await *event;
  co_return value;
}

Task<int> sum_of(Task<int> left, Task<int> right) {
  int a = co_await left;
  int b = co_await right;
  co_return a + b;
}

Task<void> append(std::shared_ptr<Event> event, std::vector<int>* order, int mark) {
  co_await *event;
  order->push_back(mark);
}

Task<std::unique_ptr<std::string>> boxed(std::string text) {
  co_return std::make_unique<std::string>(std::move(text));
}

TEST(TaskTest, RunsAtOnceInTheCallersThread) {
  Task<int> task = immediate(7);
  ASSERT_TRUE(task.ended());
  EXPECT_EQ(task.take(), 7);
}

TEST(TaskTest, CarriesValuesThatOnlyMove) {
  std::unique_ptr<std::string> box = sync_wait(boxed("text"));
  EXPECT_EQ(*box, "text");
}

TEST(TaskTest, SuspendsUntilTheEventIsSet) {
  std::atomic<int> living = 0;
  auto event = std::make_shared<Event>();
  Task<int> task = after(event, 3, Living(living));
  EXPECT_FALSE(task.ended());
  event->set();
  ASSERT_TRUE(task.ended());
  EXPECT_EQ(task.take(), 3);
}

TEST(TaskTest, AwaitsEndedAndSuspendedTasksAlike) {
  std::atomic<int> living = 0;
  auto event = std::make_shared<Event>();
  Task<int> sum = sum_of(immediate(1), after(event, 2, Living(living)));
  EXPECT_FALSE(sum.ended());
  event->set();
  ASSERT_TRUE(sum.ended());
  EXPECT_EQ(sum.take(), 3);
}

TEST(TaskTest, DroppedBeforeItEndsRunsOnAndFreesItself) {
  std::atomic<int> living = 0;
  auto event = std::make_shared<Event>();
  { Task<int> dropped = after(event, 1, Living(living)); }
  EXPECT_EQ(living, 1);
  event->set();
  EXPECT_EQ(living, 0);
}

TEST(TaskTest, DroppedAfterItEndedIsFreed) {
  std::atomic<int> living = 0;
  auto event = std::make_shared<Event>();
  {
    Task<int> task = after(event, 1, Living(living));
    event->set();
  }
  EXPECT_EQ(living, 0);
}

TEST(TaskTest, DetachedRunsOn) {
  std::atomic<int> living = 0;
  auto event = std::make_shared<Event>();
  after(event, 1, Living(living)).detach();
  EXPECT_EQ(living, 1);
  event->set();
  EXPECT_EQ(living, 0);
}

TEST(TaskTest, MovedTaskKeepsItsBody) {
  std::atomic<int> living = 0;
  auto event = std::make_shared<Event>();
  Task<int> first = after(event, 5, Living(living));
  Task<int> second = std::move(first);
  event->set();
  ASSERT_TRUE(second.ended());
  EXPECT_EQ(second.take(), 5);
}

Task<int> chain(std::shared_ptr<Event> event, int depth, std::atomic<int>* living) {
  if (depth == 0) {
    Task<int> last = after(event, 0, Living(*living));
    co_return co_await last;
  }
  Task<int> next = chain(event, depth - 1, living);
  int below = co_await next;
  co_return below + 1;
}

TEST(TaskTest, ResumesADeepChain) {
  std::atomic<int> living = 0;
  auto event = std::make_shared<Event>();
  Task<int> task = chain(event, 100, &living);
  event->set();
  ASSERT_TRUE(task.ended());
  EXPECT_EQ(task.take(), 100);
  EXPECT_EQ(living, 0);
}

TEST(EventTest, ResumesWaitersInTheOrderTheyCameAndLetsLaterOnesThrough) {
  std::vector<int> order;
  auto event = std::make_shared<Event>();
  Task<void> first = append(event, &order, 1);
  Task<void> second = append(event, &order, 2);
  EXPECT_FALSE(event->is_set());
  event->set();
  EXPECT_TRUE(event->is_set());
  Task<void> third = append(event, &order, 3);
  EXPECT_TRUE(third.ended());
  EXPECT_EQ(order, (std::vector<int>{1, 2, 3}));
}

Task<std::string> completed_by(std::shared_ptr<Completion<std::string>> completion) {
  std::string value = co_await *completion;
  co_return value;
}

TEST(CompletionTest, DeliversBeforeOrAfterTheWaiterCame) {
  auto early = std::make_shared<Completion<std::string>>();
  early->set("early");
  EXPECT_EQ(sync_wait(completed_by(early)), "early");

  auto late = std::make_shared<Completion<std::string>>();
  Task<std::string> waiting = completed_by(late);
  EXPECT_FALSE(waiting.ended());
  late->set("late");
  EXPECT_EQ(waiting.take(), "late");
}

// A Completion in the waiting coroutine's own frame, as connections use it: gone as soon as the waiter runs.
Task<int> completion_in_frame(std::function<void(Completion<int>&)> start) {
  Completion<int> completion;
  start(completion);
  int value = co_await completion;
  co_return value;
}

TEST(TaskRaceTest, CompletionFromAnotherThreadMeetsItsWaiter) {
  for (int round = 0; round < kRounds; ++round) {
    std::thread other;
    Task<int> task = completion_in_frame(
        [&](Completion<int>& completion) { other = std::thread([&completion, round] { completion.set(round); }); });
    int value = sync_wait(std::move(task));
    other.join();
    ASSERT_EQ(value, round);
  }
}

Task<int> hop_then(ShufflingExecutor& executor, int value, Living) {
  co_await executor.hop();
  co_return value;
}

Task<int> hop_sum(ShufflingExecutor& executor, int value, std::atomic<int>& living) {
  Task<int> left = hop_then(executor, value, Living(living));
  Task<int> right = hop_then(executor, 1, Living(living));
  int a = co_await left;
  co_await executor.hop();
  int b = co_await right;
  co_return a + b;
}

TEST(TaskRaceTest, AwaitingRacesWithEnding) {
  std::atomic<int> living = 0;
  {
    ShufflingExecutor executor(1);
    for (int round = 0; round < kRounds; ++round) {
      ASSERT_EQ(sync_wait(hop_sum(executor, round, living)), round + 1);
    }
  }
  EXPECT_EQ(living, 0);
}

TEST(TaskRaceTest, DetachingRacesWithEnding) {
  std::atomic<int> living = 0;
  {
    ShufflingExecutor executor(2);
    for (int round = 0; round < kRounds; ++round) {
      hop_then(executor, round, Living(living)).detach();
    }
  }
  EXPECT_EQ(living, 0);
}

Task<void> count_through(ShufflingExecutor& executor, std::shared_ptr<Event> event, std::atomic<int>& passed) {
  co_await executor.hop();
  co_await *event;
  ++passed;
}

TEST(TaskRaceTest, SettingAnEventRacesWithWaitingForIt) {
  constexpr int kWaiters = 8;
  std::atomic<int> passed = 0;
  {
    ShufflingExecutor executor(3);
    for (int round = 0; round < kRounds / kWaiters; ++round) {
      auto event = std::make_shared<Event>();
      for (int i = 0; i < kWaiters; ++i) {
        count_through(executor, event, passed).detach();
      }
      event->set();
    }
  }
  EXPECT_EQ(passed, kRounds / kWaiters * kWaiters);
}

}  // namespace
