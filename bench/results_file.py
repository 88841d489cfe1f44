"""A file of bench/results: written after every cell, so that a run that is cut short keeps what it measured."""
from __future__ import annotations

import json
import os
import pathlib
import re
import statistics
from collections.abc import Iterator

from cells import REPLAY, cells_of, grid, timing_of

RESULTS = pathlib.Path(__file__).resolve().parent / "results"


def path_for(run: dict, folder: pathlib.Path) -> pathlib.Path:
    """<gpu>-<date>-<commit>.json of a run's description."""
    gpu = re.sub(r"[^a-z0-9]+", "-", run["gpu"].lower().replace("nvidia", "")).strip("-")
    return folder / f"{gpu}-{run['date']}-{run['commit']}.json"


def text_of(result: dict) -> str:
    """JSON with a line for each row, so that a difference of two files can be read."""
    rows = ",\n  ".join(json.dumps(row) for row in result["rows"])
    head = json.dumps({key: value for key, value in result.items() if key != "rows"}, indent=1)
    return head[:-2] + f',\n "rows": [\n  {rows}\n ]\n}}\n'


def store(result: dict, folder: pathlib.Path) -> pathlib.Path:
    """Replaces the run's file as a whole: at no moment is there half a file."""
    folder.mkdir(parents=True, exist_ok=True)
    path = path_for(result, folder)
    partial = path.with_suffix(".json.partial")
    partial.write_text(text_of(result))
    os.replace(partial, path)
    return path


def median(values: list[float] | None) -> float | None:
    return statistics.median(values) if values else None


def medians(row: dict) -> dict[str, float]:
    """TFLOP/s by provider, without those that have none."""
    found = {name: median(values) for name, values in row["tflops"].items()}
    return {name: value for name, value in found.items() if value}


def figures_of(row: dict) -> dict[str, float]:
    """Medians, and what is carried over from elsewhere."""
    return {**medians(row), **{name: figure["tflops"] for name, figure in row.get("carried_over", {}).items()}}


def load(path: pathlib.Path) -> dict:
    return json.loads(path.read_text())


def grid_rows(result: dict, dtype: str = "bf16", op: str = "fwd") -> list[dict]:
    """Rows of the grid every comparison has: square, no grouped heads, equal work, with a time of attune's."""
    return [row for row in result["rows"]
            if (row["dtype"], row["op"]) == (dtype, op) and row["hq"] == row["hkv"] and row["nq"] == row["nk"]
            and row["d_qk"] == row["d_v"] and row["b"] * row["nq"] == 16384 and row["hq"] * row["d_qk"] == 2048
            and "timing" not in row and "attune" in medians(row)]


def decode_rows(result: dict) -> list[dict]:
    """One query for each sequence, timed by replay; none unless all such cells are there."""
    rows = [row for row in result["rows"]
            if row["op"] == "fwd" and row["nq"] == 1 and timing_of(row) == REPLAY and "attune" in medians(row)]
    return rows if len(rows) >= len(cells_of(["decode"])) else []


def comparisons(folder: pathlib.Path) -> Iterator[tuple[tuple[str, str], dict, pathlib.Path]]:
    """The complete ones, each with what orders them by when they began."""
    for path in folder.glob("*.json"):
        result = load(path)
        if not isinstance(result, dict) or not {"date", "ceiling_tflops"} <= result.keys():
            continue  # of attune-tune, attune-bench or training
        if result.get("complete") is not False:
            yield (result.get("started", result["date"]), path.name), result, path


def newest_decoding(folder: pathlib.Path = RESULTS) -> pathlib.Path | None:
    found = [(began, path) for began, result, path in comparisons(folder) if decode_rows(result)]
    return max(found)[-1] if found else None


def newest(folder: pathlib.Path = RESULTS, dtype: str = "bf16", op: str = "fwd") -> pathlib.Path:
    """The last comparison, by when it began, of several lengths at several head dimensions, and complete; of the whole
    grid, where there is one."""
    found = []
    for began, result, path in comparisons(folder):
        rows = grid_rows(result, dtype, op)
        if len({row["nq"] for row in rows}) > 1 and len({row["d_qk"] for row in rows}) > 1:
            is_whole = len(rows) >= len(grid(dtype))
            found.append((is_whole, began, path))
    if not found:
        raise SystemExit(f"{folder}: no {op} comparison of several lengths and head dimensions in {dtype}")
    return max(found)[-1]
