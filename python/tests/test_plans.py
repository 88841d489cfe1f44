"""Contexts and their plans, by the extension itself: what a plan is made for, and when it is made again."""
import numpy as np
import pytest

import attune
from attune import _native


def backward(context, allocate):
    q, lse = np.ones((1, 1, 2, 16), np.float32), np.zeros((1, 1, 2), np.float32)
    arrays = [array.__dlpack__() for array in (q, q, q, q, q, lse, q.copy(), q.copy(), q.copy())]
    context.backward(arrays[0], None, *arrays[1:], _native.MASK_NONE, None, False, 0, 0, allocate)


def test_a_workspace_is_the_callers():
    with pytest.raises(attune.InvalidArgument, match="allocate is None, and a workspace of [0-9]+ bytes is wanted"):
        backward(_native.Context("simt"), None)


def call(context, flags=0):
    q = np.ones((1, 1, 16, 8), np.float32)
    arrays = [array.__dlpack__() for array in (q, q, q, q.copy())]
    context.forward(*arrays, None, _native.MASK_NONE, None, False, flags, 0, None)


def matches(context):
    """How the configs were found, by flags."""
    return {plan["flags"]: plan["match"] for plan in context.plans()}


def test_a_plan_that_was_not_timed_is_asked_for_again(tmp_path):
    default, exact = 0, 2
    context = _native.Context("simt", str(tmp_path), None, _native.TUNING_OFF)
    for flags in (0, _native.PLAN_DETERMINISTIC):
        call(context, flags)
    context.tune(operation=_native.FORWARD, dtype=_native.F32, mask=_native.MASK_NONE, flags=0, heads_q=1, heads_kv=1,
                 head_dim=8, head_dim_v=8, max_batch=1, max_seqlen_q=16, max_seqlen_kv=16, seconds=0, force=False)
    call(context)
    assert matches(context) == {0: default, _native.PLAN_DETERMINISTIC: default}  # not at every call
    for _ in range(16):
        call(context)
        call(context, _native.PLAN_DETERMINISTIC)
    assert matches(context) == {0: exact, _native.PLAN_DETERMINISTIC: default}  # which has to give the same bits
    assert len(context.plans()) == 2
