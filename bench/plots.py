#!/usr/bin/env python3
"""Draws a comparison of bench/results as SVG: TFLOP/s over length, and the ratio to FlashAttention-2 of every cell.

    python3 bench/plots.py            # the newest comparison, into docs/plots
    python3 bench/plots.py --check    # exit status 1 when docs/plots is something else, 77 when that cannot be told

The same file and the same matplotlib give the same bytes. Needs matplotlib; everything else of attune does without.
"""
from __future__ import annotations

import argparse
import io
import pathlib
import re
import statistics
import sys

from results_file import RESULTS, grid_rows, load, medians, newest

PLOTS = RESULTS.parent.parent / "docs" / "plots"
SKIPPED = 77  # what CTest counts as skipped
LINES = {"attune": ("attune", "#c2410c", "o"), "fa2": ("FlashAttention-2", "#1d6fb8", "s"),
         "cudnn": ("cuDNN", "#5b7f1f", "^")}


def series(rows: list[dict], provider: str) -> tuple[list[int], list[float]]:
    """Lengths and TFLOP/s of one provider, by length."""
    points = sorted((row["nk"], medians(row)[provider]) for row in rows if provider in medians(row))
    return [n for n, _ in points], [tflops for _, tflops in points]


def panels(rows: list[dict]) -> dict[tuple[bool, int], list[dict]]:
    """Rows by (causal, head dimension), in order."""
    keys = sorted({(row["causal"], row["d_qk"]) for row in rows})
    return {key: [row for row in rows if (row["causal"], row["d_qk"]) == key] for key in keys}


def ratios(rows: list[dict], peer: str = "fa2") -> dict[tuple[bool, int, int], float]:
    """attune over the peer by (causal, head dimension, length); without the peer there is no cell."""
    return {(row["causal"], row["d_qk"], row["nk"]): medians(row)["attune"] / medians(row)[peer]
            for row in rows if peer in medians(row)}


def subtitle(result: dict, dtype: str) -> str:
    return f"{result['gpu']}, {result['date']}, attune {result['commit']}, {dtype} forward"


def mask_name(causal: bool) -> str:
    return "causal" if causal else "no mask"


def draw_throughput(plt, result: dict, dtype: str):
    """TFLOP/s over length, a panel per mask and head dimension, the matrix product as a line."""
    by_panel = panels(grid_rows(result, dtype))
    masks = sorted({causal for causal, _ in by_panel})
    dims = sorted({dim for _, dim in by_panel})
    figure, axes = plt.subplots(len(masks), len(dims), figsize=(3.4 * len(dims), 2.9 * len(masks)), sharex=True,
                                sharey=True, squeeze=False)
    ceiling = statistics.median(result["ceiling_tflops"])
    for i, causal in enumerate(masks):
        for j, dim in enumerate(dims):
            axis = axes[i][j]
            rows = by_panel.get((causal, dim), [])
            for provider, (label, colour, marker) in LINES.items():
                lengths, tflops = series(rows, provider)
                axis.plot(lengths, tflops, marker=marker, markersize=4, color=colour, label=label,
                          zorder=4 if provider == "attune" else 3)
            axis.axhline(ceiling, color="#666666", linestyle="--", linewidth=1, label="8192³ bf16 matrix product")
            lengths = sorted({row["nk"] for row in rows})
            axis.set_xscale("log", base=2)
            axis.set_xticks(lengths, [str(n) for n in lengths])
            axis.set_ylim(0, ceiling * 1.08)
            axis.grid(color="#dddddd", linewidth=0.6)
            axis.set_title(f"D = {dim}, {mask_name(causal)}", fontsize=10)
    for axis in axes[-1]:
        axis.set_xlabel("length N (batch · N = 16384)")
    for row in axes:
        row[0].set_ylabel("TFLOP/s")
    handles, labels = axes[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="lower center", ncols=len(labels), frameon=False)
    figure.suptitle(subtitle(result, dtype), fontsize=11)
    figure.subplots_adjust(left=0.08, right=0.98, top=0.89, bottom=0.17, hspace=0.22, wspace=0.08)
    return figure


def draw_ratios(plt, result: dict, dtype: str):
    """attune over FlashAttention-2: a cell per head dimension, mask and length; white is equal."""
    cells = ratios(grid_rows(result, dtype))
    kinds = sorted({(dim, causal) for causal, dim, _ in cells})
    lengths = sorted({n for _, _, n in cells})
    values = [[cells.get((causal, dim, n), float("nan")) for n in lengths] for dim, causal in kinds]
    figure, axis = plt.subplots(figsize=(1.3 * len(lengths) + 2.4, 0.5 * len(kinds) + 1.5))
    reach = max([0.1, *(abs(value - 1) for value in cells.values())])
    # Orange is slower. Not imshow: it would embed a compressed bitmap, whose bytes depend on zlib.
    axis.pcolormesh(range(-1, len(lengths)), range(-1, len(kinds)), values, cmap="PuOr", vmin=1 - reach,
                    vmax=1 + reach, edgecolors="white", linewidth=1)
    axis.invert_yaxis()
    for i, row in enumerate(values):
        for j, value in enumerate(row):
            dark = value == value and abs(value - 1) > 0.7 * reach
            axis.text(j - 0.5, i - 0.5, f"{value:.2f}" if value == value else "none", ha="center", va="center",
                      color="white" if dark else "black")
    axis.set_xticks([j - 0.5 for j in range(len(lengths))], [str(n) for n in lengths])
    axis.set_yticks([i - 0.5 for i in range(len(kinds))], [f"D = {dim}, {mask_name(causal)}" for dim, causal in kinds])
    axis.set_xlabel("length N (batch · N = 16384)")
    axis.set_title("attune / FlashAttention-2\n" + subtitle(result, dtype), fontsize=10)
    figure.subplots_adjust(left=0.24, right=0.97, top=0.85, bottom=0.15)
    return figure


def render(result: dict, source: str, dtype: str) -> dict[str, bytes]:
    """File name: SVG. Throws ImportError without matplotlib."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    settings = {"svg.hashsalt": "attune", "svg.fonttype": "none", "font.family": "DejaVu Sans", "font.size": 9,
                "figure.facecolor": "white", "savefig.facecolor": "white"}
    made_by = {"Creator": f"bench/plots.py, matplotlib {matplotlib.__version__}", "Date": None, "Source": source}
    files = {}
    with plt.style.context("default"), matplotlib.rc_context(settings):
        for name, draw in (("throughput", draw_throughput), ("ratios", draw_ratios)):
            buffer = io.BytesIO()
            figure = draw(plt, result, dtype)
            figure.savefig(buffer, format="svg", metadata={**made_by, "Title": subtitle(result, dtype)})
            plt.close(figure)
            files[f"{name}-{dtype}.svg"] = buffer.getvalue()
    return files


def drawn_with(path: pathlib.Path) -> str | None:
    """The version of matplotlib a plot was drawn with."""
    found = re.search(r"matplotlib (\d[\w.]*)", path.read_text()) if path.exists() else None
    return found.group(1) if found else None


def check(files: dict[str, bytes], folder: pathlib.Path) -> int:
    import matplotlib

    status = 0
    for name, content in files.items():
        path = folder / name
        if path.exists() and path.read_bytes() == content:
            continue
        version = drawn_with(path)
        if version not in (None, matplotlib.__version__):
            print(f"skipped: {name} was drawn with matplotlib {version}, here is {matplotlib.__version__}, which draws "
                  "other bytes")
            return SKIPPED
        print(f"{path}: not what bench/plots.py draws; run 'make plots'")
        status = 1
    return status


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("results", nargs="?", type=pathlib.Path, help="default: the newest comparison")
    parser.add_argument("--dtype", choices=["bf16", "f16"], default="bf16")
    parser.add_argument("--out", type=pathlib.Path, default=PLOTS)
    parser.add_argument("--check", action="store_true", help="draw nothing; compare with what is there")
    arguments = parser.parse_args()
    path = arguments.results or newest(dtype=arguments.dtype)
    try:
        files = render(load(path), path.name, arguments.dtype)
    except ImportError as error:
        print(f"skipped: {error}; pip install matplotlib" if arguments.check else f"{error}: pip install matplotlib")
        return SKIPPED if arguments.check else 1
    if arguments.check:
        return check(files, arguments.out)
    arguments.out.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (arguments.out / name).write_bytes(content)
        print(f"{arguments.out / name}: {path.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
