"""The problems of a comparison, with the keys of bench/results and of attune-tune --problem."""
from __future__ import annotations

EVENTS, REPLAY = "events", "replay"  # how a cell is timed; measuring.py says what each means


def cell(dtype: str, b: int, hq: int, hkv: int, n: int, d: int, causal: bool, **more) -> dict:
    """`n` and `d` are those of queries, keys and values alike, unless `more` says nk or d_v."""
    return {"op": "fwd", "dtype": dtype, "b": b, "hq": hq, "hkv": hkv, "nq": n, "nk": n, "d_qk": d, "d_v": d,
            "causal": causal, "deterministic": False, **more}


def masked_and_not(*arguments, **more) -> list[dict]:
    """A cell without a mask and with a causal one."""
    return [cell(*arguments, causal, **more) for causal in (False, True)]


def grid(dtype: str, dims=(64, 128, 256), lengths=(512, 2048, 8192, 16384), masks=(False, True)) -> list[dict]:
    """Equal work per cell: batch x length = 16384, heads x head dimension = 2048."""
    return [cell(dtype, 16384 // n, 2048 // d, 2048 // d, n, d, causal)
            for d in dims for causal in masks for n in lengths]


def tuned(dtype: str) -> list[dict]:
    """The problem attune is tuned on everywhere: grouped heads, causal."""
    return [cell(dtype, 2, 32, 8, 4096, 128, True)]


def small(dtype: str) -> list[dict]:
    """Prefill problems of microseconds, as inference and vision models have them."""
    shapes = [(1, 8, 8, 128, 64), (1, 16, 16, 512, 128), (2, 12, 12, 77, 64), (32, 12, 12, 197, 64)]
    return [one for shape in shapes for one in masked_and_not(dtype, *shape, timing=REPLAY)]


def decode(dtype: str) -> list[dict]:
    """One query per sequence against a long cache; a causal mask would hide nothing."""
    shapes = [(8, 8192), (64, 4096), (1, 65536)]
    return [cell(dtype, b, 32, 8, 1, 128, False, nk=nk, timing=REPLAY) for b, nk in shapes]


def grouped(dtype: str) -> list[dict]:
    """Grouped heads: the tuned problem without its mask, too, and all heads on one pair of keys and values."""
    return masked_and_not(dtype, 2, 32, 8, 4096, 128) + masked_and_not(dtype, 2, 32, 1, 4096, 64)


def odd_dims(dtype: str) -> list[dict]:
    """Head dimensions between the powers of two, and values narrower than keys."""
    square = [one for d in (40, 80, 96, 111, 192) for one in masked_and_not(dtype, 8, 16, 16, 2048, d)]
    return square + masked_and_not(dtype, 8, 16, 16, 2048, 192, d_v=128)


def cross(dtype: str) -> list[dict]:
    """More keys than queries and fewer; top_left is how PyTorch's is_causal aligns, bottom right how attune does."""
    lengths = [(512, 8192), (4096, 1024)]
    return [cell(dtype, 4, 16, 16, nq, 128, causal, nk=nk, **alignment) for nq, nk in lengths
            for causal, alignment in ((False, {}), (True, {}), (True, {"top_left": True}))]


def shapes(dtype: str) -> list[dict]:
    """Even shapes, and what is a little off each: grouped heads, unequal lengths, lengths of no whole tile, head dimensions."""
    even = masked_and_not(dtype, 8, 16, 16, 2048, 128) + masked_and_not(dtype, 4, 16, 16, 4096, 128) \
        + masked_and_not(dtype, 16, 16, 16, 1024, 128) + masked_and_not(dtype, 8, 32, 32, 2048, 64)
    off = masked_and_not(dtype, 8, 16, 2, 2048, 128) + masked_and_not(dtype, 8, 16, 16, 2048, 128, nk=4096) \
        + masked_and_not(dtype, 4, 16, 16, 4097, 128) + masked_and_not(dtype, 16, 16, 16, 1023, 128) \
        + masked_and_not(dtype, 8, 32, 32, 2048, 72) + masked_and_not(dtype, 8, 16, 16, 2048, 96) \
        + masked_and_not(dtype, 8, 16, 16, 2048, 192, d_v=128)
    return even + off


def f32_square() -> list[dict]:
    return masked_and_not("f32", 4, 16, 16, 4096, 64)


def backward(cells: list[dict]) -> list[dict]:
    """The gradients of the same problems."""
    return [{**one, "op": "bwd"} for one in cells]


def quick() -> list[dict]:
    """One of each kind, what matters most first, since a bounded run leaves out the last."""
    d128 = grid("bf16", dims=(128,), lengths=(2048,))
    return (d128 + decode("bf16")[:1] + backward(d128[1:]) + grid("bf16", dims=(64,), lengths=(2048,), masks=(True,))
            + small("bf16")[2:3] + tuned("bf16") + grid("f16", dims=(128,), lengths=(16384,), masks=(True,))
            + f32_square()[:1])


SETS = {
    "quick": quick,
    "peers": lambda: grid("bf16"),
    "few": lambda: grid("bf16", dims=(64, 128), lengths=(2048, 16384)),
    "tuned": lambda: tuned("bf16"),
    "small": lambda: small("bf16"),
    "decode": lambda: decode("bf16"),
    "gqa": lambda: grouped("bf16"),
    "odd-dims": lambda: odd_dims("bf16"),
    "cross": lambda: cross("bf16"),
    "shapes": lambda: shapes("bf16"),
    "f16-peers": lambda: grid("f16"),
    "f16": lambda: tuned("f16") + grid("f16", dims=(64, 128), lengths=(2048, 16384)),
    "bwd-peers": lambda: backward(grid("bf16")),
    "bwd-quick": lambda: backward(grid("bf16", dims=(64, 128), lengths=(512, 2048, 8192))),
    "bwd-tuned": lambda: backward(tuned("bf16")),
    "bwd-gqa": lambda: backward(grouped("bf16")),
    "bwd-odd-dims": lambda: backward(odd_dims("bf16")),
    "bwd-cross": lambda: backward(cross("bf16")),
    "bwd-f32": lambda: backward(f32_square()),
    "f32": lambda: f32_square() + tuned("f32"),
    "f64": lambda: masked_and_not("f64", 2, 8, 8, 1024, 64),
}


def cells_of(names: list[str]) -> list[dict]:
    """The cells of the sets, each once, in order."""
    unique = []
    for name in names:
        unique += [one for one in SETS[name]() if one not in unique]
    return unique


FLASH_PACKAGES = ("flash-attn-2", "flash-attn-3", "flash-attn-4")
# Those that can do the dtype at all. The math backend last: it holds all scores, and what it takes others lack.
PEERS = {"bf16": ("fa2", "cudnn", *FLASH_PACKAGES, "flex", "efficient", "math"),
         "f16": ("fa2", "cudnn", *FLASH_PACKAGES, "flex", "efficient", "math"),
         "f32": ("efficient", "flex", "math"), "f64": ("math",)}
ALL_PEERS = PEERS["bf16"]


def peers_of(one: dict, wanted=ALL_PEERS) -> list[str]:
    """Whom attune is compared with in a cell."""
    return [name for name in PEERS[one["dtype"]] if name in wanted]


def timing_of(one: dict) -> str:
    return one.get("timing", EVENTS)


def visible_pairs(one: dict) -> float:
    """Pairs of query and key that the mask lets through, per batch and head; by convention half of a square."""
    nq, nk = one["nq"], one["nk"]
    rows = min(nq, nk)
    if not one["causal"]:
        return nq * nk
    if one.get("top_left"):  # row i sees i + 1 keys, until it sees all
        return rows * rows / 2 + (nq - rows) * nk
    return rows * nk - rows * rows / 2


def flops(one: dict) -> float:
    """By convention backward has 2.5 times the operations of forward, however a kernel does it."""
    forward = 2 * one["b"] * one["hq"] * visible_pairs(one) * (one["d_qk"] + one["d_v"])
    return forward * (2.5 if one["op"] == "bwd" else 1)


def mask_offset(one: dict) -> int:
    """Query i of a causal cell sees the keys up to i + this."""
    return 0 if one.get("top_left") else one["nk"] - one["nq"]
