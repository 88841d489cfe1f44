"""When a bounded run must end, and what is still begun before."""
from __future__ import annotations

import math
import time

from refusals import LEFT_OUT, LeftOut

CELL_SECONDS = 5  # what a cell may take without FlexAttention
FIRST_COMPILE_SECONDS = 30  # FlexAttention's, until it is known


class Deadline:
    """Counted from the start of the process, of which importing PyTorch is a good part."""

    def __init__(self, started: float, seconds: float | None, cells: int):
        self.end = math.inf if seconds is None else started + seconds
        self.cells_left = cells
        self.compile_seconds = FIRST_COMPILE_SECONDS

    def left(self) -> float:
        return self.end - time.monotonic()

    def allows_cell(self) -> bool:
        return self.left() >= CELL_SECONDS

    def cell_done(self) -> None:
        self.cells_left -= 1

    def check_compile(self) -> None:
        """Raises LeftOut when after one more compile the cells that are left might not fit: they matter more."""
        spare = self.left() - self.cells_left * CELL_SECONDS
        if spare < self.compile_seconds:
            raise LeftOut(f"{LEFT_OUT}: {max(spare, 0):.0f} s are to spare, a compile may take "
                          f"{self.compile_seconds:.0f}")

    def compiled(self, seconds: float) -> None:
        self.compile_seconds = 1.5 * seconds
