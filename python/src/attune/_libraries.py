"""Array libraries: how each of them makes an array, names its stream, and shows where an array lies."""
from __future__ import annotations

import sys
from typing import Any, Callable, NamedTuple

from attune import _native
from attune._errors import INVALID_ARGUMENT, WrongType

CPU, CUDA, CUDA_HOST = 1, 2, 3  # as DLPack numbers devices


class Library(NamedTuple):
    """What attune needs of an array library."""

    # (array like which, shape, whether it holds statistics) -> a new array on the same device
    empty: Callable[[Any, tuple[int, ...], bool], Any]
    # (device number) -> the stream that the library works on
    stream: Callable[[int], int]


def device_of(name: str, array: Any) -> tuple[int, int]:
    """DLPack's device type and number."""
    try:
        kind, number = array.__dlpack_device__()
    except AttributeError:
        raise WrongType(f"{name} is of {type(array)}, which has no __dlpack__: arrays of NumPy, CuPy, JAX, PyTorch and "
                        "others that have it are taken", INVALID_ARGUMENT) from None
    return int(kind), int(number)


def export(name: str, array: Any, stream: int) -> Any:
    """A DLPack capsule of the array, good while it is held; the array's own stream is waited for by `stream`."""
    kind, _ = device_of(name, array)
    # DLPack has no 0 here: the legacy default stream is 1.
    options = {"stream": stream or 1} if kind == CUDA else {}
    try:
        return array.__dlpack__(max_version=(1, 0), **options)  # 1.0 can say "read-only", older ones refuse such arrays
    except TypeError:
        return array.__dlpack__(**options)


def _numpy_empty(like: Any, shape: tuple[int, ...], statistics: bool) -> Any:
    import numpy
    dtype = like.dtype
    if statistics:
        dtype = numpy.dtype(numpy.float64 if dtype == numpy.float64 else numpy.float32)
    return numpy.empty(shape, dtype)


def _cupy_empty(like: Any, shape: tuple[int, ...], statistics: bool) -> Any:
    import cupy  # type: ignore[import-not-found, import-untyped, unused-ignore]
    dtype = like.dtype
    if statistics:
        dtype = cupy.float64 if dtype == cupy.float64 else cupy.float32
    with like.device:
        return cupy.empty(shape, dtype)


def _cupy_stream(number: int) -> int:
    import cupy
    return int(cupy.cuda.get_current_stream(number).ptr)


def _torch_empty(like: Any, shape: tuple[int, ...], statistics: bool) -> Any:
    import torch
    dtype = like.dtype
    if statistics:
        dtype = torch.float64 if dtype == torch.float64 else torch.float32
    return torch.empty(shape, dtype=dtype, device=like.device)


def _torch_stream(number: int) -> int:
    import torch
    return int(torch.cuda.current_stream(number).cuda_stream)


_KNOWN = {"numpy": Library(_numpy_empty, lambda number: 0), "cupy": Library(_cupy_empty, _cupy_stream),
          "torch": Library(_torch_empty, _torch_stream)}


def library_of(array: Any) -> Library | None:
    """The library of an array; None: one whose arrays attune cannot make itself."""
    return _KNOWN.get(type(array).__module__.partition(".")[0])


def from_buffer(like: Any, buffer: _native.Buffer) -> Any:
    """An array of `like`'s library that takes attune's memory over."""
    namespace = like.__array_namespace__() if hasattr(like, "__array_namespace__") else None
    if namespace is None or not hasattr(namespace, "from_dlpack"):
        root = type(like).__module__.partition(".")[0]
        namespace = getattr(sys.modules.get(root), "dlpack", sys.modules.get(root))
    from_dlpack = getattr(namespace, "from_dlpack", None)
    if from_dlpack is None:
        raise WrongType(f"{type(like)} has no from_dlpack to return results by", INVALID_ARGUMENT)
    return from_dlpack(buffer)
