# What every target of this repository is compiled with, carried by one interface target: attune_options.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)

# The rooms end up in libattune.so, and only attune_* may be seen from outside.
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_C_VISIBILITY_PRESET hidden)
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)

get_property(multi_config GLOBAL PROPERTY GENERATOR_IS_MULTI_CONFIG)
if(NOT multi_config AND NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "build type" FORCE)
endif()
# -O3 costs compile time here and buys nothing: what must be fast runs on the GPU.
set(CMAKE_C_FLAGS_RELEASE "-O2 -DNDEBUG")
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -DNDEBUG")

add_library(attune_options INTERFACE)
# A designated initialiser leaves the rest at its default, which is what it is for.
target_compile_options(attune_options INTERFACE -Wall -Wextra -Wno-missing-field-initializers
  $<$<BOOL:${ATTUNE_WERROR}>:-Werror>)
target_include_directories(attune_options INTERFACE
  "${PROJECT_SOURCE_DIR}" "${PROJECT_SOURCE_DIR}/lib" "${PROJECT_SOURCE_DIR}/lib/include"
  "${PROJECT_SOURCE_DIR}/kernel_templates")
# How the library finds the programs installed with it: the way from its own folder.
file(RELATIVE_PATH libdir_to_bindir "${CMAKE_INSTALL_FULL_LIBDIR}" "${CMAKE_INSTALL_FULL_BINDIR}")
target_compile_definitions(attune_options INTERFACE ATTUNE_LIBDIR_TO_BINDIR="${libdir_to_bindir}")
# Debian's linker keeps every library named on the line; Ubuntu's keeps what is used. Ask for the latter.
target_link_options(attune_options INTERFACE LINKER:--as-needed)

# The sanitizers are apart, because plain C programs that load the library need their run time, too.
add_library(attune_sanitizers INTERFACE)
if(ATTUNE_SANITIZE)
  string(REPLACE ";" "," sanitizers "${ATTUNE_SANITIZE}")
  target_compile_options(attune_sanitizers INTERFACE -fsanitize=${sanitizers} -fno-omit-frame-pointer
    # gcc says itself that this warning is unreliable with -fsanitize; it fires in <regex>.
    $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
  target_link_options(attune_sanitizers INTERFACE -fsanitize=${sanitizers})
endif()
target_link_libraries(attune_options INTERFACE attune_sanitizers)

# ccache, when there is one and the caller has not chosen a launcher.
find_program(ATTUNE_CCACHE ccache)
mark_as_advanced(ATTUNE_CCACHE)
foreach(language C CXX)
  if(ATTUNE_CCACHE AND NOT DEFINED CMAKE_${language}_COMPILER_LAUNCHER)
    set(CMAKE_${language}_COMPILER_LAUNCHER "${ATTUNE_CCACHE}")
  endif()
endforeach()

# The library finds attune-tune relative to itself, so the build tree mirrors an installed prefix:
# <build>/bin/attune-tune and <build>/lib/libattune.so.
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/${CMAKE_INSTALL_BINDIR}")
set(CMAKE_LIBRARY_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/${CMAKE_INSTALL_LIBDIR}")
set(CMAKE_ARCHIVE_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/rooms")
