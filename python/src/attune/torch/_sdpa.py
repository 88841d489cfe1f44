"""scaled_dot_product_attention, with the signature and the semantics of torch.nn.functional's."""
from __future__ import annotations

from torch import Tensor

from attune._errors import INVALID_ARGUMENT, UNSUPPORTED, InvalidArgument, Unsupported
from attune._native import MASK_CAUSAL_TOP_LEFT, MASK_NONE
from attune.torch._attention import compute


def scaled_dot_product_attention(query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None = None,
                                 dropout_p: float = 0.0, is_causal: bool = False, scale: float | None = None,
                                 enable_gqa: bool = False) -> Tensor:
    """torch.nn.functional.scaled_dot_product_attention by attune's kernels.

    Takes (..., sequence, dim) of two to four dimensions. is_causal aligns to the top left, as PyTorch's does. Masks and
    dropout are not there yet and raise NotImplementedError.
    """
    if attn_mask is not None:
        raise Unsupported("attn_mask: attune has causal masks only (is_causal); a mask as a tensor is not supported yet",
                          UNSUPPORTED)
    if dropout_p != 0.0:
        raise Unsupported(f"dropout_p = {dropout_p}: dropout is not supported yet", UNSUPPORTED)
    # Without broadcasting. What this does not look at, the library does.
    if (query.ndim == key.ndim == value.ndim == 4 and query.size(0) == key.size(0) == value.size(0)
            and (enable_gqa or query.size(1) == key.size(1) == value.size(1))):
        return compute(query, key, value, MASK_CAUSAL_TOP_LEFT if is_causal else MASK_NONE, scale, False, False, False)[0]
    return _reshaped(query, key, value, is_causal, scale, enable_gqa)


def _reshaped(query: Tensor, key: Tensor, value: Tensor, is_causal: bool, scale: float | None,
              enable_gqa: bool) -> Tensor:
    """Fewer than four dimensions, or axes that broadcast."""
    missing = 4 - query.dim()
    if not 0 <= missing <= 2 or key.dim() != query.dim() or value.dim() != query.dim():
        raise InvalidArgument(f"query, key and value have {query.dim()}, {key.dim()} and {value.dim()} dimensions; two to "
                              "four, and as many in each, are supported", INVALID_ARGUMENT)
    query, key, value = (tensor[(None,) * missing] if missing else tensor for tensor in (query, key, value))
    sizes = [[tensor.shape[axis] for tensor in (query, key, value)] for axis in (0, 1)]
    wanted = [max(axis) if 0 not in axis else 0 for axis in sizes]
    for axis, per_tensor in enumerate(sizes):
        free = axis == 1 and enable_gqa
        if not free and any(size not in (1, wanted[axis]) for size in per_tensor):
            raise InvalidArgument(f"the sizes {per_tensor} of axis {axis} of query, key and value do not broadcast"
                                  + ("; enable_gqa=True lets query heads share keys" if axis == 1 else ""),
                                  INVALID_ARGUMENT)
    heads = [tensor.shape[1] if enable_gqa else wanted[1] for tensor in (query, key, value)]
    query, key, value = (tensor.expand(wanted[0], count, -1, -1) for tensor, count in zip((query, key, value), heads))
    o, _ = compute(query, key, value, MASK_CAUSAL_TOP_LEFT if is_causal else MASK_NONE, scale, False, False, False)
    return o[(0,) * missing] if missing else o
