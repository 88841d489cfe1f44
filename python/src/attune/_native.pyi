"""The C API of attune as the package needs it: a context with its plans."""
from collections.abc import Callable
from typing import Any, TypedDict

MASK_NONE: int
MASK_CAUSAL: int
MASK_CAUSAL_TOP_LEFT: int
FORWARD: int
BACKWARD: int
F16: int
BF16: int
F32: int
F64: int
PLAN_DETERMINISTIC: int
TUNING_OFF: int
STATUS_TEXTS: dict[int, str]

class _Device(TypedDict):
    backend: str
    name: str
    arch: str
    multiprocessors: int
    shared_memory_per_block: int
    global_memory: int

class _Plan(TypedDict):
    operation: int
    dtype: int
    mask: int
    flags: int
    heads_q: int
    heads_kv: int
    head_dim: int
    head_dim_v: int
    max_batch: int
    max_seqlen_q: int
    max_seqlen_kv: int
    match: int
    config: str
    fingerprint: int
    workspace_bytes: int

class Buffer:
    """Memory of a context, which other libraries take over by __dlpack__."""

    def __dlpack__(self, **options: Any) -> Any: ...
    def __dlpack_device__(self) -> tuple[int, int]: ...

class Context:
    def __new__(cls, device: str, cache_dir: str | None = None, nvrtc: str | None = None, tuning: int = 0,
                tuning_seconds: float = 0, check: bool = False) -> Context: ...
    @property
    def closed(self) -> bool: ...
    def forward(self, q: Any, k: Any, v: Any, o: Any, lse: Any, mask: int, scale: float | None, bshd: bool, flags: int,
                stream: int | None, allocate: Callable[[Any, int], Any] | None, /) -> None: ...
    def backward(self, dout: Any, dlse: Any, q: Any, k: Any, v: Any, o: Any, lse: Any, dq: Any, dk: Any, dv: Any,
                 mask: int, scale: float | None, bshd: bool, flags: int, stream: int | None,
                 allocate: Callable[[Any, int], Any] | None, /) -> None: ...
    def tune(self, *, operation: int, dtype: int, mask: int, flags: int, heads_q: int, heads_kv: int, head_dim: int,
             head_dim_v: int, max_batch: int, max_seqlen_q: int, max_seqlen_kv: int, seconds: float,
             force: bool) -> None: ...
    def buffer(self, shape: tuple[int, ...], dtype: int, /) -> Buffer: ...
    def synchronize(self, stream: int, /) -> None: ...
    def plans(self) -> list[_Plan]: ...
    def device_info(self) -> _Device: ...
    def close(self) -> None: ...

def version() -> tuple[int, int, int]: ...
def library_path() -> str | None: ...
