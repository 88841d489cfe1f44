"""Why a provider has no figure in a cell, as a word for tables; the whole reason stands in the results."""
from __future__ import annotations

OUT_OF_MEMORY, WRONG, LEFT_OUT = "out of memory", "WRONG", "left out"  # what a reason begins with
UNSUPPORTED = "unsupported"


def word_for(reason: str) -> str:
    """Of a reason that begins otherwise, that the provider does not do such a cell."""
    # Results of before 2026-11-26 have PyTorch's own words.
    if "out of memory" in reason.lower():
        return OUT_OF_MEMORY
    return next((word for word in (WRONG, LEFT_OUT) if reason.startswith(word)), UNSUPPORTED)


class LeftOut(Exception):
    """Of a bounded run: it would take longer than what is left."""
