# attune_pack_recordings(<objects variable> ROOMS <rooms> LIBS <targets>) : packs recordings/*.jsonl into an SQLite file, which
# lib/db/shipped_bytes.S takes into the library.
#
# The packer writes the file with the library's own schema, so room db comes in two steps: its objects without
# shipped_db.cpp, which the packer links, and the room's archive of all. The variable gets those objects.
set(ATTUNE_RECORDINGS_DIR "${PROJECT_SOURCE_DIR}/recordings" CACHE PATH "recordings that the library ships (*.jsonl)")
mark_as_advanced(ATTUNE_RECORDINGS_DIR)

enable_language(ASM)

function(attune_pack_recordings out_variable)
  cmake_parse_arguments(arg "" "" "ROOMS;LIBS" ${ARGN})
  set(shipped "${PROJECT_SOURCE_DIR}/lib/db/shipped_db.cpp")
  file(GLOB sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/lib/db/*.cpp")
  list(REMOVE_ITEM sources "${shipped}")
  list(TRANSFORM arg_ROOMS PREPEND attune_)
  add_library(attune_db_objects OBJECT ${sources})
  target_link_libraries(attune_db_objects PUBLIC attune_options ${arg_ROOMS} ${arg_LIBS})

  add_executable(attune_pack_recordings "${PROJECT_SOURCE_DIR}/cmake/pack_recordings.cpp")
  target_link_libraries(attune_pack_recordings PRIVATE attune_db_objects)
  set_target_properties(attune_pack_recordings PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/generated")
  attune_finish_executable(attune_pack_recordings)

  set(packed "${PROJECT_BINARY_DIR}/generated/shipped.db")
  file(GLOB recordings CONFIGURE_DEPENDS "${ATTUNE_RECORDINGS_DIR}/*.jsonl")
  list(SORT recordings)
  # The list is a file, and a dependency: taking a recording away must pack again as well.
  set(list_file "${PROJECT_BINARY_DIR}/generated/recordings.list")
  list(JOIN recordings "\n" list_text)
  file(CONFIGURE OUTPUT "${list_file}" CONTENT "${list_text}" @ONLY)
  add_custom_command(OUTPUT "${packed}"
    COMMAND attune_pack_recordings "${packed}" ${recordings}
    DEPENDS attune_pack_recordings "${list_file}" ${recordings}
    COMMENT "Packing recordings" VERBATIM)
  set(bytes "${PROJECT_SOURCE_DIR}/lib/db/shipped_bytes.S")
  set_source_files_properties("${bytes}" PROPERTIES
    OBJECT_DEPENDS "${packed}" COMPILE_DEFINITIONS "ATTUNE_SHIPPED_DB=\"${packed}\"")
  set(${out_variable} "${shipped}" "${bytes}" "${packed}" $<TARGET_OBJECTS:attune_db_objects> PARENT_SCOPE)
endfunction()
