#!/usr/bin/env python3
"""A comparison as CSV and as Markdown, beside its JSON.

    python3 bench/report.py bench/results/<file>.json            # writes both anew
    python3 bench/report.py --check bench/results                # exit status 1 when one is not of its JSON
"""
from __future__ import annotations

import argparse
import csv
import io
import pathlib
import statistics
import sys

from cells import REPLAY, flops, timing_of
from intervals import Ratio, ratio_to
from refusals import word_for
from results_file import figures_of, load, median, store

PROBLEM = ("op", "dtype", "b", "hq", "hkv", "nq", "nk", "d_qk", "d_v")
COLUMNS = (*PROBLEM, "mask", "timing", "provider", "tflops", "tflops_min", "tflops_max", "microseconds", "attune_ratio",
           "ratio_low", "ratio_high", "verdict", "setup_seconds", "ceiling_tflops", "reason")
NAMES = {"attune": "attune", "fa2": "FlashAttention-2", "cudnn": "cuDNN", "flex": "FlexAttention",
         "efficient": "memory-efficient", "math": "math", "flash-attn-2": "flash-attn 2",
         "flash-attn-3": "flash-attn 3", "flash-attn-4": "flash-attn 4"}
VERSIONS = ("driver", "cuda", "torch", "cudnn", "nvrtc")


def mask_of(row: dict) -> str:
    if not row["causal"]:
        return "none"
    return "causal_top_left" if row.get("top_left") else "causal"


def problem_text(row: dict) -> str:
    """A problem in a few words: what differs is named once, what is alike is not said twice."""
    heads = str(row["hq"]) if row["hq"] == row["hkv"] else f"{row['hq']}/{row['hkv']}"
    lengths = str(row["nq"]) if row["nq"] == row["nk"] else f"{row['nq']}x{row['nk']}"
    dims = str(row["d_qk"]) if row["d_qk"] == row["d_v"] else f"{row['d_qk']}/{row['d_v']}"
    mask = "" if mask_of(row) == "none" else " " + mask_of(row)
    return f"{row['op']} {row['dtype']} B={row['b']} H={heads} N={lengths} D={dims}{mask}"


def microseconds(row: dict, tflops: float) -> float:
    return flops(row) / tflops * 1e-6


def significant(value: float | None, digits: int = 5) -> str:
    return "" if value is None else f"{value:.{digits}g}"


def csv_records(row: dict, ceiling: float | None) -> list[dict]:
    """One per provider, those that refused included."""
    records = []
    for name, samples in row["tflops"].items():
        ratio = ratio_to(row, name) if name != "attune" else None
        middle = median(samples)
        records.append({
            **{key: row[key] for key in PROBLEM}, "mask": mask_of(row), "timing": timing_of(row), "provider": name,
            "tflops": significant(middle), "tflops_min": significant(min(samples) if samples else None),
            "tflops_max": significant(max(samples) if samples else None),
            "microseconds": significant(microseconds(row, middle) if middle else None),
            "attune_ratio": significant(ratio and ratio.value), "ratio_low": significant(ratio and ratio.low),
            "ratio_high": significant(ratio and ratio.high), "verdict": ratio.verdict if ratio else "",
            "setup_seconds": row.get("setup_seconds", {}).get(name, ""), "ceiling_tflops": significant(ceiling),
            "reason": row["refused"].get(name, "")})
    return records


def csv_text(result: dict) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for row, ceiling in zip(result["rows"], result["ceiling_tflops"]):
        writer.writerows(csv_records(row, ceiling))
    return text.getvalue()


def ratio_text(ratio: Ratio) -> str:
    return f"{ratio.value:.2f} ({ratio.low:.2f} to {ratio.high:.2f}) {ratio.verdict}"


def figure_text(row: dict, name: str) -> str:
    """What a table's cell says of a provider: its figure, else why it has none."""
    value = figures_of(row).get(name)
    if value is None:
        return word_for(row["refused"][name]) if name in row["refused"] else ""
    if timing_of(row) == REPLAY:
        return f"{microseconds(row, value):.1f}"
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}"


def table(rows: list[dict], with_ratios: bool = True) -> str:
    """A line per problem: attune, then each peer with attune's ratio to it."""
    names = [name for name in NAMES if any(name in row["tflops"] for row in rows)]
    lines = ["| problem | " + " | ".join(NAMES[name] for name in names) + " |", "|---|" + "---|" * len(names)]
    for row in rows:
        texts = []
        for name in names:
            ratio = ratio_to(row, name) if with_ratios and name != "attune" else None
            texts.append(figure_text(row, name) + (f"; {ratio_text(ratio)}" if ratio else ""))
        lines.append(f"| {problem_text(row)} | " + " | ".join(texts) + " |")
    return "\n".join(lines) + "\n"


def markdown_text(result: dict) -> str:
    versions = ", ".join(f"{key} {result[key]}" for key in VERSIONS if result.get(key))
    versions += "".join(f", {name} {version}" for name, version in result.get("packages", {}).items())
    ceilings = result["ceiling_tflops"] or [0]
    text = (f"# attune {result['commit']} on {result['gpu']}, {result['date']}\n\n"
            f"{versions}; {result['rounds']} interleaved rounds.\n"
            "After a peer's figure stands attune's ratio to it: the geometric mean of the rounds' ratios, its 95 %\n"
            "interval, and what that says. An 8192³ bf16 matrix product gave\n"
            f"{min(ceilings):.0f} to {max(ceilings):.0f} TFLOP/s, median {statistics.median(ceilings):.0f}.\n")
    if not result.get("complete", True):
        text += "\n**Not complete: the run was cut short.**\n"
    for title, replay in (("TFLOP/s", False), ("Microseconds, by replay of a captured graph", True)):
        rows = [row for row in result["rows"] if (timing_of(row) == REPLAY) == replay]
        if rows:
            text += f"\n## {title}\n\n{table(rows)}"
    return text


def files_beside(path: pathlib.Path, result: dict) -> dict[pathlib.Path, str]:
    return {path.with_suffix(".csv"): csv_text(result), path.with_suffix(".md"): markdown_text(result)}


def store_all(result: dict, folder: pathlib.Path) -> list[pathlib.Path]:
    """JSON, CSV and Markdown of a run."""
    path = store(result, folder)
    beside = files_beside(path, result)
    for other, text in beside.items():
        other.write_text(text)
    return [path, *beside]


def differing(folder: pathlib.Path) -> list[pathlib.Path]:
    """CSV and Markdown files of a folder that are not what their JSON gives."""
    found = []
    for path in sorted(folder.glob("*.json")):
        there = [other for other in (path.with_suffix(".csv"), path.with_suffix(".md")) if other.exists()]
        if there:
            right = files_beside(path, load(path))
            found += [other for other in there if other.read_text() != right[other]]
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("paths", nargs="+", type=pathlib.Path, help="JSON files; with --check folders")
    parser.add_argument("--check", action="store_true", help="write nothing; exit status 1 when a file differs")
    arguments = parser.parse_args()
    if arguments.check:
        wrong = [path for folder in arguments.paths for path in differing(folder)]
        for path in wrong:
            print(f"{path}: not of its JSON; run bench/report.py on that")
        return 1 if wrong else 0
    for path in arguments.paths:
        for other, text in files_beside(path, load(path)).items():
            other.write_text(text)
            print(other)
    return 0


if __name__ == "__main__":
    sys.exit(main())
