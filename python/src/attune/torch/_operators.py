"""The custom operators attune::attention and attune::attention_backward: what torch.compile, fake tensors and tracing see."""
from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from attune.torch import _execution


@torch.library.custom_op("attune::attention", mutates_args=(), device_types=("cpu", "cuda"))
def attention(query: Tensor, key: Tensor, value: Tensor, mask: int, scale: float | None, bshd: bool,
              deterministic: bool) -> tuple[Tensor, Tensor]:
    """o and lse. `mask` is a number of the C API; `bshd`: the sequence comes before the head."""
    o, lse = _execution.forward(query, key, value, mask, scale, bshd, deterministic, with_lse=True)
    assert lse is not None
    return o, lse


@attention.register_fake
def _(query: Tensor, key: Tensor, value: Tensor, mask: int, scale: float | None, bshd: bool,
      deterministic: bool) -> tuple[Tensor, Tensor]:
    _execution.require_four_dimensions(query, value)
    return _execution.empty_output(query, value.shape[3]), _execution.empty_lse(query, bshd)


@torch.library.custom_op("attune::attention_backward", mutates_args=(), device_types=("cpu", "cuda"))
def attention_backward(dout: Tensor | None, dlse: Tensor | None, query: Tensor, key: Tensor, value: Tensor, o: Tensor,
                       lse: Tensor, mask: int, scale: float | None, bshd: bool, deterministic: bool,
                       wanted: int) -> tuple[Tensor, Tensor, Tensor]:
    """dq, dk, dv; what `wanted` (1, 2, 4) does not name is an empty tensor."""
    gradients = _execution.backward(dout, dlse, query, key, value, o, lse, mask, scale, bshd, deterministic, wanted)
    dq, dk, dv = (query.new_empty(0) if gradient is None else gradient for gradient in gradients)
    return dq, dk, dv


@attention_backward.register_fake
def _(dout: Tensor | None, dlse: Tensor | None, query: Tensor, key: Tensor, value: Tensor, o: Tensor, lse: Tensor,
      mask: int, scale: float | None, bshd: bool, deterministic: bool, wanted: int) -> tuple[Tensor, Tensor, Tensor]:
    dq, dk, dv = (torch.empty_like(tensor) if wanted & bit else query.new_empty(0)
                  for tensor, bit in ((query, 1), (key, 2), (value, 4)))
    return dq, dk, dv


def _setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    query, key, value, *ctx.options = inputs
    ctx.set_materialize_grads(False)
    ctx.save_for_backward(query, key, value, *output)


def backward(ctx: Any, dout: Tensor | None, dlse: Tensor | None) -> tuple[Tensor | None, ...]:
    """By the operator, which has no derivative itself and raises where somebody asks for one."""
    wanted = sum(bit for bit, needed in zip((1, 2, 4), ctx.needs_input_grad) if needed)
    if (dout is None and dlse is None) or wanted == 0:
        return (None,) * 7
    gradients = torch.ops.attune.attention_backward(dout, dlse, *ctx.saved_tensors, *ctx.options, wanted)
    return (*(gradient if wanted & bit else None for gradient, bit in zip(gradients, (1, 2, 4))), None, None, None, None)


attention.register_autograd(backward, setup_context=_setup_context)
