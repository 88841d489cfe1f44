// Catch2 version 2: the main function of every test program, compiled once. Version 3 brings its own.
#define CATCH_CONFIG_MAIN
#include <catch2/catch.hpp>
