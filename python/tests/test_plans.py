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


def test_decoding_takes_a_workspace_and_does_without():
    """Few queries of many keys: blocks that share keys leave their parts in a workspace, if they are given one."""
    random = np.random.default_rng(1)
    q, k, v = (random.standard_normal(shape).astype(np.float16) for shape in ((1, 4, 1, 64), (1, 2, 2900, 64), (1, 2, 2900, 64)))
    context = _native.Context("simt")
    asked, results = [], []

    def allocate(_, count):
        asked.append(count)
        memory = np.full(count + 256, 0xff, np.uint8)
        return memory[-memory.ctypes.data % 256:][:count].__dlpack__()

    for given in (allocate, allocate, None):
        o = np.empty_like(q)
        context.forward(*(array.__dlpack__() for array in (q, k, v, o)), None, _native.MASK_NONE, None, False, 0, 0, given)
        results.append(o)
    plan, = context.plans()
    assert plan["config"].startswith("flash_decode ")
    assert asked == [plan["workspace_bytes"]] * 2 and asked[0] > 0
    assert (results[0] == results[1]).all()
    scores = np.einsum("hd,hkd->hk", q[0, :, 0], k[0].repeat(2, 0).astype(np.float64)) / 8
    weights = np.exp(scores - scores.max(1, keepdims=True))
    wanted = np.einsum("hk,hkd->hd", weights / weights.sum(1, keepdims=True), v[0].repeat(2, 0))
    for result in results:
        np.testing.assert_allclose(result[0, :, 0], wanted, atol=2e-3)


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
