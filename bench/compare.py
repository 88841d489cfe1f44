#!/usr/bin/env python3
"""Compares attune with PyTorch's attention backends and with flash-attn, interleaved in one run on this GPU.

    python3 bench/compare.py --quick                 # one cell of each kind, within two minutes
    python3 bench/compare.py --cells peers tuned
"""
from __future__ import annotations

import time

STARTED = time.monotonic()  # before PyTorch, whose import a bounded run must count

import argparse
import datetime
import pathlib
import re
import statistics
import subprocess
import sys

import torch

import attune_ctypes
from cells import ALL_PEERS, SETS, cells_of, peers_of
from deadline import Deadline
from flash_packages import PACKAGES, installed_packages
from intervals import ratio_to
from measuring import Timer
from providers import Attune
from report import problem_text, store_all
from results_file import RESULTS, medians
from rounds import WARM_UP_CALLS, measure_cell

CEILING_SIZE = 8192
QUICK = dict(cells=["quick"], peers=[name for name in ALL_PEERS if name != "math"], rounds=6, calls=6,
             tuning_seconds=3.0, seconds=105.0,  # of the two minutes
             out=RESULTS.parent.parent / "build" / "compare")  # its few cells are no comparison to publish
FULL = dict(cells=["few", "tuned"], peers=ALL_PEERS, rounds=5, calls=12, tuning_seconds=30.0, seconds=None, out=RESULTS)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="one cell of each kind, within two minutes")
    parser.add_argument("--lib", help="libattune.so; default the newest below build/")
    parser.add_argument("--cells", nargs="+", choices=sorted(SETS), help=f"default {' '.join(FULL['cells'])}")
    parser.add_argument("--peers", nargs="+", choices=ALL_PEERS, help="default all there are; quick without math")
    parser.add_argument("--layout", choices=["bshd", "bhsd"], default="bshd", help="memory order of the tensors")
    parser.add_argument("--rounds", type=int, help=f"default {FULL['rounds']}")
    parser.add_argument("--calls", type=int, help=f"timed calls of a round; default {FULL['calls']}")
    parser.add_argument("--seconds", type=float, help="begin no cell that would not end by then; default no bound")
    parser.add_argument("--tuning", choices=sorted(attune_ctypes.TUNING), default="miss")
    parser.add_argument("--tuning-seconds", type=float, help="bound on tuning, for each cell")
    parser.add_argument("--cache-dir", help="attune's cache; default the user's; '' for memory only")
    parser.add_argument("--commit", help="of attune; default git's")
    parser.add_argument("--out", type=pathlib.Path, help="folder of the JSON, CSV and Markdown files")
    arguments = parser.parse_args()
    for name, value in (QUICK if arguments.quick else FULL).items():
        if getattr(arguments, name) is None:
            setattr(arguments, name, value)
    return arguments


def output_of(*command: str) -> str | None:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def git_commit() -> str:
    folder = str(pathlib.Path(__file__).resolve().parent)
    commit = output_of("git", "-C", folder, "rev-parse", "--short", "HEAD") or "unknown"
    changed = output_of("git", "-C", folder, "status", "--porcelain", "--untracked-files=no")
    return commit + ("-dirty" if changed else "")


def nvrtc_version(library: attune_ctypes.Library) -> str | None:
    """As attune-inspect, built beside the library, finds it: that is the one attune takes."""
    for program in (parent / "bin" / "attune-inspect" for parent in library.path.parents[1:3]):
        found = re.search(r"^NVRTC\s+(\d+\.\d+)", output_of(str(program), "doctor") or "", re.MULTILINE)
        if found:
            return found.group(1)
    return None


class Ceiling:
    """The 8192 cubed bf16 product, timed like everything else: what the card gives at this moment."""

    def __init__(self, timer: Timer):
        self.timer = timer
        self.a, self.b = (torch.randn(CEILING_SIZE, CEILING_SIZE, device="cuda").bfloat16() for _ in range(2))
        self.out = torch.empty_like(self.a)
        for _ in range(WARM_UP_CALLS):
            self.tflops()

    def tflops(self) -> float:
        seconds = self.timer.median_seconds(lambda: torch.matmul(self.a, self.b, out=self.out))
        return round(2 * CEILING_SIZE**3 / seconds * 1e-12, 2)


def print_row(row: dict) -> None:
    figures = "  ".join(f"{name} {value:.1f}" for name, value in medians(row).items())
    print(f"{problem_text(row)}: {figures} TFLOP/s")
    ratios = {name: ratio_to(row, name) for name in row["tflops"] if name != "attune"}
    texts = [f"{name} {ratio.value:.2f} ({ratio.low:.2f} to {ratio.high:.2f}, {ratio.verdict})"
             for name, ratio in ratios.items() if ratio]
    if texts:
        print("     attune / " + ", ".join(texts))
    if row["config"]:
        print(f"     {row['config']} ({row['match']}, error {row['error']:.2f} of the tolerance)")
    for name, figure in row["carried_over"].items():
        print(f"     {name} {figure['tflops']:.1f}, carried over: {figure['source']}")
    for name, reason in row["refused"].items():
        print(f"     {name}: {reason[:150]}")
    sys.stdout.flush()


def describe_run(arguments: argparse.Namespace, library: attune_ctypes.Library) -> dict:
    return {"gpu": torch.cuda.get_device_name(), "date": datetime.date.today().isoformat(),
            "started": datetime.datetime.now().isoformat(timespec="seconds"),
            "commit": arguments.commit or git_commit(),
            "driver": output_of("nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader", "--id=0"),
            "cuda": torch.version.cuda, "torch": torch.__version__, "cudnn": str(torch.backends.cudnn.version()),
            "nvrtc": nvrtc_version(library), "packages": installed_packages(), "layout": arguments.layout,
            "rounds": arguments.rounds, "calls": arguments.calls, "tuning": arguments.tuning}


def compare(arguments: argparse.Namespace, description: dict, attune: Attune, timer: Timer) -> dict:
    """Measures cell after cell and stores what there is after each: a run that is cut short keeps it."""
    cells = cells_of(arguments.cells)
    deadline = Deadline(STARTED, arguments.seconds, len(cells))
    ceiling = Ceiling(timer)
    there = [name for name in arguments.peers if name not in PACKAGES or name in description["packages"]]
    print("not installed: " + (", ".join(name for name in arguments.peers if name not in there) or "nothing"))
    result = {**description, "complete": False, "ceiling_tflops": [], "rows": []}
    for cell in cells:
        if not deadline.begins_cell():
            print(f"left out: {len(cells) - len(result['rows'])} cells, {deadline.left():.0f} s are left")
            break
        result["ceiling_tflops"].append(ceiling.tflops())
        result["rows"].append(measure_cell(cell, peers_of(cell, there), attune, timer, deadline, arguments.rounds,
                                           arguments.layout))
        result["complete"] = len(result["rows"]) == len(cells)
        stored = store_all(result, arguments.out)
        print_row(result["rows"][-1])
        deadline.ended_cell()
        torch.cuda.empty_cache()
    if not result["rows"]:
        raise SystemExit("no cell could be begun in that time")
    print("stored " + ", ".join(map(str, stored)))
    return result


def main() -> int:
    arguments = parse_arguments()
    if not torch.cuda.is_available():
        raise SystemExit("no CUDA device here: this comparison times GPUs")
    torch.cuda.init()
    torch.backends.cuda.matmul.allow_tf32 = False  # references and f32 peers mean f32
    timer = Timer(arguments.calls)  # its first allocation makes the context that attune binds
    library = attune_ctypes.Library(attune_ctypes.find_library(arguments.lib))
    attune = Attune(library, arguments.tuning, arguments.tuning_seconds, arguments.cache_dir)
    result = compare(arguments, describe_run(arguments, library), attune, timer)
    attune.close()
    print(f"ceiling {statistics.median(result['ceiling_tflops']):.1f} TFLOP/s; {time.monotonic() - STARTED:.0f} s")
    return 1 if any("attune" in row["refused"] for row in result["rows"]) else 0


if __name__ == "__main__":
    sys.exit(main())
