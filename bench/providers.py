"""Who computes attention in a comparison: attune through its C API, PyTorch through scaled_dot_product_attention."""
from __future__ import annotations

import contextlib
import copy
import ctypes
import math

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.attention.bias import causal_lower_right
from torch.nn.functional import scaled_dot_product_attention

import attune_ctypes as c
from cells import mask_offset

SDPA_BACKENDS = {"fa2": SDPBackend.FLASH_ATTENTION, "cudnn": SDPBackend.CUDNN_ATTENTION,
                 "efficient": SDPBackend.EFFICIENT_ATTENTION, "math": SDPBackend.MATH}


class Sdpa:
    """One backend of PyTorch's scaled_dot_product_attention; refuses by an exception what it cannot do."""

    def __init__(self, name: str, cell: dict, tensors):
        self.backend = SDPA_BACKENDS[name]
        self.tensors = tensors
        self.options = dict(enable_gqa=cell["hq"] != cell["hkv"])
        if cell["causal"] and mask_offset(cell) != 0:  # is_causal aligns to the top left
            self.options["attn_mask"] = causal_lower_right(cell["nq"], cell["nk"])
        else:
            self.options["is_causal"] = cell["causal"]

    def on(self, tensors) -> Sdpa:
        """The same on other tensors of the same shapes; so of every provider."""
        other = copy.copy(self)
        other.tensors = tensors
        return other

    def scope(self):
        return sdpa_kernel(self.backend)

    def __call__(self) -> torch.Tensor:
        return scaled_dot_product_attention(*self.tensors, **self.options)

    def close(self) -> None:
        pass


class Gradients:
    """The gradients of what a provider computes, through autograd; the forward pass runs once and is not timed."""

    def __init__(self, make, cell: dict, tensors):
        self.inputs = [tensor.detach().requires_grad_() for tensor in tensors[:3]]
        self.dout = tensors[3]
        self.forward = make(cell, self.inputs)
        with self.forward.scope():
            self.out = self.forward()

    def scope(self):
        return self.forward.scope()

    def __call__(self) -> tuple[torch.Tensor, ...]:
        return torch.autograd.grad(self.out, self.inputs, self.dout, retain_graph=True)

    def close(self) -> None:
        self.forward.close()


class Attune:
    """An attune context, on PyTorch's current GPU unless another device is asked for; plan() gives callables."""

    def __init__(self, library: c.Library, tuning: str, tuning_seconds: float, cache_dir: str | None,
                 device: str = "cuda"):
        self.library = library
        # The default bound on scratch memory, 256 MiB, is less than the tensors of a cell.
        options = c.ContextOptions(device=device.encode(), tuning=c.TUNING[tuning], tuning_seconds=tuning_seconds,
                                   tuning_scratch_bytes=4 << 30,
                                   cache_dir=None if cache_dir is None else cache_dir.encode(),
                                   log_level=c.LOG_WARNING)
        self.context = ctypes.c_void_p()
        library.call("attune_context_create", ctypes.byref(self.context), ctypes.byref(options))

    def plan(self, cell: dict, tensors) -> AttunePlan:
        return AttuneBackwardPlan(self, cell, tensors) if cell["op"] == "bwd" else AttunePlan(self, cell, tensors)

    def close(self) -> None:
        self.library.raw.attune_context_destroy(self.context)


class AttunePlan:
    """One plan with its arguments packed, called on PyTorch's current stream."""

    operation = c.FORWARD

    def __init__(self, attune: Attune, cell: dict, tensors):
        self.library, self.plan = attune.library, ctypes.c_void_p()
        self.attune, self.cell, self.tensors = attune, cell, tensors
        desc = c.AttentionDesc(operation=self.operation, dtype=c.DTYPES[cell["dtype"]], layout=c.LAYOUT_STRIDED,
                               mask=self._mask(cell), heads_q=cell["hq"], heads_kv=cell["hkv"],
                               head_dim=cell["d_qk"], head_dim_v=cell["d_v"], max_batch=cell["b"],
                               max_seqlen_q=cell["nq"], max_seqlen_kv=cell["nk"])
        self.library.call("attune_plan_create", ctypes.byref(self.plan), attune.context, ctypes.byref(desc))
        self.args = self._arguments()
        size = ctypes.c_size_t()
        self.library.call("attune_plan_get_workspace_size", self.plan, ctypes.byref(size))
        room = torch.empty(size.value + 256, dtype=torch.uint8, device=tensors[0].device)
        self.workspace = room[-room.data_ptr() % 256:]
        self.workspace_bytes = size.value
        self.library.call("attune_workspace_init", self.plan, self.workspace.data_ptr(), size.value, self._stream())

    def _arguments(self) -> c.AttentionArgs:
        q, k, v = self.tensors[:3]
        self.out = self._output()
        return c.AttentionArgs(q=self._tensor(q), k=self._tensor(k), v=self._tensor(v), o=self._tensor(self.out))

    def _output(self) -> torch.Tensor:
        """Of q's memory order and v's columns, NaN until it is written."""
        q, _, v = self.tensors[:3]
        b, h, n, _ = q.shape
        rows_outside = q.stride(2) > q.stride(1)  # batch, row, head, column
        out = q.new_full((b, n, h, v.shape[3]) if rows_outside else (b, h, n, v.shape[3]), math.nan)
        return out.transpose(1, 2) if rows_outside else out

    def on(self, tensors) -> AttunePlan:
        """The plan is immutable and shared; calls on one stream may share the workspace, too."""
        other = copy.copy(self)
        other.tensors = tensors
        other.args = other._arguments()
        return other

    @staticmethod
    def _mask(cell: dict) -> int:
        if not cell["causal"]:
            return c.MASK_NONE
        return c.MASK_CAUSAL_TOP_LEFT if cell.get("top_left") else c.MASK_CAUSAL

    @staticmethod
    def _tensor(tensor: torch.Tensor) -> c.Tensor:
        return c.Tensor(tensor.data_ptr(), (ctypes.c_int64 * 4)(*tensor.stride()))

    def _stream(self) -> int:
        return torch.cuda.current_stream().cuda_stream if self.tensors[0].is_cuda else 0

    def scope(self):
        return contextlib.nullcontext()

    def __call__(self) -> torch.Tensor:
        self.library.call("attune_plan_execute", self.plan, ctypes.byref(self.args), self.workspace.data_ptr(),
                          self.workspace_bytes, self._stream())
        return self.out

    @property
    def config(self) -> str:
        text = ctypes.c_char_p()
        self.library.call("attune_plan_get_config", self.plan, ctypes.byref(text))
        return text.value.decode()

    @property
    def match(self) -> str:
        match = ctypes.c_int()
        self.library.call("attune_plan_get_match", self.plan, ctypes.byref(match))
        return c.MATCHES[match.value]

    def close(self) -> None:
        self.library.raw.attune_plan_destroy(self.plan)


class AttuneBackwardPlan(AttunePlan):
    """The gradients; attune's own forward pass runs once and is not timed."""

    operation = c.BACKWARD

    def _arguments(self) -> c.AttentionArgs:
        q, k, v, dout = self.tensors
        forward = AttunePlan(self.attune, {**self.cell, "op": "fwd"}, self.tensors)
        # As backward wants it: dense, in f32, for f64 in that.
        self.lse = torch.empty(q.shape[:3], dtype=torch.promote_types(q.dtype, torch.float32), device=q.device)
        forward.args.lse = self.lse.data_ptr()
        forward()
        if q.is_cuda:
            torch.cuda.synchronize()
        self.out = forward.out
        forward.close()
        self.gradients = tuple(torch.full_like(tensor, math.nan) for tensor in (q, k, v))
        dq, dk, dv = (self._tensor(tensor) for tensor in self.gradients)
        return c.AttentionArgs(q=self._tensor(q), k=self._tensor(k), v=self._tensor(v), o=self._tensor(self.out),
                               lse=self.lse.data_ptr(), dout=self._tensor(dout), dq=dq, dk=dk, dv=dv)

    def __call__(self) -> tuple[torch.Tensor, ...]:
        super().__call__()
        return self.gradients
