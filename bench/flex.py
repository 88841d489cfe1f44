"""PyTorch's FlexAttention, compiled for one cell."""
from __future__ import annotations

import contextlib
import copy

import torch
import torch._functorch.config
from torch.nn.attention.flex_attention import BlockMask, create_block_mask, flex_attention

from cells import mask_offset

# Gradients are taken of one forward pass again and again, which code compiled to reuse its buffers refuses.
torch._functorch.config.donated_buffer = False


def block_mask(cell: dict, device: str) -> BlockMask | None:
    """Which blocks the kernel may pass over; of a causal cell only."""
    if not cell["causal"]:
        return None
    offset = mask_offset(cell)

    def visible(batch, head, query, key):
        return query + offset >= key

    return create_block_mask(visible, None, None, cell["nq"], cell["nk"], device=device)


class Flex:
    """Compiles at its first call, which belongs to the warm-up and is not timed."""

    def __init__(self, cell: dict, tensors):
        # A fresh start for every cell: after some shapes dynamo gives up compiling and would run it uncompiled.
        torch._dynamo.reset()
        self.tensors = tensors
        self.compiled = torch.compile(flex_attention, dynamic=False, fullgraph=True)
        self.options = dict(block_mask=block_mask(cell, tensors[0].device.type), enable_gqa=cell["hq"] != cell["hkv"])

    def on(self, tensors) -> Flex:
        other = copy.copy(self)
        other.tensors = tensors
        return other

    def scope(self):
        return contextlib.nullcontext()

    def __call__(self) -> torch.Tensor:
        return self.compiled(*self.tensors, **self.options)

    def close(self) -> None:
        pass
