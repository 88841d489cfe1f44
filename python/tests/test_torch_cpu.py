"""attune.torch on CPU tensors: autograd, compilation, tracing, and the other libraries' signatures."""
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch.autograd import forward_ad

import attune
import attune.torch as at

pytestmark = pytest.mark.needs_torch


def tensors(batch=2, heads=4, kv_heads=2, queries=9, keys=13, dim=16, dim_v=8, dtype=torch.float64, grad=True, seed=0):
    torch.manual_seed(seed)
    shapes = (batch, heads, queries, dim), (batch, kv_heads, keys, dim), (batch, kv_heads, keys, dim_v)
    return tuple(torch.randn(shape, dtype=dtype, requires_grad=grad) for shape in shapes)


def math_attention(q, k, v, causal=False, scale=None):
    """By PyTorch's own matrix products, for autograd to differentiate."""
    group = q.shape[1] // k.shape[1]
    k, v = k.repeat_interleave(group, 1), v.repeat_interleave(group, 1)
    scores = q @ k.transpose(-1, -2) * (scale or q.shape[-1] ** -0.5)
    if causal:
        diagonal = 0 if causal == "top_left" else k.shape[2] - q.shape[2]
        hidden = ~torch.ones(scores.shape[-2:], dtype=torch.bool, device=q.device).tril(diagonal)
        scores = scores.masked_fill(hidden, -torch.inf)
    return torch.softmax(scores, -1).nan_to_num() @ v, torch.logsumexp(scores, -1)


def gradients(outputs, inputs, seed=1):
    torch.manual_seed(seed)
    return torch.autograd.grad(outputs, inputs, [torch.randn(output.shape, dtype=output.dtype, device=output.device)
                                                for output in outputs])


@pytest.mark.parametrize("causal", [False, True, "top_left"])
def test_values_and_gradients(causal):
    inputs = tensors()
    mine, theirs = at.attention(*inputs, causal=causal, return_lse=True), math_attention(*inputs, causal=causal)
    torch.testing.assert_close(mine, theirs)
    torch.testing.assert_close(gradients(mine, inputs), gradients(theirs, inputs))


@pytest.mark.parametrize("causal", [False, True, "top_left"])
def test_gradcheck(causal):
    inputs = tensors(1, 2, 1, 4, 5, 6, 3)
    assert torch.autograd.gradcheck(lambda *a: at.attention(*a, causal=causal, return_lse=True), inputs)
    assert torch.autograd.gradcheck(lambda *a: torch.ops.attune.attention(*a, int(bool(causal)), 0.7, False, True), inputs)


@pytest.mark.parametrize("wanted", [(True, False, False), (False, True, False), (False, False, True)])
def test_one_gradient_alone(wanted):
    inputs = tensors()
    everything = gradients([at.attention(*inputs)], inputs)
    alone = [tensor.detach().requires_grad_(flag) for tensor, flag in zip(inputs, wanted)]
    torch.manual_seed(1)
    o = at.attention(*alone)
    o.backward(torch.randn_like(o))
    for tensor, gradient, flag in zip(alone, everything, wanted):
        assert (tensor.grad is not None) == flag
        if flag:
            assert torch.equal(tensor.grad, gradient)


def test_a_gradient_through_the_lse_alone():
    inputs = tensors()
    mine = gradients([at.attention(*inputs, return_lse=True)[1]], inputs[:2])
    torch.testing.assert_close(mine, gradients([math_attention(*inputs)[1]], inputs[:2]))


def test_a_gradient_that_is_one_number_everywhere():
    inputs = tensors()
    mine = torch.autograd.grad(at.attention(*inputs).sum(), inputs)
    torch.testing.assert_close(mine, torch.autograd.grad(math_attention(*inputs)[0].sum(), inputs))


def test_second_derivatives_are_refused():
    inputs = tensors()
    first, = torch.autograd.grad(at.attention(*inputs).sum(), inputs[0], create_graph=True)
    with pytest.raises(RuntimeError):
        first.sum().backward()


@pytest.mark.parametrize("square", [False, True])  # whether the gradient of o itself hangs in the graph
def test_penalties_on_gradients_are_refused(square):
    inputs = tensors()
    o = at.attention(*inputs)
    first, = torch.autograd.grad((o.square() if square else o).sum(), inputs[0], create_graph=True)
    with pytest.raises(RuntimeError):
        (o.sum() + first.square().sum()).backward()
    with pytest.raises(RuntimeError):
        torch.autograd.functional.jvp(lambda q: at.attention(q, *inputs[1:]), inputs[0].detach(), inputs[0].detach())


def test_gradients_are_the_same_with_a_graph():
    for wanted in ((0, 1, 2), (1,)):
        inputs = [tensor.requires_grad_(i in wanted) for i, tensor in enumerate(tensors(grad=False))]
        asked = [inputs[i] for i in wanted]
        loss = at.attention(*inputs, causal=True).square().sum()
        plain = torch.autograd.grad(loss, asked, retain_graph=True)
        torch.testing.assert_close(torch.autograd.grad(loss, asked, create_graph=True), plain)


def test_forward_mode_derivatives_are_refused():
    q, k, v = tensors(grad=False)
    for derivative in (lambda f: torch.func.jvp(f, (q,), (q,)), lambda f: torch.func.jacfwd(f)(q)):
        with pytest.raises(NotImplementedError, match="forward-mode"):
            derivative(lambda x: at.attention(x, k, v))
    with forward_ad.dual_level():
        with pytest.raises(NotImplementedError, match="forward-mode"):
            at.scaled_dot_product_attention(k, forward_ad.make_dual(k, k), k)
        assert torch.equal(at.attention(q, k, v), at.attention(q, k, v))


def test_vmap_is_a_loop():
    q, k, v = tensors(batch=3, dim_v=16)
    mapped = torch.vmap(lambda *a: at.attention(*(tensor.unsqueeze(0) for tensor in a)).squeeze(0))(q, k, v)
    whole = at.attention(q, k, v)
    torch.testing.assert_close(mapped, whole)
    torch.testing.assert_close(gradients([mapped], (q, k, v)), gradients([whole], (q, k, v)))


def test_opcheck():
    q, k, v = tensors(dtype=torch.float32)
    arguments = (q, k, v, 1, None, False, False)
    torch.library.opcheck(torch.ops.attune.attention, arguments)
    o, lse = (output.detach() for output in torch.ops.attune.attention(*arguments))
    plain = [tensor.detach() for tensor in (q, k, v)]
    for wanted in (1, 6, 7):
        torch.library.opcheck(torch.ops.attune.attention_backward,
                              (torch.randn_like(o), torch.randn_like(lse), *plain, o, lse, 1, None, False, False, wanted))


@pytest.mark.parametrize("dynamic", [False, True])
def test_compiled_whole(dynamic):
    def model(q, k, v):
        o, lse = at.attention(q * 2, k, v, causal=True, return_lse=True)
        return o.sin() + lse.unsqueeze(-1), at.scaled_dot_product_attention(q, q, q, is_causal=True)
    compiled = torch.compile(model, fullgraph=True, dynamic=dynamic, backend="aot_eager")
    for queries in (9, 12):
        inputs = tensors(queries=queries, dtype=torch.float32)
        mine, theirs = compiled(*inputs), model(*inputs)
        torch.testing.assert_close(mine, theirs)
        torch.testing.assert_close(gradients(mine, inputs), gradients(theirs, inputs))


def test_traced_with_fake_tensors():
    from torch.fx.experimental.proxy_tensor import make_fx
    inputs = tensors(grad=False)
    graph = make_fx(lambda *a: at.attention(*a), tracing_mode="fake")(*inputs)
    assert "attune.attention" in graph.code
    assert torch.equal(graph(*inputs), at.attention(*inputs))


def test_layouts_are_taken_without_copies():
    q, k, v = tensors(dim_v=16, grad=False)
    expected = at.attention(q, k, v)
    swapped = [tensor.transpose(1, 2).contiguous() for tensor in (q, k, v)]
    o, lse = at.attention(*swapped, layout="bshd", return_lse=True)
    assert o.is_contiguous() and torch.equal(o.transpose(1, 2), expected) and lse.shape == q.shape[:3]
    view = at.attention(*(tensor.transpose(1, 2) for tensor in swapped))  # (b, h, s, d) that lies as (b, s, h, d)
    assert torch.equal(view, expected) and view.transpose(1, 2).is_contiguous()


def test_packed_projections_are_taken_without_copies():
    torch.manual_seed(0)
    qkv = torch.randn(2, 9, 3, 4, 16, dtype=torch.float64, requires_grad=True)
    mine = at.flash_attn_qkvpacked_func(qkv, causal=True)
    theirs = math_attention(*(part.transpose(1, 2) for part in qkv.unbind(2)), causal=True)[0].transpose(1, 2)
    torch.testing.assert_close(mine, theirs)
    torch.testing.assert_close(gradients([mine], [qkv]), gradients([theirs], [qkv]))


def test_autocast():
    inputs = tensors(dtype=torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        o = at.attention(*inputs)
        compiled = torch.compile(lambda *a: at.attention(*a), fullgraph=True, backend="aot_eager")(*inputs)
    assert o.dtype == compiled.dtype == torch.bfloat16
    torch.testing.assert_close(o.float(), math_attention(*inputs)[0], atol=3e-2, rtol=3e-2)
    assert all(gradient.dtype == torch.float32 for gradient in gradients([o], inputs))
    whole_numbers = inputs[0].detach().long()
    with torch.autocast("cpu", torch.bfloat16), pytest.raises(TypeError, match="q is of int64"):
        at.attention(whole_numbers, *inputs[1:])


def test_views_that_negate():
    q, k, v = tensors(dim_v=16)
    dout, dlse = torch.randn_like(q), torch.randn(q.shape[:3], dtype=q.dtype)
    o, lse = at.attention(q, k, v, return_lse=True)
    expected = torch.autograd.grad((o, lse), (q, k, v), (dout, dlse))
    negated = [torch._neg_view(-tensor) for tensor in (q, k, v)]
    assert all(tensor.is_neg() for tensor in negated)
    torch.testing.assert_close(at.attention(*negated), o)
    again = torch.autograd.grad(at.attention(q, k, v, return_lse=True), (q, k, v),
                                (torch._neg_view(-dout), torch._neg_view(-dlse)))
    torch.testing.assert_close(again, expected)


def plan_flags():
    return {plan.deterministic for device in attune.info().devices for plan in device.plans if plan.head_dim == 20}


def test_deterministic_mode_is_followed():
    q, k, v = tensors(dim=20, grad=False)
    at.attention(q, k, v)
    assert plan_flags() == {False}
    torch.use_deterministic_algorithms(True)
    try:
        at.attention(q, k, v)
    finally:
        torch.use_deterministic_algorithms(False)
    assert plan_flags() == {False, True}


@pytest.mark.parametrize("is_causal", [False, True])
@pytest.mark.parametrize("shapes", [((2, 4, 9, 16), (2, 4, 13, 16)), ((4, 9, 16), (4, 13, 16)), ((9, 16), (13, 16)),
                                    ((2, 4, 9, 16), (1, 4, 13, 16)), ((1, 4, 9, 16), (2, 1, 13, 16))])
def test_scaled_dot_product_attention(shapes, is_causal):
    torch.manual_seed(0)
    q = torch.randn(shapes[0], dtype=torch.float64, requires_grad=True)
    k, v = (torch.randn(shapes[1], dtype=torch.float64, requires_grad=True) for _ in range(2))
    mine = at.scaled_dot_product_attention(q, k, v, is_causal=is_causal)
    theirs = F.scaled_dot_product_attention(q, k, v, is_causal=is_causal)
    torch.testing.assert_close(mine, theirs)
    torch.testing.assert_close(gradients([mine], (q, k, v)), gradients([theirs], (q, k, v)))


def test_scaled_dot_product_attention_where_value_alone_broadcasts():
    q, k, v = tensors(heads=4, kv_heads=4, dim_v=16, grad=False)
    for value in (v[:1], v[:, :1]):
        torch.testing.assert_close(at.scaled_dot_product_attention(q, k, value), F.scaled_dot_product_attention(q, k, value))


def test_scaled_dot_product_attention_with_grouped_queries():
    q, k, v = tensors(dim_v=16, grad=False)
    torch.testing.assert_close(at.scaled_dot_product_attention(q, k, v, enable_gqa=True, scale=0.3),
                               F.scaled_dot_product_attention(q, k, v, enable_gqa=True, scale=0.3))
    with pytest.raises(ValueError, match="enable_gqa"):
        at.scaled_dot_product_attention(q, k, v)


def test_flash_attn_func():
    q, k, v = (tensor.transpose(1, 2) for tensor in tensors())
    o, lse, probabilities = at.flash_attn_func(q, k, v, causal=True, softmax_scale=0.2, return_attn_probs=True)
    expected, expected_lse = math_attention(*(tensor.transpose(1, 2) for tensor in (q, k, v)), causal=True, scale=0.2)
    torch.testing.assert_close((o.transpose(1, 2), lse), (expected, expected_lse))
    assert probabilities is None
    torch.testing.assert_close(at.flash_attn_func(q, k, v, softmax_scale=0.2, window_size=(-1, 0)), o)


def test_flash_attn_with_kvcache():
    q, k, v = (tensor.transpose(1, 2) for tensor in tensors(queries=2, grad=False))
    k_cache, v_cache = torch.zeros(2, 20, 2, 16, dtype=torch.float64), torch.zeros(2, 20, 2, 8, dtype=torch.float64)
    k_cache[:, :11], v_cache[:, :11] = k[:, :11], v[:, :11]
    o, lse = at.flash_attn_with_kvcache(q, k_cache, v_cache, k[:, 11:], v[:, 11:], cache_seqlens=11, causal=True,
                                        return_softmax_lse=True)
    expected = math_attention(*(tensor.transpose(1, 2) for tensor in (q, k, v)), causal=True)
    torch.testing.assert_close((o.transpose(1, 2), lse), expected)
    assert torch.equal(k_cache[:, :13], k) and torch.equal(v_cache[:, :13], v)
    with pytest.raises(ValueError, match="cache_seqlens = 19 and 2 new keys in a cache for 20"):
        at.flash_attn_with_kvcache(q, k_cache, v_cache, k[:, 11:], v[:, 11:], cache_seqlens=19)


def test_what_is_not_supported_yet_says_so():
    q, k, v = (tensor.transpose(1, 2) for tensor in tensors(grad=False))
    lengths = torch.zeros(2, dtype=torch.int32)
    for words, call in (
            ("dropout_p = 0.5", lambda: at.flash_attn_func(q, k, v, dropout_p=0.5)),
            ("softcap = 30", lambda: at.flash_attn_func(q, k, v, softcap=30.0)),
            (r"window_size = \(128, 0\)", lambda: at.flash_attn_func(q, k, v, window_size=(128, 0))),
            ("alibi_slopes", lambda: at.flash_attn_func(q, k, v, alibi_slopes=torch.ones(4))),
            ("cu_seqlens", lambda: at.flash_attn_varlen_func(q[0], k[0], v[0], lengths, lengths, 9, 13)),
            ("cache_seqlens as a tensor", lambda: at.flash_attn_with_kvcache(q, k, v, cache_seqlens=lengths)),
            ("block_table", lambda: at.flash_attn_with_kvcache(q, k, v, block_table=lengths)),
            ("rotary_cos", lambda: at.flash_attn_with_kvcache(q, k, v, rotary_cos=k)),
            ("attn_mask", lambda: at.scaled_dot_product_attention(q, q, q, attn_mask=q)),
            ("dropout_p", lambda: at.scaled_dot_product_attention(q, q, q, dropout_p=0.1))):
        with pytest.raises(NotImplementedError, match=words):
            call()


def test_bad_tensors():
    q, k, v = tensors(grad=False)
    for exception, words, arguments in (
            (ValueError, "q: column stride = 4 is not 1", (torch.randn(2, 4, 16, 4).double().transpose(2, 3), k, v)),
            (TypeError, "k is of float32, and q of float64", (q, k.float(), v)),
            (TypeError, "q is of int64", (q.long(), k, v)),
            (ValueError, "q lies on meta", (q.to("meta"), k, v)),
            (ValueError, "4 dimensions", (q[0], k[0], v[0])),
            (ValueError, "k has shape", (q, k[:1], v))):
        with pytest.raises(exception, match=words) as caught:
            at.attention(*arguments)
        assert isinstance(caught.value, attune.Error)
    wrong = torch.ops.attune.attention
    with pytest.raises(ValueError, match="4 dimensions"):
        wrong(q[0], k[0], v[0], 0, None, False, False)


def test_attune_attention_takes_tensors():
    inputs = tensors()
    o = attune.attention(*inputs)
    assert o.requires_grad and torch.equal(o, at.attention(*inputs))
    emulated = attune.attention(*(tensor.detach().float() for tensor in inputs), device="simt")
    assert isinstance(emulated, torch.Tensor)
    torch.testing.assert_close(emulated.double(), o.detach(), atol=1e-5, rtol=1e-5)
    from_numpy = attune.attention(*(tensor.detach().numpy() for tensor in inputs))
    assert np.array_equal(from_numpy, o.detach().numpy())


def test_function_transforms_are_refused_by_pytorch():
    inputs = tensors(grad=False)  # a custom operator has no rule for them, and a result without a gradient would be wrong
    with pytest.raises(RuntimeError):
        torch.func.grad(lambda q: at.attention(q, *inputs[1:]).square().sum())(inputs[0])


def test_parameters_and_inference_mode():
    q, k, v = tensors(grad=False)
    parameter = torch.nn.Parameter(q.clone())
    at.attention(parameter, k, v).sum().backward()
    assert parameter.grad is not None
    with torch.inference_mode():
        assert torch.equal(at.attention(q.clone(), k, v), at.attention(q, k, v))
