"""Results as compare.py writes them, made up. Importing this finds bench/."""
from __future__ import annotations

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent.parent / "bench"))

import carried_over
import cells


def row(n: int, d: int, tflops: dict, dtype: str = "bf16", causal: bool = False) -> dict:
    one = cells.cell(dtype, 16384 // n, 2048 // d, 2048 // d, n, d, causal)
    return {**one, "tflops": tflops, "refused": {}, "carried_over": carried_over.carried_over(one)}


def result(*rows: dict, **head) -> dict:
    return {"gpu": "NVIDIA H200", "date": "2026-11-22", "commit": "abc", "rounds": 3, "ceiling_tflops": [780, 800, 790],
            **head, "rows": list(rows)}
