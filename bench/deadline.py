"""When a bounded run must end, and what is still begun before."""
from __future__ import annotations

import math
import time

from refusals import LEFT_OUT, LeftOut

CELL_SECONDS, CELLS_ASSUMED = 5, 2  # what a cell takes without FlexAttention, as if so many had been seen
FIRST_COMPILE_SECONDS = 30  # FlexAttention's, until it is known


class Deadline:
    """Counted from the start of the process, of which importing PyTorch is a good part."""

    def __init__(self, started: float, seconds: float | None, cells: int):
        self.end = math.inf if seconds is None else started + seconds
        self.cells_left = cells
        self.cell_seconds = [CELL_SECONDS] * CELLS_ASSUMED
        self.compile_seconds = FIRST_COMPILE_SECONDS
        self.cell_began, self.compiled_in_cell = time.monotonic(), 0.0

    def left(self) -> float:
        return self.end - time.monotonic()

    def begins_cell(self) -> bool:
        """False when the cell would probably not end in time."""
        self.cell_began, self.compiled_in_cell = time.monotonic(), 0.0
        return self.left() >= self.seconds_per_cell()

    def seconds_per_cell(self) -> float:
        return sum(self.cell_seconds) / len(self.cell_seconds)

    def check_compile(self) -> None:
        """Raises LeftOut when after one more compile the cells that are left might not fit: they matter more."""
        spare = self.left() - self.cells_left * self.seconds_per_cell()
        if spare < self.compile_seconds:
            raise LeftOut(f"{LEFT_OUT}: {max(spare, 0):.0f} s are to spare, a compile may take "
                          f"{self.compile_seconds:.0f}")

    def compiled(self, seconds: float) -> None:
        self.compile_seconds = 1.5 * seconds
        self.compiled_in_cell += seconds

    def ended_cell(self) -> None:
        self.cells_left -= 1
        self.cell_seconds.append(time.monotonic() - self.cell_began - self.compiled_in_cell)
