"""The packages of the FlashAttention repository, where installed: flash-attn 2, 3 (Hopper) and 4 (CuTe DSL)."""
from __future__ import annotations

import contextlib
import copy
import importlib
import importlib.metadata
import importlib.util

# Provider: (module that has flash_attn_func, names under which the package may be installed).
PACKAGES = {"flash-attn-2": ("flash_attn", ("flash-attn",)),
            "flash-attn-3": ("flash_attn_interface", ("flash-attn-3", "flash_attn_3")),
            "flash-attn-4": ("flash_attn.cute", ("flash-attn-4", "flash-attn-cute"))}


def is_installed(name: str) -> bool:
    """Version 4 alone brings a folder flash_attn without version 2's module in it: that one has no origin."""
    try:
        found = importlib.util.find_spec(PACKAGES[name][0])
    except (ImportError, ValueError):  # of flash_attn.cute: its parent is missing or broken
        return False
    return found is not None and found.origin is not None


def version(name: str) -> str:
    for distribution in PACKAGES[name][1]:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            return importlib.metadata.version(distribution)
    return "unknown"


def installed_packages() -> dict[str, str]:
    """Versions by provider."""
    return {name: version(name) for name in PACKAGES if is_installed(name)}


class FlashPackage:
    """flash_attn_func of one of them. Causal masks align to the bottom right in all three."""

    def __init__(self, name: str, cell: dict, tensors):
        if cell["causal"] and cell.get("top_left") and cell["nq"] != cell["nk"]:
            raise NotImplementedError("causal masks align to the bottom right")
        self.function = importlib.import_module(PACKAGES[name][0]).flash_attn_func
        self.tensors = tensors
        self.causal = cell["causal"]

    def on(self, tensors) -> FlashPackage:
        other = copy.copy(self)
        other.tensors = tensors
        return other

    def scope(self):
        return contextlib.nullcontext()

    def __call__(self):
        q, k, v = (tensor.transpose(1, 2) for tensor in self.tensors[:3])  # batch, row, head, column
        out = self.function(q, k, v, causal=self.causal)
        # Some versions give (o, lse).
        return (out[0] if isinstance(out, tuple) else out).transpose(1, 2)

    def close(self) -> None:
        pass
