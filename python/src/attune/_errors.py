"""The exceptions of attune. Each is an attune.Error, and the built-in exception that Python programs expect."""
from __future__ import annotations

INVALID_ARGUMENT, UNSUPPORTED, CAPACITY, WORKSPACE = 1, 2, 3, 4
OUT_OF_MEMORY, CONTEXT_LOST = 11, 12


class Error(RuntimeError):
    """What the library reported. `status` is its status, a number of attune.h."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class InvalidArgument(Error, ValueError):
    """An argument that no version could accept: shapes that do not fit, arrays on different devices."""


class WrongType(Error, TypeError):
    """Something that is no array, or of a dtype that attention does not take, or not of the others' dtype."""


class Unsupported(Error, NotImplementedError):
    """A question that makes sense and that this version cannot answer."""


class OutOfMemory(Error, MemoryError):
    """No memory for a workspace or a copy."""


class ContextLost(Error):
    """The library was closed, or its GPU was reset, or the process is a fork of the one that used it."""


_CLASSES: dict[int, type[Error]] = {
    INVALID_ARGUMENT: InvalidArgument, UNSUPPORTED: Unsupported, CAPACITY: InvalidArgument,
    WORKSPACE: InvalidArgument, OUT_OF_MEMORY: OutOfMemory, CONTEXT_LOST: ContextLost}


def error_of_status(status: int, message: str) -> Error:
    """The exception for a status of the library. Called by the extension."""
    return _CLASSES.get(status, Error)(message, status)


def error_of_type(status: int, message: str) -> Error:
    """The exception for an argument of the wrong type. Called by the extension."""
    return WrongType(message, status)
