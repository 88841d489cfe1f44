"""attune.attention on JAX's arrays, which nobody but JAX can make: results lie in attune's memory."""
import numpy as np
import pytest

import attune
from plain import plain_attention

jax = pytest.importorskip("jax")


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_arrays_of_jax(dtype):
    keys = jax.random.split(jax.random.key(0), 3)
    q, k, v = (jax.random.normal(key, (2, 4, 33, 16), dtype=dtype) for key in keys)
    o, lse = attune.attention(q, k, v, causal=True, return_lse=True)
    assert isinstance(o, jax.Array) and o.dtype == q.dtype and lse.dtype == np.float32
    expected, expected_lse = plain_attention(*(np.asarray(array.astype("float32")) for array in (q, k, v)), causal=True)
    tolerance = 1e-6 if dtype == "float32" else 2e-2
    np.testing.assert_allclose(np.asarray(o.astype("float32")), expected, rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(np.asarray(lse), expected_lse, rtol=1e-5, atol=1e-5)
    del o, lse
    assert attune.attention(q, k, v).sum() != 0
