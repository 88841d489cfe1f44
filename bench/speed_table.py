#!/usr/bin/env python3
"""Writes the figures of a comparison into README.md, between its marker comments, so that none is copied by hand.

    python3 bench/speed_table.py            # the newest comparison of bench/results
    python3 bench/speed_table.py --check    # exit status 1 when README says something else
"""
from __future__ import annotations

import argparse
import math
import pathlib
import statistics
import sys

from results_file import RESULTS, grid_rows, load, medians, newest

ROOT = RESULTS.parent.parent
OPEN, CLOSE = "<!-- measured: speed -->\n", "<!-- /measured -->\n"
PROVIDERS = {"attune": "attune", "fa2": "FA2", "cudnn": "cuDNN", "efficient": "memory-efficient",
             "triton": "Triton ¹"}
SHOWN_LENGTHS = (2048, 4096, 16384)  # the rest is in the file and in the plots


def geometric_mean(rows: list[dict], peer: str) -> tuple[float, int]:
    """Of attune over a peer, and of how many cells."""
    ratios = [medians(row)["attune"] / medians(row)[peer] for row in rows if peer in medians(row)]
    return (math.exp(statistics.fmean(map(math.log, ratios))), len(ratios)) if ratios else (math.nan, 0)


def figures_of(row: dict) -> dict[str, float]:
    carried = {name: figure["tflops"] for name, figure in row.get("carried_over", {}).items()}
    return {**medians(row), **carried}


def table(rows: list[dict]) -> str:
    used = [name for name in PROVIDERS if any(name in figures_of(row) for row in rows)]
    lines = ["| dtype | heads | N | D | causal | " + " | ".join(PROVIDERS[name] for name in used) + " | attune / FA2 |",
             "|---|---|---|---|---|" + "---|" * len(used) + "---|"]
    for row in rows:
        figures = figures_of(row)
        ratio = f"{figures['attune'] / figures['fa2']:.2f}" if {"attune", "fa2"} <= figures.keys() else ""
        values = [f"{figures[name]:.0f}" if name in figures else "" for name in used]
        shape = [row["dtype"], f"{row['hq']}/{row['hkv']}", str(row["nk"]), str(row["d_qk"]),
                 "yes" if row["causal"] else "no"]
        lines.append("| " + " | ".join(shape + values + [ratio]) + " |")
    return "\n".join(lines) + "\n"


def means_text(result: dict) -> str:
    sentences = []
    for dtype in ("bf16", "f16"):
        rows = grid_rows(result, dtype)
        parts = []
        for peer, name in (("fa2", "FlashAttention-2"), ("cudnn", "cuDNN")):
            mean, count = geometric_mean(rows, peer)
            if count > 1:
                parts.append(f"{mean:.2f} of {name} ({count} cells)")
        if parts:
            sentences.append(f"In {dtype} the geometric mean of attune is " + " and ".join(parts) + ".")
    return "\n".join(sentences)


def speed_markdown(result: dict, path: str) -> str:
    rows = [row for row in result["rows"] if row["nq"] in SHOWN_LENGTHS and figures_of(row)]
    ceiling = statistics.median(result["ceiling_tflops"])
    name = pathlib.PurePosixPath(path).name
    text = (f"{result['gpu']}, {result['date']}, forward, TFLOP/s: medians of {result['rounds']} interleaved rounds, "
            f"L2 flushed, from\n[{name}]({path}). An 8192³ bf16 matrix product reached {ceiling:.0f} in the\nsame "
            f"run.\n{means_text(result)}\n\n{table(rows)}")
    sources = {figure["source"] for row in rows for figure in row.get("carried_over", {}).values()}
    return text + "".join(f"\n¹ Carried over: {source}.\n" for source in sorted(sources))


def replaced(document: str, block: str) -> str:
    """The document with another text between its markers, of which it has exactly one pair."""
    if document.count(OPEN) != 1 or document.count(CLOSE) != 1:
        raise SystemExit(f"not exactly one {OPEN.strip()} and one {CLOSE.strip()}")
    before, rest = document.split(OPEN)
    return before + OPEN + block + CLOSE + rest.split(CLOSE)[1]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("results", nargs="?", type=pathlib.Path, help="default: the newest comparison")
    parser.add_argument("--check", action="store_true", help="change nothing; exit status 1 when it differs")
    arguments = parser.parse_args()
    path = (arguments.results or newest()).resolve()
    readme = ROOT / "README.md"
    before = readme.read_text()
    after = replaced(before, speed_markdown(load(path), path.relative_to(ROOT).as_posix()))
    if after == before:
        return 0
    if arguments.check:
        print(f"README.md: its figures are not those of {path.relative_to(ROOT)}; run 'make docs'")
        return 1
    readme.write_text(after)
    print(f"README.md: figures of {path.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
