"""Draws the data of figures.py as SVG and PNG. Needs matplotlib, in the version of requirements.txt."""
from __future__ import annotations

import io
import math

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.patches import Rectangle

LINES = {"attune": ("attune", "#c2410c", "o"), "fa2": ("FlashAttention-2", "#1d6fb8", "s"),
         "cudnn": ("cuDNN", "#5b7f1f", "^"), "flex": ("FlexAttention", "#7c3aed", "D"),
         "flash-attn-2": ("flash-attn 2", "#0e7490", "v"), "flash-attn-3": ("flash-attn 3", "#be185d", "P"),
         "flash-attn-4": ("flash-attn 4", "#a16207", "X")}
LENGTH_LABEL = "length N (batch · N = 16384)"
TIED, DARKEST = "#e4e4e4", 0.22  # of the colour map's two ends, so that black text stays readable
SETTINGS = {"svg.hashsalt": "attune", "svg.fonttype": "none", "font.family": "DejaVu Sans", "font.size": 9,
            "figure.facecolor": "white", "savefig.facecolor": "white"}


def mask_name(causal: bool) -> str:
    return "causal" if causal else "no mask"


def draw_panel(axis, data: dict, causal: bool, dim: int) -> None:
    """TFLOP/s over length of one mask and head dimension, the matrix product as a line."""
    for provider, points in data["series"].items():
        label, colour, marker = LINES[provider]
        here = [(n, tflops) for c, d, n, tflops in points if (c, d) == (causal, dim)]
        axis.plot([n for n, _ in here], [tflops for _, tflops in here], marker=marker, markersize=4, color=colour,
                  label=label, zorder=4 if provider == "attune" else 3)
    axis.axhline(data["ceiling"], color="#666666", linestyle="--", linewidth=1, label="8192³ bf16 matrix product")
    lengths = sorted({n for points in data["series"].values() for _, _, n, _ in points})
    axis.set_xscale("log", base=2)
    axis.set_xticks(lengths, [str(n) for n in lengths])
    axis.set_ylim(0, data["ceiling"] * 1.08)
    axis.grid(color="#dddddd", linewidth=0.6)
    axis.set_title(f"D = {dim}, {mask_name(causal)}", fontsize=10)


def draw_throughput(data: dict):
    """A panel per mask and head dimension."""
    kinds = {(causal, dim) for causal, dim, _, _ in data["series"]["attune"]}
    masks, dims = sorted({causal for causal, _ in kinds}), sorted({dim for _, dim in kinds})
    figure, axes = plt.subplots(len(masks), len(dims), figsize=(3.4 * len(dims), 2.9 * len(masks)), sharex=True,
                                sharey=True, squeeze=False)
    for i, causal in enumerate(masks):
        for j, dim in enumerate(dims):
            draw_panel(axes[i][j], data, causal, dim)
    for axis in axes[-1]:
        axis.set_xlabel(LENGTH_LABEL)
    for row in axes:
        row[0].set_ylabel("TFLOP/s")
    handles, labels = axes[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="lower center", ncols=len(labels), frameon=False)
    figure.suptitle(data["title"], fontsize=11)
    figure.subplots_adjust(left=0.08, right=0.98, top=0.89, bottom=0.17, hspace=0.22, wspace=0.08)
    return figure


def colour_of(ratio: float, verdict: str, reach: float):
    """Purple is won, orange is lost, the darker the farther from 1; grey is tied."""
    if verdict not in ("won", "lost"):
        return TIED
    strength = 0.08 + DARKEST * min(1.0, abs(math.log(ratio)) / reach)
    return matplotlib.colormaps["PuOr"](0.5 + strength if verdict == "won" else 0.5 - strength)


def draw_heat_map(axis, cells: list, kinds: list, lengths: list, reach: float) -> None:
    """A rectangle per cell. Not imshow: it would embed a compressed bitmap, whose bytes depend on zlib."""
    by_place = {(dim, causal, n): (ratio, verdict) for causal, dim, n, ratio, verdict in cells}
    for i, (dim, causal) in enumerate(kinds):
        for j, n in enumerate(lengths):
            ratio, verdict = by_place.get((dim, causal, n), (None, "none"))
            colour = colour_of(ratio, verdict, reach) if ratio else "white"
            axis.add_patch(Rectangle((j, i), 1, 1, facecolor=colour, edgecolor="white", linewidth=1.5))
            text = f"{ratio:.2f}\n{verdict}" if ratio else "none"
            axis.text(j + 0.5, i + 0.5, text, ha="center", va="center", fontsize=8, linespacing=1.25)
    axis.set_xlim(0, len(lengths))
    axis.set_ylim(len(kinds), 0)
    axis.set_xticks([j + 0.5 for j in range(len(lengths))], [str(n) for n in lengths])
    axis.set_yticks([i + 0.5 for i in range(len(kinds))], [f"D = {dim}, {mask_name(causal)}" for dim, causal in kinds])
    axis.tick_params(length=0)


def draw_ratios(data: dict):
    """attune over each peer: a panel per peer, a cell per head dimension, mask and length."""
    every = [cell for cells in data["ratios"].values() for cell in cells]
    kinds = sorted({(dim, causal) for causal, dim, _, _, _ in every})
    lengths = sorted({n for _, _, n, _, _ in every})
    reach = max([0.1, *(abs(math.log(ratio)) for _, _, _, ratio, _ in every)])
    count = len(data["ratios"])
    width, height = 1.4 + 0.75 * len(lengths) * count + 0.2 * count, 0.42 * len(kinds) + 1.5
    figure, axes = plt.subplots(1, count, figsize=(width, height), sharey=True, squeeze=False)
    for axis, (peer, cells) in zip(axes[0], data["ratios"].items()):
        draw_heat_map(axis, cells, kinds, lengths, reach)
        axis.set_title(f"attune / {LINES[peer][0]}", fontsize=10)
        axis.set_xlabel("length N")
    figure.suptitle(data["title"] + "\nwon, tied or lost: by the 95 % interval of the rounds' ratios", fontsize=9)
    figure.subplots_adjust(left=1.3 / width, right=1 - 0.1 / width, top=1 - 0.75 / height, bottom=0.5 / height,
                           wspace=0.06)
    return figure


def render(data: dict, digest: str) -> dict[str, bytes]:
    """{"svg": bytes, "png": bytes}, both with the hash in their metadata."""
    made_by = f"bench/plots.py, matplotlib {matplotlib.__version__}"
    metadata = {"svg": {"Creator": made_by, "Date": None, "Source": data["source"], "Title": data["title"],
                        "Identifier": digest},
                "png": {"Software": made_by, "Source": data["source"], "Title": data["title"], "Identifier": digest}}
    files = {}
    with plt.style.context("default"), matplotlib.rc_context(SETTINGS):
        figure = {"throughput": draw_throughput, "ratios": draw_ratios}[data["kind"]](data)
        for kind in ("svg", "png"):
            buffer = io.BytesIO()
            figure.savefig(buffer, format=kind, metadata=metadata[kind], dpi=120)
            files[kind] = buffer.getvalue()
        plt.close(figure)
    return files
