"""The problems of a comparison, with the keys of bench/results and of attune-tune --problem."""
from __future__ import annotations


def cell(dtype: str, b: int, hq: int, hkv: int, n: int, d: int, causal: bool) -> dict:
    return {"op": "fwd", "dtype": dtype, "b": b, "hq": hq, "hkv": hkv, "nq": n, "nk": n, "d_qk": d, "d_v": d,
            "causal": causal, "deterministic": False}


def grid(dtype: str, dims=(64, 128, 256), lengths=(512, 2048, 8192, 16384), masks=(False, True)) -> list[dict]:
    """Equal work per cell: batch x length = 16384, heads x head dimension = 2048."""
    return [cell(dtype, 16384 // n, 2048 // d, 2048 // d, n, d, causal)
            for d in dims for causal in masks for n in lengths]


def tuned(dtype: str) -> list[dict]:
    """The problem attune is tuned on everywhere: grouped heads, causal."""
    return [cell(dtype, 2, 32, 8, 4096, 128, True)]


def backward(cells: list[dict]) -> list[dict]:
    """The gradients of the same problems."""
    return [{**one, "op": "bwd"} for one in cells]


SETS = {
    "peers": lambda: grid("bf16"),
    "quick": lambda: grid("bf16", dims=(64, 128), lengths=(2048, 16384)),
    "tuned": lambda: tuned("bf16"),
    "f16-peers": lambda: grid("f16"),
    "f16": lambda: tuned("f16") + grid("f16", dims=(128,), lengths=(2048, 16384)),
    "bwd-peers": lambda: backward(grid("bf16")),
    "bwd-quick": lambda: backward(grid("bf16", dims=(64, 128), lengths=(512, 2048, 8192))),
    "bwd-tuned": lambda: backward(tuned("bf16")),
    "bwd-f32": lambda: backward([cell("f32", 4, 16, 16, 4096, 64, causal) for causal in (False, True)]),
    "f32": lambda: [cell("f32", 4, 16, 16, 4096, 64, causal) for causal in (False, True)] + tuned("f32"),
}


def cells_of(names: list[str]) -> list[dict]:
    """The cells of the sets, each once, in order."""
    unique = []
    for name in names:
        unique += [one for one in SETS[name]() if one not in unique]
    return unique


def peers_of(one: dict) -> list[str]:
    """The backends of PyTorch that can do its dtype at all."""
    return ["efficient", "math"] if one["dtype"] == "f32" else ["fa2", "cudnn"]
