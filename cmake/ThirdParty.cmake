# Third parties, each behind a target of ours named thirdparty::<name>, so that the rest of the build does not know
# whether ATTUNE_PORTABLE asked for the static or the shared one.
#
# NOTE: the static archives of Debian and Ubuntu are compiled as position-independent executables, not as shared
# code. They still link into libattune.so, because --exclude-libs,ALL and the version script make all their symbols
# local, and what cannot be pre-empted needs no PIC. That is also how portable gets by without libsqlite3.so.
# NOTE: a portable libattune.so holds an SQLite of its own. POSIX file locks belong to a process, so a program that opens
# the tuning database with another copy of SQLite in the same process would break that copy's locks; read it from a
# second process, or with attune-inspect.

# thirdparty::<name>: an interface target that links what follows.
function(attune_third_party name)
  add_library(thirdparty_${name} INTERFACE)
  add_library(thirdparty::${name} ALIAS thirdparty_${name})
  target_link_libraries(thirdparty_${name} INTERFACE ${ARGN})
endfunction()

# Finds lib<name>, as an archive under ATTUNE_PORTABLE.
function(attune_find_library out_variable name)
  if(ATTUNE_PORTABLE)
    set(CMAKE_FIND_LIBRARY_SUFFIXES .a)
  endif()
  find_library(${out_variable} ${name} REQUIRED)
  mark_as_advanced(${out_variable})
endfunction()

set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)

# spdlog with the system's fmt. Portable takes spdlog header-only, which one source includes, and compiles fmt by itself;
# spdlog::spdlog_header_only of Debian links the shared fmt, so its pieces are put together here.
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
if(ATTUNE_PORTABLE)
  add_library(attune_portable_fmt STATIC "${PROJECT_SOURCE_DIR}/cmake/portable_fmt.cpp")
  attune_third_party(spdlog attune_portable_fmt Threads::Threads)
  target_compile_definitions(thirdparty_spdlog INTERFACE SPDLOG_FMT_EXTERNAL)
else()
  attune_third_party(spdlog spdlog::spdlog fmt::fmt)
endif()

attune_find_library(ATTUNE_XXHASH_LIBRARY xxhash)
attune_third_party(xxhash "${ATTUNE_XXHASH_LIBRARY}")

# SQLiteCpp is an archive everywhere. Its target names the shared SQLite, so portable takes it apart.
find_package(SQLite3 REQUIRED)
find_package(SQLiteCpp REQUIRED)
if(ATTUNE_PORTABLE)
  attune_find_library(ATTUNE_SQLITECPP_LIBRARY SQLiteCpp)
  attune_find_library(ATTUNE_SQLITE3_LIBRARY sqlite3)
  attune_third_party(sqlitecpp "${ATTUNE_SQLITECPP_LIBRARY}" "${ATTUNE_SQLITE3_LIBRARY}" m Threads::Threads ${CMAKE_DL_LIBS})
else()
  attune_third_party(sqlitecpp SQLiteCpp SQLite::SQLite3)
endif()

if(ATTUNE_PORTABLE)
  set(Boost_USE_STATIC_LIBS ON)
endif()
find_package(Boost CONFIG REQUIRED COMPONENTS context)
attune_third_party(boost_context Boost::context)

find_package(nlohmann_json REQUIRED)
attune_third_party(json nlohmann_json::nlohmann_json)

find_package(CLI11 REQUIRED)
attune_third_party(cli11 CLI11::CLI11)
