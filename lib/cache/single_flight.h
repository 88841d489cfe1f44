// SingleFlight: makes each key's value once, however many threads ask for it at the same time.
#pragma once

#include <exception>
#include <future>
#include <map>
#include <mutex>
#include <utility>

namespace attune {

template <typename Key, typename Value>
class SingleFlight {
 public:
  struct Result {
    Value value;
    bool made_here = false;  // by this very call
  };

  // The first caller of a key runs make(), with no lock held; the others wait for it, and callers of other
  // keys do not. An exception of make() goes to all that wait, and the next caller tries again.
  template <typename Make>
  Result get(const Key& key, Make&& make) {
    std::promise<Value> promise;
    std::shared_future<Value> future = promise.get_future().share();
    bool is_first = false;
    {
      const std::lock_guard lock(mutex_);
      const auto [flight, inserted] = flights_.try_emplace(key, future);
      is_first = inserted;
      future = flight->second;
    }
    if (is_first) run(key, promise, std::forward<Make>(make));
    return {.value = future.get(), .made_here = is_first};
  }

  // Drops every value that is made; flights in progress still reach those who wait for them.
  void clear() {
    const std::lock_guard lock(mutex_);
    flights_.clear();
  }

 private:
  template <typename Make>
  void run(const Key& key, std::promise<Value>& promise, Make&& make) {
    try {
      promise.set_value(std::forward<Make>(make)());
    } catch (...) {
      {
        const std::lock_guard lock(mutex_);
        flights_.erase(key);
      }
      promise.set_exception(std::current_exception());
    }
  }

  std::mutex mutex_;
  std::map<Key, std::shared_future<Value>> flights_;
};

}  // namespace attune
