"""attune.attention on NumPy arrays: the reference, and the GPU's kernels on the emulator."""
import numpy as np
import pytest

import attune
from plain import plain_attention

TOLERANCE = {np.float16: 2e-3, np.float32: 2e-6, np.float64: 1e-13}


def arrays(batch, heads, kv_heads, queries, keys, dim, dim_v=None, dtype=np.float32, seed=0):
    random = np.random.default_rng(seed)
    shapes = (batch, heads, queries, dim), (batch, kv_heads, keys, dim), (batch, kv_heads, keys, dim_v or dim)
    return tuple(random.standard_normal(shape).astype(dtype) for shape in shapes)


def check(q, k, v, tolerance=None, **options):
    o, lse = attune.attention(q, k, v, return_lse=True, **options)
    options.pop("device", None)
    expected, expected_lse = plain_attention(q, k, v, **options)
    tolerance = tolerance or TOLERANCE[q.dtype.type]
    assert o.dtype == q.dtype and o.shape == expected.shape
    assert lse.dtype == (np.float64 if q.dtype == np.float64 else np.float32)
    np.testing.assert_allclose(o, expected, rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(lse, expected_lse, rtol=1e-6, atol=1e-5)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("causal", [False, True, "top_left"])
def test_reference(dtype, causal):
    check(*arrays(2, 4, 2, 33, 47, 40, 24, dtype), causal=causal)


@pytest.mark.parametrize("queries, keys", [(1, 1), (1, 203), (97, 3), (129, 113), (5, 0)])
def test_reference_on_odd_lengths(queries, keys):
    check(*arrays(1, 2, 1, queries, keys, 59), causal=True)


def test_a_scale_of_ones_own():
    check(*arrays(1, 2, 2, 20, 30, 16, dtype=np.float64), scale=1.0)
    check(*arrays(1, 2, 2, 20, 30, 16, dtype=np.float64), scale=0.25)


def test_nothing_to_do():
    for shape in ((0, 2, 3, 8), (2, 2, 0, 8)):
        q = np.zeros(shape, np.float32)
        o, lse = attune.attention(q, q, q, return_lse=True)
        assert o.shape == shape and lse.shape == shape[:3]


@pytest.mark.parametrize("dtype, causal", [(np.float16, True), (np.float32, False), (np.float32, "top_left")])
def test_kernels_on_the_emulator(dtype, causal):
    check(*arrays(1, 2, 1, 33, 70, 32, dtype=dtype), causal=causal, device="simt", tolerance=4e-3 if dtype == np.float16
          else 2e-5)


def test_the_other_layout_is_a_transposition():
    q, k, v = arrays(2, 4, 2, 9, 17, 16)
    expected = attune.attention(q, k, v, causal=True)
    swapped = [np.ascontiguousarray(array.transpose(0, 2, 1, 3)) for array in (q, k, v)]
    o, lse = attune.attention(*swapped, causal=True, layout="bshd", return_lse=True)
    assert np.array_equal(o.transpose(0, 2, 1, 3), expected)
    assert lse.shape == (2, 4, 9)


def test_strides_are_followed():
    q, k, v = arrays(2, 4, 2, 9, 17, 16)
    expected = attune.attention(q, k, v)
    views = [np.ascontiguousarray(array.transpose(0, 2, 1, 3)).transpose(0, 2, 1, 3) for array in (q, k, v)]
    assert np.array_equal(attune.attention(*views), expected)
    wide = np.concatenate([q, q], axis=3)[..., :16]  # rows with gaps
    assert np.array_equal(attune.attention(wide, k, v), expected)


def test_arrays_that_may_not_be_written_are_read():
    q, k, v = arrays(1, 2, 2, 9, 17, 16)
    expected = attune.attention(q, k, v)
    q.flags.writeable = False
    try:
        o = attune.attention(q, k, v)
    except (BufferError, TypeError) as error:
        if isinstance(error, attune.Error):
            raise
        pytest.skip(f"NumPy {np.__version__} exports no read-only arrays: {error}")
    assert np.array_equal(o, expected)


def test_the_same_bits_at_every_call():
    q, k, v = arrays(2, 8, 8, 130, 130, 64)
    first = attune.attention(q, k, v, causal=True)
    assert all(np.array_equal(attune.attention(q, k, v, causal=True), first) for _ in range(3))
