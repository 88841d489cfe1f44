#include "simt/waiting.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

namespace attune::simt {
namespace {

// "0-3 and 7", of thread indices in ascending order.
std::string ranges(const std::vector<int>& threads) {
  std::vector<std::string> parts;
  for (size_t i = 0; i < threads.size();) {
    size_t end = i + 1;
    while (end < threads.size() && threads[end] == threads[end - 1] + 1)
      ++end;
    parts.push_back(end - i == 1 ? fmt::format("{}", threads[i])
                                 : fmt::format("{}-{}", threads[i], threads[end - 1]));
    i = end;
  }
  constexpr size_t kShown = 6;
  if (parts.size() > kShown) {
    parts.resize(kShown);
    parts.emplace_back("...");
  }
  return fmt::format("{}", fmt::join(parts, ", "));
}

struct Group {
  ThreadState state;
  std::vector<int> threads;
};

bool alike(const ThreadState& a, const ThreadState& b) {
  return a.done == b.done && (a.done || a.waiting == b.waiting);
}

std::vector<Group> group(std::span<const ThreadState> threads) {
  std::vector<Group> groups;
  for (size_t i = 0; i < threads.size(); ++i) {
    auto found = std::find_if(groups.begin(), groups.end(),
                              [&](const Group& g) { return alike(g.state, threads[i]); });
    if (found == groups.end()) found = groups.insert(found, Group{threads[i], {}});
    found->threads.push_back(static_cast<int>(i));
  }
  return groups;
}

std::string describe(const Group& group) {
  const char* const noun = group.threads.size() == 1 ? "thread" : "threads";
  if (group.state.done) return fmt::format("{} {} ended", noun, ranges(group.threads));
  return fmt::format("{} {} in {} ({})", noun, ranges(group.threads), name_of(group.state.waiting.verb),
                     to_string(group.state.waiting.site));
}

}  // namespace

std::string_view name_of(Verb verb) {
  switch (verb) {
    case Verb::none:
      return "nothing";
    case Verb::block_barrier:
      return "block_barrier";
    case Verb::warp_barrier:
      return "warp_barrier";
    case Verb::quad_maximum:
      return "quad_maximum";
    case Verb::quad_sum:
      return "quad_sum";
    case Verb::quad_broadcast:
      return "quad_broadcast";
    case Verb::warp_maximum:
      return "warp_maximum";
    case Verb::warp_sum:
      return "warp_sum";
    case Verb::load_matrices:
      return "load_matrices";
    case Verb::store_matrices:
      return "store_matrices";
    case Verb::multiply_tiles:
      return "multiply_tiles";
    case Verb::mbarrier_wait:
      return "mbarrier_wait";
    case Verb::warpgroup_barrier:
      return "warpgroup_barrier";
    case Verb::multiply_warpgroup:
      return "multiply_warpgroup";
    case Verb::release_registers:
      return "release_registers";
    case Verb::claim_registers:
      return "claim_registers";
  }
  return "?";
}

std::string to_string(attune_simt_site site) {
  std::string_view file = site.file ? site.file : "?";
  if (file.starts_with("./")) file.remove_prefix(2);  // how the compiler names what it found through -I.
  return fmt::format("{}:{}", file, site.line);
}

std::string describe_everybody(std::span<const ThreadState> threads) {
  std::vector<std::string> everybody;
  for (const Group& part : group(threads))
    everybody.push_back(describe(part));
  return fmt::format("{}", fmt::join(everybody, "; "));
}

namespace {

bool is_of_warpgroup(Verb verb) {
  return verb == Verb::warpgroup_barrier || verb == Verb::multiply_warpgroup ||
         verb == Verb::release_registers || verb == Verb::claim_registers;
}

}  // namespace

std::string describe_deadlock(std::span<const ThreadState> threads, int& first_waiting) {
  const auto waits = [](const ThreadState& state) { return !state.done; };
  const auto first = std::find_if(threads.begin(), threads.end(), waits);
  first_waiting = static_cast<int>(first - threads.begin());
  if (first == threads.end()) return "deadlock of a block whose threads have all ended";

  const bool of_block = first->waiting.verb == Verb::block_barrier;
  const bool of_warpgroup = is_of_warpgroup(first->waiting.verb);
  const size_t count = of_block ? threads.size() : of_warpgroup ? 128 : 32;
  const size_t begin = of_block ? 0 : static_cast<size_t>(first_waiting) / count * count;
  std::vector<int> missing;
  for (size_t i = begin; i < begin + count; ++i) {
    if (threads[i].done || threads[i].waiting.verb != first->waiting.verb)
      missing.push_back(static_cast<int>(i));
  }
  return fmt::format("deadlock: {} was reached by {} of {} threads of the {}; missing: {} {}. Everybody: {}",
                     name_of(first->waiting.verb), count - missing.size(), count,
                     of_block       ? "block"
                     : of_warpgroup ? "warpgroup"
                                    : "warp",
                     missing.size() == 1 ? "thread" : "threads", ranges(missing),
                     describe_everybody(threads));
}

}  // namespace attune::simt
