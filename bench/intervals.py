"""What may be said of two providers after rounds in which they took turns: a ratio, its interval, a verdict.

The unit is the round. Its ratio pairs two medians taken seconds apart at most, so what moves the whole card (heat, the
power limit) cancels. The logarithms of the ratios are taken as normal: Student's t over a handful of rounds is honest
about how few they are, where a bootstrap of five values covers far less than it says.
"""
from __future__ import annotations

import dataclasses
import math
import statistics

WON, TIED, LOST, ONE_ROUND = "won", "tied", "lost", "one round"

# The 0.975 quantile of Student's t by degrees of freedom; beyond the last the last is taken, which is a little wide.
T_975 = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228,
         2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086,
         2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042)


@dataclasses.dataclass(frozen=True)
class Ratio:
    """The geometric mean of the rounds' ratios, and its 95 % interval."""

    value: float
    low: float
    high: float

    @property
    def verdict(self) -> str:
        if math.isinf(self.high):
            return ONE_ROUND
        return WON if self.low > 1 else LOST if self.high < 1 else TIED


def paired_ratio(ours: list[float] | None, theirs: list[float] | None) -> Ratio | None:
    """Of rates, so more than 1 is faster; None when either has no samples or they are not of the same rounds."""
    if not ours or not theirs or len(ours) != len(theirs):
        return None
    logs = [math.log(mine / other) for mine, other in zip(ours, theirs)]
    mean = statistics.fmean(logs)
    if len(logs) == 1:  # one round says nothing of its own error
        return Ratio(math.exp(mean), 0.0, math.inf)
    reach = T_975[min(len(logs) - 1, len(T_975)) - 1] * statistics.stdev(logs) / math.sqrt(len(logs))
    return Ratio(math.exp(mean), math.exp(mean - reach), math.exp(mean + reach))


def ratio_to(row: dict, peer: str) -> Ratio | None:
    """attune over a peer in a row of the results."""
    return paired_ratio(row["tflops"].get("attune"), row["tflops"].get(peer))


def geometric_mean(rows: list[dict], peer: str) -> tuple[float, int]:
    """Of attune over a peer, and of how many rows; nan of none."""
    ratios = [ratio.value for ratio in (ratio_to(row, peer) for row in rows) if ratio]
    return (math.exp(statistics.fmean(map(math.log, ratios))), len(ratios)) if ratios else (math.nan, 0)
