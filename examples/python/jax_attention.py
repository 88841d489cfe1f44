#!/usr/bin/env python3
"""attune on JAX's arrays, without a copy: attune.attention takes what speaks DLPack and gives an array of its library.

    python3 examples/python/jax_attention.py

Runs on JAX's default device: a GPU, else the CPU by attune's reference. Grouped heads, causal, checked against plain
JAX. The same call takes arrays of NumPy, CuPy and PyTorch.
"""
from __future__ import annotations

import sys

import jax
import jax.numpy as jnp

import attune

BATCH, HEADS, KV_HEADS, QUERIES, KEYS, DIM = 2, 8, 2, 100, 130, 64
TOLERANCE = 2e-5


def plain_attention(q: jax.Array, k: jax.Array, v: jax.Array) -> jax.Array:
    """The definition: softmax(q kᵀ / sqrt(d)) v, every group of query heads on its own keys, aligned bottom right."""
    k, v = (jnp.repeat(array, HEADS // KV_HEADS, axis=1) for array in (k, v))
    scores = jnp.einsum("bhid,bhjd->bhij", q, k, precision="highest") / DIM**0.5
    visible = jnp.arange(KEYS)[None, :] <= jnp.arange(QUERIES)[:, None] + KEYS - QUERIES
    weights = jax.nn.softmax(jnp.where(visible, scores, -jnp.inf), axis=-1)
    return jnp.einsum("bhij,bhjd->bhid", weights, v, precision="highest")


def main() -> int:
    of_q, of_k, of_v = jax.random.split(jax.random.key(1), 3)
    q = jax.random.normal(of_q, (BATCH, HEADS, QUERIES, DIM))
    k = jax.random.normal(of_k, (BATCH, KV_HEADS, KEYS, DIM))
    v = jax.random.normal(of_v, (BATCH, KV_HEADS, KEYS, DIM))
    o = attune.attention(q, k, v, causal=True)
    error = float(jnp.abs(o - plain_attention(q, k, v)).max())
    print(f"{jax.devices()[0]}: {type(o).__name__} of shape {o.shape}, off by at most {error:.1e}")
    return 0 if error <= TOLERANCE else 1  # a NaN is wrong, too


if __name__ == "__main__":
    sys.exit(main())
