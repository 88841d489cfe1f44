# attune_programs(<folder> RANK <n> [PROGRAM <file> <name>]...) : command line programs of one folder.
#
# Each <folder>/<file>.cpp is a program called <name>; all other sources are the room attune_<folder>, which the
# programs and the tests link. A program whose file is not there (yet) is left out.
function(attune_programs folder)
  cmake_parse_arguments(arg "" "RANK" "PROGRAM;LINK;LIBS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/${folder}/*.cpp")
  set(programs "")
  while(arg_PROGRAM)
    list(POP_FRONT arg_PROGRAM file name)
    set(main "${PROJECT_SOURCE_DIR}/${folder}/${file}.cpp")
    if(main IN_LIST sources)
      list(REMOVE_ITEM sources "${main}")
      add_executable(${name} "${main}")
      target_link_libraries(${name} PRIVATE attune_${folder})
      attune_finish_executable(${name})
      list(APPEND programs ${name})
    endif()
  endwhile()
  attune_room(${folder} FOLDER ${folder} RANK ${arg_RANK} SOURCES ${sources} LINK ${arg_LINK} LIBS ${arg_LIBS})
  set_property(GLOBAL APPEND PROPERTY ATTUNE_PROGRAMS ${programs})
endfunction()

# What every executable needs: under portable, no C++ run-time library of this machine's version either.
function(attune_finish_executable target)
  if(ATTUNE_PORTABLE)
    target_link_options(${target} PRIVATE -static-libstdc++ -static-libgcc)
  endif()
endfunction()
