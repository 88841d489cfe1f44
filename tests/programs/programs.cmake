# The programs, started as a user starts them; exit codes decide.

function(attune_program_test name label program)
  if(TARGET ${program})
    attune_add_ctest(${name} ${label} ${program} ${ARGN})
  endif()
endfunction()

# For what cannot work without NVRTC, and for nothing else: a program that says "no NVRTC" may have failed otherwise.
function(attune_needs_nvrtc name)
  if(TEST ${name})
    set_tests_properties(${name} PROPERTIES SKIP_REGULAR_EXPRESSION "no NVRTC \\(libnvrtc\\.so\\)")
  endif()
endfunction()

# Passes when the program exits with `status` and its error output has `text`; CTest alone checks one of the two.
function(attune_refusal_test name program status text)
  if(TARGET ${program})
    attune_add_ctest(${name} core "${CMAKE_COMMAND}" "-DSTATUS=${status}" "-DTEXT=${text}"
      -P "${PROJECT_SOURCE_DIR}/tests/programs/expect_refusal.cmake" -- $<TARGET_FILE:${program}> ${ARGN})
  endif()
endfunction()

set(problem --batch 1 --heads-q 4 --heads-kv 2 --seqlen 300 --head-dim 64 --causal)
attune_program_test(tuner.compile_only core attune-tune --target sm_86 --compile-only --max-candidates 3 ${problem})
attune_needs_nvrtc(tuner.compile_only)
attune_program_test(tuner.emulated simt attune-tune --device simt --op row_softmax --batch 1 --seqlen 40 --max-candidates 2)
attune_refusal_test(tuner.wrong_arguments attune-tune 2 "heads_q = 7 is not a multiple of heads_kv = 2"
  --heads-q 7 --heads-kv 2)
attune_program_test(tools.why core attune-inspect why --target sm_86 --margin 5 ${problem})
attune_program_test(tools.source core attune-inspect source --target sm_90a ${problem})
attune_program_test(tools.source_header core attune-inspect source --target sm_90a --header ${problem})
attune_program_test(tools.list core attune-inspect list)
attune_program_test(tools.demo simt attune-demo)
attune_program_test(bench.emulated simt attune-bench --device simt --batch 1 --heads-q 2 --seqlen 65 --head-dim 64 --causal)
attune_program_test(bench.host simt attune-bench --host --device simt)
attune_refusal_test(bench.wrong_arguments attune-bench 2 "heads_q = 7 is not a multiple of heads_kv = 2"
  --heads-q 7 --heads-kv 2)
attune_refusal_test(tuner.recorded_unknown attune-tune 1 "device recorded" --device "recorded:no such GPU")
attune_refusal_test(tools.import_nothing attune-inspect 2 "the file cannot be read" import --db /nonexistent/tuning.db
  /nonexistent/recording.jsonl)

# A machine without any compiler makes doctor fail, and says so; the report itself is what is looked for.
attune_program_test(tools.doctor core attune-inspect doctor)
if(TEST tools.doctor)
  set_tests_properties(tools.doctor PROPERTIES PASS_REGULAR_EXPRESSION "ATTUNE_DEVICE=simt (works|does not work)")
endif()

find_program(ATTUNE_PYTHON3 python3)
mark_as_advanced(ATTUNE_PYTHON3)

# A Python program of the repository. The bytecode goes where the build goes, not beside the sources.
function(attune_python_test name)
  if(ATTUNE_PYTHON3)
    attune_add_ctest(${name} core "${CMAKE_COMMAND}" -E env "PYTHONPYCACHEPREFIX=${PROJECT_BINARY_DIR}/test-cache/pycache"
      "${ATTUNE_PYTHON3}" ${ARGN})
  endif()
endfunction()

file(GLOB scripts CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/bench/*.py" "${PROJECT_SOURCE_DIR}/examples/python/*.py")
attune_python_test(bench.syntax -m py_compile ${scripts})
attune_python_test(bench.units -m unittest discover -s "${PROJECT_SOURCE_DIR}/tests/bench" -p "*_test.py")
attune_python_test(bench.speed_table "${PROJECT_SOURCE_DIR}/bench/speed_table.py" --check)
attune_python_test(bench.reports "${PROJECT_SOURCE_DIR}/bench/report.py" --check "${PROJECT_SOURCE_DIR}/bench/results")
attune_python_test(bench.plots "${PROJECT_SOURCE_DIR}/bench/plots.py" --check)

# Examples that need attune's Python package, and PyTorch or JAX; where one is missing they are skipped, and say which.
function(attune_example_test name script)
  if(ATTUNE_PYTHON3)
    attune_add_ctest(examples.${name} simt "${CMAKE_COMMAND}" -E env "PYTHONPATH=${PROJECT_BINARY_DIR}/python"
      "PYTHONPYCACHEPREFIX=${PROJECT_BINARY_DIR}/test-cache/pycache"
      "${ATTUNE_PYTHON3}" "${PROJECT_SOURCE_DIR}/examples/python/${script}" ${ARGN})
    set_tests_properties(examples.${name} PROPERTIES SKIP_REGULAR_EXPRESSION "No module named '(attune|torch|jax)")
  endif()
endfunction()

attune_example_test(training train_transformer.py --device cpu --steps 20)
attune_example_test(jax jax_attention.py)
