"""Why a provider has no figure in a cell, as a word for tables; the whole reason stands in the results."""
from __future__ import annotations

OUT_OF_MEMORY, WRONG, LEFT_OUT = "out of memory", "WRONG", "left out"  # what a reason begins with
UNSUPPORTED, FAILED = "unsupported", "failed"

# How attune, PyTorch's backends, FlexAttention and flash-attn's packages say that they do not do such a problem.
NOT_DONE = ("support", "no available kernel", "no viable backend", "notimplemented", "nyi", "align to")


def word_for(reason: str) -> str:
    """`failed` says that the cause is unknown to this table, and worth a look."""
    for word in (OUT_OF_MEMORY, WRONG, LEFT_OUT):
        if reason.startswith(word):
            return word
    said = reason.lower()
    if OUT_OF_MEMORY in said:  # results of before 2026-11-26 have PyTorch's own words
        return OUT_OF_MEMORY
    return UNSUPPORTED if any(words in said for words in NOT_DONE) else FAILED


class LeftOut(Exception):
    """Of a bounded run: it would take longer than what is left."""
