"""The contexts of this process: one for each device, made when it is first wanted."""
from __future__ import annotations

import os
import threading

from attune import _native
from attune._errors import CONTEXT_LOST, INVALID_ARGUMENT, ContextLost, Error, InvalidArgument

_lock = threading.Lock()
_contexts: dict[str, _native.Context] = {}
_closed = False


def context_of(device: str) -> _native.Context:
    """The context for "reference", "simt", "simt:sm_XX" or "cuda:N"."""
    context = _contexts.get(device)
    return context if context is not None else _open(device)


def _open(device: str) -> _native.Context:
    with _lock:
        if _closed:
            raise ContextLost("attune was closed in this process, by attune.close()", CONTEXT_LOST)
        if device not in _contexts:
            _contexts[device] = _native.Context(device)
        return _contexts[device]


def open_contexts() -> dict[str, _native.Context]:
    """Those made so far, by device."""
    with _lock:
        return dict(_contexts)


def close() -> None:
    """Closes the library for good: plans and kernels are unloaded, and every later call raises attune.ContextLost.

    Work that was queued, and CUDA graphs that hold attune's kernels, must be done with. Nothing needs this call before
    a process ends. A device that another thread is computing on is left open, and named by attune.InvalidArgument when
    all others are closed; a later close() closes it.
    """
    global _closed
    left_open = []
    with _lock:
        _closed = True
        for device, context in _contexts.items():
            try:
                context.close()
            except Error as error:
                left_open.append(f"{device}: {error}")
    if left_open:
        raise InvalidArgument("; ".join(left_open), INVALID_ARGUMENT)


def _forget() -> None:
    # A forked child can use none of its parent's contexts, but may make its own.
    global _lock
    _lock = threading.Lock()
    _contexts.clear()


os.register_at_fork(after_in_child=_forget)
