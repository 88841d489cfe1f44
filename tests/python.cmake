# The NumPy part of the Python package's tests, against the library of this build. The rest needs PyTorch: see
# python/README.md.

# The first interpreter that has NumPy and pytest, else the one there is, which then says what is missing.
function(attune_find_test_python out_variable)
  set(chosen "")
  foreach(python python3 /usr/bin/python3)
    find_program(candidate NAMES "${python}" NO_CACHE)
    if(candidate AND NOT chosen)
      set(chosen "${candidate}")
    endif()
    if(candidate)
      execute_process(COMMAND "${candidate}" -c "import numpy, pytest, sys; assert sys.version_info >= (3, 10)"
        RESULT_VARIABLE result OUTPUT_QUIET ERROR_QUIET)
      if(result EQUAL 0)
        set(chosen "${candidate}")
        break()
      endif()
    endif()
    unset(candidate)
  endforeach()
  set(${out_variable} "${chosen}" PARENT_SCOPE)
endfunction()

# Not under sanitizers: their run time would have to be in the interpreter.
if(TARGET attune_python AND NOT ATTUNE_SANITIZE)
  attune_find_test_python(test_python)
  set(folder "${PROJECT_SOURCE_DIR}/python/tests")
  attune_add_ctest(python.numpy simt "${CMAKE_COMMAND}" -E env "PYTHONPATH=${PROJECT_BINARY_DIR}/python"
    "PYTHONPYCACHEPREFIX=${PROJECT_BINARY_DIR}/test-cache/pycache"
    "${test_python}" "${folder}/run.py" "${folder}/test_numpy.py" "${folder}/test_bad_input.py" "${folder}/test_package.py"
    "${folder}/test_plans.py")
  set_tests_properties(python.numpy PROPERTIES SKIP_RETURN_CODE 77)
endif()
