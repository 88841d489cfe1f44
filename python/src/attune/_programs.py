"""The programs that come with the library, as scripts of the package."""
from __future__ import annotations

import os
import sys
from typing import NoReturn

from attune._info import programs_folder


def _run(name: str) -> NoReturn:
    program = programs_folder() / name
    if not program.exists():
        raise SystemExit(f"{name}: {program} is not there")
    os.execv(program, [name, *sys.argv[1:]])


def tune() -> NoReturn:
    """attune-tune."""
    _run("attune-tune")


def inspect() -> NoReturn:
    """attune-inspect."""
    _run("attune-inspect")


def bench() -> NoReturn:
    """attune-bench."""
    _run("attune-bench")
