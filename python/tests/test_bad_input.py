"""What is wrong raises the exception a Python programmer expects, with the reason and the numbers."""
import subprocess
import sys
import textwrap

import numpy as np
import pytest

import attune


def ones(*shape, dtype=np.float32):
    return np.ones(shape, dtype)


Q, K = ones(1, 2, 3, 8), ones(1, 2, 5, 8)


def refused(exception, words, *arguments, **options):
    with pytest.raises(exception) as caught:
        attune.attention(*arguments, **options)
    assert isinstance(caught.value, attune.Error) and caught.value.status > 0
    for word in words:
        assert word in str(caught.value)


def test_shapes_that_do_not_fit():
    refused(ValueError, ["k has shape (2, 2, 5, 8)", "(1, 2, 5, 8)"], Q, ones(2, 2, 5, 8), K)
    refused(ValueError, ["v has shape (1, 2, 6, 8)"], Q, K, ones(1, 2, 6, 8))
    refused(ValueError, ["k has shape (1, 2, 5, 9)"], Q, ones(1, 2, 5, 9), K)
    refused(ValueError, ["4 dimensions"], ones(2, 3, 8), K, K)
    refused(ValueError, ["k has shape (2, 5, 8)", "(batch, head, sequence, dim)"], Q, ones(2, 5, 8), K)
    refused(ValueError, ["heads_q = 3", "heads_kv = 2"], ones(1, 3, 3, 8), K, K)


def test_dtypes():
    refused(TypeError, ["k is of float64", "q of float32"], Q, K.astype(np.float64), K)
    refused(TypeError, ["q is of int32", "bfloat16"], Q.astype(np.int32), K, K)
    refused(TypeError, ["q is of complex64"], Q.astype(np.complex64), K, K)


def test_what_is_no_array():
    refused(TypeError, ["q is of <class 'list'>", "__dlpack__"], [[1.0]], K, K)
    refused(TypeError, ["k is of <class 'list'>", "__dlpack__"], Q, [[1.0]], K)
    refused(TypeError, ["v is of <class 'list'>", "__dlpack__"], Q, K, [[1.0]])


def test_columns_with_gaps():
    refused(ValueError, ["q: column stride = 2 is not 1"], ones(1, 2, 3, 16)[..., ::2], K, K)
    refused(ValueError, ["k: ", "stride = -", "negative"], Q, K[:, :, ::-1], K)


def test_options():
    refused(ValueError, ["causal = 'left'", "top_left"], Q, K, K, causal="left")
    refused(ValueError, ["layout = 'sbhd'"], Q, K, K, layout="sbhd")
    refused(ValueError, ["scale = 0"], Q, K, K, scale=0)
    refused(ValueError, ["scale", "nan"], Q, K, K, scale=float("nan"))
    refused(ValueError, ["device = 'cuda:0'", "reference"], Q, K, K, device="cuda:0")
    refused(ValueError, ["'sm_70'", "sm_90a"], Q, K, K, device="simt:sm_70")
    with pytest.raises(TypeError):
        attune.attention(Q, K, K, dropout_p=0.1)


def test_what_is_not_supported():
    refused(NotImplementedError, ["head_dim = 257", "256"], ones(1, 1, 3, 257), ones(1, 1, 5, 257), ones(1, 1, 5, 8))
    refused(NotImplementedError, ["scale = -0.5", "negative"], Q, K, K, scale=-0.5)


def test_tuning_what_cannot_be_tuned():
    with pytest.raises(NotImplementedError, match="nothing to tune"):
        attune.tune(heads=1, head_dim=32, seqlen=16, device="reference")
    with pytest.raises(ValueError, match="dtype = 'f8'"):
        attune.tune(heads=1, head_dim=32, seqlen=16, dtype="f8", device="simt")


def test_a_closed_library():
    program = """
        import numpy, attune
        q = numpy.ones((1, 1, 2, 4), numpy.float32)
        attune.attention(q, q, q)
        context = attune._contexts.context_of("reference")
        attune.close()
        attune.close()
        for call in (lambda: attune.attention(q, q, q), lambda: context.plans()):
            try:
                call()
            except attune.ContextLost as error:
                assert isinstance(error, RuntimeError) and "closed" in str(error), error
            else:
                raise SystemExit("no exception")
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(program)], check=True, timeout=60)


def test_a_forked_child_opens_a_library_of_its_own():
    program = """
        import os, warnings, numpy, attune
        warnings.simplefilter("ignore")
        q = numpy.ones((1, 1, 2, 4), numpy.float32)
        attune.attention(q, q, q)
        child = os.fork()
        if child == 0:
            os._exit(0 if attune.attention(q, q, q).sum() == q.sum() else 1)
        assert os.waitpid(child, 0)[1] == 0
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(program)], check=True, timeout=60)
