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
