"""What a model computes less after channels were removed: promised, and looked up in the .tflite."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from edgesqueeze.base.findings import Finding
from edgesqueeze.checks.records import BudgetReport, ChannelsReport, LayerChannels
from edgesqueeze.graph import TfliteModel
from edgesqueeze.graph.macs import operator_macs
from edgesqueeze.recipe.sections import QuantizeMode
from edgesqueeze.squeeze.layers.unroll import unrolled
from edgesqueeze.squeeze.passes.convert import INTEGER_MODES, convert_float

TOLERANCE = 0.005
"""By which the share that went may miss what was asked for."""


@dataclass(frozen=True)
class CutLayer:
    """A layer and how many channels it gives.

    Attributes:
        name: the layer's name.
        before: channels before the cut.
        after: channels after it.
    """

    name: str
    before: int
    after: int


@dataclass(frozen=True)
class MacsCut:
    """What was promised of a model's size.

    Attributes:
        share: part of the multiply-accumulates that was to go.
        macs: multiply-accumulates of the model before, as a .tflite.
        layers: layers with a kernel.
        budgets: the most that it may take of the target, by the names of the recipe.
    """

    share: float
    macs: int
    layers: tuple[CutLayer, ...]
    budgets: Mapping[str, float] = field(default_factory=dict)


def plain_macs(model: Any, mode: QuantizeMode) -> int:
    """Multiply-accumulates of a model's .tflite as it is.

    Args:
        model: a flat tf_keras model of plain layers.
        mode: how it will be quantized: recurrent layers are written out for integers.

    Raises:
        UnsupportedModelError: the converter cannot convert the model.
    """
    return macs_of(convert_float(unrolled(model) if mode in INTEGER_MODES else model))


def macs_of(tflite: TfliteModel) -> int:
    """Multiply-accumulates of one inference; each subgraph counts as run once."""
    return sum(operator_macs(graph, one) for graph in tflite.graphs for one in graph.operators)


def channels_report(
    cut: MacsCut,
    tflite: TfliteModel,
    figures: Callable[[TfliteModel, Collection[str]], Mapping[str, float]] | None = None,
) -> ChannelsReport:
    """What became of the promise, from the file.

    Args:
        cut: the promise.
        tflite: the file.
        figures: what it takes of the target, by the names of budgets; needed where there are some.
    """
    after = macs_of(tflite)
    taken = figures(tflite, tuple(cut.budgets)) if figures and cut.budgets else {}
    budgets = [BudgetReport(name=name, allowed=cut.budgets[name], taken=one) for name, one in taken.items()]
    return ChannelsReport(
        share_asked=cut.share,
        share=1 - after / cut.macs if cut.macs else 0.0,
        macs_before=cut.macs,
        macs_after=after,
        layers=tuple(LayerChannels(name=one.name, before=one.before, after=one.after) for one in cut.layers),
        budgets=tuple(budgets),
    )


def check_macs(found: ChannelsReport) -> Iterator[Finding]:
    """Findings when less went than was asked for, or the model takes more than it may."""
    for one in found.budgets:
        if one.taken > one.allowed:
            message = f"the .tflite takes {one.taken:.4g} of the target, {one.allowed:g} was allowed"
            yield Finding(code="budget-missed", subject=one.name, message=message, severity="warning")
    if not found.budgets and found.share < found.share_asked - TOLERANCE:
        message = (
            f"{found.share:.1%} of the multiply-accumulates are gone in the .tflite, "
            f"{found.share_asked:.1%} was asked for"
        )
        yield Finding(code="channels-missed", subject="channels", message=message, severity="warning")
