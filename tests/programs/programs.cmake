# The programs, started as a user starts them; exit codes decide. What needs NVRTC is skipped where there is none.

function(attune_program_test name label program)
  if(TARGET ${program})
    attune_add_ctest(${name} ${label} ${program} ${ARGN})
    set_tests_properties(${name} PROPERTIES SKIP_REGULAR_EXPRESSION "no NVRTC \\(libnvrtc\\.so\\)")
  endif()
endfunction()

set(problem --batch 1 --heads-q 4 --heads-kv 2 --seqlen 300 --head-dim 64 --causal)
attune_program_test(tuner.compile_only core attune-tune --target sm_86 --compile-only --max-candidates 3 ${problem})
attune_program_test(tuner.emulated simt attune-tune --device simt --op row_softmax --batch 1 --seqlen 40 --max-candidates 2)
attune_program_test(tuner.wrong_arguments core attune-tune --heads-q 7 --heads-kv 2)
attune_program_test(tools.why core attune-inspect why --target sm_86 --margin 5 ${problem})
attune_program_test(tools.source core attune-inspect source --target sm_90a ${problem})
attune_program_test(tools.source_header core attune-inspect source --target sm_90a --header ${problem})
attune_program_test(tools.list core attune-inspect list)
attune_program_test(tools.demo simt attune-demo)
if(TEST tuner.wrong_arguments)
  set_tests_properties(tuner.wrong_arguments PROPERTIES WILL_FAIL TRUE)
endif()

# A machine without any compiler makes doctor fail, and says so; the report itself is what is looked for.
attune_program_test(tools.doctor core attune-inspect doctor)
if(TEST tools.doctor)
  set_tests_properties(tools.doctor PROPERTIES SKIP_REGULAR_EXPRESSION "" PASS_REGULAR_EXPRESSION "ATTUNE_DEVICE=simt (works|does not work)")
endif()

find_program(ATTUNE_PYTHON3 python3)
mark_as_advanced(ATTUNE_PYTHON3)
file(GLOB scripts CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/bench/*.py")
if(ATTUNE_PYTHON3 AND scripts)
  # The bytecode goes where the build goes, not beside the sources.
  attune_add_ctest(bench.syntax core "${CMAKE_COMMAND}" -E env "PYTHONPYCACHEPREFIX=${PROJECT_BINARY_DIR}/test-cache/pycache"
    "${ATTUNE_PYTHON3}" -m py_compile ${scripts})
endif()
