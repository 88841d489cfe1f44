"""The figures README shows: which there are, what each is drawn from, and the hash it carries of that.

The hash is over the data and over drawing.py, so a figure that is out of date is found without drawing it, on a machine
without matplotlib, too.
"""
from __future__ import annotations

import dataclasses
import hashlib
import json
import pathlib
import re
import statistics

from intervals import ratio_to
from results_file import grid_rows, medians

PASS_NAMES = {"fwd": "forward", "bwd": "backward"}
SHOWN_PEERS = ("fa2", "cudnn", "flex", "flash-attn-2", "flash-attn-3", "flash-attn-4")
DIGEST = re.compile(rb"sha256:[0-9a-f]{64}")
DRAWN_WITH = re.compile(rb"matplotlib (\d[\w.]*)")
HERE = pathlib.Path(__file__).resolve().parent


@dataclasses.dataclass(frozen=True)
class Figure:
    kind: str  # "throughput" or "ratios"
    op: str
    dtype: str

    @property
    def stem(self) -> str:
        return "-".join([self.kind, self.dtype] + ([] if self.op == "fwd" else [PASS_NAMES[self.op]]))


def figures(op: str, dtype: str) -> list[Figure]:
    return [Figure(kind, op, dtype) for kind in ("throughput", "ratios")]


def rounded(value: float) -> float:
    """Four digits are more than a figure shows; the last bits of a mean must not decide whether it is the same."""
    return float(f"{value:.4g}")


def series(rows: list[dict]) -> dict[str, list[list]]:
    """[causal, head dimension, length, TFLOP/s] by provider, for whom there is any."""
    found = {name: [[row["causal"], row["d_qk"], row["nk"], rounded(medians(row)[name])]
                    for row in rows if name in medians(row)] for name in ("attune", *SHOWN_PEERS)}
    return {name: sorted(points) for name, points in found.items() if points}


def ratios(rows: list[dict]) -> dict[str, list[list]]:
    """[causal, head dimension, length, ratio, verdict] of attune over each peer."""
    found = {}
    for peer in SHOWN_PEERS:
        cells = [(row, ratio_to(row, peer)) for row in rows]
        found[peer] = sorted([row["causal"], row["d_qk"], row["nk"], rounded(ratio.value), ratio.verdict]
                             for row, ratio in cells if ratio)
    return {peer: cells for peer, cells in found.items() if cells}


def figure_data(figure: Figure, result: dict, source: str) -> dict:
    """All that the drawing depends on."""
    rows = grid_rows(result, figure.dtype, figure.op)
    title = f"{result['gpu']}, {result['date']}, attune {result['commit']}, {figure.dtype} {PASS_NAMES[figure.op]}"
    data = {"kind": figure.kind, "title": title, "source": source}
    if figure.kind == "ratios":
        return {**data, "ratios": ratios(rows)}
    return {**data, "series": series(rows), "ceiling": rounded(statistics.median(result["ceiling_tflops"]))}


def digest(data: dict) -> str:
    text = json.dumps(data, sort_keys=True) + (HERE / "drawing.py").read_text()
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def pinned_matplotlib() -> str:
    """The version every figure is drawn with; another one draws other bytes."""
    return re.search(r"^matplotlib==(\S+)$", (HERE / "requirements.txt").read_text(), re.MULTILINE).group(1)


def complaint_about(path: pathlib.Path, wanted_digest: str) -> str | None:
    """Why a drawn file is not of its data; SVG and PNG both carry the hash as plain text."""
    if not path.exists():
        return "is missing"
    content = path.read_bytes()
    if DIGEST.findall(content) != [wanted_digest.encode()]:
        return "was drawn from other data, or by another bench/drawing.py"
    version = DRAWN_WITH.search(content)
    if not version or version.group(1).decode() != pinned_matplotlib():
        return f"was not drawn with matplotlib {pinned_matplotlib()}"
    return None
