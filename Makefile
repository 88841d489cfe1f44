# The usual errands. Prerequisites: git, make, and either root, sudo or the packages scripts/setup.sh names.
#   make demo     set up, build and show attune at work on whatever this machine has
#   make test     set up, build everything, run the tests; the last line is "N passed, N failed"
#   make check-gpu  on a GPU machine: the GPU tests, then compute-sanitizer over the kernels
#   make build    build everything          make setup   install what a build needs
#   make docs     rewrite what README.md and docs/ take from the code and from bench/results
#   make plots    draw the newest comparisons of bench/results into docs/plots (needs bench/requirements.txt)
#   make format   rewrite the C and C++ in house style
#   make lint     clang-tidy and the format check
#   make clean    remove the build folders (fetched CUDA headers stay)
PRESET ?= default
JOBS ?= $(shell nproc)
BUILD := build/$(PRESET)
PYTHON ?= python3
WHEELS := $(CURDIR)/build/cuda-wheels/nvidia/cu13

# Where scripts/setup.sh had to fetch CUDA itself, the library must be told. In each recipe's shell, since the folder
# may come into being during this very run of make.
WITH_CUDA = if [ -z "$$CUDA_PATH" ] && [ -d "$(WHEELS)" ]; then export CUDA_PATH="$(WHEELS)"; fi;

.DEFAULT_GOAL := build
.NOTPARALLEL:
.PHONY: setup build demo test check-gpu docs plots format lint clean

setup:
	@scripts/setup.sh

build:
	@cmake --preset $(PRESET)
	@cmake --build $(BUILD) --parallel $(JOBS)

demo: setup
	@cmake --preset $(PRESET) -DATTUNE_TESTS=OFF > /dev/null
	@cmake --build $(BUILD) --parallel $(JOBS)
	@$(WITH_CUDA) ATTUNE_BUILD_DIR="$(CURDIR)/$(BUILD)" scripts/demo.sh

test: setup
	@cmake --preset $(PRESET) > /dev/null
	@cmake --build $(BUILD) --parallel $(JOBS)
	@$(WITH_CUDA) JOBS=$(JOBS) scripts/run_tests.sh $(BUILD)

check-gpu: build
	@$(WITH_CUDA) scripts/check_gpu.sh $(BUILD)

docs: build
	@$(BUILD)/bin/attune-docs README.md docs/tuning.md
	@$(PYTHON) bench/speed_table.py

plots:
	@$(PYTHON) bench/plots.py

format:
	@scripts/format.sh --fix

lint:
	@scripts/setup.sh --with-lint
	@scripts/format.sh
	@scripts/lint.sh $(BUILD)

clean:
	rm -rf build/default build/portable build/asan
