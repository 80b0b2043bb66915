"""``edgesqueeze verify``: one .tflite on several runtimes, and against its original."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgesqueeze.cli.options import data_recipe, input_shape, json_option
from edgesqueeze.cli.paths import NamedPath
from edgesqueeze.cli.screen import escape, open_screen, say_json
from edgesqueeze.cli.tables import Table, print_findings

if TYPE_CHECKING:
    from edgesqueeze.checks.agreement import OutputFidelity
    from edgesqueeze.checks.metrics import Figure
    from edgesqueeze.checks.records import LayerDifference, RuntimeParity
    from edgesqueeze.checks.verify import Verification

# Figures against the original that the line has in no other words.
UNSAID = ("label_accuracy", "mean_iou", "correlation")
LISTED_REASONS = 3
VERDICTS = {"rounding": "[yellow]rounding", "identical": "[green]identical", "broken": "[red]broken"}


@click.command()
@click.argument("model", metavar="MODEL.tflite", type=NamedPath())
@click.option(
    "--against",
    metavar="FILE",
    type=NamedPath(),
    help="Also compare with the model that it was made from: a Keras model or another .tflite.",
)
@click.option(
    "--runtime",
    "runtimes",
    multiple=True,
    metavar="NAME",
    help="Compare only this runtime with the reference; may be given several times.",
)
@click.option(
    "--data",
    metavar="DATA",
    help="Inputs: an .npz, a folder of images by class, or module:callable. Random ones if not given.",
)
@data_recipe
@click.option(
    "--metric",
    metavar="MODULE:CALLABLE",
    help="Also judge by a metric of your own: called with labels and outputs, it gives a number.",
)
@click.option(
    "--custom-objects",
    multiple=True,
    metavar="MODULE:NAME",
    help="A class that the Keras original needs; may be given several times.",
)
@click.option(
    "--samples",
    metavar="N",
    type=click.IntRange(min=1),
    default=1000,
    show_default=True,
    help="Use at most so many samples of the data, spread evenly.",
)
@click.option(
    "--tolerance-lsb",
    metavar="N",
    type=click.FloatRange(min=0),
    default=2.0,
    show_default=True,
    help="How far an operator, run alone, may be off the reference, in steps of its 8-bit output.",
)
@click.option(
    "--carry-state/--reset-state",
    "carry_state",
    default=None,
    help="Whether a model's state (LSTM, SVDF, variables) goes on from sample to sample. By default only if "
    "it takes one step of a sequence per inference.",
)
@input_shape
@json_option
def verify(
    model: Path,
    against: Path | None,
    runtimes: tuple[str, ...],
    data: str | None,
    recipe: Path | None,
    metric: str | None,
    custom_objects: tuple[str, ...],
    samples: int,
    tolerance_lsb: float,
    carry_state: bool | None,
    shapes: tuple[str, ...],
    as_json: bool,
) -> None:
    """Run MODEL.tflite on several runtimes, and compare it with the model that it was made from.

    The runtimes are tflm (TensorFlow Lite Micro, the reference where it takes the model), litert,
    litert-builtin and litert-reference (LiteRT with its three sets of kernels), tflite-runtime, c (native C
    on this computer) and qemu (native C on an emulated Cortex-M4). All that can run here are compared,
    except qemu, which takes long; name it with --runtime.

    Exits with 1 if a runtime computes something else than the reference and rounding does not explain it, or
    if a finding is an error: an output that is the same on all samples, say.
    """
    from edgesqueeze.checks.verify import verify as run_verify
    from edgesqueeze.graph import read_tflite
    from edgesqueeze.recipe.read import load_recipe
    from edgesqueeze.runners.resize import resized

    result = run_verify(
        resized(read_tflite(model), shapes),
        data=data,
        against=against,
        options=None if recipe is None else load_recipe(recipe).data,
        metric=metric,
        runtimes=runtimes,
        custom_objects=custom_objects,
        max_samples=samples,
        tolerance_lsb=tolerance_lsb,
        carry_state=carry_state,
    )
    if as_json:
        say_json(result.model_dump_json(indent=2))
    else:
        print_verification(result)
    if not result.ok:
        sys.exit(1)


def print_verification(result: Verification) -> None:
    """Print the runtimes, the figures against the original, and the findings."""
    from edgesqueeze.report.summary import shown_findings

    screen = open_screen()
    source = "random inputs" if result.data == "random" else "samples"
    screen.print(f"{escape(result.model)}: parity on {result.parity.samples} {source}")
    figures = ("max LSB", "mean LSB", "differ", "top-1")
    layer = "first diverging layer"
    rows = Table("runtime", "outputs", *figures, layer, right=figures, fold=(layer,))
    for row in result.parity.runtimes:
        rows.add_row(*_cells(row))
    screen.print(rows)
    for line in _remarks(result.parity.runtimes):
        screen.print(escape(line))
    own = [one for one in result.fidelity.figures if one.output is None] if result.fidelity else []
    for figure in own:
        screen.print(escape(f"{_figure(figure)}, on {result.samples} samples"))
    for output in result.fidelity.outputs if result.fidelity else ():
        screen.print(escape(_fidelity_line(output, result)))
    print_findings(screen, shown_findings(result.findings, "--json"))
    screen.print(f"[{'green' if result.ok else 'red'}]{escape(_verdict(result))}")


def _verdict(result: Verification) -> str:
    from edgesqueeze.base.findings import errors_in

    parity = "parity holds" if result.parity.ok else "parity is broken"
    wrong = errors_in(result.findings)
    return f"{parity}, but the model does not do its job: {'; '.join(wrong)}" if wrong else parity


def _cells(row: RuntimeParity) -> list[str]:
    verdict = VERDICTS.get(row.status, row.status)
    lsb = "" if row.max_lsb is None else f"{row.max_lsb:g}"
    if row.max_relative is not None and not lsb:
        lsb = f"{row.max_relative:.1e}*" if row.max_relative else "0"
    mean = "" if row.mean_lsb is None else f"{row.mean_lsb:.3g}"
    shares = ["" if x is None else f"{x:.1%}" for x in (row.differing_share, row.top1_agreement)]
    layer = row.first_divergence
    return [row.title, verdict, lsb, mean, *shares, "" if layer is None else escape(_layer(layer))]


def _layer(layer: LayerDifference) -> str:
    off = f"{layer.max_lsb:g} LSB" if layer.max_lsb is not None else f"{layer.max_relative:.1e}*"
    return f"{layer.operator} {layer.kind}, {off}"


def _remarks(rows: tuple[RuntimeParity, ...]) -> list[str]:
    """What table cells have no room for."""
    lines = []
    for row in rows:
        if row.status in ("unsupported", "unavailable", "broken"):
            lines.append(f"{row.title}: {_shortened(row.reason)}")
        if row.status == "broken" and row.worst_layer is not None:
            lines.append(f"  largest: {_layer(row.worst_layer)}, in {row.worst_layer.tensor}")
    alone = [row.worst_layer for row in rows if row.status == "rounding" and row.worst_layer]
    largest = max(alone, key=lambda layer: layer.max_lsb or 0, default=None)
    if largest is not None and largest.max_lsb:
        steps = ", which carries it from step to step" if "SEQUENCE" in largest.kind else ""
        whose = f" ({largest.kind}{steps})" if steps else ""
        most = f"{largest.max_lsb:g} LSB at most{whose}"
        lines.append(
            f"rounding: each operator, run alone on the reference's values, is off by {most}; the network "
            "carries that on."
        )
    if any(row.max_relative and row.max_lsb is None for row in rows):
        lines.append("* float outputs: the largest difference, relative to the largest value")
    return lines


def _figure(figure: Figure) -> str:
    from edgesqueeze.report.figures import value_of

    before = "" if figure.original is None else f"{value_of(figure, figure.original)} -> "
    return f"{figure.title} {before}{value_of(figure, figure.compressed)}"


def _shortened(reason: str) -> str:
    """The first of many reasons."""
    parts = reason.split("; ")
    rest = len(parts) - LISTED_REASONS
    # One more costs no more room than saying that there is one more.
    if rest <= 1:
        return reason
    return f"{'; '.join(parts[:LISTED_REASONS])}; and {rest} more, which --json lists"


def _fidelity_line(output: OutputFidelity, result: Verification) -> str:
    from edgesqueeze.report.figures import value_of

    title = next(row.title for row in result.parity.runtimes if row.runtime == result.parity.reference)
    parts = []
    for one in result.fidelity.figures if result.fidelity else ():
        if one.output == output.output and one.part is None and one.truth == "labels":
            parts.append(_figure(one))
        elif one.output == output.output and one.part is None and one.metric in UNSAID:
            parts.append(f"{one.title} {value_of(one, one.compressed)}")
    if output.top1_agreement is not None:
        parts.append(f"same class as the original on {output.top1_agreement:.1%}")
    # Where there is one against the labels as well, it must be told which is which.
    against = " against the original" if any(one.startswith("normalized error") for one in parts) else ""
    if output.normalized_error is not None:
        parts.append(f"normalized error{against} {output.normalized_error:.3g}")
    if output.max_error is not None:
        parts.append(f"largest error{against} {output.max_error:.3g}")
    return f"{_output(output, result)} in {title}, {result.samples} samples: {'; '.join(parts)}"


def _output(output: OutputFidelity, result: Verification) -> str:
    """An output's place, with the original's name for it where there are several."""
    figures = result.fidelity.figures if result.fidelity else ()
    names = {one.output: one.name for one in figures if one.name}
    place = f"output {output.output}"
    return f"{place} ({names[output.output]})" if len(names) > 1 else place
