"""One cell of a comparison: providers are prepared and checked, then take turns."""
from __future__ import annotations

import time

import torch

from carried_over import carried_over
from cells import REPLAY, flops, timing_of
from deadline import Deadline
from flash_packages import PACKAGES, FlashPackage
from flex import Flex
from gradients import gradient_error_ratio
from measuring import TORCH_DTYPES, Replay, Timer, copies_for, error_ratio
from providers import Attune, Gradients, Sdpa
from refusals import OUT_OF_MEMORY, WRONG, LeftOut

WARM_UP_CALLS = 3


def dense(shape: tuple[int, int, int, int], layout: str, make) -> torch.Tensor:
    """[batch, head, row, column], a view of memory in that layout."""
    b, h, n, d = shape
    return make((b, n, h, d)).transpose(1, 2) if layout == "bshd" else make(shape)


def make_tensors(cell: dict, layout: str, seed: int = 1, device: str = "cuda") -> list[torch.Tensor]:
    """q, k, v, and for backward dout."""
    generator = torch.Generator(device).manual_seed(seed)

    def random(shape) -> torch.Tensor:
        return torch.randn(shape, generator=generator, device=device).to(TORCH_DTYPES[cell["dtype"]])

    shapes = [(cell["b"], cell["hq"], cell["nq"], cell["d_qk"]), (cell["b"], cell["hkv"], cell["nk"], cell["d_qk"]),
              (cell["b"], cell["hkv"], cell["nk"], cell["d_v"]), (cell["b"], cell["hq"], cell["nq"], cell["d_v"])]
    return [dense(shape, layout, random) for shape in shapes[:4 if cell["op"] == "bwd" else 3]]


def make_peer(name: str, cell: dict, tensors):
    if name == "flex":
        return Flex(cell, tensors)
    return (FlashPackage if name in PACKAGES else Sdpa)(name, cell, tensors)


def make_provider(name: str, attune: Attune, cell: dict, tensors, deadline: Deadline):
    if name == "attune":
        return attune.plan(cell, tensors)
    if name == "flex":
        deadline.check_compile()
    if cell["op"] == "bwd":
        return Gradients(lambda *arguments: make_peer(name, *arguments), cell, tensors)
    return make_peer(name, cell, tensors)


def checked_error(cell: dict, tensors, out) -> float:
    error = (gradient_error_ratio if cell["op"] == "bwd" else error_ratio)(cell, tensors, out)
    if not error <= 1:
        raise RuntimeError(f"{WRONG}: {error:.3g} times the tolerance")
    return error


def warmed_up(name: str, attune: Attune, cell: dict, tensors, deadline: Deadline):
    """A provider that has run, its error, the seconds until it had run and those of its last call. Raises when it
    cannot do the cell or does it wrong."""
    began = time.monotonic()
    provider = make_provider(name, attune, cell, tensors, deadline)
    try:
        with provider.scope():
            for _ in range(WARM_UP_CALLS):
                torch.cuda.synchronize()
                last = time.monotonic()
                out = provider()
            torch.cuda.synchronize()
        now = time.monotonic()
        seconds, call_seconds = now - began, now - last
        if name == "flex":
            deadline.compiled(seconds)
        return provider, checked_error(cell, tensors, out), seconds, call_seconds
    except BaseException:
        provider.close()
        raise


def refusal_text(refusal: Exception) -> str:
    """One line; PyTorch's explanations have many."""
    if isinstance(refusal, torch.OutOfMemoryError):
        return f"{OUT_OF_MEMORY}: " + str(refusal).split("\n")[0]
    first = (str(refusal).strip() or "no message").split("\n")[0]
    return first if isinstance(refusal, (RuntimeError, LeftOut)) else f"{type(refusal).__name__}: {first}"


class Contestant:
    """A provider in the rounds of a cell, timed as the cell asks."""

    def __init__(self, provider, cell: dict, tensors, copies: list, call_seconds: float):
        self.provider, self.replay, self.call_seconds = provider, None, call_seconds
        if timing_of(cell) == REPLAY:
            self.replay = Replay(provider, [tensors, *copies])
            checked_error(cell, copies[-1], self.replay.outputs[-1])

    def tflops(self, cell: dict, timer: Timer) -> float:
        if self.replay:
            seconds = self.replay.median_seconds(timer)
        else:
            with self.provider.scope():
                seconds = timer.median_seconds(self.provider, timer.calls_for(self.call_seconds))
        return float(f"{flops(cell) / seconds * 1e-12:.5g}")

    def close(self) -> None:
        self.replay = None  # its graph goes before the plan whose kernels it calls
        self.provider.close()


def prepared(name: str, attune: Attune, cell: dict, tensors, copies: list, deadline: Deadline):
    """(contestant, error, seconds until it had run)."""
    provider, error, seconds, call_seconds = warmed_up(name, attune, cell, tensors, deadline)
    try:
        return Contestant(provider, cell, tensors, copies, call_seconds), error, seconds
    except BaseException:
        provider.close()
        raise


def more_tensors(cell: dict, tensors, timer: Timer, layout: str) -> list:
    """What a cell that is timed by replay rotates through beside its tensors."""
    if timing_of(cell) != REPLAY:
        return []
    size = sum(tensor.nbytes for tensor in tensors)
    return [make_tensors(cell, layout, seed) for seed in range(2, copies_for(size, timer.l2_bytes) + 1)]


def take_turns(contestants: dict[str, Contestant], cell: dict, timer: Timer, rounds: int, row: dict) -> None:
    """Fills the row's samples; who fails on the way has none."""
    order = list(contestants)
    for _ in range(rounds):
        order = order[1:] + order[:1]  # nobody is always first
        for name in list(order):
            try:
                row["tflops"][name].append(contestants[name].tflops(cell, timer))
            except Exception as refusal:
                row["tflops"][name], row["refused"][name] = None, refusal_text(refusal)
                order.remove(name)
    torch.cuda.synchronize()


def measure_cell(cell: dict, peers: list[str], attune: Attune, timer: Timer, deadline: Deadline, rounds: int,
                 layout: str) -> dict:
    """One row of the results: what each round of each provider gave, in rounds in which they take turns."""
    tensors = make_tensors(cell, layout)
    copies = more_tensors(cell, tensors, timer, layout)
    names = ["attune", *peers]
    row = {**cell, "tflops": {name: None for name in names}, "config": None, "match": None, "error": None,
           "refused": {}, "setup_seconds": {}, "carried_over": carried_over(cell)}
    contestants = {}
    for name in names:
        try:
            contestants[name], error, seconds = prepared(name, attune, cell, tensors, copies, deadline)
        except Exception as refusal:  # of whatever kind: one library's failure must not cost the run
            row["refused"][name] = refusal_text(refusal)
        if name in row["refused"]:
            torch.cuda.empty_cache()  # what one could not use, the next may; only now has the exception let go of it
            continue
        row["tflops"][name], row["setup_seconds"][name] = [], round(seconds, 2)
        if name == "attune":
            row.update(config=contestants[name].provider.config, match=contestants[name].provider.match, error=error)
    take_turns(contestants, cell, timer, rounds, row)
    for contestant in contestants.values():
        contestant.close()
    return row
