"""What a network takes on a microcontroller: as float32, as int8 by two runtimes, and compressed."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from common import out, start, table, verdict
from compressor import TOGETHER, VARIANTS
from compressor_models import NETWORKS, trained
from fashion_model import Fashion, float_accuracy, load_fashion, quiet_imports, squeezed

TARGET = "nucleo-l4r5zi"
LEAST_SMALLER = 12.0
"""Times less flash for weights, with the parameters of their channels, than float32 weights and biases."""
ALLOWED_DROP = 0.010
"""Points below float, as a share, in the mean of the seeds."""
RECIPES: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "float32": {"quantize": {"mode": "none"}},
        "int8": {},
        "compressed": VARIANTS[TOGETHER],
    }
)


class Form(NamedTuple):
    """One row: a form of the network, and what runs it.

    Attributes:
        recipe: its key in ``RECIPES``.
        runtime: as ``bench`` takes it.
        title: of both, as the table has it.
    """

    recipe: str
    runtime: str
    title: str


FORMS = (
    Form("float32", "tflm", "float32, TFLM"),
    Form("int8", "tflm", "int8, TFLM + CMSIS-NN"),
    Form("int8", "c", "int8, native C"),
    Form("compressed", "c", "compressed, native C"),
)


@dataclass(frozen=True)
class Cost:
    """What one form takes on the device.

    Attributes:
        weights: bytes of weights and biases in flash, with the parameters of their channels.
        flash: bytes of flash, code included.
        ram: bytes of RAM.
        milliseconds: time of one inference.
        accuracy: of the .tflite on LiteRT, on all test images.
    """

    weights: int
    flash: int
    ram: int
    milliseconds: float
    accuracy: float


def costs(path: Path, data: Fashion, recipes: Mapping[str, Any]) -> list[Cost]:
    """Compress a network with images only; one cost for each of ``FORMS``."""
    made = {}
    for name, recipe in recipes.items():
        made[name] = squeezed(path, data, TARGET, recipe, name)
        out.print(f"{name}: {made[name].accuracy:.2%} after {made[name].seconds:.0f} s", style="dim")
    return [_cost(made[form.recipe], form.runtime) for form in FORMS]


def _cost(made: Any, runtime: str) -> Cost:
    from edgesqueeze.timing.bench import bench

    model = made.result.tflite
    timed: Any = bench(model, TARGET, runtime=runtime)
    if runtime == "c":
        memory = timed.memory
        taken = (memory.flash_weights_bytes, memory.flash_bytes, memory.ram_bytes)
    else:
        fit = made.result.report.fit
        taken = (_weight_bytes(model), fit.flash.needed_bytes, fit.ram.needed_bytes)
    return Cost(*taken, timed.latency_ms.estimate, made.accuracy)


def _weight_bytes(model: Any) -> int:
    """Bytes of the weights and biases of a .tflite, by its own tensors."""
    main = model.main
    read = {at for one in main.operators for at in one.inputs[1:] if at >= 0}
    return sum(main.tensors[at].data.nbytes for at in read if main.tensors[at].data is not None)


def rows(network: str, seed: int, found: list[Cost]) -> Iterator[list[str]]:
    """The lines of a network in the table."""
    whole = found[0]
    for form, one in zip(FORMS, found, strict=True):
        yield [
            network,
            str(seed),
            form.title,
            f"{one.weights:,}",
            f"{whole.weights / one.weights:.1f}x",
            f"{one.flash:,}",
            f"{one.ram:,}",
            f"{one.milliseconds:.4g}",
            f"{one.accuracy:.2%}",
            f"{100 * (one.accuracy - whole.accuracy):+.2f}",
        ]


def judge(network: str, found: list[list[Cost]]) -> int:
    """Print whether a network reaches what is wanted, in the mean of its seeds; 1 if not."""
    seeds = f"the mean of {len(found)} seed{'s' if len(found) > 1 else ''}"
    smaller = float(np.mean([one[0].weights / one[-1].weights for one in found]))
    drop = float(np.mean([one[0].accuracy - one[-1].accuracy for one in found]))
    slowest = max(one[-1].milliseconds / one[-2].milliseconds for one in found)
    said = f"{network}: weights {smaller:.1f} times smaller in {seeds}, at least {LEAST_SMALLER:g}"
    status = verdict(smaller >= LEAST_SMALLER, said)
    said = f"{network}: {100 * drop:.2f} points below float in {seeds}, at most {100 * ALLOWED_DROP:.1f}"
    status |= verdict(round(drop, 4) <= ALLOWED_DROP, said)
    return status | verdict(slowest <= 1, f"{network}: {slowest:.2f} times the time of int8, at most 1")


def main() -> int:
    """Run the benchmark; the exit status is 1 when a figure is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--network", choices=NETWORKS, action="append", help="only this one; may be repeated")
    parser.add_argument("--seed", type=int, action="append", help="in place of 0, 1 and 2; may be repeated")
    epochs = VARIANTS[TOGETHER]["finetune"]["epochs"]
    parser.add_argument("--epochs", type=int, default=epochs, help=f"of fine-tuning (default: {epochs})")
    parser.add_argument("--recipe", type=Path, help="of the compressed form, in place of the benchmark's own")
    arguments = parser.parse_args()
    start(
        "deployed",
        f"""Fashion-MNIST: networks of MLPerf Tiny's kinds, trained here, on {TARGET}: bytes of weights (with
        biases and the parameters of channels), flash, RAM, milliseconds (native C emulated, TFLM predicted),
        accuracy on all 10,000 test images. The compressed form has fewer channels, zeros and 16 values, and
        is trained as int8 rounds; it learns for {arguments.epochs} epochs from the 60,000 training images
        without their labels.
        Must be reached: weights {LEAST_SMALLER:g} times smaller than in float32, at most
        {100 * ALLOWED_DROP:.1f} point below it, not slower than int8.""",
    )
    data = load_fashion()
    quiet_imports()
    lines: list[list[str]] = []
    status = 0
    for network in arguments.network or ("ds-cnn", "resnet-8"):
        found = []
        for seed in arguments.seed or (0, 1, 2):
            path = trained(network, seed, data)
            out.print(f"{network}, seed {seed}: float accuracy {float_accuracy(path, data):.2%}")
            found.append(costs(path, data, _recipes(arguments, seed)))
            lines += rows(network, seed, found[-1])
        status |= judge(network, found)
    titles = ("network", "seed", "", "weights", "", "flash", "RAM", "ms", "accuracy", "points")
    table(titles, lines, left=3)
    return status


def _recipes(arguments: argparse.Namespace, seed: int) -> Mapping[str, Any]:
    from edgesqueeze.recipe.read import load_recipe, parse_recipe

    made = {name: parse_recipe({**raw, "seed": seed}) for name, raw in RECIPES.items()}
    if arguments.recipe:
        made["compressed"] = load_recipe(arguments.recipe).model_copy(update={"seed": seed})
    else:
        raw = {**RECIPES["compressed"], "seed": seed, "finetune": {"epochs": arguments.epochs}}
        made["compressed"] = parse_recipe(raw)
    return made


if __name__ == "__main__":
    sys.exit(main())
