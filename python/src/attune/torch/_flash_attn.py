"""The functions of the flash-attn package, with its signatures: (batch, sequence, head, dim), causal to the bottom right."""
from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from attune._errors import INVALID_ARGUMENT, UNSUPPORTED, InvalidArgument, Unsupported, WrongType
from attune.torch._attention import attention

Result = Tensor | tuple[Tensor, Tensor, None]


def flash_attn_func(q: Tensor, k: Tensor, v: Tensor, dropout_p: float = 0.0, softmax_scale: float | None = None,
                    causal: bool = False, window_size: tuple[int, int] = (-1, -1), softcap: float = 0.0,
                    alibi_slopes: Tensor | None = None, deterministic: bool = False,
                    return_attn_probs: bool = False) -> Result:
    """Attention on (batch, sequence, heads, dim); k and v may have fewer heads.

    With return_attn_probs also the log-sum-exp, (batch, heads, sequence), and None in the place of the probabilities,
    which are for tests of dropout there.
    """
    causal = _check(dropout_p, causal, window_size, softcap, alibi_slopes)
    o, lse = attention(q, k, v, causal=causal, scale=softmax_scale, layout="bshd", return_lse=True,
                       deterministic=deterministic) if return_attn_probs else (
        attention(q, k, v, causal=causal, scale=softmax_scale, layout="bshd", deterministic=deterministic), None)
    return o if lse is None else (o, lse, None)


def flash_attn_qkvpacked_func(qkv: Tensor, dropout_p: float = 0.0, softmax_scale: float | None = None,
                              causal: bool = False, window_size: tuple[int, int] = (-1, -1), softcap: float = 0.0,
                              alibi_slopes: Tensor | None = None, deterministic: bool = False,
                              return_attn_probs: bool = False) -> Result:
    """The same with q, k and v as one tensor, (batch, sequence, 3, heads, dim)."""
    if qkv.dim() != 5 or qkv.shape[2] != 3:
        raise InvalidArgument(f"qkv has shape {tuple(qkv.shape)}; (batch, sequence, 3, heads, dim) is wanted",
                              INVALID_ARGUMENT)
    q, k, v = qkv.unbind(2)
    return flash_attn_func(q, k, v, dropout_p, softmax_scale, causal, window_size, softcap, alibi_slopes, deterministic,
                           return_attn_probs)


def flash_attn_varlen_func(q: Tensor, k: Tensor, v: Tensor, cu_seqlens_q: Tensor, cu_seqlens_k: Tensor,
                           max_seqlen_q: int, max_seqlen_k: int, dropout_p: float = 0.0,
                           softmax_scale: float | None = None, causal: bool = False,
                           window_size: tuple[int, int] = (-1, -1), softcap: float = 0.0,
                           alibi_slopes: Tensor | None = None, deterministic: bool = False,
                           return_attn_probs: bool = False, block_table: Tensor | None = None) -> Result:
    """Sequences of different lengths, one behind the other: not supported yet."""
    raise Unsupported("flash_attn_varlen_func: sequences of different lengths in one call (cu_seqlens) are not supported "
                      "yet; call flash_attn_func for each length, or pad", UNSUPPORTED)


def flash_attn_with_kvcache(q: Tensor, k_cache: Tensor, v_cache: Tensor, k: Tensor | None = None,
                            v: Tensor | None = None, rotary_cos: Tensor | None = None,
                            rotary_sin: Tensor | None = None, cache_seqlens: int | Tensor | None = None,
                            cache_batch_idx: Tensor | None = None, cache_leftpad: Tensor | None = None,
                            block_table: Tensor | None = None, softmax_scale: float | None = None, causal: bool = False,
                            window_size: tuple[int, int] = (-1, -1), softcap: float = 0.0,
                            rotary_interleaved: bool = True, alibi_slopes: Tensor | None = None, num_splits: int = 0,
                            return_softmax_lse: bool = False) -> Tensor | tuple[Tensor, Tensor]:
    """Inference with a cache of keys and values, (batch, length of the cache, kv_heads, dim).

    cache_seqlens is a number, for all sequences, or None: all of the cache. k and v, where given, are first written into
    the cache behind it. A tensor of lengths, pages, rotary embeddings and padding are not supported yet.
    """
    causal = _check(0.0, causal, window_size, softcap, alibi_slopes)
    _refuse("flash_attn_with_kvcache", rotary_cos=rotary_cos, rotary_sin=rotary_sin, cache_batch_idx=cache_batch_idx,
            cache_leftpad=cache_leftpad, block_table=block_table)
    if isinstance(cache_seqlens, Tensor):
        raise Unsupported("cache_seqlens as a tensor: lengths that differ between sequences are not supported yet; a "
                          "number, the same for all, is", UNSUPPORTED)
    if num_splits > 1:
        raise Unsupported(f"num_splits = {num_splits}: keys are not split among blocks yet", UNSUPPORTED)
    length = k_cache.shape[1] if cache_seqlens is None else int(cache_seqlens)
    with torch.no_grad():
        length = _append(k_cache, v_cache, k, v, length)
        o, lse = attention(q, k_cache[:, :length], v_cache[:, :length], causal=causal, scale=softmax_scale,
                           layout="bshd", return_lse=True)
    return (o, lse) if return_softmax_lse else o


def _append(k_cache: Tensor, v_cache: Tensor, k: Tensor | None, v: Tensor | None, length: int) -> int:
    """Writes new keys and values behind the first `length`; the length afterwards."""
    capacity = k_cache.shape[1]
    if (k is None) != (v is None):
        raise InvalidArgument("of k and v, one is given and the other is not", INVALID_ARGUMENT)
    end = length if k is None else length + k.shape[1]
    if not 0 <= length <= end <= capacity:
        raise InvalidArgument(f"cache_seqlens = {length} and {end - length} new keys in a cache for {capacity}",
                              INVALID_ARGUMENT)
    if k is not None and v is not None:
        for name, new, cache in (("k", k, k_cache), ("v", v, v_cache)):
            if new.dtype != cache.dtype:  # an assignment would cast
                raise WrongType(f"{name} is of {_name(new.dtype)}, and {name}_cache of {_name(cache.dtype)}: all are to be "
                                "of one dtype", INVALID_ARGUMENT)
        k_cache[:, length:end] = k
        v_cache[:, length:end] = v
    return end


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _check(dropout_p: float, causal: bool, window_size: tuple[int, int], softcap: float,
           alibi_slopes: Tensor | None) -> bool:
    """Whether the mask is causal; what is not supported yet raises."""
    if dropout_p != 0.0:
        raise Unsupported(f"dropout_p = {dropout_p}: dropout is not supported yet", UNSUPPORTED)
    if softcap != 0.0:
        raise Unsupported(f"softcap = {softcap}: capped scores are not supported yet", UNSUPPORTED)
    _refuse("attention", alibi_slopes=alibi_slopes)
    left, right = window_size
    if left >= 0 or (right >= 0 and (right != 0)):
        raise Unsupported(f"window_size = {tuple(window_size)}: windows are not supported yet, but for (-1, 0), which is "
                          "causal", UNSUPPORTED)
    return causal or right == 0


def _refuse(function: str, **options: Any) -> None:
    for name, value in options.items():
        if value is not None:
            raise Unsupported(f"{function}: {name} is not supported yet", UNSUPPORTED)
