"""Attention in NumPy and float64, written as one would on a blackboard."""
import numpy as np


def plain_attention(q, k, v, causal=False, scale=None):
    """o and lse of (batch, head, sequence, dim) arrays."""
    q, k, v = (array.astype(np.float64) for array in (q, k, v))
    group = q.shape[1] // k.shape[1]
    k, v = np.repeat(k, group, 1), np.repeat(v, group, 1)
    scores = np.einsum("bhid,bhjd->bhij", q, k) * (scale if scale is not None else q.shape[-1] ** -0.5)
    rows, keys = scores.shape[2:]
    if causal:
        diagonal = 0 if causal == "top_left" else keys - rows
        scores = np.where(np.tri(rows, keys, diagonal, dtype=bool), scores, -np.inf)
    with np.errstate(divide="ignore", invalid="ignore"):
        top = scores.max(-1, keepdims=True, initial=-np.inf)
        weights = np.where(np.isneginf(scores), 0.0, np.exp(scores - top))
        total = weights.sum(-1, keepdims=True)
        lse = (top + np.log(total))[..., 0]
        o = np.where(total > 0, weights @ v / total, 0.0)
    return o, np.where(total[..., 0] > 0, lse, -np.inf)
