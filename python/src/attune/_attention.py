"""attune.attention: attention on arrays of any library."""
from __future__ import annotations

from typing import Any

from attune import _native
from attune._contexts import context_of
from attune._errors import INVALID_ARGUMENT, InvalidArgument, WrongType
from attune._libraries import CPU, CUDA, CUDA_HOST, Library, device_of, export, from_buffer, library_of
from attune._words import Causal, Layout, is_bshd, mask_of


def attention(q: Any, k: Any, v: Any, *, causal: Causal = False, scale: float | None = None, return_lse: bool = False,
              layout: Layout = "bhsd", device: str | None = None, stream: int | None = None) -> Any:
    """softmax(scale · q kᵀ) v, computed where the arrays lie.

    q is (batch, heads, queries, d), k (batch, kv_heads, keys, d) and v (batch, kv_heads, keys, d_v), of float16,
    bfloat16, float32 or float64; with layout="bshd" heads and sequence change places. heads is a multiple of kv_heads.
    The last axis is contiguous; other strides are free. Returns an array of q's library and dtype; with return_lse=True
    also the log-sum-exp of every row, (batch, heads, queries) in float32 (float64 for float64).

    causal      True or "bottom_right": query i sees key j when j <= i + keys - queries; "top_left": when j <= i
    scale       1 / sqrt(d) when it is not given
    device      for arrays in host memory: "reference" (the default: double precision, multi-threaded), "simt" or
                "simt:sm_XX" (the GPU's kernels on the emulator: for tests, slow)
    stream      address of the CUDA stream to work on; default: the stream that the arrays' library works on

    PyTorch's tensors take part in autograd, by way of attune.torch, unless device or stream is given.
    """
    if device is None and stream is None and type(q).__module__.partition(".")[0] == "torch":
        from attune.torch import attention as torch_attention
        return torch_attention(q, k, v, causal=causal, scale=scale, return_lse=return_lse, layout=layout)
    mask, bshd = mask_of(causal), is_bshd(layout)
    kind, number = device_of("q", q)
    device_of("v", v)  # before its shape is asked for: it may be no array
    context = context_of(_device_word(kind, number, device))
    library = library_of(q)
    if stream is None:
        stream = library.stream(number) if library and kind == CUDA else 0
    shape, shape_of_lse = _result_shapes(q, v, bshd)
    o = _Output(context, library, q, shape)
    lse = _Output(context, library, q, shape_of_lse, statistics=True) if return_lse else None
    q_, k_, v_, o_ = (export(name, _detached(array), stream)
                      for name, array in (("q", q), ("k", k), ("v", v), ("o", o.target)))
    lse_ = export("lse", lse.target, stream) if lse else None
    context.forward(q_, k_, v_, o_, lse_, mask, scale, bshd, 0, stream, None)
    if library is None and kind == CUDA:
        context.synchronize(stream)  # from_dlpack of an unknown library waits for no stream of ours
    return (o.result(), lse.result()) if lse else o.result()


class _Output:
    """An array to be written: the library's own, or attune's memory, which the library takes over."""

    def __init__(self, context: _native.Context, library: Library | None, like: Any, shape: tuple[int, ...],
                 statistics: bool = False) -> None:
        self._like, self._is_own = like, library is not None
        self.target = (library.empty(like, shape, statistics) if library
                       else context.buffer(shape, _dtype_number(like, statistics)))

    def result(self) -> Any:
        return self.target if self._is_own else from_buffer(self._like, self.target)


def _detached(array: Any) -> Any:
    # PyTorch exports no tensor that wants a gradient; this function computes none.
    return array.detach() if getattr(array, "requires_grad", False) else array


def _device_word(kind: int, number: int, wanted: str | None) -> str:
    if kind == CUDA and wanted in (None, "cuda", f"cuda:{number}"):
        return f"cuda:{number}"
    if kind in (CPU, CUDA_HOST) and (wanted in (None, "reference") or str(wanted).startswith("simt")):
        return wanted or "reference"
    if kind in (CPU, CUDA, CUDA_HOST):
        place = f"cuda:{number}" if kind == CUDA else "host memory: reference, simt or simt:sm_XX"
        raise InvalidArgument(f"device = {wanted!r}, but the arrays lie in {place}", INVALID_ARGUMENT)
    raise InvalidArgument(f"q lies on a device of DLPack type {kind}; attune knows CPUs and NVIDIA GPUs", INVALID_ARGUMENT)


def _result_shapes(q: Any, v: Any, bshd: bool) -> tuple[tuple[int, ...], tuple[int, ...]]:
    if len(q.shape) != 4 or len(v.shape) != 4:
        raise InvalidArgument(f"q has shape {tuple(q.shape)} and v {tuple(v.shape)}; both are to have 4 dimensions",
                              INVALID_ARGUMENT)
    batch, heads, queries = (q.shape[0], q.shape[2], q.shape[1]) if bshd else (q.shape[0], q.shape[1], q.shape[2])
    return (*q.shape[:3], v.shape[3]), (batch, heads, queries)


def _dtype_number(array: Any, statistics: bool) -> int:
    numbers = {"float16": _native.F16, "bfloat16": _native.BF16, "float32": _native.F32, "float64": _native.F64}
    number = numbers.get(str(array.dtype).rpartition(".")[2])
    if number is None:
        raise WrongType(f"q is of {array.dtype}; attention takes float16, bfloat16, float32 and float64", INVALID_ARGUMENT)
    if statistics:
        return _native.F64 if number == _native.F64 else _native.F32
    return number
