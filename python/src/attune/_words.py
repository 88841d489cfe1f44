"""Python's words for what the C API numbers: masks, layouts, dtypes."""
from __future__ import annotations

from typing import Literal, Union

from attune import _native
from attune._errors import INVALID_ARGUMENT, InvalidArgument

Causal = Union[bool, Literal["bottom_right", "top_left"]]
Layout = Literal["bhsd", "bshd"]
Dtype = Literal["f16", "bf16", "f32", "f64"]

DTYPES: dict[str, int] = {"f16": _native.F16, "bf16": _native.BF16, "f32": _native.F32, "f64": _native.F64}
MASKS: dict[object, int] = {False: _native.MASK_NONE, True: _native.MASK_CAUSAL, "bottom_right": _native.MASK_CAUSAL,
                            "top_left": _native.MASK_CAUSAL_TOP_LEFT}
LAYOUTS: dict[object, bool] = {"bhsd": False, "bshd": True}


def mask_of(causal: Causal) -> int:
    """False: every query sees every key. True, "bottom_right": the last query sees all. "top_left": the first sees one."""
    mask = MASKS.get(causal)
    if mask is None:
        raise InvalidArgument(f"causal = {causal!r} is none of False, True, 'bottom_right', 'top_left'", INVALID_ARGUMENT)
    return mask


def is_bshd(layout: Layout) -> bool:
    """Whether the sequence comes before the head in memory order."""
    bshd = LAYOUTS.get(layout)
    if bshd is None:
        raise InvalidArgument(f"layout = {layout!r} is neither 'bhsd' nor 'bshd'", INVALID_ARGUMENT)
    return bshd


def dtype_of(name: str) -> int:
    """The number of a dtype's name."""
    if name not in DTYPES:
        raise InvalidArgument(f"dtype = {name!r} is none of {', '.join(DTYPES)}", INVALID_ARGUMENT)
    return DTYPES[name]
