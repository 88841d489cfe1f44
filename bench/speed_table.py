#!/usr/bin/env python3
"""Writes the figures of a comparison into README.md, between its marker comments, so that none is copied by hand.

    python3 bench/speed_table.py            # the newest comparisons of bench/results
    python3 bench/speed_table.py --check    # exit status 1 when README says something else
"""
from __future__ import annotations

import argparse
import pathlib
import statistics
import sys

from cells import EVENTS, REPLAY, timing_of
from intervals import geometric_mean, ratio_to
from report import figure_text
from results_file import RESULTS, decode_rows, figures_of, grid_rows, load, newest, newest_decoding

ROOT = RESULTS.parent.parent
OPEN, CLOSE = "<!-- measured: speed -->\n", "<!-- /measured -->\n"
PROVIDERS = {"attune": "attune", "fa2": "FA2", "cudnn": "cuDNN", "flex": "FlexAttention",
             "flash-attn-2": "flash-attn 2", "flash-attn-3": "flash-attn 3", "flash-attn-4": "flash-attn 4",
             "efficient": "memory-efficient", "triton": "Triton ¹"}
RATIOS = {"fa2": "attune / FA2", "cudnn": "attune / cuDNN"}
SHOWN_LENGTHS = (2048, 4096, 16384)  # the rest is in the file and in the plots


def table(rows: list[dict]) -> str:
    """TFLOP/s; microseconds of rows that were timed by replay."""
    used = [name for name in PROVIDERS if any(name in figures_of(row) for row in rows)]
    ratios = [peer for peer in RATIOS if any(ratio_to(row, peer) for row in rows)]
    heads = ["dtype", "batch", "heads", "N", "D", "causal", *(PROVIDERS[name] for name in used),
             *(RATIOS[peer] for peer in ratios)]
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    for row in rows:
        shape = [row["dtype"], str(row["b"]), pair(row["hq"], row["hkv"], "/", always=True),
                 pair(row["nq"], row["nk"], " x "), pair(row["d_qk"], row["d_v"], "/"),
                 "yes" if row["causal"] else "no"]
        found = {peer: ratio_to(row, peer) for peer in ratios}
        lines.append("| " + " | ".join(shape + [figure_text(row, name) for name in used] +
                                       [f"{found[peer].value:.2f}" if found[peer] else "" for peer in ratios]) + " |")
    return "\n".join(lines) + "\n"


def pair(first: int, second: int, between: str, always: bool = False) -> str:
    return f"{first}{between}{second}" if always or first != second else str(first)


def means_text(result: dict, op: str) -> str:
    sentences = []
    for dtype in ("bf16", "f16"):
        rows = grid_rows(result, dtype, op)
        parts = []
        for peer, name in (("fa2", "FlashAttention-2"), ("cudnn", "cuDNN"), ("flex", "FlexAttention")):
            mean, count = geometric_mean(rows, peer)
            if count > 1:
                parts.append(f"{mean:.2f} of {name} ({count} cells)")
        if parts:
            sentences.append(f"In {dtype} the geometric mean of attune is " + " and ".join(parts) + ".")
    return "\n".join(sentences)


def origin_text(result: dict, path: str) -> str:
    ceiling = statistics.median(result["ceiling_tflops"])
    name = pathlib.PurePosixPath(path).name
    return (f"medians of {result['rounds']} interleaved rounds, L2 flushed, from\n[{name}]({path}). "
            f"An 8192³ bf16 matrix product reached {ceiling:.0f} in the\nsame run.")


def rows_of_pass(result: dict, op: str) -> list[dict]:
    return [row for row in result["rows"] if row["op"] == op and timing_of(row) == EVENTS and row["nq"] == row["nk"]
            and row["nq"] in SHOWN_LENGTHS and figures_of(row)]


def forward_markdown(result: dict, path: str) -> str:
    rows = rows_of_pass(result, "fwd")
    text = (f"{result['gpu']}, {result['date']}, forward, TFLOP/s: {origin_text(result, path)}\n"
            f"{means_text(result, 'fwd')}\n\n{table(rows)}")
    replayed = [row for row in result["rows"] if timing_of(row) == REPLAY and figures_of(row)]
    if replayed:
        kinds = "Small problems and decoding" if decode_rows(result) else "Small problems"
        text += (f"\n{kinds}, microseconds of GPU time by replay of a captured graph on rotating "
                 f"tensors, same run:\n\n{table(replayed)}")
    sources = {figure["source"] for row in rows for figure in row.get("carried_over", {}).values()}
    return text + "".join(f"\n¹ Carried over: {source}.\n" for source in sorted(sources))


def backward_markdown(result: dict, path: str) -> str:
    return (f"{result['gpu']}, {result['date']}, backward, TFLOP/s: {origin_text(result, path)}\n"
            f"{means_text(result, 'bwd')}\n\n{table(rows_of_pass(result, 'bwd'))}")


def decoding_markdown(result: dict, path: str) -> str:
    return (f"{result['gpu']}, {result['date']}, decoding, microseconds by replay of a captured graph: "
            f"{origin_text(result, path)}\n\n{table(decode_rows(result))}")


def speed_markdown(forward: pathlib.Path, backward: pathlib.Path, decoding: pathlib.Path | None) -> str:
    parts = [(forward_markdown, forward), (backward_markdown, backward)]
    if decoding and not decode_rows(load(forward)):
        parts.insert(1, (decoding_markdown, decoding))
    return "\n".join(write(load(path), path.relative_to(ROOT).as_posix()) for write, path in parts)


def replaced(document: str, block: str) -> str:
    """The document with another text between its markers, of which it has exactly one pair."""
    if document.count(OPEN) != 1 or document.count(CLOSE) != 1:
        raise SystemExit(f"not exactly one {OPEN.strip()} and one {CLOSE.strip()}")
    before, rest = document.split(OPEN)
    return before + OPEN + block + CLOSE + rest.split(CLOSE)[1]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("results", nargs="?", type=pathlib.Path, help="of forward; default: the newest comparison")
    parser.add_argument("--check", action="store_true", help="change nothing; exit status 1 when it differs")
    arguments = parser.parse_args()
    path = (arguments.results or newest()).resolve()
    readme = ROOT / "README.md"
    before = readme.read_text()
    after = replaced(before, speed_markdown(path, newest(op="bwd").resolve(), newest_decoding()))
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
