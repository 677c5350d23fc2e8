"""Draw the picture of the README, ``docs/assets/leak.svg``, from the runs that ``make demo`` makes.

make demo
.venv/bin/serbench inflation build/demo/proper/* build/demo/leaky/* --output build/inflation
.venv/bin/python docs/leak_picture.py build/inflation/inflation.csv
"""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd

PICTURE = Path(__file__).parent / "assets" / "leak.svg"
NAMES = {"akd": "Student (akd)", "teacher:functionals": "Teacher's head"}
PROTOCOLS = {
    "speaker-independent": ("proper", "folds by speaker: no test speaker is in training"),
    "leaky-random": ("leaky", "folds by utterance: the test speakers are in training, too"),
}
WIDTH, LEFT, RIGHT, FIRST, ROW, GROUP = 760, 150, 610, 76, 32, 92
LOWEST, HIGHEST = 40, 100
"""The axis, in % of UA."""

STYLE = """
  text { font: 15px system-ui, "Segoe UI", Helvetica, Arial, sans-serif; fill: #1f2328; }
  .quiet { fill: #59636e; font-size: 13px; }
  .bold { font-weight: 600; }
  .grid { stroke: #d1d9e0; }
  .proper { stroke: #0969da; fill: #0969da; }
  .leaky { stroke: #bc4c00; fill: #bc4c00; }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc; }
    .quiet { fill: #9198a1; }
    .grid { stroke: #3d444d; }
    .proper { stroke: #4493f8; fill: #4493f8; }
    .leaky { stroke: #f0883e; fill: #f0883e; }
  }
"""


def main() -> int:
    """Write the picture; the one argument is the CSV file of ``serbench inflation``."""
    rows = pd.read_csv(sys.argv[1]).query("metric == 'ua'")
    height = FIRST + GROUP * len(NAMES) + 24
    parts = [*legend(), *axis(height - 44)]
    for number, (method, name) in enumerate(NAMES.items()):
        found = rows[rows["method"] == method].set_index("protocol")
        parts += group(name, found, FIRST + GROUP * number)
    drawing = "\n".join(parts)
    PICTURE.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">\n'
        f"<title>One leak on the demo corpus: UA with its 95 % interval</title>\n"
        f"<style>{STYLE}</style>\n{drawing}\n</svg>\n",
        encoding="utf-8",
    )
    return 0


def at(percent: float) -> float:
    """Horizontal place of a UA."""
    return round(LEFT + (RIGHT - LEFT) * (percent - LOWEST) / (HIGHEST - LOWEST), 1)


def legend() -> list[str]:
    """A line for each protocol."""
    return [
        f'<circle class="{kind}" cx="16" cy="{18 + 24 * n}" r="6"/>'
        f'<text x="32" y="{23 + 24 * n}">{words}</text>'
        for n, (kind, words) in enumerate(PROTOCOLS.values())
    ]


def axis(bottom: int) -> list[str]:
    """Vertical lines with their UA below."""
    return [
        f'<path class="grid" d="M{at(ua)} {FIRST - 12}V{bottom}"/>'
        f'<text class="quiet" x="{at(ua)}" y="{bottom + 20}" text-anchor="middle">{ua} %</text>'
        for ua in range(LOWEST, HIGHEST + 1, 10)
    ] + [f'<text class="quiet" x="{LEFT - 36}" y="{bottom + 20}" text-anchor="end">UA</text>']


def group(name: str, found: pd.DataFrame, top: int) -> list[str]:
    """Both protocols of one model, and the difference between them."""
    middle = top + ROW / 2 + 12
    leak = found.loc["leaky-random"]
    words = f"{100 * leak['inflation']:+.1f} points"
    interval = f"[{100 * leak['inflation_low']:+.1f}, {100 * leak['inflation_high']:+.1f}]"
    parts = [
        f'<text class="bold" x="{LEFT - 14}" y="{middle + 5}" text-anchor="end">{name}</text>',
        f'<text class="bold" x="{RIGHT + 24}" y="{middle - 3}">{words}</text>',
        f'<text class="quiet" x="{RIGHT + 24}" y="{middle + 17}">{interval}</text>',
    ]
    for n, (protocol, (kind, _)) in enumerate(PROTOCOLS.items()):
        ua, low, high = (at(100 * found.loc[protocol, key]) for key in ("value", "low", "high"))
        y = top + 12 + ROW * n
        parts.append(
            f'<path class="{kind}" stroke-width="4" d="M{low} {y}H{high}"/>'
            f'<circle class="{kind}" cx="{ua}" cy="{y}" r="7"/>'
            f'<text x="{high + 10}" y="{y + 5}">{100 * found.loc[protocol, "value"]:.1f}</text>'
        )
    return parts


if __name__ == "__main__":
    sys.exit(main())
