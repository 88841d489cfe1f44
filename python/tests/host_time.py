"""Host time of an eager call: attune's operator and PyTorch's scaled_dot_product_attention, taking turns in one run.

    python host_time.py [--json FILE]

Calls are queued without waiting for the GPU, a few at a time, so that what is measured is what the call costs the host.
Exits with 1 when attune's forward pass, without gradients, takes longer at 1 x 8 x 128 x 64 than PyTorch's.
"""
import argparse
import json
import os
import statistics
import sys
import time

os.environ.setdefault("ATTUNE_TUNING", "off")

import torch  # noqa: E402
import torch.nn.functional as F  # noqa: E402

import attune.torch as at  # noqa: E402

CALLS, ROUNDS = 100, 300


def microseconds_per_call(function):
    torch.cuda.synchronize()
    start = time.perf_counter()
    for _ in range(CALLS):
        function()
    return (time.perf_counter() - start) / CALLS * 1e6


def median_of_each(functions):
    """Medians of interleaved rounds: what disturbs one disturbs all."""
    for function in functions.values():
        for _ in range(3 * CALLS):
            function()
    samples = {name: [] for name in functions}
    for _ in range(ROUNDS):
        for name, function in functions.items():
            samples[name].append(microseconds_per_call(function))
    return {name: statistics.median(values) for name, values in samples.items()}


def functions(dtype, needs_grad):
    q, k, v = (torch.randn(1, 8, 128, 64, dtype=dtype, device="cuda", requires_grad=needs_grad) for _ in range(3))
    mine = at.scaled_dot_product_attention
    return {"attune.torch.scaled_dot_product_attention": lambda: mine(q, k, v),
            "attune.torch.attention": lambda: at.attention(q, k, v),
            "F.scaled_dot_product_attention": lambda: F.scaled_dot_product_attention(q, k, v)}


def backward_functions(dtype):
    q, k, v = (torch.randn(1, 8, 128, 64, dtype=dtype, device="cuda", requires_grad=True) for _ in range(3))
    dout = torch.randn_like(q)

    def both(function):
        return lambda: torch.autograd.grad(function(q, k, v), (q, k, v), dout)
    return {"attune.torch.scaled_dot_product_attention": both(at.scaled_dot_product_attention),
            "F.scaled_dot_product_attention": both(F.scaled_dot_product_attention)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", help="file for the medians")
    arguments = parser.parse_args()
    if not torch.cuda.is_available():
        print("skipped: PyTorch sees no GPU")
        return 77
    report = {"gpu": torch.cuda.get_device_name(0), "torch": torch.__version__, "shape": [1, 8, 128, 64],
              "unit": "microseconds per call, median of interleaved rounds"}
    for dtype in (torch.bfloat16, torch.float16):
        name = str(dtype).removeprefix("torch.")
        report[f"forward {name}"] = median_of_each(functions(dtype, False))
        report[f"forward with gradients {name}"] = median_of_each(functions(dtype, True))
    report["forward and backward bfloat16"] = median_of_each(backward_functions(torch.bfloat16))
    print(json.dumps(report, indent=2))
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump(report, file, indent=2)
    forward = [report[key] for key in report if key.startswith("forward ") and "and backward" not in key
               and "gradients" not in key]
    ratios = [case["attune.torch.scaled_dot_product_attention"] / case["F.scaled_dot_product_attention"]
              for case in forward]
    print("host time over scaled_dot_product_attention's:", ", ".join(f"{ratio:.2f}" for ratio in ratios))
    return 0 if max(ratios) <= 1 else 1


if __name__ == "__main__":
    sys.exit(main())
