// WorkerCompiler: the backend's compiler, at work in processes of its own. A hung one cannot be cancelled,
// but it can be killed; one that crashes takes nobody along.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "compile/compiler.h"
#include "tune/workers.h"

namespace attune {

// As many processes as threads compile at the same time; they end with this object.
class WorkerCompiler final : public Compiler {
 public:
  // The compiler of `backend` is the same one in this process, for its identity and for when there are no
  // workers.
  WorkerCompiler(Backend& backend, std::shared_ptr<Workers> workers);

  std::string identity() const override { return backend_.compiler().identity(); }
  CompileResult compile(const KernelSource& source) override;

 private:
  std::unique_ptr<WorkerProcess> take();
  void give_back(std::unique_ptr<WorkerProcess> worker);

  Backend& backend_;
  const std::shared_ptr<Workers> workers_;
  std::mutex mutex_;  // guards what follows
  std::vector<std::unique_ptr<WorkerProcess>> idle_;
};

}  // namespace attune
