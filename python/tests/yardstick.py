"""How right a result has to be: no farther from the exact one than a plain kernel's would be (DESIGN: "Correct means").

The exact result is computed in float64. The yardstick is what one would write in PyTorch: scores and softmax in float32,
probabilities rounded to the dtype, products accumulated in float32. The library's own tests apply a stricter rule, tile by
tile and with the size of what cancels; this one is by head, for results that went through Python.
"""
import torch

FACTOR = 3
ULP = {torch.float16: 2.0 ** -11, torch.bfloat16: 2.0 ** -8, torch.float32: 2.0 ** -21, torch.float64: 2.0 ** -46}
# Of terms that may take each other away, in gradients and in scores; as in the library's own rule.
CANCELLED = {torch.float16: 2.0 ** -22, torch.bfloat16: 2.0 ** -22, torch.float32: 2.0 ** -22, torch.float64: 2.0 ** -51}


def _forward(q, k, v, causal, scale, dtype):
    """o, lse, P of (b, h, s, d) tensors in their precision, with P and o rounded to `dtype`."""
    group = q.shape[1] // k.shape[1]
    k, v = k.repeat_interleave(group, 1), v.repeat_interleave(group, 1)
    scores = (q @ k.transpose(-1, -2)) * scale
    if causal:
        diagonal = 0 if causal == "top_left" else k.shape[2] - q.shape[2]
        visible = torch.ones(scores.shape[-2:], dtype=torch.bool, device=q.device).tril(diagonal)
        scores = scores.masked_fill(~visible, -torch.inf)
    lse = torch.logsumexp(scores, -1)
    p = torch.exp(scores - lse.unsqueeze(-1)).nan_to_num(0.0)
    return (_rounded(p, dtype) @ v), lse, p


def _rounded(tensor, dtype):
    return tensor.to(dtype).to(tensor.dtype)


def results(q, k, v, dout, causal, scale, precision):
    """o, lse, dq, dk, dv, computed in `precision` with the roundings of the inputs' dtype; exact for float64."""
    inputs_dtype = q.dtype
    dtype = inputs_dtype if precision != torch.float64 else torch.float64
    heads_kv = k.shape[1]
    q, k, v, dout = (tensor.to(precision) for tensor in (q, k, v, dout))
    o, lse, p = _forward(q, k, v, causal, scale, dtype)
    o = _rounded(o, dtype)
    group = q.shape[1] // heads_kv
    k_all, v_all = k.repeat_interleave(group, 1), v.repeat_interleave(group, 1)
    delta = (dout * o).sum(-1, keepdim=True)
    ds = _rounded(p * (dout @ v_all.transpose(-1, -2) - delta), dtype)
    dq = ds @ k_all * scale
    dk, dv = ds.transpose(-1, -2) @ q * scale, _rounded(p, dtype).transpose(-1, -2) @ dout

    def summed(gradient):
        return gradient.unflatten(1, (heads_kv, group)).sum(2)
    # dP and delta may take each other away: what is left is the rounding of o in delta, and that of the terms of both.
    of_output = (dout * o).square().sum(-1, keepdim=True).sqrt()
    of_terms = dout.abs() @ v_all.abs().transpose(-1, -2) + (dout * o).abs().sum(-1, keepdim=True)
    terms = p * (ULP[inputs_dtype] * of_output + CANCELLED[inputs_dtype] * of_terms)
    dq_terms, dk_terms = terms @ k_all.abs() * abs(scale), terms.transpose(-1, -2) @ q.abs() * abs(scale)
    # An error of a score is one of P, relative: scores are sums of q·k, of which large ones may cancel, too.
    logits = abs(scale) * float((q.abs() @ k_all.abs().transpose(-1, -2)).max()) if k.numel() and q.numel() else 0.0
    return {"o": o, "lse": lse, "logits": logits, "dq": dq, "dk": summed(dk), "dv": summed(dv), "dq_terms": dq_terms,
            "dk_terms": summed(dk_terms)}


def worst(name, got, exact, plain, dtype):
    """The largest ratio of error to tolerance of a result, over heads; NaN counts as infinite."""
    got, plain, terms, logits = got.detach(), plain[name], exact.get(name + "_terms"), exact["logits"]
    exact = exact[name]

    def per_head(tensor):
        return tensor.double().abs().flatten(2).amax(2) if tensor.numel() else tensor.new_zeros((1, 1)).double()
    error = per_head(got.double() - exact)
    allowed = FACTOR * per_head(plain.double() - exact) + (4 * ULP[dtype] + CANCELLED[dtype] * logits) * per_head(exact)
    allowed = allowed + 1e-300
    if terms is not None:
        allowed = allowed + per_head(terms)
    ratio = (error / allowed).nan_to_num(torch.inf)
    return float(ratio.max())
