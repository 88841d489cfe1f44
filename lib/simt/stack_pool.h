// StackPool: stacks for fibers, each above a page that may not be touched, kept from launch to launch.
#pragma once

#include <boost/context/stack_context.hpp>
#include <cstddef>
#include <vector>

namespace attune::simt {

// One OS thread at a time. Allocating a stack costs two system calls and its first use a page fault per page;
// a launch of thousands of blocks cannot pay that for each thread of each block.
class StackPool {
 public:
  StackPool() = default;
  ~StackPool();
  StackPool(const StackPool&) = delete;
  StackPool& operator=(const StackPool&) = delete;

  boost::context::stack_context take();

  // Gives a fiber's stack back, as Boost.Context wants it: copied into each fiber, so a reference to the
  // pool.
  class Allocator {
   public:
    explicit Allocator(StackPool& pool) : pool_(&pool) {}
    void deallocate(boost::context::stack_context& stack) { pool_->give(stack); }

   private:
    StackPool* pool_;
  };

 private:
  void give(const boost::context::stack_context& stack);

  std::vector<boost::context::stack_context> free_;
  std::vector<void*> mappings_;
};

}  // namespace attune::simt
