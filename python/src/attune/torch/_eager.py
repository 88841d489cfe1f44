"""The eager path: the same computation without the dispatcher, which costs more than a small attention does.

It is taken only where nobody watches: plain tensors, no tracing, no modes, no function transforms. What can watch is asked
of PyTorch's own bookkeeping, some of it private; where a name is missing, the custom operator is used always.
"""
from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd import forward_ad

from attune.torch import _execution, _operators


def _never() -> bool:
    return True


any_autocast = getattr(torch._C, "_is_any_autocast_enabled", _never)

try:
    _dispatch_modes = torch._C._len_torch_dispatch_stack
    _function_modes = torch._C._len_torch_function_stack
    _transforms = torch._C._functorch.peek_interpreter_stack
    _tracing = torch._C._get_tracing_state
    forward_ad._current_level
except AttributeError:  # another PyTorch
    _dispatch_modes = _function_modes = _transforms = _tracing = _never  # type: ignore[assignment]


def nobody_watches(query: Tensor, key: Tensor, value: Tensor) -> bool:
    """Whether the tensors may be computed on directly."""
    return (type(query) is Tensor and type(key) is Tensor and type(value) is Tensor and not _dispatch_modes()
            and not _function_modes() and _transforms() is None and _tracing() is None and forward_ad._current_level < 0
            and not (query.is_neg() or key.is_neg() or value.is_neg()))  # the dispatcher would negate the memory


class _Attention(torch.autograd.Function):
    """apply(query, key, value, options): o, or o and lse. Each argument and each result more costs half a microsecond."""

    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, value: Tensor,
                options: tuple[int, float | None, bool, bool, bool]) -> Tensor | tuple[Tensor, Tensor]:
        mask, scale, bshd, deterministic, with_lse = options
        o, lse = _execution.forward(query, key, value, mask, scale, bshd, deterministic, with_lse=True)
        assert lse is not None
        ctx.save_for_backward(query, key, value, o, lse)
        ctx.options = options[:4]
        ctx.set_materialize_grads(False)
        return (o, lse) if with_lse else o

    @staticmethod
    def backward(ctx: Any, dout: Tensor | None, dlse: Tensor | None = None) -> tuple[Tensor | None, ...]:
        # NOTE: create_graph=True. Gradients that hang in no graph would be constants to a penalty on them.
        if torch.is_grad_enabled():
            return (*_operators.backward(ctx, dout, dlse)[:3], None)
        wanted = sum(bit for bit, needed in zip((1, 2, 4), ctx.needs_input_grad) if needed)
        if (dout is None and dlse is None) or wanted == 0:
            return None, None, None, None
        query, key, value, o, lse = ctx.saved_tensors
        mask, scale, bshd, deterministic = ctx.options
        gradients = _execution.backward(dout, dlse, query, key, value, o, lse, mask, scale, bshd, deterministic, wanted)
        return (*gradients, None)


# Function.apply without what it does for transforms of torch.func, of which there are none here.
_apply: Any = super(torch.autograd.Function, _Attention).apply


def attention(query: Tensor, key: Tensor, value: Tensor, mask: int, scale: float | None, bshd: bool, deterministic: bool,
              with_lse: bool) -> tuple[Tensor, Tensor | None]:
    """o and, where it is wanted, lse."""
    if torch.is_grad_enabled() and (query.requires_grad or key.requires_grad or value.requires_grad):
        result: Any = _apply(query, key, value, (mask, scale, bshd, deterministic, with_lse))
        return result if with_lse else (result, None)
    return _execution.forward(query, key, value, mask, scale, bshd, deterministic, with_lse)
