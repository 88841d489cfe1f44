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


def capacity(batch, keys):
    """What the batch and the number of keys are rounded up to."""
    context = _native.Context("reference")
    q, k = np.ones((batch, 1, 1, 4), np.float32), np.ones((batch, 1, keys, 4), np.float32)
    context.forward(*(array.__dlpack__() for array in (q, k, k, q.copy())), None, _native.MASK_NONE, None, False, 0, 0, None)
    plan, = context.plans()
    return plan["max_batch"], plan["max_seqlen_kv"]


def test_capacities_are_rounded_up_less_where_memory_counts():
    wanted = {(1, 1): (1, 1), (5, 2): (8, 16), (8, 65): (8, 128), (9, 4096): (10, 4096), (1, 4097): (1, 5120),
              (17, 8192): (20, 8192), (1, 8193): (1, 10240), (1, 7169): (1, 8192)}
    assert {shape: capacity(*shape) for shape in wanted} == wanted
