# libattune.so: room capi as objects, every other room as an archive behind it.
#
# capi goes in as objects, since --exclude-libs,ALL would hide its symbols if they came from an archive. The version
# script is needed besides hidden visibility: templates of the standard library carry default visibility.
get_target_property(capi_type attune_capi TYPE)
if(capi_type STREQUAL "STATIC_LIBRARY")
  add_library(attune SHARED $<TARGET_OBJECTS:attune_capi>)
  set_target_properties(attune PROPERTIES LINKER_LANGUAGE CXX)
  get_target_property(capi_links attune_capi LINK_LIBRARIES)
  target_link_libraries(attune PRIVATE ${capi_links})
  target_include_directories(attune INTERFACE
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/lib/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  set(version_script "${PROJECT_SOURCE_DIR}/cmake/attune.map")
  target_link_options(attune PRIVATE
    LINKER:--exclude-libs,ALL LINKER:--no-undefined "LINKER:--version-script=${version_script}")
  if(ATTUNE_SANITIZE)
    # The sanitizers' run time is in the executable only.
    target_link_options(attune PRIVATE LINKER:-z,undefs)
  endif()
  set_target_properties(attune PROPERTIES
    LINK_DEPENDS "${version_script}"
    VERSION ${PROJECT_VERSION}
    # Below 1.0 a minor version may change the ABI.
    SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
  add_library(attune::attune ALIAS attune)
else()
  message(STATUS "lib/capi has no sources yet: libattune.so is left out")
endif()
