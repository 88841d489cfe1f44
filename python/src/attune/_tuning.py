"""attune.tune: tuning ahead of time, so that no first call has to."""
from __future__ import annotations

from typing import Literal

from attune import _native
from attune._contexts import context_of
from attune._errors import INVALID_ARGUMENT, InvalidArgument
from attune._words import Causal, Dtype, dtype_of, mask_of

Operation = Literal["forward", "backward", "both"]

_OPERATIONS = {"forward": (_native.FORWARD,), "backward": (_native.BACKWARD,),
               "both": (_native.FORWARD, _native.BACKWARD)}


def tune(*, heads: int, head_dim: int, seqlen: int, batch: int = 1, kv_heads: int | None = None,
         head_dim_v: int | None = None, seqlen_kv: int | None = None, dtype: Dtype = "bf16", causal: Causal = False,
         operation: Operation = "both", deterministic: bool = False, seconds: float = 0, force: bool = False,
         device: str = "cuda:0") -> None:
    """Tunes for a class of problems now, on scratch memory, and keeps what was learnt in the tuning database.

    Later calls of similar lengths take the winner, in this process and in others. Lengths are rounded up as calls round
    them. `seconds` bounds the time of each operation (0: every candidate is tried); `force` tunes although there is a
    record. Calls that have a plan already keep it, unless its config was never timed: then they take the new one after some
    more calls. Plans that CUDA graphs hold stay.
    """
    if operation not in _OPERATIONS:
        raise InvalidArgument(f"operation = {operation!r} is none of {', '.join(_OPERATIONS)}", INVALID_ARGUMENT)
    context = context_of(device)
    for number in _OPERATIONS[operation]:
        context.tune(operation=number, dtype=dtype_of(dtype), mask=mask_of(causal),
                     flags=_native.PLAN_DETERMINISTIC if deterministic else 0, heads_q=heads,
                     heads_kv=kv_heads or heads, head_dim=head_dim, head_dim_v=head_dim_v or head_dim, max_batch=batch,
                     max_seqlen_q=seqlen, max_seqlen_kv=seqlen if seqlen_kv is None else seqlen_kv, seconds=seconds,
                     force=force)
