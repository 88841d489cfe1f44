"""attune's C API through ctypes: structs, signatures and statuses of attune/attune.h, and nothing else."""
from __future__ import annotations

import ctypes
import os
import pathlib

MATCHES = {0: "default", 1: "near", 2: "exact"}
FORWARD, BACKWARD = 0, 1
TUNING = {"miss": 1, "off": 2, "force": 3}
DTYPES = {"f16": 1, "bf16": 2, "f32": 3, "f64": 4}
LAYOUT_STRIDED = 3
MASK_NONE, MASK_CAUSAL, MASK_CAUSAL_TOP_LEFT = 0, 1, 2
LOG_WARNING = 2
SAME_AS_PLAN = -1

_i32, _i64, _u64, _size = ctypes.c_int32, ctypes.c_int64, ctypes.c_uint64, ctypes.c_size_t
_text, _pointer, _double, _enum = ctypes.c_char_p, ctypes.c_void_p, ctypes.c_double, ctypes.c_int


class _Sized(ctypes.Structure):
    """A struct of the API: struct_size comes first, and what is not given is zero."""

    def __init__(self, **values):
        super().__init__(struct_size=ctypes.sizeof(type(self)), **values)


class ContextOptions(_Sized):
    _fields_ = [("struct_size", _size), ("device", _text), ("cache_dir", _text), ("nvrtc_path", _text),
                ("template_dir", _text), ("tuning", _enum), ("log_level", _enum), ("log_callback", _pointer),
                ("log_user_data", _pointer), ("margin_fraction", _double), ("margin_bytes", _i64),
                ("tuning_seconds", _double), ("tuning_scratch_bytes", _i64), ("check", _i32), ("reserved", _i32)]


class DeviceInfo(_Sized):
    _fields_ = [("struct_size", _size), ("backend", ctypes.c_char * 16), ("name", ctypes.c_char * 128),
                ("arch", ctypes.c_char * 16), ("multiprocessors", _i32), ("reserved", _i32),
                ("shared_memory_per_block", _i64), ("global_memory", _i64)]


class AttentionDesc(_Sized):
    _fields_ = [("struct_size", _size), ("operation", _enum), ("dtype", _enum), ("layout", _enum), ("mask", _enum),
                ("heads_q", _i64), ("heads_kv", _i64), ("head_dim", _i64), ("head_dim_v", _i64), ("max_batch", _i64),
                ("max_seqlen_q", _i64), ("max_seqlen_kv", _i64), ("flags", _u64), ("page_size", _i64),
                ("features", _u64)]


class Tensor(ctypes.Structure):
    _fields_ = [("data", _pointer), ("stride", _i64 * 4)]


class AttentionArgs(_Sized):
    _fields_ = [("struct_size", _size), ("q", Tensor), ("k", Tensor), ("v", Tensor), ("o", Tensor), ("lse", _pointer),
                ("batch", _i64), ("seqlen_q", _i64), ("seqlen_kv", _i64), ("scale", _double),
                ("dout", Tensor), ("dq", Tensor), ("dk", Tensor), ("dv", Tensor), ("bias", Tensor), ("dbias", Tensor),
                ("dlse", _pointer), ("softcap", _double), ("window_left", _i64), ("window_right", _i64),
                ("cu_seqlens_q", _pointer), ("cu_seqlens_k", _pointer), ("seqused_q", _pointer),
                ("seqused_k", _pointer), ("page_table", _pointer), ("page_table_stride", _i64),
                ("dropout_p", _double), ("philox_seed", _u64), ("philox_offset", _u64), ("philox_device", _pointer),
                ("sink", _pointer), ("alibi", _pointer)]

    def __init__(self, **values):
        defaults = dict(batch=SAME_AS_PLAN, seqlen_q=SAME_AS_PLAN, seqlen_kv=SAME_AS_PLAN, window_left=-1,
                        window_right=-1)
        super().__init__(**{**defaults, **values})


_FUNCTIONS = {  # name: argument types; all of these return a status
    "attune_context_create": [ctypes.POINTER(_pointer), ctypes.POINTER(ContextOptions)],
    "attune_context_get_device_info": [ctypes.POINTER(DeviceInfo), _pointer],
    "attune_plan_create": [ctypes.POINTER(_pointer), _pointer, ctypes.POINTER(AttentionDesc)],
    "attune_plan_get_workspace_size": [_pointer, ctypes.POINTER(_size)],
    "attune_plan_get_match": [_pointer, ctypes.POINTER(_enum)],
    "attune_plan_get_config": [_pointer, ctypes.POINTER(_text)],
    "attune_plan_execute": [_pointer, ctypes.POINTER(AttentionArgs), _pointer, _size, _pointer],
    "attune_workspace_init": [_pointer, _pointer, _size, _pointer],
    "attune_memory_allocate": [ctypes.POINTER(_pointer), _pointer, _size],
    "attune_memory_free": [_pointer, _pointer],
    "attune_memory_copy": [_pointer, _pointer, _pointer, _size],
    "attune_stream_synchronize": [_pointer, _pointer],
}


class AttuneError(RuntimeError):
    """A status other than OK, with the message of the last error."""

    def __init__(self, name: str, status: int, text: str, message: str):
        super().__init__(f"{name}: {text}: {message}")
        self.status = status


class Library:
    """libattune.so with checked calls: lib.call("attune_plan_create", ...) raises AttuneError."""

    def __init__(self, path: str | os.PathLike):
        self.path = pathlib.Path(path).resolve()
        self.raw = ctypes.CDLL(str(self.path))
        for name, arguments in _FUNCTIONS.items():
            function = getattr(self.raw, name)
            function.argtypes, function.restype = arguments, _enum
        for name in ("attune_context_destroy", "attune_plan_destroy"):
            getattr(self.raw, name).argtypes, getattr(self.raw, name).restype = [_pointer], None
        self.raw.attune_status_string.argtypes, self.raw.attune_status_string.restype = [_enum], _text
        self.raw.attune_last_error_message.argtypes, self.raw.attune_last_error_message.restype = [], _text
        self.raw.attune_version.argtypes, self.raw.attune_version.restype = [], _i32

    def call(self, name: str, *arguments) -> None:
        status = getattr(self.raw, name)(*arguments)
        if status != 0:
            raise AttuneError(name, status, self.raw.attune_status_string(status).decode(),
                              self.raw.attune_last_error_message().decode())


def find_library(given: str | None) -> pathlib.Path:
    """The library that was named, else the newest of the build folders beside this one."""
    if given:
        return pathlib.Path(given)
    root = pathlib.Path(__file__).resolve().parent.parent
    found = sorted(root.glob("build/*/lib*/**/libattune.so"), key=lambda path: path.stat().st_mtime)
    if not found:
        raise SystemExit(f"no libattune.so below {root / 'build'}; build it or name it with --lib")
    return found[-1]
