"""Fashion-MNIST on networks of MLPerf Tiny's kinds: fewer channels, four bits, training as int8 rounds."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from common import out, start, table, verdict
from compressor_models import NETWORKS, trained
from fashion_model import Fashion, float_accuracy, load_fashion, quiet_imports, squeezed

TARGETS: Mapping[str, str] = {"Cortex-M4": "nucleo-l4r5zi", "Cortex-M55": "corstone-300"}
"""Core -> the device whose instructions are counted; the model is compressed for the first."""
LEAST_SHARE, SHARE = 0.5, 0.52
"""Of the multiply-accumulates: what must go, and what is asked for, so that instructions fall as much."""
EPOCHS = 6
TOGETHER_EPOCHS = 12
"""Of fine-tuning where four passes share them, whatever ``--epochs`` says."""
PLAIN, ROUNDED, AWARE = "int8", "4 bits, rounded", "aware"
TOGETHER = "channels + prune + cluster + aware"
VARIANTS: Mapping[str, Mapping[str, Any]] = {
    PLAIN: {},
    "best ranges": {"quantize": {"calibration": "best"}},
    "channels": {"channels": {"share": SHARE}},
    "4 bits": {"bits": {"weights": 4}},
    "4 bits, untrained": {"bits": {"weights": 4}, "finetune": {"epochs": 0}},
    AWARE: {"aware": {}},
    "4 bits, aware": {"bits": {"weights": 4}, "aware": {}},
    TOGETHER: {
        "channels": {"share": 0.55},
        "prune": {"sparsity": 0.5, "structure": "unstructured"},
        "cluster": {"clusters": 16},
        "aware": {},
        "finetune": {"epochs": TOGETHER_EPOCHS},
    },
    ROUNDED: {"equalize": {}, "bits": {"weights": 4}, "round": {}, "bias": {}, "finetune": {"epochs": 0}},
}

ALLOWED_DROP: Mapping[str, float] = {
    "channels": 0.005,
    "4 bits": 0.003,
    "4 bits, aware": 0.003,
    TOGETHER: 0.01,
    ROUNDED: 0.007,
}
"""Points below float, as a share, in the mean of the seeds."""
ALLOWED_BELOW_INT8 = 0.001
"""What training as int8 rounds may lose beside rounding alone, as a share, in the mean of the seeds."""
ROUNDED_WORST = "mobilenet-0.25"
"""The network on which rounding alone loses most: it has ReLU6, and nothing is equalized."""
WON_BACK = 0.5
"""Part of that loss that training as int8 rounds wins back, at least."""
LEAST_SMALLER = 12.0
"""Times less flash for weights, with the parameters of their channels, than float32 weights take."""
LEAST_GAIN = 1.8
"""Times fewer instructions on Cortex-M4 than plain int8."""


@dataclass(frozen=True)
class Outcome:
    """One compression of one network.

    Attributes:
        accuracy: of the .tflite on LiteRT, on all test images.
        tflite_bytes: the .tflite.
        macs: multiply-accumulates of one inference.
        instructions: executed instructions of one inference of native C, by core.
        smaller: times less flash for weights in native C on the first core than as float32 in the original.
        seconds: how long ``compress`` took.
    """

    accuracy: float
    tflite_bytes: int
    macs: int
    instructions: Mapping[str, int]
    smaller: float
    seconds: float


def squeeze(path: Path, data: Fashion, name: str, epochs: int, seed: int) -> Outcome:
    """Compress a network with images only, judge the .tflite with labels, and count instructions."""
    from edgesqueeze.graph.macs import operator_macs
    from edgesqueeze.recipe.read import parse_recipe
    from edgesqueeze.timing.bench import bench

    recipe = parse_recipe({"finetune": {"epochs": epochs}, "seed": seed, **VARIANTS[name]})
    found = squeezed(path, data, TARGETS["Cortex-M4"], recipe, name)
    result, main = found.result, found.result.tflite.main
    counted: dict[str, Any] = {core: bench(result.tflite, target) for core, target in TARGETS.items()}
    return Outcome(
        accuracy=found.accuracy,
        tflite_bytes=result.report.sizes.tflite_bytes,
        macs=sum(operator_macs(main, one) for one in main.operators),
        instructions={core: one.instructions for core, one in counted.items()},
        smaller=result.report.sizes.float_bytes / next(iter(counted.values())).memory.flash_weights_bytes,
        seconds=found.seconds,
    )


def row(network: str, seed: int, name: str, outcome: Outcome, reference: float, plain: Outcome) -> list[str]:
    """One line of the table."""
    cells = [
        network,
        str(seed),
        name,
        f"{outcome.accuracy:.2%}",
        f"{100 * (outcome.accuracy - reference):+.2f}",
        f"{outcome.macs:,}",
        f"{outcome.tflite_bytes:,}",
    ]
    for core in TARGETS:
        gain = plain.instructions[core] / outcome.instructions[core]
        cells += [f"{outcome.instructions[core]:,}", f"{gain:.2f}x"]
    return [*cells, f"{outcome.smaller:.1f}x", f"{outcome.seconds:.0f}"]


def judge(network: str, references: list[float], found: list[Mapping[str, Outcome]]) -> int:
    """Print whether a network reaches what is wanted, in the mean of its seeds; 1 if not."""
    seeds = f"{len(found)} seed{'s' if len(found) > 1 else ''}"
    failed: list[int] = [
        _drop(f"{network}, {name}", references, found, name, seeds)
        for name in ALLOWED_DROP
        if name in found[0]
    ]
    for name in ("channels", TOGETHER):
        if name in found[0]:
            failed += _judge_channels(f"{network}, {name}", [(one[PLAIN], one[name]) for one in found])
    if TOGETHER in found[0]:
        smaller = float(np.mean([one[TOGETHER].smaller for one in found]))
        said = f"{network}, {TOGETHER}: weights {smaller:.1f} times smaller, at least {LEAST_SMALLER:g}"
        failed.append(verdict(smaller >= LEAST_SMALLER, said))
    if AWARE in found[0]:
        failed += _judge_aware(network, references, found)
    return max(failed, default=0)


def _judge_channels(title: str, pairs: list[tuple[Outcome, Outcome]]) -> Iterator[int]:
    """Print whether enough of the work is gone, and of the instructions."""
    core = next(iter(TARGETS))
    gain = float(np.mean([plain.instructions[core] / cut.instructions[core] for plain, cut in pairs]))
    gone = min(1 - cut.macs / plain.macs for plain, cut in pairs)
    yield verdict(gone >= LEAST_SHARE, f"{title}: {gone:.1%} of the MACs gone, at least {LEAST_SHARE:.0%}")
    said = f"{title}: {gain:.2f} times fewer instructions on {core}, at least {LEAST_GAIN}"
    yield verdict(gain >= LEAST_GAIN, said)


def _judge_aware(network: str, references: list[float], found: list[Mapping[str, Outcome]]) -> Iterator[int]:
    """Print whether training as int8 rounds is worth it, beside rounding alone."""
    below = float(np.mean([one[PLAIN].accuracy - one[AWARE].accuracy for one in found]))
    said = f"{network}, {AWARE}: {100 * below:.2f} points below {PLAIN}, at most {100 * ALLOWED_BELOW_INT8:g}"
    yield verdict(round(below, 4) <= ALLOWED_BELOW_INT8, said)
    lost = float(np.mean(references)) - float(np.mean([one[PLAIN].accuracy for one in found]))
    if network == ROUNDED_WORST and lost > 0:
        said = f"{-below / lost:.0%} of the {100 * lost:.2f} points that {PLAIN} loses won back"
        yield verdict(-below / lost >= WON_BACK, f"{network}, {AWARE}: {said}, at least {WON_BACK:.0%}")


def _drop(
    title: str, references: list[float], found: list[Mapping[str, Outcome]], name: str, seeds: str
) -> int:
    """Print whether a variant loses no more accuracy than it may, in the mean of the seeds; 1 if it does."""
    drops = [reference - one[name].accuracy for reference, one in zip(references, found, strict=True)]
    drop, allowed = float(np.mean(drops)), ALLOWED_DROP[name]
    said = f"{title}: {100 * drop:.2f} points below float in the mean of {seeds}, at most {100 * allowed:.1f}"
    return verdict(round(drop, 4) <= allowed, said)


def main() -> int:
    """Run the benchmark; the exit status is 1 when a figure is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--network", choices=NETWORKS, action="append", help="only this one; may be repeated")
    parser.add_argument("--seed", type=int, action="append", help="in place of 0, 1 and 2; may be repeated")
    parser.add_argument(
        "--variant", choices=VARIANTS, action="append", help=f"only this beside {PLAIN}; may be repeated"
    )
    parser.add_argument("--epochs", type=int, default=EPOCHS, help=f"of fine-tuning (default: {EPOCHS})")
    arguments = parser.parse_args()
    start(
        "compressor",
        f"""Fashion-MNIST: networks of MLPerf Tiny's kinds, trained here. Channels with {SHARE:.0%} of the
        multiply-accumulates are removed; or weights get four bits: with training, without, and without but
        with equalized channels, adaptive rounding and corrected biases; or the network is trained as int8
        rounds it, alone, with four bits, and with channels, zeros and clusters. Weights: times less flash in
        native C on Cortex-M4, parameters of channels included, than float32 weights take. Fine-tuned for
        {arguments.epochs} epochs, all together for {TOGETHER_EPOCHS}, on the 60,000 training images without
        their labels; full-integer int8 activations. Accuracy is that of the .tflite on LiteRT on all 10,000
        test images, instructions are those of native C in QEMU.""",
    )
    data = load_fashion()
    quiet_imports()
    rows: list[list[str]] = []
    measured = []
    names = [name for name in VARIANTS if name in (PLAIN, *(arguments.variant or VARIANTS))]
    for network in arguments.network or NETWORKS:
        references: list[float] = []
        found: list[Mapping[str, Outcome]] = []
        for seed in arguments.seed or (0, 1, 2):
            path = trained(network, seed, data)
            references.append(float_accuracy(path, data))
            out.print(f"{network}, seed {seed}: float accuracy {references[-1]:.2%}")
            outcomes: dict[str, Outcome] = {}
            for name in names:
                outcome = outcomes[name] = squeeze(path, data, name, arguments.epochs, seed)
                rows.append(row(network, seed, name, outcome, references[-1], outcomes[PLAIN]))
                out.print(f"{name}: {outcome.accuracy:.2%} after {outcome.seconds:.0f} s", style="dim")
            found.append(outcomes)
        measured.append((network, references, found))
    cores = [title for core in TARGETS for title in (core, "")]
    table(
        ("network", "seed", "", "accuracy", "points", "MACs", ".tflite", *cores, "weights", "seconds"),
        rows,
        left=3,
    )
    return max(judge(*one) for one in measured)


if __name__ == "__main__":
    sys.exit(main())
