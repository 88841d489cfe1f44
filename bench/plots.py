#!/usr/bin/env python3
"""Draws README's figures from bench/results: TFLOP/s over length, the ratio to each peer, losses of a training.

    python3 bench/plots.py            # the newest comparisons, into docs/plots
    python3 bench/plots.py --check    # exit status 1 when docs/plots is of something else

Checking needs no matplotlib: every figure carries a hash of what it was drawn from. Where the version of
requirements.txt is installed the bytes are compared, too.
"""
from __future__ import annotations

import argparse
import pathlib
import sys

from figures import complaint_about, digest, figure_data, figures, pinned_matplotlib
from results_file import RESULTS, load, newest

ROOT = RESULTS.parent.parent
sys.path.insert(0, str(ROOT / "examples" / "python"))
from loss_plot import svg_of  # the example draws it as well

PLOTS = ROOT / "docs" / "plots"
IN_README = (("fwd", "bf16"), ("bwd", "bf16"))


def data_of_figures(kinds, results: pathlib.Path | None) -> dict[str, dict]:
    """What each is drawn from, by stem."""
    found = {}
    for op, dtype in kinds:
        path = results or newest(dtype=dtype, op=op)
        for figure in figures(op, dtype):
            found[figure.stem] = figure_data(figure, load(path), path.name)
    return found


def training_figure(folder: pathlib.Path, results: pathlib.Path = RESULTS) -> tuple[pathlib.Path, str] | None:
    """Where the losses of the newest training are drawn, and the SVG; None while there is none. Needs no matplotlib."""
    found = [(load(path), path) for path in results.glob("training-*.json")]
    if not found:
        return None
    newest_one = max(found, key=lambda pair: (pair[0]["date"], pair[1].name))[0]
    return folder / "training-losses.svg", svg_of(newest_one)


def installed_matplotlib() -> str | None:
    try:
        import matplotlib
    except ImportError:
        return None
    return matplotlib.__version__


def check(data: dict[str, dict], folder: pathlib.Path) -> list[str]:
    """Complaints."""
    found = []
    for stem, one in data.items():
        for kind in ("svg", "png"):
            path = folder / f"{stem}.{kind}"
            complaint = complaint_about(path, digest(one))
            if complaint:
                found.append(f"{path}: {complaint}")
    if not found and installed_matplotlib() == pinned_matplotlib():
        from drawing import render

        # Of SVG only: the bytes of a PNG are also zlib's.
        found += [f"{folder / stem}.svg: not what bench/drawing.py draws" for stem, one in data.items()
                  if render(one, digest(one))["svg"] != (folder / f"{stem}.svg").read_bytes()]
    return found


def draw(data: dict[str, dict], folder: pathlib.Path) -> None:
    if installed_matplotlib() != pinned_matplotlib():
        raise SystemExit(f"matplotlib {pinned_matplotlib()} is needed, here is {installed_matplotlib() or 'none'}: "
                         "pip install -r bench/requirements.txt")
    from drawing import render

    folder.mkdir(parents=True, exist_ok=True)
    for stem, one in data.items():
        for kind, content in render(one, digest(one)).items():
            (folder / f"{stem}.{kind}").write_bytes(content)
            print(f"{folder / stem}.{kind}: {one['source']}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("results", nargs="?", type=pathlib.Path, help="default: the newest comparison of each figure")
    parser.add_argument("--op", choices=["fwd", "bwd"], help="default: all of README")
    parser.add_argument("--dtype", choices=["bf16", "f16"], default="bf16")
    parser.add_argument("--out", type=pathlib.Path, default=PLOTS)
    parser.add_argument("--check", action="store_true", help="draw nothing; compare with what is there")
    arguments = parser.parse_args()
    kinds = [(arguments.op, arguments.dtype)] if arguments.op else IN_README
    data = data_of_figures(kinds, arguments.results)
    training = None if arguments.op else training_figure(arguments.out)
    if not arguments.check:
        draw(data, arguments.out)
        if training:
            training[0].write_text(training[1])
            print(training[0])
        return 0
    complaints = check(data, arguments.out)
    if training and (not training[0].exists() or training[0].read_text() != training[1]):
        complaints.append(f"{training[0]}: not the losses of the newest training")
    print("\n".join(complaints + ["run 'make plots'"] * bool(complaints)) or "every figure is of its data")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
