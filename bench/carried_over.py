"""Figures of other programs that are not measured in a run but carried over, to stand beside it."""
from __future__ import annotations

# The superseded Triton implementation of FlashAttention-2, forward, f16, non-causal: its own benchmark, on an H200, on
# 2026-11-22. NOTE: not interleaved with anything, so no ratio of a run may be taken with it.
SOURCE = "the superseded Triton project's own benchmark, NVIDIA H200, 2026-11-22; not interleaved"
TRITON = {(64, 2048): 402.0, (128, 2048): 454.0}  # (head dimension, length): TFLOP/s


def carried_over(cell: dict) -> dict:
    """What is known of the cell from elsewhere: {provider: {"tflops", "source"}}; empty for most."""
    alike = (cell["op"] == "fwd" and cell["dtype"] == "f16" and not cell["causal"] and cell["hq"] == cell["hkv"]
             and cell["nq"] == cell["nk"] and cell["d_qk"] == cell["d_v"])
    tflops = TRITON.get((cell["d_qk"], cell["nq"])) if alike else None
    return {"triton": {"tflops": tflops, "source": SOURCE}} if tflops else {}
