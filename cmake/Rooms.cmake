# attune_room(<name> RANK <n> [LINK <rooms>] [LIBS <targets>] [PRIVATE_LIBS <targets>]
#             [EXTRA_SOURCES <generated files>])
#
# A room is a folder lib/<name> and a static library attune_<name> made of every lib/<name>/*.cpp. It links every
# room of lower rank, except the two machine rooms (simt, cuda): who creates backends names those under LINK. A room
# that links one of its own rank or above stops the configuration; tests/rules checks the same for #include.

define_property(GLOBAL PROPERTY ATTUNE_ROOMS BRIEF_DOCS "rooms declared so far" FULL_DOCS "names in order of declaration")
set(ATTUNE_MACHINE_ROOMS simt cuda)

function(attune_room_rank room out_variable)
  get_property(rank GLOBAL PROPERTY ATTUNE_RANK_${room})
  if("${rank}" STREQUAL "")
    message(FATAL_ERROR "room '${room}' is not declared (yet): rooms are declared in order of rank")
  endif()
  set(${out_variable} "${rank}" PARENT_SCOPE)
endfunction()

# A library from the sources, or an interface library while there are none: headers may come first.
function(attune_room_library target)
  if(ARGN)
    add_library(${target} STATIC ${ARGN})
    target_link_libraries(${target} PUBLIC attune_options)
  else()
    add_library(${target} INTERFACE)
    target_link_libraries(${target} INTERFACE attune_options)
  endif()
endfunction()

# target_link_libraries that takes both kinds of attune_room_library.
function(attune_room_link target scope)
  get_target_property(type ${target} TYPE)
  if(type STREQUAL "INTERFACE_LIBRARY")
    set(scope INTERFACE)
  endif()
  target_link_libraries(${target} ${scope} ${ARGN})
endfunction()

function(attune_room name)
  cmake_parse_arguments(arg "" "RANK;FOLDER" "LINK;LIBS;PRIVATE_LIBS;SOURCES;EXTRA_SOURCES" ${ARGN})
  if("${arg_RANK}" STREQUAL "" OR arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "attune_room(${name}): RANK missing, or stray arguments: ${arg_UNPARSED_ARGUMENTS}")
  endif()
  if(NOT arg_FOLDER)
    set(arg_FOLDER "lib/${name}")
  endif()
  if(NOT DEFINED arg_SOURCES)
    file(GLOB arg_SOURCES CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/${arg_FOLDER}/*.cpp")
  endif()
  attune_room_library(attune_${name} ${arg_SOURCES} ${arg_EXTRA_SOURCES})

  get_property(rooms GLOBAL PROPERTY ATTUNE_ROOMS)
  foreach(other IN LISTS rooms)
    attune_room_rank(${other} other_rank)
    if(other_rank LESS arg_RANK AND NOT other IN_LIST ATTUNE_MACHINE_ROOMS)
      list(APPEND arg_LINK ${other})
    endif()
  endforeach()
  list(REMOVE_DUPLICATES arg_LINK)
  list(REVERSE arg_LINK)  # highest rank first, as the linker wants archives
  foreach(other IN LISTS arg_LINK)
    attune_room_rank(${other} other_rank)
    if(NOT other_rank LESS arg_RANK)
      message(FATAL_ERROR "room ${name} (rank ${arg_RANK}) may not link room ${other} (rank ${other_rank})")
    endif()
    attune_room_link(attune_${name} PUBLIC attune_${other})
  endforeach()
  attune_room_link(attune_${name} PUBLIC ${arg_LIBS})
  attune_room_link(attune_${name} PRIVATE ${arg_PRIVATE_LIBS})

  set_property(GLOBAL PROPERTY ATTUNE_RANK_${name} ${arg_RANK})
  set_property(GLOBAL APPEND PROPERTY ATTUNE_ROOMS ${name})
endfunction()
