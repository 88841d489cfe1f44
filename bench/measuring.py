"""Timing on the GPU's own clock, and the error of an attention result. Needs PyTorch."""
from __future__ import annotations

import math
import statistics
from typing import Callable

import torch

TORCH_DTYPES = {"f16": torch.float16, "bf16": torch.bfloat16, "f32": torch.float32}
TILE_ROWS = 64  # rows judged together, as everywhere in attune


class Timer:
    """Times calls one by one, the L2 cache flushed before each."""

    def __init__(self, calls: int):
        self.calls = calls
        l2_bytes = torch.cuda.get_device_properties(torch.cuda.current_device()).L2_cache_size
        self.flush = torch.empty(2 * l2_bytes, dtype=torch.uint8, device="cuda")

    def median_seconds(self, call: Callable[[], object]) -> float:
        events = [[torch.cuda.Event(enable_timing=True) for _ in range(2)] for _ in range(self.calls)]
        for start, end in events:
            self.flush.zero_()
            start.record()
            call()
            end.record()
        torch.cuda.synchronize()
        return statistics.median(start.elapsed_time(end) * 1e-3 for start, end in events)


def visible_pairs(cell: dict) -> float:
    """Pairs of query and key that the mask lets through, per batch and head; by convention half of a square."""
    nq, nk = cell["nq"], cell["nk"]
    rows = min(nq, nk)
    return rows * nk - rows * rows / 2 if cell["causal"] else nq * nk


def flops(cell: dict) -> float:
    """By convention backward has 2.5 times the operations of forward, however a kernel does it."""
    forward = 2 * cell["b"] * cell["hq"] * visible_pairs(cell) * (cell["d_qk"] + cell["d_v"])
    return forward * (2.5 if cell["op"] == "bwd" else 1)


def sampled_tiles(cell: dict) -> list[tuple[int, int, int]]:
    """(batch, head, first row): first, last and one tile in between, in the corners of batch and heads."""
    last = max(0, cell["nq"] - TILE_ROWS)
    rows = sorted({0, last // 2 // TILE_ROWS * TILE_ROWS, last})
    pairs = sorted({(b, h) for b in (0, cell["b"] - 1) for h in (0, cell["hq"] // 2, cell["hq"] - 1)})
    return [(b, h, row) for b, h in pairs for row in rows]


def attention_rows(cell: dict, tensors, tile, dtype: torch.dtype, round_to: torch.dtype | None) -> torch.Tensor:
    """A tile of rows of attention, computed in `dtype`; `round_to` rounds P, as a kernel in that type does."""
    b, h, first = tile
    q, k, v = tensors[:3]
    kv_head = h // (cell["hq"] // cell["hkv"])
    rows = torch.arange(first, min(first + TILE_ROWS, cell["nq"]), device="cuda")
    scores = q[b, h, rows].to(dtype) @ k[b, kv_head].to(dtype).T / math.sqrt(cell["d_qk"])
    if cell["causal"]:
        keys = torch.arange(cell["nk"], device="cuda")
        scores.masked_fill_(keys[None, :] > rows[:, None] + cell["nk"] - cell["nq"], -math.inf)
    largest = scores.amax(dim=1, keepdim=True).clamp_min(torch.finfo(dtype).min)  # a fully masked row stays 0
    p = torch.exp(scores - largest)
    total = p.sum(dim=1, keepdim=True)
    if round_to is not None:
        p = p.to(round_to).to(dtype)
    return torch.where(total > 0, p @ v[b, kv_head].to(dtype) / total, 0)


def logit_magnitude(cell: dict, tensors, tile) -> torch.Tensor:
    """The largest scale * sum |q_i * k_i| of the tile: what the rounding of a score is proportional to."""
    b, h, first = tile
    q, k, _ = tensors
    rows = q[b, h, first:first + TILE_ROWS].double().abs()
    return (rows @ k[b, h // (cell["hq"] // cell["hkv"])].double().abs().T).max() / math.sqrt(cell["d_qk"])


def error_ratio(cell: dict, tensors, out: torch.Tensor) -> float:
    """The worst error over its tolerance on sampled tiles, by the max rule of lib/reference/compare.h; NaN counts as
    infinite."""
    kind = TORCH_DTYPES[cell["dtype"]]
    worst = 0.0
    for tile in sampled_tiles(cell):
        b, h, first = tile
        reference = attention_rows(cell, tensors, tile, torch.float64, None)
        naive = attention_rows(cell, tensors, tile, torch.float32, kind).to(kind).double()
        of_logits = 2**-22 * logit_magnitude(cell, tensors, tile) if kind is torch.float32 else 0
        worst = max(worst, ratio_of(out[b, h, first:first + TILE_ROWS], reference, naive, kind, of_logits))
    return worst


def ratio_of(got: torch.Tensor, reference: torch.Tensor, naive: torch.Tensor, kind: torch.dtype, of_logits) -> float:
    """A tile's error over its tolerance."""
    if kind is torch.float32:
        tolerance = 4 * (naive - reference).abs().max() + (1e-6 + of_logits) * reference.abs().max()
    else:
        rounding = (reference.to(kind).double() - reference).abs().max()
        tolerance = 2 * (naive - reference).abs().max() + 2 * rounding
    ratio = ((got.double() - reference).abs().max() / tolerance).item()
    return ratio if math.isfinite(ratio) else math.inf
