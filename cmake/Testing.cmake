# attune_test(<room> [LIBS <targets>]) : executable test_<room> from tests/<room>/*.cpp, linked with that room and with
# every room its sources include (and what those link); a tests/support/x.h that is included brings its x.cpp.
#
# Its Catch2 tags decide the labels: each test case is core (neither tag), [simt] (runs kernels on the emulator, some
# seconds) or [gpu] (needs a GPU). One ctest test per label that occurs: <room>.core, <room>.simt, <room>.gpu.
# Hidden cases ([.]) run only by hand.
include(TestSources)

find_package(Catch2 REQUIRED)
if(Catch2_VERSION VERSION_GREATER_EQUAL 3)
  attune_third_party(catch Catch2::Catch2WithMain)
else()
  # Version 2 is a header; its main takes long to compile, so once for all.
  add_library(attune_catch_main OBJECT "${PROJECT_SOURCE_DIR}/tests/support/main.cpp")
  target_link_libraries(attune_catch_main PUBLIC Catch2::Catch2)
  attune_third_party(catch attune_catch_main $<TARGET_OBJECTS:attune_catch_main>)
endif()

# ctest test with what all of ours have in common.
function(attune_add_ctest name label)
  add_test(NAME ${name} COMMAND ${ARGN} WORKING_DIRECTORY "${PROJECT_BINARY_DIR}")
  # No test may read or write the user's cache, nor another test's.
  set_tests_properties(${name} PROPERTIES LABELS ${label} TIMEOUT 240
    ENVIRONMENT "XDG_CACHE_HOME=${PROJECT_BINARY_DIR}/test-cache/${name}")
  if(label STREQUAL "gpu")
    set_tests_properties(${name} PROPERTIES RESOURCE_LOCK gpu)  # timings and memory are not shared
  endif()
endfunction()

function(attune_test room)
  cmake_parse_arguments(arg "" "" "LIBS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tests/${room}/*.cpp")
  if(NOT sources)
    return()
  endif()
  set(target test_${room})
  attune_test_rooms(linked_rooms helpers ${sources})
  if(TARGET attune_${room})
    list(APPEND linked_rooms ${room})
  endif()
  list(TRANSFORM linked_rooms PREPEND attune_)
  add_executable(${target} ${sources} ${helpers})
  set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/tests")
  attune_finish_executable(${target})
  target_link_libraries(${target} PRIVATE attune_options ${arg_LIBS} ${linked_rooms} thirdparty::catch thirdparty::json)
  target_include_directories(${target} PRIVATE "${PROJECT_SOURCE_DIR}/tests")
  # Tests may read the repository and start the built programs.
  target_compile_definitions(${target} PRIVATE
    ATTUNE_SOURCE_DIR="${PROJECT_SOURCE_DIR}" ATTUNE_BINARY_DIR="${PROJECT_BINARY_DIR}"
    ATTUNE_PROGRAM_DIR="${CMAKE_RUNTIME_OUTPUT_DIRECTORY}")

  attune_test_labels(labels ${sources})
  set(filter_core "~[.]~[simt]~[gpu]")
  set(filter_simt "~[.][simt]~[gpu]")
  set(filter_gpu "~[.][gpu]")
  foreach(label IN LISTS labels)
    attune_add_ctest(${room}.${label} ${label} ${target} "${filter_${label}}")
  endforeach()
endfunction()

# Each tests/c/<name>.c is a C11 program that sees what a user sees: the shared library and its header.
function(attune_c_tests)
  file(GLOB sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tests/c/*.c")
  if(NOT TARGET attune)
    return()
  endif()
  foreach(source IN LISTS sources)
    get_filename_component(name "${source}" NAME_WE)
    add_executable(c_${name} "${source}")
    set_target_properties(c_${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/tests")
    target_compile_options(c_${name} PRIVATE -Wall -Wextra -Wpedantic $<$<BOOL:${ATTUNE_WERROR}>:-Werror>)
    target_link_libraries(c_${name} PRIVATE attune::attune attune_sanitizers)
    attune_add_ctest(c.${name} core c_${name})
  endforeach()
endfunction()
