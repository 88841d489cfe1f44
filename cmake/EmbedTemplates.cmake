# The text of kernel_templates/ as a source file of room specialize: the library needs no data files at run time.
# The generated file defines attune::embedded_templates() of lib/specialize/embedded_templates.h.
function(attune_embed_templates out_variable)
  set(folder "${PROJECT_SOURCE_DIR}/kernel_templates")
  file(GLOB_RECURSE templates CONFIGURE_DEPENDS RELATIVE "${folder}" "${folder}/*")
  list(FILTER templates EXCLUDE REGEX "(^|/)[.#]|~$")  # what editors leave behind
  list(SORT templates)

  # The list is a file, and a dependency: taking a template away must regenerate as well.
  set(list_file "${PROJECT_BINARY_DIR}/generated/embedded_templates.list")
  list(JOIN templates "\n" list_text)
  file(CONFIGURE OUTPUT "${list_file}" CONTENT "${list_text}" @ONLY)

  set(output "${PROJECT_BINARY_DIR}/generated/embedded_templates.cpp")
  set(script "${PROJECT_SOURCE_DIR}/cmake/EmbedTemplatesScript.cmake")
  list(TRANSFORM templates PREPEND "${folder}/" OUTPUT_VARIABLE paths)
  add_custom_command(OUTPUT "${output}"
    COMMAND "${CMAKE_COMMAND}" "-DFOLDER=${folder}" "-DLIST=${list_file}" "-DOUTPUT=${output}" -P "${script}"
    DEPENDS ${paths} "${list_file}" "${script}"
    COMMENT "Embedding kernel templates" VERBATIM)
  set(${out_variable} "${output}" PARENT_SCOPE)
endfunction()
