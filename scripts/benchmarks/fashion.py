"""Fashion-MNIST: what sparsity, clusters and int8 cost in accuracy and save in bytes, without labels."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common import out, start, table, verdict
from fashion_model import Fashion, float_accuracy, load_fashion, quiet_imports, squeezed, trained_model

SPARSITY = 0.6
CLUSTERS = 16
EPOCHS = 8
TARGET = "nucleo-l4r5zi"
VARIANTS: Mapping[str, Mapping[str, Any]] = {
    "none": {},
    "prune": {"prune": {"sparsity": SPARSITY}},
    "cluster": {"cluster": {"clusters": CLUSTERS}},
    "both": {"prune": {"sparsity": SPARSITY}, "cluster": {"clusters": CLUSTERS}},
}

FLOAT_ACCURACY = 0.88
ALLOWED_DROP = 0.010
SPARSITY_TOLERANCE = 0.005


@dataclass(frozen=True)
class Outcome:
    """One compression of the network.

    Attributes:
        accuracy: of the .tflite on LiteRT, on all test images.
        tflite_bytes: the .tflite.
        deflate_bytes: the .tflite after DEFLATE.
        seconds: how long ``compress`` took.
        kernels: sparsity and distinct values of each kernel's integers, by its layer; None for a kernel that
            is not in the .tflite as it was (the converter multiplies a Rescaling into the convolution).
        left_out: what was not pruned or not clustered: the layer, then task and reason.
    """

    accuracy: float
    tflite_bytes: int
    deflate_bytes: int
    seconds: float
    kernels: Mapping[str, tuple[float, int] | None]
    left_out: Mapping[str, tuple[str, ...]]


def squeeze(path: Path, data: Fashion, options: Mapping[str, Any], epochs: int, name: str) -> Outcome:
    """Compress the network with images only, and judge the .tflite with labels."""
    from edgesqueeze.recipe.read import parse_recipe

    recipe = parse_recipe({**options, "finetune": {"epochs": epochs}})
    found = squeezed(path, data, TARGET, recipe, name)
    result = found.result
    return Outcome(
        accuracy=found.accuracy,
        tflite_bytes=result.report.sizes.tflite_bytes,
        deflate_bytes=result.report.sizes.tflite_deflate_bytes,
        seconds=found.seconds,
        kernels=_kernels(result),
        left_out=_left_out(result.report.findings),
    )


def _kernels(result: Any) -> dict[str, tuple[float, int] | None]:
    from edgesqueeze.squeeze.layers.kernels import kernel_of, tflite_layout
    from edgesqueeze.squeeze.layers.weights import kernel_layers
    from edgesqueeze.squeeze.passes.promises import find_kernel

    stats = {one.name: one for one in result.report.weights}
    found: dict[str, tuple[float, int] | None] = {}
    for layer in kernel_layers(result.model):
        tensor = find_kernel(result.tflite, tflite_layout(layer, kernel_of(layer)))
        one = stats[tensor.name] if tensor else None
        found[layer.name] = (one.sparsity, one.distinct_values) if one else None
    return found


def _left_out(findings: Any) -> dict[str, tuple[str, ...]]:
    reasons: dict[str, tuple[str, ...]] = {}
    for one in findings:
        if one.code in ("prune-skipped", "cluster-skipped"):
            reasons[one.subject] = (
                *reasons.get(one.subject, ()),
                f"{one.code.removesuffix('-skipped')}: {one.message}",
            )
    return reasons


def extremes(outcome: Outcome, layers: list[str]) -> tuple[tuple[float, float], int]:
    """Least and greatest sparsity, and most distinct values, of the given layers' kernels."""
    found = [outcome.kernels[layer] for layer in layers]
    known = [one for one in found if one is not None]
    if not known or len(known) < len(found):
        raise SystemExit(f"error: not all kernels of {', '.join(layers)} are in the .tflite")
    sparsity = [one[0] for one in known]
    return (min(sparsity), max(sparsity)), max(one[1] for one in known)


def row(name: str, outcome: Outcome, reference: float, layers: list[str]) -> list[str]:
    """One line of the table; sparsity and distinct values are over the given layers."""
    sparsity, values = extremes(outcome, layers)
    return [
        f"{name} + int8",
        f"{outcome.accuracy:.2%}",
        f"{100 * (outcome.accuracy - reference):+.2f}",
        f"{sparsity[0]:.1%} to {sparsity[1]:.1%}",
        str(values),
        f"{outcome.tflite_bytes:,}",
        f"{outcome.deflate_bytes:,}",
        f"{outcome.seconds:.0f}",
    ]


def main() -> int:
    """Run the benchmark; the exit status is 1 when a figure is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=EPOCHS, help=f"of fine-tuning (default: {EPOCHS})")
    parser.add_argument("--only", choices=VARIANTS, action="append", help="only these variants; repeatable")
    arguments = parser.parse_args()
    start(
        "fashion",
        f"""Fashion-MNIST: a depthwise-separable network, {SPARSITY:.0%} sparsity and {CLUSTERS} clusters,
        fine-tuned for {arguments.epochs} epochs on the 60,000 training images without their labels;
        full-integer int8. Accuracy is that of the .tflite on LiteRT on all 10,000 test images. Must be
        reached: at most {100 * ALLOWED_DROP:.1f} point below a float model of at least
        {FLOAT_ACCURACY:.0%}.""",
    )
    data = load_fashion()
    quiet_imports()
    path = trained_model(data)
    reference = float_accuracy(path, data)
    out.print(f"float model: accuracy {reference:.2%}")
    outcomes = {}
    for name, options in VARIANTS.items():
        if arguments.only and name not in arguments.only:
            continue
        outcomes[name] = squeeze(path, data, options, arguments.epochs, name)
        out.print(f"{name}: {outcomes[name].accuracy:.2%} after {outcomes[name].seconds:.0f} s", style="dim")
    return show(outcomes, reference)


def show(outcomes: Mapping[str, Outcome], reference: float) -> int:
    """Print the table, what it leaves out, and whether the figures are reached."""
    left_out = {
        layer: reasons for outcome in outcomes.values() for layer, reasons in outcome.left_out.items()
    }
    first = next(iter(outcomes.values()))
    layers = [layer for layer in first.kernels if layer not in left_out]
    columns = ("", "accuracy", "points", "sparsity", "distinct", ".tflite bytes", "deflated", "seconds")
    table(columns, [row(name, outcome, reference, layers) for name, outcome in outcomes.items()])
    out.print(
        f"sparsity (least and greatest of a kernel) and distinct values (most in a kernel) are counted in "
        f"the integers of {len(layers)} kernels: {', '.join(layers)}"
    )
    for layer, reasons in left_out.items():
        out.print(f"left out: {layer}; {'; '.join(dict.fromkeys(reasons))}")
    status = verdict(
        reference >= FLOAT_ACCURACY, f"float accuracy {reference:.2%}, at least {FLOAT_ACCURACY:.0%}"
    )
    for name, outcome in outcomes.items():
        status |= judge(name, outcome, reference, layers)
    return status


def judge(name: str, outcome: Outcome, reference: float, layers: list[str]) -> int:
    """Print whether one variant has what was asked of it; 1 if not."""
    status = 0
    (least, _), most = extremes(outcome, layers)
    if name == "both":
        drop = reference - outcome.accuracy
        allowed = f"at most {100 * ALLOWED_DROP:.1f} point"
        status |= verdict(
            round(drop, 4) <= ALLOWED_DROP, f"{name}: {100 * drop:.2f} points below float, {allowed}"
        )
    if "prune" in VARIANTS[name]:
        status |= verdict(
            least >= SPARSITY - SPARSITY_TOLERANCE, f"{name}: sparsity {least:.1%}, asked for {SPARSITY:.1%}"
        )
    if "cluster" in VARIANTS[name]:
        status |= verdict(most <= CLUSTERS, f"{name}: {most} distinct values, asked for {CLUSTERS}")
    return status


if __name__ == "__main__":
    sys.exit(main())
