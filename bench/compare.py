#!/usr/bin/env python3
"""Compares attune with PyTorch's attention backends, interleaved in one run on this GPU, and stores the figures.

    python3 bench/compare.py --cells peers tuned
"""
from __future__ import annotations

import argparse
import datetime
import pathlib
import re
import statistics
import subprocess
import sys

import torch

import attune_ctypes
from carried_over import carried_over
from cells import SETS, cells_of, peers_of
from gradients import gradient_error_ratio
from measuring import TORCH_DTYPES, Timer, error_ratio, flops
from providers import Attune, Sdpa, SdpaBackward
from results_file import RESULTS, median, store

WARM_UP_CALLS = 3
CEILING_SIZE = 8192


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--lib", help="libattune.so; default the newest below build/")
    parser.add_argument("--cells", nargs="+", choices=sorted(SETS), default=["quick", "tuned"])
    parser.add_argument("--layout", choices=["bshd", "bhsd"], default="bshd", help="memory order of the tensors")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--calls", type=int, default=12, help="timed calls of a round")
    parser.add_argument("--tuning", choices=sorted(attune_ctypes.TUNING), default="miss")
    parser.add_argument("--tuning-seconds", type=float, default=30, help="bound on tuning, for each cell")
    parser.add_argument("--cache-dir", help="attune's cache; default the user's; '' for memory only")
    parser.add_argument("--commit", help="of attune; default git's")
    parser.add_argument("--out", type=pathlib.Path, default=RESULTS)
    return parser.parse_args()


def output_of(*command: str) -> str | None:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def git_commit() -> str:
    folder = str(pathlib.Path(__file__).resolve().parent)
    commit = output_of("git", "-C", folder, "rev-parse", "--short", "HEAD") or "unknown"
    return commit + ("-dirty" if output_of("git", "-C", folder, "status", "--porcelain", "--untracked-files=no") else "")


def nvrtc_version(library: attune_ctypes.Library) -> str | None:
    """As attune-inspect, built beside the library, finds it: that is the one attune takes."""
    for program in (parent / "bin" / "attune-inspect" for parent in library.path.parents[1:3]):
        found = re.search(r"^NVRTC\s+(\d+\.\d+)", output_of(str(program), "doctor") or "", re.MULTILINE)
        if found:
            return found.group(1)
    return None


def make_tensors(cell: dict, layout: str) -> list[torch.Tensor]:
    """q, k, v, and for backward dout, as [batch, head, row, column] views of memory in that layout."""
    generator = torch.Generator("cuda").manual_seed(1)

    def make(heads: int, rows: int, columns: int) -> torch.Tensor:
        shape = (cell["b"], rows, heads, columns) if layout == "bshd" else (cell["b"], heads, rows, columns)
        tensor = torch.randn(shape, generator=generator, device="cuda").to(TORCH_DTYPES[cell["dtype"]])
        return tensor.transpose(1, 2) if layout == "bshd" else tensor

    tensors = [make(cell["hq"], cell["nq"], cell["d_qk"]), make(cell["hkv"], cell["nk"], cell["d_qk"]),
               make(cell["hkv"], cell["nk"], cell["d_v"])]
    return [*tensors, make(cell["hq"], cell["nq"], cell["d_v"])] if cell["op"] == "bwd" else tensors


def make_provider(name: str, attune: Attune, cell: dict, tensors):
    if name == "attune":
        return attune.plan(cell, tensors)
    return (SdpaBackward if cell["op"] == "bwd" else Sdpa)(name, cell, tensors)


def warmed_up(name: str, attune: Attune, cell: dict, tensors):
    """A provider that has run, and its error. Raises RuntimeError when it cannot do the cell or does it wrong."""
    provider = make_provider(name, attune, cell, tensors)
    try:
        with provider.scope():
            for _ in range(WARM_UP_CALLS):
                out = provider()
            torch.cuda.synchronize()
        error = (gradient_error_ratio if cell["op"] == "bwd" else error_ratio)(cell, tensors, out)
        if not error <= 1:
            raise RuntimeError(f"WRONG: {error:.3g} times the tolerance")
    except RuntimeError:
        provider.close()
        raise
    return provider, error


def measure_cell(cell: dict, attune: Attune, timer: Timer, rounds: int, layout: str) -> dict:
    """One row of the results: medians of rounds in which the providers take turns."""
    tensors = make_tensors(cell, layout)
    names = ["attune", *peers_of(cell)]
    row = {**cell, "tflops": {name: None for name in names}, "config": None, "match": None, "error": None,
           "refused": {}, "carried_over": carried_over(cell)}
    providers = {}
    for name in names:
        try:
            providers[name], error = warmed_up(name, attune, cell, tensors)
        except RuntimeError as refusal:  # out of memory is one, too
            row["refused"][name] = str(refusal).split("\n")[0]
            continue
        row["tflops"][name] = []
        if name == "attune":
            row.update(config=providers[name].config, match=providers[name].match, error=error)
    order = list(providers)
    for turn in range(rounds):
        order = order[1:] + order[:1]  # nobody is always first
        for name in order:
            with providers[name].scope():
                seconds = timer.median_seconds(providers[name])
            row["tflops"][name].append(round(flops(cell) / seconds * 1e-12, 2))
    torch.cuda.synchronize()
    for provider in providers.values():
        provider.close()
    return row


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
    shape = f"{row['op']} {row['dtype']:>4} B={row['b']:<3} H={row['hq']}/{row['hkv']:<3} N={row['nq']:<6} D={row['d_qk']:<4}"
    medians = {name: median(values) for name, values in row["tflops"].items()}
    figures = "  ".join(f"{name} {value:7.1f}" if value else f"{name}    none" for name, value in medians.items())
    best_peer = max((value for name, value in medians.items() if name != "attune" and value), default=None)
    ratio = f"{medians['attune'] / best_peer:5.2f} of the best peer" if best_peer and medians["attune"] else ""
    print(f"{shape} {'causal' if row['causal'] else '      '} {figures}  {ratio}")
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
            "nvrtc": nvrtc_version(library), "layout": arguments.layout, "rounds": arguments.rounds,
            "calls": arguments.calls, "tuning": arguments.tuning}


def main() -> int:
    arguments = parse_arguments()
    if not torch.cuda.is_available():
        raise SystemExit("no CUDA device here: this comparison times GPUs")
    torch.cuda.init()
    torch.backends.cuda.matmul.allow_tf32 = False  # references and f32 peers mean f32
    timer = Timer(arguments.calls)  # its first allocation makes the context that attune binds
    library = attune_ctypes.Library(attune_ctypes.find_library(arguments.lib))
    attune = Attune(library, arguments.tuning, arguments.tuning_seconds, arguments.cache_dir)
    ceiling = Ceiling(timer)
    cells = cells_of(arguments.cells)
    result = {**describe_run(arguments, library), "complete": False, "ceiling_tflops": [], "rows": []}
    for cell in cells:
        result["ceiling_tflops"].append(ceiling.tflops())
        result["rows"].append(measure_cell(cell, attune, timer, arguments.rounds, arguments.layout))
        result["complete"] = len(result["rows"]) == len(cells)
        path = store(result, arguments.out)  # now: a run that is cut short keeps what it has
        print_row(result["rows"][-1])
        torch.cuda.empty_cache()
    attune.close()
    print(f"ceiling {statistics.median(result['ceiling_tflops']):.1f} TFLOP/s; stored {path}")
    return 1 if any("attune" in row["refused"] for row in result["rows"]) else 0


if __name__ == "__main__":
    sys.exit(main())
