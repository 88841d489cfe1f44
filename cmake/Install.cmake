# What a user gets: the library, one header, two programs, and a way to find them from CMake and from pkg-config.
include(CMakePackageConfigHelpers)

get_property(programs GLOBAL PROPERTY ATTUNE_PROGRAMS)
list(REMOVE_ITEM programs attune-bench attune-demo attune-docs)  # tools of this repository
if(programs)
  install(TARGETS ${programs} RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}")
endif()

if(TARGET attune)
  set(package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/attune")
  install(TARGETS attune EXPORT attune-targets LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}")
  install(FILES "${PROJECT_SOURCE_DIR}/lib/include/attune/attune.h" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}/attune")
  install(EXPORT attune-targets NAMESPACE attune:: DESTINATION "${package_dir}")

  configure_package_config_file(cmake/attune-config.cmake.in "${PROJECT_BINARY_DIR}/attune-config.cmake"
    INSTALL_DESTINATION "${package_dir}" NO_SET_AND_CHECK_MACRO)
  write_basic_package_version_file("${PROJECT_BINARY_DIR}/attune-config-version.cmake" COMPATIBILITY SameMinorVersion)
  install(FILES "${PROJECT_BINARY_DIR}/attune-config.cmake" "${PROJECT_BINARY_DIR}/attune-config-version.cmake"
    DESTINATION "${package_dir}")

  # The prefix in attune.pc is relative to the file, so an installed tree may be moved (cmake --install --prefix).
  file(RELATIVE_PATH pc_to_prefix "${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig" "${CMAKE_INSTALL_PREFIX}")
  configure_file(cmake/attune.pc.in "${PROJECT_BINARY_DIR}/attune.pc" @ONLY)
  install(FILES "${PROJECT_BINARY_DIR}/attune.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
endif()
