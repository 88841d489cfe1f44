"""What both the operators and the eager path do: allocate results, find the device's context, execute."""
from __future__ import annotations

import os
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


_by_number: dict[int, _native.Context] = {}  # PyTorch's numbers: -1 is the CPU


def context_for(tensor: Tensor) -> _native.Context:
    """The context of the device that the tensor lies on."""
    context = _by_number.get(tensor.get_device())
    return context if context is not None and not tensor.is_meta else _find_context(tensor)


def _find_context(tensor: Tensor) -> _native.Context:
    device = tensor.device
    if device.type == "cuda":
        context = context_of(f"cuda:{device.index}")
    elif device.type == "cpu":
        context = context_of("reference")
    else:
        raise InvalidArgument(f"q lies on {device}; attune knows CPUs and NVIDIA GPUs", INVALID_ARGUMENT)
    _by_number[tensor.get_device()] = context
    return context


os.register_at_fork(after_in_child=_by_number.clear)


def flags_of(deterministic: bool) -> int:
    """Plan flags: deterministic where the caller or torch.use_deterministic_algorithms() asks for it."""
    return _native.PLAN_DETERMINISTIC if deterministic or torch.are_deterministic_algorithms_enabled() else 0


def empty_output(query: Tensor, columns: int) -> Tensor:
    """A tensor of query's shape but for the columns; in query's order of memory where that is possible."""
    if query.size(3) == columns:
        return torch.empty_like(query)
    return query.new_empty((*query.shape[:3], columns))


def empty_lse(query: Tensor, bshd: bool) -> Tensor:
    """(batch, head, query), in float32, or float64 for float64."""
    batch, first, second, _ = query.shape
    heads, rows = (second, first) if bshd else (first, second)
    dtype = torch.float64 if query.dtype == torch.float64 else torch.float32
    return query.new_empty((batch, heads, rows), dtype=dtype)


def require_four_dimensions(query: Tensor, value: Tensor) -> None:
    """Before a result can be allocated; everything else is checked with the numbers by the library."""
    if query.ndim != 4 or value.ndim != 4:
        raise InvalidArgument(f"q has shape {tuple(query.shape)} and v {tuple(value.shape)}; both are to have 4 dimensions",
                              INVALID_ARGUMENT)


def forward(query: Tensor, key: Tensor, value: Tensor, mask: int, scale: float | None, bshd: bool, deterministic: bool,
            with_lse: bool) -> tuple[Tensor, Tensor | None]:
    """o and, where it is wanted, lse."""
    require_four_dimensions(query, value)
    context = context_for(query)
    o = empty_output(query, value.size(3))
    lse = empty_lse(query, bshd) if with_lse else None
    flags = flags_of(deterministic)
    if _CAN_LOOK_INTO:
        context.forward(query, key, value, o, lse, mask, scale, bshd, flags, None, _allocate)
    else:
        q_, k_, v_, o_, lse_ = _exported(query, key, value, o, lse)
        context.forward(q_, k_, v_, o_, lse_, mask, scale, bshd, flags, _stream(query), _allocator(query))
    return o, lse


def backward(dout: Tensor | None, dlse: Tensor | None, query: Tensor, key: Tensor, value: Tensor, o: Tensor, lse: Tensor,
             mask: int, scale: float | None, bshd: bool, deterministic: bool,
             wanted: int) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
    """dq, dk, dv, each where its bit of `wanted` is set. Missing gradients of o or lse are zeros."""
    context = context_for(query)
    if dout is None:
        dout = torch.zeros_like(o)
    else:
        dout = dout.resolve_neg()  # what a view only says of its memory, nobody sees who looks into that
        if dout.stride(3) != 1:  # as that of a sum, which is one number seen everywhere
            dout = dout.contiguous()
    if dlse is not None:
        dlse = dlse.resolve_neg().contiguous()
    dq, dk, dv = (torch.empty_like(tensor) if wanted & bit else None
                  for tensor, bit in zip((query, key, value), _GRADIENTS))
    flags = flags_of(deterministic)
    if _CAN_LOOK_INTO:
        context.backward(dout, dlse, query, key, value, o, lse, dq, dk, dv, mask, scale, bshd, flags, None, _allocate)
    else:
        dout_, dlse_, q_, k_, v_, o_, lse_, dq_, dk_, dv_ = _exported(dout, dlse, query, key, value, o, lse, dq, dk, dv)
        context.backward(dout_, dlse_, q_, k_, v_, o_, lse_, dq_, dk_, dv_, mask, scale, bshd, flags, _stream(query),
                         _allocator(query))
    return dq, dk, dv


def _allocate(like: Tensor, count: int) -> Tensor:
    # PyTorch's own memory: it is reused in the stream's order, and inside a CUDA graph it belongs to the graph.
    return torch.empty(count, dtype=torch.uint8, device=like.device)


# For a PyTorch that lets nobody look into its tensors: capsules.


def _exported(*tensors: Tensor | None) -> Any:
    return tuple(None if tensor is None else torch.utils.dlpack.to_dlpack(tensor.detach())  # type: ignore[attr-defined]
                 for tensor in tensors)


def _stream(query: Tensor) -> int:
    return int(torch.cuda.current_stream(query.device).cuda_stream) if query.is_cuda else 0


def _allocator(query: Tensor) -> Any:
    return lambda _, count: _exported(_allocate(query, count))[0]
