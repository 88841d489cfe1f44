"""Timing on the GPU's own clock, and the error of an attention result. Needs PyTorch."""
from __future__ import annotations

import math
import statistics
from typing import Callable

import torch

from cells import mask_offset

TORCH_DTYPES = {"f16": torch.float16, "bf16": torch.bfloat16, "f32": torch.float32, "f64": torch.float64}
TILE_ROWS = 64  # rows judged together, as everywhere in attune


SLOW_SECONDS, SLOW_CALLS = 0.02, 3  # a call that takes longer is steady enough to be timed so few times a round


class Timer:
    """Times calls one by one, the L2 cache flushed before each."""

    def __init__(self, calls: int):
        self.calls = calls
        self.l2_bytes = torch.cuda.get_device_properties(torch.cuda.current_device()).L2_cache_size
        self.flush = torch.empty(2 * self.l2_bytes, dtype=torch.uint8, device="cuda")

    def calls_for(self, seconds: float) -> int:
        return min(self.calls, SLOW_CALLS) if seconds > SLOW_SECONDS else self.calls

    def median_seconds(self, call: Callable[[], object], calls: int | None = None) -> float:
        events = [[torch.cuda.Event(enable_timing=True) for _ in range(2)] for _ in range(calls or self.calls)]
        for start, end in events:
            self.flush.zero_()
            start.record()
            call()
            end.record()
        torch.cuda.synchronize()
        return statistics.median(start.elapsed_time(end) * 1e-3 for start, end in events)


def copies_for(cell_bytes: int, l2_bytes: int) -> int:
    """How many sets of tensors outgrow the L2 cache twice over; at most 50, which a problem of kilobytes does not."""
    return min(50, max(4, math.ceil(2 * l2_bytes / cell_bytes)))


class Replay:
    """A captured graph of calls on rotating tensors, for problems so short that a pair of events says nothing of them.

    One call per set of tensors; what the host and PyTorch's dispatch cost is left out, for everybody alike.
    """

    def __init__(self, provider, tensor_sets: list):
        self.calls = [provider.on(tensors) for tensors in tensor_sets]
        self.graph = torch.cuda.CUDAGraph()
        stream = torch.cuda.Stream()  # a capture wants one that is not the default, warmed up on it
        stream.wait_stream(torch.cuda.current_stream())
        with provider.scope(), torch.cuda.stream(stream):
            for call in self.calls:
                call()
            torch.cuda.synchronize()
            with torch.cuda.graph(self.graph, stream=stream, capture_error_mode="thread_local"):
                self.outputs = [call() for call in self.calls]
        self.graph.replay()
        torch.cuda.synchronize()

    def median_seconds(self, timer: Timer) -> float:
        """Of one call."""
        return timer.median_seconds(self.graph.replay) / len(self.calls)


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
    rows = torch.arange(first, min(first + TILE_ROWS, cell["nq"]), device=q.device)
    scores = q[b, h, rows].to(dtype) @ k[b, kv_head].to(dtype).T / math.sqrt(cell["d_qk"])
    if cell["causal"]:
        keys = torch.arange(cell["nk"], device=q.device)
        scores.masked_fill_(keys[None, :] > rows[:, None] + mask_offset(cell), -math.inf)
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
    if kind is torch.float64:  # the reference has no more digits than what it judges
        tolerance = 1e-12 * reference.abs().max()
    elif kind is torch.float32:
        tolerance = 4 * (naive - reference).abs().max() + (1e-6 + of_logits) * reference.abs().max()
    else:
        rounding = (reference.to(kind).double() - reference).abs().max()
        tolerance = 2 * (naive - reference).abs().max() + 2 * rounding
    error = (got.double() - reference).abs().max()
    if error == 0:  # where a mask leaves nothing the tolerance is 0, too
        return 0.0
    ratio = (error / tolerance).item()
    return ratio if math.isfinite(ratio) else math.inf
