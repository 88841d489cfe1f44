"""The error of gradients of attention, on sampled tiles. Needs PyTorch."""
from __future__ import annotations

import math

import torch

from cells import mask_offset
from measuring import TILE_ROWS, TORCH_DTYPES, ratio_of

CHUNK_ROWS = 1024  # query rows whose scores are in memory at once


class HeadGradients:
    """P and dS of one query head in `dtype`; `round_to` rounds them, and O, as a plain kernel in that type does."""

    def __init__(self, cell: dict, tensors, b: int, h: int, dtype: torch.dtype, round_to: torch.dtype | None):
        q, k, v, dout = tensors
        kv_head = h // (cell["hq"] // cell["hkv"])
        self.cell, self.scale, self.round_to = cell, 1 / math.sqrt(cell["d_qk"]), round_to
        self.q, self.dout = q[b, h].to(dtype), dout[b, h].to(dtype)
        self.k, self.v = k[b, kv_head].to(dtype), v[b, kv_head].to(dtype)
        lse = torch.cat([torch.logsumexp(self.scores(rows), dim=1) for rows in self.chunks()])
        self.lse = lse.masked_fill(lse == -math.inf, math.inf)  # a fully masked row has P = 0
        o = torch.cat([self.rounded(torch.exp(self.scores(rows) - self.lse[rows, None])) @ self.v
                       for rows in self.chunks()])
        self.delta = (self.rounded(o) * self.dout).sum(dim=1)

    def chunks(self) -> list[torch.Tensor]:
        return list(torch.arange(self.cell["nq"], device=self.q.device).split(CHUNK_ROWS))

    def rounded(self, values: torch.Tensor) -> torch.Tensor:
        return values if self.round_to is None else values.to(self.round_to).to(values.dtype)

    def scores(self, rows: torch.Tensor, keys: torch.Tensor | None = None) -> torch.Tensor:
        keys = torch.arange(self.cell["nk"], device=self.q.device) if keys is None else keys
        scores = self.q[rows] @ self.k[keys].T * self.scale
        if self.cell["causal"]:
            scores.masked_fill_(keys[None, :] > rows[:, None] + mask_offset(self.cell), -math.inf)
        return scores

    def p_and_ds(self, rows: torch.Tensor, keys: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        p = torch.exp(self.scores(rows, keys) - self.lse[rows, None])
        ds = p * (self.dout[rows] @ self.v[keys].T - self.delta[rows, None])
        return self.rounded(p), self.rounded(ds)

    def dq(self, rows: torch.Tensor) -> torch.Tensor:
        keys = torch.arange(self.cell["nk"], device=self.q.device)
        return self.p_and_ds(rows, keys)[1] @ self.k * self.scale

    def dk_and_dv(self, keys: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        dk, dv = torch.zeros_like(self.k[keys]), torch.zeros_like(self.v[keys])
        for rows in self.chunks():
            p, ds = self.p_and_ds(rows, keys)
            dk += ds.T @ self.q[rows]
            dv += p.T @ self.dout[rows]
        return dk * self.scale, dv


def tiles_of(rows: int, device: torch.device) -> list[torch.Tensor]:
    """The first and the last tile."""
    last = max(0, rows - TILE_ROWS)
    return [torch.arange(first, min(first + TILE_ROWS, rows), device=device) for first in sorted({0, last})]


def corners(cell: dict) -> list[tuple[int, int]]:
    """(batch, kv head): the first and the last."""
    return sorted({(0, 0), (cell["b"] - 1, cell["hkv"] - 1)})


def gradient_tiles(cell: dict, tensors, dtype: torch.dtype, round_to: torch.dtype | None):
    """("dq" | "dk" | "dv", batch, head, rows, values) of sampled tiles."""
    group = cell["hq"] // cell["hkv"]
    for b, kv_head in corners(cell):
        heads = [HeadGradients(cell, tensors, b, kv_head * group + i, dtype, round_to) for i in range(group)]
        for rows in tiles_of(cell["nq"], tensors[0].device):
            yield "dq", b, kv_head * group, rows, heads[0].dq(rows)
        for keys in tiles_of(cell["nk"], tensors[0].device):
            parts = [head.dk_and_dv(keys) for head in heads]
            yield "dk", b, kv_head, keys, sum(part[0] for part in parts)
            yield "dv", b, kv_head, keys, sum(part[1] for part in parts)


def gradient_error_ratio(cell: dict, tensors, gradients) -> float:
    """The worst error over its tolerance of (dq, dk, dv), by the max rule of lib/reference/compare.h."""
    kind = TORCH_DTYPES[cell["dtype"]]
    got = dict(zip(("dq", "dk", "dv"), gradients))
    # At most what rounding the largest score costs.
    largest = tensors[0].abs().max() * tensors[1].abs().sum(-1).max() / math.sqrt(cell["d_qk"])
    of_logits = 2**-22 * largest.item() if kind is torch.float32 else 0
    worst = 0.0
    exact = gradient_tiles(cell, tensors, torch.float64, None)
    plain = gradient_tiles(cell, tensors, torch.float32, kind)
    for (name, b, head, rows, reference), (_, _, _, _, naive) in zip(exact, plain):
        worst = max(worst, ratio_of(got[name][b, head, rows], reference, naive.to(kind).double(), kind, of_logits))
    return worst
