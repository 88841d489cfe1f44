"""Losses of two trainings side by side, as SVG; plain text, so the same losses give the same bytes everywhere."""
from __future__ import annotations

import html
import math

WIDTH, HEIGHT = 720, 400
LEFT, RIGHT, TOP, BOTTOM = 60, 20, 56, 48
# PyTorch's curve is broad and pale below attune's thin one: where they agree both can be seen.
STYLES = {"torch": ("PyTorch's attention", "#9ec5e8", 6), "attune": ("attune", "#c2410c", 1.5)}


def tick_distance(largest: float) -> float:
    """1, 2 or 5 times a power of ten, four to ten of them."""
    power = 10 ** math.floor(math.log10(largest / 4))
    return next(factor * power for factor in (1, 2, 5, 10) if largest / (factor * power) <= 10)


def svg_of(result: dict) -> str:
    """Of what train_transformer.py stores."""
    losses = result["losses"]
    steps = max(len(values) for values in losses.values())
    highest = max(max(values) for values in losses.values()) * 1.05
    inner_width, inner_height = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM

    def x(step: float) -> str:
        return f"{LEFT + inner_width * step / steps:.1f}"

    def y(loss: float) -> str:
        return f"{TOP + inner_height * (1 - loss / highest):.1f}"

    title = html.escape(title_of(result))
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" '
             f'height="{HEIGHT}" font-family="DejaVu Sans, sans-serif" font-size="12">',
             f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
             f'<text x="{WIDTH / 2:g}" y="20" text-anchor="middle" font-size="13">{title}</text>']
    for at in multiples(tick_distance(highest), highest):
        parts += [f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(at)}" y2="{y(at)}" stroke="#dddddd"/>',
                  f'<text x="{LEFT - 8}" y="{y(at)}" text-anchor="end" dominant-baseline="middle">{at:g}</text>']
    for at in multiples(tick_distance(steps), steps):
        parts.append(f'<text x="{x(at)}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{at:g}</text>')
    for place, (name, (label, colour, width)) in enumerate(STYLES.items()):
        points = " ".join(f"{x(step)},{y(loss)}" for step, loss in enumerate(losses[name], 1))
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="{width}" '
                     'stroke-linejoin="round"/>')
        start = LEFT + inner_width * place // 2
        parts += [f'<line x1="{start}" x2="{start + 28}" y1="42" y2="42" stroke="{colour}" stroke-width="{width}"/>',
                  f'<text x="{start + 36}" y="46">{label}, {result["final_loss"][name]:.4f} at the end</text>']
    parts += [f'<text x="{LEFT + inner_width / 2:g}" y="{HEIGHT - 10}" text-anchor="middle">step</text>',
              f'<text x="16" y="{TOP + inner_height / 2:g}" text-anchor="middle" '
              f'transform="rotate(-90 16 {TOP + inner_height / 2:g})">loss, nats per character</text>', "</svg>", ""]
    return "\n".join(parts)


def title_of(result: dict) -> str:
    return (f"{result['device']}, {result['date']}, attune {result['commit']}, {result['dtype']}, "
            f"{result['parameters'] / 1e6:.2g} M parameters, {result['tokens_per_step']} characters a step")


def multiples(distance: float, largest: float) -> list[float]:
    return [i * distance for i in range(int(largest / distance) + 1)]
