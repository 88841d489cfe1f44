"""attune.torch.attention: attention on PyTorch's tensors."""
from __future__ import annotations

from typing import Literal, overload

import torch
from torch import Tensor
from torch.autograd import forward_ad

from attune._errors import UNSUPPORTED, Unsupported
from attune._words import LAYOUTS, MASKS, Causal, Layout, is_bshd, mask_of
from attune.torch import _eager
from attune.torch import _operators as _operators  # defines the operators


@overload
def attention(query: Tensor, key: Tensor, value: Tensor, *, causal: Causal = ..., scale: float | None = ...,
              return_lse: Literal[False] = ..., layout: Layout = ..., deterministic: bool = ...) -> Tensor: ...
@overload
def attention(query: Tensor, key: Tensor, value: Tensor, *, causal: Causal = ..., scale: float | None = ...,
              return_lse: Literal[True], layout: Layout = ..., deterministic: bool = ...) -> tuple[Tensor, Tensor]: ...
@overload
def attention(query: Tensor, key: Tensor, value: Tensor, *, causal: Causal = ..., scale: float | None = ...,
              return_lse: bool, layout: Layout = ...,
              deterministic: bool = ...) -> Tensor | tuple[Tensor, Tensor]: ...


def attention(query: Tensor, key: Tensor, value: Tensor, *, causal: Causal = False, scale: float | None = None,
              return_lse: bool = False, layout: Layout = "bhsd",
              deterministic: bool = False) -> Tensor | tuple[Tensor, Tensor]:
    """softmax(scale · q kᵀ) v, with gradients for all three and through the log-sum-exp.

    Shapes, masks and scale are those of attune.attention. Tensors on a GPU are computed there, on the current stream;
    tensors on the CPU by the reference, in double precision. Any strides but the last are taken as they are: "bshd" and
    transposed views cost no copy. Under autocast the tensors are cast to its dtype. `deterministic`, or
    torch.use_deterministic_algorithms(), makes every call give the same bits.
    """
    mask, bshd = MASKS.get(causal), LAYOUTS.get(layout)
    if mask is None or bshd is None:
        mask, bshd = mask_of(causal), is_bshd(layout)  # one of them raises
    o, lse = compute(query, key, value, mask, scale, bshd, deterministic, return_lse)
    if return_lse:
        assert lse is not None
        return o, lse
    return o


def compute(query: Tensor, key: Tensor, value: Tensor, mask: int, scale: float | None, bshd: bool, deterministic: bool,
            with_lse: bool) -> tuple[Tensor, Tensor | None]:
    """attention() in the C API's terms; lse may be there although it is not wanted."""
    is_compiling = torch.compiler.is_dynamo_compiling()
    if is_compiling or _eager.any_autocast():
        query, key, value = _autocast(query, key, value)
    if not is_compiling:
        if _eager.nobody_watches(query, key, value):
            return _eager.attention(query, key, value, mask, scale, bshd, deterministic, with_lse)
        _refuse_tangents(query, key, value)
    o, lse = torch.ops.attune.attention(query, key, value, mask, scale, bshd, deterministic)
    return o, lse


def _refuse_tangents(*tensors: Tensor) -> None:
    # PyTorch takes a custom operator's forward-mode derivative for zero, silently.
    if any(forward_ad.unpack_dual(tensor).tangent is not None for tensor in tensors):  # type: ignore[no-untyped-call]
        raise Unsupported("forward-mode derivatives (torch.func.jvp, jacfwd, dual tensors) are not supported", UNSUPPORTED)


def _autocast(query: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    kind = "cuda" if query.is_cuda else "cpu"
    if not torch.is_autocast_enabled(kind):
        return query, key, value
    dtype = torch.get_autocast_dtype(kind)
    query, key, value = (tensor.to(dtype) if tensor.is_floating_point() and tensor.dtype != torch.float64 else tensor
                         for tensor in (query, key, value))
    return query, key, value
