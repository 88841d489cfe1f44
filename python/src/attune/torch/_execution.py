"""What both the operators and the eager path do: allocate results, find the device's context, execute."""
from __future__ import annotations

from typing import Any

import torch
import torch.utils.dlpack
from torch import Tensor

from attune import _native
from attune._contexts import context_of
from attune._errors import INVALID_ARGUMENT, InvalidArgument

# PyTorch 2.10 and later let an extension look into a tensor without making a Python object of what it finds.
_CAN_LOOK_INTO = hasattr(Tensor, "__dlpack_c_exchange_api__")

_GRADIENTS = (1, 2, 4)  # bits of `wanted`: dq, dk, dv
ALL_GRADIENTS = 7


def context_for(tensor: Tensor) -> _native.Context:
    """The context of the device that the tensor lies on."""
    device = tensor.device
    if device.type == "cuda":
        return context_of(f"cuda:{device.index}")
    if device.type == "cpu":
        return context_of("reference")
    raise InvalidArgument(f"q lies on {device}; attune knows CPUs and NVIDIA GPUs", INVALID_ARGUMENT)


def flags_of(deterministic: bool) -> int:
    """Plan flags: deterministic where the caller or torch.use_deterministic_algorithms() asks for it."""
    return _native.PLAN_DETERMINISTIC if deterministic or torch.are_deterministic_algorithms_enabled() else 0


def empty_output(query: Tensor, columns: int) -> Tensor:
    """A tensor of query's shape but for the columns; in query's order of memory where that is possible."""
    if query.shape[3] == columns:
        return torch.empty_like(query)
    return query.new_empty((*query.shape[:3], columns))


def empty_lse(query: Tensor, bshd: bool) -> Tensor:
    """(batch, head, query), in float32, or float64 for float64."""
    batch, first, second, _ = query.shape
    heads, rows = (second, first) if bshd else (first, second)
    dtype = torch.float64 if query.dtype == torch.float64 else torch.float32
    return torch.empty((batch, heads, rows), dtype=dtype, device=query.device)


def require_four_dimensions(query: Tensor, value: Tensor) -> None:
    """Before a result can be allocated; everything else is checked with the numbers by the library."""
    if query.dim() != 4 or value.dim() != 4:
        raise InvalidArgument(f"q has shape {tuple(query.shape)} and v {tuple(value.shape)}; both are to have 4 dimensions",
                              INVALID_ARGUMENT)


def forward(query: Tensor, key: Tensor, value: Tensor, mask: int, scale: float | None, bshd: bool, deterministic: bool,
            with_lse: bool) -> tuple[Tensor, Tensor | None]:
    """o and, where it is wanted, lse."""
    require_four_dimensions(query, value)
    context = context_for(query)
    o = empty_output(query, value.shape[3])
    lse = empty_lse(query, bshd) if with_lse else None
    q_, k_, v_, o_, lse_ = _readable(query, key, value, o, lse)
    context.forward(q_, k_, v_, o_, lse_, mask, scale, bshd, flags_of(deterministic), _stream(query), _allocator(query))
    return o, lse


def backward(dout: Tensor | None, dlse: Tensor | None, query: Tensor, key: Tensor, value: Tensor, o: Tensor, lse: Tensor,
             mask: int, scale: float | None, bshd: bool, deterministic: bool,
             wanted: int) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
    """dq, dk, dv, each where its bit of `wanted` is set. Missing gradients of o or lse are zeros."""
    context = context_for(query)
    if dout is None:
        dout = torch.zeros_like(o)
    elif dout.stride(3) != 1:  # as that of a sum, which is one number seen everywhere
        dout = dout.contiguous()
    if dlse is not None:
        dlse = dlse.contiguous()
    dq, dk, dv = (torch.empty_like(tensor) if wanted & bit else None
                  for tensor, bit in zip((query, key, value), _GRADIENTS))
    dout_, dlse_, q_, k_, v_, o_, lse_, dq_, dk_, dv_ = _readable(dout, dlse, query, key, value, o, lse, dq, dk, dv)
    context.backward(dout_, dlse_, q_, k_, v_, o_, lse_, dq_, dk_, dv_, mask, scale, bshd, flags_of(deterministic),
                     _stream(query), _allocator(query))
    return dq, dk, dv


def _readable(*tensors: Tensor | None) -> Any:
    if _CAN_LOOK_INTO:
        return tensors
    return tuple(None if tensor is None else torch.utils.dlpack.to_dlpack(tensor.detach())  # type: ignore[attr-defined]
                 for tensor in tensors)


def _stream(query: Tensor) -> int | None:
    # None: the extension asks PyTorch itself, which is faster.
    if _CAN_LOOK_INTO or not query.is_cuda:
        return None
    return int(torch.cuda.current_stream(query.device).cuda_stream)


def _allocator(query: Tensor) -> Any:
    # PyTorch's own memory: it is reused in the stream's order, and inside a CUDA graph it belongs to the graph.
    def allocate(count: int) -> Any:
        return _readable(torch.empty(count, dtype=torch.uint8, device=query.device))[0]
    return allocate
