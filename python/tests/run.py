"""Runs pytest on the files it is given, as ctest does; exits with 77, and the reason, where NumPy or pytest is missing."""
import sys

try:
    import numpy  # noqa: F401
    import pytest
except ImportError as error:
    print(f"skipped: {error} in {sys.executable} (Debian: python3-numpy, python3-pytest)")
    sys.exit(77)

sys.exit(pytest.main(["-q", "-p", "no:cacheprovider", *sys.argv[1:]]))
