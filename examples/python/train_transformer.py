#!/usr/bin/env python3
"""Trains a small character-level transformer twice from one seed: with attune's attention and with PyTorch's.

    python3 examples/python/train_transformer.py                       # on the GPU, else tiny on the CPU
    python3 examples/python/train_transformer.py --out losses.json     # writes losses.svg, too

The two take turns, step by step, on the same batches. Exit status 1 when their losses part or do not fall. Needs
PyTorch and attune's Python package; less than a minute on a GPU.
"""
from __future__ import annotations

import argparse
import dataclasses
import datetime
import hashlib
import json
import math
import pathlib
import statistics
import subprocess
import sys
import time
from typing import Callable

import torch
from torch import nn

from loss_plot import svg_of

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
TOLERANCE = 0.05  # nats between the final losses: rounding differs, so the curves part slowly
Attention = Callable[..., torch.Tensor]


@dataclasses.dataclass(frozen=True)
class Size:
    width: int
    heads: int
    layers: int
    context: int
    batch: int
    steps: int


GPU, CPU = Size(384, 6, 6, 256, 64, 400), Size(64, 2, 2, 48, 4, 100)


class Block(nn.Module):
    """Pre-norm: attention, then two layers with a GELU between."""

    def __init__(self, size: Size, attention: Attention):
        super().__init__()
        self.heads, self.attention = size.heads, attention
        self.before_attention, self.before_mlp = nn.LayerNorm(size.width), nn.LayerNorm(size.width)
        self.qkv = nn.Linear(size.width, 3 * size.width, bias=False)
        self.out = nn.Linear(size.width, size.width, bias=False)
        self.mlp = nn.Sequential(nn.Linear(size.width, 4 * size.width), nn.GELU(),
                                 nn.Linear(4 * size.width, size.width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        q, k, v = (part.unflatten(-1, (self.heads, -1)).transpose(1, 2)
                   for part in self.qkv(self.before_attention(x)).chunk(3, dim=-1))
        x = x + self.out(self.attention(q, k, v, is_causal=True).transpose(1, 2).flatten(2))
        return x + self.mlp(self.before_mlp(x))


class Transformer(nn.Module):
    def __init__(self, size: Size, characters: int, attention: Attention):
        super().__init__()
        self.embedding = nn.Embedding(characters, size.width)
        self.position = nn.Embedding(size.context, size.width)
        self.blocks = nn.Sequential(*(Block(size, attention) for _ in range(size.layers)))
        self.head = nn.Sequential(nn.LayerNorm(size.width), nn.Linear(size.width, characters, bias=False))

    def forward(self, characters: torch.Tensor) -> torch.Tensor:
        places = torch.arange(characters.shape[1], device=characters.device)
        return self.head(self.blocks(self.embedding(characters) + self.position(places)))


class Trainer:
    """A model with its optimiser. Equal seeds give equal weights, whatever the attention."""

    def __init__(self, size: Size, characters: int, attention: Attention, device: str, dtype: torch.dtype, seed: int):
        torch.manual_seed(seed)
        self.model = Transformer(size, characters, attention).to(device)
        self.optimiser = torch.optim.AdamW(self.model.parameters(), lr=1e-3)
        self.autocast = torch.autocast(device, dtype, enabled=dtype != torch.float32)
        self.losses: list[float] = []
        self.seconds: list[float] = []

    def step(self, batch: torch.Tensor) -> None:
        began = time.perf_counter()
        with self.autocast:
            logits = self.model(batch[:, :-1])
        loss = nn.functional.cross_entropy(logits.flatten(0, 1).float(), batch[:, 1:].flatten())
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        self.losses.append(round(loss.item(), 6))  # waits for the device
        self.seconds.append(time.perf_counter() - began)

    def final_loss(self) -> float:
        """Of the last tenth of the steps."""
        return statistics.fmean(self.losses[-max(1, len(self.losses) // 10):])


def own_text() -> str:
    """This repository's documents: English that is always there."""
    return "\n".join(path.read_text() for path in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))])


def encoded(text: str) -> tuple[torch.Tensor, int]:
    """Numbers of the characters, and how many different ones there are."""
    alphabet = {character: number for number, character in enumerate(sorted(set(text)))}
    return torch.tensor([alphabet[character] for character in text]), len(alphabet)


def train(size: Size, text: str, device: str, dtype: torch.dtype, seed: int) -> dict[str, Trainer]:
    from attune.torch import scaled_dot_product_attention as attunes

    numbers, characters = encoded(text)
    if len(numbers) <= size.context + 1:
        raise SystemExit(f"the text has {len(numbers)} characters; more than {size.context + 1} are needed")
    attentions = {"attune": attunes, "torch": nn.functional.scaled_dot_product_attention}
    trainers = {name: Trainer(size, characters, one, device, dtype, seed) for name, one in attentions.items()}
    generator = torch.Generator().manual_seed(seed)
    for step in range(size.steps):
        starts = torch.randint(len(numbers) - size.context - 1, (size.batch,), generator=generator)
        batch = torch.stack([numbers[start:start + size.context + 1] for start in starts.tolist()]).to(device)
        for trainer in trainers.values():
            trainer.step(batch)
        if step % max(1, size.steps // 8) == 0 or step == size.steps - 1:
            print(f"step {step + 1:4}  " + "  ".join(f"{name} {one.losses[-1]:.4f}" for name, one in trainers.items()),
                  flush=True)
    return trainers


def git_commit() -> str:
    command = ["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def result_of(trainers: dict[str, Trainer], size: Size, text: str, device: str, dtype: str, commit: str) -> dict:
    first = next(iter(trainers.values()))
    return {"device": torch.cuda.get_device_name() if device == "cuda" else "CPU",
            "date": datetime.date.today().isoformat(), "commit": commit, "torch": torch.__version__, "dtype": dtype,
            **dataclasses.asdict(size), "tokens_per_step": size.batch * size.context,
            "parameters": sum(parameter.numel() for parameter in first.model.parameters()),
            "text": {"characters": len(text), "sha256": hashlib.sha256(text.encode()).hexdigest()},
            "final_loss": {name: round(one.final_loss(), 6) for name, one in trainers.items()},
            "milliseconds_per_step": {name: round(1e3 * statistics.median(one.seconds), 3)
                                      for name, one in trainers.items()},
            "losses": {name: one.losses for name, one in trainers.items()}}


def verdict(result: dict) -> str | None:
    """What is wrong, if anything."""
    for name, losses in result["losses"].items():
        if not all(map(math.isfinite, losses)):
            return f"{name}: a loss that is not finite"
        if not result["final_loss"][name] < 0.9 * losses[0]:
            return f"{name}: the loss fell from {losses[0]:.3f} to {result['final_loss'][name]:.3f} only"
    apart = abs(result["final_loss"]["attune"] - result["final_loss"]["torch"])
    return f"the final losses are {apart:.4f} apart, more than {TOLERANCE}" if apart > TOLERANCE else None


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--dtype", choices=["bf16", "f32"], help="of attention; default bf16 on the GPU, else f32")
    parser.add_argument("--steps", type=int, help=f"default {GPU.steps}, on the CPU {CPU.steps}")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--text", type=pathlib.Path, help="default: this repository's documents")
    parser.add_argument("--out", type=pathlib.Path, help="JSON file to write, and beside it the plot as SVG")
    parser.add_argument("--commit", help="of attune; default git's")
    return parser.parse_args()


def main() -> int:
    arguments = parse_arguments()
    size = GPU if arguments.device == "cuda" else CPU
    size = dataclasses.replace(size, steps=arguments.steps or size.steps)
    dtype = arguments.dtype or ("bf16" if arguments.device == "cuda" else "f32")
    text = arguments.text.read_text() if arguments.text else own_text()
    trainers = train(size, text, arguments.device, {"bf16": torch.bfloat16, "f32": torch.float32}[dtype],
                     arguments.seed)
    result = result_of(trainers, size, text, arguments.device, dtype, arguments.commit or git_commit())
    for name, loss in result["final_loss"].items():
        print(f"{name:>6}: final loss {loss:.4f}, {result['milliseconds_per_step'][name]:.1f} ms a step")
    if arguments.out:
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        arguments.out.write_text(json.dumps(result) + "\n")
        arguments.out.with_suffix(".svg").write_text(svg_of(result))
        print(f"wrote {arguments.out} and {arguments.out.with_suffix('.svg')}")
    wrong = verdict(result)
    print(wrong or "the two agree")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
