// SingleFlight: makes each key's value once, however many threads ask for it at the same time, and keeps the
// values that were used last.
#pragma once

#include <cstddef>
#include <exception>
#include <functional>
#include <future>
#include <limits>
#include <list>
#include <mutex>
#include <unordered_map>
#include <utility>

namespace attune {

template <typename Key, typename Value, typename Hash = std::hash<Key>>
class SingleFlight {
 public:
  // What make() gives. `weight` is in units of the capacity. Unless `keep` says yes, the value reaches those
  // who wait for it and nobody after them; it is asked in one step with keeping, so what it looks at, when
  // changed before erase_if, is seen here or erased there.
  struct Made {
    Value value;
    size_t weight = 1;
    std::function<bool()> keep = {};  // none: yes
  };
  struct Result {
    Value value;
    bool made_here = false;  // by this very call
  };

  // Keeps values of `capacity` weight in all; beyond it, those that were not asked for longest go.
  explicit SingleFlight(size_t capacity = std::numeric_limits<size_t>::max()) : capacity_(capacity) {}

  // The first caller of a key runs make(), with no lock held; the others wait for it, and callers of other
  // keys do not. An exception of make() goes to all that wait, and the next caller tries again.
  template <typename Make>
  Result get(const Key& key, Make&& make) {
    std::promise<Value> promise;
    std::shared_future<Value> future;
    bool is_first = false;
    {
      const std::lock_guard lock(mutex_);
      const auto found = flights_.find(key);
      is_first = found == flights_.end();
      if (is_first) {
        future = promise.get_future().share();
        flights_.try_emplace(key, Flight{.future = future});
      } else {
        future = found->second.future;
        if (found->second.landed) recent_.splice(recent_.begin(), recent_, found->second.place);
      }
    }
    if (is_first) run(key, promise, std::forward<Make>(make));
    return {.value = future.get(), .made_here = is_first};
  }

  // Drops the values whose keys are such; flights in progress go on, and their values are kept.
  template <typename Predicate>
  void erase_if(Predicate&& is_such) {
    const std::lock_guard lock(mutex_);
    for (auto place = recent_.begin(); place != recent_.end();) {
      const auto current = place++;
      if (is_such(std::as_const(*current))) drop(current);
    }
  }

 private:
  struct Flight {
    std::shared_future<Value> future;
    bool landed = false;  // then what follows counts
    size_t weight = 0;
    typename std::list<Key>::iterator place{};
  };

  template <typename Make>
  void run(const Key& key, std::promise<Value>& promise, Make&& make) {
    try {
      Made made = std::forward<Make>(make)();
      {
        const std::lock_guard lock(mutex_);
        !made.keep || made.keep() ? land(key, made.weight) : static_cast<void>(flights_.erase(key));
      }
      promise.set_value(std::move(made.value));
    } catch (...) {
      {
        const std::lock_guard lock(mutex_);
        flights_.erase(key);
      }
      promise.set_exception(std::current_exception());
    }
  }

  void land(const Key& key, size_t weight) {
    recent_.push_front(key);
    Flight& flight = flights_.at(key);
    flight.landed = true;
    flight.weight = weight;
    flight.place = recent_.begin();
    weight_ += weight;
    while (weight_ > capacity_)
      drop(std::prev(recent_.end()));
  }

  void drop(typename std::list<Key>::iterator place) {
    const auto flight = flights_.find(*place);
    weight_ -= flight->second.weight;
    flights_.erase(flight);
    recent_.erase(place);
  }

  const size_t capacity_;
  std::mutex mutex_;  // guards what follows
  std::unordered_map<Key, Flight, Hash> flights_;
  std::list<Key> recent_;  // keys of the values that are kept, the last used first
  size_t weight_ = 0;      // of all of them
};

}  // namespace attune
