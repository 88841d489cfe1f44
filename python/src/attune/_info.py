"""attune.info: what is loaded, on which devices, and which plans were made."""
from __future__ import annotations

import pathlib
from dataclasses import dataclass

from attune import _native
from attune._contexts import context_of, open_contexts
from attune._errors import Error
from attune._words import DTYPES

_MASK_NAMES = {_native.MASK_NONE: "none", _native.MASK_CAUSAL: "bottom_right", _native.MASK_CAUSAL_TOP_LEFT: "top_left"}
_MATCH_NAMES = {0: "default", 1: "near", 2: "exact"}
_DTYPE_NAMES = {number: name for name, number in DTYPES.items()}


@dataclass(frozen=True)
class PlanInfo:
    """A plan: what it is for, how its config was found (`exact`, `near`, `default`), and the config."""

    operation: str
    dtype: str
    causal: str
    heads: int
    kv_heads: int
    head_dim: int
    head_dim_v: int
    max_batch: int
    max_seqlen_q: int
    max_seqlen_kv: int
    deterministic: bool
    match: str
    config: str
    fingerprint: int
    workspace_bytes: int


@dataclass(frozen=True)
class DeviceInfo:
    """A device that was used, or that could be."""

    device: str
    backend: str
    name: str
    arch: str
    multiprocessors: int
    plans: tuple[PlanInfo, ...]


@dataclass(frozen=True)
class Info:
    """What attune.info() returns."""

    version: str
    library: str
    programs: str
    devices: tuple[DeviceInfo, ...]
    no_gpu_because: str | None


def version() -> str:
    """The version of the loaded library."""
    return ".".join(str(part) for part in _native.version())


def programs_folder() -> pathlib.Path:
    """Where attune-tune, attune-inspect and attune-bench lie."""
    library = _native.library_path()
    return pathlib.Path(library or __file__).resolve().parent.parent / "bin"


def info() -> Info:
    """Versions, devices and plans. Looks for a GPU if no call has yet."""
    reason = None
    if not any(device.startswith("cuda") for device in open_contexts()):
        try:
            context_of("cuda:0")
        except Error as error:
            reason = str(error)
    context_of("reference")
    devices = tuple(_device_info(device, context) for device, context in sorted(open_contexts().items()))
    return Info(version(), _native.library_path() or "", str(programs_folder()), devices, reason)


def _device_info(device: str, context: _native.Context) -> DeviceInfo:
    facts = context.device_info()
    plans = tuple(_plan_info(plan) for plan in context.plans())
    return DeviceInfo(device, facts["backend"], facts["name"], facts["arch"], facts["multiprocessors"], plans)


def _plan_info(plan: _native._Plan) -> PlanInfo:
    return PlanInfo(
        operation="backward" if plan["operation"] == _native.BACKWARD else "forward", dtype=_DTYPE_NAMES[plan["dtype"]],
        causal=_MASK_NAMES[plan["mask"]], heads=plan["heads_q"], kv_heads=plan["heads_kv"], head_dim=plan["head_dim"],
        head_dim_v=plan["head_dim_v"], max_batch=plan["max_batch"], max_seqlen_q=plan["max_seqlen_q"],
        max_seqlen_kv=plan["max_seqlen_kv"], deterministic=bool(plan["flags"] & _native.PLAN_DETERMINISTIC),
        match=_MATCH_NAMES[plan["match"]], config=plan["config"], fingerprint=plan["fingerprint"],
        workspace_bytes=plan["workspace_bytes"])
